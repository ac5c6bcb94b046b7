//! The HTTPS listener: TLS handshakes in their own tasks, bounded in number and time, and a stop that loses no answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::Shutdown;

/// Most connections at a time; further ones wait in the system's queue.
const CONNECTIONS: usize = 4096;
/// A client that has not finished its handshake, or the head of its request, by then is dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long answers under way may take once it is time to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why the listener could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// Another program listens there.
    #[error("port {} of {} is taken by another program: stop that one, or choose another address with --listen", .0.port(), .0.ip())]
    Taken(SocketAddr),
    /// The system refused.
    #[error("cannot listen on {0}: {1}; choose another address with --listen")]
    Refused(SocketAddr, std::io::Error),
}

/// A bound address that does not serve yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
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
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then waits for the answers under way, but not for ever.
    pub async fn serve(self, router: Router, tls: Arc<ServerConfig>, shutdown: Shutdown) {
        let acceptor = TlsAcceptor::from(tls);
        let graceful = Arc::new(GracefulShutdown::new());
        let places = Arc::new(Semaphore::new(CONNECTIONS));
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
            let (acceptor, router, watcher, stop) =
                (acceptor.clone(), router.clone(), graceful.watcher(), shutdown.clone());
            tokio::spawn(async move {
                let _place = place;
                tokio::select! {
                    () = stop.begun() => {}
                    tls = handshake(acceptor, stream) => if let Some(tls) = tls {
                        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
                            request.extensions_mut().insert(ConnectInfo(peer));
                            router.clone().oneshot(request.map(axum::body::Body::new) as Request)
                        });
                        let server = builder();
                        let connection = server.serve_connection_with_upgrades(TokioIo::new(tls), service).into_owned();
                        drop(stop);
                        if let Err(error) = watcher.watch(connection).await {
                            tracing::debug!(%peer, error, "connection ended");
                        }
                    }
                }
            });
        }
        drop(self.socket);
        if let Ok(graceful) = Arc::try_unwrap(graceful) {
            let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
        }
    }
}

type Accepted = std::io::Result<(TcpStream, SocketAddr)>;

async fn next(socket: &TcpListener, places: &Arc<Semaphore>) -> (Option<tokio::sync::OwnedSemaphorePermit>, Accepted) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, socket.accept().await)
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    // Without it each small write may wait 40 ms for the peer's acknowledgement (Nagle).
    stream.set_nodelay(true).ok()?;
    tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await.ok()?.ok()
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}
