//! What waits between two pages, for a few minutes: a sign-in whose second step is still to come, and an authenticator
//! app that is being set up. It travels with the browser, sealed, so that any instance of the pages can go on with it.
//!
//! Promises: what is sealed says nothing to whoever lacks the key of the pages' processes, opens only for what it was
//! sealed for, and not after five minutes; neither a password nor an app's secret is ever part of a form. Knows no page.

use std::sync::Arc;
use std::time::Duration;

use aaa::Password;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use contracts::identity::TotpSetup;
use vocabulary::{Chance, Clock, Timestamp};

use crate::session::Secret;

/// How long anything waits. The cookies say so as well.
const PATIENCE: Duration = Duration::from_mins(5);
/// What the two kinds are sealed for; an app's is for one session besides.
const SIGN_IN: &str = "sign-in";
const SETUP: &str = "setup";
/// Longest way back that is kept, in bytes: a cookie holds no more than four kilobytes.
const LONGEST_WAY: usize = 512;

/// A login and a password that were right, of somebody who has a second factor.
#[derive(Clone)]
pub(crate) struct HalfSignIn {
    pub(crate) login: String,
    pub(crate) password: Password,
    /// Where they wanted to go.
    pub(crate) next: String,
}

/// What an authenticator app is given.
pub(crate) struct HalfSetup {
    pub(crate) secret: String,
    pub(crate) url: String,
}

/// Seals and opens what waits. Clones share the key.
#[derive(Clone)]
pub(crate) struct Halfway {
    key: Option<Arc<LessSafeKey>>,
    clock: Clock,
    chance: Chance,
}

impl Halfway {
    pub(crate) fn new(key: &[u8; 32], clock: Clock, chance: Chance) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Arc::new(LessSafeKey::new(key)));
        Self { key, clock, chance }
    }

    /// A sign-in, for its browser to keep.
    pub(crate) fn keep_sign_in(&self, half: &HalfSignIn) -> String {
        let next = if half.next.len() > LONGEST_WAY { "/" } else { &half.next };
        self.seal(SIGN_IN, &[&half.login, half.password.expose(), next])
    }

    /// The sign-in that a browser kept.
    pub(crate) fn sign_in(&self, kept: Option<&Secret>) -> Option<HalfSignIn> {
        let [login, password, next] = self.open(SIGN_IN, kept?)?.try_into().ok()?;
        Some(HalfSignIn { login, password: password.try_into().ok()?, next })
    }

    /// What an authenticator app is given, for the browser of the session that asked.
    pub(crate) fn keep_setup(&self, session: &Secret, setup: &TotpSetup) -> String {
        self.seal(&of_session(session), &[&setup.secret, &setup.url])
    }

    /// What the session's authenticator app is given.
    pub(crate) fn setup(&self, session: &Secret, kept: Option<&Secret>) -> Option<HalfSetup> {
        let [secret, url] = self.open(&of_session(session), kept?)?.try_into().ok()?;
        Some(HalfSetup { secret, url })
    }

    /// Nothing readable in any case: a text that cannot be sealed is left out.
    fn seal(&self, aim: &str, parts: &[&str]) -> String {
        let mut text = self.clock.now().plus(PATIENCE).micros().to_be_bytes().to_vec();
        for part in parts {
            text.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            text.extend(part.as_bytes());
        }
        let nonce = self.chance.bytes::<NONCE_LEN>();
        let sealed = self.key.as_ref().and_then(|key| {
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aim), &mut text).ok()
        });
        sealed.map_or_else(String::new, |()| hex::encode([nonce.as_slice(), &text].concat()))
    }

    fn open(&self, aim: &str, kept: &Secret) -> Option<Vec<String>> {
        let mut bytes = hex::decode(&kept.0).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.as_ref()?.open_in_place(nonce, Aad::from(aim), text).ok()?;
        let (until, mut rest) = text.split_first_chunk().map(|(until, rest)| (i64::from_be_bytes(*until), rest))?;
        if self.clock.now() >= Timestamp::from_micros(until) {
            return None;
        }
        let mut parts = Vec::new();
        while let Some((length, more)) = rest.split_first_chunk() {
            let (part, more) = more.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            parts.push(String::from_utf8(part.to_vec()).ok()?);
            rest = more;
        }
        Some(parts)
    }
}

fn of_session(session: &Secret) -> String {
    format!("{SETUP} {}", session.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> HalfSignIn {
        let password = "right horse battery".to_owned().try_into().unwrap();
        HalfSignIn { login: "claire".into(), password, next: "/requests".into() }
    }

    #[test]
    fn what_waits_opens_at_every_instance_for_five_minutes_and_nowhere_else() {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let at = |key: u8, chance: u64| Halfway::new(&[key; 32], clock.clone(), Chance::seeded(chance));
        let (one, other, stranger) = (at(1, 1), at(1, 2), at(2, 1));
        let kept = Secret(one.keep_sign_in(&half()));
        assert!(!kept.0.contains(&hex::encode("right horse")) && kept.0.len() < 400);
        let opened = other.sign_in(Some(&kept)).unwrap();
        assert_eq!((opened.login.as_str(), opened.next.as_str()), ("claire", "/requests"));
        assert_eq!(opened.password.expose(), "right horse battery");
        assert!(stranger.sign_in(Some(&kept)).is_none() && one.sign_in(None).is_none());
        for place in [0, 30, kept.0.len() - 1] {
            let mut changed = kept.0.clone().into_bytes();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            assert!(one.sign_in(Some(&Secret(String::from_utf8(changed).unwrap()))).is_none());
        }
        clock.advance(PATIENCE);
        assert!(other.sign_in(Some(&kept)).is_none());
    }

    #[test]
    fn what_an_app_is_given_opens_in_its_session_alone_and_is_no_sign_in() {
        let halfway = Halfway::new(&[1; 32], Clock::system(), Chance::seeded(1));
        let (session, other) = (Secret("mine".into()), Secret("hers".into()));
        let setup = TotpSetup { secret: "GEZD".into(), url: "otpauth://x".into(), qr_svg: "<svg></svg>".into() };
        let kept = Secret(halfway.keep_setup(&session, &setup));
        let opened = halfway.setup(&session, Some(&kept)).unwrap();
        assert_eq!((opened.secret.as_str(), opened.url.as_str()), ("GEZD", "otpauth://x"));
        assert!(halfway.setup(&other, Some(&kept)).is_none() && halfway.sign_in(Some(&kept)).is_none());
        assert!(halfway.setup(&session, Some(&Secret(halfway.keep_sign_in(&half())))).is_none());
    }

    #[test]
    fn the_longest_sign_in_fits_in_a_cookie() {
        let halfway = Halfway::new(&[1; 32], Clock::system(), Chance::seeded(1));
        let password = "x".repeat(Password::MAX_BYTES).try_into().unwrap();
        let half = HalfSignIn { login: "x".repeat(256), password, next: format!("/{}", "x".repeat(5000)) };
        let kept = halfway.keep_sign_in(&half);
        assert!(kept.len() < 3000);
        assert_eq!(halfway.sign_in(Some(&Secret(kept))).unwrap().next, "/");
        let half = HalfSignIn { next: format!("/{}", "x".repeat(LONGEST_WAY - 1)), ..half };
        assert!(halfway.keep_sign_in(&half).len() < 3000);
    }
}
