//! The journal as the keeper of what comes over a broker: what can be used is kept like any event, what cannot is set aside.
//!
//! Promises: a message that cannot be used is kept as it came until a person has looked at it, once however often it comes; the
//! events around it go on. A source of which too many lie here is not believed to have a bad message but a bad key or a bad
//! program: nothing more of it is given up. Must not know how messages travel.

use ::store::{Store, StoreError, Uuid};
use bus::nats::{Keeper, Poison};
use bus::{Envelope, Failure};
use sha2::{Digest, Sha256};
use vocabulary::Timestamp;

use crate::entry::storable;
use crate::service::Journal;
use crate::store as table;
use crate::store::receiving;

/// Most messages of one source that lie here.
const MOST: i64 = 100;

/// A message that came and cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAside {
    /// Names it: the SHA-256 of the whole of it.
    pub digest: [u8; 32],
    /// Who sent it.
    pub source: String,
    /// Under which subject.
    pub subject: String,
    /// The number that it claims.
    pub seq: Option<i64>,
    /// The identifier that it claims.
    pub event_id: Option<Uuid>,
    /// When it came first.
    pub first_at: Timestamp,
    /// How often it came.
    pub times: i64,
    /// What is wrong with it.
    pub why: String,
    /// It, sealed perhaps.
    pub bytes: Vec<u8>,
    /// Whether better copies were asked for in vain; its source has it no longer.
    pub given_up: bool,
}

impl SetAside {
    fn of(poison: Poison, now: Timestamp) -> Self {
        let Poison { source, subject, seq, id, bytes, why, last } = poison;
        let mut digest = Sha256::new();
        for part in [source.as_bytes(), subject.as_bytes(), &seq.unwrap_or(0).to_be_bytes(), &bytes] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self {
            digest: digest.finalize().into(),
            source: storable(source),
            subject: storable(subject),
            seq,
            event_id: id,
            first_at: now,
            times: 1,
            why: storable(why),
            bytes,
            given_up: last,
        }
    }

    /// Whether no better copy is to be hoped for.
    pub const fn is_lost(&self) -> bool {
        self.given_up || self.seq.is_none()
    }
}

impl Keeper for Journal {
    async fn take(&self, envelopes: Vec<Envelope>) -> Result<String, Failure> {
        let head = Self::take(self, envelopes).await?;
        Ok(format!("{} {}", head.size, head.root))
    }

    async fn set_aside(&self, poison: Poison) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        let it = SetAside::of(poison, tx.now());
        // Locked first: of one source, one message after the other.
        let before = table::hearing(&mut tx, &it.source).await?;
        if receiving::others_aside(&mut tx, &it.source, &it.digest).await? >= MOST {
            let many = format!(
                "{MOST} messages of {} are set aside already, so no more are given up: look at `guichet journal quarantine`, mend the \
                 cause, and remove them",
                it.source
            );
            return Err(many.into());
        }
        // What was given up is not missing: it is here.
        if let Some(seq) = it.seq.filter(|_| it.given_up) {
            let mut hearing = before.clone();
            hearing.hear(seq);
            table::set_hearing(&mut tx, &it.source, &before, &hearing).await?;
        }
        receiving::set_aside(&mut tx, it).await?;
        Ok(tx.commit().await?)
    }
}

/// Everything that is set aside in the journal's database, oldest first.
pub async fn set_aside(store: &Store) -> Result<Vec<SetAside>, StoreError> {
    receiving::aside(&mut store.read().await?).await
}

/// Forgets messages that somebody has looked at.
pub async fn forget_set_aside(store: &Store, messages: &[SetAside]) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    for message in messages {
        receiving::remove_aside(&mut tx, &message.digest).await?;
    }
    tx.commit().await
}
