//! The table of announced work.

use ::store::{Affected, Many, Optional, Query, Row, Scalar, StoreError, Transaction, params};
use contracts::monitor::Maintenance;
use vocabulary::{MaintenanceId, Timestamp};

pub(super) const SQL: &str = include_str!("../sql/maintenances.sql");

const MAINTENANCES: Query<Many> = Query::find(SQL, "maintenances");
const MAINTENANCE: Query<Optional> = Query::find(SQL, "maintenance");
const COUNT_MAINTENANCES: Query<Scalar<i64>> = Query::find(SQL, "count_maintenances");
const ADD_MAINTENANCE: Query<Affected> = Query::find(SQL, "add_maintenance");
const END_MAINTENANCE: Query<Affected> = Query::find(SQL, "end_maintenance");
const CALL_OFF: Query<Affected> = Query::find(SQL, "call_off");

/// Those that are not over at `now`, soonest first.
pub(crate) async fn current(tx: &mut Transaction, now: Timestamp) -> Result<Vec<Maintenance>, StoreError> {
    tx.run(&MAINTENANCES, params![now]).await?.iter().map(read).collect()
}

/// One.
pub(crate) async fn one(tx: &mut Transaction, id: MaintenanceId) -> Result<Option<Maintenance>, StoreError> {
    tx.run(&MAINTENANCE, params![id]).await?.as_ref().map(read).transpose()
}

/// How many are not over at `now`.
pub(crate) async fn count(tx: &mut Transaction, now: Timestamp) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_MAINTENANCES, params![now]).await?.unwrap_or(0))
}

/// Keeps a new one.
pub(crate) async fn add(tx: &mut Transaction, it: &Maintenance) -> Result<(), StoreError> {
    let checks = serde_json::to_string(&it.checks).map_err(|error| StoreError::Row(error.to_string()))?;
    let by = it.by.as_deref().unwrap_or_default();
    let text = it.text.as_ref().map(vocabulary::Text::as_str);
    tx.run(&ADD_MAINTENANCE, params![it.id, &it.title, text, it.from, it.to, checks, it.public, by]).await.map(drop)
}

/// It is over at `now`, or never was if it had not begun. Gives whether it was not over before.
pub(crate) async fn end(tx: &mut Transaction, id: MaintenanceId, now: Timestamp) -> Result<bool, StoreError> {
    if tx.run(&CALL_OFF, params![id, now]).await? == 1 {
        return Ok(true);
    }
    Ok(tx.run(&END_MAINTENANCE, params![id, now]).await? == 1)
}

/// As everybody may read it.
pub(crate) fn for_everybody(it: Maintenance) -> Maintenance {
    Maintenance { by: None, ..it }
}

fn read(row: &Row) -> Result<Maintenance, StoreError> {
    let checks = serde_json::from_str(&row.get::<String>("checks")?);
    Ok(Maintenance {
        id: row.get("id")?,
        title: row.parse("title")?,
        text: row.parse_optional("text")?,
        from: row.get("start_at")?,
        to: row.get("end_at")?,
        checks: checks.map_err(|error| StoreError::Row(format!("the column checks {error}")))?,
        public: row.get("public")?,
        by: Some(row.get("by_login")?),
    })
}
