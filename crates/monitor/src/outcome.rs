//! What came of making a check once. Pure.

use std::time::Duration;

use contracts::monitor::{Agreement, Certificate, State};

/// What it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Everything holds.
    Good,
    /// It works, but something that should hold does not: what, in words.
    Poor(String),
    /// It does not work: why, in words. Never the other side's, which may hold anything.
    Bad(String),
    /// The check could not be made, through no fault of the other side.
    Unknown(String),
}

/// One result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// From the first step to the last of an answer.
    pub(crate) latency: Option<Duration>,
    /// What the other side showed.
    pub(crate) certificate: Option<Certificate>,
    /// What the connection agreed on.
    pub(crate) agreed: Option<Agreement>,
}

impl Verdict {
    /// What it counts as.
    pub(crate) const fn state(&self) -> State {
        match self {
            Self::Good => State::Up,
            Self::Poor(_) => State::Degraded,
            Self::Bad(_) => State::Down,
            Self::Unknown(_) => State::Unknown,
        }
    }

    /// In words, where there is something to say.
    pub(crate) fn words(&self) -> Option<&str> {
        match self {
            Self::Good => None,
            Self::Poor(words) | Self::Bad(words) | Self::Unknown(words) => Some(words),
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, latency: None, certificate: None, agreed: None }
    }
}
