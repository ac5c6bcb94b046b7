//! One connection, from its first byte to its end.
//!
//! Promises: one that rests too long makes room; one whose peer is no longer admitted ends; when it is time to stop, no
//! request that is on its way meets a closed connection; no more requests than the limit are worked on at a time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aaa::{ClientCertificate, Problem};
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use hyper::body::{Body as _, Incoming};
use hyper::http::HeaderValue;
use hyper::http::header::CONNECTION;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pki::{Life, Link};
use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use crate::lobby::untaken;
use crate::patience::{Activity, Noticed, Prompt};
use crate::{Limits, Shutdown};

/// How often it is looked whether a peer is still admitted.
const LOOKING: Duration = Duration::from_secs(1);

/// What all connections of a listener have in common.
pub(crate) struct House {
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    /// By what peers are admitted, where they show certificates.
    link: Option<Link>,
    pub(crate) limits: Limits,
    pub(crate) stop: Shutdown,
    desks: Arc<Semaphore>,
}

impl House {
    pub(crate) fn new(
        router: Router,
        tls: Option<Arc<ServerConfig>>,
        link: Option<Link>,
        limits: Limits,
        stop: Shutdown,
    ) -> Self {
        let desks = Arc::new(Semaphore::new(limits.under_way.min(Semaphore::MAX_PERMITS)));
        Self { router, tls, link, limits, stop, desks }
    }
}

/// One connection.
pub(crate) async fn attend(stream: TcpStream, address: SocketAddr, house: Arc<House>) -> Result<(), BoxError> {
    // Without it each small write may wait 40 ms for the peer's acknowledgement (Nagle).
    stream.set_nodelay(true)?;
    let Some(tls) = &house.tls else {
        let peer = Peer { address, certificate: None, admission: None };
        return converse(stream, peer, false, house).await;
    };
    // What is replaced during the handshake has to be looked at again.
    let generation = house.link.as_ref().map(Link::generation);
    let Some(stream) = shake(stream, tls, &house).await? else { return Ok(()) };
    let connection = stream.get_ref().1;
    let peer = Peer::of(address, connection, house.link.as_ref().zip(generation));
    let multiplexed = connection.alpn_protocol() == Some(b"h2");
    converse(stream, peer, multiplexed, house).await
}

/// The handshake. Once we have answered the client may think that it is over, and send a request: so from then on it is
/// finished even if it is time to stop.
async fn shake(
    stream: TcpStream,
    tls: &Arc<ServerConfig>,
    house: &House,
) -> Result<Option<TlsStream<TcpStream>>, BoxError> {
    let begun = async {
        let greeting = tokio::select! {
            () = house.stop.begun() => return Ok(None),
            greeting = LazyConfigAcceptor::new(Acceptor::default(), stream) => greeting?,
        };
        let finished = pin!(greeting.into_stream(Arc::clone(tls)));
        let late = async {
            house.stop.begun().await;
            tokio::time::sleep(house.limits.parting).await;
        };
        tokio::select! {
            () = late => Ok(None),
            stream = finished => stream.map(Some),
        }
    };
    Ok(timeout(house.limits.opening, begun).await.unwrap_or(Ok(None))?)
}

/// Who is at the other end.
struct Peer {
    address: SocketAddr,
    /// Of the certificate that the handshake has checked, where one was asked for.
    certificate: Option<ClientCertificate>,
    admission: Option<Admission>,
}

impl Peer {
    fn of(address: SocketAddr, connection: &ServerConnection, by: Option<(&Link, u64)>) -> Self {
        let peer = pki::Peer::of(connection);
        let chain = connection.peer_certificates().unwrap_or_default();
        // Who showed nothing was let in as nobody, and stays that.
        let admission = by.filter(|_| !chain.is_empty()).map(|(link, generation)| Admission {
            link: link.clone(),
            generation,
            chain: chain.iter().cloned().map(CertificateDer::into_owned).collect(),
            life: peer.as_ref().map(|peer| peer.life),
        });
        Self {
            address,
            certificate: peer.map(|pki::Peer { name, serial, .. }| ClientCertificate { name, serial }),
            admission,
        }
    }
}

/// By what a peer was let in.
struct Admission {
    link: Link,
    generation: u64,
    chain: Vec<CertificateDer<'static>>,
    life: Option<Life>,
}

impl Admission {
    /// Waits until the peer would not be let in any more, and says why.
    async fn ends(&mut self) -> String {
        let mut looks = interval(LOOKING);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let generation = self.link.generation();
            let now = self.link.clock().now();
            if generation == self.generation && self.life.is_some_and(|life| life.holds(now)) {
                continue;
            }
            match self.link.still_admits(&self.chain) {
                Ok(()) => self.generation = generation,
                Err(error) => return error.to_string(),
            }
        }
    }
}

/// Waits until a peer is no longer admitted; for ever where none has to be.
async fn until_barred(admission: Option<&mut Admission>) -> String {
    match admission {
        Some(admission) => admission.ends().await,
        None => std::future::pending().await,
    }
}

/// Everything on one connection, until it ends, rests too long, its peer is barred, or it is time to stop.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut peer: Peer,
    multiplexed: bool,
    house: Arc<House>,
) -> Result<(), BoxError> {
    let (limits, stop) = (house.limits, &house.stop);
    let (activity, multiplexed) = (Activity::begins(), AtomicBool::new(multiplexed));
    let (address, certificate) = (peer.address, peer.certificate.clone());
    let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
        multiplexed.fetch_or(request.version() == Version::HTTP_2, Ordering::Relaxed);
        let (activity, under_way) = (activity.clone(), activity.begin());
        request.extensions_mut().insert(ConnectInfo(address));
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let house = Arc::clone(&house);
        async move {
            let _under_way = under_way;
            let closes = request.version() < Version::HTTP_2;
            let mut answer = house.answer(request).await;
            if closes && house.stop.has_begun() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer.map(|body| Noticed::new(body, activity)))
        }
    });
    let server = builder(limits.opening);
    let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stop.begun() => {
            // HTTP/2 has a word for it. With HTTP/1.1 the next answer says it; where none is due, nobody is left before
            // they have stopped using the connection.
            if !multiplexed.load(Ordering::Relaxed) {
                tokio::select! {
                    ended = connection.as_mut() => return ended,
                    () = activity.has_rested(limits.parting) => {}
                }
            }
        }
        () = activity.rests(limits.opening, limits.idle) => {}
        why = until_barred(peer.admission.as_mut()) => {
            let name = certificate.as_ref().map(|certificate| certificate.name.as_str());
            tracing::warn!(target: "audit", peer = name, %address, why, "a peer is no longer admitted; its connection is closed");
        }
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => ended,
        () = activity.rests(limits.parting, limits.parting) => Ok(()),
    }
}

impl House {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        // Whoever is overburdened still says that it lives.
        let _desk = if request.uri().path().starts_with("/health/") {
            None
        } else {
            match self.desks.try_acquire() {
                Ok(desk) => Some(desk),
                Err(_) => return full(),
            }
        };
        let request = request.map(|body| {
            if body.is_end_stream() {
                axum::body::Body::empty()
            } else {
                axum::body::Body::new(Prompt::new(body, self.limits.body))
            }
        });
        match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

fn full() -> Response {
    let detail = "There is more to do here than can be done at once. Try again in a moment.";
    untaken(Problem::unavailable(1, "too many requests under way").detail(detail).into_response(), "full")
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
