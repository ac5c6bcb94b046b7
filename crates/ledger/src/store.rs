//! The ledger's tables: the only SQL of the crate.
//!
//! Promises: balances are locked in the order of their ids before anything is read that they protect, and each row is
//! written once per save, however many commands changed it.

use std::collections::HashMap;

use store::{Bulk, Many, Migration, Query, Row, Scalar, StoreError, Transaction, columns, params};
use vocabulary::{AccountId, Currency, HoldId, Money, Timestamp, TransferId};

use crate::book::{Book, Ink, Leaf};
use crate::rules::{Balance, HeldFunds};

/// The ledger's tables, to be given to [`store::Store::open`] before those of the service that owns the ledger:
/// [`store::joined`] makes one list of both.
pub const MIGRATIONS: &[Migration] = &[store::migration!(
    part "ledger",
    1,
    "create",
    "sql/migrations/sqlite/0001_create.sql",
    "sql/migrations/postgres/0001_create.sql"
)];

const SQL: &str = include_str!("sql/ledger.sql");
const VERIFY_SQL: &str = include_str!("sql/verify.sql");
/// All query texts, for [`store::check::prepare_all`].
pub const QUERIES: &[&str] = &[SQL, VERIFY_SQL];

const HOLD_ACCOUNTS: Query<Many> = Query::find(SQL, "hold_accounts");
const LOCK_BALANCES: Query<Many> = Query::find(SQL, "lock_balances");
const HOLDS_AMONG: Query<Many> = Query::find(SQL, "holds_among");
const BALANCES_AMONG: Query<Many> = Query::find(SQL, "balances_among");
const ADD_BALANCES: Query<Bulk> = Query::find(SQL, "add_balances");
const SET_BALANCES: Query<Bulk> = Query::find(SQL, "set_balances");
const ADD_TRANSFERS: Query<Bulk> = Query::find(SQL, "add_transfers");
const ADD_ENTRIES: Query<Bulk> = Query::find(SQL, "add_entries");
const ADD_HOLDS: Query<Bulk> = Query::find(SQL, "add_holds");
const RESOLVE_HOLDS: Query<Bulk> = Query::find(SQL, "resolve_holds");
const ENTRIES_BEFORE: Query<Many> = Query::find(SQL, "entries_before");
const BALANCE_BEFORE: Query<Scalar<i64>> = Query::find(SQL, "balance_before");

impl Book {
    /// The balances of these accounts and of these holds' accounts, locked in the order of their ids until the
    /// transaction ends, and the holds. What does not exist is simply not in the book.
    pub async fn load(tx: &mut Transaction, accounts: &[AccountId], holds: &[HoldId]) -> Result<Self, StoreError> {
        let mut book = Self::new();
        let mut accounts = accounts.to_vec();
        if !holds.is_empty() {
            for row in tx.run(&HOLD_ACCOUNTS, params![holds.to_vec()]).await? {
                accounts.push(row.get("account")?);
            }
        }
        accounts.sort_unstable();
        accounts.dedup();
        if !accounts.is_empty() {
            for row in tx.run(&LOCK_BALANCES, params![accounts]).await? {
                let (account, now) = balance(&row)?;
                book.balances.insert(account, Leaf { now, ink: Ink::Dry });
            }
        }
        if !holds.is_empty() {
            // After the lock, in a statement of its own: one that waited for a lock still sees what was before it.
            for row in tx.run(&HOLDS_AMONG, params![holds.to_vec()]).await? {
                let now =
                    HeldFunds { account: row.get("account")?, amount: row.get("amount")?, state: row.parse("state")? };
                book.holds.insert(row.get("id")?, Leaf { now, ink: Ink::Dry });
            }
        }
        Ok(book)
    }

    /// Writes down what happened since the book was loaded: each table once, each row once, in the order of its key. To be
    /// called once, in the transaction that loaded it.
    pub async fn save(self, tx: &mut Transaction) -> Result<(), StoreError> {
        self.save_new_balances(tx).await?;
        self.save_holds(tx).await?;
        self.save_transfers(tx).await?;
        self.save_changed_balances(tx).await
    }

    async fn save_new_balances(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let new = self.balances_in(Ink::New);
        if new.is_empty() {
            return Ok(());
        }
        let columns = columns![
            each(&new, |(account, _)| *account),
            each(&new, |(_, balance)| balance.currency()),
            each(&new, |(_, balance)| balance.booked().minor()),
            each(&new, |(_, balance)| balance.held().minor()),
            each(&new, |(_, balance)| balance.floor().map(Money::minor)),
            each(&new, |(_, balance)| balance.entries()),
        ];
        tx.bulk(&ADD_BALANCES, columns).await.map(drop)
    }

    async fn save_changed_balances(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let changed = self.balances_in(Ink::Changed);
        if changed.is_empty() {
            return Ok(());
        }
        let columns = columns![
            each(&changed, |(account, _)| *account),
            each(&changed, |(_, balance)| balance.booked().minor()),
            each(&changed, |(_, balance)| balance.held().minor()),
            each(&changed, |(_, balance)| balance.entries()),
        ];
        let written = tx.bulk(&SET_BALANCES, columns).await?;
        expect_all(written, changed.len(), "balances")
    }

    async fn save_holds(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let new = self.holds_in(Ink::New);
        if !new.is_empty() {
            let columns = columns![
                each(&new, |(hold, _)| *hold),
                each(&new, |(_, funds)| funds.account),
                each(&new, |(_, funds)| funds.amount),
                each(&new, |(_, funds)| funds.state.word()),
            ];
            tx.bulk(&ADD_HOLDS, columns).await?;
        }
        let resolved = self.holds_in(Ink::Changed);
        if !resolved.is_empty() {
            let columns =
                columns![each(&resolved, |(hold, _)| *hold), each(&resolved, |(_, funds)| funds.state.word())];
            let written = tx.bulk(&RESOLVE_HOLDS, columns).await?;
            expect_all(written, resolved.len(), "holds")?;
        }
        Ok(())
    }

    async fn save_transfers(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        if self.transfers.is_empty() {
            return Ok(());
        }
        let mut transfers: Vec<_> = self.transfers.iter().collect();
        transfers.sort_unstable_by_key(|transfer| transfer.id);
        let columns = columns![
            each(&transfers, |transfer| transfer.id),
            each(&transfers, |transfer| transfer.kind),
            each(&transfers, |transfer| transfer.at),
            each(&transfers, |transfer| transfer.debit),
            each(&transfers, |transfer| transfer.credit),
            each(&transfers, |transfer| transfer.amount),
        ];
        tx.bulk(&ADD_TRANSFERS, columns).await?;
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|entry| (entry.account, entry.seq));
        let columns = columns![
            each(&entries, |entry| entry.account),
            each(&entries, |entry| entry.seq),
            each(&entries, |entry| entry.transfer),
            each(&entries, |entry| entry.amount),
            each(&entries, |entry| entry.balance_after),
            each(&entries, |entry| entry.at),
        ];
        tx.bulk(&ADD_ENTRIES, columns).await.map(drop)
    }

    fn balances_in(&self, ink: Ink) -> Vec<(AccountId, Balance)> {
        let mut found: Vec<_> =
            self.balances.iter().filter(|(_, leaf)| leaf.ink == ink).map(|(id, leaf)| (*id, leaf.now)).collect();
        found.sort_unstable_by_key(|(account, _)| *account);
        found
    }

    fn holds_in(&self, ink: Ink) -> Vec<(HoldId, HeldFunds)> {
        let mut found: Vec<_> =
            self.holds.iter().filter(|(_, leaf)| leaf.ink == ink).map(|(id, leaf)| (*id, leaf.now)).collect();
        found.sort_unstable_by_key(|(hold, _)| *hold);
        found
    }
}

fn each<R, T>(rows: &[R], field: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}

fn expect_all(written: u64, wanted: usize, what: &str) -> Result<(), StoreError> {
    if u64::try_from(wanted) == Ok(written) {
        Ok(())
    } else {
        Err(StoreError::Row(format!("of {wanted} {what}, {written} were found to be written")))
    }
}

fn balance(row: &Row) -> Result<(AccountId, Balance), StoreError> {
    let account: AccountId = row.get("account")?;
    let found = Balance::from_parts(
        row.parse("currency")?,
        row.get("booked")?,
        row.get("held")?,
        row.get("floor")?,
        row.get("entries")?,
    );
    let found =
        found.ok_or_else(|| StoreError::Row(format!("the balance of account {account} breaks its own rules")))?;
    Ok((account, found))
}

/// The balances of these accounts, as the transaction sees them; unknown ones are left out.
pub async fn balances(tx: &mut Transaction, accounts: &[AccountId]) -> Result<HashMap<AccountId, Balance>, StoreError> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    tx.run(&BALANCES_AMONG, params![accounts.to_vec()]).await?.iter().map(balance).collect()
}

/// One line of an account's history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// 1, 2, 3… within the account; also the cursor to the lines before it.
    pub seq: i64,
    /// The transfer it is a side of.
    pub transfer: TransferId,
    /// When it was booked.
    pub at: Timestamp,
    /// What it is, in the owner's words.
    pub kind: String,
    /// How much; negative for a debit.
    pub amount: Money,
    /// The booked balance after it.
    pub balance_after: Money,
    /// The account on the other side.
    pub other: AccountId,
}

/// An account's history, newest first: at most `limit` lines with `from <= at < to`, older than line `before`.
pub async fn entries(
    tx: &mut Transaction,
    account: AccountId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Line>, StoreError> {
    let from = from.map_or(i64::MIN, Timestamp::micros);
    let to = to.map_or(i64::MAX, Timestamp::micros);
    let rows = tx.run(&ENTRIES_BEFORE, params![account, from, to, before.unwrap_or(i64::MAX), limit]).await?;
    rows.iter()
        .map(|row| {
            let currency: Currency = row.parse("currency")?;
            Ok(Line {
                seq: row.get("seq")?,
                transfer: row.get("transfer")?,
                at: row.get("at")?,
                kind: row.get("kind")?,
                amount: Money::new(row.get("amount")?, currency),
                balance_after: Money::new(row.get("balance_after")?, currency),
                other: row.get("other")?,
            })
        })
        .collect()
}

/// What the account's entries before `at` come to, in minor units: the opening balance of a statement.
pub async fn balance_at(tx: &mut Transaction, account: AccountId, at: Timestamp) -> Result<i64, StoreError> {
    Ok(tx.run(&BALANCE_BEFORE, params![account, at]).await?.unwrap_or(0))
}

macro_rules! truth {
    ($name:literal) => {{
        const QUERY: Query<Scalar<bool>> = Query::find(VERIFY_SQL, $name);
        &QUERY
    }};
}

/// Asks the whole history whether everything that must hold does: each in words, and whether it holds. Reads every row:
/// minutes on tens of millions.
pub async fn verify(tx: &mut Transaction) -> Result<Vec<(String, bool)>, StoreError> {
    let mut truths = Vec::new();
    for (what, broken) in [
        ("the entries of each transfer sum to zero", truth!("uneven_transfer")),
        ("all entries of a currency sum to zero", truth!("uneven_currency")),
        ("each entry is a side of its transfer", truth!("stray_entry")),
        ("each transfer has its two entries", truth!("unwritten_transfer")),
        ("each balance is the sum of its entries", truth!("wrong_balance")),
        ("what is held is the sum of the open holds", truth!("wrong_held")),
        ("no balance is below its floor", truth!("below_floor")),
        ("each entry continues the balance of the one before", truth!("broken_chain")),
    ] {
        let broken = tx.run(broken, params![]).await?;
        truths.push((what.to_owned(), broken == Some(false)));
    }
    Ok(truths)
}
