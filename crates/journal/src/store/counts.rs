//! How many entries there are: kept with each entry, so that a chart reads what it shows and not what was counted.

use std::collections::BTreeMap;

use ::store::{Bulk, Many, Query, StoreError, Transaction, Value, columns, params};
use contracts::events::{Action, Level};
use vocabulary::{Timestamp, UserId};

use crate::entry::Kept;

pub(super) const SQL: &str = include_str!("../sql/counts.sql");

const ADD_COUNTS: Query<Bulk> = Query::find(SQL, "add_counts");
const ADD_ACTOR_COUNTS: Query<Bulk> = Query::find(SQL, "add_actor_counts");
const COUNTS_BY_LEVEL: Query<Many> = Query::find(SQL, "counts_by_level");
const COUNTS_BY_ACTION: Query<Many> = Query::find(SQL, "counts_by_action");
const COUNTS_BY_ACTOR: Query<Many> = Query::find(SQL, "counts_by_actor");

/// An hour and a day, in microseconds.
pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Thirty days: who did how much in a year is read by these.
const LONG: i64 = 30 * DAY;
/// The spans by which it is counted who did how much.
pub(crate) const OF_ACTORS: [i64; 2] = [DAY, LONG];

/// The first moment of the span of this length in which `at` lies.
pub(crate) fn start(at: Timestamp, span: i64) -> Timestamp {
    let within = at.micros().checked_rem_euclid(span).unwrap_or(0);
    Timestamp::from_micros(at.micros().saturating_sub(within))
}

/// Counts entries of these kinds.
pub(crate) async fn add(tx: &mut Transaction, entries: &[Kept], kinds: &[i64]) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(i64, i64, i64), i64> = BTreeMap::new();
    let mut by_actor: BTreeMap<(i64, i64, UserId, i64), (String, i64)> = BTreeMap::new();
    for (Kept { event, .. }, kind) in entries.iter().zip(kinds) {
        for span in [HOUR, DAY] {
            let count = counts.entry((span, start(event.at, span).micros(), *kind)).or_default();
            *count = count.saturating_add(1);
        }
        if let Some(actor) = &event.actor {
            for span in OF_ACTORS {
                let of = (span, start(event.at, span).micros(), actor.id, *kind);
                let (_, count) = by_actor.entry(of).or_insert_with(|| (actor.login.clone(), 0));
                *count = count.saturating_add(1);
            }
        }
    }
    let (mut spans, mut starts, mut of, mut many) = (vec![], vec![], vec![], vec![]);
    for ((span, start, kind), count) in counts {
        spans.push(span);
        starts.push(start);
        of.push(kind);
        many.push(count);
    }
    tx.bulk(&ADD_COUNTS, columns![spans, starts, of, many]).await?;
    let (mut spans, mut starts, mut ids) = (vec![], vec![], vec![]);
    let (mut of, mut logins, mut many) = (vec![], vec![], vec![]);
    for ((span, start, id, kind), (login, count)) in by_actor {
        spans.push(span);
        starts.push(start);
        ids.push(id);
        of.push(kind);
        logins.push(login);
        many.push(count);
    }
    tx.bulk(&ADD_ACTOR_COUNTS, columns![spans, starts, ids, of, logins, many]).await.map(drop)
}

/// What is counted: spans of this length, from one up to another, of these kinds.
pub(crate) struct Counted {
    pub(crate) span: i64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) kinds: Vec<i64>,
}

impl Counted {
    fn parameters(&self) -> Vec<Value> {
        params![self.span, self.from, self.to, self.kinds.clone()].to_vec()
    }
}

fn count(row: &::store::Row) -> Result<u64, StoreError> {
    row.get("entries")
}

pub(crate) async fn by_level(
    tx: &mut Transaction,
    counted: &Counted,
) -> Result<Vec<(Timestamp, Level, u64)>, StoreError> {
    let mut found = Vec::new();
    for row in tx.run(&COUNTS_BY_LEVEL, &counted.parameters()).await? {
        if let Some(level) = Level::from_name(&row.get::<String>("level")?) {
            found.push((row.get("start")?, level, count(&row)?));
        }
    }
    Ok(found)
}

pub(crate) async fn by_action(tx: &mut Transaction, counted: &Counted) -> Result<Vec<(Action, u64)>, StoreError> {
    let mut found = Vec::new();
    for row in tx.run(&COUNTS_BY_ACTION, &counted.parameters()).await? {
        if let Some(action) = Action::from_name(&row.get::<String>("action")?) {
            found.push((action, count(&row)?));
        }
    }
    Ok(found)
}

/// The busiest people, in whole days, at most so many.
pub(crate) async fn by_actor(
    tx: &mut Transaction,
    counted: &Counted,
    most: u32,
) -> Result<Vec<(String, u64)>, StoreError> {
    let last = Timestamp::from_micros(counted.to.micros().saturating_sub(1));
    let (from, to) = (start(counted.from, DAY).micros(), start(last, DAY).micros().saturating_add(DAY));
    let floor = |at| start(Timestamp::from_micros(at), LONG).micros();
    // The long spans that lie wholly within; without any, all of it is read by days.
    let (first, end) = (floor(from.saturating_sub(1)).saturating_add(LONG), floor(to));
    let (first, end) = if first < end { (first, end) } else { (to, to) };
    let parameters = params![from, first, end, to, DAY, LONG, counted.kinds.clone(), most];
    let rows = tx.run(&COUNTS_BY_ACTOR, parameters).await?;
    rows.iter().map(|row| Ok((row.get("login")?, count(row)?))).collect()
}
