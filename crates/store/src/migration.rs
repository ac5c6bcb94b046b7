//! Forward-only migrations, run when a database is opened, all or none.
//!
//! Promises: what ran is never run again nor changed unnoticed (the text's SHA-256 is kept), a database of a later
//! version is refused, and of two processes that start at once one waits for the other.

use sha2::{Digest, Sha256};
use vocabulary::Timestamp;

use crate::{Kind, StoreError};

/// One step of a schema, for both databases. Written by [`crate::migration!`].
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Whose it is: a library that a service is built on numbers its steps apart from the service's own.
    pub part: &'static str,
    /// 1, 2, 3… without gaps within its part.
    pub number: u32,
    /// What it does, in a word or two.
    pub name: &'static str,
    /// Its text for SQLite.
    pub sqlite: &'static str,
    /// Its text for PostgreSQL.
    pub postgres: &'static str,
}

/// A migration from two files: `migration!(1, "create", "sql/migrations/sqlite/0001_create.sql",
/// "sql/migrations/postgres/0001_create.sql")`, paths as `include_str!` takes them. A library that brings tables into its
/// service's database names its part first: `migration!(part "ledger", 1, …)`.
#[macro_export]
macro_rules! migration {
    ($number:literal, $name:literal, $sqlite:literal, $postgres:literal $(,)?) => {
        $crate::migration!(part "service", $number, $name, $sqlite, $postgres)
    };
    (part $part:literal, $number:literal, $name:literal, $sqlite:literal, $postgres:literal $(,)?) => {
        $crate::Migration {
            part: $part,
            number: $number,
            name: $name,
            sqlite: include_str!($sqlite),
            postgres: include_str!($postgres),
        }
    };
}

impl Migration {
    pub(crate) const fn text(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Sqlite => self.sqlite,
            Kind::Postgres => self.postgres,
        }
    }

    fn digest(&self, kind: Kind) -> String {
        hex::encode(Sha256::digest(self.text(kind).as_bytes()))
    }

    pub(crate) fn failed(&self, reason: &StoreError) -> StoreError {
        let reason = match reason {
            StoreError::Database { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        StoreError::Migration { number: self.number, name: self.name.to_owned(), reason }
    }
}

/// The store's own tables, made before any service's.
pub(crate) const OWN: &[Migration] = &[
    migration!(part "store", 1, "create", "sql/migrations/sqlite/0001_create.sql", "sql/migrations/postgres/0001_create.sql"),
    migration!(part "store", 2, "trace", "sql/migrations/sqlite/0002_trace.sql", "sql/migrations/postgres/0002_trace.sql"),
];

/// The table that remembers what ran, the same text for both.
pub(crate) const HISTORY: &str = "create table if not exists migrations (
  part text not null,
  number bigint not null,
  name text not null,
  digest text not null,
  at bigint not null,
  constraint migrations_part_number primary key (part, number)
)";
pub(crate) const READ_HISTORY: &str = "select part, number, digest from migrations order by part, number";
pub(crate) const WRITE_HISTORY: &str =
    "insert into migrations (part, number, name, digest, at) values ($1, $2, $3, $4, $5)";

/// Two lists as one, for a service whose database also holds a library's tables: the library's go first.
///
/// ```
/// use store::{Migration, joined};
/// const LIBRARY: &[Migration] = &[];
/// const OWN: &[Migration] = &[];
/// pub const MIGRATIONS: &[Migration] = &joined::<{ LIBRARY.len() + OWN.len() }>(LIBRARY, OWN);
/// # let _ = MIGRATIONS;
/// ```
pub const fn joined<const N: usize>(first: &[Migration], then: &[Migration]) -> [Migration; N] {
    assert!(N == first.len() + then.len(), "the joined list is as long as both");
    let mut all = [Migration { part: "", number: 0, name: "", sqlite: "", postgres: "" }; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { then[at - first.len()] };
        at += 1;
    }
    all
}

/// What the database remembers of one migration.
pub(crate) struct Applied {
    pub(crate) part: String,
    pub(crate) number: u32,
    pub(crate) digest: String,
}

/// A step still to run.
pub(crate) struct Step<'a> {
    pub(crate) part: &'static str,
    pub(crate) migration: &'a Migration,
    pub(crate) digest: String,
    pub(crate) at: Timestamp,
}

/// What is still to run, in order, after checking that what ran is what is known here.
pub(crate) fn plan<'a>(
    kind: Kind,
    applied: &[Applied],
    service: &'a [Migration],
    at: Timestamp,
) -> Result<Vec<Step<'a>>, StoreError> {
    let mut steps = Vec::new();
    let all = || OWN.iter().chain(service);
    // Each part where it first stands, and the service's even when it has no step, so that a newer database is seen.
    let mut parts: Vec<&'static str> = Vec::new();
    for part in all().map(|migration| migration.part).chain(["service"]) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    for part in parts {
        let mut known = 0_u32;
        for migration in all().filter(|migration| migration.part == part) {
            known = known.saturating_add(1);
            if migration.number != known {
                let reason = format!("it should be number {known}: migrations are listed 1, 2, 3…");
                return Err(StoreError::Migration {
                    number: migration.number,
                    name: migration.name.to_owned(),
                    reason,
                });
            }
            let digest = migration.digest(kind);
            match applied.iter().find(|applied| applied.part == part && applied.number == migration.number) {
                None => steps.push(Step { part, migration, digest, at }),
                Some(applied) if applied.digest == digest => {}
                Some(_) => {
                    return Err(StoreError::EditedMigration {
                        number: migration.number,
                        name: migration.name.to_owned(),
                    });
                }
            }
        }
        let found =
            applied.iter().filter(|applied| applied.part == part).map(|applied| applied.number).max().unwrap_or(0);
        if found > known {
            return Err(StoreError::NewerDatabase { part: part.to_owned(), found, known });
        }
    }
    Ok(steps)
}
