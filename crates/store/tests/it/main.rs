//! The store's promises, each on both databases.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod opening;
mod outbox;
mod transactions;
mod values;

use store::testing::{TestDatabase, databases};
use store::{Affected, Bulk, Many, Migration, Optional, Query, Scalar, Script, Store, StoreError, Transaction, params};
use uuid::Uuid;
use vocabulary::{Chance, Clock, Timestamp, new_uuid};

const MIGRATIONS: &[Migration] = &[store::migration!(1, "create", "sql/table.sqlite.sql", "sql/table.postgres.sql")];

const SQL: &str = include_str!("sql/things.sql");
const ADD_THING: Query<Affected> = Query::find(SQL, "add_thing");
const GET_THING: Query<Optional> = Query::find(SQL, "get_thing");
const ALL_THINGS: Query<Many> = Query::find(SQL, "all_things");
const ANY_THING: Query<Optional> = Query::find(SQL, "any_thing");
const COUNT_THINGS: Query<Scalar<i64>> = Query::find(SQL, "count_things");
const TOTAL: Query<Scalar<i64>> = Query::find(SQL, "total");
const NOTE_OF: Query<Scalar<Option<String>>> = Query::find(SQL, "note_of");
const SWAPPED: Query<Optional> = Query::find(SQL, "swapped");
const MOVE: Query<Affected> = Query::find(SQL, "move");
const AMONG: Query<Many> = Query::find(SQL, "among");
const ADD_THINGS: Query<Bulk> = Query::find(SQL, "add_things");
const CLEAR: Query<Script> = Query::find(SQL, "clear");
const GROW: Query<Script> = Query::find(SQL, "grow");
const CUT_OTHERS: Query<Many> = Query::find(SQL, "cut_others");
const DURABLE: Query<Scalar<bool>> = Query::find(SQL, "durable");
const SESSION: Query<Scalar<i64>> = Query::find(SQL, "session");
const FOREVER: Query<Scalar<i64>> = Query::find(SQL, "forever");

/// Every database that can be tested here, open and empty.
async fn stores() -> Vec<(TestDatabase, Store)> {
    let mut stores = Vec::new();
    for test in databases().await.unwrap() {
        let store = Store::open(&test.database, MIGRATIONS, Clock::system()).await.unwrap();
        stores.push((test, store));
    }
    stores
}

fn id() -> Uuid {
    new_uuid(&Clock::system(), &Chance::system())
}

async fn add(tx: &mut Transaction, name: &str, amount: i64) -> Result<u64, StoreError> {
    let nothing: Option<Uuid> = None;
    let row = params![id(), nothing, name, None::<&str>, amount, true, None::<Vec<u8>>, Timestamp::from_seconds(1)];
    tx.run(&ADD_THING, row).await
}

async fn count(store: &Store) -> i64 {
    store.read().await.unwrap().run(&COUNT_THINGS, params![]).await.unwrap().unwrap()
}
