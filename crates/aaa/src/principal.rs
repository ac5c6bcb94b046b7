//! Who is calling, as the access token tells it.

use vocabulary::{SessionId, Timestamp, UserId};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The person.
    pub id: UserId,
    /// The name they sign in with.
    pub login: String,
    /// Their name as others read it.
    pub name: String,
    /// The groups they belong to.
    pub groups: Vec<String>,
    /// The sign-in that this call belongs to.
    pub session: SessionId,
    /// When the token was issued.
    pub issued: Timestamp,
    /// When the token ends.
    pub expires: Timestamp,
}

impl Principal {
    /// Whether they belong to the group `G`.
    pub fn is_in<G: crate::Group>(&self) -> bool {
        self.groups.iter().any(|group| group == G::NAME)
    }
}
