//! What an authority signed and took back: one JSON file, replaced whole at every change.
//!
//! An entry is written before its certificate is handed out, so no certificate exists that could not be revoked by its
//! serial number. Must not know: keys.

use std::path::Path;

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use crate::files::{self, Readers};
use crate::joining::{Event, Member, Ticket};
use crate::{PkiError, Request, Usage};

/// About 60,000 certificates.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// Ended certificates are forgotten after this.
const KEPT: std::time::Duration = std::time::Duration::from_hours(24 * 90);

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
            life: std::time::Duration::from_secs(self.life_seconds),
        }
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
    pub(crate) fn new(list_life: std::time::Duration) -> Self {
        Self {
            version: 1,
            list_number: 0,
            list_life_seconds: list_life.as_secs(),
            list_made: None,
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
        let Some(text) = files::read_up_to(path, Readers::Everyone, MOST_BYTES)? else { return Ok(None) };
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

    pub(crate) fn write(&mut self, path: &Path, now: Timestamp) -> Result<(), PkiError> {
        self.issued.retain(|entry| now.since(entry.until) <= KEPT);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| PkiError::Crypto { action: "write the index", why: error.to_string() })?;
        files::write(path, &text, Readers::Everyone)
    }

    pub(crate) fn find(&mut self, serial: &str) -> Option<&mut Entry> {
        self.issued.iter_mut().find(|entry| entry.serial == serial)
    }
}
