//! How long whoever keeps failing has to wait. Pure rules.
//!
//! Failures are counted by what was typed as a login, whether somebody is called so or not; a browser that signed in
//! before, and a session, have counters of their own, so that strangers' failures do not shut anybody out.

use std::time::Duration;

use aaa::Throttle;
use sha2::{Digest, Sha256};
use vocabulary::{SessionId, Timestamp};

/// Failures before the first wait: people mistype.
pub(crate) const FREE: u32 = 5;
/// Failures in a row after which waiting helps no more (NIST SP 800-63B): only staff do, a passkey, or a known browser.
pub(crate) const MOST: u32 = 100;

/// What failures are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// What was typed as a login.
    Login,
    /// A browser that signed in before.
    Device,
    /// A session whose person proves once more who they are.
    Session,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Device => "device",
            Self::Session => "session",
        }
    }
}

/// Names a counter. Only a keyed hash: people type their password where the login goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counter {
    pub(crate) kind: Kind,
    pub(crate) subject: [u8; 32],
}

impl Counter {
    /// Of a login as it was typed; capitals and spaces around it do not matter, as they do not to sign in.
    pub(crate) fn login(pepper: &[u8; 32], typed: &str) -> Self {
        Self::of(pepper, Kind::Login, typed.trim().to_ascii_lowercase().as_bytes())
    }

    pub(crate) fn device(pepper: &[u8; 32], device: &[u8; 32]) -> Self {
        Self::of(pepper, Kind::Device, device)
    }

    pub(crate) fn session(pepper: &[u8; 32], session: SessionId) -> Self {
        Self::of(pepper, Kind::Session, session.to_string().as_bytes())
    }

    fn of(pepper: &[u8; 32], kind: Kind, what: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(pepper).chain_update(kind.name()).chain_update([0]).chain_update(what);
        Self { kind, subject: digest.finalize().into() }
    }
}

/// Failures in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attempts {
    pub(crate) failures: u32,
    pub(crate) blocked_until: Timestamp,
}

impl Attempts {
    /// How long to wait before the next try, if at all.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        if self.failures >= MOST {
            return Some(Throttle::LONGEST);
        }
        (now < self.blocked_until).then(|| self.blocked_until.since(now))
    }

    /// One more: the wait begins now.
    pub(crate) fn failed(self, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        Self { failures, blocked_until: now.plus(Throttle::delay(failures, FREE)) }
    }

    /// Whether this failure is one after which somebody should look.
    pub(crate) const fn is_telling(&self) -> bool {
        matches!(self.failures, FREE | MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_second_to_a_quarter_of_an_hour_and_never_end_after_a_hundred_failures() {
        let mut now = Timestamp::from_seconds(1_000);
        let mut attempts = Attempts { failures: 0, blocked_until: Timestamp::from_seconds(0) };
        let mut waits = Vec::new();
        for _ in 1..MOST {
            attempts = attempts.failed(now);
            waits.push(attempts.wait(now).map_or(0, |wait| wait.as_secs()));
            now = now.plus(attempts.wait(now).unwrap_or_default());
            assert_eq!(attempts.wait(now), None);
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 1, 2, 4, 8]);
        assert!(waits.is_sorted() && waits[20..].iter().all(|wait| *wait == 900));
        attempts = attempts.failed(now);
        assert!(attempts.wait(now.plus(Duration::from_hours(24 * 365))).is_some());
    }

    #[test]
    fn a_login_is_counted_as_it_signs_in_and_apart_from_all_else() {
        let pepper = [1; 32];
        let one = Counter::login(&pepper, "camille");
        assert_eq!(one, Counter::login(&pepper, " Camille "));
        assert_ne!(one, Counter::login(&pepper, "camila"));
        assert_ne!(one.subject, Counter::login(&[2; 32], "camille").subject);
        let same = [b'x'; 32];
        let typed = String::from_utf8(same.to_vec()).unwrap();
        assert_ne!(Counter::device(&pepper, &same).subject, Counter::login(&pepper, &typed).subject);
    }
}
