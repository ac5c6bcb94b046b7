//! What the journal does: takes events, shows entries, says how it does.

use std::collections::HashSet;
use std::sync::Arc;

use aaa::{Call, Done};
use bus::{Bus, Envelope};
use chassis::{Further, Health, Measure, Truth};
use contracts::events::LogEvent;
use contracts::journal::SERVICE;
use contracts::peers::{TakeEvents, Told};
use store::{Store, StoreError, Transaction};
use tlog::{Hash, Head, SigningKey};
use vocabulary::{Chance, EventId};

use crate::entry::Kept;
use crate::error::Error;
use crate::following::Following;
use crate::hearing::Heard;
use crate::log::{Leaf, StoredBadly};
use crate::patrol::Patrol;
use crate::receiving;
use crate::search::Questions;
use crate::store::receiving as aside;
use crate::store::{self as table, log};

/// The journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    pub(crate) store: Store,
    /// Signs the heads of the log.
    pub(crate) key: Arc<SigningKey>,
    pub(crate) chance: Chance,
    pub(crate) told: receiving::Told,
    /// What staff looked for lately.
    pub(crate) questions: Questions,
    pub(crate) following: Following,
    pub(crate) patrol: Patrol,
    further: Further,
}

impl Journal {
    /// Over an open database with the journal's [`crate::MIGRATIONS`]; `key` is the log's, see [`crate::log_key`].
    pub fn new(store: Store, key: SigningKey, chance: Chance) -> Self {
        let (told, questions) = (receiving::Told::default(), Questions::default());
        let (following, patrol) = (Following::default(), Patrol::default());
        Self { store, key: Arc::new(key), chance, told, questions, following, patrol, further: Further::default() }
    }

    /// What somebody else checks about this journal.
    pub const fn further(&self) -> &Further {
        &self.further
    }

    /// Listens to everything on `bus`. Only `log.>` is kept; the rest tells that nothing in between is missing.
    pub fn subscribe(&self, bus: &Bus) {
        let journal = self.clone();
        bus.subscribe_in_large_batches(">", "journal", move |envelopes| {
            let journal = journal.clone();
            async move { Ok(journal.take(envelopes).await.map(drop)?) }
        });
    }

    /// Keeps events, all or none, each once however often it comes: the same event has the same id. Each is a leaf of the log
    /// from then on. Gives the head of the log after them.
    pub async fn take(&self, envelopes: Vec<Envelope>) -> Result<Head, StoreError> {
        let mut tx = self.store.begin().await?;
        // First of all, or two takers of several sources would wait for one another.
        let size = log::hold(&mut tx).await?;
        let mut kept = Vec::new();
        for of_one_source in envelopes.chunk_by(|one, next| one.source == next.source) {
            kept.extend(self.hear(&mut tx, of_one_source).await?);
        }
        let head = self.append(&mut tx, size, kept).await?;
        tx.commit().await?;
        self.following.grown();
        Ok(head)
    }

    /// Keeps entries that are new, as the next leaves of the log of `size` entries, held by this transaction.
    async fn append(&self, tx: &mut Transaction, size: u64, kept: Vec<Kept>) -> Result<Head, StoreError> {
        let leaves: Result<Vec<_>, StoredBadly> = kept.iter().map(|kept| self.leaf(kept)).collect();
        table::keep(tx, kept, size).await?;
        log::append(tx, size, &leaves.map_err(log::bad)?).await
    }

    /// Tells something that happened to the journal itself, in its own name.
    pub(crate) async fn tell(&self, event: LogEvent) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let size = log::hold(&mut tx).await?;
        self.tell_in(&mut tx, size, event).await?;
        tx.commit().await?;
        self.following.grown();
        Ok(())
    }

    /// The same within a transaction that holds the log of `size` entries.
    pub(crate) async fn tell_in(&self, tx: &mut Transaction, size: u64, event: LogEvent) -> Result<(), StoreError> {
        let before = table::hearing(tx, SERVICE).await?;
        let mut hearing = before.clone();
        let seq = before.up_to.saturating_add(1);
        hearing.hear(seq);
        table::set_hearing(tx, SERVICE, &before, &hearing).await?;
        self.append(tx, size, vec![Kept { event, source: SERVICE.to_owned(), seq, raw: None }]).await.map(drop)
    }

    pub(crate) fn leaf(&self, kept: &Kept) -> Result<(EventId, Leaf, Hash), StoredBadly> {
        let (leaf, hash) = Leaf::of(kept, &self.chance)?;
        Ok((kept.event.id, leaf, hash))
    }

    /// Takes note of the numbers of one source, and gives the events that are new.
    async fn hear(&self, tx: &mut Transaction, envelopes: &[Envelope]) -> Result<Vec<Kept>, StoreError> {
        let Some(source) = envelopes.first().map(|envelope| &envelope.source) else { return Ok(Vec::new()) };
        let before = table::hearing(tx, source).await?;
        let mut hearing = before.clone();
        let (mut events, mut unheard) = (Vec::new(), 0_usize);
        for envelope in envelopes {
            let heard = hearing.hear(envelope.seq);
            if let Heard::Beyond((first, last)) = heard {
                tracing::error!(source, first, last, "events of a source are missing");
            }
            if envelope.subject.starts_with("log.") {
                unheard = unheard.saturating_add(usize::from(heard != Heard::Again));
                events.push(Kept::from_envelope(envelope.clone()));
            }
        }
        table::set_hearing(tx, source, &before, &hearing).await?;
        let ids = events.iter().map(|kept| kept.event.id).collect();
        let mut known: HashSet<EventId> = table::known_among(tx, ids).await?.into_iter().collect();
        events.retain(|kept| known.insert(kept.event.id));
        if events.len() > unheard {
            tracing::error!(
                source,
                "a source told other events under numbers it had used before: was it restored from a backup?"
            );
        }
        Ok(events)
    }

    async fn truths(&self) -> Result<Vec<Truth>, StoreError> {
        let mut tx = self.store.read().await?;
        let (gaps, unreadable) = (table::count_gaps(&mut tx).await?, table::count_unreadable(&mut tx).await?);
        let lost = aside::count_lost(&mut tx).await?;
        Ok(vec![
            Truth::new("no gap in any source", gaps == 0),
            Truth::new("every entry readable", unreadable == 0),
            Truth::new("no message had to be set aside", lost == 0),
            Truth::new("every entry is as it was logged", self.patrol.is_calm()),
        ])
    }
}

impl Journal {
    async fn counted(&self) -> Result<Vec<Measure>, StoreError> {
        let mut tx = self.store.read().await?;
        let (size, gaps) = (log::size(&mut tx).await?, table::count_gaps(&mut tx).await?);
        let unreadable = table::count_unreadable(&mut tx).await?;
        Ok(vec![
            Measure::count("journal_entries", "How many entries the journal holds", size),
            Measure::count("journal_gaps", "How many runs of events never arrived", gaps),
            Measure::count("journal_unreadable_entries", "How many entries could not be read", unreadable),
        ])
    }
}

impl Health for Journal {
    async fn ready(&self) -> Result<(), String> {
        self.store.ping().await.map_err(|error| error.to_string())
    }

    async fn truths(&self) -> Vec<Truth> {
        let mut truths = self.truths().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal cannot check its truths");
            vec![Truth::new("the journal can be read", false)]
        });
        truths.extend(self.further.truths().await);
        truths
    }

    async fn measures(&self) -> Vec<Measure> {
        let mut counted = self.counted().await.unwrap_or_default();
        counted.extend(self.further.measures().await);
        counted
    }
}

/// Keeps what another service hands over. Whose events they are is what its certificate says, not what it writes.
pub(crate) async fn take_events(journal: Journal, call: Call<TakeEvents, Journal>) -> Result<Done, Error> {
    let source = call.by().login.clone();
    let envelope = |told: Told| Envelope {
        id: told.id.0,
        source: source.clone(),
        seq: told.seq,
        subject: told.subject,
        payload: told.payload,
        at: told.at,
    };
    journal.take(call.request.events.into_iter().map(envelope).collect()).await?;
    Ok(Done)
}
