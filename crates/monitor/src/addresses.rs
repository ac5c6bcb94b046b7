//! Which addresses may be gone to, and the way there.
//!
//! Promises: a name is resolved once, every address is judged, and the connection goes to an address that was judged, never
//! to the name again; what comes over it is bounded. Unless it is said otherwise, only globally reachable addresses are
//! gone to, by the registries of special addresses (RFC 6890): not this machine, not networks behind it, and none of them
//! in the guise of an IPv6 address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::outgoing::Silence;

/// How long one address may keep the next from being tried (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;
/// Names that are looked up at a time. Each holds a thread until its name servers answer or the resolver gives up, which may
/// be long after the check did; databases need threads of the same pool.
static LOOKUPS: Semaphore = Semaphore::const_new(200);
/// How long one waits for its turn: after that it is this machine that cannot, and the check says nothing.
const TURN: Duration = Duration::from_millis(500);
/// What comes over a connection at most, encrypted or not; the answers that are read are smaller.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Where it may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// To globally reachable addresses.
    Public,
    /// To this machine and to private networks, too.
    Anywhere,
}

impl Reach {
    /// As a check has it.
    pub(crate) const fn of(private: bool) -> Self {
        if private { Self::Anywhere } else { Self::Public }
    }

    /// Whether that address may be gone to.
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        self == Self::Anywhere || is_global(address)
    }
}

/// Whether everybody could reach it, and not only whoever stands where we stand.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    // This network, private, loopback; multicast, reserved, broadcast.
    let special = matches!(a, 0 | 10 | 127 | 224..=255)
        // Private; between a provider and its customers; benchmarks.
        || matches!((a, b), (172, 16..=31) | (192, 168) | (100, 64..=127) | (198, 18 | 19))
        // Link-local; in clouds also the machine's own secrets.
        || (a, b) == (169, 254)
        // Protocols, documentation, the way to 6to4.
        || matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113));
    !special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_global_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // IPv4 in disguise: mapped, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        // Protocols, Teredo and ORCHID among them; documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Of the rest only what is handed out at all.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// What this machine's resolver says, however long it takes: whoever gave up waiting leaves it under way.
async fn looked_up(host: String, port: u16) -> Result<Vec<SocketAddr>, Silence> {
    let full = |_| Silence::Here("too many names are being looked up".to_owned());
    let permit = timeout(TURN, LOOKUPS.acquire()).await.map_err(full)?.map_err(|_| Silence::Name)?;
    let found = tokio::task::spawn_blocking(move || {
        let _until_it_is_over = permit;
        (host, port).to_socket_addrs().map(Iterator::collect)
    });
    found.await.map_err(|_| Silence::Name)?.map_err(|_| Silence::Name)
}

/// The addresses of a host that may be gone to.
async fn resolved(host: &str, port: u16, reach: Reach) -> Result<Vec<SocketAddr>, Silence> {
    let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => looked_up(host.to_owned(), port).await?,
    };
    if found.is_empty() {
        return Err(Silence::Name);
    }
    let fit: Vec<_> = found.into_iter().filter(|it| reach.admits(it.ip())).take(MOST_ADDRESSES).collect();
    if fit.is_empty() { Err(Silence::Private) } else { Ok(fit) }
}

/// Connects to the first of its addresses that takes it; those that are slow do not keep the others waiting.
pub(crate) async fn connected(host: &str, port: u16, reach: Reach) -> Result<Bounded, Silence> {
    let mut places = resolved(host, port, reach).await?.into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut last = Silence::Name;
    loop {
        match places.next() {
            Some(place) => under_way.push(TcpStream::connect(place)),
            None if under_way.is_empty() => return Err(last),
            None => {}
        }
        tokio::select! {
            Some(done) = under_way.next() => match done {
                Ok(stream) => {
                    // Small messages go back and forth; what cannot be set costs time only.
                    _ = stream.set_nodelay(true);
                    return Ok(Bounded { stream, left: MOST_BYTES });
                }
                Err(error) => last = Silence::connecting(&error),
            },
            () = tokio::time::sleep(STAGGER), if places.len() > 0 => {}
        }
    }
}

/// A connection over which only so much comes.
#[derive(Debug)]
pub(crate) struct Bounded {
    stream: TcpStream,
    left: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        self.left = self.left.saturating_sub(into.filled().len().saturating_sub(before));
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(text: &str) -> bool {
        Reach::Public.admits(text.parse().unwrap())
    }

    #[test]
    fn what_only_we_could_reach_is_not_gone_to() {
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(!admitted(private), "{private}");
            assert!(Reach::Anywhere.admits(private.parse().unwrap()));
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert!(admitted(public), "{public}");
        }
    }

    #[test]
    fn a_private_address_in_disguise_is_private() {
        for (form, prefix) in [("::ffff:", ""), ("64:ff9b::", "")] {
            assert!(!admitted(&format!("{form}{prefix}127.0.0.1")) && !admitted(&format!("{form}10.0.0.1")));
            assert!(admitted(&format!("{form}1.1.1.1")));
        }
        assert!(!admitted("2002:7f00:1::1") && !admitted("2002:a9fe:a9fe::") && !admitted("2002:c0a8:101::"));
        assert!(admitted("2002:101:101::1"));
        assert!(!admitted("64:ff9b:1::1.1.1.1"), "that translator is a network's own");
    }
}
