//! Doing twice is doing once: what was answered to a key, kept in the transaction that did the work.

use std::collections::HashMap;

use vocabulary::Timestamp;

use crate::{Affected, Bulk, Many, Optional, Query, Row, Store, StoreError, Transaction, columns, params};

const SQL: &str = include_str!("sql/idempotency.sql");
const CLAIM: Query<Affected> = Query::find(SQL, "claim");
const CLAIMED: Query<Optional> = Query::find(SQL, "claimed");
const REMEMBER: Query<Affected> = Query::find(SQL, "remember");
const CLAIMED_ALL: Query<Many> = Query::find(SQL, "claimed_all");
const REMEMBER_ALL: Query<Bulk> = Query::find(SQL, "remember_all");
const FORGET: Query<Affected> = Query::find(SQL, "forget");

/// What a key says about a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Once {
    /// Never seen: do the work and [`Transaction::remember`] the reply.
    Fresh,
    /// Done before, with this reply.
    Replay(String),
    /// The key was used with other content.
    Mismatch,
    /// From [`Transaction::once_many`] only: the same key and content stand earlier in this very batch. Ask again once
    /// that one has committed.
    Twin,
}

/// A key, its scope (who asks, and what kind of thing) and the SHA-256 of what is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnceKey {
    /// Within which keys differ, such as a user and an operation.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// SHA-256 of the content.
    pub digest: [u8; 32],
}

impl Transaction {
    /// Whether this was done before. Two at once with one key: the second waits here for the first to end. When
    /// [`Once::Fresh`], the key is taken as soon as this transaction commits; without [`Transaction::remember`] its reply
    /// is the empty text.
    pub async fn once(&mut self, scope: &str, key: &str, digest: [u8; 32]) -> Result<Once, StoreError> {
        let now = self.now();
        if self.run(&CLAIM, params![scope, key, digest, now]).await? == 1 {
            return Ok(Once::Fresh);
        }
        match self.run(&CLAIMED, params![scope, key]).await? {
            Some(row) => seen(&row, &digest),
            // Forgotten between the two statements.
            None => Err(StoreError::Busy),
        }
    }

    /// Keeps the reply to a key that [`Transaction::once`] called fresh in this transaction.
    pub async fn remember(&mut self, scope: &str, key: &str, digest: [u8; 32], reply: &str) -> Result<(), StoreError> {
        match self.run(&REMEMBER, params![scope, key, digest, reply]).await? {
            1 => Ok(()),
            _ => Err(StoreError::Row(format!("the idempotency key {key} was not taken in this transaction"))),
        }
    }

    /// [`Transaction::once`] for a batch, in one round trip; takes no key yet: [`Transaction::remember_many`] does, with
    /// the replies, in the same transaction.
    pub async fn once_many(&mut self, keys: &[OnceKey]) -> Result<Vec<Once>, StoreError> {
        let scopes: Vec<String> = keys.iter().map(|key| key.scope.clone()).collect();
        let names: Vec<String> = keys.iter().map(|key| key.key.clone()).collect();
        let rows = self.run(&CLAIMED_ALL, params![scopes, names]).await?;
        let mut known: HashMap<(String, String), Row> = HashMap::with_capacity(rows.len());
        for row in rows {
            known.insert((row.get("scope")?, row.get("key")?), row);
        }
        let mut batch: HashMap<(&str, &str), &[u8; 32]> = HashMap::with_capacity(keys.len());
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(match known.get(&(key.scope.clone(), key.key.clone())) {
                Some(row) => seen(row, &key.digest)?,
                None => match batch.insert((&key.scope, &key.key), &key.digest) {
                    None => Once::Fresh,
                    Some(first) => {
                        batch.insert((&key.scope, &key.key), first);
                        if *first == key.digest { Once::Twin } else { Once::Mismatch }
                    }
                },
            });
        }
        Ok(answers)
    }

    /// Keeps the replies of a batch. [`StoreError::Busy`] when another process took one of the keys meanwhile: roll back
    /// and do the batch again.
    pub async fn remember_many(&mut self, replies: &[(OnceKey, String)]) -> Result<(), StoreError> {
        let now = self.now();
        let (mut scopes, mut keys, mut digests, mut texts) = (vec![], vec![], vec![], vec![]);
        for (key, reply) in replies {
            scopes.push(key.scope.clone());
            keys.push(key.key.clone());
            digests.push(key.digest);
            texts.push(reply.clone());
        }
        let times = vec![now; replies.len()];
        let written = self.bulk(&REMEMBER_ALL, columns![scopes, keys, digests, texts, times]).await?;
        if usize::try_from(written).is_ok_and(|written| written == replies.len()) {
            Ok(())
        } else {
            Err(StoreError::Busy)
        }
    }
}

impl Store {
    /// Forgets the replies given before `at`; gives how many.
    pub async fn forget_replies(&self, at: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let forgotten = tx.run(&FORGET, params![at]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

fn seen(row: &Row, digest: &[u8; 32]) -> Result<Once, StoreError> {
    if row.get::<[u8; 32]>("digest")? != *digest {
        return Ok(Once::Mismatch);
    }
    Ok(Once::Replay(row.get::<Option<String>>("reply")?.unwrap_or_default()))
}
