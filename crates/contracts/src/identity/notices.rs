//! What the caller is told of, and what of it they get by mail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
