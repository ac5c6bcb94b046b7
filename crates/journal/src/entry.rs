//! What an entry is, who may see what of it, and where a list goes on. Pure.

use std::fmt;
use std::str::FromStr;

use aaa::Principal;
use bus::Envelope;
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use contracts::journal::LogEntry;
use contracts::roles::{Agent, Superuser};
use contracts::{Cursor, Page};
use vocabulary::{EventId, Timestamp, UserId};

use crate::log::View;

/// Longest payload that is read, in bytes. The longest event of the bank has a few hundred.
const LONGEST: usize = 1024 * 1024;

/// An event as it is kept.
pub(crate) struct Kept {
    pub(crate) event: LogEvent,
    pub(crate) source: String,
    pub(crate) seq: i64,
    /// What came, when it could not be read.
    pub(crate) raw: Option<String>,
}

impl Kept {
    /// From the bus. What cannot be read is kept all the same, as an error that staff will see.
    pub(crate) fn from_envelope(envelope: Envelope) -> Self {
        let Envelope { id, source, seq, payload, at, .. } = envelope;
        let read = match payload.len() {
            ..=LONGEST => serde_json::from_str::<LogEvent>(&payload).map_err(|error| error.to_string()),
            long => Err(format!("it has {long} bytes, and at most {LONGEST} are kept")),
        };
        let (event, raw) = match read {
            Ok(event) => (event, None),
            Err(error) => {
                tracing::error!(source, seq, %id, %error, "an event cannot be read; it is kept as it came");
                let event = LogEvent {
                    id: EventId(id),
                    at,
                    audience: Audience::Agents,
                    level: Level::Error,
                    action: Action::EventUnreadable,
                    actor: None,
                    subject: None,
                    message: format!("Event {seq} of {source} could not be read; it is kept as it came."),
                    details: [("reason".to_owned(), error)].into(),
                    trace_id: None,
                };
                let cut = payload.floor_char_boundary(LONGEST);
                (event, Some(storable(payload.get(..cut).unwrap_or_default().to_owned())))
            }
        };
        Self { event: cleaned(event), source, seq, raw }
    }
}

impl Kept {
    /// Whether nothing is left of what it said.
    pub(crate) fn says_nothing(&self) -> bool {
        let LogEvent { actor, subject, message, details, trace_id, .. } = &self.event;
        actor.is_none()
            && subject.is_none()
            && message.is_empty()
            && details.is_empty()
            && trace_id.is_none()
            && self.raw.is_none()
    }

    /// How much of it `reader` may see; nothing at all of what is not for them.
    pub(crate) fn seen_by(&self, reader: Reader) -> Option<View> {
        let Reader { id, staff } = reader;
        let is = |person: &Option<Person>| person.as_ref().is_some_and(|person| person.id == id);
        let concerned = is(&self.event.subject) && self.event.audience == Audience::Members;
        match (staff, concerned) {
            (true, _) => Some(View::Whole),
            (false, true) if is(&self.event.actor) => Some(View::Whole),
            (false, true) => Some(View::WithoutActor),
            (false, false) => None,
        }
    }
}

impl Kept {
    /// What `reader` sees of it, as lists show it.
    pub(crate) fn shown_to(self, reader: Reader) -> Option<LogEntry> {
        let (view, erased) = (self.seen_by(reader)?, self.says_nothing());
        let LogEvent { id, at, audience, level, action, actor, subject, message, details, trace_id } = self.event;
        let actor = actor.filter(|_| matches!(view, View::Whole)).map(|person| person.login);
        let (subject, subject_id) = subject.map(|person| (person.login, person.id)).unzip();
        let source = self.source;
        Some(LogEntry {
            id,
            at,
            audience,
            level,
            action,
            actor,
            subject,
            subject_id,
            message,
            details,
            source,
            trace_id,
            erased,
        })
    }
}

/// PostgreSQL stores no NUL in a text, and one event must not hold up those behind it.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn cleaned(event: LogEvent) -> LogEvent {
    let person = |person: Person| Person { login: storable(person.login), ..person };
    LogEvent {
        actor: event.actor.map(person),
        subject: event.subject.map(person),
        message: storable(event.message),
        trace_id: event.trace_id.map(storable),
        ..event
    }
}

/// Who reads.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) id: UserId,
    pub(crate) staff: bool,
}

impl Reader {
    pub(crate) fn of(by: &Principal) -> Self {
        Self { id: by.id, staff: by.is_in::<Agent>() || by.is_in::<Superuser>() }
    }
}

/// An entry from the database, before it is shown to anybody.
pub(crate) struct Found {
    pub(crate) entry: LogEntry,
    pub(crate) actor_id: Option<UserId>,
    /// Where it is in the log: the order of arrival.
    pub(crate) number: u64,
}

impl Found {
    /// The entry as `reader` sees it: who acted is for staff, and for themselves.
    pub(crate) fn shown_to(self, reader: Reader) -> LogEntry {
        let own = self.actor_id == Some(reader.id);
        LogEntry { actor: self.entry.actor.filter(|_| reader.staff || own), ..self.entry }
    }
}

/// Whose entries are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// Everybody's.
    All,
    /// Those that concern this person and are meant for them.
    For(UserId),
    /// Those that this person did or that concern them.
    Person(UserId),
    /// The same, by login.
    Login(String),
}

/// A place in a list that is newest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) at: Timestamp,
    pub(crate) id: EventId,
}

impl Place {
    /// After every entry that is older than `at`.
    pub(crate) const fn before(at: Timestamp) -> Self {
        Self { at, id: EventId(store::Uuid::nil()) }
    }

    /// After every entry.
    pub(crate) const END: Self = Self::before(Timestamp::from_micros(i64::MAX));

    fn of(entry: &LogEntry) -> Self {
        Self { at: entry.at, id: entry.id }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at.micros(), self.id)
    }
}

impl FromStr for Place {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('_').ok_or(())?;
        let at = at.parse().map(Timestamp::from_micros).map_err(drop)?;
        Ok(Self { at, id: id.parse().map_err(drop)? })
    }
}

/// The page that `found` makes, as `reader` sees it.
pub(crate) fn page(found: Vec<Found>, limit: contracts::Limit, reader: Reader) -> Page<LogEntry> {
    let entries = found.into_iter().map(|found| found.shown_to(reader)).collect();
    Page::cut(entries, limit, |entry| Cursor::at(Place::of(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_other_texts_are_none() {
        let place = Place { at: Timestamp::from_micros(-5), id: EventId(store::Uuid::from_u128(7)) };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "_", "5", "x_00000000-0000-0000-0000-000000000007", "5_7"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
