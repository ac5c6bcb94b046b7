//! What can be asked of the desk, and what it answers.

use contracts::bank::Payee;
use store::OnceKey;
use vocabulary::{AccountId, Currency, Label, Money, Reason, Reference, RequestId};

use crate::store::{AccountSeen, Holder, RequestSeen};

/// One thing to do at the desk.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Someone asks for something that an agent will decide.
    Ask(Ask),
    /// An agent decides.
    Decide { id: RequestId, by: Holder, decision: Decision, trace_id: String },
    /// The maker takes a request back.
    Cancel { id: RequestId, by: Holder, trace_id: String },
    /// Nobody decided in time.
    Expire { id: RequestId },
    /// An owner gives an account another name.
    Rename { account: AccountId, label: Label, by: Holder, trace_id: String },
}

/// Someone's wish, under an id made by the caller.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: RequestId,
    pub(crate) by: Holder,
    pub(crate) key: Option<OnceKey>,
    pub(crate) trace_id: String,
    pub(crate) wish: Wish,
}

/// What is wished for.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Open { account: AccountId, label: Label, currency: Currency },
    Close { account: AccountId },
    Renew { account: AccountId },
    Deposit { account: AccountId, money: Money, reference: Reference },
    Withdraw { account: AccountId, money: Money, reference: Reference },
    Transfer { from: AccountId, to: Payee, money: Money, reference: Reference },
}

impl Wish {
    /// The account that exists already and that is asked about.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match self {
            Self::Open { .. } => None,
            Self::Close { account }
            | Self::Renew { account }
            | Self::Deposit { account, .. }
            | Self::Withdraw { account, .. }
            | Self::Transfer { from: account, .. } => Some(*account),
        }
    }
}

/// What an agent says.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// Yes; to exactly this content, if it says so.
    Approve { digest: Option<String> },
    /// No, and why.
    Reject { reason: Reason },
}

/// What came of a command.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The request, as it is now.
    Request(Box<RequestSeen>),
    /// The account, as it is now.
    Account(Box<AccountSeen>),
    /// Not done: the stored request is not what was asked. An answer, not an error, so that the alarm is kept.
    Tampered,
}
