//! The listener: HTTPS with handshakes in their own tasks, mutual TLS for services, or plain HTTP for this machine alone;
//! connections and requests bounded in number and time, and a stop that loses no request and no answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use pki::{Link, PkiError};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::Shutdown;
use crate::connection::{House, attend};

/// What connections may take. The default is meant for the public; tests ask for less.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections at a time; further ones wait in the system's queue.
    pub connections: u32,
    /// A client that has not finished its handshake, or the head of its first request, by then is dropped.
    pub opening: Duration,
    /// A connection on which nothing moves for so long, with no request under way, makes room for others.
    pub idle: Duration,
    /// A request's body has to arrive within this time.
    pub body: Duration,
    /// How long answers under way may take once it is time to stop.
    pub farewell: Duration,
    /// How long a client that was told to leave may be silent before it is left; and, once it is time to stop, how long
    /// a connection must have been at rest before it is closed, because a request may be on its way. Longer than
    /// clients use a connection that rests, where that is known.
    pub parting: Duration,
    /// Most requests that are worked on at a time. Further ones are answered 503 at once, questions about health apart.
    pub under_way: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            opening: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            body: Duration::from_secs(30),
            farewell: Duration::from_secs(10),
            parting: Duration::from_secs(2),
            under_way: 1024,
        }
    }
}

impl Limits {
    /// For services that call each other: their connections rest for three seconds at most, so after four nobody uses
    /// one any more.
    pub fn between_services() -> Self {
        Self { parting: Duration::from_secs(4), ..Self::default() }
    }
}

/// Why the listener could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// Another program listens there.
    #[error("port {} of {} is taken by another program: stop that one, or choose another address with --listen", .0.port(), .0.ip())]
    Taken(SocketAddr),
    /// The system refused.
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    Refused(SocketAddr, std::io::Error),
    /// Passwords would travel readable.
    #[error(
        "plain HTTP is for this machine alone, and {0} can be reached from others: listen on 127.0.0.1, or serve HTTPS"
    )]
    Exposed(SocketAddr),
}

/// A bound address that does not serve yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Option<Limits>,
}

impl Listener {
    /// Takes the address; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenerError> {
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ListenerError::Taken(address),
            _ => ListenerError::Refused(address, error),
        };
        let socket = TcpListener::bind(address).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Self { socket, address, limits: None })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// With other limits.
    #[must_use]
    pub const fn with(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Serves until `shutdown`, then waits for the answers under way, but not for ever.
    pub async fn serve(self, router: Router, tls: Arc<ServerConfig>, shutdown: Shutdown) {
        let limits = self.limits.unwrap_or_default();
        self.accept(House::new(router, Some(tls), None, limits, shutdown)).await;
    }

    /// The same for services that show each other certificates. A peer that is no longer admitted, because its
    /// certificate was revoked or has ended, or because its authority is not ours any more, loses the connections that
    /// it has within seconds; what is under way on them is answered.
    pub fn serve_mutual(
        self,
        router: Router,
        link: Link,
        shutdown: Shutdown,
    ) -> Result<impl Future<Output = ()> + Send + 'static, PkiError> {
        let tls = Arc::new(link.server_config()?);
        Ok(self.accept_peers(router, tls, link, shutdown))
    }

    /// The same for a door at which some have no certificate yet: they come in as nobody, and the router decides.
    pub fn serve_inviting(
        self,
        router: Router,
        link: Link,
        shutdown: Shutdown,
    ) -> Result<impl Future<Output = ()> + Send + 'static, PkiError> {
        let tls = Arc::new(link.inviting_config()?);
        Ok(self.accept_peers(router, tls, link, shutdown))
    }

    fn accept_peers(
        self,
        router: Router,
        tls: Arc<ServerConfig>,
        link: Link,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + Send + 'static {
        let limits = self.limits.unwrap_or_else(Limits::between_services);
        self.accept(House::new(router, Some(tls), Some(link), limits, shutdown))
    }

    /// The same without TLS, at an address that only this machine reaches; any other is refused.
    pub async fn serve_plain(self, router: Router, shutdown: Shutdown) -> Result<(), ListenerError> {
        self.is_private()?;
        let limits = self.limits.unwrap_or_default();
        self.accept(House::new(router, None, None, limits, shutdown)).await;
        Ok(())
    }

    /// Whether only this machine reaches it, as plain HTTP asks.
    pub fn is_private(&self) -> Result<(), ListenerError> {
        if self.address.ip().is_loopback() { Ok(()) } else { Err(ListenerError::Exposed(self.address)) }
    }

    async fn accept(self, house: House) {
        let limits = house.limits;
        let (house, places) = (Arc::new(house), Arc::new(Semaphore::new(limits.connections as usize)));
        loop {
            let (place, accepted) = tokio::select! {
                () = house.stop.begun() => break,
                next = next(&self.socket, &places) => next,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: going on at once would only spin.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = attend(stream, peer, house).await {
                    tracing::debug!(%peer, error, "connection ended");
                }
            });
        }
        drop(self.socket);
        // Every place is free again when the last connection has ended.
        let _ = tokio::time::timeout(limits.farewell, places.acquire_many(limits.connections)).await;
    }
}

type Accepted = std::io::Result<(TcpStream, SocketAddr)>;

async fn next(socket: &TcpListener, places: &Arc<Semaphore>) -> (Option<tokio::sync::OwnedSemaphorePermit>, Accepted) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, socket.accept().await)
}
