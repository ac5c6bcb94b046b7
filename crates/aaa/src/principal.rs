//! Who is calling, as their credential tells it.

use sha2::{Digest, Sha256};
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
    /// What the credential is good for: nothing says the person's whole authority, a list only what it names.
    pub scopes: Option<Vec<String>>,
    /// The sign-in that this call belongs to.
    pub session: SessionId,
    /// When the token was issued.
    pub issued: Timestamp,
    /// When the token ends.
    pub expires: Timestamp,
    /// When they last proved who they are.
    pub authenticated: Timestamp,
    /// Whether that proof had a second factor.
    pub second_factor: bool,
    /// Identifies the token (`jti`), when a token was shown.
    pub token: Option<String>,
    /// The thumbprint (RFC 7638) of the client's key that the token is good with, and only with it (RFC 9449).
    pub bound_to: Option<String>,
}

impl Principal {
    /// Nobody: in no group, and past.
    pub(crate) const NOBODY: Self = Self {
        id: UserId(uuid::Uuid::nil()),
        login: String::new(),
        name: String::new(),
        groups: Vec::new(),
        scopes: None,
        session: SessionId(uuid::Uuid::nil()),
        issued: Timestamp::from_micros(0),
        expires: Timestamp::from_micros(0),
        authenticated: Timestamp::from_micros(0),
        second_factor: false,
        token: None,
        bound_to: None,
    };

    /// Somebody of whom only the login is known: the id is derived from it, always the same. No time limits them until
    /// [`Principal::during`] says one, and they have not proved who they are at any known time.
    pub fn named<G: Into<String>>(login: &str, groups: impl IntoIterator<Item = G>) -> Self {
        Self {
            id: id_of(login),
            login: login.into(),
            name: login.into(),
            groups: groups.into_iter().map(Into::into).collect(),
            expires: Timestamp::from_micros(i64::MAX),
            ..Self::NOBODY
        }
    }

    /// The same, who proved who they are at `from`, until `until`.
    pub fn during(self, from: Timestamp, until: Timestamp) -> Self {
        Self { issued: from, authenticated: from, expires: until, ..self }
    }

    /// Whether they belong to the group `G`.
    pub fn is_in<G: crate::Group>(&self) -> bool {
        self.groups.iter().any(|group| group == G::NAME)
    }
}

/// The id of a login where people have none: UUID version 8 (RFC 9562) over its SHA-256.
pub(crate) fn id_of(login: &str) -> UserId {
    let mut digest = Sha256::new();
    digest.update(b"login\0");
    digest.update(login);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    UserId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_gives_always_the_same_id_and_another_login_another() {
        let calvin = Principal::named("calvin", ["admin"]);
        assert_eq!(calvin.id, Principal::named("calvin", [""; 0]).id);
        assert_ne!(calvin.id, Principal::named("Calvin", ["admin"]).id);
        assert_eq!((calvin.login.as_str(), calvin.groups.as_slice()), ("calvin", &["admin".to_owned()][..]));
    }
}
