//! What the monitor checks besides the bank, and whom it tells: one TOML file.

mod checks;

use std::path::{Path, PathBuf};

use crate::alerts::Alerting;
use crate::check::Check;

/// Largest file that is read: five thousand checks fit.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// The tables that a file may have.
const TABLES: [&str; 4] = ["alerts", "checks", "heartbeat", "mail"];

/// What the file says. Without one, nothing besides the bank is checked, and nobody is told but by the journal.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// By name.
    pub(crate) checks: Vec<Check>,
    /// Whom it tells.
    pub(crate) alerting: Alerting,
}

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
        let text = read(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|faults| {
            let faults = if faults.len() == 1 { faults.concat() } else { format!("\n  {}", faults.join("\n  ")) };
            SettingsError::Faults { path: path.to_owned(), faults }
        })
    }

    /// Understands the text of a file in that folder, from which other files are named.
    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<String>> {
        let mut tables: toml::Table =
            text.parse().map_err(|error: toml::de::Error| vec![error.to_string().trim_end().to_owned()])?;
        let mut faults: Vec<String> = Vec::new();
        for unknown in tables.keys().filter(|name| !TABLES.contains(&name.as_str())) {
            faults.push(format!("[{}] is not known here; there are {}", unknown.escape_debug(), TABLES.join(", ")));
        }
        let checks = checks::understood(tables.remove("checks"), folder, &mut faults);
        let alerting = Alerting::of(&mut tables, folder, &mut faults);
        if faults.is_empty() { Ok(Self { checks, alerting }) } else { Err(faults) }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MOST_BYTES.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(read).map_or(true, |read| read > MOST_BYTES) {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}
