//! The key that signs access tokens: 32 secret bytes in a file closed to others.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aaa::Signer;
use sha2::{Digest, Sha256};
use vocabulary::Chance;
use zeroize::Zeroizing;

use crate::ISSUER;

/// The seed of an Ed25519 key (RFC 8032). Never printed; wiped when dropped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; 32]>);

/// The key file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// Others can read it.
    #[error(
        "{path} holds the key that signs access tokens, and others can read it (mode {mode:o}). Run: chmod 600 {path}; if \
         anybody may have read it, delete it instead, and everybody signs in again"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not hold 32 bytes.
    #[error(
        "{path} should hold a signing key of 32 bytes and does not; restore it from a backup, or delete it, and everybody signs in again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot {action} the signing key {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl SigningKey {
    /// Reads the key from `path`, or makes one there that only the owner can read.
    pub fn open_or_create(path: &Path, chance: &Chance) -> Result<Self, SigningKeyError> {
        if let Some(key) = Self::read(path)? {
            return Ok(key);
        }
        let key = Self(Zeroizing::new(chance.bytes()));
        match key.write(path) {
            Ok(()) => Ok(key),
            // Another process made it at the same moment: both use that one.
            Err(SigningKeyError::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Self::read(path)?.ok_or_else(|| SigningKeyError::Damaged { path: path.into() })
            }
            Err(error) => Err(error),
        }
    }

    /// From the bytes themselves.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// Signs access tokens for every service of the bank.
    pub fn signer(&self) -> Result<Signer, crate::Error> {
        Signer::from_seed(&self.0, ISSUER, ISSUER).map_err(crate::Error::internal)
    }

    /// Another secret, made from this one for one purpose: it tells nothing about the key.
    pub(crate) fn derived(&self, purpose: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(purpose.as_bytes());
        digest.update([0]);
        digest.update(self.0.as_slice());
        digest.finalize().into()
    }

    fn read(path: &Path) -> Result<Option<Self>, SigningKeyError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let found = file.metadata().map_err(failed("read", path))?;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SigningKeyError::Exposed { path: path.into(), mode });
        }
        let mut seed = Zeroizing::new([0; 32]);
        if found.len() != 32 || file.read_exact(seed.as_mut_slice()).is_err() {
            return Err(SigningKeyError::Damaged { path: path.into() });
        }
        Ok(Some(Self(seed)))
    }

    /// Whole or not at all, and never over another key.
    fn write(&self, path: &Path) -> Result<(), SigningKeyError> {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = (|| {
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
            file.as_file().set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(self.0.as_slice())?;
            file.as_file().sync_all()?;
            file.persist_noclobber(path).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        })();
        written.map_err(failed("write", path))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> SigningKeyError {
    move |source| SigningKeyError::File { action, path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_closed_to_others_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        let made = SigningKey::open_or_create(&path, &Chance::seeded(1)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = SigningKey::open_or_create(&path, &Chance::seeded(2)).unwrap();
        assert_eq!(made.0, again.0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_damaged_is_refused_with_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        std::fs::write(&path, [1; 32]).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let words = SigningKey::open_or_create(&path, &Chance::seeded(1)).unwrap_err().to_string();
        assert!(words.contains("mode 640") && words.contains("chmod 600"), "{words}");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [1; 31]).unwrap();
        let error = SigningKey::open_or_create(&path, &Chance::seeded(1)).unwrap_err();
        assert!(matches!(error, SigningKeyError::Damaged { .. }), "{error}");
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", SigningKey::from_seed([7; 32])), "SigningKey(…)");
    }
}
