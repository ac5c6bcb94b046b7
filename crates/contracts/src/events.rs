//! What services tell the bus: log events for the journal, and revocations for every verifier.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{EventId, Timestamp, UserId};

/// Subject of revocations; the payload is [`aaa::Revocation`].
pub const AUTH_REVOKED: &str = "auth.revoked";

/// Whom an event is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Audience {
    /// The person it concerns, and staff.
    Members,
    /// Staff only.
    Agents,
}

/// How grave an event is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Level {
    /// Business as usual.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// As subjects, databases and JSON carry it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
            /// From its name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.name() == name)
            }
        }
    };
}
named!(Audience { Members = "members", Agents = "agents" });
named!(Level { Info = "info", Warning = "warning", Error = "error" });

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// What happened, as a verb.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[schemars(inline)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }
        named!(Action { $($variant = $name),+ });
    };
}

actions! {
    /// Somebody registered.
    Registered = "REGISTERED",
    /// A person may sign in from now on.
    UserActivated = "USER_ACTIVATED",
    /// Somebody who registered was refused.
    UserRejected = "USER_REJECTED",
    /// A person may sign in no more.
    UserDisabled = "USER_DISABLED",
    /// A person was removed.
    UserDeleted = "USER_DELETED",
    /// An agent was created.
    AgentCreated = "AGENT_CREATED",
    /// A superuser was created from the command line or at first start.
    SuperuserCreated = "SUPERUSER_CREATED",
    /// Somebody signed in.
    Login = "LOGIN",
    /// A sign-in was refused; the details say why.
    LoginFailed = "LOGIN_FAILED",
    /// Somebody signed out.
    Logout = "LOGOUT",
    /// A session was ended from another one, or by staff.
    SessionEnded = "SESSION_ENDED",
    /// Somebody made a personal token.
    TokenMade = "TOKEN_MADE",
    /// Somebody revoked one of their personal tokens.
    TokenRevoked = "TOKEN_REVOKED",
    /// A refresh token was used twice: stolen, or a broken client. The session was ended.
    RefreshReused = "REFRESH_REUSED",
    /// A profile was changed.
    ProfileChanged = "PROFILE_CHANGED",
    /// A password was changed.
    PasswordChanged = "PASSWORD_CHANGED",
    /// A link for a new password was sent.
    PasswordResetAsked = "PASSWORD_RESET_ASKED",
    /// A lost password was replaced: by whoever followed such a link, or on the command line.
    PasswordReset = "PASSWORD_RESET",
    /// Somebody asked to be written to at another address; a link was sent there.
    EmailChangeAsked = "EMAIL_CHANGE_ASKED",
    /// The link was followed: the person has another address.
    EmailChanged = "EMAIL_CHANGED",
    /// A password change was refused.
    PasswordChangeFailed = "PASSWORD_CHANGE_FAILED",
    /// Sign-ins failed so often in a row that further ones have to wait.
    SignInBlocked = "SIGN_IN_BLOCKED",
    /// Staff cleared the waiting of a person.
    Unlocked = "UNLOCKED",
    /// Somebody who is signed in proved once more who they are.
    SteppedUp = "STEP_UP",
    /// Somebody who is signed in gave a wrong password or code.
    StepUpFailed = "STEP_UP_FAILED",
    /// Somebody who knows the password says that the second factor is lost.
    FactorResetAsked = "FACTOR_RESET_ASKED",
    /// An agent proposed to remove somebody's lost second factor.
    FactorResetProposed = "FACTOR_RESET_PROPOSED",
    /// Another agent approved it: the second factor is removed.
    FactorResetApproved = "FACTOR_RESET_APPROVED",
    /// Another agent refused it.
    FactorResetRejected = "FACTOR_RESET_REJECTED",
    /// Somebody set up an authenticator app.
    TotpEnabled = "TOTP_ENABLED",
    /// Somebody removed their authenticator app.
    TotpDisabled = "TOTP_DISABLED",
    /// Somebody added a passkey.
    PasskeyAdded = "PASSKEY_ADDED",
    /// Somebody removed a passkey.
    PasskeyRemoved = "PASSKEY_REMOVED",
    /// Somebody got new recovery codes.
    RecoveryCodesMade = "RECOVERY_CODES_MADE",
    /// Somebody used a recovery code in place of their second factor.
    RecoveryCodeUsed = "RECOVERY_CODE_USED",
    /// An account was renamed.
    AccountRenamed = "ACCOUNT_RENAMED",
    /// An account was asked for.
    OpenAccountRequested = "OPEN_ACCOUNT_REQUESTED",
    /// An account was opened.
    OpenAccountApproved = "OPEN_ACCOUNT_APPROVED",
    /// An account was refused.
    OpenAccountRejected = "OPEN_ACCOUNT_REJECTED",
    /// The request was taken back.
    OpenAccountCancelled = "OPEN_ACCOUNT_CANCELLED",
    /// The request was not decided in time.
    OpenAccountExpired = "OPEN_ACCOUNT_EXPIRED",
    /// Closing was asked for.
    CloseAccountRequested = "CLOSE_ACCOUNT_REQUESTED",
    /// The account was closed.
    CloseAccountApproved = "CLOSE_ACCOUNT_APPROVED",
    /// Closing was refused.
    CloseAccountRejected = "CLOSE_ACCOUNT_REJECTED",
    /// The request was taken back.
    CloseAccountCancelled = "CLOSE_ACCOUNT_CANCELLED",
    /// The request was not decided in time.
    CloseAccountExpired = "CLOSE_ACCOUNT_EXPIRED",
    /// A new account number was asked for.
    RenewIbanRequested = "RENEW_IBAN_REQUESTED",
    /// The account has a new number.
    RenewIbanApproved = "RENEW_IBAN_APPROVED",
    /// A new number was refused.
    RenewIbanRejected = "RENEW_IBAN_REJECTED",
    /// The request was taken back.
    RenewIbanCancelled = "RENEW_IBAN_CANCELLED",
    /// The request was not decided in time.
    RenewIbanExpired = "RENEW_IBAN_EXPIRED",
    /// A deposit was asked for.
    DepositRequested = "DEPOSIT_REQUESTED",
    /// A deposit was booked.
    DepositApproved = "DEPOSIT_APPROVED",
    /// A deposit was refused.
    DepositRejected = "DEPOSIT_REJECTED",
    /// The request was taken back.
    DepositCancelled = "DEPOSIT_CANCELLED",
    /// The request was not decided in time.
    DepositExpired = "DEPOSIT_EXPIRED",
    /// A withdrawal was asked for.
    WithdrawalRequested = "WITHDRAWAL_REQUESTED",
    /// A withdrawal was booked.
    WithdrawalApproved = "WITHDRAWAL_APPROVED",
    /// A withdrawal was refused.
    WithdrawalRejected = "WITHDRAWAL_REJECTED",
    /// The request was taken back.
    WithdrawalCancelled = "WITHDRAWAL_CANCELLED",
    /// The request was not decided in time.
    WithdrawalExpired = "WITHDRAWAL_EXPIRED",
    /// A transfer was asked for.
    TransferRequested = "TRANSFER_REQUESTED",
    /// A transfer was booked.
    TransferApproved = "TRANSFER_APPROVED",
    /// A transfer was refused.
    TransferRejected = "TRANSFER_REJECTED",
    /// The request was taken back.
    TransferCancelled = "TRANSFER_CANCELLED",
    /// The request was not decided in time.
    TransferExpired = "TRANSFER_EXPIRED",
    /// A stored request is not what its maker asked for; its decision was refused.
    RequestTampered = "REQUEST_TAMPERED",
    /// Money arrived by a transfer from somebody else.
    TransferReceived = "TRANSFER_RECEIVED",
    /// A service was invited to join: a token was made.
    JoinTokenMade = "JOIN_TOKEN_MADE",
    /// A token was used that was used before, is late, or is for another service.
    JoinRefused = "JOIN_REFUSED",
    /// The authority signed a certificate.
    CertificateIssued = "CERTIFICATE_ISSUED",
    /// The authority took a certificate back.
    CertificateRevoked = "CERTIFICATE_REVOKED",
    /// A service was sent away: it gets no certificates any more.
    ServiceDismissed = "SERVICE_DISMISSED",
    /// Staff looked in the journal for somebody, for words or for a call.
    LogsRead = "LOGS_READ",
    /// Somebody took entries of the journal away as a file.
    LogsExported = "LOGS_EXPORTED",
    /// Somebody began to follow the journal.
    LogsFollowed = "LOGS_FOLLOWED",
    /// The contents of somebody's entries were erased.
    LogContentsErased = "LOG_CONTENTS_ERASED",
    /// A mail was refused for good, and given up.
    MailFailed = "MAIL_FAILED",
    /// A service told something that the journal could not read; it is kept as it came.
    EventUnreadable = "EVENT_UNREADABLE",
    /// The monitor has another check to make.
    CheckAdded = "CHECK_ADDED",
    /// A check was written down anew.
    CheckChanged = "CHECK_CHANGED",
    /// A check is made no more, and its history is gone.
    CheckRemoved = "CHECK_REMOVED",
    /// A check failed for long enough to alarm somebody.
    IncidentOpened = "INCIDENT_OPENED",
    /// It is well again.
    IncidentClosed = "INCIDENT_CLOSED",
    /// Somebody wrote about an incident.
    IncidentNoted = "INCIDENT_NOTED",
    /// Somebody looks after an incident.
    IncidentAcknowledged = "INCIDENT_ACKNOWLEDGED",
    /// Work was announced.
    MaintenanceAnnounced = "MAINTENANCE_ANNOUNCED",
    /// Work was ended, or called off.
    MaintenanceEnded = "MAINTENANCE_ENDED",
}

/// Something that happened, told to the journal on `log.<audience>.<level>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogEvent {
    /// Identifies the event: storing it twice is storing it once.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// Whom it is for.
    pub audience: Audience,
    /// How grave it is.
    pub level: Level,
    /// What happened.
    pub action: Action,
    /// Who did it.
    pub actor: Option<Person>,
    /// Whom it concerns.
    pub subject: Option<Person>,
    /// In words.
    pub message: String,
    /// The particulars, by name. Never a secret.
    pub details: BTreeMap<String, String>,
    /// The call that caused it.
    pub trace_id: Option<String>,
}

/// Somebody, as an event names them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Identifies the person.
    pub id: UserId,
    /// The login at that time.
    pub login: String,
}

impl LogEvent {
    /// The bus subject it is told on.
    pub fn subject(&self) -> String {
        format!("log.{}.{}", self.audience.name(), self.level.name())
    }

    /// The payload as the bus carries it.
    pub fn payload(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}
