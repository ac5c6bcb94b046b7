//! Walks the log over and over, a piece at a time, so that what was altered is noticed without anybody asking.
//!
//! Promises: every entry is held to its leaf and to the signed heads once in each lap, at a bounded cost; a log of fewer than
//! [`AT_ONCE`] entries is walked whole each time. What is found stays told until a whole lap finds nothing. It does not stand
//! in for a walk with a witness's keys, which somebody else keeps: whoever has this journal's key could write it anew.

use std::sync::{Arc, Mutex, PoisonError};

use ::store::{StoreError, Transaction};
use tlog::Trust;

use crate::proving::{self, AuditError};
use crate::service::Journal;
use crate::store::log as table;

/// How many entries are walked at a time.
const AT_ONCE: u64 = 1000;
/// Entries that never went through the log are looked for in journals of this size: that needs all of it at once.
const BESIDE: u64 = 100_000;

/// How far it got, and what it thinks of the log. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patrol(Arc<Mutex<Lap>>);

#[derive(Debug, Default)]
struct Lap {
    /// Where the next piece begins.
    next: u64,
    /// Whether something was found since the lap began.
    stained: bool,
    /// What is wrong.
    wrong: Option<String>,
}

impl Patrol {
    /// Whether nothing is known to be wrong.
    pub(crate) fn is_calm(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wrong.is_none()
    }

    fn note(&self, next: u64, whole: bool, found: Option<String>) {
        let mut lap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lap.stained |= found.is_some();
        match found {
            Some(found) if lap.wrong.as_ref() != Some(&found) => {
                tracing::error!(found, "the journal is not what it was");
                lap.wrong = Some(found);
            }
            None if whole && !lap.stained && lap.wrong.take().is_some() => {
                tracing::warn!("the journal is what its log says again");
            }
            _ => {}
        }
        lap.next = if whole { 0 } else { next };
        if whole {
            lap.stained = false;
        }
    }
}

impl Journal {
    /// Walks the next piece of the log. To be called every moment.
    pub async fn patrol(&self) -> Result<(), StoreError> {
        let next = self.patrol.0.lock().unwrap_or_else(PoisonError::into_inner).next;
        let mut tx = self.store.read().await?;
        let end = proving::end(&mut tx).await?;
        // It may have become shorter.
        let first = if next < end { next } else { 0 };
        let last = end.min(first.saturating_add(AT_ONCE));
        let found = match self.walk_piece(&mut tx, first, last).await {
            Ok(()) if last == end && end <= BESIDE => {
                let beside = table::not_logged(&mut tx, 1).await?.pop();
                beside.map(|kept| AuditError::Unlogged(kept.event.id).to_string())
            }
            Ok(()) => None,
            // A tree that cannot be read as one is a finding; a database that is away is none.
            Err(AuditError::Store(error)) if !matches!(error, StoreError::Row(_)) => return Err(error),
            Err(found) => Some(found.to_string()),
        };
        self.patrol.note(last, last == end, found);
        Ok(())
    }

    async fn walk_piece(&self, tx: &mut Transaction, first: u64, last: u64) -> Result<(), AuditError> {
        let trust = Trust::new(self.log_key().clone(), Vec::new(), 0);
        let trust = trust.map_err(|error| StoreError::Row(error.to_string()))?;
        let heads = proving::opened(table::heads_between(tx, first, last).await?, &trust)?;
        proving::walk(tx, heads, first, last).await.map(drop)
    }
}
