//! Resets of lost second factors, to rows and back.

use contracts::identity::{FactorReset, ResetState};
use store::{Affected, Many, Optional, Query, Row, Scalar, StoreError, Transaction, params};
use vocabulary::{Reason, RequestId, Timestamp, UserId};

use super::{known, named};

pub(super) const RESETS: &str = include_str!("../sql/factor_resets.sql");

const ASK_RESET: Query<Affected> = Query::find(RESETS, "ask_reset");
const PROPOSE_RESET: Query<Affected> = Query::find(RESETS, "propose_reset");
const TAKE_UP_RESET: Query<Affected> = Query::find(RESETS, "take_up_reset");
const DECIDE_RESET: Query<Affected> = Query::find(RESETS, "decide_reset");
const GET_RESET: Query<Optional> = Query::find(RESETS, "get_reset");
const OPEN_RESET: Query<Optional> = Query::find(RESETS, "open_reset");
const OPEN_RESETS: Query<Many> = Query::find(RESETS, "open_resets");
const EXPIRE_RESETS: Query<Affected> = Query::find(RESETS, "expire_resets");
const WAS_RESET: Query<Scalar<i64>> = Query::find(RESETS, "was_reset");
const DROP_DEVICES: Query<Affected> = Query::find(RESETS, "drop_devices");
const COUNT_UNWITNESSED: Query<Scalar<i64>> = Query::find(RESETS, "count_unwitnessed_resets");

/// Keeps that the person asked; false when a reset is open already.
pub(crate) async fn ask_reset(
    tx: &mut Transaction,
    id: RequestId,
    person: UserId,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.run(&ASK_RESET, params![id, person, now, until]).await? == 1)
}

/// Keeps a proposal, or takes up what the person asked for; false when another proposal is open.
pub(crate) async fn propose_reset(
    tx: &mut Transaction,
    id: RequestId,
    person: UserId,
    proposer: (UserId, &str),
    reason: &Reason,
    (now, until): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let (proposer, login) = proposer;
    if tx.run(&TAKE_UP_RESET, params![person, proposer, login, reason, until]).await? == 1 {
        return Ok(true);
    }
    Ok(tx.run(&PROPOSE_RESET, params![id, person, proposer, login, reason, now, until]).await? == 1)
}

/// Keeps a decision; false when it was decided before.
pub(crate) async fn decide_reset(
    tx: &mut Transaction,
    id: RequestId,
    state: ResetState,
    decider: UserId,
    reason: Option<&Reason>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.run(&DECIDE_RESET, params![id, reset_state_name(state), decider, reason, now]).await? == 1)
}

pub(crate) async fn reset(tx: &mut Transaction, id: RequestId) -> Result<Option<FactorReset>, StoreError> {
    tx.run(&GET_RESET, params![id]).await?.as_ref().map(reset_of).transpose()
}

/// The one of this person that waits.
pub(crate) async fn open_reset(tx: &mut Transaction, person: UserId) -> Result<Option<FactorReset>, StoreError> {
    tx.run(&OPEN_RESET, params![person]).await?.as_ref().map(reset_of).transpose()
}

/// Those that wait, oldest first.
pub(crate) async fn open_resets(
    tx: &mut Transaction,
    superusers_too: bool,
    now: Timestamp,
) -> Result<Vec<FactorReset>, StoreError> {
    tx.run(&OPEN_RESETS, params![superusers_too, now]).await?.iter().map(reset_of).collect()
}

/// Whether a second factor of this person was ever removed so.
pub(crate) async fn was_reset(tx: &mut Transaction, person: UserId) -> Result<bool, StoreError> {
    Ok(tx.run(&WAS_RESET, params![person]).await?.unwrap_or(0) > 0)
}

/// Knows none of the person's browsers any more.
pub(crate) async fn drop_devices(tx: &mut Transaction, person: UserId) -> Result<(), StoreError> {
    tx.run(&DROP_DEVICES, params![person]).await.map(drop)
}

/// Those that were not decided in time.
pub(crate) async fn expire_resets(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&EXPIRE_RESETS, params![now]).await.map(drop)
}

pub(crate) async fn count_unwitnessed_resets(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_UNWITNESSED, params![]).await?.unwrap_or(0))
}

const RESET_STATES: [ResetState; 5] =
    [ResetState::Asked, ResetState::Proposed, ResetState::Approved, ResetState::Rejected, ResetState::Expired];

const fn reset_state_name(state: ResetState) -> &'static str {
    match state {
        ResetState::Asked => "asked",
        ResetState::Proposed => "proposed",
        ResetState::Approved => "approved",
        ResetState::Rejected => "rejected",
        ResetState::Expired => "expired",
    }
}

fn reset_of(row: &Row) -> Result<FactorReset, StoreError> {
    Ok(FactorReset {
        id: row.get("id")?,
        person: row.get("person")?,
        login: row.parse("login")?,
        name: format!("{} {}", row.get::<String>("first_name")?, row.get::<String>("last_name")?),
        state: known("state", RESET_STATES.into_iter().find(named(&row.get::<String>("state")?, reset_state_name)))?,
        proposer: row.get("proposer")?,
        proposer_login: row.get("proposer_login")?,
        reason: row.get("reason")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}
