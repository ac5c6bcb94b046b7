//! Where a check leads, as it is written: a machine and a port. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::addresses::Reach;
use crate::check::Fault;

/// Longest name of a machine.
const LONGEST_HOST: usize = 253;

/// A machine and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Spot {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Spot {
    /// Reads `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`. Where there is a usual port, it may be left out.
    pub(super) fn read(text: &str, usual: Option<u16>, reach: Reach) -> Result<Self, Fault> {
        let wrong = || {
            let port = if usual.is_some() { "with or without" } else { "with" };
            (
                "target",
                format!("names no machine: write its name or address, {port} a port, such as bank.example.org:443"),
            )
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(wrong)?) })
            }
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let digits = |port: &&str| port.bytes().all(|c| c.is_ascii_digit());
        let port = match port {
            Some(port) => Some(port).filter(digits).and_then(|port| port.parse().ok()).filter(|port| *port != 0),
            None => usual,
        };
        let port = port.ok_or_else(wrong)?;
        is_host(host).then_some(()).ok_or_else(wrong)?;
        judged(host, reach)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

/// What is an address is judged where it is written; what is a name, whenever it is gone to.
pub(super) fn judged(host: &str, reach: Reach) -> Result<(), Fault> {
    match host.parse::<IpAddr>() {
        Ok(address) if !reach.admits(address) => Err(private("target")),
        _ => Ok(()),
    }
}

pub(super) fn private(field: &'static str) -> Fault {
    (field, "leads to an address that is not a public one: write `private = true` if it may".into())
}

pub(super) fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    host.parse::<IpAddr>().is_ok() || (host.len() <= LONGEST_HOST && name.split('.').all(label))
}

/// `192.0.2.53`, `192.0.2.53:53`, `2001:db8::53`, `[2001:db8::53]:53`.
pub(super) fn server(text: &str, reach: Reach) -> Result<SocketAddr, Fault> {
    const PORT: u16 = 53;
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let address = text.parse().or_else(|_| bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT)));
    let address = address.map_err(|_| ("server", "is no address: write 192.0.2.53 or 192.0.2.53:53".to_owned()))?;
    if reach.admits(address.ip()) { Ok(address) } else { Err(private("server")) }
}
