//! Sessions: how long they last, and the secrets that hold them. Pure rules.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use vocabulary::{Chance, SessionId, Timestamp, UserId};
use zeroize::Zeroizing;

/// How long an access token holds.
pub(crate) const ACCESS: Duration = Duration::from_mins(10);

/// How long the end of a session is remembered: no access token of it can hold longer, clocks that differ included.
pub(crate) const REMEMBERED: Duration = Duration::from_mins(11);

/// What holds a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A refresh token that changes at each use.
    Tokens,
    /// The secret in a browser's cookie.
    Browser,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Browser => "browser",
        }
    }

    /// How long it lives without activity. Longer than an access token, so that none outlives its session.
    pub(crate) const fn idle(self) -> Duration {
        match self {
            Self::Tokens => Duration::from_hours(14 * 24),
            Self::Browser => Duration::from_mins(30),
        }
    }

    /// How long it lives at most, whatever is done.
    pub(crate) const fn longest(self) -> Duration {
        match self {
            Self::Tokens => Duration::from_hours(30 * 24),
            Self::Browser => Duration::from_hours(12),
        }
    }
}

/// How the person of a session proved who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Proof {
    /// By their password alone.
    Password,
    /// By their password and a code: of an authenticator app, or a recovery code.
    Code,
    /// By a passkey that verified its user.
    Passkey,
}

impl Proof {
    pub(crate) const ALL: [Self; 3] = [Self::Password, Self::Code, Self::Passkey];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Passkey => "passkey",
        }
    }

    /// Whether it takes more than one thing to steal it.
    pub(crate) const fn has_second_factor(self) -> bool {
        match self {
            Self::Password => false,
            Self::Code | Self::Passkey => true,
        }
    }

    /// As tokens tell it (RFC 8176).
    pub(crate) fn methods(self) -> Vec<String> {
        let methods: &[&str] = match self {
            Self::Password => &["pwd"],
            Self::Code => &["pwd", "otp", "mfa"],
            Self::Passkey => &["pop", "user", "mfa"],
        };
        methods.iter().map(ToString::to_string).collect()
    }
}

/// A sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) person: UserId,
    pub(crate) kind: Kind,
    pub(crate) agent: Option<String>,
    pub(crate) created_at: Timestamp,
    /// When the person last proved who they are, and how.
    pub(crate) authenticated_at: Timestamp,
    pub(crate) proof: Proof,
    pub(crate) seen_at: Timestamp,
    pub(crate) idle_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    pub(crate) previous_login_at: Option<Timestamp>,
}

impl Session {
    pub(crate) fn begin(
        id: SessionId,
        person: UserId,
        kind: Kind,
        proof: Proof,
        agent: Option<String>,
        now: Timestamp,
        previous_login_at: Option<Timestamp>,
    ) -> Self {
        Self {
            id,
            person,
            kind,
            agent,
            created_at: now,
            authenticated_at: now,
            proof,
            seen_at: now,
            idle_at: now.plus(kind.idle()),
            ends_at: now.plus(kind.longest()),
            previous_login_at,
        }
    }

    pub(crate) fn lives(&self, now: Timestamp) -> bool {
        now < self.idle_at && now < self.ends_at
    }

    /// Activity: the idle limit begins anew.
    pub(crate) fn seen(&mut self, now: Timestamp) {
        self.seen_at = now;
        self.idle_at = now.plus(self.kind.idle());
    }

    /// When an access token issued now ends: never after the session.
    pub(crate) fn access_until(&self, now: Timestamp) -> Timestamp {
        now.plus(ACCESS).min(self.ends_at)
    }
}

/// A secret that holds a session: 32 random bytes, of which only the hash is stored.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(chance: &Chance) -> Self {
        let bytes = Zeroizing::new(chance.bytes::<32>());
        Self(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice())))
    }

    /// One that a client gives back.
    pub(crate) fn given(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// What the client is given.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash_of(&self.0)
    }
}

/// What is stored of a secret. It has 256 bits of chance, so a fast hash without salt is enough.
pub(crate) fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_idle_and_in_any_case_at_its_end() {
        let start = Timestamp::from_seconds(1_000);
        let id = SessionId(store::Uuid::nil());
        let mut session =
            Session::begin(id, UserId(store::Uuid::nil()), Kind::Browser, Proof::Password, None, start, None);
        assert!(session.lives(start.plus(Duration::from_mins(30)).minus(Duration::from_micros(1))));
        assert!(!session.lives(start.plus(Duration::from_mins(30))));
        let late = start.plus(Duration::from_mins(12 * 60 - 5));
        session.seen(late);
        assert_eq!(session.access_until(late), session.ends_at);
        assert!(session.lives(session.ends_at.minus(Duration::from_micros(1))));
        assert!(!session.lives(session.ends_at));
    }

    #[test]
    fn an_access_token_never_outlives_an_idle_session() {
        assert!(ACCESS < Kind::Browser.idle() && ACCESS < Kind::Tokens.idle() && ACCESS < REMEMBERED);
    }

    #[test]
    fn a_secret_is_long_and_never_the_same() {
        let chance = Chance::seeded(1);
        let (one, other) = (Secret::new(&chance), Secret::new(&chance));
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), hash_of(one.expose()));
    }
}
