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
