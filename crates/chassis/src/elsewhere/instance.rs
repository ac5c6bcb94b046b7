//! One process of a service: its connections, whether it is called, and the question whether it lives.
//!
//! Promises: no connection is used again once our certificate or our trust was replaced, once a certificate that was
//! shown on one has ended, or once the instance was silent or began to stop.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use hyper::http::header::CONNECTION;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pki::Link;
use rustls::pki_types::ServerName;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::dial::{Dialer, Met, becomes};
use super::standing::{Condition, Standing, State};
use crate::lobby::NOT_TAKEN;
use crate::reach::addressed;

/// Connections that rest longer are not used again. The other side waits longer than that before it leaves one, also
/// when it stops: so no request meets a connection that is being closed. See `Limits::parting`.
const KEPT_ALIVE: Duration = Duration::from_secs(3);
/// How often an instance is asked whether it lives, and the longest wait for the answer: together less than a second.
const PROBING: Duration = Duration::from_millis(300);
const PROBE: Duration = Duration::from_millis(500);
/// Times that one has to be silent before it counts as dead: fewer may be a machine that is busy.
const SILENCES: u32 = 3;
/// Largest answer that is read of one that says it lives.
const LIVES: usize = 4096;

/// One process of a service.
pub(super) struct Instance {
    pub(super) service: Arc<str>,
    /// As configured.
    pub(super) authority: Authority,
    pub(super) at: SocketAddr,
    name: ServerName<'static>,
    link: Link,
    tls: TlsConnector,
    condition: watch::Sender<Condition>,
    held: Mutex<Held>,
    heard: Mutex<Instant>,
    doubted: Notify,
}

/// The connections, and under what they were made.
struct Held {
    client: Client<Dialer, Body>,
    generation: u64,
    met: Arc<Mutex<Met>>,
}

/// What all instances of a service have in common.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) service: Arc<str>,
    pub(super) name: ServerName<'static>,
    pub(super) link: Link,
    pub(super) tls: TlsConnector,
}

impl Instance {
    /// Counts as alive until something else is known.
    pub(super) fn new(kind: &Kind, authority: &Authority, at: SocketAddr) -> Self {
        let Kind { service, name, link, tls } = kind.clone();
        let condition = watch::Sender::new(Condition::ALIVE);
        let generation = link.generation();
        let dialer = Dialer { at, name, tls, condition, met: Arc::default() };
        Self {
            service,
            authority: authority.clone(),
            at,
            name: dialer.name.clone(),
            link,
            tls: dialer.tls.clone(),
            condition: dialer.condition.clone(),
            held: Mutex::new(Held { met: Arc::clone(&dialer.met), client: client(dialer), generation }),
            heard: Mutex::new(Instant::now()),
            doubted: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.condition.borrow().state
    }

    pub(super) fn standing(&self) -> Standing {
        let met = lock(&lock(&self.held).met).clone();
        let Condition { state, why, .. } = self.condition.borrow().clone();
        Standing {
            service: self.service.to_string(),
            address: format!("https://{}", self.authority),
            at: Some(self.at),
            state,
            why,
            negotiated: met.negotiated,
            peer: met.peer,
        }
    }

    /// Sends one request, on a connection that is still good or on a new one.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, legacy::Error> {
        let request = addressed(request, &Scheme::HTTPS, &self.authority);
        let answer = self.client().request(request).await;
        match &answer {
            Ok(_) => *lock(&self.heard) = Instant::now(),
            // The next question tells what became of it; until then others go first.
            Err(error) => self.doubt(&whole(error)),
        }
        answer.map(|answer| answer.map(Body::new))
    }

    /// Waits until it makes no sense to wait for an answer any longer, and says why: soon where others could be asked.
    pub(super) async fn is_given_up(&self, others: bool) -> String {
        let bad = if others { |now: &Condition| now.silent } else { |now: &Condition| now.state == State::Dead };
        becomes(&mut self.condition.subscribe(), bad).await
    }

    fn doubt(&self, why: &str) {
        self.condition.send_if_modified(|now| {
            let doubted = now.state == State::Alive;
            if doubted {
                *now = Condition::left_out(why);
            }
            doubted
        });
        self.doubted.notify_one();
    }

    fn client(&self) -> Client<Dialer, Body> {
        let mut held = lock(&self.held);
        let ended = lock(&held.met).until.is_some_and(|until| until < self.link.clock().now());
        if ended || held.generation != self.link.generation() {
            self.renew(&mut held);
        }
        held.client.clone()
    }

    /// Lets go of all connections: those at rest end at once, those in use when they have been used.
    fn renew(&self, held: &mut Held) {
        let met = Arc::new(Mutex::new(Met { until: None, ..lock(&held.met).clone() }));
        let (at, name, tls, condition) = (self.at, self.name.clone(), self.tls.clone(), self.condition.clone());
        let client = client(Dialer { at, name, tls, condition, met: Arc::clone(&met) });
        *held = Held { client, generation: self.link.generation(), met };
    }

    /// Asks again and again whether it lives: the only task of an instance. Ends when it is dropped.
    pub(super) async fn probe(&self) {
        let mut silences = 0_u32;
        loop {
            let found = self.ask().await;
            let repeat = matches!(found, Found::Broken(_)) && silences == 0;
            self.conclude(found, &mut silences);
            if !repeat {
                let _ = timeout(PROBING, self.doubted.notified()).await;
            }
        }
    }

    async fn ask(&self) -> Found {
        let begun = Instant::now();
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = hyper::Uri::from_static("/health/live");
        let request = addressed(request, &Scheme::HTTPS, &self.authority);
        let client = self.client();
        let asked = async {
            let (parts, body) = client.request(request).await?.into_parts();
            // Read to its end, the connection can be used again.
            let _ = axum::body::to_bytes(Body::new(body), LIVES).await;
            Ok::<_, legacy::Error>(parts)
        };
        match timeout(PROBE, asked).await {
            Ok(Ok(parts)) => {
                *lock(&self.heard) = Instant::now();
                if parts.headers.get(CONNECTION).is_some_and(|it| it == "close") {
                    Found::Leaving
                } else if parts.headers.contains_key(NOT_TAKEN) {
                    Found::Odd("has started and cannot serve yet".into())
                } else if parts.status.is_server_error() {
                    Found::Odd(format!("answers {}", parts.status))
                } else {
                    Found::Well
                }
            }
            Ok(Err(error)) => {
                let why = whole(&error);
                if error.is_connect() { Found::Gone(why) } else { Found::Broken(why) }
            }
            // Whoever answers others is only busy.
            Err(_) if *lock(&self.heard) > begun => Found::Well,
            Err(_) => Found::Silent,
        }
    }

    fn conclude(&self, found: Found, silences: &mut u32) {
        *silences = match &found {
            Found::Well | Found::Odd(_) | Found::Leaving => 0,
            Found::Silent | Found::Broken(_) => silences.saturating_add(1),
            Found::Gone(_) => SILENCES,
        };
        let dead = *silences >= SILENCES;
        let silent = dead || matches!(found, Found::Silent);
        if silent || matches!(found, Found::Leaving) {
            let mut held = lock(&self.held);
            self.renew(&mut held);
        }
        let now = match found {
            Found::Well => Condition::ALIVE,
            other => {
                let state = if dead { State::Dead } else { State::LeftOut };
                Condition { state, why: Some(other.why()), silent }
            }
        };
        let before = self.condition.send_replace(now.clone());
        if before.state != now.state {
            let (service, at, why) = (&self.service, self.at, now.why.unwrap_or_default());
            match now.state {
                State::Alive => tracing::info!(%service, %at, "an instance is called again"),
                _ if now.silent => tracing::warn!(%service, %at, why, "an instance is left out"),
                _ => tracing::info!(%service, %at, why, "an instance is left out"),
            }
        }
    }
}

/// What came of asking.
enum Found {
    Well,
    /// It answered that it should not be called now.
    Odd(String),
    /// It gives up its connections.
    Leaving,
    /// It did not answer.
    Silent,
    /// The connection broke: perhaps only that one.
    Broken(String),
    /// There is no connection to be had.
    Gone(String),
}

impl Found {
    fn why(&self) -> String {
        match self {
            Self::Well => String::new(),
            Self::Odd(why) | Self::Broken(why) | Self::Gone(why) => why.clone(),
            Self::Leaving => "is stopping".into(),
            Self::Silent => "does not answer".into(),
        }
    }
}

fn client(dialer: Dialer) -> Client<Dialer, Body> {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(KEPT_ALIVE).build(dialer)
}

fn lock<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with what caused it: the outermost says little.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}
