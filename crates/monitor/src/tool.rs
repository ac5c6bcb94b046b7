//! The tool behind `guichet monitor`: asks an API how applications do, and keeps what it said.
//!
//! Promises: every application is asked about at once and each gives a finding, whatever comes back or does not; findings are
//! in the report files before a database is tried, and stay there whatever becomes of that; no secret is in anything that it writes. It knows no bank and
//! needs none: one folder holds its settings, reports and log.

mod application;
mod documents;
mod environment;
mod log;
mod report;
mod secret;
mod settings;
mod simulate;
mod store;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use tokio::time::Instant;
use vocabulary::{Clock, Timestamp};

pub use application::{App, Finding, Reason, Status};
pub use environment::Environment;
pub use log::{Level, LogFormat, LogSettings};
pub use secret::Secret;
pub use settings::{Choices, Settings};
pub use simulate::{Behaviour, Simulation};

use crate::outgoing::{Limits, Outgoing};
use application::{Told, Useless, judge};
use documents::{Documents, Dropped};
use log::{Log, Record};
use report::Reports;
use store::StatusTable;

/// Largest answer that is read.
const MOST_BYTES: usize = 64 * 1024;
/// Most questions under way at a time: more would need more open files than a process is usually given.
const AT_ONCE: usize = 500;

/// Why the tool cannot work: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A setting is missing or wrong.
    #[error("{0}")]
    Setting(String),
    /// Another process works there.
    #[error("another monitor works in the folder {0}: stop that one, or choose another folder with --folder")]
    Busy(PathBuf),
    /// A file or folder cannot be used.
    #[error("cannot {what} {path}: {why}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl ToolError {
    fn file(what: &'static str, path: &Path, why: &io::Error) -> Self {
        Self::File { what, path: path.to_owned(), why: why.to_string() }
    }
}

/// What was found in one go.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// When it began.
    pub at: Timestamp,
    /// One for each application, in the order in which they were named.
    pub results: Vec<Finding>,
    /// What the tool itself could not do.
    pub troubles: Vec<String>,
}

/// Asks, and keeps what was said. Holds its folder for itself.
pub struct Tool {
    settings: Settings,
    outgoing: Outgoing,
    headers: HeaderMap,
    reports: Reports,
    log: Log,
    table: Option<StatusTable>,
    documents: Option<Documents>,
    clock: Clock,
    _lock: File,
}

impl Tool {
    /// Takes the folder; makes `reports/` and `logs/` in it.
    pub async fn open(mut settings: Settings, clock: Clock) -> Result<Self, ToolError> {
        let outgoing = Outgoing::over(settings.address.scheme(), settings.authority.as_deref());
        let outgoing = outgoing.map_err(|error| {
            ToolError::Setting(format!("the authorities that the API is to be believed by cannot be used: {error}"))
        })?;
        let table = match settings.database.take() {
            Some(address) => Some(StatusTable::at(&address, &settings.folder, &mut settings.mask, clock.clone())?),
            None => None,
        };
        let documents = match settings.mongodb.take() {
            Some(address) => Some(Documents::at(&address, &settings.folder, &mut settings.mask).await?),
            None => None,
        };
        let lock = take(&settings.folder)?;
        let reports = settings.folder.join("reports");
        let reports = Reports::open(reports.clone()).map_err(|error| ToolError::file("use", &reports, &error))?;
        let logs = settings.folder.join("logs");
        let log = Log::open(&logs, settings.log).map_err(|error| ToolError::file("write to", &logs, &error))?;
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, settings.bearer.clone()),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::USER_AGENT, HeaderValue::from_static(concat!("guichet-monitor/", env!("CARGO_PKG_VERSION")))),
        ]);
        Ok(Self { settings, outgoing, headers, reports, log, table, documents, clock, _lock: lock })
    }

    /// What is not wrong and should be known.
    pub fn remarks(&self) -> &[String] {
        &self.settings.remarks
    }

    /// Asks about every application, once, now, and keeps what was found.
    pub async fn check(&self) -> Round {
        let at = self.clock.now();
        let questions = self.settings.apps.iter().map(|app| self.ask(app));
        let results: Vec<Finding> = futures_util::stream::iter(questions).buffered(AT_ONCE).collect().await;
        let (mut troubles, mut records) = (Vec::new(), Vec::new());
        let remarks = self.settings.remarks.iter();
        records.extend(remarks.map(|remark| Record::new(at, Level::Warning, self.settings.mask.over(remark))));
        for finding in &results {
            records.push(Record::of(finding));
            match self.reports.add(finding) {
                Ok(None) => {}
                Ok(Some(aside)) => {
                    let (path, aside) =
                        (self.reports.path(&finding.app, finding.at.day()), aside.display().to_string());
                    let words = format!("{} was no report and is kept as {aside}; a new one is begun", path.display());
                    records.push(Record::new(finding.at, Level::Warning, words.clone()));
                    troubles.push(words);
                }
                Err(error) => {
                    records.push(Record::new(finding.at, Level::Error, error.to_string()));
                    troubles.push(error.to_string());
                }
            }
        }
        if let Some(table) = &self.table
            && let Err(why) = table.add(&results).await
        {
            let words =
                format!("the results are in reports/ and not in the database: {}", self.settings.mask.over(&why));
            records.push(Record::new(self.clock.now(), Level::Error, words.clone()));
            troubles.push(words);
        }
        records.push(summary(self.clock.now(), &results));
        for record in &records {
            self.documents.iter().for_each(|documents| documents.offer(record));
        }
        if let Some(dropped) = self.documents.as_ref().and_then(Documents::dropped) {
            records.push(self.missing(dropped, &mut troubles));
        }
        self.keep(&records, &mut troubles);
        Round { at, results, troubles }
    }

    /// Ends; gives what it could not do, since some of it goes on beside the checks.
    pub async fn close(mut self) -> Vec<String> {
        let mut troubles = Vec::new();
        if let Some(documents) = self.documents.take()
            && let Some(dropped) = documents.close().await
        {
            let record = self.missing(dropped, &mut troubles);
            self.keep(&[record], &mut troubles);
        }
        troubles
    }

    /// That log records are missing in MongoDB: told where it is still possible, in the file.
    fn missing(&self, Dropped { records, why }: Dropped, troubles: &mut Vec<String>) -> Record {
        let words = format!("{records} log records are in logs/ and not in MongoDB: {why}");
        troubles.push(words.clone());
        Record::new(self.clock.now(), Level::Error, words)
    }

    fn keep(&self, records: &[Record], troubles: &mut Vec<String>) {
        if let Some(error) = records.iter().find_map(|record| self.log.write(record).err()) {
            troubles.push(format!("the log {} cannot be written: {error}", self.log.path().display()));
        }
    }

    async fn ask(&self, app: &App) -> Finding {
        let (at, began) = (self.clock.now(), Instant::now());
        let told = self.told(app).await;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let app = app.clone();
        match told {
            Ok(Told { status, response_time, timestamp }) => Finding {
                at,
                app,
                status,
                response_time: Some(response_time),
                timestamp: Some(timestamp),
                took_ms,
                reason: None,
                detail: None,
            },
            Err(Useless { reason, detail }) => Finding {
                at,
                app,
                status: Status::Unknown,
                response_time: None,
                timestamp: None,
                took_ms,
                reason: Some(reason),
                detail: Some(self.settings.mask.over(&detail)),
            },
        }
    }

    async fn told(&self, app: &App) -> Result<Told, Useless> {
        let address = self.settings.address_of(app).map_err(|_| Useless {
            reason: Reason::Unreachable,
            detail: "its name and API_URL do not make an address".to_owned(),
        })?;
        let limits = Limits { time: self.settings.timeout, bytes: MOST_BYTES };
        let answer = self.outgoing.get(&address, self.headers.clone(), limits).await?;
        judge(app, &answer, &self.settings.mask)
    }
}

/// How many do how.
fn summary(at: Timestamp, results: &[Finding]) -> Record {
    let of = |status: Status| results.iter().filter(|it| it.status == status).count();
    let [ok, degraded, down, unknown] = [Status::Ok, Status::Degraded, Status::Down, Status::Unknown].map(of);
    let level = if ok == results.len() { Level::Info } else { Level::Warning };
    let all = results.len();
    Record::new(at, level, format!("checked {all}: {ok} OK, {degraded} DEGRADED, {down} DOWN, {unknown} UNKNOWN"))
}

/// Takes the folder for this process.
fn take(folder: &Path) -> Result<File, ToolError> {
    let path = folder.join(".monitor.lock");
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.map_err(|error| ToolError::file("write to the folder", folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ToolError::Busy(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(ToolError::file("lock", &path, &error)),
    }
}
