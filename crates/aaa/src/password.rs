//! Passwords: Argon2id (RFC 9106) with the floor of OWASP, bounded so that a flood of sign-ins cannot take the memory.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use vocabulary::Chance;
use zeroize::Zeroizing;

use crate::problem::Problem;

/// A password as it was typed. Never printed; wiped when dropped; at most [`Password::MAX_BYTES`] long.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Longest password, in bytes: more would only cost hashing time.
    pub const MAX_BYTES: usize = 256;

    /// The typed text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Password {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = Zeroizing::new(text);
        match text.len() {
            0 => Err("must not be empty"),
            n if n > Self::MAX_BYTES => Err("is too long: at most 256 bytes"),
            _ => Ok(Self(text)),
        }
    }
}

impl From<Password> for String {
    fn from(password: Password) -> Self {
        password.0.as_str().to_owned()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl schemars::JsonSchema for Password {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "password", "minLength": 1, "maxLength": Self::MAX_BYTES })
    }
}

/// A stored hash in PHC string form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashes and verifies, a few at a time: each hash takes 19 MiB and some 15 ms of one core.
#[derive(Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    chance: Chance,
    decoy: Arc<PasswordHash>,
}

/// OWASP's floor for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Most passwords that wait for their turn; a line of this length is served in about half a second.
const WAITING: usize = 64;

fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, 1, None)?))
}

fn hash_now(password: &str, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
    let hash: Phc = argon2().map_err(failed)?.hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
    Ok(PasswordHash(hash.to_string()))
}

/// Why there is no hash, or no verdict.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait already: worth trying again in a moment.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// Memory ran out, the runtime stops, or a stored hash is damaged.
    #[error("password hashing failed: {0}")]
    Failed(String),
}

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::unavailable(2, error),
            HashError::Failed(_) => Self::internal(error),
        }
    }
}

fn failed(error: impl fmt::Display) -> HashError {
    HashError::Failed(error.to_string())
}

impl Hasher {
    /// A hasher that works on at most `at_once` passwords at a time.
    pub fn new(at_once: usize, chance: Chance) -> Result<Self, HashError> {
        let decoy = hash_now("a password that nobody has", chance.bytes())?;
        let at_once = at_once.max(1);
        let (turns, places) = (Arc::new(Semaphore::new(at_once)), Arc::new(Semaphore::new(at_once + WAITING)));
        Ok(Self { turns, places, chance, decoy: Arc::new(decoy) })
    }

    /// The hash to store.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        let salt = self.chance.bytes();
        self.in_turn(move || hash_now(password.expose(), salt)).await?
    }

    /// Whether `password` is the one behind `stored`. With no stored hash the same work is done and the answer is no,
    /// so that an unknown login takes as long as a wrong password.
    pub async fn verify(&self, password: Password, stored: Option<PasswordHash>) -> Result<bool, HashError> {
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| (*self.decoy).clone());
        self.in_turn(move || {
            let parsed = Phc::new(hash.as_str()).map_err(failed)?;
            let argon2 = argon2().map_err(failed)?;
            let fits = argon2.verify_password(password.expose().as_bytes(), &parsed).is_ok();
            Ok::<bool, HashError>(fits && known)
        })
        .await?
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        let _place = self.places.try_acquire().map_err(|_| HashError::Busy)?;
        let _turn = self.turns.acquire().await.map_err(failed)?;
        tokio::task::spawn_blocking(work).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        text.to_owned().try_into().unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_no_hash_fits_nothing() {
        let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
        let hash = hasher.hash(password("correct horse")).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(hasher.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(password("correct horsf"), Some(hash)).await.unwrap());
        assert!(!hasher.verify(password("a password that nobody has"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_waiting_without_end() {
        let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
        let wrong = (0..100).map(|_| hasher.verify(password("wrong"), None));
        let verdicts = futures_util::future::join_all(wrong).await;
        let busy = verdicts.iter().filter(|verdict| matches!(verdict, Err(HashError::Busy))).count();
        assert_eq!((busy, verdicts.len() - busy), (100 - 1 - WAITING, 1 + WAITING));
        assert!(!hasher.verify(password("wrong"), None).await.unwrap(), "it goes on afterwards");
    }

    #[test]
    fn a_password_is_bounded_and_never_printed() {
        assert!(Password::try_from(String::new()).is_err());
        assert!(Password::try_from("x".repeat(257)).is_err());
        assert_eq!(format!("{:?}", password("secret")), "Password(…)");
    }
}
