//! `journal`: what happened, as every service told it.

use std::collections::BTreeMap;

use aaa::{Fields, Operation, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Day, EventId, Timestamp, UserId};

use crate::events::{Action, Audience, Level};
use crate::scopes::Readers;
use crate::{Cursor, Limit, Page};

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
}

/// The journal, newest first. Members read what concerns themselves; agents and superusers read everything.
#[derive(Serialize, Deserialize, JsonSchema, Fields, Default)]
pub struct ListLogs {
    /// Only what this person did or what concerns them: an id or a login (staff).
    #[schemars(length(max = 64))]
    pub user: Option<String>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only this level.
    pub level: Option<Level>,
    /// From this day on.
    pub from: Option<Day>,
    /// Up to this day, included.
    pub to: Option<Day>,
    /// Only what concerns the caller, for staff too.
    #[serde(default)]
    pub mine: bool,
    /// From `next` of the page before.
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}
impl Operation for ListLogs {
    const ROUTE: Route = Route::get(SERVICE, "/api/logs");
    type Policy = Readers;
    type Reply = Page<LogEntry>;
}
