//! The keys that sign notes, and their written forms (C2SP `signed-note`, "verifier keys").
//!
//! A key is a name, a kind and 32 bytes. Its id is the first four bytes of `SHA-256(name || 0x0A || kind || public key)`; the
//! public form is `name+id+base64(kind || public key)`, the private one (as Go's `sumdb/note` writes it)
//! `PRIVATE+KEY+name+id+base64(kind || seed)`. The same seed under two kinds is two keys that never take each other's place.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vocabulary::Chance;
use zeroize::Zeroizing;

/// Longest name of a key, in bytes.
const MAX_NAME: usize = 255;
const PRIVATE: &str = "PRIVATE+KEY+";

/// What a key signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// 0x01: the text of a note, by Ed25519 (RFC 8032). A log's key.
    Log,
    /// 0x04: a checkpoint and the time, by Ed25519 (C2SP `tlog-cosignature`). A witness's key.
    Witness,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// The text is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not in that form at all.
    #[error(
        "a key is written NAME+ID+KEY: 8 small hexadecimal digits and 33 bytes in base64; a private one has PRIVATE+KEY+ before it"
    )]
    Form,
    /// A name that notes cannot carry.
    #[error("a key's name has 1 to 255 bytes and neither spaces, control characters nor a plus")]
    Name,
    /// Another algorithm.
    #[error("the key is of another kind: only Ed25519 keys of logs (1) and witnesses (4) are known")]
    Kind,
    /// The id is another one's.
    #[error("the key's id does not fit its name and its bytes: it was not copied whole, or altered")]
    Id,
}

/// A public key that checks signatures.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: [u8; 32],
}

impl VerifierKey {
    fn new(name: &str, kind: KeyKind, public: [u8; 32]) -> Result<Self, KeyError> {
        if is_name(name) { Ok(Self { name: name.to_owned(), kind, public }) } else { Err(KeyError::Name) }
    }

    /// Whose key it is; a log's is the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it checks.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its id, as signatures carry it.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', self.kind.byte()]);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.chain_update(self.public).finalize());
        [a, b, c, d]
    }

    /// Whether both are the same bytes, whatever they are called and used for.
    pub(crate) fn same_bytes(&self, other: &Self) -> bool {
        self.public == other.public
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", KeyName(&self.name, self.id()), encoded(self.kind, &self.public).as_str())
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, kind, bytes) = parts(text)?;
        let key = Self::new(name, kind, *bytes)?;
        if key.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}
crate::as_text!(VerifierKey, KeyError);

/// A private key. Never printed by accident; wiped when dropped.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl SigningKey {
    /// A new key.
    pub fn generate(name: &str, kind: KeyKind, chance: &Chance) -> Result<Self, KeyError> {
        Self::from_seed(name, kind, Zeroizing::new(chance.bytes()))
    }

    /// The key that follows from a secret of 32 bytes (RFC 8032 section 5.1.5).
    pub fn from_seed(name: &str, kind: KeyKind, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Form)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Form)?;
        Ok(Self { seed, pair, public: VerifierKey::new(name, kind, public)? })
    }

    /// What checks its signatures.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// Its written form, for a file that nobody else may read.
    pub fn secret_text(&self) -> Zeroizing<String> {
        let KeyName(name, id) = KeyName(self.public.name(), self.public.id());
        let key = encoded(self.public.kind, &self.seed);
        Zeroizing::new(format!("{PRIVATE}{}+{}", KeyName(name, id), key.as_str()))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, kind, seed) = parts(text.strip_prefix(PRIVATE).ok_or(KeyError::Form)?)?;
        let key = Self::from_seed(name, kind, seed)?;
        if key.public.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// A key as persons are told of it: its name and id.
pub(crate) struct KeyName<'a>(pub(crate) &'a str, pub(crate) [u8; 4]);

impl fmt::Display for KeyName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}", self.0, u32::from_be_bytes(self.1))
    }
}

/// Whether notes can carry it as the name of a key.
pub(crate) fn is_name(name: &str) -> bool {
    let bad = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    !name.is_empty() && name.len() <= MAX_NAME && !name.contains(bad)
}

fn encoded(kind: KeyKind, key: &[u8; 32]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([kind.byte(); 33]);
    bytes[1..].copy_from_slice(key);
    Zeroizing::new(BASE64_STANDARD.encode(*bytes))
}

type Parts<'a> = (&'a str, [u8; 4], KeyKind, Zeroizing<[u8; 32]>);

/// `NAME+ID+BASE64`; the base64 may itself have a plus.
fn parts(text: &str) -> Result<Parts<'_>, KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    if !is_name(name) {
        return Err(KeyError::Name);
    }
    let digits = id.len() == 8 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let id = u32::from_str_radix(id, 16).ok().filter(|_| digits).ok_or(KeyError::Form)?;
    if key.len() != 44 {
        return Err(KeyError::Form);
    }
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(key).map_err(|_| KeyError::Form)?);
    let (kind, key) = bytes.split_first().ok_or(KeyError::Form)?;
    let kind = [KeyKind::Log, KeyKind::Witness].into_iter().find(|it| it.byte() == *kind).ok_or(KeyError::Kind)?;
    let key = Zeroizing::new(key.try_into().map_err(|_| KeyError::Form)?);
    Ok((name, id.to_be_bytes(), kind, key))
}
