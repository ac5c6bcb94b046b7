//! SQLite or PostgreSQL behind one transaction type.
//!
//! Promises: the same queries, the same errors and the same guarantees on both. A commit that returned survives a crash;
//! a [`Transaction`] dropped at any moment leaves nothing behind; events told in a transaction are kept with it or not
//! at all. Queries are named texts in `.sql` files, checked at compile time ([`Query::find`]) and prepared on both
//! databases by [`check::prepare_all`]. Must not know what the tables mean.
//!
//! How to write a service's SQL so that it runs on both:
//! - name every constraint `table_column` (`constraint accounts_number unique`), so that [`StoreError::Constraint`] says
//!   the same on both; any foreign key is called `foreign_key`;
//! - types: `uuid` is `blob` in SQLite, `boolean` is `integer`; times are `bigint` microseconds; JSON is `text`;
//! - a sum of `bigint` is `numeric` on PostgreSQL: write `cast(sum(amount) as bigint)`, which both understand;
//! - lists need a pair: `= any($1)` / `in rarray($1)`; bulk writes too: `unnest($1::uuid[], …)` / one row;
//! - row locks (`for update`) need a pair; SQLite's writer holds the whole database;
//! - a parameter that stands alone needs a type on PostgreSQL: `$1::bigint is null` in a pair, or `cast($1 as bigint)`.
//!
//! SQLite works in place: use a multi-thread runtime (`#[tokio::test(flavor = "multi_thread")]`).
#![warn(missing_docs)]

pub mod check;
mod database;
mod error;
mod idempotency;
mod inspect;
mod migration;
mod outbox;
mod postgres;
mod postgres_value;
mod query;
mod single;
mod sqlite;
pub mod testing;
mod tls;
mod transaction;
mod value;
mod warden;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use vocabulary::{Chance, Clock};

pub use database::{Database, Kind, PostgresConfig};
pub use error::StoreError;
pub use idempotency::{Once, OnceKey};
pub use inspect::{Inspection, Link, Tables, inspect};
pub use migration::{Migration, joined};
pub use outbox::{AuditRecord, Told};
pub use query::{Affected, Answer, Bulk, Many, Mark, Optional, Query, Scalar, Script};
pub use single::FromRow;
pub use tls::Encryption;
pub use transaction::Transaction;
pub use uuid::Uuid;
pub use value::{FromValue, Item, List, Row, Value};
pub use warden::take_up_certificates;

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    backend: Backend,
    clock: Clock,
    chance: Chance,
    announcements: watch::Sender<()>,
}

enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens a database, making the SQLite file when it is not there, and brings its tables up to date: the store's own
    /// first, then `migrations`, part by part in the order in which they stand.
    pub async fn open(database: &Database, migrations: &[Migration], clock: Clock) -> Result<Self, StoreError> {
        Self::open_with(database, migrations, clock, None).await
    }

    /// Like [`Store::open`], with another limit than five seconds on how long a read may run.
    pub async fn open_with(
        database: &Database,
        migrations: &[Migration],
        clock: Clock,
        read_limit: Option<Duration>,
    ) -> Result<Self, StoreError> {
        let backend = match database {
            Database::Sqlite { path } => {
                let sqlite = sqlite::Sqlite::open(path, read_limit)?;
                sqlite.migrate(migrations, clock.now()).await?;
                Backend::Sqlite(sqlite)
            }
            Database::Postgres(config) => {
                let postgres = postgres::Postgres::open(config, read_limit)?;
                postgres.migrate(migrations, clock.now()).await?;
                Backend::Postgres(postgres)
            }
        };
        let announcements = watch::Sender::new(());
        Ok(Self(Arc::new(Shared { backend, clock, chance: Chance::system(), announcements })))
    }

    /// Which database this is.
    pub fn kind(&self) -> Kind {
        match self.0.backend {
            Backend::Sqlite(_) => Kind::Sqlite,
            Backend::Postgres(_) => Kind::Postgres,
        }
    }

    /// Where the server is, and what the last connection to it agreed on; nothing for a file.
    pub fn encryption(&self) -> Option<(String, Option<Encryption>)> {
        match &self.0.backend {
            Backend::Sqlite(_) => None,
            Backend::Postgres(postgres) => Some(postgres.encryption()),
        }
    }

    /// The clock it was opened with.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn chance(&self) -> &Chance {
        &self.0.chance
    }

    fn announcements(&self) -> &watch::Sender<()> {
        &self.0.announcements
    }

    fn announce(&self) {
        self.0.announcements.send_replace(());
    }

    /// Begins a transaction that may write. On SQLite it waits for the writer before it, so never begin a second one
    /// (nor call [`Store::audit_many`] and its like) while holding the first: it would end in [`StoreError::Busy`].
    pub async fn begin(&self) -> Result<Transaction, StoreError> {
        let session = match &self.0.backend {
            Backend::Sqlite(sqlite) => transaction::Session::Sqlite(sqlite.begin().await?),
            Backend::Postgres(postgres) => transaction::Session::Postgres(postgres.begin().await?),
        };
        Ok(Transaction::new(self.clone(), session))
    }

    /// Begins a transaction that sees one snapshot, taken at its first query, and may not write.
    pub async fn read(&self) -> Result<Transaction, StoreError> {
        let session = match &self.0.backend {
            Backend::Sqlite(sqlite) => transaction::Session::Sqlite(sqlite.read().await?),
            Backend::Postgres(postgres) => transaction::Session::Postgres(postgres.read().await?),
        };
        Ok(Transaction::new(self.clone(), session))
    }

    /// Can it be read, and could it be written, now? Answers within about two seconds.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.0.backend {
            Backend::Sqlite(sqlite) => sqlite.ping().await,
            Backend::Postgres(postgres) => postgres.ping().await,
        }
    }

    /// Every row of every table as text, by table, sorted: for tests that say "nothing changed".
    pub async fn dump(&self) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
        check::dump(self).await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.kind())
    }
}
