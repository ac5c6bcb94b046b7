//! Calling a service that runs elsewhere, in one process or several, over mutual TLS.
//!
//! Promises: the other side proves that it is that service, wherever it stands; connections are kept alive, and none
//! outlives the trust under which it was made; every instance is asked several times a second whether it lives, so one
//! that is dead or frozen is left out within a second and is back by itself, and where all are dead a call fails at once;
//! a call that changes nothing, or carries an `Idempotency-Key`, is tried again a bounded number of times; any other is
//! sent again only if it never left, or was handed back untouched. The caller's deadline bounds it all.

mod dial;
mod instance;
mod place;
mod standing;

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aaa::{OnBehalf, Transport, TransportError};
use axum::body::{Body, Bytes};
use hyper::body::Body as _;
use hyper::http::{HeaderName, HeaderValue, request::Parts};
use hyper::{Request, Response, StatusCode};
use pki::Link;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use vocabulary::Chance;

pub(crate) use self::instance::whole;
use self::instance::{Instance, Kind};
pub use self::place::{Names, SystemNames};
use self::place::{Place, Places};
pub use self::standing::{Standing, State};
use crate::ReachError;
use crate::door::ON_BEHALF_OF;
use crate::lobby::NOT_TAKEN;

/// Longest wait for an answer's head while another instance could be asked instead.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for an answer's head at all.
const PATIENCE: Duration = Duration::from_secs(30);
/// Times that one call is tried.
const ATTEMPTS: usize = 4;
/// The wait before the same instance is tried again; it doubles, and half of it is left to chance.
const WAIT: Duration = Duration::from_millis(40);
/// Largest body that is kept to be sent again, in bytes.
const KEPT: u64 = 256 * 1024;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The way to a service that runs elsewhere. Clones share its connections; they end with the last clone and the last
/// transport.
#[derive(Clone)]
pub struct Way(Arc<Line>);

/// The way to `service` at these addresses (`https://host:port`), as the side that `link` shows. The certificate at the
/// other end has to name the service itself: an address is only where to look for it. A host may have several addresses;
/// each is an instance, and so is each address given here. To be called where tasks can be started.
pub fn elsewhere(service: &str, addresses: &[String], link: &Link, chance: Chance) -> Result<Way, ReachError> {
    elsewhere_by(service, addresses, link, chance, SystemNames)
}

/// The same, where the addresses of hosts are asked of `names`.
pub fn elsewhere_by(
    service: &str,
    addresses: &[String],
    link: &Link,
    chance: Chance,
    names: impl Names,
) -> Result<Way, ReachError> {
    let kind = Kind {
        service: service.into(),
        name: ServerName::try_from(service.to_owned()).map_err(|_| ReachError::Address(service.to_owned()))?,
        link: link.clone(),
        tls: TlsConnector::from(Arc::new(link.client_config()?)),
    };
    let places = addresses.iter().map(|address| Place::at(address)).collect::<Result<Vec<_>, _>>()?;
    if places.is_empty() {
        return Err(ReachError::Nowhere(service.to_owned()));
    }
    let places = Places::watch(places, &kind, &Arc::new(names));
    Ok(Way(Arc::new(Line { service: kind.service, places, next: AtomicUsize::new(0), chance })))
}

impl Way {
    /// Carries calls.
    pub fn transport(&self) -> Transport {
        let line = Arc::clone(&self.0);
        Transport::new(tower::service_fn(move |request| {
            let line = Arc::clone(&line);
            async move { line.send(request).await }
        }))
    }

    /// What is known of each instance now.
    pub fn standings(&self) -> Vec<Standing> {
        self.0.places.standings(&self.0.service)
    }
}

struct Line {
    service: Arc<str>,
    places: Places,
    next: AtomicUsize,
    chance: Chance,
}

/// Why one attempt brought no answer.
struct Lost {
    why: TransportError,
    /// Nothing of the request was begun.
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

    const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
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
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let (mut tried, mut last) = (Vec::new(), None);
        for attempt in 0..ATTEMPTS {
            let again = attempt + 1 < ATTEMPTS;
            let instances = self.places.instances().await;
            let Some(Choice { instance, others, alone }) = choose(&instances, turn, &tried) else {
                return Err(last.unwrap_or_else(|| self.places.despair(&self.service).into()));
            };
            if tried.contains(&instance.at) {
                tokio::time::sleep(self.wait(attempt)).await;
            }
            let Some(body) = content.take() else { break };
            tried.push(instance.at);
            match attempt_at(instance, request_of(&parts, body), repeatable, others).await {
                // It stands and cannot serve now; another one may, also one that failed a moment ago.
                Ok(answer) if !alone && again && content.is_kept() && is_handed_back(&answer, repeatable) => {
                    last = Some(format!("{} at {} cannot serve now", self.service, instance.at).into());
                }
                Ok(mut answer) => {
                    answer.headers_mut().remove(NOT_TAKEN);
                    return Ok(answer);
                }
                Err(lost) => {
                    last = Some(lost.why);
                    if !lost.unsent && !repeatable {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| format!("{} has no instance", self.service).into()))
    }

    fn wait(&self, attempt: usize) -> Duration {
        let whole = WAIT.saturating_mul(1 << attempt.min(4));
        let half = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX) / 2;
        Duration::from_micros(half.saturating_add(self.chance.below(half.saturating_add(1))))
    }
}

/// Whose turn it is.
struct Choice<'a> {
    instance: &'a Arc<Instance>,
    /// There is another one that was not tried.
    others: bool,
    /// There is no other one.
    alone: bool,
}

/// One that lives before one that is left out, one that was not tried yet before one that was. None that is dead.
fn choose<'a>(instances: &'a [Arc<Instance>], turn: usize, tried: &[SocketAddr]) -> Option<Choice<'a>> {
    let times = |instance: &Instance| tried.iter().filter(|at| **at == instance.at).count();
    let mut able: Vec<_> = instances
        .iter()
        .map(|instance| (times(instance), instance.state(), instance))
        .filter(|(_, state, _)| *state != State::Dead)
        .map(|(times, state, instance)| ((times, Reverse(state == State::Alive)), instance))
        .collect();
    let (alone, untried) = (able.len() == 1, able.iter().filter(|((times, _), _)| *times == 0).count());
    let best = able.iter().map(|(rank, _)| *rank).min()?;
    able.retain(|(rank, _)| *rank == best);
    let (_, instance) = able.get(turn.checked_rem(able.len())?)?;
    Some(Choice { instance, others: untried > usize::from(best.0 == 0), alone })
}

/// One try. What may be repeated is not waited for where that is in vain, and not for long where others could be asked.
async fn attempt_at(
    instance: &Instance,
    request: Request<Body>,
    repeatable: bool,
    others: bool,
) -> Result<Response<Body>, Lost> {
    let lost = |unsent: bool, why: &str| Lost {
        unsent,
        why: format!("{} at {}: {why}", instance.service, instance.at).into(),
    };
    let patience = if repeatable && others { IMPATIENCE } else { PATIENCE };
    tokio::select! {
        answer = tokio::time::timeout(patience, instance.send(request)) => match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(lost(error.is_connect(), &whole(&error))),
            Err(_) => Err(lost(false, "no answer in time")),
        },
        why = instance.is_given_up(others), if repeatable => Err(lost(false, &why)),
    }
}

/// Whether to ask another one instead: nothing was begun, or asking twice does no harm.
fn is_handed_back(answer: &Response<Body>, repeatable: bool) -> bool {
    answer.status() == StatusCode::SERVICE_UNAVAILABLE && (repeatable || answer.headers().contains_key(NOT_TAKEN))
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
