//! What an authority did and refused, kept until whoever writes the journal has it.
//!
//! Promises: an event and what it tells of are one change of the index; what is there grows to a limit and no further, and
//! what strangers cause never pushes out what was done. Must not know: how the journal is reached.

use serde::{Deserialize, Serialize};
use vocabulary::{Chance, Clock, EventId, Timestamp};

use crate::{Folder, PkiError};

/// Events that nobody fetches: of more, refusals are forgotten first, then the oldest.
const MOST: usize = 10_000;

/// Something that the authority did or refused, for the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// 1, 2, 3…
    pub seq: i64,
    /// Identifies it.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
    /// The common name it is about.
    pub name: String,
    /// The serial number of the certificate, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Why, or for what names.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// See [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A token was made.
    Invited,
    /// A certificate was signed.
    Issued,
    /// A certificate was taken back.
    Revoked,
    /// A service was sent away.
    Dismissed,
    /// A token was refused that is known: used before, late, or for another service. Noted once for each reason.
    Refused,
}

impl Folder {
    /// The oldest events that were not told yet, at most so many.
    pub fn untold(&self, most: usize) -> &[Event] {
        self.index.events.get(..most.min(self.index.events.len())).unwrap_or_default()
    }

    /// Everything up to this number was told, and is forgotten here.
    pub fn told(&mut self, up_to: i64, clock: &Clock) -> Result<(), PkiError> {
        self.index.events.retain(|event| event.seq > up_to);
        self.write_index(clock)
    }

    /// Notes an event, where somebody will fetch it: an authority without members has no journal.
    pub(crate) fn record(
        &mut self,
        deed: Deed,
        name: &str,
        serial: Option<&str>,
        detail: String,
        clock: &Clock,
        chance: &Chance,
    ) {
        if self.index.members.is_empty() {
            return;
        }
        let events = &mut self.index.events;
        if events.len() >= MOST {
            match events.iter().position(|event| event.deed == Deed::Refused) {
                Some(refusal) => drop(events.remove(refusal)),
                None if deed == Deed::Refused => return,
                None => drop(events.remove(0)),
            }
        }
        let (at, seq) = (clock.now(), self.index.last_event.saturating_add(1));
        self.index.last_event = seq;
        self.index.events.push(Event {
            seq,
            id: EventId::new(clock, chance),
            at,
            deed,
            name: name.to_owned(),
            serial: serial.map(ToOwned::to_owned),
            detail,
        });
    }
}
