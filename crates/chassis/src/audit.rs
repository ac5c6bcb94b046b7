//! Keeps the record of decisions in the service's own store, written in batches beside the calls.

use aaa::{Audit, Decided, Decision};
use store::{AuditRecord, Store};
use tokio::sync::{mpsc, oneshot};
use vocabulary::{Chance, Clock, EventId};

/// Most decisions waiting to be written; beyond that they go to the log only, and the log says so.
const WAITING: usize = 10_000;
/// Most decisions in one transaction.
const BATCH: usize = 500;

/// Writes decisions to `store`. Clones share the queue.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Item>,
}

enum Item {
    Note(Decided),
    Flush(oneshot::Sender<()>),
}

impl AuditLog {
    /// Begins to write; ends by itself when the last clone is dropped.
    pub fn start(store: Store, chance: Chance) -> Self {
        let (queue, mut waiting) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut items = Vec::with_capacity(BATCH);
            while waiting.recv_many(&mut items, BATCH).await > 0 {
                let mut records = Vec::with_capacity(items.len());
                let mut flushes = Vec::new();
                for item in items.drain(..) {
                    match item {
                        Item::Note(decided) => records.push(record(&decided.record(), store.clock(), &chance)),
                        Item::Flush(done) => flushes.push(done),
                    }
                }
                write(&store, &records).await;
                for done in flushes {
                    let _ = done.send(());
                }
            }
        });
        Self { queue }
    }

    /// Waits until everything noted so far is written (or given up on).
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Item::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

fn record(decision: &Decision, clock: &Clock, chance: &Chance) -> AuditRecord {
    let payload = serde_json::to_string(decision).unwrap_or_else(|error| format!("{{\"unwritable\":\"{error}\"}}"));
    AuditRecord { id: EventId::new(clock, chance).0, at: decision.at, trace_id: decision.trace_id.clone(), payload }
}

async fn write(store: &Store, records: &[AuditRecord]) {
    if records.is_empty() {
        return;
    }
    if let Err(error) = store.audit_many(records).await {
        // The log is the last place left; an operator's collector keeps it.
        for AuditRecord { payload: record, .. } in records {
            tracing::error!(target: "audit", %error, record, "audit record could not be stored");
        }
    }
}

impl Audit for AuditLog {
    fn note(&self, decided: Decided) {
        if let Err(refused) = self.queue.try_send(Item::Note(decided))
            && let Item::Note(decided) = refused.into_inner()
        {
            let decision = decided.record();
            tracing::error!(target: "audit", ?decision, "audit queue is full; this record is only here");
        }
    }
}
