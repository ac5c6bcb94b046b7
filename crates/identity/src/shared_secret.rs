//! The secret that all instances of this service share: what encrypts authenticator apps in the database, and what other
//! secrets are derived from.
//!
//! It stands in a file beside each instance's own keys, never in the database. An operator copies it to every further
//! instance; one that has another, or none where there should be one, does not start.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use store::{Store, StoreError};
use zeroize::Zeroizing;

use crate::key_file::{self, KeyFileError};
use crate::signing_key::SigningKey;
use crate::store as rows;

const SECRET: usize = 32;

/// What all instances share. Never printed; wiped when dropped.
#[derive(Clone)]
pub struct SharedSecret(Zeroizing<[u8; SECRET]>);

/// This instance does not hold the secret that the others share.
#[derive(Debug, thiserror::Error)]
pub enum SharedSecretError {
    /// Its file is not there.
    #[error(
        "{path} is missing: the instances of identity on this database share one secret. Copy that file from an instance \
         that serves, or from a backup"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It is another one.
    #[error(
        "{path} is not the secret that the other instances of identity on this database share. Copy that file from an \
         instance that serves, or from a backup"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is unusable.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The database did not say which one it should be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SharedSecret {
    /// The secret in the file at `path`. The first instance makes it, out of its own keys.
    pub async fn open(store: &Store, path: &Path, keys: &SigningKey) -> Result<Self, SharedSecretError> {
        let found = read(path)?;
        let mut tx = store.begin().await?;
        let own = found.clone().unwrap_or_else(|| Self::of(keys));
        let first = rows::share(&mut tx, own.fingerprint()).await?;
        let known = rows::shared_fingerprint(&mut tx).await?;
        tx.commit().await?;
        match found {
            Some(found) if first || known == Some(found.fingerprint()) => Ok(found),
            Some(_) => Err(SharedSecretError::Foreign { path: path.into() }),
            // Whoever made the secret can make it again.
            None if first || known == Some(own.fingerprint()) => match key_file::write(path, own.0.as_slice(), false) {
                Err(error) if error.is_taken() => {
                    read(path)?.ok_or_else(|| SharedSecretError::Missing { path: path.into() })
                }
                written => Ok(written.map(|()| own)?),
            },
            None => Err(SharedSecretError::Missing { path: path.into() }),
        }
    }

    /// What the first instance makes out of its own keys: it tells nothing about them.
    pub fn of(keys: &SigningKey) -> Self {
        Self(Zeroizing::new(keys.derived("totp")))
    }

    /// What encrypts the secrets of authenticator apps.
    pub(crate) fn vault(&self) -> &[u8; SECRET] {
        &self.0
    }

    /// Another secret for one purpose: it tells nothing about this one.
    pub(crate) fn derived(&self, purpose: &str) -> [u8; SECRET] {
        let digest = Sha256::new().chain_update(purpose).chain_update([0]).chain_update(self.0.as_slice());
        digest.finalize().into()
    }

    fn fingerprint(&self) -> [u8; SECRET] {
        self.derived("fingerprint")
    }
}

fn read(path: &Path) -> Result<Option<SharedSecret>, KeyFileError> {
    let Some(bytes) = key_file::read(path, SECRET)? else { return Ok(None) };
    let secret: [u8; SECRET] = bytes.as_slice().try_into().map_err(|_| KeyFileError::Damaged { path: path.into() })?;
    Ok(Some(SharedSecret(Zeroizing::new(secret))))
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}
