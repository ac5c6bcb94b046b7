//! What can be refused, in one enum, and the words in which people are told.

use aaa::Problem;
use contracts::bank::{AccountState, RequestState};
use ledger::{Refusal, SubmitError};
use store::StoreError;
use vocabulary::{Currency, Money, MoneyError};

use crate::{account, request};

/// Why something was not done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// No such thing, or not for this caller.
    #[error("there is no such thing")]
    NotFound,
    /// The account waits, is closed or was refused.
    #[error("the account is {}", account::state_name(*.0))]
    AccountNotOpen(AccountState),
    /// The bank holds no accounts in this currency.
    #[error("no accounts in {0}")]
    CurrencyNotOffered(Currency),
    /// The account holds another currency.
    #[error("the account holds {0}")]
    WrongCurrency(Currency),
    /// The payee's account holds another currency.
    #[error("the payee's account holds another currency")]
    PayeeCurrency,
    /// No account here has this id or IBAN, any more.
    #[error("the payee is not known")]
    UnknownPayee,
    /// The IBAN is another bank's.
    #[error("the IBAN is of another bank")]
    NotOurBank,
    /// From an account to itself.
    #[error("both accounts are the same")]
    SameAccount,
    /// Less is available.
    #[error("only {0} is available")]
    InsufficientFunds(Money),
    /// An account with money in it or waiting requests cannot be closed.
    #[error("the account is not empty: {0}")]
    NotEmpty(String),
    /// The account's payee closed meanwhile.
    #[error("the payee's account is closed")]
    PayeeClosed,
    /// The account cannot hold that much.
    #[error("more than an account can hold")]
    TooMuch,
    /// The request does not wait any more.
    #[error("the request was {}", request::state_name(*.0))]
    AlreadyDecided(RequestState),
    /// Nobody decided in time.
    #[error("the request expired")]
    Expired,
    /// What the agent read is not what is asked.
    #[error("the content is another than was read")]
    ContentChanged,
    /// The stored request is not what was asked.
    #[error("the stored content does not match its digest")]
    Tampered,
    /// Four eyes.
    #[error("made by or for the one who decides")]
    OwnRequest,
    /// Not an amount that can move.
    #[error("the amount {0}")]
    Amount(MoneyError),
    /// Not where a page ends.
    #[error("not a cursor of this list")]
    BadCursor,
    /// More than anybody searches for.
    #[error("a search of more than {0} characters")]
    LongSearch(usize),
    /// The key was used for something else.
    #[error("the idempotency key was used with other content")]
    KeyReused,
    /// Too many wait.
    #[error("too many commands wait")]
    Overloaded,
    /// The bank is stopping.
    #[error("the bank is stopping")]
    Stopping,
    /// Broken off in the middle: done or not done.
    #[error("the outcome is not known")]
    OutcomeUnknown,
    /// Something that should never be.
    #[error("{0}")]
    Broken(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an agent is told who would decide their own.
pub(crate) const OWN_REQUEST: &str = "Four eyes: nobody decides a request that they made or that concerns their own accounts. Another agent has to decide it.";

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Insufficient { available } => Self::InsufficientFunds(available),
            Refusal::SameAccount => Self::SameAccount,
            Refusal::Overflow => Self::TooMuch,
            other => Self::Broken(format!("the ledger refused: {other}")),
        }
    }
}

impl From<SubmitError<Error>> for Error {
    fn from(error: SubmitError<Error>) -> Self {
        match error {
            SubmitError::Refused(error) => error,
            SubmitError::Overloaded => Self::Overloaded,
            SubmitError::Stopped => Self::Stopping,
            SubmitError::Unknown => Self::OutcomeUnknown,
            SubmitError::Broken => Self::Broken(error.to_string()),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let because = error.to_string();
        match error {
            Error::NotFound => Self::not_found(),
            Error::AccountNotOpen(state) => Self::conflict("account-not-open", not_open(state)),
            Error::CurrencyNotOffered(currency) => {
                Self::refused("wrong-currency", format!("This bank offers no accounts in {currency}. Choose another currency."))
                    .about("currency", "is not offered by this bank")
            }
            Error::WrongCurrency(currency) => {
                Self::refused("wrong-currency", format!("This account holds {currency}. Ask for an amount in {currency}."))
                    .about("currency", format_args!("must be {currency}, the account's currency"))
            }
            Error::PayeeCurrency => Self::refused(
                "wrong-currency",
                "The payee's account holds another currency. Transfers stay within one currency.",
            )
            .about("currency", "is not the currency of the payee's account"),
            Error::UnknownPayee => Self::refused(
                "unknown-payee",
                "There is no open account here with this number. Ask the payee for their current RIB.",
            )
            .about("to", "is no account of this bank, or no longer valid"),
            Error::NotOurBank => {
                Self::refused("not-our-bank", "This IBAN is of another bank, and this bank transfers within itself only.")
                    .about("to", "is an IBAN of another bank")
            }
            Error::SameAccount => Self::refused("same-account", "Choose two different accounts: this one cannot pay itself.")
                .about("to", "is the account that is debited"),
            Error::InsufficientFunds(available) => {
                Self::refused("insufficient-funds", format!("Only {available} is available on this account."))
                    .about("amount", format_args!("is more than the {available} available"))
            }
            Error::NotEmpty(why) => Self::refused("not-empty", format!("An account is closed at zero: {why}")),
            Error::PayeeClosed => Self::refused(
                "payee-closed",
                "The payee's account cannot receive money any more. Reject this request, so that the funds are free again.",
            ),
            Error::TooMuch => Self::refused("too-much", "This amount goes beyond what an account can hold.")
                .about("amount", "goes beyond what an account can hold"),
            Error::AlreadyDecided(state) => Self::conflict(
                "already-decided",
                format!("This request is {} already; nothing was changed.", request::state_name(state)),
            ),
            Error::Expired => Self::conflict(
                "expired",
                "This request waited too long and cannot be decided any more. Its maker may ask again.",
            ),
            Error::ContentChanged => Self::conflict(
                "content-changed",
                "This request is not what you read: its content differs. Read it again before you decide.",
            ),
            Error::Tampered => Self::conflict(
                "content-changed",
                "The stored request is not what its maker asked for, so it cannot be decided. The bank's operator has to look at it.",
            )
            .because(because),
            Error::OwnRequest => Self::forbidden(OWN_REQUEST),
            Error::Amount(error) => Self::fault("amount", error),
            Error::BadCursor => Self::fault("cursor", "is not a cursor of this list: take it from `next`"),
            Error::LongSearch(most) => Self::fault("search", format_args!("is too long: at most {most} characters")),
            Error::KeyReused => Self::refused(
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request. Use a new key for each thing you ask.",
            ),
            Error::Overloaded => Self::unavailable(1, because),
            Error::Stopping => Self::unavailable(5, because),
            Error::OutcomeUnknown => Self::unavailable(1, because).detail(
                "It is not known whether this was done. Look at your requests, or send the same again under the same \
                 Idempotency-Key: it is done once only.",
            ),
            Error::Broken(_) => Self::internal(because),
            Error::Store(error) => chassis::store_problem(&error),
        }
    }
}

fn not_open(state: AccountState) -> &'static str {
    match state {
        AccountState::Pending => "This account is not open yet: an agent has to approve it first.",
        AccountState::Closed => "This account is closed. Use another one.",
        AccountState::Rejected => "This account was never opened: the request was not approved. Ask for another one.",
        AccountState::Open => "This account is open.",
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn refusals_keep_their_codes_and_name_the_field() {
        let problem = |error: Error| Problem::from(error);
        let funds = problem(Error::InsufficientFunds(Money::new(7000, Currency::EUR)));
        assert_eq!((funds.status(), funds.code()), (StatusCode::UNPROCESSABLE_ENTITY, "insufficient-funds"));
        assert!(funds.sentence().contains("70.00 EUR"), "{funds}");
        assert_eq!(funds.faults()[0].field, "amount");
        assert_eq!(problem(Error::NotOurBank).faults()[0].field, "to");
        assert_eq!(problem(Error::AlreadyDecided(RequestState::Rejected)).status(), StatusCode::CONFLICT);
        assert!(problem(Error::AlreadyDecided(RequestState::Rejected)).sentence().contains("rejected"));
        assert_eq!(problem(Error::OwnRequest).status(), StatusCode::FORBIDDEN);
        assert_eq!(problem(Error::Overloaded).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(problem(Error::OutcomeUnknown).sentence().contains("not known"));
        assert_eq!(problem(Error::Store(StoreError::Busy)).status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
