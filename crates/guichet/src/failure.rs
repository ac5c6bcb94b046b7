//! Why a command did not do what it was asked, in words for the person at the keyboard.

use std::io;
use std::path::Path;

use aaa::{Misconfigured, Problem};
use chassis::ListenerError;
use pki::PkiError;
use store::StoreError;

/// A command that failed: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting is wrong.
    #[error("{0}")]
    Settings(String),
    /// A file or directory cannot be used.
    #[error("cannot {what} {path}: {why}")]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Another process has the data directory.
    #[error(
        "the data directory {0} is in use by another guichet: stop that one, or choose another directory with --data-dir"
    )]
    Locked(String),
    /// The listener could not begin.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// What is served and what is configured do not fit.
    #[error(transparent)]
    Misconfigured(#[from] Misconfigured),
    /// Keys or certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// `[mail]` of the settings, or a file that it names.
    #[error(transparent)]
    Mail(#[from] mail::FileError),
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A service refused.
    #[error("{0}")]
    Refused(String),
    /// What was asked for was done, and this is not as it should be.
    #[error("{0}")]
    NotWell(String),
    /// What was asked for could not be done, or not all of it; told apart from [`Failure::NotWell`] by the exit code.
    #[error("{0}")]
    Unable(String),
    /// The runtime.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

impl Failure {
    /// What the process ends with: 2 where a command tells what it could not do from what it found, and 1 otherwise.
    pub const fn code(&self) -> u8 {
        if matches!(self, Self::Unable(_)) { 2 } else { 1 }
    }

    pub(crate) fn file(what: &'static str, path: &Path, why: &io::Error) -> Self {
        Self::File { what, path: path.display().to_string(), why: why.to_string() }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        // A refusal is written for people; what went wrong inside is for whoever mends it.
        Self::Refused(if problem.status().is_server_error() {
            problem.to_string()
        } else {
            problem.sentence().to_owned()
        })
    }
}
