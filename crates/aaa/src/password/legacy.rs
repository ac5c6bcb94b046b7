//! Hashes that other programs made: bcrypt, Django's PBKDF2, Werkzeug's scrypt and PBKDF2.
//!
//! Only for verifying until the first sign-in replaces them. What a stored hash asks for is bounded, so that none can
//! take minutes or gigabytes, whoever wrote it.

use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A hash of a kind that is known here, with costs that are bearable.
pub(super) enum Legacy<'a> {
    /// `$2a$`, `$2b$` and `$2y$`: three names of one algorithm.
    Bcrypt { hash: &'a str },
    /// `pbkdf2_sha256$…` and `pbkdf2:sha256:…`.
    Pbkdf2 { iterations: NonZeroU32, salt: &'a str, key: Vec<u8> },
    /// `scrypt:…`.
    Scrypt { params: scrypt::Params, salt: &'a str, key: Vec<u8> },
}

/// bcrypt's logarithmic cost: 14 is a second.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;
/// Django asks for 1.2 million at the end of 2025.
const MOST_ITERATIONS: u32 = 3_000_000;
/// What Werkzeug called `pbkdf2:sha256` without a number meant last.
const WERKZEUG_ITERATIONS: u32 = 1_000_000;
/// Most memory of one scrypt, in bytes; Werkzeug asks for 32 MiB.
const MOST_MEMORY: u64 = 64 << 20;
/// Most passes of scrypt over its memory.
const MOST_PARALLEL: u32 = 4;
/// Longest salt and key in bytes: nobody makes longer ones.
const LONGEST: usize = 128;
/// Shortest key: less could be hit by chance.
const SHORTEST_KEY: usize = 16;

impl<'a> Legacy<'a> {
    /// Reads a stored hash; nothing when it is of no known kind, damaged, or asks for too much.
    pub(super) fn read(stored: &'a str) -> Option<Self> {
        if stored.len() > 1024 {
            return None;
        }
        if let Some(rest) = ["$2a$", "$2b$", "$2y$"].iter().find_map(|version| stored.strip_prefix(version)) {
            return bcrypt(stored, rest);
        }
        if let Some(rest) = stored.strip_prefix("pbkdf2_sha256$") {
            let (iterations, rest) = rest.split_once('$')?;
            let (salt, key) = rest.split_once('$')?;
            return pbkdf2(number(iterations)?, salt, BASE64_STANDARD.decode(key).ok()?);
        }
        let (method, rest) = stored.split_once('$')?;
        let (salt, key) = rest.split_once('$')?;
        let key = hex::decode(key).ok()?;
        let mut parts = method.split(':');
        match (parts.next()?, parts.next(), parts.next(), parts.next(), parts.next()) {
            ("pbkdf2", Some("sha256"), iterations, None, None) => {
                pbkdf2(iterations.map_or(Some(WERKZEUG_ITERATIONS), number)?, salt, key)
            }
            ("scrypt", Some(n), Some(r), Some(p), None) => scrypt((number(n)?, number(r)?, number(p)?), salt, key),
            _ => None,
        }
    }

    /// Whether the password is the one behind the hash. bcrypt never looked further than 72 bytes, neither when it made
    /// the hash nor now: of a longer password the rest counts only once it is hashed anew.
    pub(super) fn fits(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt { hash } => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Pbkdf2 { iterations, salt, key } => {
                let (salt, password) = (salt.as_bytes(), password.as_bytes());
                pbkdf2::verify(PBKDF2_HMAC_SHA256, *iterations, salt, password, key).is_ok()
            }
            Self::Scrypt { params, salt, key } => {
                let mut made = vec![0; key.len()];
                scrypt::scrypt(password.as_bytes(), salt.as_bytes(), params, &mut made).is_ok()
                    && verify_slices_are_equal(&made, key).is_ok()
            }
        }
    }
}

fn bcrypt<'a>(hash: &'a str, rest: &str) -> Option<Legacy<'a>> {
    let (cost, body) = rest.split_once('$')?;
    let characters = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    let sound = cost.len() == 2 && body.len() == 53 && body.chars().all(characters);
    (sound && BCRYPT_COSTS.contains(&number(cost)?)).then_some(Legacy::Bcrypt { hash })
}

fn pbkdf2(iterations: u32, salt: &str, key: Vec<u8>) -> Option<Legacy<'_>> {
    let iterations = NonZeroU32::new(iterations).filter(|it| it.get() <= MOST_ITERATIONS)?;
    sound(salt, &key).then_some(Legacy::Pbkdf2 { iterations, salt, key })
}

fn scrypt((n, r, p): (u32, u32, u32), salt: &str, key: Vec<u8>) -> Option<Legacy<'_>> {
    let memory = u64::from(n).checked_mul(u64::from(r))?.checked_mul(128)?;
    if !n.is_power_of_two() || n < 2 || r == 0 || memory > MOST_MEMORY || !(1..=MOST_PARALLEL).contains(&p) {
        return None;
    }
    let params = scrypt::Params::new(u8::try_from(n.ilog2()).ok()?, r, p).ok()?;
    sound(salt, &key).then_some(Legacy::Scrypt { params, salt, key })
}

fn sound(salt: &str, key: &[u8]) -> bool {
    (1..=LONGEST).contains(&salt.len()) && (SHORTEST_KEY..=LONGEST).contains(&key.len())
}

/// Digits only: no sign, no space.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_of_another_kind_damaged_or_too_costly_is_not_read() {
        let key = "00".repeat(32);
        let salted = "2b$04$sgNm3EE0yqyQNUdCV2aloeM.xpfdEnvKOG1JPkgq6jHm4TwGeUpC";
        for good in [
            "$2y$14$sgNm3EE0yqyQNUdCV2aloeM.xpfdEnvKOG1JPkgq6jHm4TwGeUpCu".to_owned(),
            format!("pbkdf2:sha256$salt${key}"),
            format!("pbkdf2:sha256:3000000$salt${key}"),
            format!("scrypt:65536:8:4$salt${key}"),
        ] {
            assert!(Legacy::read(&good).is_some(), "{good}");
        }
        for bad in [
            String::new(),
            "hobbes".into(),
            "$1$salt$hash".into(),
            format!("${salted}"),
            "$2x$04$sgNm3EE0yqyQNUdCV2aloeM.xpfdEnvKOG1JPkgq6jHm4TwGeUpCu".into(),
            "$2b$15$sgNm3EE0yqyQNUdCV2aloeM.xpfdEnvKOG1JPkgq6jHm4TwGeUpCu".into(),
            "$2b$31$sgNm3EE0yqyQNUdCV2aloeM.xpfdEnvKOG1JPkgq6jHm4TwGeUpCu".into(),
            "$2b$03$sgNm3EE0yqyQNUdCV2aloeM.xpfdEnvKOG1JPkgq6jHm4TwGeUpCu".into(),
            format!("pbkdf2:sha1:1000$salt${key}"),
            format!("pbkdf2:sha256:3000001$salt${key}"),
            format!("pbkdf2:sha256:0$salt${key}"),
            format!("pbkdf2:sha256:-1$salt${key}"),
            format!("pbkdf2:sha256:1000${key}"),
            "pbkdf2:sha256:1000$salt$00".into(),
            "pbkdf2_sha256$4294967296$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into(),
            "pbkdf2_sha256$1000$salt$AAA".into(),
            format!("scrypt:131072:8:1$salt${key}"),
            format!("scrypt:2:4294967295:1$salt${key}"),
            format!("scrypt:32768:8:5$salt${key}"),
            format!("scrypt:32767:8:1$salt${key}"),
            format!("scrypt:32768:8$salt${key}"),
        ] {
            assert!(Legacy::read(&bad).is_none(), "{bad}");
        }
    }
}
