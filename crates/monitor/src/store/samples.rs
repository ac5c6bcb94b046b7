//! Single results.

use std::time::Duration;

use ::store::{Affected, Bulk, Many, Optional, Query, Row, Scalar, StoreError, Transaction, columns, params};
use contracts::monitor::State;

use crate::history::{Single, moment};
use crate::recorder::Sample;

pub(super) const SQL: &str = include_str!("../sql/samples.sql");

const ADD_SAMPLES: Query<Bulk> = Query::find(SQL, "add_samples");
const FIRST_FROM: Query<Scalar<Option<i64>>> = Query::find(SQL, "first_from");
const SAMPLES_BETWEEN: Query<Many> = Query::find(SQL, "samples_between");
const FIRST_SAMPLE: Query<Optional> = Query::find(SQL, "first_sample");
const DROP_SAMPLES: Query<Affected> = Query::find(SQL, "drop_samples");
const DROP_FORGOTTEN_SAMPLES: Query<Affected> = Query::find(SQL, "drop_forgotten_samples");

/// Keeps them; what is kept already stays as it is.
pub(crate) async fn add(tx: &mut Transaction, samples: &[Sample]) -> Result<u64, StoreError> {
    let number = |it: u128| i64::try_from(it).unwrap_or(i64::MAX);
    let (mut checks, mut times, mut states, mut covers, mut latencies) = (vec![], vec![], vec![], vec![], vec![]);
    for sample in samples {
        checks.push(sample.check);
        times.push(sample.at);
        states.push(sample.state.name());
        covers.push(number(sample.covers.as_millis()));
        latencies.push(sample.latency.map(|latency| number(latency.as_micros())));
    }
    tx.bulk(&ADD_SAMPLES, columns![checks, times, states, covers, latencies]).await
}

fn sample(row: &Row) -> Result<Sample, StoreError> {
    let state = State::from_name(&row.get::<String>("state")?);
    Ok(Sample {
        check: row.get("check_id")?,
        at: row.get("at")?,
        state: state.ok_or_else(|| StoreError::Row("the column state holds an unknown word".to_owned()))?,
        covers: Duration::from_millis(row.get("covers")?),
        latency: row.get::<Option<u64>>("latency")?.map(Duration::from_micros),
    })
}

/// When the first one came, of any check, from a moment on; in milliseconds.
pub(crate) async fn first_from(tx: &mut Transaction, from: i64) -> Result<Option<i64>, StoreError> {
    let first = tx.run(&FIRST_FROM, params![moment(from)]).await?.flatten();
    Ok(first.map(|micros| micros.div_euclid(1000)))
}

/// Those of a check that came within these milliseconds.
pub(crate) async fn between(tx: &mut Transaction, check: i64, from: i64, to: i64) -> Result<Vec<Sample>, StoreError> {
    tx.run(&SAMPLES_BETWEEN, params![check, moment(from), moment(to)]).await?.iter().map(sample).collect()
}

/// Those of a check that a plan asks for.
pub(crate) async fn single(tx: &mut Transaction, check: i64, asked: &Single) -> Result<Vec<Sample>, StoreError> {
    let mut samples = match asked.came.length() {
        ..=0 => Vec::new(),
        _ => between(tx, check, asked.came.from, asked.came.to).await?,
    };
    let below = asked.below.map_or(i64::MAX, |below| moment(below).micros());
    let next = tx.run(&FIRST_SAMPLE, params![check, moment(asked.came.to), below]).await?;
    samples.extend(next.as_ref().map(sample).transpose()?);
    Ok(samples)
}

/// Drops those of before a moment, at most so many; says how many.
pub(crate) async fn drop_before(tx: &mut Transaction, before: i64, most: u32) -> Result<u64, StoreError> {
    tx.run(&DROP_SAMPLES, params![moment(before), most]).await
}

/// Drops those of forgotten checks, at most so many; says how many.
pub(crate) async fn drop_forgotten(tx: &mut Transaction, most: u32) -> Result<u64, StoreError> {
    tx.run(&DROP_FORGOTTEN_SAMPLES, params![most]).await
}
