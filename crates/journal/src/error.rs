//! Why a request to the journal is refused.

use ::store::StoreError;
use aaa::Problem;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("is not a cursor of this list: take it from `next` of the page before")]
    Cursor,
    #[error("is not after `from`: give a later day or moment")]
    Period,
    #[error("{0}")]
    TooLong(&'static str),
    #[error("holds no word to look for: give letters or digits")]
    Wordless,
    #[error("comes as server-sent events: ask for it with `Accept: text/event-stream`")]
    NotEvents,
    #[error(
        "As many files are being taken, or as many people follow the journal, as can be at a time. Try again in a moment."
    )]
    Full,
    #[error("there is no such entry")]
    NoEntry,
    #[error("the journal signs its log every second, and has not yet since this entry came")]
    NotYet,
    #[error("is no signature of a witness on the head of that size")]
    Signature,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Cursor => Self::fault("cursor", error),
            Error::Period => Self::fault("to", error),
            Error::TooLong(_) => Self::fault("from", error),
            Error::Wordless => Self::fault("text", error),
            Error::NotEvents => Self::fault("Accept", error),
            Error::Full => Self::unavailable(5, &error).detail(error.to_string()),
            Error::NoEntry => Self::not_found(),
            Error::NotYet => Self::unavailable(1, &error).detail(error.to_string()),
            Error::Signature => Self::fault("signature", error),
            Error::Store(cause) => chassis::store_problem(cause),
        }
    }
}
