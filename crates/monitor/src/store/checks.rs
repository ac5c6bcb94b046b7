//! The table of checks.

use ::store::{Affected, Many, Optional, Query, StoreError, Transaction, params};
use contracts::monitor::{CheckName, CheckSpec, Origin};

use crate::standing::Standing;

pub(super) const SQL: &str = include_str!("../sql/checks.sql");

const ALL_CHECKS: Query<Many> = Query::find(SQL, "all_checks");
const ADD_CHECK: Query<Affected> = Query::find(SQL, "add_check");
const SET_SPEC: Query<Affected> = Query::find(SQL, "set_spec");
const SET_STANDING: Query<Affected> = Query::find(SQL, "set_standing");
const REMOVE_CHECK: Query<Affected> = Query::find(SQL, "remove_check");
const CHECK_NAMED: Query<Optional> = Query::find(SQL, "check_named");

/// A check as it is kept.
pub(crate) struct Kept {
    pub(crate) id: i64,
    pub(crate) name: CheckName,
    pub(crate) origin: Origin,
    pub(crate) spec: CheckSpec,
    pub(crate) standing: Option<Standing>,
}

const fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Bank => "bank",
        Origin::Settings => "settings",
        Origin::Api => "api",
    }
}

fn json<T: serde::Serialize>(it: &T) -> Result<String, StoreError> {
    serde_json::to_string(it).map_err(|error| StoreError::Row(error.to_string()))
}

/// All of them, by number.
pub(crate) async fn all(tx: &mut Transaction) -> Result<Vec<Kept>, StoreError> {
    let rows = tx.run(&ALL_CHECKS, params![]).await?;
    let read = rows.iter().map(|row| {
        let origin: String = row.get("origin")?;
        let origin = [Origin::Bank, Origin::Settings, Origin::Api].into_iter().find(|it| word(*it) == origin);
        let spec = serde_json::from_str(&row.get::<String>("spec")?);
        // One that cannot be read any more stands as if nobody had looked yet.
        let standing = row.get::<Option<String>>("standing")?.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Kept {
            id: row.get("id")?,
            name: row.parse("name")?,
            origin: origin.ok_or_else(|| StoreError::Row("the column origin holds an unknown word".to_owned()))?,
            spec: spec.map_err(|error| StoreError::Row(format!("the column spec {error}")))?,
            standing,
        })
    });
    read.collect()
}

/// Which check it is, and whether everybody sees it.
pub(crate) struct Named {
    pub(crate) id: i64,
    pub(crate) name: CheckName,
    pub(crate) public: bool,
}

/// The one of this name that is kept, even if it cannot be read.
pub(crate) async fn named(tx: &mut Transaction, name: &CheckName) -> Result<Option<Named>, StoreError> {
    let Some(row) = tx.run(&CHECK_NAMED, params![name.as_str()]).await? else { return Ok(None) };
    let spec: Option<CheckSpec> = serde_json::from_str(&row.get::<String>("spec")?).ok();
    Ok(Some(Named { id: row.get("id")?, name: name.clone(), public: spec.is_some_and(|spec| spec.public) }))
}

/// Keeps a new one; one of this number or name stays as it is.
pub(crate) async fn add(
    tx: &mut Transaction,
    id: i64,
    name: &CheckName,
    origin: Origin,
    spec: &CheckSpec,
) -> Result<(), StoreError> {
    tx.run(&ADD_CHECK, params![id, name.as_str(), word(origin), json(spec)?]).await.map(drop)
}

/// It is written down so from now on.
pub(crate) async fn set_spec(
    tx: &mut Transaction,
    id: i64,
    origin: Origin,
    spec: &CheckSpec,
) -> Result<(), StoreError> {
    tx.run(&SET_SPEC, params![id, word(origin), json(spec)?]).await.map(drop)
}

/// Gives whether there is such a check.
pub(crate) async fn set_standing(tx: &mut Transaction, id: i64, standing: &Standing) -> Result<bool, StoreError> {
    Ok(tx.run(&SET_STANDING, params![id, json(standing)?]).await? == 1)
}

/// It is gone; what is kept of its results goes bit by bit, so that no other write waits long.
pub(crate) async fn remove(tx: &mut Transaction, id: i64) -> Result<(), StoreError> {
    tx.run(&REMOVE_CHECK, params![id]).await?;
    super::spans::forget(tx, id).await
}
