//! Authenticator apps and recovery codes, to rows and back.

use store::{Affected, Bulk, Optional, Query, Scalar, StoreError, Transaction, columns, params};
use vocabulary::{Timestamp, UserId};

pub(super) const FACTORS: &str = include_str!("../sql/factors.sql");

const PUT_TOTP: Query<Affected> = Query::find(FACTORS, "put_totp");
const GET_TOTP: Query<Optional> = Query::find(FACTORS, "get_totp");
const TAKE_STEP: Query<Affected> = Query::find(FACTORS, "take_step");
const REMOVE_TOTP: Query<Affected> = Query::find(FACTORS, "remove_totp");
const ADD_RECOVERY_CODES: Query<Bulk> = Query::find(FACTORS, "add_recovery_codes");
const SPEND_RECOVERY_CODE: Query<Affected> = Query::find(FACTORS, "spend_recovery_code");
const DROP_RECOVERY_CODES: Query<Affected> = Query::find(FACTORS, "drop_recovery_codes");
const COUNT_RECOVERY_CODES: Query<Scalar<i64>> = Query::find(FACTORS, "count_recovery_codes");

/// An authenticator app as it is stored.
pub(crate) struct Totp {
    pub(crate) sealed: Vec<u8>,
    pub(crate) confirmed_at: Option<Timestamp>,
}

/// Keeps a new secret; false when one is confirmed already.
pub(crate) async fn put_totp(
    tx: &mut Transaction,
    person: UserId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.run(&PUT_TOTP, params![person, sealed, now]).await? == 1)
}

pub(crate) async fn totp(tx: &mut Transaction, person: UserId) -> Result<Option<Totp>, StoreError> {
    let Some(row) = tx.run(&GET_TOTP, params![person]).await? else { return Ok(None) };
    Ok(Some(Totp { sealed: row.get("secret")?, confirmed_at: row.get("confirmed_at")? }))
}

/// Notes that a code of this step was taken; false when it, or a later one, was before. The first one confirms.
pub(crate) async fn take_step(
    tx: &mut Transaction,
    person: UserId,
    step: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.run(&TAKE_STEP, params![person, step, now]).await? == 1)
}

/// False when there was none.
pub(crate) async fn remove_totp(tx: &mut Transaction, person: UserId) -> Result<bool, StoreError> {
    Ok(tx.run(&REMOVE_TOTP, params![person]).await? == 1)
}

/// New recovery codes in place of the old ones.
pub(crate) async fn replace_recovery_codes(
    tx: &mut Transaction,
    person: UserId,
    hashes: Vec<[u8; 32]>,
) -> Result<(), StoreError> {
    drop_recovery_codes(tx, person).await?;
    let people = vec![person; hashes.len()];
    tx.bulk(&ADD_RECOVERY_CODES, columns![hashes, people]).await.map(drop)
}

/// False when the person has no such code (any more).
pub(crate) async fn spend_recovery_code(
    tx: &mut Transaction,
    person: UserId,
    hash: [u8; 32],
) -> Result<bool, StoreError> {
    Ok(tx.run(&SPEND_RECOVERY_CODE, params![hash, person]).await? == 1)
}

pub(crate) async fn drop_recovery_codes(tx: &mut Transaction, person: UserId) -> Result<(), StoreError> {
    tx.run(&DROP_RECOVERY_CODES, params![person]).await.map(drop)
}

pub(crate) async fn count_recovery_codes(tx: &mut Transaction, person: UserId) -> Result<u32, StoreError> {
    let count = tx.run(&COUNT_RECOVERY_CODES, params![person]).await?.unwrap_or(0);
    Ok(u32::try_from(count).unwrap_or(0))
}
