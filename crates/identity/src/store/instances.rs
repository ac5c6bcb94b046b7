//! What the instances of this service know of one another, to rows and back.

use aaa::{Jwk, Jwks};
use store::{Affected, Many, Query, Row, Scalar, StoreError, Transaction, params};
use vocabulary::Timestamp;

pub(super) const INSTANCES: &str = include_str!("../sql/instances.sql");

const LOCK_INSTANCES: Query<Many> = Query::find(INSTANCES, "lock_instances");
const COUNT_KEYS: Query<Scalar<i64>> = Query::find(INSTANCES, "count_keys");
const PUBLISH_KEY: Query<Affected> = Query::find(INSTANCES, "publish_key");
const TAKE_KEYS_BACK: Query<Affected> = Query::find(INSTANCES, "take_keys_back");
const PUBLISHED_AT: Query<Scalar<Timestamp>> = Query::find(INSTANCES, "published_at");
const BELIEVED_KEYS: Query<Many> = Query::find(INSTANCES, "believed_keys");
const FORGET_KEYS: Query<Affected> = Query::find(INSTANCES, "forget_keys");
const SHARED_FINGERPRINT: Query<Scalar<[u8; 32]>> = Query::find(INSTANCES, "shared_fingerprint");
const SHARE: Query<Affected> = Query::find(INSTANCES, "share");
const SPEND_CHALLENGE: Query<Affected> = Query::find(INSTANCES, "spend_challenge");
const FORGET_CHALLENGES: Query<Affected> = Query::find(INSTANCES, "forget_challenges");

/// The other instances publish before or after this transaction.
pub(crate) async fn lock_instances(tx: &mut Transaction) -> Result<(), StoreError> {
    tx.run(&LOCK_INSTANCES, params![]).await.map(drop)
}

/// Whether anybody published a key before.
pub(crate) async fn has_keys(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(tx.run(&COUNT_KEYS, params![]).await?.unwrap_or(0) > 0)
}

/// Publishes `keys` as all that `instance` has, to be believed until then.
pub(crate) async fn publish_keys(
    tx: &mut Transaction,
    instance: [u8; 32],
    keys: &Jwks,
    now: Timestamp,
    until: Timestamp,
) -> Result<(), StoreError> {
    for key in &keys.keys {
        let text = serde_json::to_string(key).map_err(|error| StoreError::Row(error.to_string()))?;
        tx.run(&PUBLISH_KEY, params![&key.kid, instance, text, now, until]).await?;
    }
    let names: Vec<String> = keys.keys.iter().map(|key| key.kid.clone()).collect();
    tx.run(&TAKE_KEYS_BACK, params![instance, names]).await.map(drop)
}

/// When the key was published, if it was.
pub(crate) async fn published_at(tx: &mut Transaction, kid: &str) -> Result<Option<Timestamp>, StoreError> {
    tx.run(&PUBLISHED_AT, params![kid]).await
}

/// The keys of all instances, latest first.
pub(crate) async fn believed_keys(tx: &mut Transaction, now: Timestamp) -> Result<Vec<Jwk>, StoreError> {
    let read = |row: &Row| {
        let text: String = row.get("jwk")?;
        serde_json::from_str(&text).map_err(|error| StoreError::Row(format!("a published key is unreadable: {error}")))
    };
    tx.run(&BELIEVED_KEYS, params![now]).await?.iter().map(read).collect()
}

/// By what the secret is known that all instances share, once one of them has said so.
pub(crate) async fn shared_fingerprint(tx: &mut Transaction) -> Result<Option<[u8; 32]>, StoreError> {
    tx.run(&SHARED_FINGERPRINT, params![]).await
}

/// Says which secret all instances share; false when another one was said before.
pub(crate) async fn share(tx: &mut Transaction, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
    Ok(tx.run(&SHARE, params![fingerprint]).await? == 1)
}

/// Notes that a challenge was answered; false when it was before.
pub(crate) async fn spend_challenge(
    tx: &mut Transaction,
    digest: [u8; 32],
    until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.run(&SPEND_CHALLENGE, params![digest, until]).await? == 1)
}

/// Forgets keys of instances that are gone, and challenges that are too old anyway.
pub(super) async fn forget(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&FORGET_KEYS, params![now]).await?;
    tx.run(&FORGET_CHALLENGES, params![now]).await.map(drop)
}
