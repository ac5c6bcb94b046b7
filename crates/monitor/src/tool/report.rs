//! Report files: what was found about one application on one day (UTC), all of it, in one file.
//!
//! Promises: a file is whole at every moment, whatever stops the machine; what was in it stays in it, character by character;
//! one that cannot be read as a report is set aside under another name and never written over.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::Day;

use super::application::{App, Finding};

/// Largest file that is read: a day of checks every second is less than half of it.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Most bad files of one application and day that are set aside.
const MOST_ASIDE: u32 = 100;
const UNFINISHED: &str = ".unfinished-";

/// Why a finding is not in its file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("the report {path} cannot be written: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the report {0} is larger than 64 MiB: move it away")]
    Full(PathBuf),
}

/// The folder of reports.
#[derive(Debug)]
pub(crate) struct Reports(PathBuf);

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    app: String,
    date: Day,
    results: Vec<Box<RawValue>>,
}

impl Reports {
    /// In `folder`, which is made if need be; what an earlier process left unfinished there goes.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)?.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self(folder))
    }

    /// Where the findings about `app` on a day are.
    pub(crate) fn path(&self, app: &App, day: Day) -> PathBuf {
        self.0.join(format!("{day}-{app}.json"))
    }

    /// Adds a finding to its file; gives where a bad file went that was in its place.
    pub(crate) fn add(&self, finding: &Finding) -> Result<Option<PathBuf>, ReportError> {
        let (app, day) = (&finding.app, finding.at.day());
        let path = self.path(app, day);
        let failed = |source: io::Error| ReportError::File { path: path.clone(), source };
        let line = serde_json::value::to_raw_value(finding).map_err(|error| failed(error.into()))?;
        let (mut results, aside) = match text(&path).map_err(failed)? {
            None => (Vec::new(), None),
            Some(bytes) if bytes.len() as u64 > LARGEST => return Err(ReportError::Full(path)),
            Some(bytes) => match serde_json::from_slice::<Kept>(&bytes) {
                Ok(kept) if kept.app == app.as_str() && kept.date == day => (kept.results, None),
                _ => (Vec::new(), Some(set_aside(&path).map_err(failed)?)),
            },
        };
        results.push(line);
        self.write(&path, app, day, &results).map_err(failed)?;
        Ok(aside)
    }

    fn write(&self, path: &Path, app: &App, day: Day, results: &[Box<RawValue>]) -> io::Result<()> {
        let name = serde_json::to_string(app)?;
        let results: Vec<&str> = results.iter().map(|it| it.get()).collect();
        let text = format!("{{\"app\":{name},\"date\":\"{day}\",\"results\":[\n{}\n]}}\n", results.join(",\n"));
        let readable = Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).permissions(readable).tempfile_in(&self.0)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.0)?.sync_all()
    }
}

fn text(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Gives a bad file a second name that nobody has; its first is then free for the next report.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=MOST_ASIDE {
        let mut aside = path.to_path_buf().into_os_string();
        aside.push(format!(".broken-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => return Ok(aside.into()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many broken ones were set aside: remove some"))
}
