//! The listener: HTTPS with handshakes in their own tasks, or plain HTTP for this machine alone; connections bounded in
//! number and time, and a stop that loses no answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aaa::ClientCertificate;
use axum::extract::ConnectInfo;
use axum::{BoxError, Router};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::Shutdown;
use crate::patience::{Activity, Noticed, Prompt};

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
    /// How long a client that was told to leave may be silent before it is left.
    pub parting: Duration,
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
        }
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
    limits: Limits,
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
        Ok(Self { socket, address, limits: Limits::default() })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// With other limits.
    #[must_use]
    pub const fn with(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves until `shutdown`, then waits for the answers under way, but not for ever.
    pub async fn serve(self, router: Router, tls: Arc<ServerConfig>, shutdown: Shutdown) {
        self.accept(router, Some(TlsAcceptor::from(tls)), shutdown).await;
    }

    /// The same without TLS, at an address that only this machine reaches; any other is refused.
    pub async fn serve_plain(self, router: Router, shutdown: Shutdown) -> Result<(), ListenerError> {
        self.is_private()?;
        self.accept(router, None, shutdown).await;
        Ok(())
    }

    /// Whether only this machine reaches it, as plain HTTP asks.
    pub fn is_private(&self) -> Result<(), ListenerError> {
        if self.address.ip().is_loopback() { Ok(()) } else { Err(ListenerError::Exposed(self.address)) }
    }

    async fn accept(self, router: Router, acceptor: Option<TlsAcceptor>, shutdown: Shutdown) {
        let limits = self.limits;
        let places = Arc::new(Semaphore::new(limits.connections as usize));
        loop {
            let (place, accepted) = tokio::select! {
                () = shutdown.begun() => break,
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
            let (acceptor, router, stop) = (acceptor.clone(), router.clone(), shutdown.clone());
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = attend(stream, peer, acceptor, router, limits, &stop).await {
                    tracing::debug!(%peer, error, "connection ended");
                }
            });
        }
        drop(self.socket);
        // Every place is free again when the last connection has ended.
        let _ = tokio::time::timeout(limits.farewell, places.acquire_many(limits.connections)).await;
    }
}

/// One connection, from its first byte.
async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stop: &Shutdown,
) -> Result<(), BoxError> {
    // Without it each small write may wait 40 ms for the peer's acknowledgement (Nagle).
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else {
        return converse(stream, Peer { address: peer, name: None }, router, limits, stop).await;
    };
    let tls = tokio::select! {
        () = stop.begun() => None,
        tls = tokio::time::timeout(limits.opening, acceptor.accept(stream)) => tls.ok().transpose()?,
    };
    match tls {
        Some(tls) => {
            let name = pki::Peer::of(tls.get_ref().1).map(|peer| peer.name);
            converse(tls, Peer { address: peer, name }, router, limits, stop).await
        }
        None => Ok(()),
    }
}

/// Who is at the other end.
struct Peer {
    address: SocketAddr,
    /// The name in the certificate that the handshake has checked, where one was asked for.
    name: Option<String>,
}

/// Everything on one connection, until it ends, rests too long, or it is time to stop.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: &Shutdown,
) -> Result<(), BoxError> {
    let certificate = peer.name.map(|name| ClientCertificate { name });
    let activity = Activity::default();
    let service = hyper::service::service_fn(|request: hyper::Request<Incoming>| {
        let (router, activity, under_way) = (router.clone(), activity.clone(), activity.begin());
        let certificate = certificate.clone();
        async move {
            let _under_way = under_way;
            let mut request = request.map(|body| {
                if body.is_end_stream() {
                    axum::body::Body::empty()
                } else {
                    axum::body::Body::new(Prompt::new(body, limits.body))
                }
            });
            request.extensions_mut().insert(ConnectInfo(peer.address));
            if let Some(certificate) = certificate {
                request.extensions_mut().insert(certificate);
            }
            let Ok(answer) = router.oneshot(request).await;
            Ok::<_, Infallible>(answer.map(|body| Noticed::new(body, activity)))
        }
    });
    let server = builder(limits.opening);
    let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stop.begun() => {}
        () = activity.rests(limits.opening, limits.idle) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => ended,
        () = activity.rests(limits.parting, limits.parting) => Ok(()),
    }
}

type Accepted = std::io::Result<(TcpStream, SocketAddr)>;

async fn next(socket: &TcpListener, places: &Arc<Semaphore>) -> (Option<tokio::sync::OwnedSemaphorePermit>, Accepted) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, socket.accept().await)
}

fn builder(patience: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience).max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}
