//! The table `app_status`, in MySQL or MariaDB, PostgreSQL or SQLite: a row for each finding, beside its report.
//!
//! Promises: the findings of one check are there together or not at all; the table is made where it is missing; a server that
//! is away or slow costs a bounded time; what went wrong is told without the server's words, which may repeat ours. Nothing
//! that holds a password is sent without encryption but within this machine.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts, TxOpts};
use store::{Affected, Database, Migration, Query, Store, StoreError, params};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use vocabulary::{Clock, Timestamp};

use super::ToolError;
use super::application::Finding;
use super::secret::{Mask, Secret};
use super::settings::is_near;

const MIGRATIONS: &[Migration] = &[store::migration!(
    part "app_status",
    1,
    "app_status",
    "sql/migrations/sqlite/0001_app_status.sql",
    "sql/migrations/postgres/0001_app_status.sql"
)];
const SQL: &str = include_str!("sql/app_status.sql");
const ADD_STATUS: Query<Affected> = Query::find(SQL, "add_status");
const MYSQL_CREATE: &str = include_str!("sql/mysql/create.sql");
const MYSQL_INSERT: &str = include_str!("sql/mysql/insert.sql");

/// How long a server may take for all of one check.
const PATIENCE: Duration = Duration::from_secs(10);
/// What MySQL answers where a table is missing.
const NO_SUCH_TABLE: u16 = 1146;

/// The table, wherever it is.
pub(crate) struct StatusTable {
    place: Place,
    clock: Clock,
}

enum Place {
    MySql(Opts),
    Store(Box<Database>, OnceCell<Store>),
}

impl StatusTable {
    /// At `address`; nobody is asked yet. Its password is masked from now on.
    /// Files that it names are looked for in `folder`.
    pub(crate) fn at(address: &Secret, folder: &Path, mask: &mut Mask, clock: Clock) -> Result<Self, ToolError> {
        let text = address.reveal().trim();
        mask.add_address(text);
        let place = if text.starts_with("mysql://") || text.starts_with("mariadb://") {
            Place::MySql(
                mysql(text, folder, mask).map_err(|why| ToolError::Setting(format!("REPORTS_DATABASE_URL {why}")))?,
            )
        } else {
            let database = text.parse::<Database>().map_err(|error| {
                let words = mask.over(&error.to_string());
                ToolError::Setting(format!(
                    "REPORTS_DATABASE_URL: {words}; or write mysql://user:password@host:3306/database"
                ))
            })?;
            let database = match database {
                Database::Sqlite { path } => Database::Sqlite { path: folder.join(path) },
                other @ Database::Postgres(_) => other,
            };
            Place::Store(Box::new(database), OnceCell::new())
        };
        Ok(Self { place, clock })
    }

    /// Adds a row for each finding.
    pub(crate) async fn add(&self, findings: &[Finding]) -> Result<(), String> {
        let added = async {
            match &self.place {
                Place::MySql(opts) => add_to_mysql(opts.clone(), findings).await.map_err(|error| mysql_words(&error)),
                Place::Store(database, store) => {
                    let opened = store.get_or_try_init(|| Store::open(database, MIGRATIONS, self.clock.clone()));
                    let added = async { add_to_store(opened.await?, findings).await };
                    added.await.map_err(|error| error.to_string())
                }
            }
        };
        timeout(PATIENCE, added).await.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    }
}

async fn add_to_store(store: &Store, findings: &[Finding]) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    for finding in findings {
        let time = finding.response_time.map(|seconds| seconds.to_string());
        let row = params![in_sql(finding.at), finding.app.as_str(), finding.status.name(), time];
        transaction.run(&ADD_STATUS, row).await?;
    }
    transaction.commit().await
}

/// `2026-11-21 09:30:00`, in UTC.
fn in_sql(at: Timestamp) -> String {
    let utc = at.utc();
    format!("{} {:02}:{:02}:{:02}", at.day(), utc.hour(), utc.minute(), utc.second())
}

async fn add_to_mysql(opts: Opts, findings: &[Finding]) -> Result<(), mysql_async::Error> {
    let mut connection = Conn::new(opts).await?;
    let added = match insert(&mut connection, findings).await {
        // Made only where it is missing: who may write need not be allowed to make tables.
        Err(mysql_async::Error::Server(error)) if error.code == NO_SUCH_TABLE => {
            connection.query_drop(MYSQL_CREATE).await?;
            insert(&mut connection, findings).await
        }
        other => other,
    };
    let _ = connection.disconnect().await;
    added
}

async fn insert(connection: &mut Conn, findings: &[Finding]) -> Result<(), mysql_async::Error> {
    let mut transaction = connection.start_transaction(TxOpts::default()).await?;
    let rows = findings.iter().map(|finding| {
        (in_sql(finding.at), finding.app.as_str().to_owned(), finding.status.name(), finding.response_time)
    });
    transaction.exec_batch(MYSQL_INSERT, rows.collect::<Vec<_>>()).await?;
    transaction.commit().await
}

/// `mysql://user:password@host:port/database?ssl-ca=FILE`.
fn mysql(text: &str, folder: &Path, mask: &mut Mask) -> Result<Opts, &'static str> {
    const FORM: &str = "is no address such as mysql://user:password@host:3306/database?ssl-ca=ca.pem";
    let (base, options) = text.split_once('?').map_or((text, None), |(base, options)| (base, Some(options)));
    let ca = match options {
        None => None,
        Some(options) => {
            Some(options.strip_prefix("ssl-ca=").filter(|file| !file.is_empty() && !file.contains('&')).ok_or(
                "has an option that is not known: there is one, ssl-ca=FILE, the certificate of the server's authority",
            )?)
        }
    };
    let base = base.replacen("mariadb://", "mysql://", 1);
    let opts = Opts::from_url(&base).map_err(|_| FORM)?;
    if opts.db_name().is_none_or(str::is_empty) {
        return Err("names no database; write mysql://user:password@host:3306/database");
    }
    if let Some(password) = opts.pass() {
        mask.add(Secret::new(password));
    }
    if ca.is_none() && !is_near(opts.ip_or_hostname()) {
        return Err(
            "leads to another machine without encryption: add ?ssl-ca=FILE, the certificate of the server's authority",
        );
    }
    if ca.is_some_and(|file| !folder.join(file).is_file()) {
        return Err("names with ssl-ca a file that is not there");
    }
    let tls = ca.map(|file| {
        let authority = folder.join(file);
        // Nobody but that one is believed.
        SslOpts::default().with_root_certs(vec![authority.into()]).with_disable_built_in_roots(true)
    });
    Ok(OptsBuilder::from_opts(opts).ssl_opts(tls).prefer_socket(false).into())
}

/// In our words: a server's may hold anything.
fn mysql_words(error: &mysql_async::Error) -> String {
    use mysql_async::{Error, IoError};
    match error {
        Error::Server(error) => match error.code {
            1044 | 1142 => "the server does not let this user do that".to_owned(),
            1045 | 1698 => "the server refuses the user or the password".to_owned(),
            1049 => "there is no such database on the server".to_owned(),
            1054 => "the table app_status has other columns than it should".to_owned(),
            code => format!("the server answers with error {code}"),
        },
        Error::Io(IoError::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "nobody listens there".to_owned()
        }
        Error::Io(IoError::Io(error)) if is_about_tls(error) => "no trustworthy TLS with the server".to_owned(),
        Error::Io(IoError::Tls(_)) => "no trustworthy TLS with the server".to_owned(),
        Error::Io(_) => "the connection breaks off".to_owned(),
        _ => "the server does not answer as MySQL or MariaDB does".to_owned(),
    }
}

fn is_about_tls(error: &std::io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}
