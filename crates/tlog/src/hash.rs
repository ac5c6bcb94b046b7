//! SHA-256 as RFC 6962 uses it: a leaf, a pair and nothing at all never hash alike.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 hash. Written in base64 (RFC 4648 section 4), as checkpoints carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

/// The text is no hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a hash is 32 bytes in base64 (44 characters)")]
pub struct HashError;

impl Hash {
    /// The hash of a leaf: `SHA-256(0x00 || data)`.
    pub fn of_leaf(data: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
    }

    /// The hash over two subtrees: `SHA-256(0x01 || left || right)`.
    pub fn of_pair(left: Self, right: Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// The root of the tree without leaves: `SHA-256()`.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        decode(text).map(Self).ok_or(HashError)
    }
}
crate::as_text!(Hash, HashError);

/// 32 bytes from their one base64 form.
pub(crate) fn decode(text: &str) -> Option<[u8; 32]> {
    if text.len() != 44 {
        return None;
    }
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}
