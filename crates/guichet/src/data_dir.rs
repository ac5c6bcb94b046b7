//! The data directory: for this user only, and for one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::Failure;

/// Holds the data directory until it is dropped.
pub(crate) struct Lock {
    _file: File,
}

/// Makes the directory if it is not there (mode 0700), and takes it.
pub(crate) fn take(path: &Path) -> Result<Lock, Failure> {
    let failed = |what: &'static str| move |error: std::io::Error| Failure::file(what, path, &error);
    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make the data directory"))?;
    }
    let mode = fs::metadata(path).map_err(failed("read the data directory"))?.permissions().mode();
    if mode & 0o077 != 0 {
        // Databases and keys are 0600 each; the directory need not tell others even their names.
        fs::set_permissions(path, Permissions::from_mode(mode & !0o077))
            .map_err(failed("protect the data directory"))?;
    }
    let lock = path.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock)
        .map_err(|error| Failure::file("write to the data directory", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Failure::Locked(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", &lock, &error)),
    }
}
