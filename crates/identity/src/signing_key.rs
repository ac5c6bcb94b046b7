//! The keys that sign this instance's access tokens: a ring of them in a file closed to others. They never leave their
//! machine; other instances are told the public ones.
//!
//! A new key is published for a day before it signs, so that whoever fetches the keys now and then has it in time; an old
//! one stays published until the longest token that it may have signed has ended. The file holds 40 bytes per key: 32
//! secret ones, and when it begins to sign. A file of 32 bytes is one key that signs since ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aaa::{Jwks, KeyError, Signer};
use sha2::{Digest, Sha256};
use vocabulary::{Chance, Clock, Timestamp};
use zeroize::Zeroizing;

use crate::ISSUER;
use crate::key_file::{self, KeyFileError};

/// The keys that sign this instance's access tokens. Never printed; wiped when dropped.
#[derive(Clone)]
pub struct SigningKey {
    /// What the instance is called by, and its first secrets were made of: it stays for that when it signs no more.
    first: Key,
    /// In order of when they sign.
    later: Vec<Key>,
    path: Option<PathBuf>,
}

#[derive(Clone)]
struct Key {
    /// Ed25519 (RFC 8032).
    seed: Zeroizing<[u8; SEED]>,
    /// When it begins to sign; nothing: it neither signs nor is trusted.
    from: Option<Timestamp>,
    signer: Arc<Signer>,
}

const SEED: usize = 32;
const RECORD: usize = SEED + 8;
/// Stands for no time in the file.
const NEVER: i64 = i64::MIN;

/// How long a new key is published before it signs.
const AHEAD: Duration = Duration::from_hours(24);
/// How long a key signs before the next one is made.
const AGE: Duration = Duration::from_hours(30 * 24);
/// How long a key is trusted after it signed last: longer than any token, those of a year included.
const KEPT: Duration = Duration::from_hours(367 * 24);
/// Most keys in a file: beyond that it is no such file.
const MOST: usize = 1000;

/// The keys are unusable.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// Their file is.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The bytes are no key.
    #[error(transparent)]
    Unusable(#[from] KeyError),
}

impl SigningKey {
    /// Reads the keys from `path`, or makes one there that only the owner can read.
    pub fn open_or_create(path: &Path, clock: &Clock, chance: &Chance) -> Result<Self, SigningKeyError> {
        if let Some(keys) = Self::read(path)? {
            return Ok(keys);
        }
        let first = Key::new(chance.bytes(), Some(clock.now()))?;
        let keys = Self { first, later: Vec::new(), path: Some(path.into()) };
        match keys.write(path, false) {
            Ok(()) => Ok(keys),
            // Another process made it at the same moment: both use that one.
            Err(error) if error.is_taken() => Ok(Self::read(path)?.ok_or_else(|| damaged(path))?),
            Err(error) => Err(error.into()),
        }
    }

    /// One key from its bytes, kept in memory only.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, SigningKeyError> {
        Ok(Self { first: Key::new(seed, Some(Timestamp::from_micros(0)))?, later: Vec::new(), path: None })
    }

    /// Signs access tokens for every service of the bank, now.
    pub fn signer(&self, now: Timestamp) -> Arc<Signer> {
        // A clock that went back finds only keys that begin later: the first of them.
        let signs = self.signs().rfind(|(from, _)| *from <= now).or_else(|| self.signs().next());
        Arc::clone(&signs.map_or(&self.first, |(_, key)| key).signer)
    }

    /// The keys to publish and to trust: the one that signs first.
    pub fn jwks(&self, now: Timestamp) -> Jwks {
        let current = self.signer(now).jwks();
        let others = self.trusted(now).rev().flat_map(|key| key.signer.jwks().keys);
        let others: Vec<_> = others.filter(|jwk| !current.keys.contains(jwk)).collect();
        Jwks { keys: current.keys.into_iter().chain(others).collect() }
    }

    /// Makes the next key when the last one is old enough; it signs a day from now. Says whether there is one.
    pub fn rotate_if_due(&mut self, now: Timestamp, chance: &Chance) -> Result<bool, SigningKeyError> {
        let due = self.signs().next_back().is_none_or(|(from, _)| from.plus(AGE) <= now);
        if due {
            self.rotate(now, chance)?;
        }
        Ok(due)
    }

    /// Makes the next key, and says when it begins to sign. One that waits already is replaced.
    pub fn rotate(&mut self, now: Timestamp, chance: &Chance) -> Result<Timestamp, SigningKeyError> {
        let from = now.plus(AHEAD);
        let next = Key::new(chance.bytes(), Some(from))?;
        let signing = |key: &Key| key.from.is_some_and(|from| from <= now) && self.is_trusted(key, now);
        *self = self.replaced(signing, next)?;
        Ok(from)
    }

    /// Makes a key that signs at once and trusts no other any more: every token ends. For a key that may be known.
    pub fn replace_all(&mut self, now: Timestamp, chance: &Chance) -> Result<(), SigningKeyError> {
        *self = self.replaced(|_| false, Key::new(chance.bytes(), Some(now))?)?;
        Ok(())
    }

    /// What this instance is called among the others. It stays when other keys sign.
    pub(crate) fn instance(&self) -> [u8; 32] {
        self.derived("instance")
    }

    /// Another secret, made from the first key for one purpose: it tells nothing about the key, and stays when others
    /// sign.
    pub(crate) fn derived(&self, purpose: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(purpose.as_bytes());
        digest.update([0]);
        digest.update(self.first.seed.as_slice());
        digest.finalize().into()
    }
}

/// The ring itself: which keys sign, which are trusted, and their file.
impl SigningKey {
    fn keys(&self) -> impl DoubleEndedIterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.later)
    }

    fn signs(&self) -> impl DoubleEndedIterator<Item = (Timestamp, &Key)> {
        self.keys().filter_map(|key| Some((key.from?, key)))
    }

    fn trusted(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = &Key> {
        self.keys().filter(move |key| self.is_trusted(key, now))
    }

    /// Until the tokens that it signed before the next one began have ended.
    fn is_trusted(&self, key: &Key, now: Timestamp) -> bool {
        let Some(from) = key.from else { return false };
        let next = self.signs().map(|(from, _)| from).find(|next| *next > from);
        next.is_none_or(|next| now < next.plus(KEPT))
    }

    /// Keeps the keys that are wanted, and the first for what is derived from it, and adds one.
    fn replaced(&self, wanted: impl Fn(&Key) -> bool, next: Key) -> Result<Self, SigningKeyError> {
        let from = self.first.from.filter(|_| wanted(&self.first));
        let later = self.later.iter().filter(|key| wanted(key)).cloned().chain([next]).collect();
        let changed = Self { first: Key { from, ..self.first.clone() }, later, path: self.path.clone() };
        if let Some(path) = &changed.path {
            changed.write(path, true)?;
        }
        Ok(changed)
    }

    fn read(path: &Path) -> Result<Option<Self>, SigningKeyError> {
        let Some(mut bytes) = key_file::read(path, MOST * RECORD)? else { return Ok(None) };
        if bytes.len() == SEED {
            bytes.extend(0_i64.to_be_bytes());
        }
        let (records, rest) = bytes.as_chunks::<RECORD>();
        let mut keys = records.iter().map(|record| Key::from_record(record)?.ok_or_else(|| damaged(path).into()));
        let first = keys.next().filter(|_| rest.is_empty()).ok_or_else(|| damaged(path))??;
        let later = keys.collect::<Result<_, SigningKeyError>>()?;
        Ok(Some(Self { first, later, path: Some(path.into()) }))
    }

    /// Over other keys only when they are meant to be replaced.
    fn write(&self, path: &Path, replace: bool) -> Result<(), KeyFileError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST * RECORD));
        for key in self.keys() {
            bytes.extend_from_slice(key.seed.as_slice());
            bytes.extend(key.from.map_or(NEVER, Timestamp::micros).to_be_bytes());
        }
        key_file::write(path, &bytes, replace)
    }
}

impl Key {
    fn new(seed: [u8; SEED], from: Option<Timestamp>) -> Result<Self, SigningKeyError> {
        let signer = Arc::new(Signer::from_seed(&seed, ISSUER, ISSUER)?);
        Ok(Self { seed: Zeroizing::new(seed), from, signer })
    }

    fn from_record(record: &[u8; RECORD]) -> Result<Option<Self>, SigningKeyError> {
        let (Some((seed, _)), Some((_, from))) = (record.split_first_chunk(), record.split_last_chunk()) else {
            return Ok(None);
        };
        let from = Some(i64::from_be_bytes(*from)).filter(|from| *from != NEVER).map(Timestamp::from_micros);
        Self::new(*seed, from).map(Some)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn damaged(path: &Path) -> KeyFileError {
    KeyFileError::Damaged { path: path.into() }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);

    struct Place {
        folder: tempfile::TempDir,
        clock: Clock,
        chance: Chance,
    }

    impl Place {
        fn new() -> Self {
            let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
            Self { folder: tempfile::tempdir().unwrap(), clock, chance: Chance::seeded(1) }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("signing.key")
        }

        fn open(&self) -> Result<SigningKey, SigningKeyError> {
            SigningKey::open_or_create(&self.path(), &self.clock, &self.chance)
        }

        fn write(&self, bytes: &[u8], mode: u32) {
            std::fs::write(self.path(), bytes).unwrap();
            std::fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
        }
    }

    fn signs(key: &SigningKey, now: Timestamp) -> String {
        key.signer(now).jwks().keys[0].kid.clone()
    }

    fn published(key: &SigningKey, now: Timestamp) -> Vec<String> {
        key.jwks(now).keys.into_iter().map(|jwk| jwk.kid).collect()
    }

    #[test]
    fn a_key_is_made_once_closed_to_others_and_read_again() {
        let place = Place::new();
        let made = place.open().unwrap();
        assert_eq!(std::fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let (again, now) = (place.open().unwrap(), place.clock.now());
        assert_eq!((signs(&made, now), made.derived("x")), (signs(&again, now), again.derived("x")));
        assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_until_its_last_token_ended() {
        let place = Place::new();
        let (mut key, start) = (place.open().unwrap(), place.clock.now());
        let old = signs(&key, start);
        assert!(!key.rotate_if_due(start.plus(30 * DAY).minus(HOUR), &place.chance).unwrap());
        let due = start.plus(30 * DAY);
        assert!(key.rotate_if_due(due, &place.chance).unwrap());
        assert!(!key.rotate_if_due(due.plus(HOUR), &place.chance).unwrap(), "one is on its way");
        assert_eq!(signs(&key, due.plus(DAY).minus(HOUR)), old);
        let new = signs(&key, due.plus(DAY));
        assert_ne!(new, old);
        assert_eq!(published(&key, due), [old.clone(), new.clone()]);
        assert_eq!(published(&key, due.plus(DAY)), [new.clone(), old.clone()], "the signing one first");
        let longest = due.plus(DAY).plus(366 * DAY);
        assert_eq!(published(&place.open().unwrap(), longest), [new.clone(), old], "also for whoever reads the file");
        assert_eq!(published(&key, longest.plus(DAY)), [new]);
    }

    #[test]
    fn a_key_that_may_be_known_is_trusted_no_more_and_what_was_derived_stays() {
        let place = Place::new();
        let (mut key, now) = (place.open().unwrap(), place.clock.now());
        let (old, derived) = (signs(&key, now), key.derived("totp"));
        key.rotate(now, &place.chance).unwrap();
        key.replace_all(now, &place.chance).unwrap();
        for key in [key, place.open().unwrap()] {
            assert_eq!(published(&key, now), [signs(&key, now)]);
            assert_ne!(signs(&key, now), old);
            assert_eq!(key.derived("totp"), derived);
        }
    }

    #[test]
    fn many_rotations_keep_only_what_is_needed() {
        let place = Place::new();
        let mut key = place.open().unwrap();
        let derived = key.derived("totp");
        for _ in 0..60 {
            place.clock.advance(31 * DAY);
            assert!(key.rotate_if_due(place.clock.now(), &place.chance).unwrap());
        }
        let now = place.clock.now();
        assert!((12..16).contains(&published(&key, now).len()), "{:?}", published(&key, now));
        assert!(key.later.len() < 16);
        assert_eq!(place.open().unwrap().derived("totp"), derived);
    }

    #[test]
    fn a_file_of_one_bare_key_is_read_and_is_due() {
        let place = Place::new();
        place.write(&[7; 32], 0o600);
        let (mut key, now) = (place.open().unwrap(), place.clock.now());
        let bare = SigningKey::from_seed([7; 32]).unwrap();
        assert_eq!((signs(&key, now), key.derived("totp")), (signs(&bare, now), bare.derived("totp")));
        assert!(key.rotate_if_due(now, &place.chance).unwrap());
        let again = place.open().unwrap();
        assert_eq!((signs(&again, now), published(&again, now).len()), (signs(&bare, now), 2));
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_damaged_is_refused_with_words() {
        let place = Place::new();
        place.write(&[1; 32], 0o640);
        let words = place.open().unwrap_err().to_string();
        assert!(words.contains("mode 640") && words.contains("chmod 600"), "{words}");
        for length in [0, 31, 33, 79, 40 * 1001] {
            place.write(&vec![1; length], 0o600);
            assert!(matches!(place.open(), Err(SigningKeyError::File(KeyFileError::Damaged { .. }))), "{length} bytes");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", SigningKey::from_seed([7; 32]).unwrap()), "SigningKey(…)");
    }
}
