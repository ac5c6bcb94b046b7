//! SQLite in place: one writer behind an async mutex, many readers, no thread between.
//!
//! Promises: a commit that returned survives power loss (WAL, `synchronous=FULL`); a session dropped at any moment is
//! rolled back; a statement ends at its deadline. Knows no query by name and no table but the schema's list.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, Value as Raw, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use vocabulary::Timestamp;

use crate::migration::{self, Applied, Migration};
use crate::query::Outcome;
use crate::{Kind, List, Row, StoreError, Value};

const READERS: usize = 16;
/// How long another process may hold the file before a writer gives up.
const FOREIGN_LOCK: Duration = Duration::from_secs(2);
/// How long one waits for the writers before it.
const QUEUE: Duration = Duration::from_secs(20);
/// How long a statement may run.
const READ_LIMIT: Duration = Duration::from_secs(5);
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// A connection and the moment at which its running statement is stopped.
struct Link {
    connection: Connection,
    deadline: Arc<Deadline>,
    limit: Duration,
}

struct Deadline {
    origin: Instant,
    /// Microseconds after `origin`; the highest number is never.
    at: AtomicU64,
}

impl Deadline {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// An open file.
pub(crate) struct Sqlite {
    path: PathBuf,
    identity: (u64, u64),
    writer: Arc<tokio::sync::Mutex<Link>>,
    readers: Arc<Readers>,
    permits: Arc<Semaphore>,
}

struct Readers {
    path: PathBuf,
    limit: Duration,
    idle: Mutex<Vec<Link>>,
}

/// Runs what blocks without holding up the other tasks of this worker.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl Link {
    fn open(path: &Path, limit: Duration, writes: bool) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| unopened(path, &error))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a deadline follows the machine's clock, whatever a test's clock says"
        )]
        let origin = Instant::now();
        let deadline = Arc::new(Deadline { origin, at: AtomicU64::new(u64::MAX) });
        let watched = Arc::clone(&deadline);
        let ready = || -> rusqlite::Result<()> {
            connection.busy_timeout(FOREIGN_LOCK)?;
            connection.set_prepared_statement_cache_capacity(256);
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.pragma_update(None, "wal_autocheckpoint", 20_000)?;
            connection.pragma_update(None, "cache_size", if writes { -65_536 } else { -8_192 })?;
            connection.pragma_update(None, "query_only", !writes)?;
            rusqlite::vtab::array::load_module(&connection)?;
            connection.progress_handler(
                10_000,
                Some(move || {
                    let at = watched.at.load(Ordering::Relaxed);
                    at != u64::MAX && watched.elapsed() > at
                }),
            )
        };
        ready().map_err(|error| match failure("open", &error) {
            StoreError::Busy => StoreError::Locked { what: path.display().to_string() },
            _ => unopened(path, &error),
        })?;
        Ok(Self { connection, deadline, limit })
    }

    /// Runs one statement, stopped at the limit.
    fn within<T>(&self, name: &str, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let limit = u64::try_from(self.limit.as_micros()).unwrap_or(u64::MAX);
        self.deadline.at.store(self.deadline.elapsed().saturating_add(limit), Ordering::Relaxed);
        let done = work(&self.connection);
        self.deadline.at.store(u64::MAX, Ordering::Relaxed);
        done.map_err(|error| failure(name, &error))
    }
}

fn unopened(path: &Path, error: &rusqlite::Error) -> StoreError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "it is not an SQLite database".to_owned(),
        _ => error.to_string(),
    };
    StoreError::Configuration(format!("cannot open the database {}: {reason}", path.display()))
}

impl Sqlite {
    pub(crate) fn open(path: &Path, limit: Option<Duration>) -> Result<Self, StoreError> {
        let unusable = |error: std::io::Error| {
            StoreError::Configuration(format!("cannot open the database {}: {error}", path.display()))
        };
        // Made by hand so that it is never readable by others; SQLite gives its side files the same mode.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unusable(error)),
        }
        let writer = in_place(|| Link::open(path, WRITE_LIMIT, true))?;
        let identity = identity(path).map_err(unusable)?;
        Ok(Self {
            path: path.to_owned(),
            identity,
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            readers: Arc::new(Readers {
                path: path.to_owned(),
                limit: limit.unwrap_or(READ_LIMIT),
                idle: Mutex::new(Vec::new()),
            }),
            permits: Arc::new(Semaphore::new(READERS)),
        })
    }

    pub(crate) async fn migrate(&self, service: &[Migration], at: Timestamp) -> Result<(), StoreError> {
        let writer = self.writer.lock().await;
        in_place(|| {
            let begun = writer.within("begin", |connection| connection.execute_batch("begin immediate"));
            begun.map_err(|error| match error {
                StoreError::Busy => StoreError::Locked { what: self.path.display().to_string() },
                other => other,
            })?;
            let done = migrate(&writer, service, at)
                .and_then(|()| writer.within("commit", |connection| connection.execute_batch("commit")));
            if done.is_err() {
                roll_back(&writer);
            }
            done
        })
    }

    pub(crate) async fn begin(&self) -> Result<Session, StoreError> {
        let guard = timeout(QUEUE, Arc::clone(&self.writer).lock_owned()).await.map_err(|_| StoreError::Busy)?;
        in_place(|| guard.within("begin", |connection| connection.execute_batch("begin immediate")))?;
        Ok(Session(Held::Writer(guard)))
    }

    pub(crate) async fn read(&self) -> Result<Session, StoreError> {
        let permit = timeout(QUEUE, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Busy)?;
        let idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let link = match idle {
            Some(link) => link,
            None => in_place(|| Link::open(&self.readers.path, self.readers.limit, false))?,
        };
        let session = Session(Held::Reader { link: Some(link), readers: Arc::clone(&self.readers), _permit: permit });
        session.link()?.within("begin", |connection| connection.execute_batch("begin"))?;
        Ok(session)
    }

    /// Is the file still ours, and could it be read and written now?
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let now = identity(&self.path)
            .map_err(|error| StoreError::Unavailable(format!("the file {} is gone: {error}", self.path.display())))?;
        if now != self.identity {
            return Err(StoreError::Unavailable(format!("the file {} was replaced", self.path.display())));
        }
        let writer = timeout(FOREIGN_LOCK, self.writer.lock()).await.map_err(|_| StoreError::Busy)?;
        in_place(|| {
            let begun = writer.within("ping", |connection| {
                connection.execute_batch("begin immediate; select count(*) from migrations;")
            });
            roll_back(&writer);
            begun
        })
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|data| (data.dev(), data.ino()))
}

fn roll_back(link: &Link) {
    link.deadline.at.store(u64::MAX, Ordering::Relaxed);
    if !link.connection.is_autocommit()
        && let Err(error) = link.connection.execute_batch("rollback")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn migrate(writer: &Link, service: &[Migration], at: Timestamp) -> Result<(), StoreError> {
    writer.within("migrations", |connection| connection.execute_batch(migration::HISTORY))?;
    let applied = writer.within("migrations", |connection| {
        let mut statement = connection.prepare(migration::READ_HISTORY)?;
        let rows = statement
            .query_map([], |row| Ok(Applied { part: row.get(0)?, number: row.get(1)?, digest: row.get(2)? }))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    for step in migration::plan(Kind::Sqlite, &applied, service, at)? {
        // No deadline here: a migration takes as long as it takes.
        let ran = writer.connection.execute_batch(step.migration.sqlite);
        ran.map_err(|error| step.migration.failed(&failure(step.migration.name, &error)))?;
        let row = (step.part, step.migration.number, step.migration.name, step.digest, step.at.micros());
        writer.within("migrations", |connection| connection.execute(migration::WRITE_HISTORY, row))?;
    }
    Ok(())
}

/// One transaction. Dropped without [`Session::commit`], it is rolled back.
pub(crate) struct Session(Held);

#[expect(clippy::large_enum_variant, reason = "one for each transaction; a box would cost more than it saves")]
enum Held {
    Writer(OwnedMutexGuard<Link>),
    Reader { link: Option<Link>, readers: Arc<Readers>, _permit: OwnedSemaphorePermit },
}

impl Session {
    fn link(&self) -> Result<&Link, StoreError> {
        match &self.0 {
            Held::Writer(guard) => Ok(guard),
            Held::Reader { link, .. } => link.as_ref().ok_or(StoreError::Aborted),
        }
    }

    /// Writers may wait for the disk; readers answer in microseconds and stay where they are.
    fn work<T>(&self, work: impl FnOnce(&Link) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let link = self.link()?;
        match &self.0 {
            Held::Writer(_) => in_place(|| work(link)),
            Held::Reader { .. } => work(link),
        }
    }

    pub(crate) fn rows(&self, name: &'static str, sql: &str, params: &[Value]) -> Result<Outcome, StoreError> {
        self.work(|link| {
            link.within(name, |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                let names: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
                let mut found = statement.raw_query();
                let mut rows = Vec::new();
                while let Some(row) = found.next()? {
                    let values =
                        (0..names.len()).map(|at| row.get_ref(at).and_then(value)).collect::<Result<_, _>>()?;
                    rows.push(Row::new(Arc::clone(&names), values));
                }
                Ok(Outcome { name, rows, affected: 0 })
            })
        })
    }

    pub(crate) fn execute(&self, name: &'static str, sql: &str, params: &[Value]) -> Result<Outcome, StoreError> {
        self.work(|link| {
            link.within(name, |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                let affected = u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX);
                Ok(Outcome { name, rows: Vec::new(), affected })
            })
        })
    }

    /// The same statement once per element of the lists, prepared once.
    pub(crate) fn bulk(&self, name: &'static str, sql: &str, lists: &[&List], count: usize) -> Result<u64, StoreError> {
        self.work(|link| {
            link.within(name, |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                let order = order(&statement, lists.len())?;
                let mut affected = 0_u64;
                for at in 0..count {
                    for (index, list) in (1..).zip(order.iter().filter_map(|number| lists.get(*number))) {
                        statement.raw_bind_parameter(index, element(list, at))?;
                    }
                    affected = affected.saturating_add(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX));
                }
                Ok(affected)
            })
        })
    }

    pub(crate) fn script(&self, name: &'static str, sql: &str) -> Result<(), StoreError> {
        self.work(|link| link.within(name, |connection| connection.execute_batch(sql)))
    }

    pub(crate) fn prepare(&self, name: &str, sql: &str) -> Result<(), StoreError> {
        self.work(|link| link.within(name, |connection| connection.prepare(sql).map(drop)))
    }

    pub(crate) fn commit(&self) -> Result<(), StoreError> {
        self.work(|link| link.within("commit", |connection| connection.execute_batch("commit")))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        match &mut self.0 {
            Held::Writer(guard) => roll_back(guard),
            Held::Reader { link, readers, .. } => {
                if let Some(link) = link.take() {
                    roll_back(&link);
                    if link.connection.is_autocommit() {
                        readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
                    }
                }
            }
        }
    }
}

/// Which of our parameters stands at each of SQLite's places: it numbers `$2` before `$1` when it meets it first.
fn order(statement: &Statement<'_>, given: usize) -> rusqlite::Result<Vec<usize>> {
    let places = 1..=statement.parameter_count();
    let order: Vec<usize> = places
        .map(|place| {
            let name = statement.parameter_name(place).unwrap_or("?");
            let number = name.get(1..).and_then(|digits| digits.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
            number.filter(|number| *number < given).ok_or(rusqlite::Error::InvalidParameterCount(given, place))
        })
        .collect::<rusqlite::Result<_>>()?;
    if (0..given).all(|number| order.contains(&number)) {
        Ok(order)
    } else {
        Err(rusqlite::Error::InvalidParameterCount(given, order.len()))
    }
}

fn bind(statement: &mut Statement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    for (index, number) in (1..).zip(order(statement, params.len())?) {
        match params.get(number) {
            None | Some(Value::Null) => statement.raw_bind_parameter(index, rusqlite::types::Null)?,
            Some(Value::Bool(it)) => statement.raw_bind_parameter(index, it)?,
            Some(Value::Int(it)) => statement.raw_bind_parameter(index, it)?,
            Some(Value::Text(it)) => statement.raw_bind_parameter(index, it)?,
            Some(Value::Bytes(it)) => statement.raw_bind_parameter(index, it)?,
            Some(Value::Uuid(it)) => statement.raw_bind_parameter(index, it.as_bytes().as_slice())?,
            Some(Value::List(list)) => {
                let items: Vec<Raw> = (0..list.len()).map(|at| owned(element(list, at))).collect();
                // Not as an `Rc`: rusqlite 0.39 lets go of its list without freeing what is in it.
                statement.raw_bind_parameter(index, ToSqlOutput::new_boxed(items, c"rarray"))?;
            }
        }
    }
    Ok(())
}

fn element(list: &List, at: usize) -> ToSqlOutput<'_> {
    let value = match list {
        List::Bools(items) => items.get(at).copied().flatten().map(|it| ValueRef::Integer(it.into())),
        List::Ints(items) => items.get(at).copied().flatten().map(ValueRef::Integer),
        List::Texts(items) => items.get(at).and_then(Option::as_ref).map(|it| ValueRef::Text(it.as_bytes())),
        List::Bytes(items) => items.get(at).and_then(Option::as_ref).map(|it| ValueRef::Blob(it)),
        List::Uuids(items) => items.get(at).and_then(Option::as_ref).map(|it| ValueRef::Blob(it.as_bytes())),
    };
    ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null))
}

fn owned(output: ToSqlOutput<'_>) -> Raw {
    match output {
        ToSqlOutput::Borrowed(ValueRef::Integer(it)) => Raw::Integer(it),
        ToSqlOutput::Borrowed(ValueRef::Text(it)) => Raw::Text(String::from_utf8_lossy(it).into_owned()),
        ToSqlOutput::Borrowed(ValueRef::Blob(it)) => Raw::Blob(it.to_vec()),
        _ => Raw::Null,
    }
}

fn value(found: ValueRef<'_>) -> rusqlite::Result<Value> {
    match found {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(it) => Ok(Value::Int(it)),
        ValueRef::Text(it) => Ok(Value::Text(std::str::from_utf8(it)?.to_owned())),
        ValueRef::Blob(it) => Ok(Value::Bytes(it.to_vec())),
        ValueRef::Real(_) => Err(rusqlite::Error::InvalidColumnType(
            0,
            "a floating-point number".to_owned(),
            rusqlite::types::Type::Real,
        )),
    }
}

fn failure(query: &str, error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Database { query: query.to_owned(), reason: text };
    };
    match code {
        ErrorCode::ConstraintViolation => StoreError::Constraint(constraint(&text)),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::OperationInterrupted => StoreError::TooSlow,
        ErrorCode::DiskFull
        | ErrorCode::CannotOpen
        | ErrorCode::SystemIoFailure
        | ErrorCode::ReadOnly
        | ErrorCode::DatabaseCorrupt
            if query != "open" =>
        {
            StoreError::Unavailable(text)
        }
        _ => StoreError::Database { query: query.to_owned(), reason: text },
    }
}

/// `UNIQUE constraint failed: transfers.key` is `transfers_key`, as PostgreSQL would call it.
fn constraint(text: &str) -> String {
    let Some((what, rest)) = text.split_once(" constraint failed") else { return text.to_owned() };
    let rest = rest.trim_start_matches(": ");
    if what.ends_with("FOREIGN KEY") {
        return "foreign_key".to_owned();
    }
    if let Some(index) = rest.strip_prefix("index ") {
        return index.trim_matches('\'').to_owned();
    }
    let mut parts = rest.split(", ");
    let first = parts.next().unwrap_or_default().replace('.', "_");
    parts.fold(first, |name, part| format!("{name}_{}", part.rsplit('.').next().unwrap_or(part)))
}
