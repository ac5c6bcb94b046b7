//! Calling a service that runs elsewhere, in one process or several, over mutual TLS.
//!
//! Promises: the other side proves that it is that service, wherever it stands; connections are kept alive; an instance
//! that cannot be reached is left out for a second while there are others; a call that changes nothing, or carries an
//! `Idempotency-Key`, is tried again a bounded number of times; any other is sent again only if it never left. The
//! caller's deadline bounds it all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aaa::{OnBehalf, Transport, TransportError};
use axum::body::{Body, Bytes};
use hyper::body::Body as _;
use hyper::http::uri::{Authority, Scheme};
use hyper::http::{HeaderName, HeaderValue, Uri, request::Parts};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use vocabulary::Chance;

use crate::ReachError;
use crate::door::ON_BEHALF_OF;
use crate::reach::addressed;

/// Longest wait for a connection.
const CONNECTING: Duration = Duration::from_secs(1);
/// Longest wait for an answer's head while another instance could be asked instead.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for an answer's head at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an instance that failed is left out.
const LEFT_OUT: Duration = Duration::from_secs(1);
/// Connections are given up before the other side, which gives up after a minute, does: a request must not meet that.
const KEPT_ALIVE: Duration = Duration::from_secs(30);
/// Times that one call is tried.
const ATTEMPTS: usize = 4;
/// The wait before the same instance is tried again; it doubles, and half of it is left to chance.
const WAIT: Duration = Duration::from_millis(40);
/// Largest body that is kept to be sent again, in bytes.
const KEPT: u64 = 256 * 1024;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The way to `service` at these addresses (`https://host:port`), as the side that `tls` shows. The certificate at the
/// other end has to name the service itself: an address is only where to look for it.
pub fn elsewhere(
    service: &str,
    addresses: &[String],
    tls: ClientConfig,
    chance: Chance,
) -> Result<Transport, ReachError> {
    let name = ServerName::try_from(service.to_owned()).map_err(|_| ReachError::Address(service.to_owned()))?;
    let instances = addresses.iter().map(|address| Instance::at(address)).collect::<Result<Vec<_>, _>>()?;
    if instances.is_empty() {
        return Err(ReachError::Nowhere(service.to_owned()));
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECTING));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .with_server_name_resolver(FixedServerNameResolver::new(name))
        .enable_http1()
        .wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT_ALIVE)
        .build(connector);
    let line = Arc::new(Line { service: service.to_owned(), instances, next: AtomicUsize::new(0), client, chance });
    Ok(Transport::new(tower::service_fn(move |request| {
        let line = Arc::clone(&line);
        async move { line.send(request).await }
    })))
}

/// One process of the service.
struct Instance {
    authority: Authority,
    left_out: Mutex<Option<Instant>>,
}

impl Instance {
    fn at(address: &str) -> Result<Self, ReachError> {
        let wrong = || ReachError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTPS)).ok_or_else(wrong)?;
        Ok(Self { authority: authority.clone(), left_out: Mutex::default() })
    }

    fn is_left_out(&self) -> bool {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| until > Instant::now())
    }

    fn leave_out(&self, failed: bool) {
        let until = failed.then(|| Instant::now() + LEFT_OUT);
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

struct Line {
    service: String,
    instances: Vec<Instance>,
    next: AtomicUsize,
    client: Client<HttpsConnector<HttpConnector>, Body>,
    chance: Chance,
}

/// Why one attempt brought no answer.
struct Lost {
    why: TransportError,
    /// Nothing of the request left this process.
    unsent: bool,
}

/// A request's body, as often as it is needed.
enum Content {
    Kept(Bytes),
    Once(Option<Body>),
}

impl Content {
    async fn of(body: Body) -> Result<Self, TransportError> {
        if body.size_hint().upper().is_some_and(|most| most <= KEPT) {
            return Ok(Self::Kept(axum::body::to_bytes(body, usize::try_from(KEPT).unwrap_or(usize::MAX)).await?));
        }
        Ok(Self::Once(Some(body)))
    }

    fn take(&mut self) -> Option<Body> {
        match self {
            Self::Kept(bytes) => Some(Body::from(bytes.clone())),
            Self::Once(body) => body.take(),
        }
    }
}

impl Line {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (mut parts, body) = request.into_parts();
        speak_for(&mut parts);
        let repeatable = parts.method.is_safe() || parts.headers.contains_key(IDEMPOTENCY_KEY);
        let mut content = Content::of(body).await?;
        let order = self.order();
        let mut last: TransportError = format!("{} has no instance", self.service).into();
        for attempt in 0..ATTEMPTS {
            let Some(instance) = attempt.checked_rem(order.len()).and_then(|place| order.get(place)) else { break };
            if attempt >= order.len() {
                tokio::time::sleep(self.wait(attempt)).await;
            }
            let Some(body) = content.take() else { break };
            let others = attempt.saturating_add(1) < order.len();
            let patience = if repeatable && others { IMPATIENCE } else { PATIENCE };
            match self.attempt(instance, request_of(&parts, body), patience).await {
                // It stands and cannot serve now; another one may.
                Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE && repeatable && others => {
                    last = format!("{} at {} cannot serve now", self.service, instance.authority).into();
                }
                Ok(answer) => return Ok(answer),
                Err(lost) => {
                    last = lost.why;
                    if !lost.unsent && !repeatable {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    async fn attempt(
        &self,
        instance: &Instance,
        mut request: Request<Body>,
        patience: Duration,
    ) -> Result<Response<Body>, Lost> {
        request = addressed(request, &Scheme::HTTPS, &instance.authority);
        let named = |why: &str| format!("{} at {}: {why}", self.service, instance.authority).into();
        match tokio::time::timeout(patience, self.client.request(request)).await {
            Ok(Ok(answer)) => {
                instance.leave_out(false);
                Ok(answer.map(Body::new))
            }
            Ok(Err(error)) => {
                instance.leave_out(true);
                Err(Lost { unsent: error.is_connect(), why: named(&whole(&error)) })
            }
            Err(_) => {
                instance.leave_out(true);
                Err(Lost { unsent: false, why: named("no answer in time") })
            }
        }
    }

    /// Each in turn, those that failed a moment ago last.
    fn order(&self) -> Vec<&Instance> {
        let first = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.instances.len()).unwrap_or(0);
        let (before, from) = self.instances.split_at(first);
        let mut order: Vec<&Instance> = from.iter().chain(before).collect();
        order.sort_by_key(|instance| instance.is_left_out());
        order
    }

    fn wait(&self, attempt: usize) -> Duration {
        let whole = WAIT.saturating_mul(1 << attempt.min(4));
        let half = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX) / 2;
        Duration::from_micros(half.saturating_add(self.chance.below(half.saturating_add(1))))
    }
}

/// The address for which this process calls travels in a header, never what a client wrote there.
fn speak_for(parts: &mut Parts) {
    parts.headers.remove(ON_BEHALF_OF);
    let client = parts.extensions.remove::<OnBehalf>();
    if let Some(client) = client.and_then(|OnBehalf(client)| HeaderValue::try_from(client).ok()) {
        parts.headers.insert(ON_BEHALF_OF, client);
    }
}

fn request_of(parts: &Parts, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    request
}

/// An error with everything that caused it: the library's own words stop at "connect".
fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !words.contains(&next) {
            words = format!("{words}: {next}");
        }
        cause = error.source();
    }
    words
}
