//! Closes events so that only the journal reads them, whoever carries or keeps them on the way.
//!
//! Events that go together share a key of their own, made for them and forgotten, which goes with each of them, closed for the
//! journal with HPKE (RFC 9180, base mode: X25519, HKDF-SHA256, AES-256-GCM); each is closed with it by AES-256-GCM. Who the
//! event is from, its number, subject, identifier and time are not hidden, and are bound to it: changed on the way, it does not
//! open. Promises nothing about who closed it, since anybody has the public key: that is for the rights at the broker. Keys
//! rotate: an event names the key that closed it, and whoever opens holds several.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use pki::files::{self, Readers};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use sha2::{Digest, Sha256};
use vocabulary::Chance;
use zeroize::Zeroizing;

use crate::Envelope;

/// What the key is for: a key of this kind opens nothing that was closed for another purpose.
const PURPOSE: &[u8] = b"guichet events, version 2";
/// Bytes of an X25519 key, public or private, of the encapsulated secret, and of the key that events share.
const KEY: usize = 32;
/// What comes before the event itself: the encapsulated secret, the shared key with its tag, and which event of the key's it is.
const SHARED: usize = KEY + KEY + 16;
const COUNT: usize = 4;
/// Shared keys that whoever opens remembers: as many as sources have deliveries on their way.
const REMEMBERED: usize = 16;
const PUBLIC: &str = "GUICHET EVENT PUBLIC KEY";
const PRIVATE: &str = "GUICHET EVENT PRIVATE KEY";

/// Why events cannot be closed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A key file could not be read or written.
    #[error(transparent)]
    File(#[from] pki::PkiError),
    /// The text is not a key of this kind.
    #[error("this is not {0}: it should begin with `-----BEGIN {0}-----`, whole and unaltered")]
    NoKey(&'static str),
    /// An event was closed with a key that is not among ours.
    #[error("the event was sealed with the key {0}, which is not among the journal's keys")]
    UnknownKey(String),
    /// An event does not open: damaged, altered, or sealed for another place.
    #[error("the event does not open: it was altered, or sealed as another event")]
    Altered,
    /// The library refused.
    #[error("cannot {0}")]
    Crypto(&'static str),
}

/// Names a key: the beginning of the SHA-256 of its public half, in hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeyId(String);

impl KeyId {
    fn of(public: &[u8]) -> Self {
        let digest = Sha256::digest(public);
        Self(hex::encode(digest.get(..8).unwrap_or_default()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public half: closes events. Every source has it; it is no secret, but a false one would let a stranger read.
#[derive(Clone, Debug)]
pub struct SealingKey {
    id: KeyId,
    public: HpkePublicKey,
}

impl SealingKey {
    fn new(public: &[u8]) -> Self {
        Self { id: KeyId::of(public), public: HpkePublicKey(public.to_vec()) }
    }

    /// From the text that [`SealingKey::pem`] gave.
    pub fn from_pem(text: &str) -> Result<Self, SealError> {
        Ok(Self::new(&contents(text, PUBLIC, KEY)?))
    }

    /// As text, for the sources.
    pub fn pem(&self) -> String {
        pem::encode(&pem::Pem::new(PUBLIC, self.public.0.clone()))
    }

    /// Its name.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// Closes events that go together: they share a key, and open one by one all the same.
    pub fn sealer(&self, chance: &Chance) -> Result<Sealer, SealError> {
        let bytes = Zeroizing::new(chance.bytes::<KEY>());
        let key = shared(bytes.as_slice())?;
        let sealed = SUITE.seal(PURPOSE, self.id.0.as_bytes(), bytes.as_slice(), &self.public);
        let (EncapsulatedSecret(mut head), closed) = sealed.map_err(|_| SealError::Crypto("seal the events' key"))?;
        head.extend(closed);
        Ok(Sealer { id: self.id.clone(), head, key, count: 0 })
    }
}

fn shared(bytes: &[u8]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::Crypto("make the events' key"))?;
    Ok(LessSafeKey::new(key))
}

/// Closes events that go together.
#[derive(Debug)]
pub struct Sealer {
    id: KeyId,
    /// The shared key, closed.
    head: Vec<u8>,
    key: LessSafeKey,
    /// How many it has closed: no two under the same number.
    count: u32,
}

impl Sealer {
    /// Names the journal's key.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The payload of `envelope`, closed. It opens only beside everything else that stands in `envelope`.
    pub fn seal(&mut self, envelope: &Envelope) -> Result<Vec<u8>, SealError> {
        const REFUSED: SealError = SealError::Crypto("seal the event");
        self.count = self.count.checked_add(1).ok_or(REFUSED)?;
        let count = self.count.to_be_bytes();
        let mut text = envelope.payload.clone().into_bytes();
        let bound = bound(&self.id, envelope);
        self.key.seal_in_place_append_tag(nonce(count), Aad::from(bound), &mut text).map_err(|_| REFUSED)?;
        Ok([self.head.as_slice(), &count, &text].concat())
    }
}

fn nonce(count: [u8; COUNT]) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    let places = nonce.iter_mut().rev().zip(count.iter().rev());
    places.for_each(|(place, byte)| *place = *byte);
    Nonce::assume_unique_for_key(nonce)
}

/// One private half. Opens what its public half closed.
pub struct OpeningKey {
    sealing: SealingKey,
    private: HpkePrivateKey,
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpeningKey").field("id", &self.sealing.id).finish_non_exhaustive()
    }
}

impl OpeningKey {
    /// A new one.
    pub fn generate() -> Result<Self, SealError> {
        let (public, private) = SUITE.generate_key_pair().map_err(|_| SealError::Crypto("make a key"))?;
        Ok(Self { sealing: SealingKey::new(&public.0), private })
    }

    /// The one kept in the file at `path`, which nobody else may read.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let text = files::secret(path)?;
        let bytes = contents(&text, PRIVATE, 2 * KEY)?;
        let (public, private) = bytes.split_at(KEY);
        let key = Self { sealing: SealingKey::new(public), private: HpkePrivateKey::from(private.to_vec()) };
        // Two halves that do not belong together would close what nobody opens.
        let (secret, closed) =
            SUITE.seal(PURPOSE, &[], b"whole", &key.sealing.public).map_err(|_| SealError::NoKey(PRIVATE))?;
        SUITE.open(&secret, PURPOSE, &[], &closed, &key.private).map_err(|_| SealError::NoKey(PRIVATE))?;
        Ok(key)
    }

    /// Keeps it in a new file that only its owner can read.
    pub fn keep(&self, path: &Path) -> Result<(), SealError> {
        let mut both = Zeroizing::new(self.sealing.public.0.clone());
        both.extend_from_slice(self.private.secret_bytes());
        let text = Zeroizing::new(pem::encode(&pem::Pem::new(PRIVATE, both.to_vec())));
        Ok(files::create(path, &text, Readers::Owner)?)
    }

    /// Its public half.
    pub const fn sealing(&self) -> &SealingKey {
        &self.sealing
    }
}

/// The journal's keys: the newest, which sources are told, and those of before, until nothing closed with them is on its
/// way any more.
#[derive(Debug)]
pub struct OpeningKeys {
    newest: OpeningKey,
    former: Vec<OpeningKey>,
    /// The keys that the last events shared, by what they came as: the journal's key, and themselves closed.
    lately: Mutex<VecDeque<(KeyId, Vec<u8>, LessSafeKey)>>,
}

impl OpeningKeys {
    /// Opens what any of them closed.
    pub const fn new(newest: OpeningKey, former: Vec<OpeningKey>) -> Self {
        Self { newest, former, lately: Mutex::new(VecDeque::new()) }
    }

    /// What sources should close with.
    pub const fn sealing(&self) -> &SealingKey {
        &self.newest.sealing
    }

    /// Reads `sealed` as the payload of `envelope`, whose own payload is left aside.
    pub fn open(&self, key: &str, envelope: &Envelope, sealed: &[u8]) -> Result<String, SealError> {
        let mut keys = std::iter::once(&self.newest).chain(&self.former);
        let ours = keys.find(|ours| ours.sealing.id.0 == key);
        let ours = ours.ok_or_else(|| SealError::UnknownKey(key.chars().take(32).collect()))?;
        let (head, rest) = sealed.split_at_checked(SHARED).ok_or(SealError::Altered)?;
        let (count, closed) = rest.split_first_chunk::<COUNT>().ok_or(SealError::Altered)?;
        let bound = bound(&ours.sealing.id, envelope);
        let mut text = closed.to_vec();
        let opened = self.with_shared(ours, head, |shared| {
            shared.open_in_place(nonce(*count), Aad::from(&bound), &mut text).map(|opened| opened.len())
        })?;
        text.truncate(opened.map_err(|_| SealError::Altered)?);
        String::from_utf8(text).map_err(|_| SealError::Altered)
    }

    /// Does something with the key that events share: events that go together come one after the other.
    fn with_shared<T>(
        &self,
        ours: &OpeningKey,
        head: &[u8],
        work: impl FnOnce(&LessSafeKey) -> T,
    ) -> Result<T, SealError> {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        let id = &ours.sealing.id;
        if let Some((.., shared)) = lately.iter().find(|(of, closed, _)| of == id && closed == head) {
            return Ok(work(shared));
        }
        let (secret, closed) = head.split_at_checked(KEY).ok_or(SealError::Altered)?;
        let opened = SUITE.open(&EncapsulatedSecret(secret.to_vec()), PURPOSE, id.0.as_bytes(), closed, &ours.private);
        let bytes = Zeroizing::new(opened.map_err(|_| SealError::Altered)?);
        let key = shared(&bytes)?;
        let done = work(&key);
        lately.truncate(REMEMBERED.saturating_sub(1));
        lately.push_front((id.clone(), head.to_vec(), key));
        Ok(done)
    }
}

/// Everything around the payload, each part with its length before it, so that no two envelopes give the same.
fn bound(key: &KeyId, envelope: &Envelope) -> Vec<u8> {
    let (seq, at) = (envelope.seq.to_be_bytes(), envelope.at.micros().to_be_bytes());
    let parts: [&[u8]; 6] =
        [key.0.as_bytes(), envelope.source.as_bytes(), &seq, envelope.subject.as_bytes(), envelope.id.as_bytes(), &at];
    let mut bound = Vec::with_capacity(160);
    for part in parts {
        bound.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bound.extend_from_slice(part);
    }
    bound
}

/// The bytes between the lines of a PEM text of this kind and length.
fn contents(text: &str, kind: &'static str, length: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let parsed = pem::parse(text).map_err(|_| SealError::NoKey(kind))?;
    let right = parsed.tag() == kind && parsed.contents().len() == length;
    let bytes = Zeroizing::new(parsed.into_contents());
    if right { Ok(bytes) } else { Err(SealError::NoKey(kind)) }
}
