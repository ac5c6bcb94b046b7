//! What the caller is told of in the pages, and what of it they get by mail: of each happening there is one notice, and
//! both come from it.

use aaa::{Done, Fields, Operation, Route, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{EventId, RequestId, Timestamp};

use super::{SERVICE, get, post};
use crate::events::Action;
use crate::scopes::Readers;
use crate::{Cursor, Limit};

/// Something that the caller is told of. What it is about in full stands in the journal, under the same event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The event that it tells of; the journal's entry has the same id.
    pub event: EventId,
    /// What happened.
    pub action: Action,
    /// When it happened.
    pub at: Timestamp,
    /// The request that it is about.
    pub request: Option<RequestId>,
    /// Whether it was read.
    pub read: bool,
}

/// Part of what the caller is told of, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Notices {
    /// The notices.
    pub items: Vec<Notice>,
    /// Send it as `cursor` for the following ones; `null` at the end.
    pub next: Option<Cursor>,
    /// How many were not read yet, on every page of the list; of more than a hundred, a hundred are counted.
    pub unread: u32,
}

/// What the caller is told of, newest first, and how much of it they have not read. Half a year of it is kept.
#[derive(Serialize, Deserialize, JsonSchema, Fields, Default)]
pub struct ListNotices {
    /// Only what was not read yet.
    #[serde(default)]
    pub unread: bool,
    /// From `next` of the page before.
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}
impl Operation for ListNotices {
    const ROUTE: Route = get("/api/auth/notices");
    type Policy = Readers;
    type Reply = Notices;
}

/// Marks a notice as read, and all that came before it.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ReadNotices {
    /// The newest notice that was read, by its event.
    pub until: EventId,
}
impl Operation for ReadNotices {
    const ROUTE: Route = post("/api/auth/notices/read");
    type Policy = Signed;
    type Reply = Done;
}

/// Which sign-ins are mailed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum SignInMails {
    /// Every one.
    Every,
    /// Those with a new device, or from a new network.
    #[default]
    New,
    /// None.
    Never,
}

/// Which mails a person gets beside those about their account and its security, which everybody gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MailChoices {
    /// Sign-ins.
    pub sign_ins: SignInMails,
    /// A request of theirs was received or decided.
    pub requests: bool,
    /// A transfer arrived.
    pub transfers: bool,
}

impl Default for MailChoices {
    fn default() -> Self {
        Self { sign_ins: SignInMails::New, requests: true, transfers: true }
    }
}

/// Which mails the caller gets.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetMailChoices {}
impl Operation for GetMailChoices {
    const ROUTE: Route = get("/api/auth/mails");
    type Policy = Readers;
    type Reply = MailChoices;
}

/// Chooses which mails the caller gets. Those about their account and its security cannot be switched off.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ChooseMails {
    /// Sign-ins: every one, those with something new about them, or none.
    pub sign_ins: SignInMails,
    /// A request of theirs was received or decided.
    pub requests: bool,
    /// A transfer arrived.
    pub transfers: bool,
}
impl Operation for ChooseMails {
    const ROUTE: Route = Route::put(SERVICE, "/api/auth/mails");
    type Policy = Signed;
    type Reply = MailChoices;
}
