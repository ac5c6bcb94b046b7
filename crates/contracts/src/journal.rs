//! `journal`: what happened, as every service told it.

mod filter;

use std::collections::BTreeMap;
use std::time::Duration;

use aaa::{Fields, Operation, Route, Streamed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{EventId, Timestamp, UserId};

use crate::events::{Action, Audience, Level};
use crate::scopes::Readers;
use crate::{Cursor, Limit, Page};

use self::filter::filtered;
pub use self::filter::{Edge, LogFilter, Name, SearchText};

/// The service's name.
pub const SERVICE: &str = "journal";

/// An entry of the journal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogEntry {
    /// Identifies the entry.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// Whom it is for.
    pub audience: Audience,
    /// How grave it is.
    pub level: Level,
    /// What happened.
    pub action: Action,
    /// Login of who did it, when somebody did. Members see it only if it is themselves.
    pub actor: Option<String>,
    /// Login of whom it concerns.
    pub subject: Option<String>,
    /// The person whom it concerns.
    pub subject_id: Option<UserId>,
    /// In words.
    pub message: String,
    /// The particulars, by name: amount, account, reason …
    pub details: BTreeMap<String, String>,
    /// The service that told it.
    pub source: String,
    /// The call that caused it.
    pub trace_id: Option<String>,
    /// Whether what it said was erased, and who it was about: a person's wish, or older than contents are kept.
    #[serde(default)]
    pub erased: bool,
}

filtered! {
    /// The journal, newest first. Members read what concerns themselves; agents and superusers read everything. That staff look
    /// for somebody, for words or for a call is itself told to the journal, once an hour for the same question.
    pub struct ListLogs {
        /// From `next` of the page before.
        pub cursor: Option<Cursor>,
        /// How many.
        #[serde(default)]
        pub limit: Limit,
    }
}
impl Operation for ListLogs {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs");
    type Policy = Readers;
    type Reply = Page<LogEntry>;
}

/// How far apart the points of a series are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Per {
    /// An hour.
    Hour,
    /// A day (UTC).
    Day,
}

impl Per {
    /// How long that is.
    pub const fn length(self) -> Duration {
        match self {
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }
}

/// How many entries there are: by level, by action, by who acted, and over time. For charts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogSummary {
    /// The first moment that is counted: the period as it was asked for, widened to whole hours or days.
    pub from: Timestamp,
    /// The first moment that is not counted any more.
    pub to: Timestamp,
    /// How far apart the points of the series are.
    pub per: Per,
    /// How many entries there are.
    pub total: u64,
    /// Whether all were counted: where single entries have to be looked at, only the newest 20 000 are.
    pub complete: bool,
    /// By level, all levels.
    pub levels: Vec<LevelCount>,
    /// By action, the most frequent first.
    pub actions: Vec<ActionCount>,
    /// By who acted, the busiest first, at most 20. The period is widened to whole days here. Members see only themselves.
    pub users: Vec<UserCount>,
    /// Over time, without holes, at most 1 000 points.
    pub series: Vec<SeriesPoint>,
}

/// How many entries of a level.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LevelCount {
    /// The level.
    pub level: Level,
    /// How many.
    pub count: u64,
}

/// How many entries of an action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ActionCount {
    /// The action.
    pub action: Action,
    /// How many.
    pub count: u64,
}

/// How many entries of what somebody did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UserCount {
    /// Their login.
    pub login: String,
    /// How many.
    pub count: u64,
}

/// How many entries in one hour or day.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SeriesPoint {
    /// Its first moment.
    pub at: Timestamp,
    /// Business as usual.
    pub info: u64,
    /// Worth a look.
    pub warning: u64,
    /// Something failed.
    pub error: u64,
}

filtered! {
    /// Counts the entries that [`ListLogs`] would list: by level, action and who acted, and over time. Without a period, the
    /// last 30 days.
    pub struct SummarizeLogs {
        /// How far apart the points of the series are: hours up to 31 days, days up to 1 000. Chosen by the period unless given.
        pub per: Option<Per>,
    }
}
impl Operation for SummarizeLogs {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs/summary");
    type Policy = Readers;
    type Reply = LogSummary;
}

/// What a file of entries looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum FileFormat {
    /// Comma-separated values (RFC 4180), with a first line of names. What a spreadsheet would take for a formula has a `'`
    /// in front.
    #[default]
    Csv,
    /// One JSON object on each line, as [`ListLogs`] gives them.
    Jsonl,
}

filtered! {
    /// All entries that [`ListLogs`] would list when this is asked, newest first, as a file: at most the newest 100 000, and a last
    /// line says so where there are more. That somebody took it is told to the journal.
    pub struct ExportLogs {
        /// What the file looks like.
        #[serde(default)]
        pub format: FileFormat,
    }
}
impl Operation for ExportLogs {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs/export");
    type Policy = Readers;
    type Reply = Streamed;
}

filtered! {
    /// Entries as they come, in the order in which they come, as server-sent events (`Accept: text/event-stream`): each named
    /// `entry`, with an entry as its data. A comment comes now and then while nothing happens. It ends with the access token,
    /// with the session, or when the client is far behind; a client that comes back with `Last-Event-ID` misses nothing, unless
    /// more than 5 000 entries came meanwhile: then an event `missed` says so first.
    pub struct TailLogs {
        /// Only what came after this event, by its id; from now on unless given.
        pub after: Option<u64>,
    }
}
impl Operation for TailLogs {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs/tail");
    type Policy = Readers;
    type Reply = Streamed;
}

/// An entry, and its place in the log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoggedEntry {
    /// The entry, as much of it as the caller may see.
    pub entry: LogEntry,
    /// How many entries stand before it.
    pub index: u64,
}

/// One entry. Members read those that concern themselves.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetLog {
    /// Which entry.
    pub id: EventId,
}
impl Operation for GetLog {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs/{id}");
    type Policy = Readers;
    type Reply = LoggedEntry;
}

/// The head of the log: how many entries the journal has, and the root over all of them, signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogHead {
    /// The note (C2SP `tlog-checkpoint`), with what witnesses added to it.
    pub checkpoint: String,
    /// The key of the log (a C2SP verifier key). Whoever checks proofs got it before, and not from here.
    pub key: String,
}

/// The newest signed head of the journal's log: keep one, and nothing that came before it can be rewritten unseen.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetLogHead {}
impl Operation for GetLogHead {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs/checkpoint");
    type Policy = Readers;
    type Reply = LogHead;
}

/// The proof that an entry stands in the journal, unaltered: for a file, and for `guichet journal check`, which needs no
/// server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LogProof(pub serde_json::Value);

/// The proof of one entry. It shows as much of it as the caller may see; the rest of it is proven without being shown.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetLogProof {
    /// Which entry.
    pub id: EventId,
}
impl Operation for GetLogProof {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs/{id}/proof");
    type Policy = Readers;
    type Reply = LogProof;
}
