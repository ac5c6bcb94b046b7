//! The journal loses nothing: sources, a broker and a journal as processes of their own, under load, to which everything is
//! done that can happen to them, in an order and at moments that follow from a seed.
//!
//! In the end what the sources committed and what the journal holds are compared, its log is audited, and what is set aside must
//! be the poison and nothing else. `GUICHET_TEST_SEED=N` repeats one seed; `GUICHET_TEST_SEEDS` and `GUICHET_TEST_EVENTS` say
//! how many, and how many events in each. What a seed repeats is the order of the faults and how many events are kept before each.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::arithmetic_side_effects, reason = "a test counts small numbers")]

// The broker of the bus' own tests.
#[expect(dead_code, reason = "the tests of the bus do more with it")]
#[path = "../../../bus/tests/it/broker.rs"]
mod broker;
// Machines, and a network of one's own, of the tests of the bank apart.
#[expect(dead_code, reason = "the tests of the bank do more with them")]
#[path = "../../../guichet/tests/it/hosts/machine.rs"]
mod machine;
#[expect(clippy::panic, reason = "a test that cannot run says so")]
#[path = "../../../guichet/tests/it/namespace.rs"]
mod namespace;
mod part;
mod record;
mod scene;
mod tap;
mod wire;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use machine::Switch;
use scene::{BROKER, Fault, Scale, Scene};
use store::testing::{TestDatabase, databases};

/// Waits until something is so.
async fn until(so: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while !so() {
        look.tick().await;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Seeds that run at a time.
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sources_committed_is_in_the_journal_once_and_in_order_whatever_happens() {
    let seeds = number("GUICHET_TEST_SEEDS").unwrap_or(if proves() { 50 } else { 3 });
    let scale = scale();
    let all: Vec<u64> = match number("GUICHET_TEST_SEED") {
        Some(one) => vec![one],
        None => (1..=seeds).collect(),
    };
    let mut failed = Vec::new();
    for some in all.chunks(AT_ONCE) {
        // One that fails leaves the others their say.
        let run = |seed: &u64| AssertUnwindSafe(one_seed(*seed, scale)).catch_unwind();
        let outcomes = join_all(some.iter().map(run)).await;
        failed.extend(some.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_err()).map(|(seed, _)| *seed));
    }
    assert!(failed.is_empty(), "to repeat what failed: GUICHET_TEST_SEED={} and so on: {failed:?}", failed[0]);
}

/// Each on a machine of its own, which a wall parts from the broker's: silence, and no end of the link.
#[tokio::test(flavor = "multi_thread")]
async fn machines_that_part_from_the_broker_lose_nothing_and_go_on_by_themselves() {
    if !namespace::inside("machines_that_part_from_the_broker_lose_nothing_and_go_on_by_themselves") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let names = [(BROKER, "nats.internal"), ("journal", "journal"), ("bank", "bank"), ("identity", "identity")];
    let network = Switch::with(home.path(), &names);
    // A server of PostgreSQL would be outside.
    let database = TestDatabase::sqlite().unwrap();
    let seed = number("GUICHET_TEST_SEED").unwrap_or(1);
    let Some(scene) = Scene::new(seed, scale(), database, Some(network)).await else { return };
    let mut faults = Fault::PARTING.to_vec();
    if proves() {
        faults.extend(Fault::ALL);
    }
    play(seed, "machines", scene, &faults).await;
}

fn proves() -> bool {
    std::env::var_os("GUICHET_PROVE").is_some()
}

fn scale() -> Scale {
    let prove = proves();
    let events = number("GUICHET_TEST_EVENTS").unwrap_or(if prove { 20_000 } else { 300 });
    Scale {
        events: events.try_into().unwrap(),
        times: if prove { 2 } else { 1 },
        long: Duration::from_secs(if prove { 12 } else { 2 }),
        at_once: if events >= 5000 { 40 } else { 4 },
        pause: Duration::from_millis(if events >= 5000 { 150 } else { 250 }),
        patience: Duration::from_mins(if prove { 10 } else { 4 }),
    }
}

async fn one_seed(seed: u64, scale: Scale) {
    let mut databases = databases().await.unwrap();
    // Each kind in turn.
    let database = databases.swap_remove(usize::try_from(seed).unwrap() % databases.len());
    let kind = database.kind();
    let Some(scene) = Scene::new(seed, scale, database, None).await else { return };
    play(seed, &kind.to_string(), scene, &Fault::ALL).await;
}

#[expect(clippy::disallowed_methods, reason = "a person who waits is told how long")]
async fn play(seed: u64, on: &str, mut scene: Scene, faults: &[Fault]) {
    let begun = std::time::Instant::now();
    let faults = scene.suffer(faults).await;
    let events = scene.check().await;
    eprintln!(
        "seed {seed} on {on}: {events} events and {} faults in {:.0?}; none lost, none twice, all in order",
        faults.len(),
        begun.elapsed()
    );
}

/// What the scene starts again as another process; without a part there is nothing to play.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_played_in_a_process_of_its_own() {
    if let Ok(part) = std::env::var(part::VARIABLE) {
        serde_json::from_str::<part::Part>(&part).unwrap().play().await;
    }
}
