//! The monitor's tables. With its rooms, the only SQL of the crate but for the tool's.

pub(crate) mod alerts;
pub(crate) mod checks;
pub(crate) mod incidents;
pub(crate) mod maintenances;
pub(crate) mod samples;
pub(crate) mod shown;
pub(crate) mod spans;

use ::store::Migration;

/// The monitor's tables.
pub const MIGRATIONS: &[Migration] = &[
    ::store::migration!(
        1,
        "create",
        "sql/migrations/sqlite/0001_create.sql",
        "sql/migrations/postgres/0001_create.sql"
    ),
    ::store::migration!(2, "told", "sql/migrations/sqlite/0002_told.sql", "sql/migrations/postgres/0002_told.sql"),
];

/// All query texts, for [`::store::check::prepare_all`].
pub const QUERIES: &[&str] = &[alerts::SQL, checks::SQL, incidents::SQL, maintenances::SQL, samples::SQL, spans::SQL];

/// What a check of a database asks it: of strangers' databases, not of the monitor's.
pub(crate) const ALIVE: &str = include_str!("sql/alive.sql");
