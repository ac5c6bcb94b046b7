//! The journal's tables. With [`log`] and [`receiving`], which keep those of the tree and of what comes
//! over a broker, the only SQL of the crate.

pub(crate) mod log;
pub(crate) mod receiving;

use ::store::{Affected, Bulk, Many, Migration, Query, Row, Scalar, StoreError, Transaction, columns, params};
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use contracts::journal::LogEntry;
use vocabulary::{EventId, Timestamp};

use crate::entry::{Found, Kept, Place, Whose};
use crate::hearing::Hearing;

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
];

const SQL: &str = include_str!("sql/entry.sql");
const SOURCE_SQL: &str = include_str!("sql/source.sql");
/// All query texts, for [`::store::check::prepare_all`].
pub const QUERIES: &[&str] = &[SQL, SOURCE_SQL, log::SQL, receiving::SQL];

const ADD_ENTRIES: Query<Bulk> = Query::find(SQL, "add_entries");
const KNOWN_AMONG: Query<Many> = Query::find(SQL, "known_among");
const ENTRIES: Query<Many> = Query::find(SQL, "entries");
const ENTRIES_OF_ACTION: Query<Many> = Query::find(SQL, "entries_of_action");
const ENTRIES_OF_LEVEL: Query<Many> = Query::find(SQL, "entries_of_level");
const ENTRIES_FOR: Query<Many> = Query::find(SQL, "entries_for");
const ENTRIES_OF_PERSON: Query<Many> = Query::find(SQL, "entries_of_person");
const ENTRIES_OF_LOGIN: Query<Many> = Query::find(SQL, "entries_of_login");
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

/// Keeps events that are not kept yet.
pub(crate) async fn keep(tx: &mut Transaction, events: Vec<Kept>) -> Result<(), StoreError> {
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
        raws
    ];
    tx.bulk(&ADD_ENTRIES, columns).await.map(drop)
}

/// Which entries are asked for.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) whose: Whose,
    pub(crate) action: Option<Action>,
    pub(crate) level: Option<Level>,
    pub(crate) from: Timestamp,
    pub(crate) before: Place,
    pub(crate) limit: i64,
}

/// The entries, newest first.
pub(crate) async fn find(tx: &mut Transaction, filter: &Filter) -> Result<Vec<Found>, StoreError> {
    let Place { at, id } = filter.before;
    let (action, level) = (filter.action.map(Action::name), filter.level.map(Level::name));
    let mut parameters = params![at, id, filter.from, action, level, filter.limit].to_vec();
    let query = match &filter.whose {
        Whose::All if action.is_some() => &ENTRIES_OF_ACTION,
        Whose::All if level.is_some() => &ENTRIES_OF_LEVEL,
        Whose::All => &ENTRIES,
        Whose::For(id) => {
            parameters.push((*id).into());
            &ENTRIES_FOR
        }
        Whose::Person(id) => {
            parameters.push((*id).into());
            &ENTRIES_OF_PERSON
        }
        Whose::Login(login) => {
            parameters.push(login.into());
            &ENTRIES_OF_LOGIN
        }
    };
    tx.run(query, &parameters).await?.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found, StoreError> {
    let LogEvent { id, at, audience, level, action, actor, subject, message, details, trace_id } = event(row)?;
    let (actor_id, actor) = actor.map(|person| (person.id, person.login)).unzip();
    let (subject_id, subject) = subject.map(|person| (person.id, person.login)).unzip();
    let source = row.get("source")?;
    let entry =
        LogEntry { id, at, audience, level, action, actor, subject, subject_id, message, details, source, trace_id };
    Ok(Found { entry, actor_id })
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
