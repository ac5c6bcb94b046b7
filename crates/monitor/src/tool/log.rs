//! The log of the tool: records with a time and a level, in a file that is rotated by size.
//!
//! Promises: a record is one line, as text or JSON; old files are kept up to a number and no further. It writes what it is
//! given: whoever makes a record keeps secrets out of it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vocabulary::Timestamp;

use super::application::{Finding, Status};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-21T09:30:00Z INFO    shop is OK`
    Text,
    /// One object on each line.
    Json,
}

/// How the log is written.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// In which form.
    pub format: LogFormat,
    /// How large the file grows before the next one is begun, in bytes.
    pub largest: u64,
    /// How many full ones are kept.
    pub backups: u32,
}

/// How much a record matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// To be looked at.
    Warning,
    /// To be mended.
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    at: Timestamp,
    level: Level,
    message: String,
    /// What programs read beside the message.
    particulars: Map<String, Value>,
}

impl Record {
    pub(crate) fn new(at: Timestamp, level: Level, message: impl Into<String>) -> Self {
        Self { at, level, message: message.into(), particulars: Map::new() }
    }

    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// That this was found.
    pub(crate) fn of(finding: &Finding) -> Self {
        let level = match finding.status {
            Status::Ok => Level::Info,
            Status::Degraded => Level::Warning,
            Status::Down | Status::Unknown => Level::Error,
        };
        let (app, status, took) = (&finding.app, finding.status.name(), finding.took_ms);
        let message = match (&finding.detail, finding.response_time) {
            (Some(detail), _) => format!("{app} is {status}: {detail}"),
            (None, Some(seconds)) => format!("{app} is {status}, response time {seconds} s, asked in {took} ms"),
            (None, None) => format!("{app} is {status}"),
        };
        let particulars = match serde_json::to_value(finding) {
            Ok(Value::Object(particulars)) => particulars,
            _ => Map::new(),
        };
        Self { particulars, ..Self::new(finding.at, level, message) }
    }

    /// All of it for programs.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut fields = self.particulars.clone();
        fields.insert("at".into(), self.at.to_string().into());
        fields.insert("level".into(), self.level.name().into());
        fields.insert("message".into(), self.message.clone().into());
        fields
    }

    fn line(&self, format: LogFormat) -> String {
        match format {
            LogFormat::Text => format!("{} {:7} {}\n", self.at, self.level.name(), self.message),
            LogFormat::Json => format!("{}\n", Value::Object(self.fields())),
        }
    }
}

/// `monitor.log` in its folder, and the full ones before it: `monitor.log.1` is the newest of those.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    settings: LogSettings,
}

impl Log {
    /// In `folder`, which is made if need be.
    pub(crate) fn open(folder: &Path, settings: LogSettings) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let log = Self { path: folder.join("monitor.log"), settings };
        // Whether it can be written is known now, not after the first check.
        log.file()?;
        Ok(log)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a record. The file is opened anew each time: somebody else may have moved it away.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let line = record.line(self.settings.format);
        let mut file = self.file()?;
        let size = file.metadata()?.len();
        if size > 0 && size.saturating_add(line.len() as u64) > self.settings.largest {
            self.rotate()?;
            file = self.file()?;
        }
        file.write_all(line.as_bytes())
    }

    fn file(&self) -> io::Result<fs::File> {
        OpenOptions::new().create(true).append(true).mode(0o640).open(&self.path)
    }

    fn rotate(&self) -> io::Result<()> {
        let backup = |number: u32| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        let there = |outcome: io::Result<()>| match outcome {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        if self.settings.backups == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.settings.backups).rev() {
            there(fs::rename(backup(number), backup(number + 1)))?;
        }
        fs::rename(&self.path, backup(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_full_log_moves_on_and_the_oldest_goes() {
        let home = tempfile::tempdir().unwrap();
        let settings = LogSettings { format: LogFormat::Text, largest: 140, backups: 2 };
        let log = Log::open(&home.path().join("logs"), settings).unwrap();
        let at = Timestamp::from_seconds(1_800_000_000);
        for number in 0..10 {
            // 33 or 34 bytes each: four to a file.
            log.write(&Record::new(at, Level::Info, format!("n {number}"))).unwrap();
        }
        let backup = |number: u8| home.path().join(format!("logs/monitor.log.{number}"));
        assert_eq!(numbers(log.path()), ["8", "9"]);
        assert_eq!(numbers(&backup(1)), ["4", "5", "6", "7"]);
        assert_eq!(numbers(&backup(2)), ["0", "1", "2", "3"]);
        for number in 10..15 {
            log.write(&Record::new(at, Level::Info, format!("n {number}"))).unwrap();
        }
        assert_eq!((numbers(&backup(2)).len(), fs::read_dir(home.path().join("logs")).unwrap().count()), (4, 3));
    }
}
