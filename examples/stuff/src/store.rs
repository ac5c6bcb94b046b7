//! The one place that names SQL: the tables, the queries, and the people of a file.

use aaa::{PasswordHash, Problem};
use store::{Affected, Many, Optional, Query, Scalar, Script, Store, StoreError, params};
use vocabulary::Login;

const TABLES: &str = include_str!("sql/tables.sql");
const CREATE: Query<Script> = Query::find(TABLES, "create");
const LOAD: Query<Script> = Query::find(TABLES, "load");
const TRUNCATE: Query<Script> = Query::find(TABLES, "truncate");
const DROP: Query<Script> = Query::find(TABLES, "drop");
const IS_EMPTY: Query<Scalar<bool>> = Query::find(TABLES, "is_empty");

const STUFF: &str = include_str!("sql/stuff.sql");
pub(crate) const NOW: Query<Scalar<i64>> = Query::find(STUFF, "now");
pub(crate) const LIST_STUFF: Query<Many> = Query::find(STUFF, "list_stuff");
pub(crate) const GET_STUFF: Query<Optional> = Query::find(STUFF, "get_stuff");
pub(crate) const ADD_STUFF: Query<Scalar<i64>> = Query::find(STUFF, "add_stuff");
pub(crate) const CHANGE_STUFF: Query<Affected> = Query::find(STUFF, "change_stuff");
pub(crate) const DELETE_STUFF: Query<Affected> = Query::find(STUFF, "delete_stuff");

const PEOPLE: &str = include_str!("sql/people.sql");
pub(crate) const GET_PERSON: Query<Optional> = Query::find(PEOPLE, "get_person");
pub(crate) const ADD_PERSON: Query<Scalar<i64>> = Query::find(PEOPLE, "add_person");
pub(crate) const IMPROVE_PASSWORD: Query<Affected> = Query::find(PEOPLE, "improve_password");

const OWNED: &str = include_str!("sql/owned.sql");
pub(crate) const LIST_OWNED: Query<Many> = Query::find(OWNED, "list_owned");
pub(crate) const LIST_OWNED_BY: Query<Many> = Query::find(OWNED, "list_owned_by");
pub(crate) const GET_OBJECT: Query<Optional> = Query::find(OWNED, "get_object");
pub(crate) const LOGIN_OF: Query<Scalar<String>> = Query::find(OWNED, "login_of");

const EXERCISE: &str = include_str!("sql/exercise.sql");
pub(crate) const LIST_OWNERS: Query<Many> = Query::find(EXERCISE, "list_owners");
pub(crate) const GET_OWNER: Query<Optional> = Query::find(EXERCISE, "get_owner");
pub(crate) const ADD_OWNER: Query<Scalar<i64>> = Query::find(EXERCISE, "add_owner");
pub(crate) const CHANGE_OWNER: Query<Affected> = Query::find(EXERCISE, "change_owner");
pub(crate) const DELETE_OWNER: Query<Affected> = Query::find(EXERCISE, "delete_owner");
pub(crate) const LIST_THINGS: Query<Many> = Query::find(EXERCISE, "list_things");
pub(crate) const GET_THING: Query<Optional> = Query::find(EXERCISE, "get_thing");
pub(crate) const ADD_THING: Query<Scalar<i64>> = Query::find(EXERCISE, "add_thing");
pub(crate) const CHANGE_THING: Query<Affected> = Query::find(EXERCISE, "change_thing");
pub(crate) const DELETE_THING: Query<Affected> = Query::find(EXERCISE, "delete_thing");

/// Every query, for the test that prepares them all.
pub const QUERIES: &[&str] = &[TABLES, STUFF, PEOPLE, OWNED, EXERCISE];

/// The people of the course, as its `pass2csv.py` writes them.
const USERS: &str = include_str!("../data/users.csv");

/// Makes the tables that are missing.
pub async fn create(store: &Store) -> Result<(), StoreError> {
    store.write(&CREATE, &[]).await
}

/// Fills empty tables: the people of `users` (the course's, if none), and their things.
pub async fn load(store: &Store, users: Option<&str>) -> Result<(), Problem> {
    let people = users.unwrap_or(USERS).lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let people = people.map(person).collect::<Result<Vec<_>, _>>().map_err(|error| Problem::fault("users", error))?;
    let filled = async {
        let mut tx = store.begin().await?;
        for (login, hash, is_admin) in people {
            tx.run(&ADD_PERSON, params![&login, hash.as_str(), is_admin]).await?;
        }
        tx.run(&LOAD, &[]).await?;
        tx.commit().await
    };
    filled.await.map_err(|error: StoreError| chassis::Failure::from(error).into())
}

/// One line: `"login","hash",TRUE`.
fn person(line: &str) -> Result<(Login, PasswordHash, bool), String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{why}, in the line {line:.40}…");
    let columns: Vec<&str> = line.split(',').map(|column| column.trim().trim_matches('"')).collect();
    let [login, hash, is_admin] = columns[..] else { return Err(wrong(&"three columns are expected")) };
    let login = login.parse().map_err(|error| wrong(&format_args!("the login {error}")))?;
    let hash = PasswordHash::import(hash).map_err(|error| wrong(&format_args!("the password {error}")))?;
    Ok((login, hash, is_admin.eq_ignore_ascii_case("true")))
}

/// Empties the tables.
pub async fn truncate(store: &Store) -> Result<(), StoreError> {
    store.write(&TRUNCATE, &[]).await
}

/// Removes the tables.
pub async fn drop(store: &Store) -> Result<(), StoreError> {
    store.write(&DROP, &[]).await
}

/// Whether nobody is in.
pub async fn is_empty(store: &Store) -> Result<bool, StoreError> {
    Ok(store.read().await?.run(&IS_EMPTY, &[]).await?.unwrap_or(true))
}
