//! Why a request to the monitor is refused.

use ::store::StoreError;
use aaa::{Faults, Problem};

use crate::check::Fault;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Internal(#[from] serde_json::Error),
    #[error("not found")]
    NotFound,
    /// What was written down cannot be; the fields stand in this part of the request.
    #[error("the check cannot be made as it is written down")]
    Faults(&'static str, Vec<Fault>),
    #[error("{1}")]
    Field(&'static str, &'static str),
    #[error("the check is the bank's own, or stands in the settings")]
    NotYours,
    #[error("there are too many: {0}")]
    TooMany(&'static str),
    #[error("the idempotency key was used for something else")]
    KeyReused,
    #[error("the incident is over")]
    Over,
    #[error("as many checks are tried as can be at a time")]
    Busy,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(cause) => chassis::store_problem(&cause),
            Error::Internal(cause) => Self::internal(cause),
            Error::NotFound => Self::not_found(),
            Error::Faults(part, found) => {
                let mut faults = Faults::default();
                for (field, words) in found {
                    let place = if field == "name" { field.to_owned() } else { format!("{part}.{field}") };
                    faults.add(place, words);
                }
                faults.into_problem().unwrap_or_else(|| Self::internal("no fault was found after all"))
            }
            Error::Field(field, words) => Self::fault(field, words),
            Error::NotYours => Self::conflict(
                "not-configurable",
                "This check is the bank's own, or stands in the settings of the monitor, and is changed there. \
                 Choose another name.",
            ),
            Error::Over => Self::conflict("over", "This incident is over: nobody needs to look after it."),
            Error::TooMany(words) => Self::conflict("too-many", words),
            Error::KeyReused => Self::refused(
                "idempotency-key-reused",
                "This Idempotency-Key was used for another request. Use a new key for each thing you ask.",
            ),
            Error::Busy => {
                let words = "As many checks are being tried as can be at a time. Try again in a moment.";
                Self::unavailable(5, words).detail(words)
            }
        }
    }
}
