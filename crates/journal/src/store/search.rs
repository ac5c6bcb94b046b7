//! Finding entries: first where they are, by the narrowest filter, then what they say.

use std::collections::{HashMap, HashSet};

use ::store::{Kind as Database, Many, Query, Scalar, Script, StoreError, Transaction, Value, params};
use vocabulary::{EventId, Timestamp, UserId};

use super::{SQL as ENTRY_SQL, found};
use crate::entry::{Found, Place, Whose};
use crate::words::{self, Wanted};

pub(super) const SQL: &str = include_str!("../sql/search.sql");

const SPOTS: Query<Many> = Query::find(SQL, "spots");
const SPOTS_OF_KINDS: Query<Many> = Query::find(SQL, "spots_of_kinds");
const SPOTS_FOR: Query<Many> = Query::find(SQL, "spots_for");
const SPOTS_OF_PEOPLE: Query<Many> = Query::find(SQL, "spots_of_people");
const SPOTS_OF_TRACE: Query<Many> = Query::find(SQL, "spots_of_trace");
const SPOTS_OF_WORDS: Query<Many> = Query::find(SQL, "spots_of_words");
const COUNT_WORDS: Query<Scalar<i64>> = Query::find(SQL, "count_words");
const PLAN_BY_VALUES: Query<Script> = Query::find(SQL, "plan_by_values");
const ENTRIES_AMONG: Query<Many> = Query::find(ENTRY_SQL, "entries_among");
const ENTRIES_BETWEEN: Query<Many> = Query::find(ENTRY_SQL, "entries_between");

/// Words that fewer entries hold can be looked up.
const FEW: i64 = 20_000;
/// Where words are looked for in entry after entry: how many of them first, and at most, are read at a time.
const FIRST_STEP: i64 = 200;
const LONGEST_STEP: i64 = 5_000;
/// With more kinds than this the steps stay shorter, since so many of each are looked up.
const FEW_KINDS: usize = 8;
const SHORT_STEP: i64 = 500;
/// Words that were not met often enough in so many of the newest entries may be rare.
const SAID_LITTLE: usize = 600;
/// Words that one in so many entries holds are not rare.
const OFTEN: usize = 10;
/// Entries that are looked through for words in one go. What is older is found by going on from there.
const LOOKED_THROUGH: usize = 20_000;

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

/// What was found, newest first.
#[derive(Default)]
pub(crate) struct Spots {
    pub(crate) spots: Vec<Spot>,
    /// Up to where was looked, where there may be more behind it.
    pub(crate) rest: Option<Place>,
}

impl Spots {
    /// All that there was, unless it is as many as were asked for.
    fn of(spots: Vec<Spot>, most: i64) -> Self {
        let rest = spots.last().filter(|_| Self::is_full(spots.len(), most)).map(|last| last.place);
        Self { spots, rest }
    }

    fn is_full(count: usize, most: i64) -> bool {
        usize::try_from(most).is_ok_and(|most| count >= most)
    }
}

/// The newest before `before`, at most so many.
pub(crate) async fn spots(
    tx: &mut Transaction,
    filter: &Filter,
    before: Place,
    most: i64,
) -> Result<Spots, StoreError> {
    if filter.kinds.is_empty() {
        return Ok(Spots::default());
    }
    match &filter.words {
        None => Ok(Spots::of(by_index(tx, filter, before, most).await?, most)),
        Some(words) => with_words(tx, filter, words, before, most).await,
    }
}

/// Those that hold words: first in the newest entries, which is where frequent words are met soon; words that may be rare are
/// looked up. An index of beginnings of words is not asked entry by entry: each time it would gather all that it has of them.
async fn with_words(
    tx: &mut Transaction,
    filter: &Filter,
    words: &Wanted,
    before: Place,
    most: i64,
) -> Result<Spots, StoreError> {
    let enough = usize::try_from(most).unwrap_or(usize::MAX);
    // A member's own entries alone are looked at, whatever the filter: not even the time it takes tells of others.
    let mut may_be_rare = !matches!(filter.whose, Whose::For(_)) && filter.trace_id.is_none();
    let longest = if filter.of_any_kind || filter.kinds.len() <= FEW_KINDS { LONGEST_STEP } else { SHORT_STEP };
    let (mut spots, mut at, mut step, mut seen) = (Vec::new(), before, FIRST_STEP, 0_usize);
    loop {
        // Others have their turn: SQLite answers without ever waiting.
        tokio::task::yield_now().await;
        let next = by_index(tx, filter, at, step).await?;
        seen = seen.saturating_add(next.len());
        let end = next.last().filter(|_| Spots::is_full(next.len(), step)).map(|last| last.place);
        let found = entries_at(tx, &next).await?;
        let holding = found.iter().filter(|it| words.is_in(&words::of_entry(&it.entry.message, &it.entry.details)));
        let holding: HashSet<EventId> = holding.map(|it| it.entry.id).collect();
        spots.extend(next.into_iter().filter(|spot| holding.contains(&spot.place.id)));
        if spots.len() >= enough {
            spots.truncate(enough);
            return Ok(Spots::of(spots, most));
        }
        let Some(end) = end else { return Ok(Spots { spots, rest: None }) };
        if may_be_rare && seen >= SAID_LITTLE {
            may_be_rare = false;
            let (done, below) = super::wordless(tx).await?;
            if spots.len().saturating_mul(OFTEN) >= seen || done < below {
                // Met often enough to go on; or not all entries are in the index yet.
                (at, step) = (end, step.saturating_mul(2).min(longest));
                continue;
            }
            let words = match tx.kind() {
                Database::Sqlite => words.for_sqlite(),
                Database::Postgres => words.for_postgres(),
            };
            tx.run(&PLAN_BY_VALUES, params![]).await?;
            if are_few(tx, &words).await? {
                return Ok(Spots::of(by_words(tx, filter, before, most, &words).await?, most));
            }
        }
        if seen >= LOOKED_THROUGH {
            return Ok(Spots { spots, rest: Some(end) });
        }
        (at, step) = (end, step.saturating_mul(2).min(longest));
    }
}

/// Words aside, by the narrowest of the other filters.
async fn by_index(tx: &mut Transaction, filter: &Filter, before: Place, most: i64) -> Result<Vec<Spot>, StoreError> {
    let mut parameters = filter.parameters(before, most);
    let (id, login) = filter.person();
    let query = match (&filter.whose, &filter.trace_id) {
        (Whose::For(id), trace_id) => {
            parameters.extend([(*id).into(), trace_id.clone().into()]);
            &SPOTS_FOR
        }
        (_, Some(trace_id)) => {
            parameters.extend([trace_id.into(), id, login]);
            &SPOTS_OF_TRACE
        }
        (Whose::Person(id), None) => {
            parameters.extend([vec![*id].into(), login]);
            &SPOTS_OF_PEOPLE
        }
        (Whose::Login(name), None) => {
            parameters.extend([super::people_of(tx, name).await?.into(), login]);
            &SPOTS_OF_PEOPLE
        }
        (Whose::All, None) if filter.of_any_kind => &SPOTS,
        (Whose::All, None) => &SPOTS_OF_KINDS,
    };
    tx.run(query, &parameters).await?.iter().map(spot).collect()
}

/// Of words that few entries hold.
async fn by_words(
    tx: &mut Transaction,
    filter: &Filter,
    before: Place,
    most: i64,
    words: &str,
) -> Result<Vec<Spot>, StoreError> {
    let mut parameters = filter.parameters(before, most);
    let (id, login) = filter.person();
    parameters.extend([id, login, words.into()]);
    tx.run(&SPOTS_OF_WORDS, &parameters).await?.iter().map(spot).collect()
}

impl Filter {
    fn parameters(&self, before: Place, most: i64) -> Vec<Value> {
        params![before.at, before.id, self.from, self.kinds.clone(), most].to_vec()
    }

    /// By id or by login.
    fn person(&self) -> (Value, Value) {
        match &self.whose {
            Whose::Person(id) => ((*id).into(), Value::Null),
            Whose::Login(login) => (Value::Null, login.into()),
            Whose::All | Whose::For(_) => (Value::Null, Value::Null),
        }
    }
}

fn spot(row: &::store::Row) -> Result<Spot, StoreError> {
    let place = Place { at: row.get("at")?, id: row.get("id")? };
    Ok(Spot { place, kind: row.get("kind")?, actor_id: row.get("actor_id")?, actor: row.get("actor_login")? })
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
