//! FlaskSimpleAuth's readable token: `realm[/issuer]:login:YYYYMMDDHHmmSS:signature`.
//!
//! For programs that already speak it: one shared secret, a login and an end, nothing else. The signature is the hex of
//! the first 16 bytes of BLAKE2s over `realm[/issuer]:login:end:secret`. It cannot be revoked before its end.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use blake2::{Blake2s256, Digest};
use vocabulary::{Clock, Timestamp};
use zeroize::Zeroizing;

use super::jwk::KeyError;
use super::{MAX_TOKEN, Refusal};

/// Makes and reads readable tokens. Clones share the secret.
#[derive(Clone)]
pub struct Readable {
    /// `realm` or `realm/issuer`, as every token begins.
    scope: Arc<str>,
    secret: Arc<Zeroizing<String>>,
    grace: Duration,
    clock: Clock,
}

/// Bytes of the hash that make the signature.
const SIGNATURE: usize = 16;
/// Fewest bytes of the secret.
const SHORTEST_SECRET: usize = 16;
/// Longest login, in bytes.
const LONGEST_LOGIN: usize = 256;

/// A login that a readable token cannot carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// It would be read as something else.
    #[error(
        "the login cannot stand in a readable token: it is empty, longer than 256 bytes, or holds `:` or a control"
    )]
    Login,
    /// The end is after the year 9999.
    #[error("the token would end after the year 9999")]
    End,
}

impl Readable {
    /// For tokens of `realm` (letters, digits and `-`), and of `issuer` if there is one, with a secret of at least 16
    /// bytes that everybody who makes or reads them shares.
    pub fn new(realm: &str, issuer: Option<&str>, secret: &str, clock: Clock) -> Result<Self, KeyError> {
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !plain(realm) {
            return Err(KeyError(format!("the realm {realm:?} of readable tokens: only letters, digits and `-`")));
        }
        if issuer.is_some_and(|issuer| issuer.is_empty() || issuer.contains(|c: char| c == ':' || c.is_control())) {
            return Err(KeyError("the issuer of readable tokens: not empty, and without `:`".into()));
        }
        if secret.len() < SHORTEST_SECRET {
            return Err(KeyError(format!("the secret of readable tokens: at least {SHORTEST_SECRET} bytes")));
        }
        let scope = issuer.map_or_else(|| realm.to_owned(), |issuer| format!("{realm}/{issuer}"));
        let secret = Arc::new(Zeroizing::new(secret.to_owned()));
        Ok(Self { scope: scope.into(), secret, grace: Duration::ZERO, clock })
    }

    /// The same, taking tokens for `grace` beyond their end.
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// A token for `login` that ends after `lifetime`, to the second.
    pub fn make(&self, login: &str, lifetime: Duration) -> Result<String, Unreadable> {
        if login.is_empty() || login.len() > LONGEST_LOGIN || login.contains(|c: char| c == ':' || c.is_control()) {
            return Err(Unreadable::Login);
        }
        let end = written(self.clock.now().plus(lifetime)).ok_or(Unreadable::End)?;
        let data = format!("{}:{login}:{end}", self.scope);
        let signature = self.signature(&data);
        Ok(format!("{data}:{signature}"))
    }

    /// The login that the token stands for, if it holds now.
    pub fn read(&self, token: &str) -> Result<String, Refusal> {
        if token.len() > MAX_TOKEN || token.matches(':').count() != 3 {
            return Err(Refusal::Invalid);
        }
        let (data, signature) = token.rsplit_once(':').ok_or(Refusal::Invalid)?;
        // The signature first, so that nothing is told about the rest of a forged one.
        verify_slices_are_equal(self.signature(data).as_bytes(), signature.as_bytes()).map_err(|_| Refusal::Invalid)?;
        let mut parts = data.split(':');
        let (Some(scope), Some(login), Some(end)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Refusal::Invalid);
        };
        if scope != &*self.scope || login.is_empty() {
            return Err(Refusal::Invalid);
        }
        let end = moment(end).ok_or(Refusal::Invalid)?;
        if self.clock.now() > end.plus(self.grace) { Err(Refusal::Expired) } else { Ok(login.to_owned()) }
    }

    fn signature(&self, data: &str) -> String {
        let digest =
            Blake2s256::new().chain_update(data).chain_update(":").chain_update(self.secret.as_bytes()).finalize();
        let mut hexadecimal = hex::encode(digest);
        hexadecimal.truncate(SIGNATURE * 2);
        hexadecimal
    }
}

/// `YYYYMMDDHHmmSS` in UTC.
fn written(at: Timestamp) -> Option<String> {
    let second = Timestamp::from_seconds(at.seconds());
    let digits: String = second.to_string().chars().filter(char::is_ascii_digit).collect();
    (moment(&digits) == Some(second)).then_some(digits)
}

fn moment(text: &str) -> Option<Timestamp> {
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    let (date, time) =
        ([part(0, 4), part(4, 6), part(6, 8)].join("-"), [part(8, 10), part(10, 12), part(12, 14)].join(":"));
    format!("{date}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret that two programs share";

    fn readable() -> (Clock, Readable) {
        let clock = Clock::manual("2026-11-21T09:30:00.5Z".parse().unwrap());
        (clock.clone(), Readable::new("stuff", Some("here"), SECRET, clock).unwrap())
    }

    #[test]
    fn a_token_reads_as_its_parts_and_holds_until_its_end() {
        let (clock, readable) = readable();
        let token = readable.make("calvin", Duration::from_mins(30)).unwrap();
        assert!(token.starts_with("stuff/here:calvin:20261121100000:"), "{token}");
        assert_eq!(token.rsplit_once(':').unwrap().1.len(), 32);
        assert_eq!(readable.read(&token).as_deref(), Ok("calvin"));
        clock.advance(Duration::from_millis(1_799_500));
        assert_eq!(readable.read(&token).as_deref(), Ok("calvin"), "at its very end");
        clock.advance(Duration::from_micros(1));
        assert_eq!(readable.read(&token), Err(Refusal::Expired));
        let gracious = readable.grace(Duration::from_mins(1));
        assert_eq!(gracious.read(&token).as_deref(), Ok("calvin"));
    }

    #[test]
    fn a_change_of_any_character_another_realm_issuer_or_secret_is_refused() {
        let (clock, readable) = readable();
        let token = readable.make("calvin", Duration::from_mins(30)).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(readable.read(std::str::from_utf8(&changed).unwrap()), Err(Refusal::Invalid), "at {at}");
        }
        let other = |realm, issuer, secret| Readable::new(realm, issuer, secret, clock.clone()).unwrap();
        for stranger in [
            other("other", Some("here"), SECRET),
            other("stuff", None, SECRET),
            other("stuff", Some("there"), SECRET),
            other("stuff", Some("here"), "a secret that nobody else knows."),
        ] {
            assert_eq!(stranger.read(&token), Err(Refusal::Invalid));
        }
        for junk in
            ["", ":::", "a:b:c", "a:b:c:d:e", &token[..token.len() - 1], &format!("{token}0"), &"x".repeat(1 << 20)]
        {
            assert_eq!(readable.read(junk), Err(Refusal::Invalid), "{junk:.40}");
        }
    }

    #[test]
    fn a_login_that_would_be_read_as_something_else_gets_no_token() {
        let (_, readable) = readable();
        for login in ["", "calvin:20991231235959", "cal\nvin", &"x".repeat(257)] {
            assert_eq!(readable.make(login, Duration::from_mins(1)), Err(Unreadable::Login), "{login:?}");
        }
        assert_eq!(readable.make("calvin", Duration::MAX), Err(Unreadable::End));
    }

    #[test]
    fn a_realm_issuer_or_secret_that_weakens_tokens_is_refused_at_the_start() {
        let new =
            |realm, issuer, secret| Readable::new(realm, issuer, secret, Clock::manual(Timestamp::from_seconds(0)));
        assert!(new("a/b", None, SECRET).is_err() && new("", None, SECRET).is_err());
        assert!(new("a", Some("b:c"), SECRET).is_err() && new("a", Some(""), SECRET).is_err());
        assert!(new("a", None, "fifteen bytes..").is_err());
    }
}
