//! The signed head of a log (C2SP `tlog-checkpoint`), and whose signatures make it believed.

use std::fmt;
use std::str::FromStr;

use vocabulary::Timestamp;

use crate::key::{KeyName, is_name};
use crate::{Hash, Head, KeyKind, MAX_SIZE, Note, NoteError, NoteSignature, SigningKey, VerifierKey};

/// What a log says of itself at one moment. The text of the note that carries it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How large, and the root.
    pub head: Head,
}

/// A checkpoint is not to be believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The note cannot be read, or a signature on it is wrong.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// Signed by others only.
    #[error(
        "the checkpoint is signed by {found}, not by the log's key {expected}: it is another log's, or its history was written anew under another key"
    )]
    Stranger {
        /// The key that is trusted, as name+id.
        expected: String,
        /// Those that signed, as name+id.
        found: String,
    },
    /// The text is no checkpoint.
    #[error(
        "a checkpoint's text is three lines: the log's name, its size without leading zeros, and its root in base64; this one is not"
    )]
    Form,
    /// Another log's name above the trusted log's signature.
    #[error("the checkpoint is of the log {found:?}, not of {expected:?}")]
    Origin {
        /// The trusted log.
        expected: String,
        /// On the first line.
        found: String,
    },
    /// Not cosigned by enough witnesses.
    #[error("{have} of the {required} required witnesses cosigned the checkpoint; missing: {missing}")]
    Cosignatures {
        /// How many did.
        have: usize,
        /// How many must.
        required: usize,
        /// Those known that did not.
        missing: String,
    },
    /// The key cannot sign this.
    #[error("the key {0} cannot sign it: checkpoints are signed by the key of their log, and cosigned by a witness's")]
    Key(String),
}

impl Checkpoint {
    /// Signs it, with the key of the log whose name it bears.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, CheckpointError> {
        let public = key.verifier();
        if public.kind() != KeyKind::Log || public.name() != self.origin {
            return Err(CheckpointError::Key(KeyName(public.name(), public.id()).to_string()));
        }
        Ok(Note::sign(self.to_string(), key)?)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.head.size, self.head.root)
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;
    /// Strict: extension lines, which nobody could audit, are refused.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let written = size.parse().ok().filter(|number: &u64| number.to_string() == size)?;
            let head = Head { size: written, root: root.parse().ok()? };
            let empty = head.size > 0 || head.root == Hash::of_nothing();
            let good = lines.next().is_none() && is_name(origin) && head.size <= MAX_SIZE && empty;
            good.then(|| Self { origin: origin.to_owned(), head })
        };
        read().ok_or(CheckpointError::Form)
    }
}

/// Whose signatures are believed: the log's, and how many of which witnesses'.
#[derive(Clone, Debug)]
pub struct Trust {
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
    required: usize,
}

/// The keys make no sense together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrustError {
    /// A witness's key as the log's, or the other way round.
    #[error(
        "the key {0} is of the wrong kind: a log's key begins with A (kind 1) after its id, a witness's with B (kind 4)"
    )]
    Kind(String),
    /// One key in two places.
    #[error(
        "the key {0} is given twice: the log and each witness have keys of their own, or one of them vouches for itself"
    )]
    Twice(String),
    /// More cosignatures than witnesses.
    #[error("{required} cosignatures are required, but only {known} witnesses are known")]
    TooMany {
        /// Asked for.
        required: usize,
        /// Given.
        known: usize,
    },
}

impl Trust {
    /// Trusts checkpoints of `log` that at least `required` of the `witnesses` cosigned.
    pub fn new(log: VerifierKey, witnesses: Vec<VerifierKey>, required: usize) -> Result<Self, TrustError> {
        let told = |key: &VerifierKey| KeyName(key.name(), key.id()).to_string();
        let kinds = witnesses.iter().map(|key| (key, KeyKind::Witness)).chain([(&log, KeyKind::Log)]);
        for (key, kind) in kinds {
            if key.kind() != kind {
                return Err(TrustError::Kind(told(key)));
            }
        }
        for (n, key) in witnesses.iter().enumerate() {
            if key.same_bytes(&log) || witnesses.iter().take(n).any(|other| other.same_bytes(key)) {
                return Err(TrustError::Twice(told(key)));
            }
        }
        if required > witnesses.len() {
            return Err(TrustError::TooMany { required, known: witnesses.len() });
        }
        Ok(Self { log, witnesses, required })
    }

    /// Reads a checkpoint's note and gives what it says, if its signatures are those that are trusted.
    pub fn open(&self, note: &str) -> Result<Opened, CheckpointError> {
        let note: Note = note.parse()?;
        let told = |key: &VerifierKey| KeyName(key.name(), key.id()).to_string();
        if note.signed_by(&self.log)?.is_none() {
            let found = note.signatures().iter().map(NoteSignature::signer).collect::<Vec<_>>().join(", ");
            return Err(CheckpointError::Stranger { expected: told(&self.log), found });
        }
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.origin != self.log.name() {
            let expected = self.log.name().to_owned();
            return Err(CheckpointError::Origin { expected, found: checkpoint.origin });
        }
        let (mut cosigned, mut missing) = (Vec::new(), Vec::new());
        for witness in &self.witnesses {
            match note.signed_by(witness)?.and_then(|signed| signed.at) {
                Some(at) => cosigned.push(Cosigned { witness: witness.name().to_owned(), at }),
                None => missing.push(told(witness)),
            }
        }
        if cosigned.len() < self.required {
            let (have, required, missing) = (cosigned.len(), self.required, missing.join(", "));
            return Err(CheckpointError::Cosignatures { have, required, missing });
        }
        Ok(Opened { checkpoint, cosigned, note })
    }
}

/// That a witness cosigned a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosigned {
    /// The name of its key.
    pub witness: String,
    /// When, by the witness's clock.
    pub at: Timestamp,
}

/// A checkpoint that is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The known witnesses that cosigned it.
    pub cosigned: Vec<Cosigned>,
    /// The note that it came in.
    pub note: Note,
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Chance;

    /// A key that was made to sign another log's text vouches for nothing of its own.
    #[test]
    fn a_good_signature_under_another_logs_name_is_refused() {
        let key = SigningKey::generate("log.example/a", KeyKind::Log, &Chance::seeded(1)).unwrap();
        let head = Head { size: 0, root: Hash::of_nothing() };
        let text = Checkpoint { origin: "log.example/b".to_owned(), head }.to_string();
        let note = Note::sign(text, &key).unwrap().to_string();
        let (expected, found) = ("log.example/a".to_owned(), "log.example/b".to_owned());
        let trust = Trust::new(key.verifier().clone(), Vec::new(), 0).unwrap();
        assert_eq!(trust.open(&note), Err(CheckpointError::Origin { expected, found }));
        // Nor for what is no checkpoint.
        let note = Note::sign("log.example/a\n".to_owned(), &key).unwrap().to_string();
        assert_eq!(trust.open(&note), Err(CheckpointError::Form));
    }
}
