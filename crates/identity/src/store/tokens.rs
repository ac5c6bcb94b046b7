//! Personal tokens and their revocations, to rows and back.

use aaa::Revocation;
use contracts::identity::PersonalToken;
use contracts::scopes::TokenScope;
use store::{Affected, Many, Optional, Query, Row, Scalar, StoreError, Transaction, params};
use vocabulary::{SessionId, Timestamp, UserId};

use super::known;

pub(super) const TOKENS: &str = include_str!("../sql/tokens.sql");

const ADD_TOKEN: Query<Affected> = Query::find(TOKENS, "add_token");
const LIVING_TOKENS: Query<Many> = Query::find(TOKENS, "living_tokens");
const FIND_TOKEN: Query<Optional> = Query::find(TOKENS, "find_token");
const DROP_TOKEN: Query<Optional> = Query::find(TOKENS, "drop_token");
const DROP_TOKENS: Query<Many> = Query::find(TOKENS, "drop_tokens");
const NOTE_TOKEN: Query<Affected> = Query::find(TOKENS, "note_token");
const REVOKED_TOKENS: Query<Many> = Query::find(TOKENS, "revoked_tokens");
const FORGET_REVOKED_TOKENS: Query<Affected> = Query::find(TOKENS, "forget_revoked_tokens");
const FORGET_TOKENS: Query<Affected> = Query::find(TOKENS, "forget_tokens");
const COUNT_TOKENS_OF_INACTIVE: Query<Scalar<i64>> = Query::find(TOKENS, "count_tokens_of_inactive");

pub(crate) async fn add_token(
    tx: &mut Transaction,
    person: UserId,
    token: &PersonalToken,
    hash: [u8; 32],
    key: Option<String>,
) -> Result<(), StoreError> {
    let scopes = token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ");
    let row = params![
        token.id,
        person,
        &token.name,
        scopes,
        token.jkt.clone(),
        hash,
        token.created_at,
        token.expires_at,
        key
    ];
    tx.run(&ADD_TOKEN, row).await.map(drop)
}

/// Those that hold now, newest first.
pub(crate) async fn living_tokens(
    tx: &mut Transaction,
    person: UserId,
    now: Timestamp,
) -> Result<Vec<PersonalToken>, StoreError> {
    tx.run(&LIVING_TOKENS, params![person, now]).await?.iter().map(token_of).collect()
}

/// Whether this very token of this person is still there.
pub(crate) async fn has_token(
    tx: &mut Transaction,
    id: SessionId,
    person: UserId,
    hash: [u8; 32],
) -> Result<bool, StoreError> {
    let found = tx.run(&FIND_TOKEN, params![id, hash]).await?;
    found.map_or(Ok(false), |row| Ok(row.get::<UserId>("person")? == person))
}

/// When the token would have ended, if it was this person's.
pub(crate) async fn drop_token(
    tx: &mut Transaction,
    id: SessionId,
    person: UserId,
) -> Result<Option<Timestamp>, StoreError> {
    tx.run(&DROP_TOKEN, params![id, person]).await?.map(|row| row.get("expires_at")).transpose()
}

/// Every token of this person, and when it would have ended.
pub(crate) async fn drop_tokens(
    tx: &mut Transaction,
    person: UserId,
    now: Timestamp,
) -> Result<Vec<(SessionId, Timestamp)>, StoreError> {
    let rows = tx.run(&DROP_TOKENS, params![person, now]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("expires_at")?))).collect()
}

pub(crate) async fn note_token(tx: &mut Transaction, id: SessionId, until: Timestamp) -> Result<(), StoreError> {
    tx.run(&NOTE_TOKEN, params![id, until]).await.map(drop)
}

pub(crate) async fn revoked_tokens(tx: &mut Transaction, now: Timestamp) -> Result<Vec<Revocation>, StoreError> {
    let rows = tx.run(&REVOKED_TOKENS, params![now]).await?;
    let one =
        |row: &Row| Ok(Revocation::Token { jti: row.get::<SessionId>("id")?.to_string(), until: row.get("until")? });
    rows.iter().map(one).collect()
}

pub(crate) async fn forget_tokens(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&FORGET_REVOKED_TOKENS, params![now]).await?;
    tx.run(&FORGET_TOKENS, params![now]).await.map(drop)
}

pub(crate) async fn count_tokens_of_inactive(tx: &mut Transaction, now: Timestamp) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_TOKENS_OF_INACTIVE, params![now]).await?.unwrap_or(0))
}

fn token_of(row: &Row) -> Result<PersonalToken, StoreError> {
    let scopes: String = row.get("scopes")?;
    let scope = |name: &str| known("scopes", TokenScope::ALL.iter().copied().find(|scope| scope.name() == name));
    Ok(PersonalToken {
        id: row.get("id")?,
        name: row.parse("name")?,
        scopes: scopes.split_ascii_whitespace().map(scope).collect::<Result<_, _>>()?,
        jkt: row.get("jkt")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}
