//! What the monitor checks besides the bank, and whom it tells: one TOML file.

use std::path::{Path, PathBuf};

/// What the file says. Without one, nothing besides the bank is checked, and nobody is told but by the journal.
#[derive(Clone, Debug, Default)]
pub struct Settings {}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What it says cannot be.
    #[error("{}: {faults}", path.display())]
    Faults {
        /// Which one.
        path: PathBuf,
        /// Every fault at once, a line each.
        faults: String,
    },
}

impl Settings {
    /// Reads and checks all of it.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
        Ok(Self {})
    }
}
