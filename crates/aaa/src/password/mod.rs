//! Passwords: Argon2id (RFC 9106) with the floor of OWASP, bounded so that a flood of sign-ins cannot take the memory.
//!
//! Hashes of other kinds are verified and replaced at the first sign-in. Whatever is stored, a wrong password costs at
//! least one Argon2id.

mod legacy;

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vocabulary::Chance;
use zeroize::Zeroizing;

use self::legacy::Legacy;
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

/// A stored hash: Argon2id in PHC string form, or what another program made.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// A hash that nobody here could verify a password with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "is no password hash that can be used here: bcrypt ($2a$, $2b$, $2y$; cost 4 to 14), Django's pbkdf2_sha256$, \
     Werkzeug's pbkdf2:sha256 and scrypt:, and Argon2, each whole and of bearable cost"
)]
pub struct UnknownHash;

impl PasswordHash {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hash from another program: of a kind that is known here, whole, and of bearable cost.
    pub fn import(text: &str) -> Result<Self, UnknownHash> {
        let known = Kind::of(text).is_some();
        if known { Ok(Self(text.to_owned())) } else { Err(UnknownHash) }
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

/// Whether a password is the one behind a stored hash.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Fit {
    /// It is not.
    Wrong,
    /// It is.
    Right,
    /// It is, and this hash should be stored in the place of the weaker one that was.
    Outdated(PasswordHash),
}

impl Fit {
    /// Whether it is the password.
    pub fn is_right(&self) -> bool {
        !matches!(self, Self::Wrong)
    }
}

/// What a stored hash is, with costs that are bearable.
enum Kind<'a> {
    Argon2(Box<Phc>, Params),
    Legacy(Legacy<'a>),
}

impl<'a> Kind<'a> {
    fn of(stored: &'a str) -> Option<Self> {
        if !stored.starts_with("$argon2") {
            return Legacy::read(stored).map(Self::Legacy);
        }
        let hash = Phc::new(stored).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let bearable = params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_PASSES && params.p_cost() <= 4;
        (bearable && hash.hash.is_some()).then(|| Self::Argon2(Box::new(hash), params))
    }

    /// Whether it is at least as strong as what is made here.
    fn is_current(&self) -> bool {
        match self {
            Self::Argon2(hash, params) => {
                let strong = params.m_cost() >= MEMORY_KIB && params.t_cost() >= PASSES;
                strong && hash.algorithm.as_str() == "argon2id"
            }
            Self::Legacy(_) => false,
        }
    }

    fn fits(&self, password: &str) -> Result<bool, HashError> {
        Ok(match self {
            Self::Argon2(hash, _) => argon2()?.verify_password(password.as_bytes(), &**hash).is_ok(),
            Self::Legacy(legacy) => legacy.fits(password),
        })
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
/// Most that a stored Argon2 hash may ask for.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
const MOST_PASSES: u32 = 10;
/// Most passwords that wait for their turn; a line of this length is served in about half a second.
const WAITING: usize = 64;

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
    let hash: Phc = argon2()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
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
    ///
    /// For a hash that is weaker than those made here one Argon2id is done besides: to make a better one of the right
    /// password, or for nothing. Such a sign-in takes longer by what the old hash costs, until there is a better one.
    pub async fn verify(&self, password: Password, stored: Option<PasswordHash>) -> Result<Fit, HashError> {
        let known = stored.is_some();
        let hash = stored.unwrap_or_else(|| (*self.decoy).clone());
        let (decoy, salt) = (Arc::clone(&self.decoy), self.chance.bytes());
        self.in_turn(move || {
            let kind = Kind::of(hash.as_str()).ok_or_else(|| failed(UnknownHash))?;
            let fits = kind.fits(password.expose())? && known;
            match (fits, kind.is_current()) {
                (true, true) => Ok(Fit::Right),
                (true, false) => hash_now(password.expose(), salt).map(Fit::Outdated),
                (false, true) => Ok(Fit::Wrong),
                (false, false) => {
                    Kind::of(decoy.as_str()).map(|decoy| decoy.fits(password.expose()));
                    Ok(Fit::Wrong)
                }
            }
        })
        .await?
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| HashError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(failed)?;
        // The permits go along with the work: a client that hangs up stops waiting, but the work goes on, and its turn
        // is over only when it is done.
        tokio::task::spawn_blocking(move || done_before_freed(work, (place, turn))).await.map_err(failed)
    }
}

fn done_before_freed<T>(work: impl FnOnce() -> T, permits: (OwnedSemaphorePermit, OwnedSemaphorePermit)) -> T {
    let done = work();
    drop(permits);
    done
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
        assert_eq!(hasher.verify(password("correct horse"), Some(hash.clone())).await.unwrap(), Fit::Right);
        assert_eq!(hasher.verify(password("correct horsf"), Some(hash)).await.unwrap(), Fit::Wrong);
        assert_eq!(hasher.verify(password("a password that nobody has"), None).await.unwrap(), Fit::Wrong);
    }

    /// Made by the programs themselves, of "correct horse".
    const FOREIGN: &[&str] = &[
        "$2b$04$KlQdnSikrxHkRCec/ADxKO57v4xECoalABWsUF3myxev8LrC.x5/.",
        "$2a$05$oEghhPJ6XME2e/Z1HsF3GO0tBzVhcu5sqaQ7MSEoYt8H9sakI2diq",
        "$2y$04$6T8tJhg3IYKA0y2188kYLO5t24S7HIbF0PDWkxiEsayck3lh1P4Ae",
        "pbkdf2_sha256$20000$pepperandsalt$36S/o4YXqOetalvD8Dvf2l55wdBf4XJQVwz3Hi+UYco=",
        "scrypt:4096:8:1$tZSl8AVeHrKLESfm$4b52a8b481bb0405b5570624952334fccd72f76599804aa2974b033311ae31635c2bb6161eebd3037cc1a898459a3648697be9c6355fd935cf8f5ee2a3278348",
        "pbkdf2:sha256:20000$qenOGP614NuCzkVh$c531467c4a2d6008bb26be3d5987ad8ddc53c82e7e9a5afaefe6ea23899c31b4",
    ];

    #[tokio::test]
    async fn the_hash_of_another_program_fits_and_is_replaced_by_a_better_one() {
        let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
        for foreign in FOREIGN {
            let hash = PasswordHash::import(foreign).unwrap();
            assert_eq!(hasher.verify(password("correct horsf"), Some(hash.clone())).await.unwrap(), Fit::Wrong);
            let Fit::Outdated(better) = hasher.verify(password("correct horse"), Some(hash)).await.unwrap() else {
                panic!("{foreign} should fit and be outdated");
            };
            assert!(better.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", better.as_str());
            assert_eq!(hasher.verify(password("correct horse"), Some(better)).await.unwrap(), Fit::Right);
        }
    }

    #[test]
    fn an_argon2_hash_that_asks_for_too_much_is_not_taken() {
        let asking = |m: u32, t: u32, p: u32| {
            format!("$argon2id$v=19$m={m},t={t},p={p}$c2FsdHNhbHRzYWx0$JvP4u4rP0Ygj3fCXyVSJGmOJNzzHHCqCAe0GRhyP7a4")
        };
        assert!(PasswordHash::import(&asking(19456, 2, 1)).is_ok());
        for bad in [asking(1 << 22, 1, 1), asking(19456, 4_000_000_000, 1), asking(19456, 2, 64)] {
            assert_eq!(PasswordHash::import(&bad), Err(UnknownHash), "{bad}");
        }
        assert_eq!(PasswordHash::import("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0"), Err(UnknownHash));
    }

    #[tokio::test]
    async fn a_turn_is_over_when_the_hash_is_done_and_not_when_the_client_hangs_up() {
        let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (finish, to_finish) = std::sync::mpsc::channel::<()>();
        let slow = hasher.in_turn(move || {
            begun.send(()).unwrap();
            to_finish.recv().unwrap();
        });
        tokio::select! {
            biased;
            _ = slow => panic!("it cannot be done yet"),
            _ = has_begun => {}
        }
        // The client has hung up: the future is gone, the work is not.
        assert_eq!(hasher.turns.available_permits(), 0);
        assert_eq!(hasher.places.available_permits(), WAITING);
        finish.send(()).unwrap();
        let next = hasher.verify(password("wrong"), None).await.unwrap();
        assert_eq!((next, hasher.turns.available_permits()), (Fit::Wrong, 1));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_waiting_without_end() {
        let hasher = Hasher::new(1, Chance::seeded(1)).unwrap();
        let wrong = (0..100).map(|_| hasher.verify(password("wrong"), None));
        let verdicts = futures_util::future::join_all(wrong).await;
        let busy = verdicts.iter().filter(|verdict| matches!(verdict, Err(HashError::Busy))).count();
        assert_eq!((busy, verdicts.len() - busy), (100 - 1 - WAITING, 1 + WAITING));
        assert_eq!(hasher.verify(password("wrong"), None).await.unwrap(), Fit::Wrong, "it goes on afterwards");
    }

    #[test]
    fn a_password_is_bounded_and_never_printed() {
        assert!(Password::try_from(String::new()).is_err());
        assert!(Password::try_from("x".repeat(257)).is_err());
        assert_eq!(format!("{:?}", password("secret")), "Password(…)");
    }
}
