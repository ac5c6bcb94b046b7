//! The table of what people are to be told.

use ::store::{Affected, Many, Query, Scalar, StoreError, Transaction, Uuid, params};
use contracts::monitor::State;
use vocabulary::{IncidentId, Timestamp};

use crate::alerts::{Alert, Kind};

pub(super) const SQL: &str = include_str!("../sql/alerts.sql");

const ADD_ALERT: Query<Affected> = Query::find(SQL, "add_alert");
const TOLD_OF: Query<Many> = Query::find(SQL, "told_of");
const DROP_REMINDERS: Query<Affected> = Query::find(SQL, "drop_reminders");
const DROP_ALERTS: Query<Affected> = Query::find(SQL, "drop_alerts");
const FORGOTTEN: Query<Many> = Query::find(SQL, "forgotten");
const DUE_ALERTS: Query<Many> = Query::find(SQL, "due_alerts");
const DROP_OVER: Query<Affected> = Query::find(SQL, "drop_over");
const SENT: Query<Affected> = Query::find(SQL, "sent");
const POSTPONE: Query<Affected> = Query::find(SQL, "postpone");
const GIVE_UP: Query<Affected> = Query::find(SQL, "give_up");
const COUNT_GIVEN_UP: Query<Scalar<i64>> = Query::find(SQL, "count_given_up");

/// Somebody is to be told through `channel`, from `at` on.
pub(crate) async fn add(
    tx: &mut Transaction,
    id: Uuid,
    incident: IncidentId,
    kind: Kind,
    channel: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.run(&ADD_ALERT, params![id, incident, kind.name(), channel, at]).await.map(drop)
}

/// Through which channels somebody was told that it began, or will be.
pub(crate) async fn told_of(tx: &mut Transaction, incident: IncidentId) -> Result<Vec<String>, StoreError> {
    tx.run(&TOLD_OF, params![incident]).await?.iter().map(|row| row.get("channel")).collect()
}

/// Nobody needs to be reminded of it any more.
pub(crate) async fn drop_reminders(tx: &mut Transaction, incident: IncidentId) -> Result<(), StoreError> {
    tx.run(&DROP_REMINDERS, params![incident]).await.map(drop)
}

/// Nobody needs to be told anything more of it.
pub(crate) async fn drop_all(tx: &mut Transaction, incident: IncidentId) -> Result<(), StoreError> {
    tx.run(&DROP_ALERTS, params![incident]).await.map(drop)
}

/// Drops what was told, before a moment, of incidents that were over by then, at most so many; says how many.
pub(crate) async fn drop_over(tx: &mut Transaction, before: Timestamp, most: u32) -> Result<u64, StoreError> {
    tx.run(&DROP_OVER, params![before, most]).await
}

/// What nobody looks after and what a channel last heard of before `at`: the incident, its check, and the channel.
pub(crate) async fn forgotten(
    tx: &mut Transaction,
    at: Timestamp,
) -> Result<Vec<(IncidentId, String, String)>, StoreError> {
    let rows = tx.run(&FORGOTTEN, params![at]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("check_name")?, row.get("channel")?))).collect()
}

/// What is to be told now.
pub(crate) async fn due(tx: &mut Transaction, now: Timestamp, most: i64) -> Result<Vec<Alert>, StoreError> {
    let unknown = |column: &str| StoreError::Row(format!("the column {column} holds an unknown word"));
    let rows = tx.run(&DUE_ALERTS, params![now, most]).await?;
    let read = rows.iter().map(|row| {
        Ok(Alert {
            id: row.get("id")?,
            kind: Kind::from_name(&row.get::<String>("kind")?).ok_or_else(|| unknown("kind"))?,
            channel: row.get("channel")?,
            made_at: row.get("made_at")?,
            attempts: row.get("attempts")?,
            told: row.get("told")?,
            incident: row.get("incident_id")?,
            check: row.parse("check_name")?,
            title: row.get("title")?,
            state: State::from_name(&row.get::<String>("state")?).ok_or_else(|| unknown("state"))?,
            since: row.get("since")?,
            until: row.get("until")?,
            cause: row.get("cause")?,
        })
    });
    read.collect()
}

/// It was taken.
pub(crate) async fn sent(tx: &mut Transaction, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
    tx.run(&SENT, params![id, at]).await.map(drop)
}

/// It is tried again later, after so many more attempts.
pub(crate) async fn postpone(
    tx: &mut Transaction,
    id: Uuid,
    until: Timestamp,
    why: &str,
    attempts: i64,
) -> Result<(), StoreError> {
    tx.run(&POSTPONE, params![id, until, why, attempts]).await.map(drop)
}

/// It is not tried again; without a reason when there is nothing to be told.
pub(crate) async fn give_up(
    tx: &mut Transaction,
    id: Uuid,
    at: Timestamp,
    why: Option<&str>,
) -> Result<(), StoreError> {
    tx.run(&GIVE_UP, params![id, at, why]).await.map(drop)
}

/// How many were given up after `at`.
pub(crate) async fn count_given_up(tx: &mut Transaction, at: Timestamp) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_GIVEN_UP, params![at]).await?.unwrap_or(0))
}
