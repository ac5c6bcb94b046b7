//! A secret of 32 bytes, in a file closed to others: made at the first start, the same ever after.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vocabulary::Chance;
use zeroize::Zeroizing;

/// The file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Others can read it.
    #[error(
        "{path} holds the secret behind this program's tokens, and others can read it (mode {mode:o}). Run: chmod 600 \
         {path}; if anybody may have read it, delete it instead, and everybody signs in again"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not hold 32 bytes.
    #[error(
        "{path} should hold a secret of 32 bytes and does not; restore it from a backup, or delete it, and everybody \
         signs in again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot {action} the secret {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Reads the secret from `path`, or makes one there that only the owner can read.
pub fn secret(path: &Path, chance: &Chance) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    let made = Zeroizing::new(chance.bytes());
    match write(path, &made) {
        Ok(()) => Ok(made),
        // Another process made it at the same moment: both use that one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| SecretError::Damaged { path: path.into() })
        }
        Err(error) => Err(failed("write", path)(error)),
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, SecretError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let found = file.metadata().map_err(failed("read", path))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed { path: path.into(), mode });
    }
    let mut secret = Zeroizing::new([0; 32]);
    if found.len() != 32 || file.read_exact(secret.as_mut_slice()).is_err() {
        return Err(SecretError::Damaged { path: path.into() });
    }
    Ok(Some(secret))
}

/// Whole or not at all, and never over another secret.
fn write(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(secret)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> SecretError {
    move |source| SecretError::File { action, path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_closed_to_others_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program.key");
        let made = secret(&path, &Chance::seeded(1)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(made, secret(&path, &Chance::seeded(2)).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_secret_that_others_can_read_or_that_is_damaged_is_refused_with_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program.key");
        std::fs::write(&path, [1; 32]).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let words = secret(&path, &Chance::seeded(1)).unwrap_err().to_string();
        assert!(words.contains("mode 640") && words.contains("chmod 600"), "{words}");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, [1; 31]).unwrap();
        let error = secret(&path, &Chance::seeded(1)).unwrap_err();
        assert!(matches!(error, SecretError::Damaged { .. }), "{error}");
    }
}
