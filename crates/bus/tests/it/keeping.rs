//! What both ways to a keeper promise, in one process and over a broker: everything, in order, whatever fails.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::nats::{Keeper, Poison, Receiver, Sender};
use bus::{Bus, Envelope, Failure, OpeningKey, OpeningKeys, Relay, SealingKey};
use store::Store;
use store::testing::{TestDatabase, databases};
use tokio::sync::Semaphore;
use vocabulary::{Chance, Clock};

use crate::broker::Broker;
use crate::conformance::numbers;
use crate::{tell, until};

const SUBJECT: &str = "log.members.info";

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

    fn failing_before(self, mishap: impl Fn(&[Envelope]) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        Self { before: Arc::new(mishap), ..self }
    }

    fn failing_after(self, mishap: impl Fn(&[Envelope]) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        Self { after: Arc::new(mishap), ..self }
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

async fn ways() -> Vec<Way> {
    [Some(Way::InProcess), nats().await].into_iter().flatten().collect()
}

/// A source's end, and in the same process the keeper where there is nothing between them.
pub(crate) struct Source {
    pub(crate) store: Store,
    name: &'static str,
    _database: TestDatabase,
    relay: Option<Relay>,
}

impl Source {
    /// On each kind of database.
    async fn each(name: &'static str) -> Vec<Self> {
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
        Self { store, name, _database: database, relay: None }
    }

    /// Begins to carry; again, as a new process would.
    pub(crate) async fn carry(&mut self, way: &Way, record: &Record) {
        drop(self.relay.take());
        let bus = Bus::in_process();
        match way {
            Way::InProcess => {
                let record = record.clone();
                bus.subscribe_in_batches(">", "journal", move |envelopes| {
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
        drop(self.relay.take());
        let bus = Bus::in_process();
        let connection = broker.connect(self.name).await;
        Sender::new(connection, self.name, key, &Chance::system()).await.unwrap().join(&bus);
        self.relay = Some(Relay::start(self.store.clone(), self.name, bus));
    }

    pub(crate) async fn flushed(&self) {
        assert!(self.relay.as_ref().unwrap().flushed(Duration::from_mins(1)).await, "{} waits", self.name);
    }

    async fn waits(&self) -> usize {
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

fn all(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_kept_in_order_and_then_forgotten_by_its_source() {
    for way in ways().await {
        for mut source in Source::each("bank").await {
            let record = Record::new();
            let _receiver = way.keep(&record).await;
            tell(&source.store, SUBJECT, 0..500).await;
            source.carry(&way, &record).await;
            tell(&source.store, SUBJECT, 500..1000).await;
            source.flushed().await;
            assert_eq!(record.of("bank"), all(1000));
            assert_eq!(source.waits().await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_kept_comes_again_and_in_order() {
    for way in ways().await {
        let tries = AtomicUsize::new(0);
        let record = Record::new().failing_before(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
            0 | 3 => Err("not now".into()),
            1 => panic!("a bad moment"),
            _ => Ok(()),
        });
        let mut source = Source::one("bank").await;
        let receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..700).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        assert_eq!(record.of("bank"), all(700));
        assert!(receiver.is_none_or(|receiver| receiver.counts().failures >= 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_without_a_word_comes_again_and_is_the_same() {
    for way in ways().await {
        let tries = AtomicUsize::new(0);
        let lost = move |_: &[Envelope]| match tries.fetch_add(1, Ordering::SeqCst) {
            0..3 => Err("committed, and the answer was lost".into()),
            _ => Ok(()),
        };
        let record = Record::new().failing_after(lost);
        let mut source = Source::one("bank").await;
        let _receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..300).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        assert_eq!(record.of("bank"), all(300));
        assert!(record.handed.load(Ordering::SeqCst) > 300, "something came twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_at_the_keeper_holds_up_no_other() {
    for way in ways().await {
        let of_bank = |envelopes: &[Envelope]| {
            let from_bank = envelopes.iter().any(|envelope| envelope.source == "bank");
            if from_bank { Err("cannot keep this".into()) } else { Ok(()) }
        };
        let record = Record::new().failing_before(of_bank);
        let (mut bank, mut identity) = (Source::one("bank").await, Source::one("identity").await);
        let _receiver = way.keep(&record).await;
        tell(&bank.store, SUBJECT, 0..10).await;
        bank.carry(&way, &record).await;
        until(|| record.handed.load(Ordering::SeqCst) >= 10).await;
        tell(&identity.store, SUBJECT, 0..300).await;
        identity.carry(&way, &record).await;
        identity.flushed().await;
        assert_eq!((record.of("identity"), record.of("bank")), (all(300), vec![]));
        assert_eq!(bank.waits().await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_keeper_is_handed_one_batch_and_the_rest_waits_in_the_database() {
    for way in ways().await {
        let record = Record { gate: Arc::new(Semaphore::new(0)), ..Record::new() };
        let mut source = Source::one("bank").await;
        let _receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..2000).await;
        source.carry(&way, &record).await;
        until(|| record.handed.load(Ordering::SeqCst) > 0).await;
        assert!(record.handed.load(Ordering::SeqCst) <= 200);
        assert_eq!(source.waits().await, 2000);
        record.gate.add_permits(10_000);
        source.flushed().await;
        assert_eq!(record.of("bank"), all(2000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_and_keepers_that_die_at_any_moment_lose_nothing() {
    for way in ways().await {
        let record = Record::new();
        let mut source = Source::one("bank").await;
        let mut told = 0;
        for _ in 0..5 {
            let some = record.of("bank").len();
            let receiver = way.keep(&record).await;
            source.carry(&way, &record).await;
            tell(&source.store, SUBJECT, told..told + 300).await;
            told += 300;
            until(|| record.of("bank").len() > some).await;
            // In the middle of it, as a kill would.
            drop(receiver);
        }
        let _receiver = way.keep(&record).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        assert_eq!(record.of("bank"), all(told));
    }
}
