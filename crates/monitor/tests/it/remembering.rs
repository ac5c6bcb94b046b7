//! What is remembered of checks is what all their results say, wherever it is read from.

use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Credentials, Directory, Gate, Principal, Signer, Transport, Verifier};
use contracts::monitor::{CheckKind, CheckName, CheckSpec, GetWholeHistory, History, SERVICE, Span, Spent, State};
use monitor::testing::{Past, Told};
use monitor::{MIGRATIONS, Monitor, Plan, QUERIES, Settings};
use store::Store;
use store::testing::{TestDatabase, databases};
use vocabulary::{Chance, Clock, Timestamp};

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);

/// A monitor whose past can be written, on a database of its own.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) monitor: Monitor,
    pub(crate) past: Past,
    pub(crate) clock: Clock,
    pub(crate) caller: Caller,
    signer: Signer,
}

/// On every kind of database, at the same moment: in the middle of a day and of an hour.
pub(crate) async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for database in databases().await.unwrap() {
        worlds.push(World::on(database, Clock::manual("2026-11-21T10:20:30.5Z".parse().unwrap())).await);
    }
    worlds
}

impl World {
    async fn on(database: TestDatabase, clock: Clock) -> Self {
        let signer = Signer::from_seed(&[1; 32], "guichet", "guichet").unwrap();
        let verifier = Verifier::new("guichet", "guichet", clock.clone());
        verifier.trust(&signer.jwks());
        let credentials = Credentials::new("guichet").bearer(verifier);
        let gate = Gate::new(credentials, Arc::new(()), clock.clone(), Chance::seeded(1));
        let directory = Directory::default();
        let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
        assert_eq!(store::check::prepare_all(&store, QUERIES).await, Vec::<String>::new());
        let plan = Plan {
            directory: directory.clone(),
            services: Vec::new(),
            apart: false,
            store,
            chance: Chance::seeded(1),
            settings: Settings::default(),
        };
        let monitor = Monitor::open(plan).await.unwrap();
        directory.set(SERVICE, Transport::in_process(monitor.clone().module(gate).unwrap().router));
        let (past, caller) = (Past::of(&monitor), directory.caller());
        Self { database, monitor, past, clock, caller, signer }
    }

    /// Somebody of this role.
    pub(crate) fn as_a(&self, role: &'static str) -> Caller {
        let now = self.clock.now();
        let who = Principal::named("somebody", [role]).during(now, now.plus(HOUR));
        self.caller.with_token(self.signer.sign(&self.signer.claims(&who)).unwrap())
    }

    pub(crate) async fn history(&self, check: &str, from: Timestamp, to: Timestamp) -> History {
        let asked = GetWholeHistory { name: name(check), from: Some(from), to: Some(to) };
        self.as_a("superuser").call(asked).await.unwrap()
    }
}

pub(crate) fn name(name: &str) -> CheckName {
    name.parse().unwrap()
}

/// A check that is made each minute.
pub(crate) fn spec(public: bool) -> CheckSpec {
    CheckSpec {
        title: None,
        group: None,
        kind: CheckKind::Tcp,
        target: "example.org:80".into(),
        must: Vec::new(),
        should: Vec::new(),
        every: Span::seconds(60),
        timeout: Span::seconds(10),
        alarm_after: 3,
        well_after: 2,
        parents: Vec::new(),
        public,
        private: false,
        objective: None,
        server: None,
        record: None,
        ca_file: None,
        certificate_file: None,
        key_file: None,
        token_file: None,
    }
}

/// Any number below `below`.
fn any(chance: &Chance, below: u64) -> u64 {
    u64::from_le_bytes(chance.bytes::<8>()) % below
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap()
}

/// Results from `from` up to `to`, with pauses, in which nobody looked.
fn results(chance: &Chance, from: Timestamp, to: Timestamp, every: Duration) -> Vec<Told> {
    let (mut results, mut last, mut state) = (Vec::new(), from, State::Up);
    while last < to {
        let passed = Duration::from_micros(micros(every) / 2 + any(chance, micros(every)));
        let pause = if any(chance, 60) == 0 { Duration::from_micros(any(chance, micros(7 * HOUR))) } else { passed };
        if any(chance, 12) == 0 {
            state = State::ALL[usize::try_from(any(chance, 5)).unwrap()];
        }
        last = last.plus(pause);
        let covers = pause.min(every * 2);
        let quick = Duration::from_micros(200 + any(chance, 1000) * any(chance, 4000));
        let latency = (any(chance, 10) > 0).then_some(quick);
        results.push(Told { at: last, state, covers, latency });
    }
    results.retain(|told| told.at < to);
    results
}

const fn ms(at: Timestamp) -> i64 {
    at.micros().div_euclid(1000)
}

/// What all results say of a window, without anything clever.
fn counted(results: &[Told], from: i64, to: i64) -> (Spent, u64, u64, Vec<u64>) {
    let (mut spent, mut good, mut counted, mut latencies) = (Spent::default(), 0, 0, Vec::new());
    for told in results {
        let at = ms(told.at);
        let begin = at - i64::try_from(told.covers.as_millis()).unwrap();
        let within = u64::try_from(at.min(to) - begin.max(from)).unwrap_or(0);
        match told.state {
            State::Up => spent.up += within,
            State::Degraded => spent.degraded += within,
            State::Down => spent.down += within,
            State::Maintenance => spent.maintenance += within,
            State::Unknown => {}
        }
        if from <= at && at < to && !matches!(told.state, State::Maintenance | State::Unknown) {
            counted += 1;
            good += u64::from(told.state != State::Down);
            latencies.extend(told.latency.map(micros));
        }
    }
    latencies.sort_unstable();
    (spent, good, counted, latencies)
}

/// Holds a history to what all results say of the span that it names, piece by piece.
fn held(history: &History, results: &[Told], case: &str) {
    let (from, to) = (ms(history.from), ms(history.to));
    let (spent, good, all, latencies) = counted(results, from, to);
    assert_eq!(history.spent, spent, "{case}");
    assert_eq!((history.good, history.counted), (good, all), "{case}");
    assert_eq!(history.uptime_ppm, spent.uptime_ppm(), "{case}");
    assert!((1..=400).contains(&history.points.len()), "{case}: {} points", history.points.len());
    let step = i64::try_from(history.step_millis).unwrap();
    for point in &history.points {
        let start = ms(point.from);
        let (spent, .., latencies) = counted(results, start.max(from), (start + step).min(to));
        assert_eq!(point.spent, spent, "{case} {}", point.from);
        assert_eq!(point.latency.is_some(), !latencies.is_empty(), "{case} {}", point.from);
    }
    let Some(told) = history.latency else { return assert!(latencies.is_empty(), "{case}") };
    for (percent, told) in [(50, told.p50), (90, told.p90), (95, told.p95), (99, told.p99), (100, told.max)] {
        let exact = latencies[(latencies.len() * percent).div_ceil(100) - 1];
        assert!(told.abs_diff(exact) * 100 <= exact, "{case}: {told} for {exact}, the {percent}th percentile");
    }
}

/// A year, of which the last month is known result by result. Results come while the clock goes on, and are put together
/// now and then, so that windows lie across every boundary.
#[tokio::test(flavor = "multi_thread")]
async fn any_span_says_what_all_results_say_wherever_it_is_read_from() {
    for seed in 1..=2 {
        for world in worlds().await {
            let chance = Chance::seeded(seed);
            let kind = world.database.kind();
            let begin = world.clock.now();
            // Thinly at first, so that a test does not take a year either.
            let dense = begin.plus(DAY * 32);
            let end = dense.plus(DAY * 5).plus(Duration::from_micros(any(&chance, micros(DAY))));
            let mut all = results(&chance, begin, dense, 40 * MINUTE);
            all.extend(results(&chance, all.last().unwrap().at.plus(HOUR), end, 10 * MINUTE));
            let check = world.past.check(&name("some"), spec(false)).await.unwrap();
            let other = world.past.check(&name("other"), spec(false)).await.unwrap();
            for told in &all {
                world.clock.set(told.at);
                world.past.note(check, *told);
                world.past.note(other, Told { state: State::Down, ..*told });
                if any(&chance, 40) == 0 {
                    world.past.flush().await.unwrap();
                }
                if any(&chance, 200) == 0 {
                    world.past.put_together().await.unwrap();
                }
            }
            world.clock.set(end);
            world.past.flush().await.unwrap();
            assert_eq!(world.past.dropped_and_waiting(), (0, 0));
            let span = micros(end.since(begin));
            for put_together in [false, true] {
                if put_together {
                    world.past.put_together().await.unwrap();
                }
                for round in 0..60 {
                    let length = 1 + any(&chance, [span, micros(DAY), micros(8 * DAY)][round % 3]);
                    let to = end.minus(Duration::from_micros(any(&chance, span)));
                    let to = if round % 4 == 0 { end } else { to };
                    let from = to.minus(Duration::from_micros(length)).max(begin);
                    let case = format!("seed {seed} on {kind}, {from} to {to}, put together: {put_together}");
                    if ms(from) == ms(to) {
                        continue;
                    }
                    let history = world.history("some", from, to).await;
                    assert!(ms(history.from) <= ms(from) && from.since(history.from) < HOUR, "{case}");
                    assert!(ms(history.to) >= ms(to) && history.to.since(to) < HOUR, "{case}");
                    held(&history, &all, &case);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_loses_and_repeats_nothing() {
    for world in worlds().await {
        let chance = Chance::seeded(4);
        let begin = world.clock.now();
        let all = results(&chance, begin, begin.plus(DAY), MINUTE);
        let spec = spec(false);
        let check = world.past.check(&name("some"), spec.clone()).await.unwrap();
        let half = all.len() / 2;
        for told in &all[..half] {
            world.clock.set(told.at);
            world.past.note(check, *told);
        }
        world.past.flush().await.unwrap();
        world.past.put_together().await.unwrap();
        let World { database, clock, past, .. } = world;
        drop(past);
        let world = World::on(database, clock).await;
        // The check is known by its number; here it is written down under another name to be seen.
        world.past.see(check, &name("some"), spec);
        for told in &all[half..] {
            world.clock.set(told.at);
            world.past.note(check, *told);
        }
        world.past.flush().await.unwrap();
        world.clock.advance(3 * HOUR);
        world.past.put_together().await.unwrap();
        world.past.put_together().await.unwrap();
        held(&world.history("some", begin, world.clock.now()).await, &all, "after a restart");
        held(&world.history("some", begin.plus(HOUR), begin.plus(20 * HOUR)).await, &all, "after a restart");
    }
}

/// A long result speaks for hours that were put together long before it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_rare_check_fills_the_hours_behind_it() {
    for world in worlds().await {
        let begin = world.clock.now();
        let rare = world.past.check(&name("rare"), spec(false)).await.unwrap();
        let often = world.past.check(&name("often"), spec(false)).await.unwrap();
        let mut all = Vec::new();
        for hour in 1..=60_u32 {
            world.clock.set(begin.plus(HOUR * hour));
            let told = |covers| Told { at: world.clock.now(), state: State::Up, covers, latency: None };
            world.past.note(often, told(HOUR));
            if hour % 30 == 0 {
                all.push(told(HOUR * 30));
                world.past.note(rare, told(HOUR * 30));
            }
            world.past.flush().await.unwrap();
            world.past.put_together().await.unwrap();
        }
        world.clock.advance(3 * HOUR);
        world.past.put_together().await.unwrap();
        let history = world.history("rare", begin, world.clock.now()).await;
        assert_eq!(history.spent.up, u64::try_from((HOUR * 60).as_millis()).unwrap());
        held(&history, &all, "a rare check");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_wait_while_the_database_is_away_and_are_counted_when_there_are_too_many() {
    let world = World::on(TestDatabase::sqlite().unwrap(), Clock::manual(Timestamp::from_seconds(1_800_000_000))).await;
    let check = world.past.check(&name("some"), spec(false)).await.unwrap();
    // Somebody else holds the file: nothing can be written.
    let other = Store::open(&world.database.database, MIGRATIONS, world.clock.clone()).await.unwrap();
    let holder = other.begin().await.unwrap();
    let begin = world.clock.now();
    let mut all = Vec::new();
    for _ in 0..3 {
        world.clock.advance(MINUTE);
        all.push(Told { at: world.clock.now(), state: State::Up, covers: MINUTE, latency: None });
        world.past.note(check, all[all.len() - 1]);
    }
    world.past.flush().await.unwrap_err();
    assert_eq!(world.past.dropped_and_waiting(), (0, 3));
    drop(holder);
    world.past.flush().await.unwrap();
    assert_eq!(world.past.dropped_and_waiting(), (0, 0));
    held(&world.history("some", begin, world.clock.now()).await, &all, "after the database came back");
    let (first, most) = (world.clock.now(), 200_000_u32);
    for number in 1..=most + 7 {
        let at = first.plus(Duration::from_millis(u64::from(number)));
        world.past.note(check, Told { at, state: State::Up, covers: Duration::from_millis(1), latency: None });
    }
    assert_eq!(world.past.dropped_and_waiting(), (7, 200_000));
    world.clock.set(first.plus(Duration::from_mins(5)));
    world.past.flush().await.unwrap();
    let history = world.history("some", first.plus(Duration::from_millis(1)), world.clock.now()).await;
    assert_eq!((history.spent.up, history.good), (200_000, 200_000), "what was dropped is not known, not down");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_go_after_thirty_days_hours_after_a_year_and_days_stay() {
    for world in worlds().await {
        let begin = world.clock.now();
        let check = world.past.check(&name("some"), spec(false)).await.unwrap();
        let gone = world.past.check(&name("gone"), spec(false)).await.unwrap();
        for day in 0..430_u32 {
            world.clock.set(begin.plus(DAY * day));
            let told = Told { at: world.clock.now(), state: State::Up, covers: HOUR, latency: Some(MINUTE) };
            world.past.note(check, told);
            world.past.note(gone, told);
            world.past.flush().await.unwrap();
            if day % 20 == 0 {
                world.past.put_together().await.unwrap();
            }
        }
        world.clock.advance(3 * HOUR);
        world.past.put_together().await.unwrap();
        let store = Store::open(&world.database.database, MIGRATIONS, world.clock.clone()).await.unwrap();
        let rows = async |table: &str| store.dump().await.unwrap()[table].len();
        assert_eq!(rows("samples").await, 2 * 30);
        // Each result speaks for the hour before it, which begins in one hour and ends in the next.
        let (hours, days) = (2 * 2 * 367, 2 * 430);
        let kept = rows("spans").await;
        assert!((hours + days..hours + days + 8).contains(&kept), "{kept}");
        let whole = world.history("some", begin.minus(DAY), world.clock.now()).await;
        assert_eq!(whole.counted, 430);
        assert_eq!(whole.spent.up, 430 * 3_600_000);
        let old = world.history("some", begin.plus(HOUR), begin.plus(DAY * 2)).await;
        assert_eq!((old.from, old.from.day()), (begin.day().start(), begin.day()), "it says how far it reaches");
        world.past.forget(gone).await.unwrap();
        world.past.put_together().await.unwrap();
        assert_eq!((rows("samples").await, rows("spans").await), (30, kept / 2));
        assert_eq!(rows("forgotten").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_for_an_hour_that_was_put_together_is_counted_as_dropped() {
    for world in worlds().await {
        let check = world.past.check(&name("some"), spec(false)).await.unwrap();
        let begin = world.clock.now();
        let told = |at| Told { at, state: State::Up, covers: MINUTE, latency: None };
        world.past.note(check, told(begin));
        world.past.flush().await.unwrap();
        world.clock.advance(2 * HOUR);
        // One that waits holds its hour back.
        world.past.note(check, told(begin.plus(MINUTE)));
        world.past.put_together().await.unwrap();
        world.past.flush().await.unwrap();
        assert_eq!(world.past.dropped_and_waiting(), (0, 0));
        world.past.put_together().await.unwrap();
        world.past.note(check, told(begin.plus(2 * MINUTE)));
        world.past.flush().await.unwrap();
        assert_eq!(world.past.dropped_and_waiting(), (1, 0));
        let history = world.history("some", begin.minus(HOUR), world.clock.now()).await;
        assert_eq!((history.good, history.spent.up), (2, 120_000), "on {}", world.database.kind());
    }
}
