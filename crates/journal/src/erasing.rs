//! Erasing what entries say, of one person or of everybody after a while.
//!
//! Promises: leaves, nodes and signed heads stay as they are, so every proof and the whole log hold; only what a signed head
//! covers is erased, so nothing leaves without having been counted; that something was erased is told in the same transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use ::store::{StoreError, Transaction};
use contracts::events::{Action, Audience, Level, LogEvent};
use vocabulary::{EventId, UserId};

use crate::service::Journal;
use crate::store::erasing as table;
use crate::store::log;

/// Entries that are erased in one transaction, and transactions in one go of what is due.
const AT_ONCE: u32 = 1_000;
const ROUNDS: u32 = 20;
const DAY: Duration = Duration::from_hours(24);

/// What of somebody is to be erased.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Who it is.
    pub user: UserId,
    /// Also what they did to others: an agent's decisions, a transfer that somebody else received.
    pub acted_on_others: bool,
    /// Why, in words.
    pub reason: String,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Erased {
    /// So many entries say nothing any more.
    pub entries: u64,
    /// So many came so lately that no signed head covers them: they can be erased in a moment.
    pub left: u64,
}

impl Journal {
    /// Everybody who has this login, or had it when something happened.
    pub async fn people_called(&self, login: &str) -> Result<Vec<UserId>, StoreError> {
        crate::store::people_of(&mut self.store.read().await?, login).await
    }

    /// How many entries [`Journal::erase`] would erase.
    pub async fn would_erase(&self, erasure: &Erasure) -> Result<u64, StoreError> {
        table::count_of(&mut self.store.read().await?, erasure.whom()).await
    }

    /// Erases what the entries of somebody say.
    pub async fn erase(&self, erasure: &Erasure) -> Result<Erased, StoreError> {
        self.find_older_by_words().await?;
        let whom = erasure.whom();
        let mut entries = 0_u64;
        loop {
            let mut tx = self.store.begin().await?;
            let size = log::hold(&mut tx).await?;
            let sealed = sealed(&mut tx).await?;
            let count = table::erase_of(&mut tx, whom, sealed, AT_ONCE).await?;
            if count == 0 {
                let left = table::count_of(&mut tx, whom).await?;
                self.following.grown();
                return Ok(Erased { entries, left });
            }
            let details = [
                ("user", whom.id.to_string()),
                ("entries", count.to_string()),
                ("reason", erasure.reason.chars().take(200).collect()),
            ];
            self.tell_in(&mut tx, size, self.erased("The contents of a person's entries were erased", details)).await?;
            tx.commit().await?;
            entries = entries.saturating_add(count);
        }
    }

    /// After how many days contents are erased; nothing is never.
    pub async fn kept_days(&self) -> Result<Option<u32>, StoreError> {
        table::days(&mut self.store.read().await?).await
    }

    /// From now on contents are erased after so many days, or never; all instances go by it.
    pub async fn keep_days(&self, days: Option<u32>) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let size = log::hold(&mut tx).await?;
        table::set_days(&mut tx, days).await?;
        let kept = days.map_or("for ever".to_owned(), |days| format!("{days} days"));
        let event = self.erased("How long contents of the journal are kept was changed", [("kept", kept)]);
        self.tell_in(&mut tx, size, event).await?;
        tx.commit().await
    }

    /// Erases what is older than contents are kept, or as much of it as is done in one go. Says how many entries.
    pub async fn erase_due(&self) -> Result<u64, StoreError> {
        let Some(days) = self.kept_days().await? else { return Ok(0) };
        // By whole days, so that it is done once a day.
        let before = self.store.clock().now().minus(DAY.saturating_mul(days)).day().start();
        let mut entries = 0_u64;
        for _ in 0..ROUNDS {
            let mut tx = self.store.begin().await?;
            let size = log::hold(&mut tx).await?;
            let sealed = sealed(&mut tx).await?;
            let count = table::erase_before(&mut tx, before, sealed, AT_ONCE).await?;
            if count == 0 {
                break;
            }
            let details = [("before", before.day().to_string()), ("entries", count.to_string())];
            self.tell_in(&mut tx, size, self.erased("Contents older than they are kept were erased", details)).await?;
            tx.commit().await?;
            entries = entries.saturating_add(count);
        }
        if entries > 0 {
            self.following.grown();
        }
        Ok(entries)
    }

    fn erased<const N: usize>(&self, message: &str, details: [(&str, String); N]) -> LogEvent {
        let clock = self.store.clock();
        LogEvent {
            id: EventId::new(clock, &self.chance),
            at: clock.now(),
            audience: Audience::Agents,
            level: Level::Warning,
            action: Action::LogContentsErased,
            actor: None,
            subject: None,
            message: message.to_owned(),
            details: details.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
            trace_id: None,
        }
    }
}

impl Erasure {
    const fn whom(&self) -> table::Whom {
        table::Whom { id: self.user, acted: self.acted_on_others }
    }
}

/// How many entries a signed head covers.
async fn sealed(tx: &mut Transaction) -> Result<u64, StoreError> {
    Ok(log::last_checkpoint(tx).await?.map_or(0, |sealed| sealed.size))
}
