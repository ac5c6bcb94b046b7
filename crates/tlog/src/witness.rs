//! A witness: another process with a key of its own, that cosigns only what extends what it cosigned before.
//!
//! It remembers one note per log, the last that it cosigned, and nothing else (C2SP `tlog-witness`). Whoever runs it reads that
//! note, asks for the cosignature and stores the new note in one step, and hands the cosignature out only then.

use vocabulary::Timestamp;

use crate::key::KeyName;
use crate::{
    CheckpointError, Hash, Head, KeyKind, Note, NoteError, NoteSignature, Opened, SigningKey, Trust, TrustError,
    Unproven, VerifierKey,
};

/// Cosigns the checkpoints of one log.
#[derive(Debug)]
pub struct Witness {
    key: SigningKey,
    trust: Trust,
}

/// What a witness gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosignature {
    /// For the log, to add to its note.
    pub signature: NoteSignature,
    /// For the witness, to remember in place of the last: the log's checkpoint with this cosignature.
    pub note: Note,
}

/// Two notes that one log signed, for whoever has to judge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// What the witness cosigned last.
    pub before: String,
    /// What was asked of it now.
    pub now: String,
}

/// Why a witness does not cosign.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The offered checkpoint is not the log's.
    #[error("the offered checkpoint cannot be believed: {0}")]
    Offered(CheckpointError),
    /// What the witness remembers is not what it stored.
    #[error("the checkpoint that the witness remembers cannot be believed, so nothing is cosigned: {0}")]
    Remembered(CheckpointError),
    /// A smaller tree than before.
    #[error(
        "the log was cosigned with {before} entries and is now offered with {now}: it was cut, or set back to an older state"
    )]
    Smaller {
        /// Entries then.
        before: u64,
        /// Entries now.
        now: u64,
        /// Both notes.
        evidence: Box<Evidence>,
    },
    /// Two roots at the same size, both signed: the log shows two histories.
    #[error(
        "the log signed two different histories of {size} entries: at least one entry was altered. Keep both notes, they prove it"
    )]
    Forked {
        /// Of both.
        size: u64,
        /// Both notes.
        evidence: Box<Evidence>,
    },
    /// No proof that the new tree extends the old one.
    #[error(
        "nothing proves that the log of {now} entries begins with the {before} that were cosigned ({why}): its history was rewritten, or a wrong proof was sent"
    )]
    Inconsistent {
        /// Entries then.
        before: u64,
        /// Entries now.
        now: u64,
        /// What is wrong with the proof.
        why: Unproven,
        /// Both notes.
        evidence: Box<Evidence>,
    },
    /// The note has no room for one more signature.
    #[error(transparent)]
    Note(NoteError),
}

impl Refusal {
    /// The two notes that contradict each other, where there are two.
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Smaller { evidence, .. } | Self::Forked { evidence, .. } | Self::Inconsistent { evidence, .. } => {
                Some(evidence)
            }
            Self::Offered(_) | Self::Remembered(_) | Self::Note(_) => None,
        }
    }
}

impl Witness {
    /// With its own key, for the log with that public key.
    pub fn new(key: SigningKey, log: VerifierKey) -> Result<Self, TrustError> {
        let public = key.verifier().clone();
        if public.kind() != KeyKind::Witness {
            return Err(TrustError::Kind(KeyName(public.name(), public.id()).to_string()));
        }
        // The witness is named among the trusted so that its key cannot be the log's; nobody's cosignature is required.
        Ok(Self { key, trust: Trust::new(log, vec![public], 0)? })
    }

    /// How many entries the remembered note has: the size from which the log has to prove that it goes on.
    pub fn size(&self, last: Option<&str>) -> Result<u64, Refusal> {
        self.last(last).map(|last| last.map_or(0, |last| last.checkpoint.head.size))
    }

    /// Cosigns `offered`, if it extends `last` by the consistency proof `path`. The first checkpoint of all is taken as it is.
    pub fn cosign(
        &self,
        last: Option<&str>,
        offered: &str,
        path: &[Hash],
        now: Timestamp,
    ) -> Result<Cosignature, Refusal> {
        let before = self.last(last)?;
        let offered = self.trust.open(offered).map_err(Refusal::Offered)?;
        let head = offered.checkpoint.head;
        let old = before.as_ref().map_or(Head { size: 0, root: Hash::of_nothing() }, |it| it.checkpoint.head);
        head.check_extends(&old, path).map_err(|why| refusal(why, before.as_ref(), &offered, old))?;
        let signature = offered.note.cosignature(&self.key, now);
        let mut note = offered.note;
        note.add(signature.clone()).map_err(Refusal::Note)?;
        Ok(Cosignature { signature, note })
    }

    fn last(&self, last: Option<&str>) -> Result<Option<Opened>, Refusal> {
        last.map(|note| self.trust.open(note)).transpose().map_err(Refusal::Remembered)
    }
}

fn refusal(why: Unproven, before: Option<&Opened>, offered: &Opened, old: Head) -> Refusal {
    let new = offered.checkpoint.head;
    let before_note = before.map(|opened| opened.note.to_string()).unwrap_or_default();
    let evidence = Box::new(Evidence { before: before_note, now: offered.note.to_string() });
    match why {
        Unproven::Shrunk { old, new } => Refusal::Smaller { before: old, now: new, evidence },
        Unproven::Root if new.size == old.size => Refusal::Forked { size: new.size, evidence },
        why => Refusal::Inconsistent { before: old.size, now: new.size, why, evidence },
    }
}
