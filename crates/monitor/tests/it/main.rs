//! The monitor sees what works, through its door, with services whose stores are real.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod links;
mod probing;
#[path = "../../../identity/tests/it/relay.rs"]
#[expect(dead_code, clippy::panic, reason = "the tests of identity use more of it, and it stops without its Python")]
mod relay;
mod remembering;
mod remembering_shown;
mod watching;
mod watching_alerts;
mod watching_parents;

use std::sync::Arc;
use std::time::Duration;

use aaa::{Api, Caller, Credentials, Directory, Gate, Transport, Verifier};
use chassis::{Health as _, Shutdown, common};
use contracts::monitor::{GetStatus, Health, SERVICE, ServiceStatus, Status, Truth};
use monitor::{MIGRATIONS, Monitor, Plan, Settings};
use store::testing::{TestDatabase, databases};
use store::{Database, Store};
use vocabulary::{Chance, Clock, Timestamp};

/// A service that needs its store and nothing else.
#[derive(Clone)]
struct Depot(Store);

impl chassis::Health for Depot {
    async fn ready(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| error.to_string())
    }
    async fn truths(&self) -> Vec<chassis::Truth> {
        vec![chassis::Truth::new("shelves are full", true), chassis::Truth::new("doors are shut", false)]
    }
}

struct World {
    database: TestDatabase,
    own: TestDatabase,
    monitor: Monitor,
    directory: Directory,
    caller: Caller,
    clock: Clock,
}

fn gate(clock: &Clock) -> Gate {
    let verifier = Verifier::new("guichet", "guichet", clock.clone());
    Gate::new(Credentials::new("guichet").bearer(verifier), Arc::new(()), clock.clone(), Chance::seeded(1))
}

/// A monitor with a database of its own, which goes with it.
async fn open(directory: &Directory, clock: &Clock, services: &[&'static str], apart: bool) -> (Monitor, TestDatabase) {
    let own = TestDatabase::sqlite().unwrap();
    let store = Store::open(&own.database, MIGRATIONS, clock.clone()).await.unwrap();
    let plan = Plan {
        directory: directory.clone(),
        services: services.to_vec(),
        apart,
        store,
        chance: Chance::seeded(1),
        settings: Settings::default(),
    };
    (Monitor::open(plan).await.unwrap(), own)
}

/// A depot and a monitor over it, on every kind of database.
async fn worlds(services: &[&'static str]) -> Vec<World> {
    let mut worlds = Vec::new();
    for database in databases().await.unwrap() {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let store = Store::open(&database.database, &[], clock.clone()).await.unwrap();
        let directory = Directory::default();
        let depot = common(Api::new(Depot(store), gate(&clock))).finish().unwrap();
        directory.set("depot", Transport::in_process(depot.router));
        let (monitor, own) = open(&directory, &clock, services, false).await;
        directory.set(SERVICE, Transport::in_process(monitor.clone().module(gate(&clock)).unwrap().router));
        worlds.push(World { database, own, monitor, caller: directory.caller(), directory, clock });
    }
    worlds
}

impl World {
    async fn status(&self) -> Status {
        self.caller.call(GetStatus::default()).await.unwrap()
    }

    async fn depot(&self) -> ServiceStatus {
        self.status().await.services.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_down_until_it_was_asked_and_then_tells_of_itself() {
    for world in worlds(&["depot"]).await {
        assert_eq!(world.status().await.health, Health::Down);
        world.clock.advance(Duration::from_secs(7));
        world.monitor.check_now().await;
        let (status, depot) = (world.status().await, world.depot().await);
        assert_eq!((status.health, depot.health), (Health::Up, Health::Up));
        assert_eq!(
            (depot.name.as_str(), depot.since, depot.checked_at),
            ("depot", world.clock.now(), world.clock.now())
        );
        assert_eq!(depot.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        let truth = |name: &str, holds| Truth { name: name.into(), holds };
        assert_eq!(depot.truths, [truth("shelves are full", true), truth("doors are shut", false)]);
        let since = world.clock.now();
        world.clock.advance(Duration::from_mins(1));
        world.monitor.check_now().await;
        let depot = world.depot().await;
        assert_eq!((depot.since, depot.checked_at), (since, world.clock.now()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_database_is_gone_is_down() {
    for world in worlds(&["depot", SERVICE]).await {
        world.monitor.check_now().await;
        assert_eq!(world.status().await.health, Health::Up);
        let World { database, own: _own, monitor, caller, clock, .. } = world;
        // The file is deleted; the server drops the database with its connections.
        drop(database);
        clock.advance(Duration::from_secs(3));
        monitor.check_now().await;
        let status = caller.call(GetStatus::default()).await.unwrap();
        assert_eq!(status.health, Health::Down);
        let seen: Vec<_> = status.services.iter().map(|it| (it.name.as_str(), it.health)).collect();
        assert_eq!(seen, [("depot", Health::Down), (SERVICE, Health::Up)], "one service takes no other down");
        assert_eq!(status.services[0].since, clock.now());
        assert!(status.services[0].truths.is_empty(), "what it said before says nothing now");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_database_file_is_noticed_and_so_is_its_return() {
    let world = worlds(&["depot"]).await.remove(0);
    let Database::Sqlite { path } = &world.database.database else { panic!("the first kind is SQLite") };
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    std::fs::write(path, "").unwrap();
    world.monitor.check_now().await;
    assert_eq!(world.depot().await.health, Health::Down);
    std::fs::rename(&aside, path).unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.monitor.check_now().await;
    let depot = world.depot().await;
    assert_eq!((depot.health, depot.since), (Health::Up, world.clock.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_shows_within_five_seconds_without_anybody_asking_for_it() {
    for world in worlds(&["depot"]).await {
        let shutdown = Shutdown::default();
        let watching = tokio::spawn(world.monitor.clone().watch(shutdown.clone()));
        let World { database, own: _own, caller, .. } = world;
        let until = |wanted: Health| {
            let caller = caller.clone();
            tokio::time::timeout(Duration::from_secs(5), async move {
                while caller.call(GetStatus::default()).await.unwrap().health != wanted {
                    tokio::task::yield_now().await;
                }
            })
        };
        until(Health::Up).await.unwrap();
        drop(database);
        until(Health::Down).await.unwrap();
        shutdown.begin();
        watching.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_or_is_nowhere_is_down() {
    for world in worlds(&["depot", "silent", "nowhere"]).await {
        let silent = axum::Router::new().fallback(std::future::pending::<()>);
        world.directory.set("silent", Transport::in_process(silent));
        world.monitor.check_now().await;
        let seen: Vec<_> = world.status().await.services.iter().map(|it| it.health).collect();
        assert_eq!(seen, [Health::Up, Health::Down, Health::Down]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_can_be_asked_for_and_unknown_ones_are_not_found() {
    for world in worlds(&["depot", "nowhere"]).await {
        world.monitor.check_now().await;
        let ask = |app: &str| world.caller.call(GetStatus { app: Some(app.into()) });
        let status = ask("depot").await.unwrap();
        assert_eq!((status.health, status.services.len()), (Health::Up, 1));
        assert_eq!(ask("nowhere").await.unwrap().health, Health::Down);
        assert_eq!(ask("nonsense").await.unwrap_err().status(), http::StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_stopped_asking_is_not_ready() {
    for world in worlds(&["depot"]).await {
        world.monitor.check_now().await;
        assert_eq!(world.monitor.ready().await, Ok(()));
        world.clock.advance(Duration::from_secs(11));
        assert!(world.monitor.ready().await.is_err());
    }
}
