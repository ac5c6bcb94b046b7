//! HTTP Digest with SHA-256 and `qop=auth` (RFC 7616): the password itself never travels.
//!
//! It asks for a price: the server keeps a secret from which Digest answers can be made, so a stolen database signs in.
//! Prefer Basic over TLS with Argon2id, unless clients can do no other. MD5 and requests without `qop` are refused.

use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};
use http::request::Parts;
use sha2::{Digest as _, Sha256};
use vocabulary::{Clock, Timestamp};

/// How long a nonce holds; then the client is asked to use a new one, without asking the person again.
const HOLDS: Duration = Duration::from_mins(5);
/// Nonces whose count is remembered.
const NONCES: u64 = 100_000;
/// No real credential is longer.
const MAX_CREDENTIAL: usize = 4096;

/// What the server keeps of one person: SHA-256 of `login:realm:password`. As good as the password within its realm.
#[derive(Clone)]
pub struct DigestSecret([u8; 32]);

impl DigestSecret {
    /// Of this person's password.
    pub fn of(login: &str, realm: &str, password: &str) -> Self {
        Self(Sha256::digest(format!("{login}:{realm}:{password}")).into())
    }

    /// As it was stored.
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Makes nonces, and remembers how often each was used. Clones share the memory.
#[derive(Clone)]
pub struct Digest {
    clock: Clock,
    key: hmac::Key,
    used: moka::sync::Cache<String, u32>,
}

impl Digest {
    /// With 32 secret bytes that sign nonces.
    pub fn new(secret: &[u8; 32], clock: Clock) -> Self {
        let used = moka::sync::Cache::builder().max_capacity(NONCES).time_to_live(HOLDS * 2).build();
        Self { clock, key: hmac::Key::new(hmac::HMAC_SHA256, secret), used }
    }

    pub(crate) fn challenge(&self, realm: &str) -> String {
        let nonce = self.nonce(self.clock.now());
        format!("Digest realm=\"{realm}\", qop=\"auth\", algorithm=SHA-256, nonce=\"{nonce}\", charset=UTF-8")
    }

    fn nonce(&self, at: Timestamp) -> String {
        let seconds = at.seconds().to_string();
        let tag = hmac::sign(&self.key, seconds.as_bytes());
        format!("{seconds}.{}", hex::encode(tag.as_ref().get(..16).unwrap_or_default()))
    }

    /// Whether the nonce is ours and young, and this use of it is a new one.
    fn accepts(&self, nonce: &str, count: u32) -> Result<(), &'static str> {
        let seconds = nonce.split('.').next().and_then(|text| text.parse().ok()).ok_or("not a nonce of ours")?;
        let at = Timestamp::from_seconds(seconds);
        let ours = self.nonce(at);
        if constant_time::verify_slices_are_equal(ours.as_bytes(), nonce.as_bytes()).is_err() {
            return Err("not a nonce of ours");
        }
        let now = self.clock.now();
        if at > now || at.plus(HOLDS) < now {
            return Err("the nonce is too old");
        }
        let mut fresh = false;
        self.used.entry(nonce.to_owned()).and_upsert_with(|entry| {
            let before = entry.map_or(0, moka::Entry::into_value);
            fresh = count > before;
            before.max(count)
        });
        if fresh { Ok(()) } else { Err("this use of the nonce was seen before") }
    }
}

/// What a client answered.
pub(crate) struct Answer {
    login: String,
    nonce: String,
    uri: String,
    cnonce: String,
    response: String,
    nc: String,
    count: u32,
}

impl Answer {
    /// Takes the credential apart.
    pub(crate) fn read(credential: &str, realm: &str) -> Result<Self, &'static str> {
        if credential.len() > MAX_CREDENTIAL {
            return Err("malformed Digest credential");
        }
        let pairs = pairs(credential).ok_or("malformed Digest credential")?;
        let get = |name: &str| {
            let mut found = pairs.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            match (found.next(), found.next()) {
                (Some((_, value)), None) => Ok(value.clone()),
                _ => Err("malformed Digest credential"),
            }
        };
        if get("realm")? != realm || get("algorithm")? != "SHA-256" || get("qop")? != "auth" {
            return Err("another realm, algorithm or quality of protection than was asked for");
        }
        let nc = get("nc")?;
        if nc.len() != 8 {
            return Err("malformed Digest credential");
        }
        Ok(Self {
            login: get("username")?,
            nonce: get("nonce")?,
            uri: get("uri")?,
            cnonce: get("cnonce")?,
            response: get("response")?,
            count: u32::from_str_radix(&nc, 16).map_err(|_| "malformed Digest credential")?,
            nc,
        })
    }

    pub(crate) fn login(&self) -> &str {
        &self.login
    }

    /// Whether it proves the password behind `secret`, for this very request, for the first time.
    pub(crate) fn check(
        &self,
        digest: &Digest,
        secret: Option<&DigestSecret>,
        parts: &Parts,
    ) -> Result<(), &'static str> {
        let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        if self.uri != target {
            return Err("the answer is for another address");
        }
        // An unknown login costs the same.
        let kept = secret.map_or([0; 32], |secret| secret.0);
        let request = hex::encode(Sha256::digest(format!("{}:{}", parts.method, self.uri)));
        let text = format!("{}:{}:{}:{}:auth:{request}", hex::encode(kept), self.nonce, self.nc, self.cnonce);
        let expected = hex::encode(Sha256::digest(text));
        let fits = constant_time::verify_slices_are_equal(expected.as_bytes(), self.response.as_bytes()).is_ok();
        if secret.is_none() || !fits {
            return Err("login and password do not fit");
        }
        digest.accepts(&self.nonce, self.count)
    }
}

/// `name=value` and `name="value"`, separated by commas (RFC 9110 §11.2).
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, after) = after.split_at(after.find(',').unwrap_or(after.len()));
            (value.trim().to_owned(), after)
        };
        pairs.push((name.trim().to_owned(), value));
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(pairs)
}

/// Up to the closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => value.push(characters.next()?.1),
            '"' => return Some((value, text.get(at.checked_add(1)?..)?)),
            c => value.push(c),
        }
    }
    None
}
