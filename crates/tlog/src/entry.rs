//! What a leaf is made of: named fields in an order, each readable or committed to.
//!
//! A leaf holds readable fields as they are and of others a commitment only: `HMAC-SHA-256(salt, label || name || content)`
//! (RFC 2104) under 32 random bytes. Without the salt it tells nothing, so that erasing salt and content erases the content,
//! while the leaf and every proof over it stay as they were. HMAC rather than a hash over salt and content: it is the standard
//! keyed form and leaves nothing to extend. The name is under it, so that an opening fits one field only.
//!
//! The bytes of a leaf are what is hashed for good. They begin with their version; every length stands before what it
//! measures, so that two different entries never have the same bytes.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use vocabulary::Chance;

use crate::hash::decode;
use crate::{Hash, HashError};

/// Stands before every leaf, and changes if the encoding ever does.
const LEAF: &[u8] = b"tlog/leaf/1\n";
const COMMITMENT: &[u8] = b"tlog/commitment/1\n";
const READABLE: u8 = 0;
const COMMITTED: u8 = 1;

/// Most fields of an entry.
pub const MAX_FIELDS: usize = 32;
/// Longest name of a field, in bytes.
const MAX_NAME: usize = 64;
/// Longest readable field, in bytes.
pub const MAX_VALUE: usize = 64 * 1024;
/// Longest content that is committed to, in bytes.
pub const MAX_CONTENT: usize = 4 * 1024 * 1024;

/// What makes a commitment tell nothing. Erased with the content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt(pub [u8; 32]);

impl Salt {
    /// A new one: each field of each entry has its own.
    pub fn new(chance: &Chance) -> Self {
        Self(chance.bytes())
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl FromStr for Salt {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        decode(text).map(Self).ok_or(HashError)
    }
}
crate::as_text!(Salt, HashError);

/// What a commitment was made of: shows that this content, and no other, was meant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The key of the commitment.
    pub salt: Salt,
    /// The content, exactly as it was committed to.
    pub content: String,
}

impl Opening {
    /// The commitment to this content as the field `name`.
    pub fn commitment(&self, name: &str) -> Hash {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.salt.0));
        mac.update(COMMITMENT);
        mac.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(name.as_bytes());
        mac.update(self.content.as_bytes());
        let mut commitment = Hash([0; 32]);
        commitment.0.copy_from_slice(mac.sign().as_ref());
        commitment
    }
}

/// The fields cannot be an entry.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EntryError {
    /// A name that is none.
    #[error("{0:?} is no name of a field: 1 to {MAX_NAME} small letters, digits and underscores")]
    Name(String),
    /// A name that was there already.
    #[error("the field {0} is there twice")]
    Twice(String),
    /// More than [`MAX_FIELDS`], or none.
    #[error("an entry has 1 to {MAX_FIELDS} fields")]
    Count,
    /// Longer than [`MAX_VALUE`] or [`MAX_CONTENT`].
    #[error("the field {name} is longer than {most} bytes")]
    Long {
        /// Of the field.
        name: String,
        /// The limit.
        most: usize,
    },
    /// An opening does not fit its commitment.
    #[error(
        "the content of the field {0} is not what the entry was made with: the content, its salt or its commitment was altered"
    )]
    Opening(String),
}

/// An entry of the log: its fields, in the order in which they are hashed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Field>", into = "Vec<Field>")]
pub struct Entry(Vec<Field>);

/// A field, as a proof carries it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Field {
    Readable { name: String, value: String },
    Opened { name: String, commitment: Hash, opening: Opening },
    Erased { name: String, commitment: Hash },
}

impl Field {
    pub(crate) fn name(&self) -> &str {
        let (Self::Readable { name, .. } | Self::Opened { name, .. } | Self::Erased { name, .. }) = self;
        name
    }
}

impl Entry {
    /// Without fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a field that everybody may read for ever. Nothing about a person.
    pub fn readable(self, name: &str, value: impl Into<String>) -> Result<Self, EntryError> {
        self.with(Field::Readable { name: name.to_owned(), value: value.into() })
    }

    /// With a field that can be erased: the leaf holds a commitment to it.
    pub fn committed(self, name: &str, opening: Opening) -> Result<Self, EntryError> {
        self.with(Field::Opened { name: name.to_owned(), commitment: opening.commitment(name), opening })
    }

    /// With a field whose content is erased, or not shown: what remains of it is the commitment.
    pub fn erased(self, name: &str, commitment: Hash) -> Result<Self, EntryError> {
        self.with(Field::Erased { name: name.to_owned(), commitment })
    }

    fn with(mut self, field: Field) -> Result<Self, EntryError> {
        let name = field.name();
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(good) {
            return Err(EntryError::Name(name.chars().take(MAX_NAME).collect()));
        }
        if self.0.iter().any(|other| other.name() == name) {
            return Err(EntryError::Twice(name.to_owned()));
        }
        if self.0.len() >= MAX_FIELDS {
            return Err(EntryError::Count);
        }
        let (length, most) = match &field {
            Field::Readable { value, .. } => (value.len(), MAX_VALUE),
            Field::Opened { opening, .. } => (opening.content.len(), MAX_CONTENT),
            Field::Erased { .. } => (0, 0),
        };
        if length > most {
            return Err(EntryError::Long { name: name.to_owned(), most });
        }
        self.0.push(field);
        Ok(self)
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.0
    }

    /// The commitment of a field that was committed to: what is kept when its content is erased.
    pub fn commitment(&self, name: &str) -> Option<Hash> {
        self.0.iter().find(|field| field.name() == name).and_then(|field| match field {
            Field::Readable { .. } => None,
            Field::Opened { commitment, .. } | Field::Erased { commitment, .. } => Some(*commitment),
        })
    }

    /// The bytes of the leaf: the same whether contents are shown or erased.
    ///
    /// `"tlog/leaf/1\n"`, the number of fields (1 byte), and for each: the length of its name (1 byte), its name, a 0 or 1,
    /// the length of what follows (4 bytes, highest first), and the value (0) or the commitment (1).
    pub fn leaf(&self) -> Vec<u8> {
        let mut leaf = LEAF.to_vec();
        leaf.extend(u8::try_from(self.0.len()));
        for field in &self.0 {
            let (kind, bytes) = match field {
                Field::Readable { value, .. } => (READABLE, value.as_bytes()),
                Field::Opened { commitment, .. } | Field::Erased { commitment, .. } => (COMMITTED, &commitment.0[..]),
            };
            leaf.extend(u8::try_from(field.name().len()));
            leaf.extend_from_slice(field.name().as_bytes());
            leaf.push(kind);
            leaf.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            leaf.extend_from_slice(bytes);
        }
        leaf
    }

    /// The hash of the leaf: what is appended to the tree.
    pub fn hash(&self) -> Hash {
        Hash::of_leaf(&self.leaf())
    }

    /// That every content which is shown is what the commitment was made to.
    pub fn check_openings(&self) -> Result<(), EntryError> {
        for field in &self.0 {
            if let Field::Opened { name, commitment, opening } = field
                && opening.commitment(name) != *commitment
            {
                return Err(EntryError::Opening(name.clone()));
            }
        }
        Ok(())
    }
}

impl TryFrom<Vec<Field>> for Entry {
    type Error = EntryError;
    fn try_from(fields: Vec<Field>) -> Result<Self, EntryError> {
        if fields.is_empty() {
            return Err(EntryError::Count);
        }
        fields.into_iter().try_fold(Self::new(), Self::with)
    }
}

impl From<Entry> for Vec<Field> {
    fn from(entry: Entry) -> Self {
        entry.0
    }
}
