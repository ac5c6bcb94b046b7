//! A log that nobody alters unseen: its entries are the leaves of a Merkle tree, its head is signed, and others cosign it.
//!
//! Promises: a proof made here is checked by anybody with the log's public key alone, years later, by this crate or by any
//! other that follows the same standards: RFC 6962 section 2.1 (RFC 9162 section 2.1) for the tree with SHA-256, C2SP
//! `signed-note`, `tlog-checkpoint` and `tlog-cosignature` (version 1, Ed25519) for what is signed. Content stands in the tree
//! as salted commitments only, so that it can be erased and every proof still holds.
//!
//! Knows no database, no network and no clock: whoever keeps the tree hands in the stored nodes that are asked for, all at
//! once, and stores those that it gets back.
#![warn(missing_docs)]

mod audit;
mod checkpoint;
mod document;
mod entry;
mod hash;
mod key;
mod note;
mod proof;
mod tree;
mod witness;

pub use audit::{Audited, Finding, Row, Walker};
pub use checkpoint::{Checkpoint, CheckpointError, Cosigned, Opened, Trust, TrustError};
pub use document::{Document, DocumentError, MAX_DOCUMENT, Report, Shown};
pub use entry::{Entry, EntryError, MAX_CONTENT, MAX_FIELDS, MAX_VALUE, Opening, Salt};
pub use hash::{Hash, HashError};
pub use key::{KeyError, KeyKind, SigningKey, VerifierKey};
pub use note::{MAX_NOTE, Note, NoteError, NoteSignature, Signed};
pub use proof::{Head, Plan, Unproven};
pub use tree::{Frontier, MAX_SIZE, Node, NodeId, TreeError};
pub use witness::{Cosignature, Evidence, Refusal, Witness};

/// Serde for a type whose one written form is a text: it gives `FromStr` and `Display`, and is told
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! as_text {
    ($type:ident, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use as_text;
