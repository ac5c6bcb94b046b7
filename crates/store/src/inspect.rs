//! Looks at a database without changing anything: who we are there, what time it is there, and how old the tables are.
//!
//! For whoever says in words what is wrong before anything is started.

use vocabulary::{Clock, Timestamp};

use crate::migration::{self, Applied, Migration};
use crate::{Database, Kind, Row, StoreError, postgres, sqlite};

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Who one is there, and where; nothing for a file.
    pub link: Option<Link>,
    /// How old its tables are.
    pub tables: Tables,
}

/// A connection to a server, from the server's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The role.
    pub role: String,
    /// The database.
    pub database: String,
    /// The server's time.
    pub now: Timestamp,
    /// The role may do more than a service needs: it is superuser, or makes roles or databases.
    pub privileged: bool,
    /// Any role may connect to this database.
    pub open_to_all: bool,
}

/// The tables, compared with what this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// There are none yet.
    Missing,
    /// So many steps are still to be done at the next start.
    Behind(usize),
    /// As they should be.
    Current,
}

const LINK: &str = "select current_user::text as role, current_database()::text as database, \
                    (extract(epoch from clock_timestamp()) * 1000000)::bigint as now, \
                    (select rolsuper or rolcreatedb or rolcreaterole or rolbypassrls or rolreplication \
                     from pg_roles where rolname = current_user) as privileged, \
                    exists (select from pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) as granted \
                            where datname = current_database() and granted.grantee = 0 \
                            and granted.privilege_type = 'CONNECT') as open_to_all";
const POSTGRES_HAS_HISTORY: &str = "select to_regclass('migrations') is not null";
const SQLITE_HAS_HISTORY: &str = "select count(*) > 0 from sqlite_schema where type = 'table' and name = 'migrations'";

/// Looks at `database`, whose tables `migrations` should have made. A file that is not there is not made.
pub async fn inspect(database: &Database, migrations: &[Migration], clock: &Clock) -> Result<Inspection, StoreError> {
    match database {
        Database::Sqlite { path } if !path.exists() => Ok(Inspection { link: None, tables: Tables::Missing }),
        Database::Sqlite { path } => {
            let session = sqlite::Sqlite::open(path, None)?.read().await?;
            let has = session.rows("inspect", SQLITE_HAS_HISTORY, &[])?.rows;
            let history =
                if is_true(has)? { session.rows("inspect", migration::READ_HISTORY, &[])?.rows } else { Vec::new() };
            Ok(Inspection { link: None, tables: tables(Kind::Sqlite, history, migrations, clock)? })
        }
        Database::Postgres(config) => {
            let mut session = postgres::Postgres::open(config, None)?.read().await?;
            let row = session.rows("inspect", LINK, &[]).await?.rows.into_iter().next();
            let row = row.ok_or_else(|| StoreError::Row("the server says nothing about itself".into()))?;
            let link = Link {
                role: row.get("role")?,
                database: row.get("database")?,
                now: row.get("now")?,
                privileged: row.get("privileged")?,
                open_to_all: row.get("open_to_all")?,
            };
            let has = session.rows("inspect", POSTGRES_HAS_HISTORY, &[]).await?.rows;
            let history = if is_true(has)? {
                session.rows("inspect", migration::READ_HISTORY, &[]).await?.rows
            } else {
                Vec::new()
            };
            Ok(Inspection { link: Some(link), tables: tables(Kind::Postgres, history, migrations, clock)? })
        }
    }
}

fn is_true(rows: Vec<Row>) -> Result<bool, StoreError> {
    rows.into_iter().next().map_or(Ok(false), |row| row.first("inspect"))
}

fn tables(kind: Kind, history: Vec<Row>, service: &[Migration], clock: &Clock) -> Result<Tables, StoreError> {
    let applied = history
        .iter()
        .map(|row| Ok(Applied { part: row.get("part")?, number: row.get("number")?, digest: row.get("digest")? }))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let steps = migration::plan(kind, &applied, service, clock.now())?.len();
    Ok(match (applied.is_empty(), steps) {
        (true, _) => Tables::Missing,
        (false, 0) => Tables::Current,
        (false, steps) => Tables::Behind(steps),
    })
}
