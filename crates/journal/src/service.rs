//! What the journal does: takes events, shows entries, says how it does.

use aaa::{Call, Done};
use bus::{Bus, Envelope};
use chassis::{Health, Truth};
use contracts::Page;
use contracts::journal::{ListLogs, LogEntry};
use contracts::peers::{TakeEvents, Told};
use contracts::roles::{Agent, Superuser};
use store::{Store, StoreError};
use vocabulary::{Day, Login, Timestamp};

use crate::entry::{self, Kept, Place, Reader, Whose};
use crate::error::Error;
use crate::hearing::Heard;
use crate::store::{self as table, Filter};

/// The journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    store: Store,
}

impl Journal {
    /// Over an open database with the journal's [`crate::MIGRATIONS`].
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Listens to everything on `bus`. Only `log.>` is kept; the rest tells that nothing in between is missing.
    pub fn subscribe(&self, bus: &Bus) {
        let journal = self.clone();
        bus.subscribe_in_batches(">", "journal", move |envelopes| {
            let journal = journal.clone();
            async move { Ok(journal.take(envelopes).await?) }
        });
    }

    /// Keeps events, all or none, each once however often it comes: the same event has the same id.
    pub async fn take(&self, envelopes: Vec<Envelope>) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        for of_one_source in envelopes.chunk_by(|one, next| one.source == next.source) {
            let Some(source) = of_one_source.first().map(|envelope| envelope.source.clone()) else { continue };
            let before = table::hearing(&mut tx, &source).await?;
            let mut hearing = before.clone();
            let (mut events, mut new) = (Vec::new(), 0_u64);
            for envelope in of_one_source {
                let heard = hearing.hear(envelope.seq);
                if let Heard::Beyond((first, last)) = heard {
                    tracing::error!(source, first, last, "events of a source are missing");
                }
                if envelope.subject.starts_with("log.") {
                    new = new.saturating_add(u64::from(heard != Heard::Again));
                    events.push(Kept::from_envelope(envelope.clone()));
                }
            }
            if table::keep(&mut tx, events).await? > new {
                tracing::error!(
                    source,
                    "a source told other events under numbers it had used before: was it restored from a backup?"
                );
            }
            table::set_hearing(&mut tx, &source, &before, &hearing).await?;
        }
        tx.commit().await
    }

    async fn truths(&self) -> Result<Vec<Truth>, StoreError> {
        let mut tx = self.store.read().await?;
        let (gaps, unreadable) = (table::count_gaps(&mut tx).await?, table::count_unreadable(&mut tx).await?);
        Ok(vec![Truth::new("no gap in any source", gaps == 0), Truth::new("every entry readable", unreadable == 0)])
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
    let staff = by.is_in::<Agent>() || by.is_in::<Superuser>();
    let reader = Reader { id: by.id, staff };
    let whose = if staff && !asked.mine {
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
