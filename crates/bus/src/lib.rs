//! Carries what services tell from their outbox to whoever listens.
//!
//! Promises: at least once; in order for each source and subscriber; a source keeps its events until every subscriber
//! has taken them, so nothing is lost when a process or a subscriber dies; memory is bounded whatever waits. A subscriber
//! that fails is asked again, ever more slowly, and holds up nobody else. Subscribers see an event twice now and then
//! and must not mind. Must not know what the events mean.
//!
//! There is no dead-letter place here, on purpose: an audit trail must not lose an event because its reader had a bad
//! hour. A subscriber that can tell that an event will never be of use takes it, and keeps or drops it by its own rules;
//! until it does, that event waits in the outbox, and [`Relay::stuck`] and [`Relay::oldest`] say so.
#![warn(missing_docs)]

mod backoff;
pub mod nats;
mod pattern;
mod relay;
mod seal;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;
use vocabulary::Timestamp;

use pattern::Pattern;
pub use relay::Relay;
pub use seal::{KeyId, OpeningKey, OpeningKeys, SealError, Sealer, SealingKey};

/// An event on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Identifies the event: the same one comes under the same id again.
    pub id: Uuid,
    /// The service that told it.
    pub source: String,
    /// 1, 2, 3… in the order the source committed them, without gaps; every subject of the source counts.
    pub seq: i64,
    /// What it is about: `log.members.info`.
    pub subject: String,
    /// Its content, in JSON.
    pub payload: String,
    /// When it was told.
    pub at: Timestamp,
}

/// Why a subscriber could not take an event. It will be asked again.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Longest that a subscriber may take over one delivery.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most events in one delivery.
const BATCH: u32 = 200;
/// The same for who takes large ones, while more wait.
const MOST: u32 = 1000;
/// Payloads of a delivery, in bytes, from which the next is not larger.
const HEAVY: usize = 1_000_000;

/// Where services tell and others listen. Clones share the subscribers.
#[derive(Clone)]
pub struct Bus {
    subscribers: Arc<RwLock<Vec<Subscriber>>>,
}

#[derive(Clone)]
struct Subscriber {
    name: &'static str,
    pattern: Pattern,
    /// Most events that it is handed at a time.
    at_once: usize,
    take: Take,
}

type Take = Arc<dyn Fn(Vec<Envelope>) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

impl Bus {
    /// Within this process: subscribers are called, and their success is the acknowledgement.
    pub fn in_process() -> Self {
        Self { subscribers: Arc::default() }
    }

    /// Hands every event whose subject matches `pattern` to `take`, one at a time. In a pattern `*` stands for one token
    /// and a last `>` for one or more: `log.*.error`, `log.>`.
    ///
    /// `name` tells subscribers apart; a second one of the same name takes the place of the first. Subscribe before the
    /// relays start: one that runs already goes on without.
    pub fn subscribe<F, Fut>(&self, pattern: &'static str, name: &'static str, take: F)
    where
        F: Fn(Envelope) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let one = move |mut envelopes: Vec<Envelope>| match envelopes.pop() {
            Some(envelope) => take(envelope).boxed(),
            None => futures_util::future::ready(Ok(())).boxed(),
        };
        self.add(pattern, name, 1, Arc::new(one));
    }

    /// Like [`Bus::subscribe`], for a subscriber that takes many events of one source in one transaction: all or none, 200 at
    /// most.
    pub fn subscribe_in_batches<F, Fut>(&self, pattern: &'static str, name: &'static str, take: F)
    where
        F: Fn(Vec<Envelope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.add(pattern, name, BATCH as usize, Arc::new(move |envelopes| take(envelopes).boxed()));
    }

    /// The same for one to whom every event goes: up to a thousand while more wait, as long as they are small.
    pub fn subscribe_in_large_batches<F, Fut>(&self, pattern: &'static str, name: &'static str, take: F)
    where
        F: Fn(Vec<Envelope>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.add(pattern, name, MOST as usize, Arc::new(move |envelopes| take(envelopes).boxed()));
    }

    fn add(&self, pattern: &'static str, name: &'static str, at_once: usize, take: Take) {
        let subscriber = Subscriber { name, pattern: Pattern::new(pattern), at_once, take };
        let mut subscribers = self.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        // A service that could not be opened yet is opened again, and must not hear everything twice.
        subscribers.retain(|other| other.name != name);
        subscribers.push(subscriber);
    }

    fn subscribers(&self) -> Vec<Subscriber> {
        self.subscribers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscriber {
    /// One attempt. A panic and a delivery that does not end are failures like any other.
    async fn try_take(&self, envelopes: Vec<Envelope>) -> Result<(), Failure> {
        let work = AssertUnwindSafe(async { (self.take)(envelopes).await }).catch_unwind();
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err("the subscriber panicked".into()),
            Err(_) => Err("the subscriber did not finish in time".into()),
        }
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.subscribers().iter().map(|it| it.name)).finish()
    }
}
