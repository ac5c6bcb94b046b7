//! What people are told of: which events, and whether they may choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{EventId, Timestamp, UserId};

use crate::events::Action;

/// What a notice is about: people choose by topic which of them come by mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// Becoming a member, and ceasing to be one. Always mailed.
    Account,
    /// Passwords, factors, tokens. Always mailed.
    Security,
    /// Sign-ins.
    SignIns,
    /// What became of one's requests.
    Requests,
    /// Money that arrived.
    Transfers,
}

/// The topic of an action; `None` when nobody is told of it. What somebody just did themselves, and what their next page
/// shows anyway, is told only where a thief may have done it.
pub const fn topic(action: Action) -> Option<Topic> {
    use Action as A;
    match action {
        A::Registered | A::UserActivated | A::UserRejected | A::UserDisabled => Some(Topic::Account),
        A::PasswordChanged
        | A::PasswordReset
        | A::EmailChangeAsked
        | A::EmailChanged
        | A::TotpEnabled
        | A::TotpDisabled
        | A::PasskeyAdded
        | A::PasskeyRemoved
        | A::RecoveryCodesMade
        | A::RecoveryCodeUsed
        | A::FactorResetAsked
        | A::FactorResetProposed
        | A::FactorResetApproved
        | A::FactorResetRejected
        | A::TokenMade
        | A::RefreshReused => Some(Topic::Security),
        A::Login => Some(Topic::SignIns),
        A::OpenAccountRequested
        | A::OpenAccountApproved
        | A::OpenAccountRejected
        | A::OpenAccountExpired
        | A::CloseAccountRequested
        | A::CloseAccountApproved
        | A::CloseAccountRejected
        | A::CloseAccountExpired
        | A::RenewIbanRequested
        | A::RenewIbanApproved
        | A::RenewIbanRejected
        | A::RenewIbanExpired
        | A::DepositRequested
        | A::DepositApproved
        | A::DepositRejected
        | A::DepositExpired
        | A::WithdrawalRequested
        | A::WithdrawalApproved
        | A::WithdrawalRejected
        | A::WithdrawalExpired
        | A::TransferRequested
        | A::TransferApproved
        | A::TransferRejected
        | A::TransferExpired => Some(Topic::Requests),
        A::TransferReceived => Some(Topic::Transfers),
        _ => None,
    }
}

/// Of an event, what its person is told: neither amounts nor accounts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// Identifies the event: telling it twice is telling it once.
    pub event: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub action: Action,
    /// Who is told.
    pub person: UserId,
    /// What the words depend on.
    #[schemars(length(max = 100))]
    pub detail: Option<String>,
}
