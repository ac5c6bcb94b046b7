//! Events per second from an outbox row to an entry that is committed and confirmed, beside what bounds it, in the same run:
//! publishing the same bytes to the same kind of broker, and inserting the same rows in bare batches into the same database.
//!
//! `cargo xtask bench journal` starts the server and runs this; nats-server is started here. Once over the broker, once within
//! a process. The lag is from the commit that told to the confirmation, one event at a time, 300 a second and a
//! third of the measured rate at most. Rounds are interleaved
//! and the median is told: compare ratios of one run, not numbers of two. `-- --quick` is a smoke test; `--without-nats`, `-within`,
//! `-sqlite` or `-postgresql` leaves lines out.

#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement counts small numbers"
)]
#![expect(clippy::disallowed_methods, reason = "a measurement follows the machine's clock")]

// The broker of the bus' own tests.
#[expect(dead_code, reason = "the tests of the bus do more with it")]
#[path = "../../bus/tests/it/broker.rs"]
mod broker;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use broker::Broker;
use bus::nats::Sender;
use bus::{Bus, Relay};
use contracts::events::{Action, Audience, Level, LogEvent};
use journal::{EventKeys, Journal, Receiving};
use store::testing::{TestDatabase, databases};
use store::{Bulk, Kind, Migration, Query, Scalar, Store, columns};
use tempfile::TempDir;
use vocabulary::{Chance, Clock, EventId};

/// Rows in one transaction, of the sources and of the bare inserts.
const BATCH: usize = 200;
/// Publications under way at a time.
const UNACKNOWLEDGED: usize = 256;
const SOURCE: &str = "bank";
const PATIENCE: Duration = Duration::from_mins(5);

const BARE: &str = "create table bare (id text not null constraint bare_id primary key, source text not null, seq bigint not null, \
     at bigint not null, subject text not null, payload text not null);";
const MIGRATIONS: &[Migration] = &[Migration { part: "bench", number: 1, name: "bare", sqlite: BARE, postgres: BARE }];
const SQL: &str = "\
-- name: insert*! (sqlite)
insert into bare (id, source, seq, at, subject, payload) values ($1, $2, $3, $4, $5, $6);
-- name: insert*! (postgres)
insert into bare (id, source, seq, at, subject, payload)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[]);
-- name: size$
select size from log where name = 'journal';
";
const INSERT: Query<Bulk> = Query::find(SQL, "insert");
const SIZE: Query<Scalar<i64>> = Query::find(SQL, "size");

fn event(number: usize) -> LogEvent {
    let (clock, chance) = (Clock::system(), Chance::system());
    LogEvent {
        id: EventId::new(&clock, &chance),
        at: clock.now(),
        audience: Audience::Members,
        level: Level::Info,
        action: Action::TransferReceived,
        actor: None,
        subject: None,
        message: format!("the transfer {number} was received"),
        details: [("amount", "12.00 EUR"), ("iban", "FR7630006000011234567890189"), ("reference", "rent of november")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
    }
}

/// How events get to the journal.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Travel {
    Nats,
    Within,
}

/// A journal on one database, its source, and the way between.
struct Line {
    travel: Travel,
    kind: Kind,
    source: Store,
    journal: Journal,
    kept: Store,
    sender: Option<Sender>,
    receiving: Option<Receiving>,
    told: usize,
    rates: Vec<f64>,
    _bed: (Option<Broker>, TempDir, Vec<TestDatabase>),
}

impl Line {
    async fn new(travel: Travel, of: TestDatabase) -> Option<Self> {
        let clock = Clock::system();
        let kind = of.kind();
        let kept = Store::open(&of.database, journal::MIGRATIONS, clock.clone()).await.unwrap();
        let journal = Journal::new(kept.clone(), journal::log_key([2; 32].into()).unwrap(), Chance::system());
        journal.begin_log().await.unwrap();
        let own = TestDatabase::sqlite().unwrap();
        let source = Store::open(&own.database, &[], clock).await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let (mut broker, mut sender, mut receiving) = (None, None, None);
        if travel == Travel::Nats {
            let made = Broker::start().await?;
            let link = made.connect("journal").await;
            receiving = Some(journal.receive(link, EventKeys::in_folder(keys.path())).await.unwrap());
            until(|| receiving.as_ref().is_some_and(|it| it.counts().is_some())).await;
            let (link, key) = (made.connect(SOURCE).await, journal.sealing_key().unwrap());
            sender = Some(Sender::new(link, SOURCE, key, &Chance::system()).await.unwrap());
            broker = Some(made);
        }
        let bed = (broker, keys, vec![of, own]);
        Some(Self { travel, kind, source, journal, kept, sender, receiving, told: 0, rates: Vec::new(), _bed: bed })
    }

    /// Commits events, so many in each transaction.
    async fn tell(&mut self, count: usize, at_once: usize) {
        for first in (0..count).step_by(at_once) {
            let mut tx = self.source.begin().await.unwrap();
            for number in first..count.min(first + at_once) {
                let event = event(number);
                tx.tell(event.subject(), event.payload().unwrap());
            }
            tx.commit().await.unwrap();
        }
        self.told += count;
    }

    fn carry(&self) -> Relay {
        let bus = Bus::in_process();
        match &self.sender {
            Some(sender) => sender.join(&bus),
            None => self.journal.subscribe(&bus),
        }
        Relay::start(self.source.clone(), SOURCE, bus)
    }

    /// Events per second: all are in the outbox when the watch starts, and none when it stops.
    async fn round(&mut self, count: usize) {
        self.tell(count, BATCH).await;
        let begun = Instant::now();
        let relay = self.carry();
        assert!(relay.flushed(PATIENCE).await);
        self.rates.push(count as f64 / begun.elapsed().as_secs_f64());
        relay.stop().await;
    }

    /// How long events were on their way, sorted, in microseconds: one is told at a time, so many a second.
    async fn lags(&mut self, rate: f64, length: Duration) -> Vec<u32> {
        let relay = self.carry();
        let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let before = self.told;
        let (source, sender, journal, told) =
            (self.source.clone(), self.sender.clone(), self.kept.clone(), Arc::clone(&times));
        let count = ((rate * length.as_secs_f64()) as usize).max(10);
        let watching = tokio::spawn(async move {
            let (mut lags, mut look) = (Vec::with_capacity(count), tokio::time::interval(Duration::from_millis(1)));
            while lags.len() < count {
                look.tick().await;
                let kept = match &sender {
                    Some(sender) => sender.confirmed().map_or(0, |(seq, _)| seq),
                    None => size(&journal).await,
                };
                let now = Instant::now();
                let times = told.lock().unwrap();
                let upto = usize::try_from(kept).unwrap().saturating_sub(before).min(times.len());
                let newly = lags.len()..upto.max(lags.len());
                lags.extend(times[newly].iter().map(|at| now.duration_since(*at).as_micros() as u32));
            }
            lags
        });
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        for number in 0..count {
            pace.tick().await;
            let mut tx = source.begin().await.unwrap();
            let event = event(number);
            tx.tell(event.subject(), event.payload().unwrap());
            tx.commit().await.unwrap();
            times.lock().unwrap().push(Instant::now());
        }
        self.told += count;
        let mut lags = tokio::time::timeout(PATIENCE, watching).await.unwrap().unwrap();
        relay.stop().await;
        lags.sort_unstable();
        lags
    }

    /// Nothing was lost on the way to the figures.
    async fn check(self) {
        assert_eq!(usize::try_from(size(&self.kept).await), Ok(self.told));
        if let Some(receiving) = self.receiving {
            receiving.stop().await;
        }
    }
}

async fn size(journal: &Store) -> i64 {
    journal.read().await.unwrap().run(&SIZE, &[]).await.unwrap().unwrap_or(0)
}

/// Publishes the same bytes, and waits for the broker's word on each, many being under way.
struct Raw {
    jetstream: jetstream::Context,
    rates: Vec<f64>,
    broker: Broker,
}

impl Raw {
    async fn new() -> Option<Self> {
        let broker = Broker::start().await?;
        let client = async_nats::ConnectOptions::new()
            .require_tls(true)
            .tls_client_config(broker.link(SOURCE).client_config().unwrap())
            .custom_inbox_prefix(format!("_INBOX_{SOURCE}"))
            .connect(broker.address())
            .await
            .unwrap();
        let jetstream = jetstream::ContextBuilder::new().max_ack_inflight(UNACKNOWLEDGED + 1).build(client);
        Some(Self { jetstream, rates: Vec::new(), broker })
    }

    async fn round(&mut self, count: usize) {
        let payload = event(1).payload().unwrap();
        let begun = Instant::now();
        let mut answers = VecDeque::<jetstream::context::PublishAckFuture>::with_capacity(UNACKNOWLEDGED);
        for _ in 0..count {
            // Each holds a place until it is looked at.
            if answers.len() >= UNACKNOWLEDGED {
                answers.pop_front().unwrap().await.unwrap();
            }
            let subject = format!("told.{SOURCE}.log.members.info");
            answers.push_back(self.jetstream.publish(subject, payload.clone().into()).await.unwrap());
        }
        for answer in answers {
            answer.await.unwrap();
        }
        self.rates.push(count as f64 / begun.elapsed().as_secs_f64());
        // Nobody takes them.
        self.broker.kill();
        self.broker.wipe();
        self.broker.run();
        self.broker.prepare().await;
        let back = || self.jetstream.client().connection_state() == async_nats::connection::State::Connected;
        until(back).await;
    }
}

/// Inserts the same rows into a table with nothing but a key, in the same batches.
struct Bare {
    store: Store,
    rates: Vec<f64>,
    _database: TestDatabase,
}

impl Bare {
    async fn new(database: TestDatabase) -> Self {
        let store = Store::open(&database.database, MIGRATIONS, Clock::system()).await.unwrap();
        Self { store, rates: Vec::new(), _database: database }
    }

    async fn round(&mut self, count: usize) {
        let events: Vec<LogEvent> = (0..count).map(event).collect();
        let begun = Instant::now();
        for batch in events.chunks(BATCH) {
            let ids: Vec<String> = batch.iter().map(|it| it.id.to_string()).collect();
            let sources = vec![SOURCE.to_owned(); batch.len()];
            let numbers: Vec<i64> = (1..).take(batch.len()).collect();
            let times: Vec<i64> = batch.iter().map(|it| it.at.micros()).collect();
            let subjects: Vec<String> = batch.iter().map(LogEvent::subject).collect();
            let payloads: Vec<String> = batch.iter().map(|it| it.payload().unwrap()).collect();
            let mut tx = self.store.begin().await.unwrap();
            tx.bulk(&INSERT, columns![ids, sources, numbers, times, subjects, payloads]).await.unwrap();
            tx.commit().await.unwrap();
        }
        self.rates.push(count as f64 / begun.elapsed().as_secs_f64());
    }
}

async fn until(so: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while !so() {
        look.tick().await;
    }
}

fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn median(rates: &[f64]) -> f64 {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn percentile(sorted: &[u32], percent: usize) -> f64 {
    f64::from(sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]) / 1000.0
}

async fn measure(rounds: usize, count: usize, length: Duration, left_out: &[String]) {
    let (mut lines, mut bares) = (Vec::new(), Vec::new());
    for travel in [Travel::Nats, Travel::Within] {
        for database in databases().await.unwrap() {
            let names = [format!("{travel:?}"), database.kind().to_string()].map(|name| name.to_lowercase());
            if names.iter().any(|name| left_out.contains(name)) {
                continue;
            }
            lines.extend(Line::new(travel, database).await);
        }
    }
    for database in databases().await.unwrap() {
        let kind = database.kind();
        bares.push((kind, Bare::new(database).await));
    }
    let mut raw = Raw::new().await;
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        if let Some(raw) = &mut raw {
            raw.round(count).await;
        }
        for (_, bare) in &mut bares {
            bare.round(count).await;
        }
        for line in &mut lines {
            line.round(count).await;
        }
    }
    let published = raw.map(|raw| median(&raw.rates));
    say("\n| way | journal on | events/s | raw publish/s | bare insert/s | x slower of the two | lag p50 | lag p99 |");
    say("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for mut line in lines {
        let rate = median(&line.rates);
        let inserted = bares.iter().find(|(kind, _)| *kind == line.kind).map_or(0.0, |(_, bare)| median(&bare.rates));
        let (way, published) = match line.travel {
            Travel::Nats => ("NATS JetStream", published),
            Travel::Within => ("within a process", None),
        };
        let ratio = rate / published.unwrap_or(f64::INFINITY).min(inserted);
        let published = published.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
        let lags = line.lags((rate / 3.0).min(300.0), length).await;
        let (p50, p99, kind) = (percentile(&lags, 50), percentile(&lags, 99), line.kind);
        say(&format!(
            "| {way} | {kind} | {rate:.0} | {published} | {inserted:.0} | {ratio:.2} | {p50:.1} ms | {p99:.1} ms |"
        ));
        line.check().await;
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let quick = args.iter().any(|arg| arg == "--quick");
    let left_out: Vec<String> =
        args.iter().filter_map(|arg| arg.strip_prefix("--without-")).map(str::to_owned).collect();
    let (rounds, count, length) =
        if quick { (1, 2_000, Duration::from_secs(2)) } else { (3, 20_000, Duration::from_secs(10)) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(rounds, count, length, &left_out));
}
