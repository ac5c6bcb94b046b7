//! What buses promise, on every database: `conformance` is the same for all.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod broker;
mod cluster;
mod conformance;
mod lossy;
mod sealing;
mod subscribers;
mod ways;

use std::future::Future;
use std::time::Duration;

use bus::{Bus, Envelope, Failure};
use store::Store;
use store::testing::{TestDatabase, databases};
use tokio::sync::mpsc;
use vocabulary::{Clock, Timestamp};

/// Fails a test that would otherwise wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source with a database of its own, and a bus.
struct World {
    database: TestDatabase,
    store: Store,
    bus: Bus,
    clock: Clock,
}

/// A bus within a process on every kind of database.
async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for database in databases().await.unwrap() {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let store = Store::open(&database.database, &[], clock.clone()).await.unwrap();
        worlds.push(World { database, store, bus: Bus::in_process(), clock });
    }
    worlds
}

/// The numbers in payloads.
fn numbers(heard: &[Envelope]) -> Vec<u32> {
    heard.iter().map(|envelope| envelope.payload.parse().unwrap()).collect()
}

/// Tells events numbered from `from`, a few in each transaction.
async fn tell(store: &Store, subject: &str, numbers: std::ops::Range<u32>) {
    for chunk in numbers.collect::<Vec<_>>().chunks(50) {
        let mut tx = store.begin().await.unwrap();
        for number in chunk {
            tx.tell(subject, number.to_string());
        }
        tx.commit().await.unwrap();
    }
}

/// What a subscriber took, as it came.
struct Heard(mpsc::UnboundedReceiver<Envelope>);

/// A subscriber that takes everything.
fn listen(bus: &Bus, pattern: &'static str, name: &'static str) -> Heard {
    let (tell, heard) = mpsc::unbounded_channel();
    bus.subscribe(pattern, name, move |envelope| {
        let sent = tell.send(envelope);
        async move { sent.map_err(Failure::from) }
    });
    Heard(heard)
}

impl Heard {
    async fn next(&mut self) -> Envelope {
        in_time(self.0.recv()).await.unwrap()
    }

    /// The next `count` different events of `source`, without those that came twice.
    async fn different(&mut self, source: &str, count: usize) -> Vec<Envelope> {
        let mut seen: Vec<Envelope> = Vec::new();
        while seen.len() < count {
            let next = self.next().await;
            if next.source == source && !seen.contains(&next) {
                seen.push(next);
            }
        }
        seen
    }
}

/// Waits until something is so, and fails if it never is.
async fn until(so: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(2));
    in_time(async {
        while !so() {
            look.tick().await;
        }
    })
    .await;
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}
