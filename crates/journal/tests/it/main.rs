//! The journal's promises, through its door, on every database.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

// The broker of the bus' own tests.
#[expect(dead_code, reason = "the tests of the bus do more with it")]
#[path = "../../../bus/tests/it/broker.rs"]
mod broker;
mod erasing;
mod growing;
mod keeping;
mod log;
mod migrating;
mod reading;
mod receiving;
mod searching;
mod taking;

use std::collections::BTreeMap;
use std::time::Duration;

use aaa::{Caller, Credentials, Directory, Gate, Principal, Problem, Signer, Transport, Verifier};
use bus::Envelope;
use chassis::{GetTruths, Truth};
use contracts::Page;
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use contracts::journal::{ListLogs, LogEntry, SERVICE};
use journal::{Journal, MIGRATIONS};
use store::testing::{TestDatabase, databases};
use store::{Store, Uuid};
use vocabulary::{Chance, Clock, EventId, Timestamp, UserId};

const NOON: &str = "2026-11-21T12:00:00Z";

/// A journal that answers calls, on a database of its own.
struct World {
    database: TestDatabase,
    journal: Journal,
    store: Store,
    signer: Signer,
    caller: Caller,
    clock: Clock,
    chance: Chance,
}

async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for database in databases().await.unwrap() {
        let clock = Clock::manual(NOON.parse().unwrap());
        let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
        let signer = Signer::from_seed(&[1; 32], "guichet", "guichet").unwrap();
        let verifier = Verifier::new("guichet", "guichet", clock.clone());
        verifier.trust(&signer.jwks());
        let chance = Chance::seeded(1);
        let gate = Gate::new(
            Credentials::new("guichet").bearer(verifier),
            std::sync::Arc::new(()),
            clock.clone(),
            chance.clone(),
        );
        let key = journal::log_key([2; 32].into()).unwrap();
        let journal = Journal::new(store.clone(), key, chance.clone());
        let directory = Directory::default();
        directory.set(SERVICE, Transport::in_process(journal.clone().module(gate).unwrap().router));
        let caller = directory.caller();
        worlds.push(World { database, journal, store, signer, caller, clock, chance });
    }
    worlds
}

impl World {
    /// The entries that `person` gets.
    async fn list(&self, person: &Person, role: &str, asked: ListLogs) -> Result<Page<LogEntry>, Problem> {
        self.caller_of(person, role).call(asked).await
    }

    fn caller_of(&self, person: &Person, role: &str) -> Caller {
        let now = self.clock.now();
        let who = Principal::named(&person.login, [role]).during(now, now.plus(Duration::from_mins(10)));
        let claims = self.signer.claims(&Principal { id: person.id, ..who });
        self.caller.with_token(self.signer.sign(&claims).unwrap())
    }

    /// Their messages, but for what tells that somebody read.
    async fn read(&self, person: &Person, role: &str, asked: ListLogs) -> Vec<String> {
        let page = self.list(person, role, asked).await.unwrap();
        page.items.into_iter().filter(|entry| entry.action != Action::LogsRead).map(|entry| entry.message).collect()
    }

    async fn everything(&self) -> Vec<LogEntry> {
        let asked = ListLogs { limit: contracts::Limit::MAX, ..ListLogs::default() };
        self.list(&agent(), "agent", asked).await.unwrap().items
    }

    /// An event a second after the one before, of no particular kind.
    fn event(&self, message: &str) -> LogEvent {
        self.clock.advance(Duration::from_secs(1));
        LogEvent {
            id: EventId::new(&self.clock, &self.chance),
            at: self.clock.now(),
            audience: Audience::Members,
            level: Level::Info,
            action: Action::ProfileChanged,
            actor: None,
            subject: None,
            message: message.into(),
            details: BTreeMap::new(),
            trace_id: None,
        }
    }

    /// Delivers events of the source `bank`, numbered from `first`.
    async fn deliver(&self, first: i64, events: &[LogEvent]) {
        let envelopes = (first..).zip(events).map(|(seq, event)| envelope("bank", seq, event)).collect();
        self.journal.take(envelopes).await.unwrap();
    }

    async fn truths(&self) -> Vec<Truth> {
        self.caller.at(SERVICE).call(GetTruths {}).await.unwrap()
    }

    async fn holds(&self, name: &str) -> bool {
        self.truths().await.into_iter().find(|truth| truth.name == name).unwrap().holds
    }
}

/// Waits until something is so, and fails if it never is.
async fn eventually(so: impl AsyncFn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while !so().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap();
}

async fn until(so: impl Fn() -> bool) {
    eventually(async || so()).await;
}

fn envelope(source: &str, seq: i64, event: &LogEvent) -> Envelope {
    Envelope {
        id: Uuid::from_u128(event.id.0.as_u128() ^ 1),
        source: source.into(),
        seq,
        subject: event.subject(),
        payload: event.payload().unwrap(),
        at: event.at,
    }
}

fn person(number: u128, login: &str) -> Person {
    Person { id: UserId(Uuid::from_u128(number)), login: login.into() }
}

fn claire() -> Person {
    person(1, "claire")
}

fn marc() -> Person {
    person(2, "marc")
}

fn agent() -> Person {
    person(3, "agathe")
}
