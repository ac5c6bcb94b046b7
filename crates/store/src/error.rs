//! What can go wrong with a database, in one vocabulary for both.

/// Why the store could not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A constraint refused the write: its name, or `table_column` (`foreign_key` for any foreign key).
    #[error("the constraint {0} refused the write")]
    Constraint(String),
    /// Somebody else held what was needed for too long, or two transactions stood in each other's way. Try again.
    #[error("the database is busy; try again")]
    Busy,
    /// A statement took longer than it may.
    #[error("the database took too long to answer, so the query was stopped")]
    TooSlow,
    /// Another program holds the database while it should be opened.
    #[error("{what} is locked by another program; stop the other one first")]
    Locked {
        /// The file.
        what: String,
    },
    /// The database cannot be reached, or the connection broke. After a commit, the outcome is not known.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The database was written by a later version of this program.
    #[error(
        "the database is newer than this program (its {part} schema is at {found}, this program knows {known}): install the newer \
         version again, or restore a backup made before the upgrade"
    )]
    NewerDatabase {
        /// Whose migrations.
        part: String,
        /// The last migration in the database.
        found: u32,
        /// The last one known here.
        known: u32,
    },
    /// A migration that the database has already seen was changed afterwards.
    #[error(
        "migration {number} ({name}) was changed after this database applied it; put its text back as it was and write a \
         new migration instead"
    )]
    EditedMigration {
        /// Its number.
        number: u32,
        /// Its name.
        name: String,
    },
    /// A migration failed; nothing of it, nor of those with it, was kept.
    #[error("migration {number} ({name}) failed: {reason}")]
    Migration {
        /// Its number.
        number: u32,
        /// Its name.
        name: String,
        /// The database's words.
        reason: String,
    },
    /// The database's address, or a file it names, cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// A row does not hold what the program expects: a missing column or another type.
    #[error("{0}")]
    Row(String),
    /// An earlier statement of this transaction failed, so it can only be rolled back.
    #[error("an earlier statement of this transaction failed, so nothing more can be done in it")]
    Aborted,
    /// Anything else: the query's name and the database's words.
    #[error("query {query} failed: {reason}")]
    Database {
        /// Which query.
        query: String,
        /// The database's words.
        reason: String,
    },
}

impl StoreError {
    /// Whether the constraint of this name refused the write.
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint(refused) if refused == name)
    }

    /// Whether the same work may succeed when it is simply done again.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::TooSlow | Self::Unavailable(_))
    }
}
