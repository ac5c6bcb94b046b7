//! What the sources committed, what the journal holds, and that they are the same.

use std::collections::BTreeMap;

use contracts::events::LogEvent;
use store::{Affected, Many, Migration, Query, Scalar, Store, StoreError, Transaction, params};

/// A source's own list of what it told, written in the transaction that told it.
const TABLE: &str = "create table told (number bigint not null constraint told_number primary key, id text not null);";
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { part: "faults", number: 1, name: "told", sqlite: TABLE, postgres: TABLE }];

const SQL: &str = "\
-- name: note!
insert into told (number, id) values ($1, $2);
-- name: count_told$
select count(*) from told;
-- name: told
select number, id from told order by number;
-- name: size$
select size from log where name = 'journal';
-- name: heard$
select seq from sources where name = $1;
-- name: kept (sqlite)
select seq, lower(hex(id)) as id, message from leaves join entries on entry_id = id where source = $1 order by leaves.place;
-- name: kept (postgres)
select seq, replace(id::text, '-', '') as id, message from leaves join entries on entry_id = id where source = $1
order by leaves.place;
-- name: count_gaps$
select count(*) from gaps;
-- name: count_entries$
select count(*) from entries;
";
const NOTE: Query<Affected> = Query::find(SQL, "note");
const COUNT_TOLD: Query<Scalar<i64>> = Query::find(SQL, "count_told");
const TOLD: Query<Many> = Query::find(SQL, "told");
const SIZE: Query<Scalar<i64>> = Query::find(SQL, "size");
const HEARD: Query<Scalar<i64>> = Query::find(SQL, "heard");
const KEPT: Query<Many> = Query::find(SQL, "kept");
const COUNT_GAPS: Query<Scalar<i64>> = Query::find(SQL, "count_gaps");
const COUNT_ENTRIES: Query<Scalar<i64>> = Query::find(SQL, "count_entries");

/// Tells an event, and notes that it was told.
pub(crate) async fn tell(tx: &mut Transaction, number: i64, event: &LogEvent) -> Result<(), StoreError> {
    tx.tell(event.subject(), event.payload().unwrap());
    tx.run(&NOTE, params![number, event.id.0.simple().to_string()]).await.map(drop)
}

/// How many events a source has committed.
pub(crate) async fn told(source: &Store) -> Result<i64, StoreError> {
    Ok(source.read().await?.run(&COUNT_TOLD, params![]).await?.unwrap_or(0))
}

/// How many the journal has.
pub(crate) async fn size(journal: &Store) -> Result<i64, StoreError> {
    Ok(journal.read().await?.run(&SIZE, params![]).await?.unwrap_or(0))
}

/// How far the journal has heard a source.
pub(crate) async fn heard(journal: &Store, source: &str) -> Result<i64, StoreError> {
    Ok(journal.read().await?.run(&HEARD, params![source]).await?.unwrap_or(0))
}

/// All that every source committed is in the journal, once, in the order of its source, and nothing else is.
pub(crate) async fn compare(sources: &BTreeMap<&'static str, Store>, journal: &Store) -> i64 {
    let mut all = 0;
    for (name, source) in sources {
        let told = source.read().await.unwrap().run(&TOLD, params![]).await.unwrap();
        let told: Vec<(String, String)> =
            told.iter().map(|row| (row.get::<i64>("number").unwrap().to_string(), row.get("id").unwrap())).collect();
        let rows = journal.read().await.unwrap().run(&KEPT, params![*name]).await.unwrap();
        let kept: Vec<(String, String)> =
            rows.iter().map(|row| (row.get("message").unwrap(), row.get("id").unwrap())).collect();
        let differs = told.iter().zip(&kept).position(|(told, kept)| told != kept);
        assert!(
            told == kept,
            "{name} told {} events and the journal holds {}; the first that differs is {differs:?}",
            told.len(),
            kept.len()
        );
        let numbers: Vec<i64> = rows.iter().map(|row| row.get("seq").unwrap()).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{name}'s numbers are in order");
        all += i64::try_from(kept.len()).unwrap();
    }
    let mut tx = journal.read().await.unwrap();
    assert_eq!(tx.run(&COUNT_ENTRIES, params![]).await.unwrap(), Some(all), "and nothing else");
    assert_eq!(tx.run(&COUNT_GAPS, params![]).await.unwrap(), Some(0), "no gap is known");
    all
}
