//! Where the shared keys come from: the environment or a file, never the command line, which every user of the machine
//! can read. A file that others can read is refused.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vocabulary::Chance;
use zeroize::Zeroizing;

use crate::fernet::{self, KeyError, Keyring};

/// The variable that holds the keys, the one in use first.
pub const VARIABLE: &str = "SECRET_KEY";
/// No file that is read here comes near this.
const MOST_BYTES: u64 = 64 * 1024;

/// There are no usable keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Neither variable nor file.
    #[error(
        "this step needs the shared key: set {VARIABLE}, or name a file with --key-file (`squirrel key` makes one)"
    )]
    Missing,
    /// What was read holds none.
    #[error("cannot use the keys of {0}: {1}")]
    Unusable(String, KeyError),
    /// Others can read it.
    #[error(
        "{} holds the shared key, and others on this machine can read it (mode {mode:o}): run `chmod 600 {}`, and if \
         anybody may have read it, take a new key",
        .path.display(), .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file cannot be read or written.
    #[error("cannot {0} {path}: {2}", path = .1.display())]
    File(&'static str, PathBuf, io::Error),
}

/// The keys of `file`, or else of the environment.
pub fn find(file: Option<&Path>) -> Result<Keyring, KeysError> {
    let (from, text) = match file {
        Some(path) => (path.display().to_string(), read(path)?),
        None => (VARIABLE.to_owned(), Zeroizing::new(std::env::var(VARIABLE).map_err(|_| KeysError::Missing)?)),
    };
    Keyring::parse(&text).map_err(|error| KeysError::Unusable(from, error))
}

/// Puts a new key before those of `file`, and keeps `keep` of the old ones: what was sealed with them still opens.
pub fn rotate(file: &Path, keep: usize, chance: &Chance) -> Result<(), KeysError> {
    let old = match read(file) {
        Err(KeysError::File(_, _, error)) if error.kind() == io::ErrorKind::NotFound => Zeroizing::default(),
        old => old?,
    };
    let mut keys = fernet::new_key(chance);
    for key in old.split_whitespace().take(keep) {
        keys.push('\n');
        keys.push_str(key);
    }
    keys.push('\n');
    Keyring::parse(&keys).map_err(|error| KeysError::Unusable(file.display().to_string(), error))?;
    write(file, &keys).map_err(|error| KeysError::File("write", file.into(), error))
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let failed = |error| KeysError::File("read", path.into(), error);
    let file = File::open(path).map_err(failed)?;
    // The open file is asked, not the path, so that nobody can swap it in between.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed { path: path.into(), mode });
    }
    let mut text = Zeroizing::default();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Whole or not at all, and closed to others from its first moment.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}
