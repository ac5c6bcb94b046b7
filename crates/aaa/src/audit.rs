//! Noting what was decided: one record for every call but a granted read that is open to anyone, where nothing was decided.

use serde::{Deserialize, Serialize};
use vocabulary::{Timestamp, UserId};

/// What happened to one call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// `POST /api/transfers`, with `{names}` unfilled.
    pub operation: String,
    /// The path as it was called.
    pub path: String,
    /// Who called, as far as it was known.
    pub by: Option<UserId>,
    /// The login that their credential told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The object that the request named, when its policy looked at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Their groups, as the credential told them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How they proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// What the policy asks, in words.
    #[serde(default)]
    pub policy: String,
    /// The status that was answered.
    pub status: u16,
    /// The problem's code, for a refusal.
    pub code: Option<String>,
    /// What the operator should know beyond the answer.
    pub cause: Option<String>,
    /// Finds the call in logs and in the answer.
    pub trace_id: String,
    /// Where the call came from, as far as it is known.
    pub client: Option<String>,
}

/// A decision, put in words when it is written and not while the caller waits.
pub struct Decided(Box<dyn FnOnce() -> Decision + Send>);

impl Decided {
    /// What `words` will say.
    pub fn new(words: impl FnOnce() -> Decision + Send + 'static) -> Self {
        Self(Box::new(words))
    }

    /// The record.
    pub fn record(self) -> Decision {
        (self.0)()
    }
}

/// Where decisions go. It must not wait: a call is answered whether or not the record is written yet.
pub trait Audit: Send + Sync {
    /// Takes the decision.
    fn note(&self, decided: Decided);
}

/// Writes decisions to the log: for programs without a store.
impl Audit for () {
    fn note(&self, decided: Decided) {
        let decision = decided.record();
        tracing::info!(target: "audit", operation = decision.operation, status = decision.status, trace_id = decision.trace_id);
    }
}
