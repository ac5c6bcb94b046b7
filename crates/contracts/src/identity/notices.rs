//! What the caller is told of, and what of it they get by mail.

use aaa::{Fields, Operation, Route, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SERVICE, get};
use crate::scopes::Readers;

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
