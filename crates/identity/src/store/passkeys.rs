//! Passkeys, to rows and back.

use store::{Affected, Many, Optional, Query, Row, Scalar, StoreError, Transaction, params};
use vocabulary::{Label, Timestamp, UserId};

use crate::passkeys::Passkey;

pub(super) const PASSKEYS: &str = include_str!("../sql/passkeys.sql");

const ADD_PASSKEY: Query<Affected> = Query::find(PASSKEYS, "add_passkey");
const GET_PASSKEY: Query<Optional> = Query::find(PASSKEYS, "get_passkey");
const PASSKEYS_OF: Query<Many> = Query::find(PASSKEYS, "passkeys_of");
const COUNT_PASSKEYS: Query<Scalar<i64>> = Query::find(PASSKEYS, "count_passkeys");
const USE_PASSKEY: Query<Affected> = Query::find(PASSKEYS, "use_passkey");
const RENAME_PASSKEY: Query<Affected> = Query::find(PASSKEYS, "rename_passkey");
const REMOVE_PASSKEY: Query<Affected> = Query::find(PASSKEYS, "remove_passkey");
const DROP_PASSKEYS: Query<Affected> = Query::find(PASSKEYS, "drop_passkeys");

/// Adds a passkey; false when its id is known already.
pub(crate) async fn add_passkey(tx: &mut Transaction, passkey: &Passkey) -> Result<bool, StoreError> {
    let row = params![
        passkey.id.clone(),
        passkey.person,
        &passkey.name,
        passkey.key.clone(),
        passkey.counter,
        passkey.synced,
        passkey.created_at,
    ];
    Ok(tx.run(&ADD_PASSKEY, row).await? == 1)
}

pub(crate) async fn passkey(tx: &mut Transaction, id: &[u8]) -> Result<Option<Passkey>, StoreError> {
    tx.run(&GET_PASSKEY, params![id]).await?.as_ref().map(passkey_of).transpose()
}

/// Newest first.
pub(crate) async fn passkeys(tx: &mut Transaction, person: UserId) -> Result<Vec<Passkey>, StoreError> {
    tx.run(&PASSKEYS_OF, params![person]).await?.iter().map(passkey_of).collect()
}

pub(crate) async fn count_passkeys(tx: &mut Transaction, person: UserId) -> Result<u32, StoreError> {
    Ok(u32::try_from(tx.run(&COUNT_PASSKEYS, params![person]).await?.unwrap_or(0)).unwrap_or(u32::MAX))
}

pub(crate) async fn use_passkey(
    tx: &mut Transaction,
    id: &[u8],
    counter: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(&USE_PASSKEY, params![id, counter, now]).await.map(drop)
}

/// False when it is not this person's.
pub(crate) async fn rename_passkey(
    tx: &mut Transaction,
    id: &[u8],
    person: UserId,
    name: &Label,
) -> Result<bool, StoreError> {
    Ok(tx.run(&RENAME_PASSKEY, params![id, person, name]).await? == 1)
}

/// False when it is not this person's.
pub(crate) async fn remove_passkey(tx: &mut Transaction, id: &[u8], person: UserId) -> Result<bool, StoreError> {
    Ok(tx.run(&REMOVE_PASSKEY, params![id, person]).await? == 1)
}

pub(crate) async fn drop_passkeys(tx: &mut Transaction, person: UserId) -> Result<(), StoreError> {
    tx.run(&DROP_PASSKEYS, params![person]).await.map(drop)
}

fn passkey_of(row: &Row) -> Result<Passkey, StoreError> {
    Ok(Passkey {
        id: row.get("id")?,
        person: row.get("person")?,
        name: row.parse("name")?,
        key: row.get("public_key")?,
        counter: row.get("counter")?,
        synced: row.get("synced")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
    })
}
