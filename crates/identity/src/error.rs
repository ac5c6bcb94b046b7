//! What can go wrong here, each with the one answer that the caller gets.

use std::time::Duration;

use aaa::{HashError, Problem};
use http::StatusCode;
use store::StoreError;

/// Why a use case was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A password could not be hashed or checked.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// Signing or writing JSON failed.
    #[error("{0}")]
    Internal(String),
    /// Unknown login, wrong password, or a person who may not sign in: never told which.
    #[error("sign-in refused")]
    SignInRefused(&'static str),
    /// The refresh token or the browser session does not hold (any more).
    #[error("the session ended")]
    SessionEnded,
    /// The caller is not there any more.
    #[error("the caller is unknown")]
    Unknown,
    /// No such person or session, or not for this caller.
    #[error("not found")]
    NotFound,
    /// The login belongs to somebody.
    #[error("the login is taken")]
    LoginTaken,
    /// The password can be guessed.
    #[error("{field} {words}")]
    WeakPassword {
        /// Which field held it.
        field: &'static str,
        /// What to do better.
        words: String,
    },
    /// The password is right, and the second factor is missing.
    #[error("second factor required")]
    SecondFactorRequired,
    /// Too many failures in a row.
    #[error("too many tries")]
    TooManyTries(Duration),
    /// Too many tries from one address.
    #[error("{0}")]
    Throttled(Problem),
    /// Somebody who is signed in gave a wrong password or code.
    #[error("the password or the code is wrong")]
    ProofRefused,
    /// The password of somebody who is signed in is right, and the second factor is missing.
    #[error("the code is missing")]
    CodeMissing,
    /// A passkey does not show what it must; the reason is for the audit.
    #[error("passkey refused: {0}")]
    PasskeyRefused(&'static str),
    /// A person needs only so many.
    #[error("too many passkeys")]
    TooManyPasskeys,
    /// The code is not what the authenticator app shows.
    #[error("the code is wrong")]
    WrongCode,
    /// An authenticator app is set up already.
    #[error("an authenticator app is set up already")]
    TotpOn,
    /// No authenticator app is being set up.
    #[error("no authenticator app is being set up")]
    TotpNotBegun,
    /// The person has no second factor to be removed.
    #[error("no second factor to be removed")]
    NothingToReset,
    /// A reset of this person waits already.
    #[error("a reset is open already")]
    ResetOpen,
    /// The person has as many personal tokens as anybody may.
    #[error("too many tokens")]
    TooManyTokens,
    /// Four eyes.
    #[error("{0}")]
    NotYours(&'static str),
    /// Recovery codes stand in for a second factor, and there is none.
    #[error("no second factor")]
    NoSecondFactor,
    /// About a link of a mail.
    #[error(transparent)]
    Link(#[from] LinkFault),
    /// The old password does not fit.
    #[error("the old password is wrong")]
    WrongPassword,
    /// Somebody else changed it first.
    #[error("changed meanwhile")]
    ChangedMeanwhile,
    /// The person's state does not allow it.
    #[error("{0}")]
    WrongState(&'static str),
    /// Nobody could run the bank afterwards.
    #[error("the last superuser")]
    LastSuperuser,
    /// The person has accounts that are neither closed nor rejected.
    #[error("the person has accounts")]
    HasAccounts,
    /// The bank did not say whether the person has accounts.
    #[error("the bank did not answer: {0}")]
    Bank(Problem),
    /// The `Idempotency-Key` came before with other content.
    #[error("the idempotency key was used with other content")]
    KeyReused,
    /// A parameter that its type could not refuse.
    #[error("{field} {words}")]
    Fault {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        words: &'static str,
    },
}

/// Why a link of a mail, or what only a link does, was refused.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    /// No link, or none that still works.
    #[error("the link works no more")]
    Ended,
    /// This person was sent enough links for now.
    #[error("too many links")]
    TooMany,
    /// The bank sends no mails.
    #[error("no mails are sent")]
    NoMails,
    /// Somebody else has the address.
    #[error("somebody else has the address")]
    EmailTaken,
    /// The address is changed by a link.
    #[error("an address is changed by a link")]
    AddressByLink,
}

impl Error {
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => chassis::store_problem(&error),
            Error::Internal(cause) => Self::internal(cause),
            Error::Hash(error) => error.into(),
            Error::SignInRefused(_) => Self::sign_in_refused(),
            Error::SecondFactorRequired => Self::second_factor_required(),
            Error::TooManyTries(wait) => Self::too_many(wait),
            Error::Throttled(problem) => problem,
            Error::ProofRefused => Self::refused(
                "proof-refused",
                "The password or the code is wrong. A code works once: wait for the next one.",
            ),
            Error::CodeMissing => Self::refused(
                "second-factor-required",
                "Give the code of your authenticator app, or a recovery code, as well.",
            )
            .about("otp", "is missing"),
            Error::PasskeyRefused(why) => Self::refused(
                "passkey-refused",
                "This passkey could not be taken: it took too long, or the browser gave something else. Try once more.",
            )
            .because(why),
            Error::TooManyPasskeys => {
                Self::conflict("too-many-passkeys", "There are 20 passkeys already. Remove one that is not used.")
            }
            Error::WrongCode => Self::refused(
                "wrong-code",
                "The code is not the one that the app shows now, or it was used before. Check the clock of the device.",
            )
            .about("code", "is not the one that the app shows now"),
            Error::TotpOn => Self::conflict(
                "totp-on",
                "An authenticator app is set up already. Remove it first to set up another one.",
            ),
            Error::TotpNotBegun => {
                Self::conflict("totp-not-begun", "No authenticator app is being set up. Begin with that.")
            }
            Error::NothingToReset => {
                Self::conflict("no-second-factor", "This person has no second factor that could be removed.")
            }
            Error::ResetOpen => Self::conflict(
                "reset-open",
                "A reset of this person's second factor is proposed already; a colleague decides it.",
            ),
            Error::TooManyTokens => {
                Self::conflict("too-many-tokens", "You have 50 personal tokens. Revoke those that you do not need.")
            }
            Error::NotYours(words) => Self::forbidden(words),
            Error::NoSecondFactor => Self::conflict(
                "no-second-factor",
                "Recovery codes stand in for a second factor. Set up an authenticator app first.",
            ),
            Error::SessionEnded => Self::unauthorized().detail("This session has ended. Sign in again."),
            Error::Unknown => Self::unauthorized(),
            Error::NotFound => Self::not_found(),
            Error::LoginTaken => Self::conflict("login-taken", "This login is taken; choose another one.")
                .about("login", "is taken; choose another one"),
            Error::WeakPassword { field, words } => {
                Self::refused("weak-password", format!("This password is too easy to guess: it {words}"))
                    .about(field, words)
            }
            Error::Link(fault) => fault.into(),
            Error::WrongPassword => Self::refused("wrong-password", "The old password is wrong; nothing was changed.")
                .about("old_password", "is not the password that is valid now"),
            Error::ChangedMeanwhile => Self::conflict(
                "changed-meanwhile",
                "Somebody changed this at the same moment. Look again, then repeat it if it is still wanted.",
            ),
            Error::WrongState(words) => Self::conflict("wrong-state", words),
            Error::LastSuperuser => Self::conflict(
                "last-superuser",
                "This is the last superuser who can sign in. Create or activate another one first.",
            ),
            Error::HasAccounts => Self::conflict(
                "has-accounts",
                "This person has accounts that are not closed. Close them first, or disable the person instead.",
            ),
            Error::Bank(problem) if problem.status() == StatusCode::UNAUTHORIZED => problem,
            Error::Bank(problem) => Self::unavailable(2, format_args!("asking for the accounts: {problem}")).detail(
                "Whether this person has accounts could not be asked right now, so nothing was deleted. Please try \
                 again in a moment.",
            ),
            Error::KeyReused => Self::refused(
                "idempotency-key-reused",
                "This Idempotency-Key was used before with other content. Use a new key for a new request.",
            )
            .about("Idempotency-Key", "was used before with other content"),
            Error::Fault { field, words } => Self::fault(field, words),
        }
    }
}

impl From<LinkFault> for Problem {
    fn from(fault: LinkFault) -> Self {
        match fault {
            LinkFault::Ended => Self::refused(
                "link-ended",
                "This link does not work any more: a link works once, for half an hour, and until a newer one is sent. Ask for \
                 another one.",
            )
            .about("token", "works no more"),
            LinkFault::TooMany => {
                Self::conflict("too-many-links", "Three links were sent within the last hour. Look for them, or wait.")
            }
            LinkFault::NoMails => {
                Self::conflict("no-mails", "This bank sends no mails, and so no links. Please ask an agent of the bank.")
            }
            LinkFault::EmailTaken => Self::conflict(
                "email-taken",
                "Somebody else here has this address. Nothing was changed; ask for another address.",
            ),
            LinkFault::AddressByLink => Self::conflict(
                "address-by-link",
                "Another address is taken into use by a link that is sent there: ask for it at /api/auth/email.",
            )
            .about("email", "is changed by a link that is sent to the new address"),
        }
    }
}
