//! Finding entries: first where they are, by the narrowest filter, then what they say.

use std::collections::HashMap;

use ::store::{Kind as Database, Many, Query, Scalar, Script, StoreError, Transaction, Value, params};
use vocabulary::{EventId, Timestamp, UserId};

use super::{SQL as ENTRY_SQL, found};
use crate::entry::{Found, Place, Whose};
use crate::words::Wanted;

pub(super) const SQL: &str = include_str!("../sql/search.sql");

const SPOTS: Query<Many> = Query::find(SQL, "spots");
const SPOTS_OF_KINDS: Query<Many> = Query::find(SQL, "spots_of_kinds");
const SPOTS_FOR: Query<Many> = Query::find(SQL, "spots_for");
const SPOTS_OF_PERSON: Query<Many> = Query::find(SQL, "spots_of_person");
const SPOTS_OF_LOGIN: Query<Many> = Query::find(SQL, "spots_of_login");
const SPOTS_OF_TRACE: Query<Many> = Query::find(SQL, "spots_of_trace");
const SPOTS_OF_WORDS: Query<Many> = Query::find(SQL, "spots_of_words");
const COUNT_WORDS: Query<Scalar<i64>> = Query::find(SQL, "count_words");
const PLAN_BY_VALUES: Query<Script> = Query::find(SQL, "plan_by_values");
const ENTRIES_AMONG: Query<Many> = Query::find(ENTRY_SQL, "entries_among");
const ENTRIES_BETWEEN: Query<Many> = Query::find(ENTRY_SQL, "entries_between");

/// Words that fewer entries hold are looked up first; of others, enough are met while looking through the newest.
const FEW: i64 = 20_000;
/// So many kinds are looked up each by itself, where words are looked for besides.
const FEW_KINDS: usize = 8;

/// Which entries are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) whose: Whose,
    pub(crate) kinds: Vec<i64>,
    /// Whether these are all kinds that there are.
    pub(crate) of_any_kind: bool,
    pub(crate) words: Option<Wanted>,
    pub(crate) trace_id: Option<String>,
    pub(crate) from: Timestamp,
}

/// Where an entry is, and what is counted of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) place: Place,
    pub(crate) kind: i64,
    pub(crate) actor_id: Option<UserId>,
    pub(crate) actor: Option<String>,
}

/// The newest before `before`, at most so many.
pub(crate) async fn spots(
    tx: &mut Transaction,
    filter: &Filter,
    before: Place,
    most: i64,
) -> Result<Vec<Spot>, StoreError> {
    if filter.kinds.is_empty() {
        return Ok(Vec::new());
    }
    let words = filter.words.as_ref().map(|words| match tx.kind() {
        Database::Sqlite => words.for_sqlite(),
        Database::Postgres => words.for_postgres(),
    });
    let mut parameters = params![before.at, before.id, filter.from, filter.kinds.clone(), words.clone(), most].to_vec();
    if words.is_some() {
        tx.run(&PLAN_BY_VALUES, params![]).await?;
    }
    let (id, login): (Value, Value) = match &filter.whose {
        Whose::Person(id) => ((*id).into(), Value::Null),
        Whose::Login(login) => (Value::Null, login.into()),
        Whose::All | Whose::For(_) => (Value::Null, Value::Null),
    };
    let query = match (&filter.whose, &filter.trace_id, words) {
        // A member's own entries alone are looked at, whatever the filter: not even the time it takes tells of others.
        (Whose::For(id), trace_id, _) => {
            parameters.extend([(*id).into(), trace_id.clone().into()]);
            &SPOTS_FOR
        }
        (_, Some(trace_id), _) => {
            parameters.extend([trace_id.into(), id, login]);
            &SPOTS_OF_TRACE
        }
        (_, None, Some(words)) if are_few(tx, &words).await? => {
            parameters.extend([id, login]);
            &SPOTS_OF_WORDS
        }
        (Whose::Person(_), ..) => {
            parameters.push(id);
            &SPOTS_OF_PERSON
        }
        (Whose::Login(_), ..) => {
            parameters.push(login);
            &SPOTS_OF_LOGIN
        }
        (Whose::All, _, None) if !filter.of_any_kind => &SPOTS_OF_KINDS,
        (Whose::All, _, Some(_)) if !filter.of_any_kind && filter.kinds.len() <= FEW_KINDS => &SPOTS_OF_KINDS,
        (Whose::All, ..) => &SPOTS,
    };
    let spot = |row: &::store::Row| {
        let place = Place { at: row.get("at")?, id: row.get("id")? };
        Ok(Spot { place, kind: row.get("kind")?, actor_id: row.get("actor_id")?, actor: row.get("actor_login")? })
    };
    tx.run(query, &parameters).await?.iter().map(spot).collect()
}

async fn are_few(tx: &mut Transaction, words: &str) -> Result<bool, StoreError> {
    let count = tx.run(&COUNT_WORDS, params![words, FEW]).await?;
    Ok(count.is_none_or(|count| count < FEW))
}

/// The entries at these spots, in their order.
pub(crate) async fn entries_at(tx: &mut Transaction, spots: &[Spot]) -> Result<Vec<Found>, StoreError> {
    if spots.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<EventId> = spots.iter().map(|spot| spot.place.id).collect();
    let mut entries = HashMap::with_capacity(ids.len());
    for row in &tx.run(&ENTRIES_AMONG, params![ids]).await? {
        let found = found(row)?;
        entries.insert(found.entry.id, found);
    }
    Ok(spots.iter().filter_map(|spot| entries.remove(&spot.place.id)).collect())
}

/// Entries in the order in which they came: those at the places of the log from one up to another.
pub(crate) async fn entries_between(tx: &mut Transaction, from: u64, to: u64) -> Result<Vec<Found>, StoreError> {
    let place = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    tx.run(&ENTRIES_BETWEEN, params![place(from), place(to)]).await?.iter().map(found).collect()
}
