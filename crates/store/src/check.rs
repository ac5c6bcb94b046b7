//! What tests ask of a database: is every query valid on it, and what does it hold.

use std::collections::BTreeMap;

use crate::query::next_block;
use crate::{Kind, Store, StoreError, Value};

/// Without virtual ones, which have no rows of their own.
const SQLITE_TABLES: &str = "select name from sqlite_schema where type = 'table' and rootpage > 0 \
                             and name not like 'sqlite\\_%' escape '\\' order by name";
const POSTGRES_TABLES: &str = "select tablename::text from pg_tables where schemaname = current_schema() order by 1";

/// Prepares every query of these texts on the open database and gives what failed, query by query; nothing is run.
///
/// ```no_run
/// # async fn test(store: store::Store) {
/// # const SQL: &str = "";
/// assert_eq!(store::check::prepare_all(&store, &[SQL]).await, Vec::<String>::new());
/// # }
/// ```
pub async fn prepare_all(store: &Store, texts: &[&'static str]) -> Vec<String> {
    let mut failures = Vec::new();
    for text in texts {
        let mut from = 0;
        while let Some(block) = next_block(text, from) {
            from = block.end;
            let ours = match store.kind() {
                Kind::Sqlite => block.sqlite,
                Kind::Postgres => block.postgres,
            };
            if !ours || block.mark == crate::Mark::Script {
                continue;
            }
            let prepared = match store.begin().await {
                Ok(mut tx) => tx.prepare(block.name, block.sql).await,
                Err(error) => Err(error),
            };
            if let Err(error) = prepared {
                failures.push(format!("{} on {}: {error}", block.name, store.kind()));
            }
        }
    }
    failures
}

pub(crate) async fn dump(store: &Store) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut tx = store.read().await?;
    let tables = tx.rows_of(if store.kind() == Kind::Sqlite { SQLITE_TABLES } else { POSTGRES_TABLES }).await?;
    let mut dump = BTreeMap::new();
    for table in tables {
        let table: String = table.first("tables")?;
        let name = table.replace('"', "\"\"");
        let rows = match store.kind() {
            Kind::Sqlite => tx.rows_of(&format!("select * from \"{name}\"")).await?,
            Kind::Postgres => tx.rows_of(&format!("select whole::text from \"{name}\" as whole")).await?,
        };
        let mut rows: Vec<String> = rows.into_iter().map(|row| row.written()).collect();
        rows.sort_unstable();
        dump.insert(table, rows);
    }
    Ok(dump)
}

pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Int(it) => it.to_string(),
        Value::Text(it) => it.clone(),
        Value::Bytes(it) => match uuid::Uuid::from_slice(it) {
            Ok(id) => id.to_string(),
            Err(_) => hex::encode(it),
        },
        Value::Uuid(it) => it.to_string(),
        Value::List(it) => format!("{it:?}"),
    }
}
