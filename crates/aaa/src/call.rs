//! A call that passed its policy: what a handler is given.

use std::sync::Arc;

use http::HeaderValue;

use crate::credentials::{Scheme, credential};
use crate::operation::Operation;
use crate::policy::{Enforce, Identifies, Touches};
use crate::principal::Principal;

/// A granted call of the operation `O` on the service `S`.
pub struct Call<O: Operation, S>
where
    O::Policy: Enforce<O, S>,
{
    /// The request, every field valid.
    pub request: O,
    /// What came along with it.
    pub context: Context,
    pub(crate) by: Option<Arc<Principal>>,
    pub(crate) proof: <O::Policy as Enforce<O, S>>::Proof,
}

impl<O: Operation, S> Call<O, S>
where
    O::Policy: Enforce<O, S> + Identifies,
{
    /// Who is calling.
    pub fn by(&self) -> &Principal {
        const NOBODY: &Principal = &Principal::NOBODY;
        // The layer fills it for every policy that identifies; a caller in no group is the closed answer if it did not.
        self.by.as_deref().unwrap_or(NOBODY)
    }
}

impl<O: Operation, S> Call<O, S>
where
    O::Policy: Enforce<O, S> + Touches,
{
    /// The object that the policy looked at, as it was then: read it again under lock before money moves.
    pub fn object(&self) -> &<O::Policy as Enforce<O, S>>::Proof {
        &self.proof
    }
}

/// What comes along with a request.
#[derive(Clone, Debug)]
pub struct Context {
    /// W3C trace id: 32 hexadecimal digits.
    pub trace_id: String,
    /// The key under which a repeated creation is done once.
    pub idempotency: Option<IdempotencyKey>,
    /// Where the call came from, as far as it is known.
    pub client: Option<String>,
    /// How the caller proved who they are.
    pub scheme: Option<Scheme>,
    /// The serial number of the certificate that the caller showed, in hexadecimal digits.
    pub certificate: Option<String>,
    /// As they came: most calls never read them.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) agent: Option<HeaderValue>,
    pub(crate) accept: Option<HeaderValue>,
    pub(crate) last_event: Option<HeaderValue>,
}

impl Context {
    /// The caller's access token, to call another service in their name.
    pub fn token(&self) -> Option<&str> {
        credential(self.authorization.as_ref()?, "bearer")
    }

    /// What the client calls itself (`User-Agent`), cut to 200 characters.
    pub fn agent(&self) -> Option<String> {
        Some(self.agent.as_ref()?.to_str().ok()?.chars().take(200).collect())
    }

    /// Whether the client named this media type among those that it takes.
    pub fn accepts(&self, media_type: &str) -> bool {
        let listed = self.accept.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        listed
            .split(',')
            .any(|one| one.split(';').next().is_some_and(|one| one.trim().eq_ignore_ascii_case(media_type)))
    }

    /// The last event that a client had which comes back for more (`Last-Event-ID`).
    pub fn last_event(&self) -> Option<&str> {
        self.last_event.as_ref()?.to_str().ok()
    }
}

/// An `Idempotency-Key` with a digest of the content it came with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey {
    /// As the client sent it: 1 to 128 printable ASCII characters.
    pub key: String,
    /// SHA-256 of operation and content.
    pub digest: [u8; 32],
}
