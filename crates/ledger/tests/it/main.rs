//! The ledger's promises: the rules by themselves, and the tables and the engine on both databases.

#![expect(clippy::panic, reason = "a test stops at the first surprise, and one desk panics on purpose")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod engine;
mod rules;
mod tables;

use ledger::{Book, Command};
use store::testing::{TestDatabase, databases};
use store::{Store, StoreError};
use vocabulary::{AccountId, Chance, Clock, Currency, HoldId, Money, Timestamp, TransferId, new_uuid};

/// Every database that can be tested here, open and empty.
async fn stores() -> Vec<(TestDatabase, Store)> {
    let mut stores = Vec::new();
    for test in databases().await.unwrap() {
        let store = Store::open(&test.database, ledger::MIGRATIONS, Clock::system()).await.unwrap();
        stores.push((test, store));
    }
    stores
}

fn id<T: From<store::Uuid>>() -> T {
    new_uuid(&Clock::system(), &Chance::system()).into()
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn post(debit: AccountId, credit: AccountId, minor: i64) -> Command {
    let (transfer, amount, at) = (id(), euros(minor), Timestamp::from_seconds(1));
    Command::Post { transfer, debit, credit, amount, hold: None, at, kind: "transfer" }
}

/// A bank in small: its cash without a limit, and accounts that begin with `each`.
async fn opened(store: &Store, accounts: usize, each: i64) -> (AccountId, Vec<AccountId>) {
    let cash = id();
    let accounts: Vec<AccountId> = (0..accounts).map(|_| id()).collect();
    let mut tx = store.begin().await.unwrap();
    let mut book = Book::new();
    book.open_account(cash, Currency::EUR, None).unwrap();
    for account in &accounts {
        book.open_account(*account, Currency::EUR, Some(0)).unwrap();
        if each > 0 {
            book.apply(&post(cash, *account, each)).unwrap();
        }
    }
    book.save(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    (cash, accounts)
}

/// What does not hold of the ledger's tables.
async fn broken(store: &Store) -> Vec<String> {
    let truths = ledger::verify(&mut store.read().await.unwrap()).await.unwrap();
    assert!(truths.len() > 5, "{truths:?}");
    truths.into_iter().filter(|(_, holds)| !holds).map(|(what, _)| what).collect()
}
