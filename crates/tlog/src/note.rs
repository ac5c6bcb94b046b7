//! Signed notes (C2SP `signed-note`): a text, a blank line, and one line for each signature.
//!
//! What is read is written again byte for byte. Nothing of a note may be believed before a signature of a known key was
//! checked; signatures of unknown keys are carried along and believed by nobody.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use vocabulary::Timestamp;

use crate::key::{KeyName, is_name};
use crate::{KeyKind, SigningKey, VerifierKey};

/// Longest note, in bytes: room for sixteen signatures of the largest kind there is, and more.
pub const MAX_NOTE: usize = 128 * 1024;
/// Most signatures on a note.
const MAX_SIGNATURES: usize = 64;
const SIGNATURE: usize = 64;

/// The text is no signed note, or one whose signature is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE`], or with too many signatures.
    #[error("a signed note has at most {MAX_NOTE} bytes and {MAX_SIGNATURES} signatures")]
    Long,
    /// The text cannot be signed.
    #[error("a note's text ends with a line break and has no other control character")]
    Text,
    /// No blank line with signatures after it.
    #[error(
        "a signed note is a text, a blank line and its signatures, each on a line of its own; this one was not copied whole"
    )]
    Form,
    /// A line after the blank one that is no signature.
    #[error("the signature line {0:?} cannot be read: an em dash, a name and base64, with one space between")]
    Line(String),
    /// A known key did not sign that text.
    #[error("the signature of {0} does not fit: the signed text or the signature was altered")]
    Signature(String),
}

/// One signature of a note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSignature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// Who signed, and the key's id: `name+id`. Says nothing before the signature is checked.
    pub fn signer(&self) -> String {
        KeyName(&self.name, self.id).to_string()
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

/// As a line of a note, without the line break.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.bytes].concat();
        write!(f, "— {} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let read = || {
            let (name, base64) = line.strip_prefix("— ")?.split_once(' ')?;
            let bytes = BASE64_STANDARD.decode(base64).ok()?;
            let (id, signature) = bytes.split_first_chunk::<4>()?;
            let good = is_name(name) && !signature.is_empty();
            good.then(|| Self { name: name.to_owned(), id: *id, bytes: signature.to_vec() })
        };
        read().ok_or_else(|| NoteError::Line(line.chars().take(80).collect()))
    }
}

/// That a key signed a note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    /// When, where the kind of signature says so.
    pub at: Option<Timestamp>,
}

/// A text with signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Signs `text` with the key of a log, and gives the note. A witness's key signs checkpoints only.
    pub(crate) fn sign(text: String, key: &SigningKey) -> Result<Self, NoteError> {
        if !text.ends_with('\n') || has_control(&text) {
            return Err(NoteError::Text);
        }
        if text.len() > MAX_NOTE / 2 {
            return Err(NoteError::Long);
        }
        let bytes = key.sign(text.as_bytes());
        let public = key.verifier();
        let signature = NoteSignature { name: public.name().to_owned(), id: public.id(), bytes };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// The signature of a witness over this text and the time (C2SP `tlog-cosignature`, "Ed25519 signed message").
    pub(crate) fn cosignature(&self, key: &SigningKey, now: Timestamp) -> NoteSignature {
        let time = u64::try_from(now.seconds()).unwrap_or(0);
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend(key.sign(cosigned(time, &self.text).as_bytes()));
        NoteSignature { name: key.verifier().name().to_owned(), id: key.verifier().id(), bytes }
    }

    /// What is signed. Believe it only after [`Note::signed_by`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, checked or not.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// With one more signature, where it is not there yet.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        let length = self.to_string().len() + signature.to_string().len();
        if self.signatures.len() >= MAX_SIGNATURES || length >= MAX_NOTE {
            return Err(NoteError::Long);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Whether `key` signed this text; `None` where no signature claims to be its. One that claims to be and is not makes
    /// the whole note worthless.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<Option<Signed>, NoteError> {
        let mut found = None;
        for signature in self.signatures.iter().filter(|signature| signature.is_by(key)) {
            let signed = self.check(key, &signature.bytes).ok_or_else(|| NoteError::Signature(signature.signer()))?;
            found = found.max(Some(signed.at));
        }
        Ok(found.map(|at| Signed { at }))
    }

    fn check(&self, key: &VerifierKey, bytes: &[u8]) -> Option<Signed> {
        match key.kind() {
            KeyKind::Log => key.verify(self.text.as_bytes(), bytes).then_some(Signed { at: None }),
            KeyKind::Witness => {
                let (time, signature) = bytes.split_first_chunk::<8>().filter(|(_, rest)| rest.len() == SIGNATURE)?;
                let time = u64::from_be_bytes(*time);
                let seconds = i64::try_from(time).ok()?;
                let good = key.verify(cosigned(time, &self.text).as_bytes(), signature);
                good.then(|| Signed { at: Some(Timestamp::from_seconds(seconds)) })
            }
        }
    }
}

/// What a witness signs.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c < ' ' && c != '\n')
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for Note {
    type Err = NoteError;
    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Long);
        }
        if has_control(note) {
            return Err(NoteError::Text);
        }
        // The last blank line ends the text; its own line break belongs to it.
        let blank = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = note.split_at(blank + 1);
        let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n')).ok_or(NoteError::Form)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Long);
        }
        let signatures = lines.split('\n').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ed25519 has one signature for a key and a text: what is signed here is what Go's `sumdb/note` gives as an example.
    #[test]
    fn the_same_key_signs_as_go_does() {
        let key: SigningKey =
            "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz".parse().unwrap();
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        assert_eq!(Note::sign(text.to_owned(), &key).unwrap().to_string(), format!("{text}\n{line}\n"));
        for bad in ["", "no line break", "a\ttab\n", "a\r\n"] {
            assert_eq!(Note::sign(bad.to_owned(), &key), Err(NoteError::Text), "{bad:?}");
        }
    }

    /// The example of C2SP `tlog-cosignature`: what is signed, and where the time stands.
    #[test]
    fn a_witness_signs_the_time_and_the_checkpoint() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(cosigned(1_679_315_147, text), format!("cosignature/v1\ntime 1679315147\n{text}"));
        let line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let signature: NoteSignature = line.parse().unwrap();
        assert_eq!(signature.bytes[..8], 1_679_315_147_u64.to_be_bytes());
        assert_eq!(signature.bytes.len(), 8 + SIGNATURE);
        // Made here, it has the same parts, and the time under the signature is the one that is told.
        let key = SigningKey::generate("w", KeyKind::Witness, &vocabulary::Chance::seeded(1)).unwrap();
        let mut note = Note { text: text.to_owned(), signatures: Vec::new() };
        let mut made = note.cosignature(&key, Timestamp::from_seconds(1_679_315_147));
        assert_eq!(made.bytes[..8], signature.bytes[..8]);
        note.add(made.clone()).unwrap();
        assert_eq!(
            note.signed_by(key.verifier()),
            Ok(Some(Signed { at: Some(Timestamp::from_seconds(1_679_315_147)) }))
        );
        made.bytes[7] ^= 1;
        assert!(Note { signatures: vec![made], ..note }.signed_by(key.verifier()).is_err());
    }
}
