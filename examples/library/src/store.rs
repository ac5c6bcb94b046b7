//! The one place that names SQL: the tables and the queries.

use store::{Affected, Many, Migration, Optional, Query, Scalar, Uuid};

/// The tables.
pub const MIGRATIONS: &[Migration] = &[store::migration!(
    1,
    "create",
    "sql/migrations/sqlite/0001_create.sql",
    "sql/migrations/postgres/0001_create.sql"
)];

const SQL: &str = include_str!("sql/library.sql");
/// Every query, for the test that prepares them all.
pub const QUERIES: &[&str] = &[SQL];

pub(crate) const ADD_USER: Query<Affected> = Query::find(SQL, "add_user");
pub(crate) const GET_USER: Query<Optional> = Query::find(SQL, "get_user");
pub(crate) const LIST_USERS: Query<Many> = Query::find(SQL, "list_users");
pub(crate) const MAKE_ADMIN: Query<Affected> = Query::find(SQL, "make_admin");
pub(crate) const ADD_AUTHOR: Query<Scalar<i64>> = Query::find(SQL, "add_author");
pub(crate) const LIST_AUTHORS: Query<Many> = Query::find(SQL, "list_authors");
pub(crate) const OWNER_OF: Query<Scalar<Uuid>> = Query::find(SQL, "owner_of");
pub(crate) const DELETE_AUTHOR: Query<Affected> = Query::find(SQL, "delete_author");
