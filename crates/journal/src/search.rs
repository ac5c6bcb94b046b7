//! Lists of entries: who may see which, what a filter means, and that looking for somebody is itself told.

use std::time::Duration;

use ::store::{StoreError, Transaction};
use aaa::{Cache, Call, Principal};
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use contracts::journal::{Edge, ListLogs, LogEntry, LogFilter};
use contracts::{Cursor, Page};
use vocabulary::{EventId, Login, Timestamp, UserId};

use crate::entry::{self, Found, Place, Reader, Whose};
use crate::error::Error;
use crate::service::Journal;
use crate::store::kinds::{self, Kind, Kinds};
use crate::store::search::{self as table, Filter, Spots};
use crate::words::{self, Wanted};

/// How long the same question of the same person is told but once.
const SAME: Duration = Duration::from_hours(1);
/// Most questions that are remembered; one more than that is told again.
const REMEMBERED: u64 = 10_000;

/// What staff looked for lately. Clones share it.
#[derive(Clone)]
pub(crate) struct Questions(Cache<(UserId, String), ()>);

impl Default for Questions {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED, SAME))
    }
}

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Questions")
    }
}

/// What somebody may see of what they asked for.
pub(crate) struct Asked {
    pub(crate) reader: Reader,
    pub(crate) request: LogFilter,
    pub(crate) filter: Filter,
    pub(crate) kinds: Kinds,
    /// After every entry of the period.
    pub(crate) end: Place,
}

impl Asked {
    /// What `asked` means for `by`; nothing where it can only mean nothing.
    pub(crate) async fn by(by: &Principal, asked: &LogFilter, tx: &mut Transaction) -> Result<Option<Self>, Error> {
        let reader = Reader::of(by);
        let (from, to) = (asked.from.map(Edge::start), asked.to.map(Edge::end));
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(Error::Period);
        }
        let wanted = |text: &contracts::journal::SearchText| Wanted::of(text.as_str()).ok_or(Error::Wordless);
        let words = asked.text.as_ref().map(wanted).transpose()?;
        let Some(whose) = whose(by, reader, asked) else { return Ok(None) };
        let kinds = kinds::all(tx).await?;
        let wanted = kinds.asked_for(asked);
        let filter = Filter {
            whose,
            of_any_kind: wanted.len() == kinds.count(),
            kinds: wanted,
            words,
            trace_id: asked.trace_id.as_ref().map(ToString::to_string),
            from: from.unwrap_or(Timestamp::from_micros(i64::MIN)),
        };
        Ok(Some(Self { reader, request: asked.clone(), filter, kinds, end: to.map_or(Place::END, Place::before) }))
    }

    /// Whether an entry is among those asked for.
    pub(crate) fn shows(&self, found: &Found) -> bool {
        let (entry, filter) = (&found.entry, &self.filter);
        let is = |login: &str| entry.actor.as_deref() == Some(login) || entry.subject.as_deref() == Some(login);
        let whose = match &filter.whose {
            Whose::All => true,
            Whose::For(id) => entry.subject_id == Some(*id) && entry.audience == Audience::Members,
            Whose::Person(id) => found.actor_id == Some(*id) || entry.subject_id == Some(*id),
            Whose::Login(login) => is(login),
        };
        whose
            && Kind::of_entry(entry).is_asked_for(&self.request)
            && entry.at >= filter.from
            && entry.at < self.end.at
            && filter.trace_id.as_ref().is_none_or(|trace_id| entry.trace_id.as_ref() == Some(trace_id))
            && filter.words.as_ref().is_none_or(|words| words.is_in(&words::of_entry(&entry.message, &entry.details)))
    }

    /// The newest entries before `before`, at most so many; and up to where was looked, where there may be more behind it.
    pub(crate) async fn find(
        &self,
        tx: &mut Transaction,
        before: Place,
        most: i64,
    ) -> Result<(Vec<Found>, Option<Place>), StoreError> {
        let Spots { spots, rest } = table::spots(tx, &self.filter, before.min(self.end), most).await?;
        Ok((table::entries_at(tx, &spots).await?, rest))
    }
}

/// Whose entries these are; nobody's where a name is none, or is somebody else's and one may only see one's own.
fn whose(by: &Principal, reader: Reader, asked: &LogFilter) -> Option<Whose> {
    if reader.staff && !asked.mine {
        return match &asked.user {
            None => Some(Whose::All),
            Some(user) => of_user(user),
        };
    }
    let own = asked.user.as_deref().is_none_or(|user| user == by.login || user.parse() == Ok(by.id));
    own.then_some(Whose::For(by.id))
}

/// Whom a filter names: by id, or else by login.
fn of_user(user: &str) -> Option<Whose> {
    let login = || user.parse::<Login>().ok().map(|login| Whose::Login(login.to_string()));
    user.parse().ok().map(Whose::Person).or_else(login)
}

/// The entries that the caller may see and asked for, newest first.
pub(crate) async fn list_logs(journal: Journal, call: Call<ListLogs, Journal>) -> Result<Page<LogEntry>, Error> {
    let (by, request) = (call.by(), &call.request);
    let (filter, limit) = (request.filter(), request.limit);
    let cursor = request.cursor.as_ref().map(|cursor| cursor.place().ok_or(Error::Cursor)).transpose()?;
    let mut tx = journal.store.read().await?;
    let Some(asked) = Asked::by(by, &filter, &mut tx).await? else {
        return Ok(Page { items: Vec::new(), next: None::<Cursor> });
    };
    let (found, rest) = asked.find(&mut tx, cursor.unwrap_or(Place::END), limit.and_one()).await?;
    drop(tx);
    journal.note_question(by, asked.reader, &filter, &found).await?;
    let page = entry::page(found, limit, asked.reader);
    // Fewer than were asked for, of so many that were looked through: the list goes on behind them.
    Ok(Page { next: page.next.or_else(|| rest.map(Cursor::at)), ..page })
}

impl Journal {
    /// Tells that staff looked for somebody else, for words or for a call: once for the same question in a while.
    pub(crate) async fn note_question(
        &self,
        by: &Principal,
        reader: Reader,
        asked: &LogFilter,
        found: &[Found],
    ) -> Result<(), StoreError> {
        let own = asked.user.as_deref().is_none_or(|user| user == by.login || user.parse() == Ok(by.id));
        let searches = asked.text.is_some() || asked.trace_id.is_some();
        if !reader.staff || asked.mine || (own && !searches) {
            return Ok(());
        }
        let subject = asked.user.as_deref().and_then(|user| person(user, found));
        self.note_question_about(by, subject, asked).await
    }

    /// Tells that staff read a single entry that concerns somebody else: as if they had looked for that person.
    pub(crate) async fn note_reading(&self, by: &Principal, reader: Reader, about: Person) -> Result<(), StoreError> {
        if !reader.staff || about.id == by.id {
            return Ok(());
        }
        let asked = LogFilter { user: Some(about.login.clone()), ..LogFilter::default() };
        self.note_question_about(by, Some(about), &asked).await
    }

    async fn note_question_about(
        &self,
        by: &Principal,
        subject: Option<Person>,
        asked: &LogFilter,
    ) -> Result<(), StoreError> {
        let question = (by.id, format!("{:?} {:?} {:?}", asked.user, asked.text, asked.trace_id));
        if self.questions.0.get(&question).is_some() {
            return Ok(());
        }
        self.tell(self.reading(by, Action::LogsRead, subject, asked)).await?;
        self.questions.0.put(question, ());
        Ok(())
    }

    /// Tells that somebody follows the journal: a client that comes back is no second one.
    pub(crate) async fn note_following(&self, by: &Principal, asked: &LogFilter) -> Result<(), StoreError> {
        let question = (by.id, format!("follows {asked:?}"));
        if self.questions.0.get(&question).is_none() {
            self.tell(self.reading(by, Action::LogsFollowed, None, asked)).await?;
            self.questions.0.put(question, ());
        }
        Ok(())
    }

    /// That somebody read the journal, to be told.
    pub(crate) fn reading(
        &self,
        by: &Principal,
        action: Action,
        subject: Option<Person>,
        asked: &LogFilter,
    ) -> LogEvent {
        let clock = self.store.clock();
        let message = match action {
            Action::LogsExported => "Entries of the journal were taken away as a file",
            Action::LogsFollowed => "Somebody began to follow the journal",
            _ => "Somebody looked in the journal for a person, for words or for a call",
        };
        LogEvent {
            id: EventId::new(clock, &self.chance),
            at: clock.now(),
            audience: Audience::Agents,
            level: Level::Info,
            action,
            actor: Some(Person { id: by.id, login: by.login.clone() }),
            subject,
            message: message.to_owned(),
            details: particulars(asked),
            trace_id: None,
        }
    }
}

/// Whom a filter names, as the entries that it found name them.
fn person(user: &str, found: &[Found]) -> Option<Person> {
    let id: Option<UserId> = user.parse().ok();
    let login = user.to_ascii_lowercase();
    found.iter().find_map(|found| {
        let entry = &found.entry;
        let subject = entry.subject_id.zip(entry.subject.clone());
        let named = [subject, found.actor_id.zip(entry.actor.clone())].into_iter().flatten();
        let mut named = named.map(|(id, login)| Person { id, login });
        named.find(|person| Some(person.id) == id || person.login == login)
    })
}

/// What was asked for, in the words of the filter.
fn particulars(asked: &LogFilter) -> std::collections::BTreeMap<String, String> {
    let list = |words: Vec<&str>| (!words.is_empty()).then(|| words.join(" "));
    let given = [
        ("user", asked.user.as_ref().map(|user| user.chars().take(64).collect())),
        ("text", asked.text.as_ref().map(ToString::to_string)),
        ("trace", asked.trace_id.as_ref().map(ToString::to_string)),
        ("actions", list(asked.action.iter().map(|it| it.name()).collect())),
        ("levels", list(asked.level.iter().map(|it| it.name()).collect())),
        ("least", asked.least.map(|it| it.name().to_owned())),
        ("audience", asked.audience.map(|it| it.name().to_owned())),
        ("sources", list(asked.source.iter().map(contracts::journal::Name::as_str).collect())),
        ("since", asked.from.map(|edge| edge.to_string())),
        ("until", asked.to.map(|edge| edge.to_string())),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
