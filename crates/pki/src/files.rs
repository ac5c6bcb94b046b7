//! Files of keys and certificates: replaced whole or not at all, closed to others, read with a limit.
//!
//! Knows nothing of what is inside them.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::PkiError;

/// No key or certificate chain of ours comes near this.
const MOST_BYTES: u64 = 64 * 1024;
/// The same, for text that did not come from a file.
pub(crate) const MOST_BYTES_OF_TEXT: usize = 64 * 1024;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Certificates, requests, lists.
    Everyone,
    /// Keys.
    Owner,
}

/// Makes the folder, closed to others, when it is not there yet.
pub fn make_folder(dir: &Path) -> Result<(), PkiError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("create the folder", dir))
}

/// The text of a file, or nothing when there is no such file. A key that others can read is refused.
pub(crate) fn read(path: &Path, readers: Readers) -> Result<Option<Zeroizing<String>>, PkiError> {
    read_up_to(path, readers, MOST_BYTES)
}

/// A secret that has to be there; refused when others can read it.
pub fn secret(path: &Path) -> Result<Zeroizing<String>, PkiError> {
    read(path, Readers::Owner)?.ok_or_else(|| missing(path))
}

/// The same with another limit; a file beyond it is an error.
pub(crate) fn read_up_to(path: &Path, readers: Readers, most: u64) -> Result<Option<Zeroizing<String>>, PkiError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("read", path)(e)),
    };
    // The open file is asked, not the path, so that nobody can swap it in between.
    let mode = file.metadata().map_err(failed("read", path))?.permissions().mode() & 0o7777;
    if readers == Readers::Owner && mode & 0o077 != 0 {
        return Err(PkiError::OpenKey { path: path.into(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(most.saturating_add(1)).read_to_string(&mut text).map_err(failed("read", path))?;
    if u64::try_from(read).is_ok_and(|read| read > most) {
        return Err(failed("read", path)(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {most} bytes"),
        )));
    }
    Ok(Some(text))
}

/// The error where a file has to be there.
pub(crate) fn missing(path: &Path) -> PkiError {
    failed("read", path)(io::Error::new(io::ErrorKind::NotFound, "there is no such file"))
}

/// Replaces a file: whole in a temporary file first, synced, then renamed over the old one.
pub fn write(path: &Path, text: &str, readers: Readers) -> Result<(), PkiError> {
    put(path, text, readers, |file| file.persist(path).map(|_| ()).map_err(|e| e.error))
}

/// Makes a file, whole or not at all; one that is there already is an error.
pub fn create(path: &Path, text: &str, readers: Readers) -> Result<(), PkiError> {
    put(path, text, readers, |file| file.persist_noclobber(path).map(|_| ()).map_err(|e| e.error))
}

/// Moves a file over another, for good, unless somebody else just did.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), PkiError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => {}
        renamed => renamed.map_err(failed("replace", to))?,
    }
    sync(to)
}

/// Where a key lies for the moment in which the certificate before it is replaced.
pub(crate) fn coming(key: &Path) -> PathBuf {
    key.with_extension("pem.next")
}

/// Removes a file, for good.
pub(crate) fn remove(path: &Path) -> Result<(), PkiError> {
    std::fs::remove_file(path).map_err(failed("remove", path))?;
    sync(path)
}

/// Makes what was done to the names in a file's folder last.
fn sync(path: &Path) -> Result<(), PkiError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("replace", path))
}

fn put(
    path: &Path,
    text: &str,
    readers: Readers,
    persist: impl FnOnce(NamedTempFile) -> io::Result<()>,
) -> Result<(), PkiError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| {
        // tempfile creates with 0600, so a key is never open, not even for a moment; nor is that asked of a stick that
        // knows no permissions.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        if readers == Readers::Everyone {
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        }
        file.as_file().sync_all()?;
        persist(file)?;
        File::open(dir)?.sync_all()
    })();
    written.map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> PkiError {
    move |source| PkiError::File { action, path: path.into(), source }
}
