//! A proof that fits in a file: an entry, where it stands, and the signed checkpoint that says so.
//!
//! Whoever has the file and the public keys checks it without any server. What can be told apart is: what fails names the part
//! that was altered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entry::Field;
use crate::{CheckpointError, Cosigned, Entry, EntryError, Hash, Trust, Unproven};

/// Longest proof document, in bytes.
pub const MAX_DOCUMENT: usize = 32 * 1024 * 1024;
const FORMAT: &str = "tlog-proof/1";
/// Longest path of a tree.
const MAX_PATH: usize = 63;

/// The proof of one entry, as `proof.json` holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    format: String,
    /// The entry, its contents shown or erased.
    pub entry: Entry,
    /// Its leaf's hash. Follows from the entry, and is never believed: it tells what of the proof was altered.
    pub leaf: Hash,
    /// Where in the log it stands.
    pub index: u64,
    /// The inclusion proof (RFC 6962 section 2.1.1).
    pub path: Vec<Hash>,
    /// The note of a checkpoint that covers it (C2SP `tlog-checkpoint`), with its cosignatures.
    pub checkpoint: String,
}

/// Why a proof does not hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DocumentError {
    /// Longer than [`MAX_DOCUMENT`], or a longer path than any tree has.
    #[error("the proof is longer than any proof may be ({MAX_DOCUMENT} bytes)")]
    Long,
    /// Not such a document.
    #[error("this is no proof that can be read: {0}")]
    Form(String),
    /// Of another version.
    #[error(
        "the proof is written in the format {0:?}; this program reads {FORMAT:?}. Use one of the same time as the proof"
    )]
    Format(String),
    /// The checkpoint is not to be believed.
    #[error("the proof's checkpoint does not hold: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A content was altered.
    #[error("{0}")]
    Content(EntryError),
    /// A readable field or a commitment was altered.
    #[error("the entry was altered: its readable fields and commitments are not those that the log holds at {index}")]
    Entry {
        /// Where it is said to stand.
        index: u64,
    },
    /// The index or the path was altered.
    #[error("the entry's place was altered: {why} (index {index}, {size} entries in the log)")]
    Place {
        /// Where it is said to stand.
        index: u64,
        /// Of the log.
        size: u64,
        /// What is wrong.
        why: Unproven,
    },
}

impl Document {
    /// The proof that `entry` stands at `index` in the tree of that checkpoint.
    pub fn new(entry: Entry, index: u64, path: Vec<Hash>, checkpoint: String) -> Self {
        Self { format: FORMAT.to_owned(), leaf: entry.hash(), entry, index, path, checkpoint }
    }

    /// Reads a proof, strictly: unknown members are refused.
    pub fn read(json: &str) -> Result<Self, DocumentError> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
        }
        if json.len() > MAX_DOCUMENT {
            return Err(DocumentError::Long);
        }
        let form = |error: serde_json::Error| DocumentError::Form(error.to_string());
        let Version { format } = serde_json::from_str(json).map_err(form)?;
        if format != FORMAT {
            return Err(DocumentError::Format(format.chars().take(40).collect()));
        }
        let document: Self = serde_json::from_str(json).map_err(form)?;
        if document.path.len() > MAX_PATH { Err(DocumentError::Long) } else { Ok(document) }
    }

    /// The proof as JSON, for a file.
    pub fn to_json(&self) -> Result<String, DocumentError> {
        serde_json::to_string_pretty(self).map_err(|error| DocumentError::Form(error.to_string()))
    }

    /// Checks everything, and tells what is proven.
    pub fn check(&self, trust: &Trust) -> Result<Report<'_>, DocumentError> {
        let opened = trust.open(&self.checkpoint)?;
        self.entry.check_openings().map_err(DocumentError::Content)?;
        let head = opened.checkpoint.head;
        let index = self.index;
        let leaf = self.entry.hash();
        head.check_inclusion(leaf, index, &self.path).map_err(|why| {
            let said_so = head.check_inclusion(self.leaf, index, &self.path).is_ok();
            if said_so { DocumentError::Entry { index } } else { DocumentError::Place { index, size: head.size, why } }
        })?;
        let fields = self.entry.fields().iter().map(|field| (field.name(), shown(field))).collect();
        let (origin, cosigned) = (opened.checkpoint.origin, opened.cosigned);
        Ok(Report { origin, size: head.size, root: head.root, index, cosigned, fields })
    }
}

fn shown(field: &Field) -> Shown<'_> {
    match field {
        Field::Readable { value, .. } => Shown::Readable(value),
        Field::Opened { opening, .. } => Shown::Opened(&opening.content),
        Field::Erased { .. } => Shown::Erased,
    }
}

/// A field of a proven entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown<'a> {
    /// It stands in the log as it is.
    Readable(&'a str),
    /// The log holds a commitment to exactly this.
    Opened(&'a str),
    /// The log holds a commitment; the content was erased or is not shown.
    Erased,
}

/// What a proof proves. Displayed, it tells a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report<'a> {
    /// The log.
    pub origin: String,
    /// How many entries its checkpoint covers.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Where the entry stands.
    pub index: u64,
    /// Which witnesses vouch for the checkpoint, and since when.
    pub cosigned: Vec<Cosigned>,
    /// The entry's fields, by name.
    pub fields: Vec<(&'a str, Shown<'a>)>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "The entry stands unaltered at {} in the log {}, of {} entries.",
            self.index, self.origin, self.size
        )?;
        for Cosigned { witness, at } in &self.cosigned {
            writeln!(f, "Cosigned by {witness} at {at}.")?;
        }
        for (name, shown) in &self.fields {
            match shown {
                // One line for each field: a content cannot pass for another.
                Shown::Readable(value) => writeln!(f, "  {name}: {value:?}")?,
                Shown::Opened(content) => writeln!(f, "  {name}: {content:?} (fits its commitment)")?,
                Shown::Erased => writeln!(f, "  {name}: erased, or not shown")?,
            }
        }
        Ok(())
    }
}
