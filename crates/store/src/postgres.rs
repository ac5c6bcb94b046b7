//! PostgreSQL over mutual TLS: a small pool of writers and one of readers.
//!
//! Promises: a commit that returned is on the server's disk; a session dropped at any moment is rolled back, or its
//! connection thrown away; a commit once begun goes on without its caller. Writers keep one plan per statement, so that
//! a table that was empty when it was planned does not slow a batch down later.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Statement};
use vocabulary::Timestamp;

use crate::migration::{self, Applied, Migration};
use crate::postgres_value::decode;
use crate::query::Outcome;
use crate::tls::{Encryption, Noted, Tls};
use crate::{Kind, PostgresConfig, Row, StoreError, Value};

/// How long one waits for a connection of the pool.
const QUEUE: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);
const READ_LIMIT: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(2);

const WRITER: &str = "set synchronous_commit = on; set enable_seqscan = off; set plan_cache_mode = force_generic_plan; \
                      set statement_timeout = '30s'; set lock_timeout = '10s'; set idle_in_transaction_session_timeout = '60s'";
/// The number means nothing but that every process of this program asks for the same lock.
const MIGRATION_LOCK: &str = "set local statement_timeout = 0; set local lock_timeout = 0; \
                              select pg_advisory_xact_lock(7115117399)";

/// A server, through its two pools.
pub(crate) struct Postgres {
    writers: Arc<Pool>,
    readers: Arc<Pool>,
    noted: Noted,
}

struct Pool {
    config: PostgresConfig,
    noted: Noted,
    settings: String,
    begin: &'static str,
    idle: Mutex<Vec<Link>>,
    permits: Arc<Semaphore>,
}

/// A connection and the statements prepared on it.
struct Link {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    /// When the files were written with which it began.
    proofs: Proofs,
}

impl Postgres {
    pub(crate) fn open(config: &PostgresConfig, limit: Option<Duration>) -> Result<Self, StoreError> {
        let noted = Noted::default();
        // Read once here so that a missing file is told at the start.
        Tls::read(config, &noted)?;
        let limit = limit.unwrap_or(READ_LIMIT).as_millis();
        // Read-only whatever happens, so that BEGIN may travel with the first query.
        let reader = format!(
            "set statement_timeout = {limit}; set idle_in_transaction_session_timeout = '60s'; \
             set default_transaction_read_only = on; set default_transaction_isolation = 'repeatable read'"
        );
        let pool = |settings: String, begin| {
            let permits = Arc::new(Semaphore::new(config.connections));
            let (config, noted, idle) = (config.clone(), noted.clone(), Mutex::new(Vec::new()));
            Arc::new(Pool { config, noted, settings, begin, idle, permits })
        };
        Ok(Self {
            writers: pool(WRITER.to_owned(), "begin"),
            readers: pool(reader, "begin isolation level repeatable read, read only"),
            noted,
        })
    }

    /// Where the server is, and what the last connection to it agreed on.
    pub(crate) fn encryption(&self) -> (String, Option<Encryption>) {
        let PostgresConfig { host, port, .. } = &self.writers.config;
        (format!("{host}:{port}"), self.noted.last())
    }

    pub(crate) async fn begin(&self) -> Result<Session, StoreError> {
        let mut session = Session::take(&self.writers).await?;
        session.begun().await?;
        Ok(session)
    }

    pub(crate) async fn read(&self) -> Result<Session, StoreError> {
        Session::take(&self.readers).await
    }

    /// Does the server answer, and would it take a write?
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let asked = async {
            let mut session = self.begin().await?;
            let sql = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean";
            let outcome = session.rows("ping", sql, &[]).await?;
            match outcome.rows.into_iter().next().map(|row| row.first::<bool>("ping")).transpose()? {
                Some(false) => Ok(()),
                _ => Err(StoreError::Unavailable("the server takes no writes".to_owned())),
            }
        };
        timeout(PING, asked)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the server did not answer in time".to_owned())))
    }

    pub(crate) async fn migrate(&self, service: &[Migration], at: Timestamp) -> Result<(), StoreError> {
        let mut session = self.begin().await?;
        session.script("migrations", MIGRATION_LOCK).await?;
        session.script("migrations", migration::HISTORY).await?;
        let outcome = session.rows("migrations", migration::READ_HISTORY, &[]).await?;
        let applied = outcome
            .rows
            .iter()
            .map(|row| Ok(Applied { part: row.get("part")?, number: row.get("number")?, digest: row.get("digest")? }));
        let applied = applied.collect::<Result<Vec<_>, StoreError>>()?;
        let steps = migration::plan(Kind::Postgres, &applied, service, at)?;
        if steps.is_empty() {
            return Ok(());
        }
        for step in steps {
            let ran = session.script(step.migration.name, step.migration.postgres).await;
            ran.map_err(|error| step.migration.failed(&error))?;
            let row = crate::params![step.part, step.migration.number, step.migration.name, step.digest, step.at];
            session.execute("migrations", migration::WRITE_HISTORY, row).await?;
        }
        session.commit(None).await
    }
}

impl Pool {
    async fn link(&self) -> Result<Link, StoreError> {
        // What was renewed or taken back counts from the next transaction on: a session need not outlive its certificate,
        // nor our belief in the server's.
        let proofs = Proofs::of(&self.config);
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(link) if link.client.is_closed() || link.proofs != proofs => {}
                Some(link) => return Ok(link),
                None => break,
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<Link, StoreError> {
        // Looked at before: if it is replaced meanwhile, this connection is given up once too often, never too late.
        let proofs = Proofs::of(&self.config);
        let client = connect(&self.config, &self.noted).await?;
        client.batch_execute(&self.settings).await.map_err(|error| failure("settings", &error))?;
        Ok(Link { client, statements: HashMap::new(), proofs })
    }
}

/// When our certificate and the revocation lists were written.
#[derive(PartialEq, Eq)]
struct Proofs(Option<SystemTime>, Option<SystemTime>);

impl Proofs {
    fn of(config: &PostgresConfig) -> Self {
        Self(written(&config.certificate), config.revocation_list.as_deref().and_then(written))
    }
}

/// When a file was last written, by the file system's word.
fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

/// Connects; the connection's own task ends when the client is dropped.
async fn connect(config: &PostgresConfig, noted: &Noted) -> Result<Client, StoreError> {
    let tls = Tls::read(config, noted)?;
    let mut wanted = Config::new();
    wanted
        .host(&config.host)
        .port(config.port)
        .user(&config.user)
        .dbname(&config.database)
        .application_name("guichet")
        .ssl_mode(tokio_postgres::config::SslMode::Require)
        .connect_timeout(CONNECT)
        .tcp_user_timeout(Duration::from_secs(20))
        .keepalives_idle(Duration::from_secs(30));
    if let Some(passfile) = &config.passfile {
        let password = std::fs::read_to_string(passfile)
            .map_err(|error| StoreError::Configuration(format!("cannot read {}: {error}", passfile.display())))?;
        wanted.password(password.trim_end_matches(['\r', '\n']));
    }
    let connected = timeout(CONNECT.saturating_mul(2), wanted.connect(tls)).await;
    let connected = connected.map_err(|_| StoreError::Unavailable("the server did not answer in time".to_owned()))?;
    let (client, connection) = connected.map_err(|error| match failure("connect", &error) {
        StoreError::Database { reason, .. } => {
            StoreError::Unavailable(format!("{}:{} refused: {reason}", config.host, config.port))
        }
        other => other,
    })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database broke");
        }
    });
    Ok(client)
}

/// Runs one statement outside any transaction, on a connection of its own.
pub(crate) async fn run_once(config: &PostgresConfig, sql: &str) -> Result<(), StoreError> {
    connect(config, &Noted::default()).await?.batch_execute(sql).await.map_err(|error| failure("run", &error))
}

/// A write that goes out with the commit: its name, its text, its parameters.
pub(crate) type Last = (&'static str, &'static str, Vec<Value>);

/// One transaction. Dropped without [`Session::commit`], it is rolled back by a task of its own.
pub(crate) struct Session {
    held: Option<Held>,
    begun: bool,
    runtime: Handle,
}

struct Held {
    link: Link,
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
}

impl Session {
    /// A connection on which nothing was sent yet.
    async fn take(pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let permit = timeout(QUEUE, Arc::clone(&pool.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Busy)?;
        let link = pool.link().await?;
        let held = Held { link, pool: Arc::clone(pool), permit };
        Ok(Self { held: Some(held), begun: false, runtime: Handle::current() })
    }

    /// Sends BEGIN unless it was. The guard stands before: dropped while waiting for the answer, it rolls back.
    async fn begun(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let held = self.held.as_mut().ok_or(StoreError::Aborted)?;
        match held.link.script("begin", held.pool.begin).await {
            Err(StoreError::Unavailable(_)) => {
                held.again().await?;
                held.link.script("begin", held.pool.begin).await
            }
            begun => begun,
        }
    }

    /// BEGIN and the first query in one go: half the waiting of a short read. For read-only sessions.
    async fn first_rows(
        &mut self,
        name: &'static str,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Outcome, StoreError> {
        self.begun = true;
        let held = self.held.as_mut().ok_or(StoreError::Aborted)?;
        match held.first_rows(name, sql, params).await {
            Err(StoreError::Unavailable(_)) => {
                held.again().await?;
                held.first_rows(name, sql, params).await
            }
            done => done,
        }
    }

    fn link(&mut self) -> Result<&mut Link, StoreError> {
        self.held.as_mut().map(|held| &mut held.link).ok_or(StoreError::Aborted)
    }

    pub(crate) async fn rows(
        &mut self,
        name: &'static str,
        sql: &str,
        params: &[Value],
    ) -> Result<Outcome, StoreError> {
        self.begun().await?;
        let link = self.link()?;
        let statement = link.client.prepare(sql).await.map_err(|error| failure(name, &error))?;
        link.rows(name, &statement, params).await
    }

    /// Like [`Session::rows`], with the statement kept for the next time.
    pub(crate) async fn kept_rows(
        &mut self,
        name: &'static str,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Outcome, StoreError> {
        if !self.begun {
            return self.first_rows(name, sql, params).await;
        }
        let link = self.link()?;
        let statement = link.prepared(name, sql).await?;
        let done = link.rows(name, &statement, params).await;
        link.judged(sql, done)
    }

    pub(crate) async fn execute(
        &mut self,
        name: &'static str,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Outcome, StoreError> {
        self.begun().await?;
        let link = self.link()?;
        let statement = link.prepared(name, sql).await?;
        let params = given(name, &statement, params)?;
        let done = link.client.execute(&statement, &params).await.map_err(|error| failure(name, &error));
        let affected = link.judged(sql, done)?;
        Ok(Outcome { name, rows: Vec::new(), affected })
    }

    pub(crate) async fn script(&mut self, name: &str, sql: &str) -> Result<(), StoreError> {
        self.begun().await?;
        self.link()?.script(name, sql).await
    }

    pub(crate) async fn prepare(&mut self, name: &str, sql: &str) -> Result<(), StoreError> {
        self.begun().await?;
        self.link()?.client.prepare(sql).await.map(drop).map_err(|error| failure(name, &error))
    }

    /// In a task of its own: dropping this future does not stop it. `last` is sent together with the commit.
    pub(crate) async fn commit(mut self, last: Option<Last>) -> Result<(), StoreError> {
        self.begun().await?;
        let held = self.held.take().ok_or(StoreError::Aborted)?;
        let task = self.runtime.spawn(async move {
            match last {
                Some(last) => held.end_with(last).await,
                None => held.end("commit").await,
            }
        });
        task.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the commit was cut off".to_owned())))
    }
}

impl Held {
    /// Another connection in place of one that broke while it was idle. Only while nothing was done on it.
    async fn again(&mut self) -> Result<(), StoreError> {
        self.link = self.pool.connect().await?;
        Ok(())
    }

    async fn first_rows(
        &mut self,
        name: &'static str,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Outcome, StoreError> {
        let statement = self.link.prepared(name, sql).await?;
        let (begun, done) = tokio::join!(
            biased;
            self.link.script("begin", self.pool.begin),
            self.link.rows(name, &statement, params)
        );
        begun?;
        self.link.judged(sql, done)
    }

    /// Sends a last write and the commit in one go; when the write fails, the server makes the commit a rollback.
    async fn end_with(mut self, (name, sql, params): Last) -> Result<(), StoreError> {
        let statement = self.link.prepared(name, sql).await?;
        let params = given(name, &statement, &params)?;
        let client = &self.link.client;
        let (wrote, ended) = tokio::join!(biased; client.execute(&statement, &params), self.ended("commit"));
        wrote.map_err(|error| failure(name, &error))?;
        ended?;
        self.give_back();
        Ok(())
    }

    /// Ends the transaction; a connection that cannot is thrown away with it.
    async fn end(self, how: &'static str) -> Result<(), StoreError> {
        self.ended(how).await?;
        self.give_back();
        Ok(())
    }

    async fn ended(&self, how: &'static str) -> Result<(), StoreError> {
        self.link.client.batch_execute(how).await.map_err(|error| match failure(how, &error) {
            StoreError::TooSlow | StoreError::Busy => StoreError::Unavailable(error.to_string()),
            other => other,
        })
    }

    fn give_back(self) {
        let Self { link, pool, permit } = self;
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        drop(permit);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            if !self.begun {
                held.give_back();
                return;
            }
            self.runtime.spawn(async move {
                if let Err(error) = held.end("rollback").await {
                    tracing::debug!(%error, "a connection was thrown away instead of rolled back");
                }
            });
        }
    }
}

impl Link {
    async fn script(&self, name: &str, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|error| failure(name, &error))
    }

    /// Forgets a statement that failed: its plan may belong to a table that was changed since.
    fn judged<T>(&mut self, sql: &'static str, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_err() {
            self.statements.remove(sql);
        }
        done
    }

    async fn prepared(&mut self, name: &str, sql: &'static str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await.map_err(|error| failure(name, &error))?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    async fn rows(&self, name: &'static str, statement: &Statement, params: &[Value]) -> Result<Outcome, StoreError> {
        let params = given(name, statement, params)?;
        let found = self.client.query(statement, &params).await.map_err(|error| failure(name, &error))?;
        let names: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let rows = found.iter().map(|row| {
            let values = (0..names.len()).map(|at| decode(row, at)).collect::<Result<_, _>>();
            values.map(|values| Row::new(Arc::clone(&names), values))
        });
        let rows = rows.collect::<Result<_, String>>();
        let rows = rows.map_err(|reason| StoreError::Database { query: name.to_owned(), reason })?;
        Ok(Outcome { name, rows, affected: 0 })
    }
}

fn given<'a>(
    name: &str,
    statement: &Statement,
    params: &'a [Value],
) -> Result<Vec<&'a (dyn ToSql + Sync)>, StoreError> {
    let wanted = statement.params().len();
    if wanted != params.len() {
        let reason = format!("it takes {wanted} parameters and was given {}", params.len());
        return Err(StoreError::Database { query: name.to_owned(), reason });
    }
    Ok(params.iter().map(|value| value as &(dyn ToSql + Sync)).collect())
}

fn failure(query: &str, error: &tokio_postgres::Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        // What is no answer of the server is either our parameter or a broken connection.
        return if error.is_closed()
            || reason.starts_with("error communicating")
            || reason.starts_with("error connecting")
        {
            StoreError::Unavailable(reason)
        } else {
            StoreError::Database { query: query.to_owned(), reason }
        };
    };
    let code = told.code().code();
    match code {
        "23503" => StoreError::Constraint("foreign_key".to_owned()),
        "23502" => StoreError::Constraint(format!(
            "{}_{}",
            told.table().unwrap_or_default(),
            told.column().unwrap_or_default()
        )),
        _ if code.starts_with("23") => {
            StoreError::Constraint(told.constraint().map_or_else(|| told.message().to_owned(), str::to_owned))
        }
        "40001" | "40P01" | "55P03" => StoreError::Busy,
        // "cached plan must not change result type": prepared again the next time.
        "0A000" if told.message().starts_with("cached plan") => StoreError::Busy,
        "57014" => StoreError::TooSlow,
        "53300" | "57P01" | "57P02" | "57P03" | "25P03" | "25006" => StoreError::Unavailable(told.message().to_owned()),
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("58") => {
            StoreError::Unavailable(told.message().to_owned())
        }
        _ => StoreError::Database { query: query.to_owned(), reason: told.message().to_owned() },
    }
}
