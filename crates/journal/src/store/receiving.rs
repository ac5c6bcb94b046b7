//! The tables of what comes over a broker: what was set aside, which instance receives, and the keys it opens with.

use ::store::{Affected, Many, Optional, Query, Scalar, StoreError, Transaction, Uuid, params};

use crate::quarantine::SetAside;

pub(super) const SQL: &str = include_str!("../sql/receiving.sql");

const SET_ASIDE: Query<Affected> = Query::find(SQL, "set_aside");
const ASIDE_OF: Query<Scalar<i64>> = Query::find(SQL, "aside_of");
const ASIDE: Query<Many> = Query::find(SQL, "aside");
const ANY_ASIDE: Query<Scalar<i64>> = Query::find(SQL, "any_aside");
const REMOVE_ASIDE: Query<Affected> = Query::find(SQL, "remove_aside");
const RECEIVER: Query<Optional> = Query::find(SQL, "receiver");
const HOLD: Query<Affected> = Query::find(SQL, "hold");
const LET_GO: Query<Affected> = Query::find(SQL, "let_go");
const NEWEST_KEY: Query<Optional> = Query::find(SQL, "newest_key");
const ADD_KEY: Query<Affected> = Query::find(SQL, "add_key");

/// Keeps a message apart; one that is there already counts once more.
pub(crate) async fn set_aside(tx: &mut Transaction, it: SetAside) -> Result<(), StoreError> {
    let SetAside { digest, source, subject, seq, event_id, first_at, why, bytes, given_up, .. } = it;
    let parameters = params![digest, source, subject, seq, event_id, first_at, why, bytes, given_up];
    tx.run(&SET_ASIDE, parameters).await.map(drop)
}

/// How many other messages of `source` are set aside.
pub(crate) async fn others_aside(tx: &mut Transaction, source: &str, digest: &[u8; 32]) -> Result<i64, StoreError> {
    Ok(tx.run(&ASIDE_OF, params![source, digest]).await?.unwrap_or(0))
}

/// Everything that is set aside, oldest first.
pub(crate) async fn aside(tx: &mut Transaction) -> Result<Vec<SetAside>, StoreError> {
    let rows = tx.run(&ASIDE, params![]).await?;
    let read = rows.iter().map(|row| {
        Ok(SetAside {
            digest: row.get("digest")?,
            source: row.get("source")?,
            subject: row.get("subject")?,
            seq: row.get("seq")?,
            event_id: row.get("event_id")?,
            first_at: row.get("first_at")?,
            times: row.get("times")?,
            why: row.get("why")?,
            bytes: row.get("bytes")?,
            given_up: row.get("given_up")?,
        })
    });
    read.collect()
}

/// How many messages a person has to look at: those of which no better copy is to be hoped for.
pub(crate) async fn count_lost(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&ANY_ASIDE, params![]).await?.unwrap_or(0))
}

/// Forgets a message that was set aside.
pub(crate) async fn remove_aside(tx: &mut Transaction, digest: &[u8; 32]) -> Result<(), StoreError> {
    tx.run(&REMOVE_ASIDE, params![digest]).await.map(drop)
}

/// Who receives, and how far they have counted.
pub(crate) async fn receiver(tx: &mut Transaction) -> Result<(Option<Uuid>, i64), StoreError> {
    let row = tx.run(&RECEIVER, params![]).await?;
    let row = row.ok_or_else(|| StoreError::Row("the row of the receiver is missing".to_owned()))?;
    Ok((row.get("holder")?, row.get("beat")?))
}

/// Makes `me` the receiver if nobody has counted on since `beat`.
pub(crate) async fn hold(tx: &mut Transaction, me: Uuid, beat: i64) -> Result<bool, StoreError> {
    Ok(tx.run(&HOLD, params![me, beat]).await? == 1)
}

/// Nobody receives from now on, if it was `me`.
pub(crate) async fn let_go(tx: &mut Transaction, me: Uuid) -> Result<(), StoreError> {
    tx.run(&LET_GO, params![me]).await.map(drop)
}

/// The newest key that sources were told of, and its number.
pub(crate) async fn newest_key(tx: &mut Transaction) -> Result<Option<(String, i64)>, StoreError> {
    let row = tx.run(&NEWEST_KEY, params![]).await?;
    row.map(|row| Ok((row.get("id")?, row.get("number")?))).transpose()
}

/// Sources are told of this one.
pub(crate) async fn add_key(tx: &mut Transaction, id: &str, number: i64) -> Result<(), StoreError> {
    tx.run(&ADD_KEY, params![id, number]).await.map(drop)
}
