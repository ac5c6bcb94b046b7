//! Files of secrets that only their owner can read: whole or not at all, and never printed.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A file of secrets is unusable.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others can read it.
    #[error(
        "{path} holds secrets of identity, and others can read it (mode {mode:o}). Run: chmod 600 {path}; if anybody may \
         have read it, run `guichet keys rotate --revoke` as well, and everybody signs in again"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("{path} should hold secrets of identity and does not; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot {action} the secrets in {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl KeyFileError {
    /// Whether somebody else made the file first.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }
}

/// What the file holds, `most` bytes at most; nothing when it is not there.
pub(crate) fn read(path: &Path, most: usize) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFileError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let found = file.metadata().map_err(failed("read", path))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.into(), mode });
    }
    if found.len() > most as u64 {
        return Err(KeyFileError::Damaged { path: path.into() });
    }
    // Room for all of it, so that nothing is left behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    file.read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// Whole or not at all; over another file only when that is meant to be replaced.
pub(crate) fn write(path: &Path, bytes: &[u8], replace: bool) -> Result<(), KeyFileError> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        let kept = if replace { file.persist(path) } else { file.persist_noclobber(path) };
        kept.map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> KeyFileError {
    move |source| KeyFileError::File { action, path: path.into(), source }
}
