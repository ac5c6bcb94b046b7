//! How an event looks on its way: `told.SOURCE.SUBJECT`, its numbers in headers, its payload sealed.
//!
//! The source stands in the subject because rights at the broker are rights to subjects: nobody can tell as somebody else.

use async_nats::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::Timestamp;

use crate::{Envelope, OpeningKeys, SealError, Sealer};

/// Everything that is told goes below this.
pub(super) const TOLD: &str = "told";
/// The keeper says below this what it has, by source.
pub(super) const CONFIRM: &str = "confirm";
const VERSION: &str = "2";
const VERSION_HEADER: &str = "Guichet-Version";
const SEQ: &str = "Guichet-Seq";
const AFTER: &str = "Guichet-After";
const ID: &str = "Guichet-Id";
const AT: &str = "Guichet-At";
const KEY: &str = "Guichet-Key";

/// What the keeper says to a source.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct Said {
    /// First of a run of events without a gap.
    pub(super) first: i64,
    /// Last of it.
    pub(super) seq: i64,
    /// The last one's identifier; nothing where something is missing.
    pub(super) id: Option<Uuid>,
    /// The head of the keeper's record after it.
    pub(super) head: String,
}

impl Said {
    /// Whether this says that everything up to `last` is kept.
    pub(super) fn keeps(&self, last: &Envelope) -> bool {
        match self.id {
            Some(id) if self.seq == last.seq => id == last.id,
            Some(_) => self.first <= last.seq && last.seq < self.seq,
            None => false,
        }
    }

    /// Whether this asks for some of the events up to `last` again.
    pub(super) const fn asks(&self, last: &Envelope) -> bool {
        self.id.is_none() && self.seq <= last.seq
    }
}

/// What came of the bytes of one message.
pub(super) struct Received {
    /// The event, its payload in clear.
    pub(super) envelope: Envelope,
    /// The number after which the source counts as unconfirmed.
    pub(super) after: i64,
}

/// Why a message is of no use, and what it claims to be.
pub(super) struct Unusable {
    pub(super) seq: Option<i64>,
    pub(super) after: Option<i64>,
    pub(super) id: Option<Uuid>,
    pub(super) why: String,
    /// Nothing is wrong with it as far as is known: the key is missing here.
    pub(super) locked: bool,
}

/// The subject under which `subject` of `source` travels.
pub(super) fn subject(source: &str, subject: &str) -> String {
    format!("{TOLD}.{source}.{subject}")
}

/// The source in a subject.
pub(super) fn source(subject: &str) -> &str {
    subject.split('.').nth(1).unwrap_or_default()
}

/// Headers and sealed payload.
pub(super) fn close(envelope: &Envelope, after: i64, sealer: &mut Sealer) -> Result<(HeaderMap, Vec<u8>), SealError> {
    let sealed = sealer.seal(envelope)?;
    let mut headers = HeaderMap::new();
    headers.insert(VERSION_HEADER, VERSION);
    headers.insert(SEQ, envelope.seq.to_string());
    headers.insert(AFTER, after.to_string());
    headers.insert(ID, envelope.id.to_string());
    headers.insert(AT, envelope.at.micros().to_string());
    headers.insert(KEY, sealer.id().as_str());
    Ok((headers, sealed))
}

/// The other way.
pub(super) fn open(
    subject: &str,
    headers: Option<&HeaderMap>,
    payload: &[u8],
    keys: &OpeningKeys,
) -> Result<Received, Unusable> {
    let header = |name: &str| headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
    let number = |name: &str| header(name).and_then(|text| text.parse::<i64>().ok());
    let (seq, id) = (number(SEQ).filter(|seq| *seq > 0), header(ID).and_then(|text| text.parse::<Uuid>().ok()));
    let after = number(AFTER);
    let unusable = |why: String| Unusable { seq, after, id, why, locked: false };
    if header(VERSION_HEADER) != Some(VERSION) {
        return Err(unusable("it is of no version that is known here".into()));
    }
    let mut parts = subject.splitn(3, '.');
    let (Some(TOLD), Some(source), Some(about)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(unusable("its subject has no source".into()));
    };
    let (Some(number_), Some(after), Some(id), Some(at), Some(key)) = (seq, after, id, number(AT), header(KEY)) else {
        return Err(unusable("its headers are not those of an event".into()));
    };
    let mut envelope = Envelope {
        id,
        source: source.to_owned(),
        seq: number_,
        subject: about.to_owned(),
        payload: String::new(),
        at: Timestamp::from_micros(at),
    };
    envelope.payload = keys.open(key, &envelope, payload).map_err(|error| Unusable {
        locked: matches!(error, SealError::UnknownKey(_)),
        ..unusable(error.to_string())
    })?;
    Ok(Received { envelope, after })
}
