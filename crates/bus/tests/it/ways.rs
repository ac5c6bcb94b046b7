//! The ways from a source to a keeper: within a process, and over a broker. A keeper in memory, and sources on real databases.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::nats::{Connection, Keeper, Poison, Receiver, Sender};
use bus::{Bus, Envelope, Failure, OpeningKey, OpeningKeys, Relay, SealingKey};
use store::Store;
use store::testing::{TestDatabase, databases};
use tokio::sync::Semaphore;
use vocabulary::{Chance, Clock};

use crate::broker::Broker;
use crate::numbers;

/// What is done with a batch before it is kept, and after.
type Mishap = Arc<dyn Fn(&[Envelope]) -> Result<(), Failure> + Send + Sync>;

/// A keeper in memory: what it has committed, by source.
#[derive(Clone)]
pub(crate) struct Record {
    kept: Arc<Mutex<BTreeMap<String, Vec<Envelope>>>>,
    poison: Arc<Mutex<Vec<Poison>>>,
    handed: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    before: Mishap,
    after: Mishap,
}

impl Record {
    pub(crate) fn new() -> Self {
        let well: Mishap = Arc::new(|_| Ok(()));
        Self {
            kept: Arc::default(),
            poison: Arc::default(),
            handed: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            before: Arc::clone(&well),
            after: well,
        }
    }

    pub(crate) fn failing_before(
        self,
        mishap: impl Fn(&[Envelope]) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { before: Arc::new(mishap), ..self }
    }

    pub(crate) fn failing_after(
        self,
        mishap: impl Fn(&[Envelope]) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { after: Arc::new(mishap), ..self }
    }

    /// Takes nothing that `gate` does not let through.
    pub(crate) fn behind(self, gate: Arc<Semaphore>) -> Self {
        Self { gate, ..self }
    }

    pub(crate) fn let_through(&self, deliveries: usize) {
        self.gate.add_permits(deliveries);
    }

    /// Events that it was handed, those that came again included.
    pub(crate) fn handed(&self) -> usize {
        self.handed.load(Ordering::SeqCst)
    }

    async fn keep(&self, envelopes: Vec<Envelope>) -> Result<String, Failure> {
        self.handed.fetch_add(envelopes.len(), Ordering::SeqCst);
        self.gate.acquire().await?.forget();
        (self.before)(&envelopes)?;
        {
            let mut kept = self.kept.lock().unwrap();
            for envelope in envelopes.clone() {
                let of_source = kept.entry(envelope.source.clone()).or_default();
                if !of_source.contains(&envelope) {
                    of_source.push(envelope);
                }
            }
        }
        (self.after)(&envelopes)?;
        Ok(format!("head after {}", envelopes.last().map_or(0, |last| last.seq)))
    }

    /// The numbers in the payloads of what a source told, in the order in which they were kept.
    pub(crate) fn of(&self, source: &str) -> Vec<u32> {
        self.kept.lock().unwrap().get(source).map(|kept| numbers(kept)).unwrap_or_default()
    }

    /// The same, whole.
    pub(crate) fn all_of(&self, source: &str) -> Vec<Envelope> {
        self.kept.lock().unwrap().get(source).cloned().unwrap_or_default()
    }

    pub(crate) fn poison(&self) -> Vec<Poison> {
        self.poison.lock().unwrap().clone()
    }
}

impl Keeper for Record {
    async fn take(&self, envelopes: Vec<Envelope>) -> Result<String, Failure> {
        self.keep(envelopes).await
    }

    async fn set_aside(&self, poison: Poison) -> Result<(), Failure> {
        self.poison.lock().unwrap().push(poison);
        Ok(())
    }
}

/// A way to the keeper.
pub(crate) enum Way {
    InProcess,
    Nats { broker: Box<Broker>, key: std::path::PathBuf },
}

pub(crate) async fn nats() -> Option<Way> {
    let broker = Box::new(Broker::start().await?);
    let key = broker.dir().join("events.key");
    OpeningKey::generate().unwrap().keep(&key).unwrap();
    Some(Way::Nats { broker, key })
}

pub(crate) async fn ways() -> Vec<Way> {
    [Some(Way::InProcess), nats().await].into_iter().flatten().collect()
}

/// A source's end, and in the same process the keeper where there is nothing between them.
pub(crate) struct Source {
    pub(crate) store: Store,
    name: &'static str,
    database: Arc<TestDatabase>,
    relay: Option<Relay>,
}

impl Source {
    /// On each kind of database.
    pub(crate) async fn each(name: &'static str) -> Vec<Self> {
        let mut sources = Vec::new();
        for database in databases().await.unwrap() {
            sources.push(Self::on(name, database).await);
        }
        sources
    }

    pub(crate) async fn one(name: &'static str) -> Self {
        Self::on(name, databases().await.unwrap().remove(0)).await
    }

    async fn on(name: &'static str, database: TestDatabase) -> Self {
        let store = Store::open(&database.database, &[], Clock::system()).await.unwrap();
        Self { store, name, database: Arc::new(database), relay: None }
    }

    /// Another process of the same service, on the same database.
    pub(crate) async fn other_instance(&self) -> Self {
        let store = Store::open(&self.database.database, &[], Clock::system()).await.unwrap();
        Self { store, name: self.name, database: Arc::clone(&self.database), relay: None }
    }

    /// Begins to carry; again, as a new process would.
    pub(crate) async fn carry(&mut self, way: &Way, record: &Record) {
        drop(self.relay.take());
        let bus = Bus::in_process();
        match way {
            Way::InProcess => {
                let record = record.clone();
                bus.subscribe_in_large_batches(">", "journal", move |envelopes| {
                    let record = record.clone();
                    async move { record.keep(envelopes).await.map(drop) }
                });
            }
            Way::Nats { key, .. } => {
                return self.carry_sealed(way, OpeningKey::open(key).unwrap().sealing().clone()).await;
            }
        }
        self.relay = Some(Relay::start(self.store.clone(), self.name, bus));
    }

    /// The same over a broker, sealed with this key.
    pub(crate) async fn carry_sealed(&mut self, way: &Way, key: SealingKey) {
        let Way::Nats { broker, .. } = way else { unreachable!("nothing is sealed within a process") };
        self.carry_over(broker.connect(self.name).await, key).await;
    }

    /// The same over this link.
    pub(crate) async fn carry_over(&mut self, connection: Connection, key: SealingKey) {
        drop(self.relay.take());
        let bus = Bus::in_process();
        Sender::new(connection, self.name, key, &Chance::system()).await.unwrap().join(&bus);
        self.relay = Some(Relay::start(self.store.clone(), self.name, bus));
    }

    pub(crate) async fn flushed(&self) {
        assert!(self.relay.as_ref().unwrap().flushed(Duration::from_mins(1)).await, "{} waits", self.name);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.relay.as_ref().unwrap().stuck() == ["journal"]
    }

    /// Whether it is told for how long the oldest has waited.
    pub(crate) async fn oldest_waits(&self) -> bool {
        self.relay.as_ref().unwrap().oldest().await.unwrap().is_some()
    }

    pub(crate) async fn waits(&self) -> usize {
        self.store.outbox_batch(100_000).await.unwrap().len()
    }
}

impl Way {
    /// The keeper begins, as a process of its own would; where nothing is between, it is part of the source's.
    pub(crate) async fn keep(&self, record: &Record) -> Option<Receiver> {
        match self {
            Self::InProcess => None,
            Self::Nats { broker, key } => {
                let keys = OpeningKeys::new(OpeningKey::open(key).unwrap(), Vec::new());
                Some(Receiver::start(broker.connect("journal").await, keys, record.clone()))
            }
        }
    }
}
