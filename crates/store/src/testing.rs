//! Fresh databases for tests, real ones: SQLite always, PostgreSQL where a server is named.
//!
//! `GUICHET_TEST_POSTGRES` holds the address of a server (`postgres://role@host:port/database?sslrootcert=…`) whose role
//! may create databases; `GUICHET_TEST_REQUIRE_POSTGRES=1` makes its absence a failure.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::str::FromStr;

use vocabulary::Chance;

use crate::{Database, Kind, PostgresConfig, StoreError, postgres};

/// A fresh and empty database, removed when this is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    /// Where it is.
    pub database: Database,
    remains: Remains,
}

#[derive(Debug)]
enum Remains {
    Directory(PathBuf),
    Server(PostgresConfig),
}

/// A fresh database of each kind that can be tested here.
pub async fn databases() -> Result<Vec<TestDatabase>, StoreError> {
    let mut databases = vec![TestDatabase::sqlite()?];
    if let Some(address) = named_server()? {
        databases.push(TestDatabase::postgres(&address).await?);
    }
    Ok(databases)
}

/// A fresh PostgreSQL database for each of several services, and the address they share, with `{service}` in its place;
/// `None` where no server is named.
pub async fn postgres_for(services: &[&str]) -> Result<Option<(String, Vec<TestDatabase>)>, StoreError> {
    let Some(address) = named_server()? else { return Ok(None) };
    let (place, options) = address.split_once('?').unwrap_or((&address, ""));
    let server = place.rsplit_once('/').map_or(place, |(server, _)| server);
    let family = format!("t_{}", random());
    let mut databases = Vec::with_capacity(services.len());
    for service in services {
        databases.push(TestDatabase::postgres_named(&address, format!("{family}_{service}")).await?);
    }
    Ok(Some((format!("{server}/{family}_{{service}}?{options}"), databases)))
}

/// The address of the server to test on, if there is one.
fn named_server() -> Result<Option<String>, StoreError> {
    match std::env::var("GUICHET_TEST_POSTGRES") {
        Ok(address) => Ok(Some(address)),
        Err(_) if std::env::var("GUICHET_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1") => {
            Err(StoreError::Configuration(
                "GUICHET_TEST_POSTGRES names no server, and GUICHET_TEST_REQUIRE_POSTGRES asks for one".to_owned(),
            ))
        }
        Err(_) => Ok(None),
    }
}

impl TestDatabase {
    /// Which kind.
    pub const fn kind(&self) -> Kind {
        self.database.kind()
    }

    /// A file in a directory of its own.
    pub fn sqlite() -> Result<Self, StoreError> {
        let directory = std::env::temp_dir().join(format!("guichet-test-{}", random()));
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|error| StoreError::Configuration(format!("cannot make {}: {error}", directory.display())))?;
        Ok(Self {
            database: Database::Sqlite { path: directory.join("test.db") },
            remains: Remains::Directory(directory),
        })
    }

    /// A database on the server at `address`.
    pub async fn postgres(address: &str) -> Result<Self, StoreError> {
        Self::postgres_named(address, format!("t_{}", random())).await
    }

    async fn postgres_named(address: &str, name: String) -> Result<Self, StoreError> {
        let Database::Postgres(server) = Database::from_str(address)? else {
            return Err(StoreError::Configuration(format!("{address} is not the address of a PostgreSQL server")));
        };
        postgres::run_once(&server, &format!("create database {name}")).await?;
        let config = PostgresConfig { database: name, ..server.clone() };
        Ok(Self { database: Database::Postgres(config), remains: Remains::Server(server) })
    }
}

fn random() -> String {
    hex::encode(Chance::system().bytes::<8>())
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match (&self.remains, &self.database) {
            (Remains::Directory(directory), _) => {
                let _ = std::fs::remove_dir_all(directory);
            }
            (Remains::Server(server), Database::Postgres(config)) => {
                let (server, sql) =
                    (server.clone(), format!("drop database if exists {} with (force)", config.database));
                // A thread with a runtime of its own: a drop may happen where nothing can be awaited.
                let dropped = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(postgres::run_once(&server, &sql)).map_err(std::io::Error::other)
                });
                if !matches!(dropped.join(), Ok(Ok(()))) {
                    tracing::warn!(database = config.database, "a test database could not be dropped");
                }
            }
            _ => {}
        }
    }
}
