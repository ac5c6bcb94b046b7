//! What is known of the instances of a service that is called: for the people who look after it.

use std::net::SocketAddr;

use pki::{Negotiated, Peer};
use serde::Serialize;

/// Whether an instance is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is called in turn with the others.
    Alive,
    /// It is called only while there is no better one: it is starting, stopping, or failed a moment ago.
    LeftOut,
    /// It is not called, only asked again and again whether it lives.
    Dead,
}

/// One instance of a service, as this process sees it.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// The service.
    pub service: String,
    /// Where it should be, as configured.
    pub address: String,
    /// Where that is; nothing while the name is not known.
    pub at: Option<SocketAddr>,
    /// Whether it is called.
    pub state: State,
    /// Why it is not.
    pub why: Option<String>,
    /// What the last connection agreed on.
    pub negotiated: Option<Negotiated>,
    /// Whose certificate was shown on it, and until when that is good.
    pub peer: Option<Peer>,
}

/// What is known of one instance at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) state: State,
    pub(super) why: Option<String>,
    /// It did not answer when it was asked whether it lives: what waits for it waits in vain.
    pub(super) silent: bool,
}

impl Condition {
    pub(super) const ALIVE: Self = Self { state: State::Alive, why: None, silent: false };

    pub(super) fn left_out(why: impl Into<String>) -> Self {
        Self { state: State::LeftOut, why: Some(why.into()), silent: false }
    }
}
