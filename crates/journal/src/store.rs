//! The journal's tables. With its rooms, the only SQL of the crate.

pub(crate) mod counts;
pub(crate) mod erasing;
pub(crate) mod kinds;
pub(crate) mod log;
pub(crate) mod receiving;
pub(crate) mod search;

use std::collections::BTreeSet;

use ::store::{
    Affected, Bulk, Many, Migration, Optional, Query, Row, Scalar, StoreError, Transaction, columns, params,
};
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use contracts::journal::LogEntry;
use vocabulary::{EventId, UserId};

use crate::entry::{Found, Kept};
use crate::hearing::Hearing;
use crate::words;

/// The journal's tables.
pub const MIGRATIONS: &[Migration] = &[
    ::store::migration!(
        1,
        "create",
        "sql/migrations/sqlite/0001_create.sql",
        "sql/migrations/postgres/0001_create.sql"
    ),
    ::store::migration!(2, "log", "sql/migrations/sqlite/0002_log.sql", "sql/migrations/postgres/0002_log.sql"),
    ::store::migration!(
        3,
        "receiving",
        "sql/migrations/sqlite/0003_receiving.sql",
        "sql/migrations/postgres/0003_receiving.sql"
    ),
    ::store::migration!(
        4,
        "search",
        "sql/migrations/sqlite/0004_search.sql",
        "sql/migrations/postgres/0004_search.sql"
    ),
    ::store::migration!(
        5,
        "erasing",
        "sql/migrations/sqlite/0005_erasing.sql",
        "sql/migrations/postgres/0005_erasing.sql"
    ),
    ::store::migration!(
        6,
        "actor_counts",
        "sql/migrations/sqlite/0006_actor_counts.sql",
        "sql/migrations/postgres/0006_actor_counts.sql"
    ),
    ::store::migration!(
        7,
        "people",
        "sql/migrations/sqlite/0007_people.sql",
        "sql/migrations/postgres/0007_people.sql"
    ),
    ::store::migration!(
        8,
        "actor_months",
        "sql/migrations/sqlite/0008_actor_months.sql",
        "sql/migrations/postgres/0008_actor_months.sql"
    ),
];

const SQL: &str = include_str!("sql/entry.sql");
const SOURCE_SQL: &str = include_str!("sql/source.sql");
/// All query texts, for [`::store::check::prepare_all`].
pub const QUERIES: &[&str] = &[SQL, SOURCE_SQL, log::SQL, receiving::SQL, search::SQL, counts::SQL, erasing::SQL];

const ADD_ENTRIES: Query<Bulk> = Query::find(SQL, "add_entries");
const KNOWN_AMONG: Query<Many> = Query::find(SQL, "known_among");
const ADD_PEOPLE: Query<Bulk> = Query::find(SQL, "add_people");
const PEOPLE_OF: Query<Many> = Query::find(SQL, "people_of");
const ADD_WORDS: Query<Bulk> = Query::find(SQL, "add_words");
const SET_PLACES: Query<Bulk> = Query::find(SQL, "set_places");
const WORDLESS: Query<Optional> = Query::find(SQL, "wordless");
const SET_WORDLESS: Query<Affected> = Query::find(SQL, "set_wordless");
const COUNT_UNREADABLE: Query<Scalar<i64>> = Query::find(SQL, "count_unreadable");
const KNOW_SOURCE: Query<Affected> = Query::find(SOURCE_SQL, "know_source");
const HEARD_UP_TO: Query<Scalar<i64>> = Query::find(SOURCE_SQL, "heard_up_to");
const HEAR: Query<Affected> = Query::find(SOURCE_SQL, "hear");
const GAPS_OF: Query<Many> = Query::find(SOURCE_SQL, "gaps_of");
const FORGET_GAPS: Query<Affected> = Query::find(SOURCE_SQL, "forget_gaps");
const ADD_GAPS: Query<Bulk> = Query::find(SOURCE_SQL, "add_gaps");
const COUNT_GAPS: Query<Scalar<i64>> = Query::find(SOURCE_SQL, "count_gaps");

/// What has been heard of `source`, locked until the transaction ends.
pub(crate) async fn hearing(tx: &mut Transaction, source: &str) -> Result<Hearing, StoreError> {
    tx.run(&KNOW_SOURCE, params![source]).await?;
    let up_to = tx.run(&HEARD_UP_TO, params![source]).await?.unwrap_or(0);
    let gaps = tx.run(&GAPS_OF, params![source]).await?;
    let gaps = gaps.iter().map(|row| Ok((row.get("first_seq")?, row.get("last_seq")?)));
    Ok(Hearing { up_to, gaps: gaps.collect::<Result<_, StoreError>>()? })
}

/// Keeps what changed.
pub(crate) async fn set_hearing(
    tx: &mut Transaction,
    source: &str,
    before: &Hearing,
    now: &Hearing,
) -> Result<(), StoreError> {
    if now.up_to != before.up_to {
        tx.run(&HEAR, params![source, now.up_to]).await?;
    }
    if now.gaps != before.gaps {
        tx.run(&FORGET_GAPS, params![source]).await?;
        let (first, last): (Vec<i64>, Vec<i64>) = now.gaps.iter().copied().unzip();
        tx.bulk(&ADD_GAPS, columns![vec![source; first.len()], first, last]).await?;
    }
    Ok(())
}

/// Those of the events that are kept already.
pub(crate) async fn known_among(tx: &mut Transaction, ids: Vec<EventId>) -> Result<Vec<EventId>, StoreError> {
    tx.run(&KNOWN_AMONG, params![ids]).await?.iter().map(|row| row.get("id")).collect()
}

/// Keeps events that are not kept yet, at the places of the log from `first` on: so that they are found and counted.
pub(crate) async fn keep(tx: &mut Transaction, events: Vec<Kept>, first: u64) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let kinds = kinds::of(tx, &events).await?;
    counts::add(tx, &events, &kinds).await?;
    add_people(tx, &events).await?;
    let places = places(first, events.len());
    let words = events.iter().map(|kept| written_words(&kept.event)).collect();
    add_words(tx, places.clone(), words).await?;
    let count = events.len();
    let text = |it: &'static str| it.to_owned();
    let (mut ids, mut sources, mut numbers, mut times) = (vec![], vec![], vec![], vec![]);
    let (mut audiences, mut levels, mut actions) = (vec![], vec![], vec![]);
    let (mut actor_ids, mut actors, mut subject_ids, mut subjects) = (vec![], vec![], vec![], vec![]);
    let (mut messages, mut details, mut traces, mut raws) = (vec![], vec![], vec![], Vec::with_capacity(count));
    for Kept { event, source, seq, raw } in events {
        ids.push(event.id);
        sources.push(source);
        numbers.push(seq);
        times.push(event.at);
        audiences.push(text(event.audience.name()));
        levels.push(text(event.level.name()));
        actions.push(text(event.action.name()));
        let (id, login) = event.actor.map(|person| (person.id, person.login)).unzip();
        actor_ids.push(id);
        actors.push(login);
        let (id, login) = event.subject.map(|person| (person.id, person.login)).unzip();
        subject_ids.push(id);
        subjects.push(login);
        messages.push(event.message);
        details.push(serde_json::to_string(&event.details).map_err(|error| StoreError::Row(error.to_string()))?);
        traces.push(event.trace_id);
        raws.push(raw);
    }
    let columns = columns![
        ids,
        sources,
        numbers,
        times,
        audiences,
        levels,
        actions,
        actor_ids,
        actors,
        subject_ids,
        subjects,
        messages,
        details,
        traces,
        raws,
        kinds,
        places
    ];
    tx.bulk(&ADD_ENTRIES, columns).await.map(drop)
}

/// Whoever these name is found by login from now on.
async fn add_people(tx: &mut Transaction, events: &[Kept]) -> Result<(), StoreError> {
    let named = events.iter().flat_map(|Kept { event, .. }| [&event.actor, &event.subject]);
    let named: BTreeSet<(&str, UserId)> = named.flatten().map(|person| (person.login.as_str(), person.id)).collect();
    let (logins, ids): (Vec<String>, Vec<UserId>) = named.into_iter().map(|(login, id)| (login.to_owned(), id)).unzip();
    tx.bulk(&ADD_PEOPLE, columns![logins, ids]).await.map(drop)
}

/// Everybody who has or had this login.
pub(crate) async fn people_of(tx: &mut Transaction, login: &str) -> Result<Vec<UserId>, StoreError> {
    tx.run(&PEOPLE_OF, params![login]).await?.iter().map(|row| row.get("id")).collect()
}

/// So many places of the log, from this one on.
fn places(first: u64, count: usize) -> Vec<i64> {
    let first = i64::try_from(first).unwrap_or(i64::MAX);
    (first..).take(count).collect()
}

fn written_words(event: &LogEvent) -> String {
    words::of_entry(&event.message, &event.details).into_iter().collect::<Vec<_>>().join(" ")
}

async fn add_words(tx: &mut Transaction, places: Vec<i64>, words: Vec<String>) -> Result<(), StoreError> {
    tx.bulk(&ADD_WORDS, columns![places, words]).await.map(drop)
}

/// Entries from before there was a log: they have their places now, from `first` on, and are found by their words.
pub(crate) async fn place(tx: &mut Transaction, entries: &[Kept], first: u64) -> Result<(), StoreError> {
    let places = places(first, entries.len());
    let ids: Vec<EventId> = entries.iter().map(|kept| kept.event.id).collect();
    tx.bulk(&SET_PLACES, columns![ids, places.clone()]).await?;
    add_words(tx, places, entries.iter().map(|kept| written_words(&kept.event)).collect()).await
}

/// Entries of the log from before there were words: from which place up to which.
pub(crate) async fn wordless(tx: &mut Transaction) -> Result<(u64, u64), StoreError> {
    let row = tx.run(&WORDLESS, params![]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get("done")?, row.get("below")?)))
}

/// They are found by their words from now on, as far as `done`.
pub(crate) async fn find_by_words(
    tx: &mut Transaction,
    entries: &[(u64, &LogEvent)],
    done: u64,
) -> Result<(), StoreError> {
    let places: Vec<i64> = entries.iter().map(|(place, _)| i64::try_from(*place).unwrap_or(i64::MAX)).collect();
    add_words(tx, places, entries.iter().map(|(_, event)| written_words(event)).collect()).await?;
    tx.run(&SET_WORDLESS, params![i64::try_from(done).unwrap_or(i64::MAX)]).await.map(drop)
}

fn found(row: &Row) -> Result<Found, StoreError> {
    let LogEvent { id, at, audience, level, action, actor, subject, message, details, trace_id } = event(row)?;
    let (actor_id, actor) = actor.map(|person| (person.id, person.login)).unzip();
    let (subject_id, subject) = subject.map(|person| (person.id, person.login)).unzip();
    let source = row.get("source")?;
    let erased = row.get("erased")?;
    let entry = LogEntry {
        id,
        at,
        audience,
        level,
        action,
        actor,
        subject,
        subject_id,
        message,
        details,
        source,
        trace_id,
        erased,
    };
    let number = row.get::<Option<u64>>("place")?.unwrap_or(u64::MAX);
    Ok(Found { entry, actor_id, number })
}

/// What was told, as its row holds it.
fn event(row: &Row) -> Result<LogEvent, StoreError> {
    let person = |id: &str, login: &str| -> Result<Option<Person>, StoreError> {
        let (id, login) = (row.get(id)?, row.get(login)?);
        Ok(Option::zip(id, login).map(|(id, login)| Person { id, login }))
    };
    let named = |column: &str| row.get::<String>(column);
    let unknown = |column: &str| StoreError::Row(format!("the column {column} holds an unknown word"));
    let details = serde_json::from_str(&named("details")?);
    Ok(LogEvent {
        id: row.get("id")?,
        at: row.get("at")?,
        audience: Audience::from_name(&named("audience")?).ok_or_else(|| unknown("audience"))?,
        level: Level::from_name(&named("level")?).ok_or_else(|| unknown("level"))?,
        action: Action::from_name(&named("action")?).ok_or_else(|| unknown("action"))?,
        actor: person("actor_id", "actor_login")?,
        subject: person("subject_id", "subject_login")?,
        message: row.get("message")?,
        details: details.map_err(|error| StoreError::Row(format!("the column details {error}")))?,
        trace_id: row.get("trace_id")?,
    })
}

/// How many runs of numbers are missing.
pub(crate) async fn count_gaps(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_GAPS, params![]).await?.unwrap_or(0))
}

/// How many entries could not be read.
pub(crate) async fn count_unreadable(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_UNREADABLE, params![]).await?.unwrap_or(0))
}
