//! How many checks a second one core makes; and how long the status page, a history and a badge take with a year of checks behind them, through the door of the service.
//!
//! `cargo xtask bench monitor` starts the server and runs this, on SQLite and PostgreSQL: 100 checks, hours and days of a year,
//! 30 days of results each minute. Calls are made one after another; half and 99 in a hundred were as quick as told.
//! `-- --quick` is a smoke test with 5 checks.

#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]
#![expect(clippy::disallowed_methods, reason = "a measurement follows the machine's clock")]

#[path = "monitor/rate.rs"]
mod rate;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aaa::{Caller, Credentials, Directory, Gate, Transport, Verifier};
use contracts::monitor::{Badge, CheckName, CheckSpec, GetBadge, GetBoard, GetHistory, SERVICE, State};
use monitor::testing::{Past, Told};
use monitor::{MIGRATIONS, Monitor, Plan, Settings};
use store::Store;
use store::testing::{TestDatabase, databases};
use vocabulary::{Chance, Clock, Timestamp};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// A day of so many results is enough for the days of which no results are kept.
const THINLY: Duration = Duration::from_mins(10);

fn spec() -> CheckSpec {
    let written = r#"{"kind":"tcp","target":"example.org:80","public":true,"objective":"99.9"}"#;
    serde_json::from_str(written).unwrap()
}

fn name(number: usize) -> CheckName {
    format!("check-{number}").parse().unwrap()
}

/// Now and then something is down for a while, and answers differ.
fn told(at: Timestamp, covers: Duration, number: u64) -> Told {
    let state = if number % 977 < 3 { State::Down } else { State::Up };
    let latency = Some(Duration::from_micros(20_000 + number * 7919 % 180_000));
    Told { at, state, covers, latency }
}

/// Results from one moment up to another.
fn results(from: Timestamp, to: Timestamp, every: Duration, seed: usize) -> Vec<Told> {
    let (mut results, mut at, mut number) = (Vec::new(), from, u64::try_from(seed).unwrap() * 31);
    while at < to {
        results.push(told(at, every, number));
        (at, number) = (at.plus(every), number + 1);
    }
    results
}

async fn fill(database: &TestDatabase, checks: usize, days: u32, kept: u32) -> (Monitor, Caller) {
    let now: Timestamp = "2026-11-21T10:20:30Z".parse().unwrap();
    let clock = Clock::manual(now);
    let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
    let directory = Directory::default();
    let (services, chance, settings) = (Vec::new(), Chance::seeded(1), Settings::default());
    let plan = Plan { directory: directory.clone(), services, apart: false, store, chance, settings };
    let monitor = Monitor::open(plan).await.unwrap();
    let credentials = Credentials::new("guichet").bearer(Verifier::new("guichet", "guichet", clock.clone()));
    let gate = Gate::new(credentials, Arc::new(()), clock.clone(), Chance::seeded(1));
    directory.set(SERVICE, Transport::in_process(monitor.clone().module(gate).unwrap().router));
    let past = Past::of(&monitor);
    let begin = now.minus(DAY * kept).day().start();
    for number in 0..checks {
        let check = past.check(&name(number), spec()).await.unwrap();
        for day in 1..=days - kept {
            let from = begin.minus(DAY * day);
            past.fill_day(check, &results(from, from.plus(DAY), THINLY, number)).await.unwrap();
        }
        // Puts nothing together before all checks have their results.
        clock.set(begin);
        for result in results(begin.plus(MINUTE), now, MINUTE, number) {
            past.note(check, result);
        }
        past.flush().await.unwrap();
        past.stand(check, &told(now, MINUTE, 5), monitor::testing::Said::default());
    }
    clock.set(now);
    past.put_together().await.unwrap();
    (monitor, directory.caller())
}

/// Half and 99 in a hundred.
async fn timed<F: Future<Output = ()>>(rounds: usize, mut call: impl FnMut() -> F) -> (Duration, Duration) {
    let mut took = Vec::with_capacity(rounds);
    call().await;
    for _ in 0..rounds {
        let begun = Instant::now();
        call().await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    (took[rounds / 2], took[(rounds * 99).div_ceil(100) - 1])
}

fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn main() {
    let told = |name: &str| std::env::args().any(|argument| argument == name);
    if told(rate::SERVE) {
        return rate::serve();
    }
    let quick = told("--quick");
    let (checks, seconds) = if quick { (200, 2) } else { (5000, 30) };
    rate::measure(checks, seconds);
    tokio::runtime::Runtime::new().unwrap().block_on(pages(quick));
}

async fn pages(quick: bool) {
    let (checks, days, kept, rounds) = if quick { (5, 40, 2, 20) } else { (100, 365, 30, 300) };
    say(&format!("{checks} checks, {days} days of hours and days, {kept} days of results each minute"));
    for database in databases().await.unwrap() {
        let begun = Instant::now();
        let (_monitor, caller) = fill(&database, checks, days, kept).await;
        let kind = database.kind();
        say(&format!("{kind}: filled in {} s", begun.elapsed().as_secs()));
        let now: Timestamp = "2026-11-21T10:20:30Z".parse().unwrap();
        let board = timed(rounds, || async {
            assert_eq!(caller.call(GetBoard {}).await.unwrap().checks.len(), checks);
        });
        report(&kind.to_string(), "board", board.await);
        for (span, days) in [("day", 1), ("month", 30), ("90 days", 90), ("year", 365_u32)] {
            let history = timed(rounds, || async {
                let from = Some(now.minus(DAY * days.min(364)));
                caller.call(GetHistory { name: name(1), from, to: None }).await.unwrap();
            });
            report(&kind.to_string(), &format!("history of a {span}"), history.await);
        }
        for (of, days) in [(Badge::State, 30), (Badge::Uptime, 30), (Badge::Latency, 365_u32)] {
            let badge = timed(rounds, || async {
                caller.call(GetBadge { name: name(1), of, days: Some(days), language: None }).await.unwrap();
            });
            report(&kind.to_string(), &format!("badge {of:?}, {days} days"), badge.await);
        }
    }
}

fn report(kind: &str, what: &str, (half, most): (Duration, Duration)) {
    let millis = |it: Duration| it.as_secs_f64() * 1000.0;
    say(&format!("{kind:<12} {what:<24} p50 {:>8.2} ms   p99 {:>8.2} ms", millis(half), millis(most)));
}
