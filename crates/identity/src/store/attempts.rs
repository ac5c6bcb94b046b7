//! Failures in a row, and the browsers that are known, to rows and back.

use store::{Affected, Optional, Query, Scalar, StoreError, Transaction, params};
use vocabulary::{Timestamp, UserId};

use crate::attempts::{Attempts, Counter};

pub(super) const ATTEMPTS: &str = include_str!("../sql/attempts.sql");

const GET_ATTEMPTS: Query<Optional> = Query::find(ATTEMPTS, "get_attempts");
const LOCK_ATTEMPTS: Query<Optional> = Query::find(ATTEMPTS, "lock_attempts");
const PUT_ATTEMPTS: Query<Affected> = Query::find(ATTEMPTS, "put_attempts");
const CLEAR_ATTEMPTS: Query<Affected> = Query::find(ATTEMPTS, "clear_attempts");
const UNLOCK: Query<Affected> = Query::find(ATTEMPTS, "unlock");
const FORGET_ATTEMPTS: Query<Affected> = Query::find(ATTEMPTS, "forget_attempts");
const FORGET_STRANGERS: Query<Affected> = Query::find(ATTEMPTS, "forget_strangers");
const OWNER_OF_DEVICE: Query<Scalar<UserId>> = Query::find(ATTEMPTS, "owner_of_device");
const ADD_DEVICE: Query<Affected> = Query::find(ATTEMPTS, "add_device");
const TOUCH_DEVICE: Query<Affected> = Query::find(ATTEMPTS, "touch_device");
const TRIM_DEVICES: Query<Affected> = Query::find(ATTEMPTS, "trim_devices");
const FORGET_DEVICES: Query<Affected> = Query::find(ATTEMPTS, "forget_devices");

/// Browsers kept for a person.
const DEVICES: i64 = 20;
/// Names that nobody has, kept at most: some megabytes. People's own counters are kept until they are cleared.
const STRANGERS: i64 = 100_000;
/// How long a browser is known that nobody signs in with.
const KNOWN: std::time::Duration = std::time::Duration::from_hours(180 * 24);

/// The failures so far; a look only.
pub(crate) async fn attempts(tx: &mut Transaction, counter: &Counter) -> Result<Option<Attempts>, StoreError> {
    let row = tx.run(&GET_ATTEMPTS, params![counter.subject]).await?;
    row.as_ref().map(attempts_of).transpose()
}

/// The failures so far, which nobody else counts until the end of the transaction. After the lock on the person.
pub(crate) async fn lock_attempts(
    tx: &mut Transaction,
    counter: &Counter,
    person: Option<UserId>,
    now: Timestamp,
) -> Result<Attempts, StoreError> {
    let row = tx.run(&LOCK_ATTEMPTS, params![counter.subject, counter.kind.name(), person, now]).await?;
    attempts_of(&row.ok_or_else(|| StoreError::Row("a counter was neither found nor made".to_owned()))?)
}

pub(crate) async fn put_attempts(
    tx: &mut Transaction,
    counter: &Counter,
    attempts: Attempts,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = params![counter.subject, i64::from(attempts.failures), attempts.blocked_until, now];
    tx.run(&PUT_ATTEMPTS, row).await.map(drop)
}

/// Begins anew, unless there are `most` failures or more.
pub(crate) async fn clear_attempts(tx: &mut Transaction, counter: &Counter, most: u32) -> Result<(), StoreError> {
    tx.run(&CLEAR_ATTEMPTS, params![counter.subject, i64::from(most)]).await.map(drop)
}

/// Clears all of a person's failures; false when there were none.
pub(crate) async fn unlock(tx: &mut Transaction, person: UserId, login: &Counter) -> Result<bool, StoreError> {
    Ok(tx.run(&UNLOCK, params![person, login.subject]).await? > 0)
}

/// Whose browser it is.
pub(crate) async fn owner_of_device(tx: &mut Transaction, hash: [u8; 32]) -> Result<Option<UserId>, StoreError> {
    tx.run(&OWNER_OF_DEVICE, params![hash]).await
}

/// Knows a browser from now on, and forgets the one that was not seen for longest when there are many.
pub(crate) async fn add_device(
    tx: &mut Transaction,
    hash: [u8; 32],
    person: UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(&ADD_DEVICE, params![hash, person, now]).await?;
    tx.run(&TRIM_DEVICES, params![person, DEVICES]).await.map(drop)
}

pub(crate) async fn touch_device(tx: &mut Transaction, hash: [u8; 32], now: Timestamp) -> Result<(), StoreError> {
    tx.run(&TOUCH_DEVICE, params![hash, now]).await.map(drop)
}

/// Forgets what is not needed any more.
pub(super) async fn forget(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&FORGET_DEVICES, params![now.minus(KNOWN)]).await?;
    // No session and no known browser is older than that.
    tx.run(&FORGET_ATTEMPTS, params![now.minus(KNOWN * 2)]).await?;
    tx.run(&FORGET_STRANGERS, params![STRANGERS]).await.map(drop)
}

fn attempts_of(row: &store::Row) -> Result<Attempts, StoreError> {
    Ok(Attempts { failures: row.get("failures")?, blocked_until: row.get("blocked_until")? })
}
