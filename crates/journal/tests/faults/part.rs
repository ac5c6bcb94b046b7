//! The processes that are killed: a source, and the journal. Each is this test program, started again with a part to play.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::nats::{Connection, Sender};
use bus::{Bus, OpeningKey, Relay};
use contracts::events::{Action, Audience, Level, LogEvent};
use journal::{EventKeys, Journal};
use pki::{Identity, Link, Trust};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};
use vocabulary::{Chance, Clock, EventId};

use crate::record;

/// Which part, as JSON.
pub(crate) const VARIABLE: &str = "GUICHET_TEST_FAULTS_PART";
/// Of the log's key.
pub(crate) const SECRET: [u8; 32] = [2; 32];

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    /// `journal`, or the name of a source.
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) broker: String,
    /// With `NAME.pem`, `NAME-key.pem` and `ca.pem`.
    pub(crate) tls: PathBuf,
    /// With the journal's keys for events.
    pub(crate) keys: PathBuf,
    /// How many events a source commits before it rests, how many at most in a transaction, and how long between two.
    pub(crate) events: i64,
    pub(crate) at_once: u64,
    pub(crate) pause: Duration,
}

impl Part {
    pub(crate) async fn play(self) {
        // Nobody outlives whoever started them.
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
        match self.name.as_str() {
            "journal" => self.keep().await,
            _ => self.tell().await,
        }
    }

    async fn keep(&self) {
        let journal = again(async || {
            let store = Store::open(&self.database.parse()?, journal::MIGRATIONS, Clock::system()).await?;
            Ok::<_, StoreError>(Journal::new(store, journal::log_key(SECRET.into()).unwrap(), Chance::system()))
        })
        .await;
        again(async || journal.begin_log().await).await;
        let keys = EventKeys::in_folder(&self.keys);
        let link = self.connect().await;
        let _receiving = again(async || journal.receive(link.clone(), keys.clone()).await).await;
        let mut beat = tokio::time::interval(Duration::from_millis(200));
        loop {
            beat.tick().await;
            if let Err(error) = journal.seal().await {
                tracing::warn!(%error, "cannot sign the head");
            }
        }
    }

    /// Carries what it told, and tells more meanwhile; one transaction in eight is rolled back.
    async fn tell(&self) {
        let open = async || Store::open(&self.database.parse()?, record::MIGRATIONS, Clock::system()).await;
        let store = again(open).await;
        let key = OpeningKey::open(&self.keys.join("events-1.key")).unwrap().sealing().clone();
        let source: &'static str = self.name.clone().leak();
        let sender = Sender::new(self.connect().await, source, key, &Chance::system()).await.unwrap();
        let bus = Bus::in_process();
        sender.join(&bus);
        let _relay = Relay::start(store.clone(), source, bus);
        let (clock, chance) = (Clock::system(), Chance::system());
        let mut told = again(async || record::told(&store).await).await;
        let mut pause = tokio::time::interval(self.pause);
        while told < self.events {
            pause.tick().await;
            let last = self.events.min(told + 1 + i64::try_from(chance.below(self.at_once)).unwrap());
            let commits = chance.below(8) > 0;
            let work = async {
                let mut tx = store.begin().await?;
                for number in told + 1..=last {
                    record::tell(&mut tx, number, &event(number, &clock, &chance)).await?;
                }
                if commits { tx.commit().await } else { Ok(()) }
            };
            if let Err(error) = work.await {
                tracing::warn!(%error, "could not tell");
            }
            // What it committed is what its database says.
            told = again(async || record::told(&store).await).await;
        }
        std::future::pending::<()>().await;
    }

    async fn connect(&self) -> Connection {
        let trust = Trust::of(&std::fs::read_to_string(self.tls.join("ca.pem")).unwrap()).unwrap();
        let link = Link::new(Identity::open(&self.tls, &self.name).unwrap(), trust, &Clock::system()).unwrap();
        Connection::open(std::slice::from_ref(&self.broker), &self.name, &link).await.unwrap()
    }
}

/// Gives a process its certificate.
pub(crate) fn certify(tls: &Path, root: &str, name: &str, link: &Link) {
    let identity = link.identity();
    Identity::keep(tls, name, &identity.cert_pem(), &identity.key_pem()).unwrap();
    std::fs::write(tls.join("ca.pem"), root).unwrap();
}

pub(crate) fn event(number: i64, clock: &Clock, chance: &Chance) -> LogEvent {
    LogEvent {
        id: EventId::new(clock, chance),
        at: clock.now(),
        audience: if number % 2 == 0 { Audience::Members } else { Audience::Agents },
        level: Level::Info,
        action: Action::ProfileChanged,
        actor: None,
        subject: None,
        message: number.to_string(),
        details: [("note".to_owned(), "x".repeat(usize::try_from(chance.below(300)).unwrap()))].into(),
        trace_id: None,
    }
}

/// Until it succeeds: a database may be away when a process begins.
async fn again<T, E: std::fmt::Display>(attempt: impl AsyncFn() -> Result<T, E>) -> T {
    let mut look = tokio::time::interval(Duration::from_millis(100));
    loop {
        look.tick().await;
        match attempt().await {
            Ok(it) => return it,
            Err(error) => tracing::warn!(%error, "trying again"),
        }
    }
}
