//! With ten million entries a filter takes the time of a look into an index, and memory stays as it was. Too long for every
//! day: `cargo xtask prove` runs it; `GUICHET_JOURNAL_ENTRIES` says how many entries.
#![expect(clippy::disallowed_methods, reason = "what is measured is the machine's time, as a reader does")]

use std::time::Instant;

use contracts::journal::{Edge, LogFilter, SummarizeLogs};

use super::*;

const ENTRIES: u64 = 10_000_000;
const FEW: u64 = 100_000;
const AT_ONCE: u64 = 1_000;
const PEOPLE: u64 = 20_000;
/// A word stands in so many of the oldest entries: too many to be looked up.
const EARLY: u64 = 25_000;
/// Times that each filter is asked.
const SAMPLES: usize = 60;
/// A year of entries, however many.
const YEAR: Duration = Duration::from_hours(365 * 24);
/// How much slower the median may get; a page is read from a tree that is a level or two deeper, and less of it is in memory.
const SLOWER: u32 = 8;
const NOISE: Duration = Duration::from_millis(15);

const WITH_EVERYBODY: [&str; 2] = ["counts of 30 days", "counts of a year"];

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_counts_do_not_grow_with_the_journal() {
    if std::env::var_os("GUICHET_PROVE").is_none() {
        eprintln!("ten million entries are left to `cargo xtask prove`");
        return;
    }
    let entries = std::env::var("GUICHET_JOURNAL_ENTRIES").ok().map_or(ENTRIES, |text| text.parse().unwrap());
    for (small, large) in worlds().await.into_iter().zip(worlds().await) {
        let few = grown(&small, FEW).await;
        let before = measured(&small).await;
        drop(small);
        let memory = resident();
        let many = grown(&large, entries).await;
        let after = measured(&large).await;
        let kind = large.store.kind();
        eprintln!("{kind}: {FEW} entries in {few:?}, {entries} in {many:?}; memory {memory} then {} MiB", resident());
        for ((name, small), (_, large)) in before.iter().zip(&after) {
            eprintln!("{kind} {name:32} p50 {:?} then {:?}, p99 {:?} then {:?}", small.0, large.0, small.1, large.1);
        }
        // Who was busiest of all is one row for each of them and each day; that these answer at all is what is held to.
        let bounded = before.iter().zip(&after).filter(|((name, _), _)| !WITH_EVERYBODY.contains(name));
        for ((name, small), (_, large)) in bounded {
            assert!(large.0 <= small.0 * SLOWER + NOISE, "{kind} {name}: {:?} then {:?}", small.0, large.0);
        }
        assert!(resident() < memory + 128, "memory grew with the journal");
    }
}

/// A year of so many entries, the first of them at noon a year and an hour ago.
async fn grown(world: &World, entries: u64) -> Duration {
    let (started, begin) = (Instant::now(), world.clock.now());
    let gap = YEAR.as_micros() / u128::from(entries);
    let at = |number: u64| begin.plus(Duration::from_micros(u64::try_from(gap * u128::from(number)).unwrap()));
    for first in (0..entries).step_by(AT_ONCE.try_into().unwrap()) {
        // Identifiers begin with the time at which they were made, so they come nearly in order.
        world.clock.set(at(first));
        let told: Vec<Envelope> = (first..entries.min(first + AT_ONCE))
            .map(|number| {
                let place = number * 7_919 % PEOPLE;
                let who = person(u128::from(100 + place), &format!("member{place}"));
                let (level, action) = match number % 100 {
                    0 => (Level::Error, Action::RequestTampered),
                    1..10 => (Level::Warning, Action::LoginFailed),
                    10..50 => (Level::Info, Action::Login),
                    _ => (Level::Info, Action::TransferApproved),
                };
                let early = if number < EARLY { "early " } else { "" };
                let event = LogEvent {
                    id: EventId::new(&world.clock, &world.chance),
                    at: at(number),
                    audience: if number.is_multiple_of(3) { Audience::Agents } else { Audience::Members },
                    level,
                    action,
                    actor: Some(if action == Action::TransferApproved { agent() } else { who.clone() }),
                    subject: Some(who),
                    message: format!("Transfer of {}.{:02} EUR between {early}accounts", number % 5_000, number % 100),
                    details: [("reference".to_owned(), format!("ref{number}"))].into(),
                    trace_id: Some(format!("trace{}", number / 4)),
                };
                envelope("bank", i64::try_from(number + 1).unwrap(), &event)
            })
            .collect();
        world.journal.take(told).await.unwrap();
    }
    world.clock.set(begin.plus(YEAR).plus(Duration::from_hours(1)));
    started.elapsed()
}

/// The median and the slowest hundredth of each filter, where the oldest entries stand as they should.
async fn measured(world: &World) -> Vec<(&'static str, (Duration, Duration))> {
    let begin = world.clock.now().minus(YEAR).minus(Duration::from_hours(1));
    let none = LogFilter::default;
    let user = |login: &str| LogFilter { user: Some(login.into()), ..none() };
    let text = |words: &str| LogFilter { text: Some(words.parse().unwrap()), ..none() };
    let month: Option<Edge> = Some(begin.plus(YEAR / 12).into());
    let lists = [
        ("everything", none()),
        ("a level", LogFilter { level: vec![Level::Error], ..none() }),
        ("levels from warning on", LogFilter { least: Some(Level::Warning), ..none() }),
        ("a frequent action of a month", LogFilter { action: vec![Action::Login], to: month, ..none() }),
        ("what no entry is", LogFilter { action: vec![Action::Login], level: vec![Level::Error], ..none() }),
        ("a person", user("member5")),
        ("a person and an action", LogFilter { action: vec![Action::RequestTampered], ..user("member5") }),
        ("a busy person", user("agathe")),
        ("a call", LogFilter { trace_id: Some("trace777".parse().unwrap()), ..none() }),
        ("a rare word", text("ref77777")),
        ("a frequent word", text("transfer accounts")),
        ("a frequent word and a level", LogFilter { level: vec![Level::Error], ..text("transfer") }),
        ("a word that was frequent once", text("early")),
        ("a word of a person", LogFilter { text: Some("transfer".parse().unwrap()), ..user("member5") }),
    ];
    let mut found = Vec::new();
    for (name, filter) in lists {
        let ask = async || {
            let page = world.list(&agent(), "agent", filter.clone().into()).await;
            assert!(page.is_ok(), "{name}: {page:?}");
        };
        found.push((name, timed(ask).await));
    }
    let caller = world.caller_of(&agent(), "agent");
    let decisions = vec![Action::TransferApproved];
    let summaries = [
        ("counts of 30 days", SummarizeLogs::default()),
        ("counts of a year", SummarizeLogs { from: Some(begin.into()), ..SummarizeLogs::default() }),
        (
            "decisions of a year",
            SummarizeLogs { from: Some(begin.into()), action: decisions, ..SummarizeLogs::default() },
        ),
        ("counts of a person", SummarizeLogs { user: Some("member5".into()), ..SummarizeLogs::default() }),
    ];
    for (name, asked) in summaries {
        let ask = async || {
            let counts = caller.call(asked.clone()).await;
            assert!(counts.is_ok(), "{name}: {counts:?}");
        };
        found.push((name, timed(ask).await));
    }
    // That it was looked for is an entry too.
    assert_eq!(early(world).await, EARLY + 1);
    found
}

/// How many entries hold the word that was frequent once, when each list is gone on from where it ended.
async fn early(world: &World) -> u64 {
    let filter = LogFilter { text: Some("early".parse().unwrap()), ..LogFilter::default() };
    let (mut found, mut cursor) = (0, None);
    loop {
        let asked = ListLogs { cursor, limit: 200.try_into().unwrap(), ..filter.clone().into() };
        let page = world.list(&agent(), "agent", asked).await.unwrap();
        found += u64::try_from(page.items.len()).unwrap();
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

async fn timed(mut ask: impl AsyncFnMut()) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let started = Instant::now();
        ask().await;
        times.push(started.elapsed());
    }
    times.sort();
    (times[SAMPLES / 2], times[SAMPLES * 99 / 100])
}

/// This process's memory, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
