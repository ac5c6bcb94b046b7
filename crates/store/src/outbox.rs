//! The way out of the database: events that committed transactions told, in order, until the journal has them; and
//! audit records, which are kept whatever became of the work.

use tokio::sync::watch;
use uuid::Uuid;
use vocabulary::Timestamp;

use crate::{Affected, Bulk, Many, Query, Scalar, Store, StoreError, columns, params};

const SQL: &str = include_str!("sql/outbox.sql");
const OUTBOX_BATCH: Query<Many> = Query::find(SQL, "outbox_batch");
const OUTBOX_DONE: Query<Affected> = Query::find(SQL, "outbox_done");
const OUTBOX_OLDEST: Query<Scalar<Timestamp>> = Query::find(SQL, "outbox_oldest");
const OUTBOX_NEWEST: Query<Scalar<i64>> = Query::find(SQL, "outbox_newest");
const AUDIT_SQL: &str = include_str!("sql/audit.sql");
const AUDIT_ALL: Query<Bulk> = Query::find(AUDIT_SQL, "audit_all");
const AUDITED: Query<Many> = Query::find(AUDIT_SQL, "audited");
const FORGET_AUDIT: Query<Affected> = Query::find(AUDIT_SQL, "forget_audit");
/// A call that visits several services leaves a few records.
const AUDITED_AT_MOST: i64 = 100;

/// An event as the outbox holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// 1, 2, 3… in the order of commits, without gaps.
    pub seq: i64,
    /// Its identifier, for consumers that see it twice.
    pub id: Uuid,
    /// What it is about.
    pub subject: String,
    /// JSON.
    pub payload: String,
    /// When it was told.
    pub at: Timestamp,
}

impl Store {
    /// The oldest events, at most `limit`, in order.
    pub async fn outbox_batch(&self, limit: u32) -> Result<Vec<Told>, StoreError> {
        self.outbox_after(0, limit).await
    }

    /// The oldest events that come after `seq`, at most `limit`, in order.
    pub async fn outbox_after(&self, seq: i64, limit: u32) -> Result<Vec<Told>, StoreError> {
        let rows = self.read().await?.run(&OUTBOX_BATCH, params![seq, limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(Told {
                    seq: row.get("seq")?,
                    id: row.get("id")?,
                    subject: row.get("subject")?,
                    payload: row.get("payload")?,
                    at: row.get("at")?,
                })
            })
            .collect()
    }

    /// Forgets the events up to and with `seq`: the journal has committed them.
    pub async fn outbox_done(&self, seq: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let forgotten = tx.run(&OUTBOX_DONE, params![seq]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Since when the oldest event waits; `None` when none does.
    pub async fn outbox_oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read().await?.run(&OUTBOX_OLDEST, params![]).await
    }

    /// The number of the newest event that waits; `None` when none does.
    pub async fn outbox_newest(&self) -> Result<Option<i64>, StoreError> {
        self.read().await?.run(&OUTBOX_NEWEST, params![]).await
    }

    /// Changes after each commit of this process that told something. Events told by another process on the same
    /// PostgreSQL are not announced here: look from time to time as well.
    pub fn outbox_notified(&self) -> watch::Receiver<()> {
        self.announcements().subscribe()
    }

    /// Writes audit records in a transaction of their own; one already there is left as it is.
    pub async fn audit_many(&self, records: &[AuditRecord]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
        let times: Vec<Timestamp> = records.iter().map(|record| record.at).collect();
        let traces: Vec<String> = records.iter().map(|record| record.trace_id.clone()).collect();
        let payloads: Vec<String> = records.iter().map(|record| record.payload.clone()).collect();
        let mut tx = self.begin().await?;
        tx.bulk(&AUDIT_ALL, columns![ids, times, traces, payloads]).await?;
        tx.commit().await
    }

    /// The payloads of the audit records of one call, oldest first; at most a hundred.
    pub async fn audited(&self, trace_id: &str) -> Result<Vec<String>, StoreError> {
        let rows = self.read().await?.run(&AUDITED, params![trace_id, AUDITED_AT_MOST]).await?;
        rows.iter().map(|row| row.get("payload")).collect()
    }

    /// Forgets audit records from before `at`. Gives how many.
    pub async fn forget_audit(&self, at: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let forgotten = tx.run(&FORGET_AUDIT, params![at]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

/// Who did what, whatever became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    /// Identifies it.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// The call that it is about.
    pub trace_id: String,
    /// JSON.
    pub payload: String,
}
