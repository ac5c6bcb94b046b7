//! Filters, alone and together, say what a plain look at every entry says; so do counts; and whoever looks is told of.

use contracts::Limit;
use contracts::journal::{Edge, GetLog, LogFilter, LogSummary, Per, SeriesPoint, SummarizeLogs};

use journal::Erasure;

use super::*;

/// What messages are made of, and searches that find each.
const WORDS: [(&str, &[&str]); 5] = [
    ("Été", &["ete", "ÉTÉ", "ét"]),
    ("compte", &["compte", "Comp"]),
    ("REFUSÉ", &["refus", "refusé"]),
    ("FR76-3000", &["fr76", "3000 FR76", "FR76-3000"]),
    ("cœur", &["coeur", "CŒ"]),
];
const SOURCES: [&str; 3] = ["bank", "identity", "authority"];
const ACTIONS: [Action; 4] = [Action::Login, Action::LoginFailed, Action::TransferApproved, Action::DepositRejected];

struct Dice(Chance);

impl Dice {
    fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.0.below(u64::try_from(from.len()).unwrap())).unwrap()]
    }

    fn one_in(&self, many: u64) -> bool {
        self.0.below(many) == 0
    }

    fn maybe<T>(&self, many: u64, it: impl FnOnce() -> T) -> Option<T> {
        self.one_in(many).then(it)
    }
}

fn people() -> [Person; 3] {
    [claire(), marc(), agent()]
}

/// So many events at random, each with its source, spread over three days and arriving in no order.
async fn fill(world: &World, dice: &Dice, many: u64) -> Vec<(&'static str, LogEvent)> {
    let begin = world.clock.now();
    let mut told: Vec<(&'static str, LogEvent)> = Vec::new();
    for _ in 0..many {
        let source = dice.pick(&SOURCES);
        let words: Vec<_> = WORDS.iter().filter(|_| dice.one_in(3)).map(|(word, _)| *word).collect();
        let (message, detail) = words.split_at(words.len() / 2);
        let event = LogEvent {
            // Some share a moment.
            at: begin.plus(Duration::from_secs(dice.0.below(260_000) / 20 * 20)),
            audience: *dice.pick(Audience::ALL),
            level: *dice.pick(Level::ALL),
            action: *dice.pick(&ACTIONS),
            actor: dice.maybe(2, || dice.pick(&people()).clone()),
            subject: dice.maybe(2, || dice.pick(&people()).clone()),
            details: [("word".to_owned(), detail.join(" "))].into(),
            trace_id: dice.maybe(3, || dice.pick(&["t1", "t2"]).to_string()),
            ..world.event(&message.join(", "))
        };
        told.push((source, event));
    }
    for source in SOURCES {
        let of: Vec<_> = told.iter().filter(|(from, _)| *from == source).map(|(_, event)| event).collect();
        let envelopes = (1..).zip(of).map(|(seq, event)| envelope(source, seq, event));
        for part in envelopes.collect::<Vec<_>>().chunks(70) {
            world.journal.take(part.to_vec()).await.unwrap();
        }
    }
    // What is told of readers comes after all of it.
    world.clock.advance(Duration::from_hours(100));
    told
}

fn filter(dice: &Dice, begin: Timestamp) -> LogFilter {
    let moment = || begin.plus(Duration::from_secs(dice.0.below(260_000)));
    let (one, other) = (moment(), moment());
    let (from, to) = (one.min(other), one.max(other).plus(Duration::from_secs(1)));
    LogFilter {
        user: dice.maybe(3, || {
            let person = dice.pick(&people()).clone();
            if dice.one_in(2) { person.login } else { person.id.to_string() }
        }),
        action: (0..dice.0.below(3)).filter(|_| dice.one_in(2)).map(|_| *dice.pick(&ACTIONS)).collect(),
        level: (0..dice.0.below(2)).filter(|_| dice.one_in(2)).map(|_| *dice.pick(Level::ALL)).collect(),
        least: dice.maybe(4, || *dice.pick(Level::ALL)),
        audience: dice.maybe(4, || *dice.pick(Audience::ALL)),
        source: (0..2).filter(|_| dice.one_in(4)).map(|_| dice.pick(&SOURCES).parse().unwrap()).collect(),
        from: dice.maybe(3, || if dice.one_in(2) { from.day().into() } else { from.into() }),
        to: Some(if dice.one_in(2) { to.into() } else { begin.plus(Duration::from_hours(80)).into() }),
        text: dice.maybe(3, || dice.pick(dice.pick(&WORDS).1).parse().unwrap()),
        trace_id: dice.maybe(5, || dice.pick(&["t1", "t2", "t3"]).parse().unwrap()),
        mine: dice.one_in(8),
    }
}

/// Whether `reader` sees this event when asking for `asked`: a look at one event, by the words of the description.
fn is_seen(asked: &LogFilter, reader: &Person, staff: bool, source: &str, event: &LogEvent) -> bool {
    let is = |person: &Option<Person>, who: &str| {
        person.as_ref().is_some_and(|it| it.login == who || it.id.to_string() == who)
    };
    let own = is(&event.subject, &reader.login) && event.audience == Audience::Members;
    let mut words = vec![event.message.as_str()];
    words.extend(event.details.values().map(String::as_str));
    let holds = |word: &str| words.iter().any(|text| text.contains(word));
    let found = |search: &str| WORDS.iter().any(|(word, searches)| searches.contains(&search) && holds(word));
    let whose = match &asked.user {
        Some(user) if staff && !asked.mine => is(&event.actor, user) || is(&event.subject, user),
        Some(user) => own && (*user == reader.login || *user == reader.id.to_string()),
        None => (staff && !asked.mine) || own,
    };
    whose
        && (asked.action.is_empty() || asked.action.contains(&event.action))
        && (asked.level.is_empty() || asked.level.contains(&event.level))
        && asked.least.is_none_or(|least| event.level >= least)
        && asked.audience.is_none_or(|audience| audience == event.audience)
        && (asked.source.is_empty() || asked.source.iter().any(|it| it.as_str() == source))
        && asked.from.is_none_or(|from| event.at >= from.start())
        && asked.to.is_none_or(|to| event.at < to.end())
        && asked.text.as_ref().is_none_or(|text| found(text.as_str()))
        && asked.trace_id.as_ref().is_none_or(|trace| event.trace_id.as_deref() == Some(trace.as_str()))
}

async fn every_page(world: &World, reader: &Person, role: &str, asked: &LogFilter) -> Vec<EventId> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let limit = Limit::try_from(17).unwrap();
        let page = world.list(reader, role, ListLogs { cursor, limit, ..asked.clone().into() }).await.unwrap();
        seen.extend(page.items.into_iter().map(|entry| entry.id));
        cursor = page.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_a_look_at_every_entry_finds() {
    for world in worlds().await {
        let (dice, begin) = (Dice(Chance::seeded(7)), world.clock.now());
        let told = fill(&world, &dice, 1_200).await;
        let mut found = 0;
        for round in 0..120 {
            let asked = filter(&dice, begin);
            if asked.from.zip(asked.to).is_some_and(|(from, to)| to.end() <= from.start()) {
                continue;
            }
            let (reader, role) = if round % 3 == 0 { (claire(), "member") } else { (agent(), "agent") };
            let mut expected: Vec<_> = told
                .iter()
                .filter(|(source, event)| is_seen(&asked, &reader, role == "agent", source, event))
                .map(|(_, event)| (event.at, event.id))
                .collect();
            expected.sort_unstable();
            let expected: Vec<_> = expected.into_iter().rev().map(|(_, id)| id).collect();
            found += expected.len();
            assert_eq!(every_page(&world, &reader, role, &asked).await, expected, "{role} {asked:?}");
        }
        assert!(found > 500, "the filters of this test find something: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_only_an_old_entry_holds_is_found_by_staff_and_by_whom_it_concerns() {
    for world in worlds().await {
        let rare = LogEvent { subject: Some(claire()), ..world.event("a zeppelin of long ago") };
        world.journal.take(vec![envelope("bank", 1, &rare)]).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        fill(&world, &Dice(Chance::seeded(8)), 1_200).await;
        for (text, found) in [("zeppel", vec![rare.id]), ("zeppelin LONG", vec![rare.id]), ("zeppeline", vec![])] {
            let asked = LogFilter { text: Some(text.parse().unwrap()), ..LogFilter::default() };
            let of = |source: &str| LogFilter { source: vec![source.parse().unwrap()], ..asked.clone() };
            assert_eq!(every_page(&world, &agent(), "agent", &of("bank")).await, found, "{text}");
            assert_eq!(every_page(&world, &claire(), "member", &asked).await, found, "{text}");
            assert_eq!(every_page(&world, &marc(), "member", &asked).await, []);
        }
    }
}

async fn summarize(world: &World, person: &Person, role: &str, asked: SummarizeLogs) -> Result<LogSummary, Problem> {
    world.caller_of(person, role).call(asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_the_entries_that_would_be_listed() {
    for world in worlds().await {
        let (dice, begin) = (Dice(Chance::seeded(8)), world.clock.now());
        let told = fill(&world, &dice, 1_200).await;
        for round in 0..90 {
            let asked = filter(&dice, begin);
            if asked.from.zip(asked.to).is_some_and(|(from, to)| to.end() <= from.start()) {
                continue;
            }
            let per = *dice.pick(&[Per::Hour, Per::Day]);
            let (reader, role) = if round % 3 == 0 { (claire(), "member") } else { (agent(), "agent") };
            let request = SummarizeLogs { per: Some(per), ..asked.clone().into() };
            let summary = summarize(&world, &reader, role, request).await.unwrap();
            let widened = LogFilter { from: Some(summary.from.into()), to: Some(summary.to.into()), ..asked.clone() };
            assert!(
                asked.from.is_none_or(|from| summary.from <= from.start()) && asked.to.unwrap().end() <= summary.to
            );
            let seen: Vec<_> = told
                .iter()
                .filter(|(source, event)| is_seen(&widened, &reader, role == "agent", source, event))
                .map(|(_, event)| event)
                .collect();
            let case = format!("{role} {asked:?}");
            assert!(summary.complete);
            assert_eq!(summary.total, seen.len() as u64, "{case}");
            for counted in &summary.levels {
                let expected = seen.iter().filter(|event| event.level == counted.level).count();
                assert_eq!(counted.count, expected as u64, "{case}");
            }
            for counted in &summary.actions {
                let expected = seen.iter().filter(|event| event.action == counted.action).count();
                assert_eq!(counted.count, expected as u64, "{case}");
            }
            for point in &summary.series {
                let within = |event: &&&LogEvent| event.at >= point.at && event.at < point.at.plus(per.length());
                let of = |level| seen.iter().filter(within).filter(|event| event.level == level).count() as u64;
                let expected = SeriesPoint {
                    at: point.at,
                    info: of(Level::Info),
                    warning: of(Level::Warning),
                    error: of(Level::Error),
                };
                assert_eq!(*point, expected, "{case}");
            }
            let length = summary.to.since(summary.from).as_secs() / per.length().as_secs();
            assert_eq!(summary.series.len() as u64, length);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_learn_who_was_busiest_and_members_only_of_themselves() {
    for world in worlds().await {
        let decided = |actor: Person| LogEvent {
            actor: Some(actor),
            subject: Some(claire()),
            action: Action::DepositApproved,
            ..world.event("a deposit")
        };
        let mut events = vec![decided(person(4, "other")), decided(claire())];
        events.extend((0..3).map(|_| decided(agent())));
        world.deliver(1, &events).await;
        world.deliver(9, &[LogEvent { action: Action::Login, ..decided(marc()) }]).await;
        let named = |summary: LogSummary| -> Vec<(String, u64)> {
            summary.users.into_iter().map(|user| (user.login, user.count)).collect()
        };
        let asked = || SummarizeLogs { action: vec![Action::DepositApproved], ..SummarizeLogs::default() };
        let of_staff = named(summarize(&world, &agent(), "agent", asked()).await.unwrap());
        assert_eq!(of_staff, [("agathe".to_owned(), 3), ("claire".to_owned(), 1), ("other".to_owned(), 1)]);
        let own = summarize(&world, &claire(), "member", asked()).await.unwrap();
        assert_eq!((own.total, named(own)), (5, vec![("claire".to_owned(), 1)]));
        let none = summarize(&world, &marc(), "member", SummarizeLogs::default()).await.unwrap();
        assert_eq!((none.total, none.actions.len(), none.users.len()), (0, 0, 0));
        let named = SummarizeLogs { user: Some("claire".into()), ..SummarizeLogs::default() };
        assert_eq!(summarize(&world, &marc(), "member", named).await.unwrap().total, 0);
    }
}

/// Counts of long periods are put together from spans of different lengths.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_busiest_is_the_same_over_any_number_of_days() {
    for world in worlds().await {
        let (dice, begin) = (Dice(Chance::seeded(5)), world.clock.now());
        let people = [agent(), claire(), marc()];
        let mut told: Vec<LogEvent> = (0..400)
            .map(|_| {
                let at = begin.plus(Duration::from_hours(dice.0.below(300 * 24)));
                LogEvent { at, actor: Some(dice.pick(&people).clone()), ..world.event("somebody did it") }
            })
            .collect();
        world.deliver(1, &told).await;
        world.clock.set(begin.plus(Duration::from_hours(24 * 300)));
        // What is erased is counted for nobody, in spans of any length.
        world.journal.seal().await.unwrap();
        let erasure = Erasure { user: marc().id, acted_on_others: true, reason: "asked for it".into() };
        world.journal.erase(&erasure).await.unwrap();
        told.retain(|event| event.actor != Some(marc()));
        for _ in 0..60 {
            let (one, two) = (dice.0.below(300), dice.0.below(300));
            let day = |number: u64| begin.plus(Duration::from_hours(24 * number)).day().start();
            let (from, to) = (day(one.min(two)), day(one.max(two) + 1));
            let (from, to): (Edge, Edge) = (from.into(), to.into());
            let asked = SummarizeLogs {
                from: Some(from),
                to: Some(to),
                action: vec![Action::ProfileChanged],
                ..SummarizeLogs::default()
            };
            let summary = summarize(&world, &agent(), "agent", asked).await.unwrap();
            let mut expected: Vec<(String, u64)> = [agent(), claire()]
                .into_iter()
                .map(|person| {
                    let by = |event: &&LogEvent| event.actor.as_ref() == Some(&person);
                    let within = |event: &&LogEvent| event.at >= summary.from && event.at < summary.to;
                    let count = told.iter().filter(by).filter(within).count();
                    (person.login.clone(), u64::try_from(count).unwrap())
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            expected.sort_by(|(one, many), (other, fewer)| fewer.cmp(many).then(one.cmp(other)));
            let users: Vec<_> = summary.users.into_iter().map(|user| (user.login, user.count)).collect();
            assert_eq!(users, expected, "{} to {}", summary.from, summary.to);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_is_too_long_and_a_search_without_words_are_refused_in_words() {
    for world in worlds().await {
        let day = |text: &str| Some(text.parse::<Edge>().unwrap());
        let long = SummarizeLogs { from: day("2026-01-01"), per: Some(Per::Hour), ..SummarizeLogs::default() };
        let longer = SummarizeLogs { from: day("1990-01-01"), ..SummarizeLogs::default() };
        let wordless = SummarizeLogs { text: Some("?!".parse().unwrap()), ..SummarizeLogs::default() };
        for (asked, field) in [(long, "from"), (longer, "from"), (wordless, "text")] {
            let refused = summarize(&world, &agent(), "agent", asked).await.unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.faults()[0].field.as_str()), (400, field));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_staff_look_for_somebody_is_told_once_an_hour_and_their_overview_is_not() {
    for world in worlds().await {
        world.deliver(1, &[LogEvent { subject: Some(claire()), ..world.event("a deposit") }]).await;
        let told = async || {
            let asked = ListLogs { action: vec![Action::LogsRead], ..ListLogs::default() };
            world.list(&agent(), "agent", asked).await.unwrap().items
        };
        let none = ListLogs::default;
        for asked in [none(), ListLogs { level: vec![Level::Error], ..none() }, ListLogs { mine: true, ..none() }] {
            world.list(&agent(), "agent", asked).await.unwrap();
        }
        let own = ListLogs { user: Some("agathe".into()), ..none() };
        world.list(&agent(), "agent", own).await.unwrap();
        let member = ListLogs { text: Some("deposit".parse().unwrap()), ..none() };
        world.list(&claire(), "member", member).await.unwrap();
        assert_eq!(told().await.len(), 0);
        for _ in 0..3 {
            world.list(&agent(), "agent", ListLogs { user: Some("claire".into()), ..none() }).await.unwrap();
        }
        let entries = told().await;
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].actor.as_deref(), entries[0].subject.as_deref()), (Some("agathe"), Some("claire")));
        assert_eq!((entries[0].source.as_str(), entries[0].audience), ("journal", Audience::Agents));
        world.list(&agent(), "agent", ListLogs { text: Some("deposit".parse().unwrap()), ..none() }).await.unwrap();
        assert_eq!(told().await.len(), 2);
        assert!(world.holds("no gap in any source").await);
        assert_eq!(world.read(&claire(), "member", none()).await, ["a deposit"], "it is for staff alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_staff_read_a_single_entry_or_its_proof_is_told_as_if_they_had_looked_for_that_person() {
    for world in worlds().await {
        let about = LogEvent { subject: Some(claire()), ..world.event("a deposit") };
        let own = LogEvent { subject: Some(agent()), ..world.event("a new shift") };
        world.deliver(1, &[about.clone(), own.clone()]).await;
        world.journal.seal().await.unwrap();
        let told = async || {
            let asked = ListLogs { action: vec![Action::LogsRead], ..ListLogs::default() };
            world.list(&agent(), "agent", asked).await.unwrap().items.len()
        };
        let read = async |person: &Person, role: &str, id| world.caller_of(person, role).call(GetLog { id }).await;
        read(&claire(), "member", about.id).await.unwrap();
        read(&agent(), "agent", own.id).await.unwrap();
        assert_eq!(told().await, 0);
        for _ in 0..2 {
            read(&agent(), "agent", about.id).await.unwrap();
            world.proof(&agent(), "agent", about.id).await.unwrap();
        }
        assert_eq!(told().await, 1);
        world.list(&agent(), "agent", ListLogs { user: Some("claire".into()), ..ListLogs::default() }).await.unwrap();
        assert_eq!(told().await, 1, "it is the same question");
    }
}
