//! Hours and days that were put together.

use std::collections::{BTreeMap, HashMap};

use ::store::{Affected, Bulk, Many, Optional, Query, Row, Scalar, StoreError, Transaction, columns, params};
use contracts::monitor::{Spent, State};
use vocabulary::Timestamp;

use crate::history::{DAY, HOUR, Put, Spans, Tally, Window, millis, moment, sum};
use crate::latencies::{Latencies, Unreadable};

pub(super) const SQL: &str = include_str!("../sql/spans.sql");

const BEGIN: Query<Affected> = Query::find(SQL, "begin");
const PUT_TOGETHER: Query<Optional> = Query::find(SQL, "put_together");
const HOLD_PUT_TOGETHER: Query<Optional> = Query::find(SQL, "hold_put_together");
const SET_PUT_TOGETHER: Query<Affected> = Query::find(SQL, "set_put_together");
const CHECKS_FROM: Query<Many> = Query::find(SQL, "checks_from");
const ADD_SPANS: Query<Bulk> = Query::find(SQL, "add_spans");
const LATENCIES_AT: Query<Many> = Query::find(SQL, "latencies_at");
const SPANS_BETWEEN: Query<Many> = Query::find(SQL, "spans_between");
const DAYS_FROM: Query<Many> = Query::find(SQL, "days_from");
const TAILS: Query<Many> = Query::find(SQL, "tails");
const DROP_SPANS: Query<Affected> = Query::find(SQL, "drop_spans");
const DROP_FORGOTTEN_SPANS: Query<Affected> = Query::find(SQL, "drop_forgotten_spans");
const FORGET: Query<Affected> = Query::find(SQL, "forget");
const FORGOTTEN: Query<Scalar<i64>> = Query::find(SQL, "forgotten");
const LAST_FORGOTTEN: Query<Scalar<Option<i64>>> = Query::find(SQL, "last_forgotten");
const CLEAR_FORGOTTEN: Query<Affected> = Query::find(SQL, "clear_forgotten");

/// Up to when results were put together, in milliseconds: checks numbered below `next_check` an hour further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub(crate) up_to: i64,
    pub(crate) next_check: i64,
}

impl Mark {
    /// Where nothing was put together yet.
    const NONE: Self = Self { up_to: i64::MIN / 1000, next_check: 0 };

    /// Up to when those of this check were.
    pub(crate) const fn of(self, check: i64) -> i64 {
        if check < self.next_check { self.up_to.saturating_add(HOUR) } else { self.up_to }
    }

    fn read(row: Option<Row>) -> Result<Option<Self>, StoreError> {
        let read =
            |row: Row| Ok(Self { up_to: millis(row.get::<Timestamp>("up_to")?), next_check: row.get("next_check")? });
        row.map(read).transpose()
    }
}

/// As databases hold the length of a span: in microseconds, like moments.
const fn length(millis: i64) -> i64 {
    millis.saturating_mul(1000)
}

fn unreadable(error: Unreadable) -> StoreError {
    StoreError::Row(error.to_string())
}

/// Up to when results were put together.
pub(crate) async fn mark(tx: &mut Transaction) -> Result<Mark, StoreError> {
    Ok(Mark::read(tx.run(&PUT_TOGETHER, params![]).await?)?.unwrap_or(Mark::NONE))
}

/// The same, held until the transaction ends; nothing before the first result.
pub(crate) async fn hold(tx: &mut Transaction) -> Result<Option<Mark>, StoreError> {
    Mark::read(tx.run(&HOLD_PUT_TOGETHER, params![]).await?)
}

/// The first results are about to be kept: hours begin here.
pub(crate) async fn begin(tx: &mut Transaction, at: i64) -> Result<(), StoreError> {
    tx.run(&BEGIN, params![moment(at)]).await.map(drop)
}

pub(crate) async fn set(tx: &mut Transaction, mark: Mark) -> Result<(), StoreError> {
    tx.run(&SET_PUT_TOGETHER, params![moment(mark.up_to), mark.next_check]).await.map(drop)
}

/// The numbers of checks, from one on, at most so many.
pub(crate) async fn checks_from(tx: &mut Transaction, first: i64, most: u32) -> Result<Vec<i64>, StoreError> {
    tx.run(&CHECKS_FROM, params![first, most]).await?.iter().map(|row| row.get("id")).collect()
}

/// What was kept of latencies, of these checks, in one span.
async fn latencies_at(
    tx: &mut Transaction,
    span: i64,
    start: i64,
    checks: &[i64],
) -> Result<HashMap<i64, Vec<u8>>, StoreError> {
    let rows = tx.run(&LATENCIES_AT, params![length(span), moment(start), checks.to_vec()]).await?;
    rows.iter().map(|row| Ok((row.get("check_id")?, row.get("latencies")?))).collect()
}

/// Adds to hours and days what these checks' results of the hour from `hour` on say.
pub(crate) async fn add(tx: &mut Transaction, hour: i64, new: &BTreeMap<i64, Spans>) -> Result<(), StoreError> {
    let checks: Vec<i64> = new.keys().copied().collect();
    // Results came in this hour and its day only; elsewhere they add time.
    let day = crate::history::floor(hour, DAY);
    let known = [
        ((HOUR, hour), latencies_at(tx, HOUR, hour, &checks).await?),
        ((DAY, day), latencies_at(tx, DAY, day, &checks).await?),
    ];
    let (mut spans, mut ids, mut starts) = (vec![], vec![], vec![]);
    let (mut up, mut degraded, mut down, mut maintenance) = (vec![], vec![], vec![], vec![]);
    let (mut good, mut counted, mut latencies) = (vec![], vec![], vec![]);
    let number = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    for (check, of) in new {
        for ((span, start), tally) in &of.0 {
            let before = known.iter().find(|(place, _)| place == &(*span, *start)).and_then(|(_, of)| of.get(check));
            let mut whole = tally.latencies.clone();
            if let Some(before) = before {
                whole.add_written(before).map_err(unreadable)?;
            }
            spans.push(length(*span));
            ids.push(*check);
            starts.push(moment(*start));
            up.push(number(tally.spent.up));
            degraded.push(number(tally.spent.degraded));
            down.push(number(tally.spent.down));
            maintenance.push(number(tally.spent.maintenance));
            good.push(number(tally.good));
            counted.push(number(tally.counted));
            latencies.push(whole.written().map_err(unreadable)?);
        }
    }
    let columns = columns![spans, ids, starts, up, degraded, down, maintenance, good, counted, latencies];
    tx.bulk(&ADD_SPANS, columns).await.map(drop)
}

fn spent(row: &Row) -> Result<Spent, StoreError> {
    Ok(Spent {
        up: row.get("up")?,
        degraded: row.get("degraded")?,
        down: row.get("down")?,
        maintenance: row.get("maintenance")?,
    })
}

/// The hours, or days, of a check that begin within a window.
pub(crate) async fn between(
    tx: &mut Transaction,
    span: i64,
    check: i64,
    window: Window,
) -> Result<Vec<Put>, StoreError> {
    let asked = params![length(span), check, moment(window.from), moment(window.to)];
    let mut found = Vec::new();
    for row in tx.run(&SPANS_BETWEEN, asked).await? {
        let mut latencies = Latencies::default();
        if let Some(written) = row.get::<Option<Vec<u8>>>("latencies")? {
            latencies.add_written(&written).map_err(unreadable)?;
        }
        let tally = Tally { spent: spent(&row)?, good: row.get("good")?, counted: row.get("counted")?, latencies };
        found.push(Put { start: millis(row.get::<Timestamp>("start")?), tally });
    }
    Ok(found)
}

/// How these checks spent their days from one on, with what stands in no hour yet.
pub(crate) async fn days_from(
    tx: &mut Transaction,
    from: i64,
    checks: Vec<i64>,
) -> Result<HashMap<(i64, i64), Spent>, StoreError> {
    let mut days: HashMap<(i64, i64), Spent> = HashMap::new();
    let mark = mark(tx).await?;
    for row in tx.run(&DAYS_FROM, params![length(DAY), moment(from), checks.clone()]).await? {
        days.insert((row.get("check_id")?, millis(row.get::<Timestamp>("start")?)), spent(&row)?);
    }
    let further = moment(mark.up_to.saturating_add(HOUR));
    for row in tx.run(&TAILS, params![moment(mark.up_to), further, mark.next_check, checks]).await? {
        let (check, day): (i64, i64) = (row.get("check_id")?, row.get("day")?);
        let (covers, before): (u64, u64) = (row.get("covers")?, row.get("before")?);
        let state = State::from_name(&row.get::<String>("state")?).unwrap_or(State::Unknown);
        let start = day.saturating_mul(DAY);
        for (start, millis) in [(start, covers.saturating_sub(before)), (start.saturating_sub(DAY), before)] {
            if start >= from {
                let of = days.entry((check, start)).or_default();
                *of = sum(*of, all(state, millis));
            }
        }
    }
    Ok(days)
}

const fn all(state: State, millis: u64) -> Spent {
    let mut spent = Spent { up: 0, degraded: 0, down: 0, maintenance: 0 };
    match state {
        State::Up => spent.up = millis,
        State::Degraded => spent.degraded = millis,
        State::Down => spent.down = millis,
        State::Maintenance => spent.maintenance = millis,
        State::Unknown => {}
    }
    spent
}

/// Drops the hours of these checks that began before a moment.
pub(crate) async fn drop_hours(tx: &mut Transaction, checks: Vec<i64>, before: i64) -> Result<(), StoreError> {
    tx.run(&DROP_SPANS, params![length(HOUR), checks, moment(before)]).await.map(drop)
}

/// A check is made no more: what is kept of it goes, bit by bit.
pub(crate) async fn forget(tx: &mut Transaction, check: i64) -> Result<(), StoreError> {
    tx.run(&FORGET, params![check]).await.map(drop)
}

/// Whether checks are being forgotten.
pub(crate) async fn forgetting(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(tx.run(&FORGOTTEN, params![]).await?.unwrap_or(0) > 0)
}

/// Drops what is kept of forgotten checks, at most so many; says how many.
pub(crate) async fn drop_forgotten(tx: &mut Transaction, most: u32) -> Result<u64, StoreError> {
    tx.run(&DROP_FORGOTTEN_SPANS, params![length(HOUR), length(DAY), most]).await
}

/// Nothing is left of them.
pub(crate) async fn forgot(tx: &mut Transaction) -> Result<(), StoreError> {
    tx.run(&CLEAR_FORGOTTEN, params![]).await.map(drop)
}

/// The highest number of a check that is being forgotten.
pub(crate) async fn last_forgotten(tx: &mut Transaction) -> Result<Option<i64>, StoreError> {
    Ok(tx.run(&LAST_FORGOTTEN, params![]).await?.flatten())
}
