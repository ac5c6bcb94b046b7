//! What an authority signed and took back: one JSON file, replaced whole at every change.
//!
//! An entry is written before its certificate is handed out, so no certificate exists that could not be revoked by its
//! serial number. Must not know: keys.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use crate::files::{self, Readers};
use crate::joining::Ticket;
use crate::{Event, Member, PkiError, Request, Usage};

/// Longest file that is read, so none longer is ever written.
pub(crate) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Longest file with something new in it, some 25,000 certificates. The rest is for taking them all back.
pub(crate) const MOST_BYTES_TO_SIGN: usize = MOST_BYTES / 2;
/// How long after its end a certificate is remembered, to be renewed by hand: for two of its lives, between these.
const KEPT: (Duration, Duration) = (Duration::from_hours(1), Duration::from_hours(24 * 90));

/// Why a certificate was taken back, as revocation lists know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody says.
    #[default]
    Unspecified,
    /// Somebody else may have its key.
    KeyCompromise,
    /// It was replaced.
    Superseded,
    /// What it was for has ended.
    CessationOfOperation,
    /// Its owner moved on.
    AffiliationChanged,
    /// Its owner may no longer.
    PrivilegeWithdrawn,
}

/// A certificate was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// One certificate that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// The subject's common name.
    pub common_name: String,
    /// Its DNS names and addresses.
    pub names: Vec<String>,
    /// What it is good for.
    pub usage: Usage,
    /// How long a life was asked for, in seconds.
    pub life_seconds: u64,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// For which member it was signed; nothing where it was signed by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The serial number of the certificate with which the process joined that renewed itself until it had this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

impl Entry {
    /// What was asked for it, to ask the same again.
    pub fn request(&self) -> Request {
        Request {
            names: self.names.clone(),
            common_name: self.common_name.clone(),
            usage: self.usage,
            life: Duration::from_secs(self.life_seconds),
        }
    }

    /// Whether it was signed for this member; older entries say it by the common name alone.
    pub(crate) fn is_of(&self, member: &str) -> bool {
        self.member.as_ref().unwrap_or(&self.common_name) == member
    }

    /// By what those belong together that one process has had, each renewed by the one before.
    pub(crate) fn line(&self) -> &str {
        self.line.as_ref().unwrap_or(&self.serial)
    }

    /// How long after its end it is remembered. What was taken back stays at least until every list has ended that was
    /// made before.
    fn kept(&self, life_of_list: Duration) -> Duration {
        let own = Duration::from_secs(self.life_seconds.saturating_mul(2)).clamp(KEPT.0, KEPT.1);
        if self.revoked.is_some() { own.max(life_of_list) } else { own }
    }
}

/// An intermediate that the root took back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokedIntermediate {
    pub(crate) serial: String,
    pub(crate) revoked: Revoked,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    /// Of the shape of this file.
    version: u8,
    /// The number of the last revocation list.
    pub(crate) list_number: u64,
    /// How long a revocation list is good for, in seconds.
    pub(crate) list_life_seconds: u64,
    /// When the last list was made.
    #[serde(default)]
    pub(crate) list_made: Option<Timestamp>,
    /// The serial number of the intermediate that is being replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replacing: Option<String>,
    /// The number of the root's last list.
    #[serde(default)]
    pub(crate) root_list_number: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) revoked_intermediates: Vec<RevokedIntermediate>,
    pub(crate) issued: Vec<Entry>,
    /// Who has certificates over the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<Member>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tickets: Vec<Ticket>,
    /// What was not told to the journal yet, and the number of the newest event ever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<Event>,
    #[serde(default)]
    pub(crate) last_event: i64,
}

impl Index {
    pub(crate) fn new(list_life: Duration) -> Self {
        Self {
            version: 1,
            list_number: 0,
            list_life_seconds: list_life.as_secs(),
            list_made: None,
            replacing: None,
            root_list_number: 0,
            revoked_intermediates: Vec::new(),
            issued: Vec::new(),
            members: Vec::new(),
            tickets: Vec::new(),
            events: Vec::new(),
            last_event: 0,
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Option<Self>, PkiError> {
        let Some(text) = files::read_up_to(path, Readers::Everyone, MOST_BYTES as u64)? else { return Ok(None) };
        let damaged = |why: String| PkiError::Damaged {
            path: path.into(),
            why,
            remedy: "Restore it from a backup: without it nobody knows what was signed and revoked".into(),
        };
        let index: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        match index.version {
            1 => Ok(Some(index)),
            version => Err(damaged(format!("it has the version {version}, which this program does not know"))),
        }
    }

    /// Refused, and the file left as it is, where it would have more than `most` bytes.
    pub(crate) fn write(&mut self, path: &Path, most: usize, now: Timestamp) -> Result<(), PkiError> {
        let life_of_list = Duration::from_secs(self.list_life_seconds);
        self.issued.retain(|entry| now.since(entry.until) <= entry.kept(life_of_list));
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| PkiError::Crypto { action: "write the index", why: error.to_string() })?;
        if text.len() > most {
            return Err(PkiError::Refused(format!(
                "{} would have more than {} MiB: {} certificates live or ended lately, and are remembered to be taken back. \
                 Certificates are forgotten two lives after their end: wait for that, and sign fewer, with longer lives",
                path.display(),
                most >> 20,
                self.issued.len()
            )));
        }
        files::write(path, &text, Readers::Everyone)
    }

    pub(crate) fn find(&mut self, serial: &str) -> Option<&mut Entry> {
        self.issued.iter_mut().find(|entry| entry.serial == serial)
    }
}
