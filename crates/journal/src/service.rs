//! What the journal does: takes events, shows entries, says how it does.

use std::collections::HashSet;
use std::sync::Arc;

use aaa::{Call, Done};
use bus::{Bus, Envelope};
use chassis::{Health, Truth};
use contracts::Page;
use contracts::journal::{ListLogs, LogEntry};
use contracts::peers::{TakeEvents, Told};
use store::{Store, StoreError, Transaction};
use tlog::{Hash, Head, SigningKey};
use vocabulary::{Chance, Day, EventId, Login, Timestamp};

use crate::entry::{self, Kept, Place, Reader, Whose};
use crate::error::Error;
use crate::hearing::Heard;
use crate::log::{Leaf, StoredBadly};
use crate::receiving;
use crate::store::receiving as aside;
use crate::store::{self as table, Filter, log};

/// The journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    pub(crate) store: Store,
    /// Signs the heads of the log.
    pub(crate) key: Arc<SigningKey>,
    pub(crate) chance: Chance,
    pub(crate) told: receiving::Told,
}

impl Journal {
    /// Over an open database with the journal's [`crate::MIGRATIONS`]; `key` is the log's, see [`crate::log_key`].
    pub fn new(store: Store, key: SigningKey, chance: Chance) -> Self {
        Self { store, key: Arc::new(key), chance, told: receiving::Told::default() }
    }

    /// Listens to everything on `bus`. Only `log.>` is kept; the rest tells that nothing in between is missing.
    pub fn subscribe(&self, bus: &Bus) {
        let journal = self.clone();
        bus.subscribe_in_batches(">", "journal", move |envelopes| {
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
        let leaves: Result<Vec<_>, StoredBadly> = kept.iter().map(|kept| self.leaf(kept)).collect();
        table::keep(&mut tx, kept).await?;
        let head = log::append(&mut tx, size, &leaves.map_err(log::bad)?).await?;
        tx.commit().await?;
        Ok(head)
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
        ])
    }
}

impl Health for Journal {
    async fn ready(&self) -> Result<(), String> {
        self.store.ping().await.map_err(|error| error.to_string())
    }

    async fn truths(&self) -> Vec<Truth> {
        self.truths().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal cannot check its truths");
            vec![Truth::new("the journal can be read", false)]
        })
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

/// The entries that the caller may see and asked for, newest first.
pub(crate) async fn list_logs(journal: Journal, call: Call<ListLogs, Journal>) -> Result<Page<LogEntry>, Error> {
    let (by, asked) = (call.by(), &call.request);
    let reader = Reader::of(by);
    let whose = if reader.staff && !asked.mine {
        match asked.user.as_deref().map(of_user) {
            None => Whose::All,
            Some(Some(whose)) => whose,
            // No id and no login: nobody is called so.
            Some(None) => return Ok(nothing()),
        }
    } else if asked.user.as_deref().is_none_or(|user| user == by.login || user.parse() == Ok(by.id)) {
        Whose::For(by.id)
    } else {
        // Somebody else's entries, to one who sees only their own.
        return Ok(nothing());
    };
    let filter = Filter {
        whose,
        action: asked.action,
        level: asked.level,
        from: asked.from.map_or(Timestamp::from_micros(i64::MIN), Day::start),
        before: start(asked)?,
        limit: asked.limit.and_one(),
    };
    let mut tx = journal.store.read().await?;
    Ok(entry::page(table::find(&mut tx, &filter).await?, asked.limit, reader))
}

/// Where the page begins: where the last one ended, and in no case after the period.
fn start(asked: &ListLogs) -> Result<Place, Error> {
    if asked.from.zip(asked.to).is_some_and(|(from, to)| to < from) {
        return Err(Error::Period);
    }
    let end = asked.to.map_or(Place::END, |day| Place::before(day.end()));
    let cursor = asked.cursor.as_ref().map(|cursor| cursor.place().ok_or(Error::Cursor)).transpose()?;
    Ok(cursor.map_or(end, |cursor: Place| cursor.min(end)))
}

/// Whom a filter names: by id, or else by login.
fn of_user(user: &str) -> Option<Whose> {
    let login = || user.parse::<Login>().ok().map(|login| Whose::Login(login.to_string()));
    user.parse().ok().map(Whose::Person).or_else(login)
}

const fn nothing() -> Page<LogEntry> {
    Page { items: Vec::new(), next: None }
}
