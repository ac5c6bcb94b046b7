//! The bank's tables: the only file that names its SQL. Rows become what the rules speak of, and back.
//!
//! Locks are taken in one order by everyone, within a table by id: requests, accounts, balances (the ledger's).

use std::collections::{HashMap, HashSet};

use contracts::bank::Payee;
use store::{Affected, Bulk, Many, Migration, Query, Row, Scalar, StoreError, Transaction, Uuid, columns, params};
use vocabulary::{AccountId, Currency, Iban, Money, RequestId, Timestamp, UserId};

use crate::account::{self, Account};
use crate::request::{self, PayeeSide, Request};

/// The ledger's tables and the bank's.
pub const MIGRATIONS: &[Migration] = &[
    ledger::MIGRATIONS[0],
    store::migration!(1, "create", "sql/migrations/sqlite/0001_create.sql", "sql/migrations/postgres/0001_create.sql"),
];

const ACCOUNT_SQL: &str = include_str!("sql/account.sql");
const REQUEST_SQL: &str = include_str!("sql/request.sql");
/// All query texts, for [`store::check::prepare_all`].
pub const QUERIES: &[&str] = &[ACCOUNT_SQL, REQUEST_SQL];

const LOCK_ACCOUNTS: Query<Many> = Query::find(ACCOUNT_SQL, "lock_accounts");
const ADD_ACCOUNTS: Query<Bulk> = Query::find(ACCOUNT_SQL, "add_accounts");
const CHANGE_ACCOUNTS: Query<Bulk> = Query::find(ACCOUNT_SQL, "change_accounts");
const ACCOUNTS_OF_IBANS: Query<Many> = Query::find(ACCOUNT_SQL, "accounts_of_ibans");
const TAKEN_NUMBERS: Query<Many> = Query::find(ACCOUNT_SQL, "taken_numbers");
const ADD_IBANS: Query<Bulk> = Query::find(ACCOUNT_SQL, "add_ibans");
const RETIRE_IBANS: Query<Bulk> = Query::find(ACCOUNT_SQL, "retire_ibans");
const HOLDERS_AMONG: Query<Many> = Query::find(ACCOUNT_SQL, "holders_among");
const PUT_HOLDERS: Query<Bulk> = Query::find(ACCOUNT_SQL, "put_holders");
const ACCOUNTS_SEEN: Query<Many> = Query::find(ACCOUNT_SQL, "accounts_seen");
const LIST_ACCOUNTS: Query<Many> = Query::find(ACCOUNT_SQL, "list_accounts");
const LIST_ACCOUNTS_OF: Query<Many> = Query::find(ACCOUNT_SQL, "list_accounts_of");
const ADD_CASH: Query<Affected> = Query::find(ACCOUNT_SQL, "add_cash");
const ALL_CASH: Query<Many> = Query::find(ACCOUNT_SQL, "all_cash");
const OPEN_ACCOUNTS: Query<Many> = Query::find(ACCOUNT_SQL, "open_accounts");

const LOCK_REQUESTS: Query<Many> = Query::find(REQUEST_SQL, "lock_requests");
const ADD_REQUESTS: Query<Bulk> = Query::find(REQUEST_SQL, "add_requests");
const DECIDE_REQUESTS: Query<Bulk> = Query::find(REQUEST_SQL, "decide_requests");
const PENDING_CONCERNING: Query<Many> = Query::find(REQUEST_SQL, "pending_concerning");
const REQUESTS_SEEN: Query<Many> = Query::find(REQUEST_SQL, "requests_seen");
const PENDING_NEWEST: Query<Many> = Query::find(REQUEST_SQL, "pending_newest");
const PENDING_OLDEST: Query<Many> = Query::find(REQUEST_SQL, "pending_oldest");
const OF_MAKER_NEWEST: Query<Many> = Query::find(REQUEST_SQL, "of_maker_newest");
const OF_MAKER_OLDEST: Query<Many> = Query::find(REQUEST_SQL, "of_maker_oldest");
const OF_ACCOUNT_NEWEST: Query<Many> = Query::find(REQUEST_SQL, "of_account_newest");
const OF_ACCOUNT_OLDEST: Query<Many> = Query::find(REQUEST_SQL, "of_account_oldest");
const ALL_NEWEST: Query<Many> = Query::find(REQUEST_SQL, "all_newest");
const ALL_OLDEST: Query<Many> = Query::find(REQUEST_SQL, "all_oldest");
const DUE: Query<Many> = Query::find(REQUEST_SQL, "due");
const DECIDED_BY_ITS_OWN: Query<Scalar<i64>> = Query::find(REQUEST_SQL, "decided_by_its_own");
const WRONGLY_HELD: Query<Scalar<i64>> = Query::find(REQUEST_SQL, "wrongly_held");
const FORGOTTEN_HOLDS: Query<Scalar<i64>> = Query::find(REQUEST_SQL, "forgotten_holds");

/// Somebody, as their last access token named them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    pub(crate) id: UserId,
    pub(crate) login: String,
    pub(crate) name: String,
}

/// An account with what people read beside it.
#[derive(Clone, Debug)]
pub(crate) struct AccountSeen {
    pub(crate) account: Account,
    pub(crate) holder: String,
    pub(crate) balance: Option<ledger::Balance>,
}

/// A request with what people read beside it.
#[derive(Clone, Debug)]
pub(crate) struct RequestSeen {
    pub(crate) request: Request,
    pub(crate) account_label: vocabulary::Label,
    pub(crate) account_iban: Option<Iban>,
    pub(crate) owner_name: String,
    pub(crate) maker_name: String,
    pub(crate) checker_name: Option<String>,
    pub(crate) payee_name: Option<String>,
}

/// An account number, as it was given.
#[derive(Clone, Debug)]
pub(crate) struct NumberGiven {
    pub(crate) iban: Iban,
    pub(crate) number: String,
    pub(crate) account: AccountId,
    pub(crate) given_at: Timestamp,
    pub(crate) retired_at: Option<Timestamp>,
}

/// Names are found whatever their capitals, on both databases alike.
fn folded(text: &str) -> String {
    text.to_lowercase()
}

fn unreadable(column: &str) -> StoreError {
    StoreError::Row(format!("the column {column} does not hold what it should"))
}

fn account(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: row.get("id")?,
        owner: row.get("owner")?,
        label: row.parse("label")?,
        currency: row.parse("currency")?,
        state: account::state_from(&row.get::<String>("state")?).ok_or_else(|| unreadable("state"))?,
        iban: row.parse_optional("iban")?,
        request: row.get("request")?,
        created_at: row.get("created_at")?,
    })
}

fn request(row: &Row) -> Result<Request, StoreError> {
    let currency: Currency = row.parse("currency")?;
    let payee = match row.get::<Option<AccountId>>("payee")? {
        None => None,
        Some(account) => Some(PayeeSide {
            account,
            owner: row.get("payee_owner")?,
            asked: row.parse::<Payee>("payee_asked")?,
            iban: row.parse("payee_iban")?,
        }),
    };
    Ok(Request {
        id: row.get("id")?,
        kind: request::kind_from(&row.get::<String>("kind")?).ok_or_else(|| unreadable("kind"))?,
        state: request::state_from(&row.get::<String>("state")?).ok_or_else(|| unreadable("state"))?,
        maker: row.get("maker")?,
        checker: row.get("checker")?,
        account: row.get("account")?,
        account_owner: row.get("account_owner")?,
        payee,
        money: row.get::<Option<i64>>("amount")?.map(|minor| Money::new(minor, currency)),
        currency,
        reference: row.parse("reference")?,
        reason: row.get("reason")?,
        created_at: row.get("created_at")?,
        decided_at: row.get("decided_at")?,
        expires_at: row.get("expires_at")?,
        digest: row.get("digest")?,
    })
}

/// These requests, nobody else's until the transaction ends.
pub(crate) async fn lock_requests(
    tx: &mut Transaction,
    ids: &[RequestId],
) -> Result<HashMap<RequestId, Request>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.run(&LOCK_REQUESTS, params![ids.to_vec()]).await?;
    rows.iter().map(request).map(|read| read.map(|it| (it.id, it))).collect()
}

/// These accounts, nobody else's until the transaction ends.
pub(crate) async fn lock_accounts(
    tx: &mut Transaction,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Account>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.run(&LOCK_ACCOUNTS, params![ids.to_vec()]).await?;
    rows.iter().map(account).map(|read| read.map(|it| (it.id, it))).collect()
}

/// Whose these IBANs are now.
pub(crate) async fn accounts_of_ibans(
    tx: &mut Transaction,
    ibans: &[Iban],
) -> Result<HashMap<Iban, AccountId>, StoreError> {
    if ibans.is_empty() {
        return Ok(HashMap::new());
    }
    let texts: Vec<String> = ibans.iter().map(Iban::to_string).collect();
    let rows = tx.run(&ACCOUNTS_OF_IBANS, params![texts]).await?;
    rows.iter().map(|row| Ok((row.parse("iban")?, row.get("account")?))).collect()
}

/// Which of these numbers were given before.
pub(crate) async fn taken_numbers(tx: &mut Transaction, numbers: &[String]) -> Result<HashSet<String>, StoreError> {
    let rows = tx.run(&TAKEN_NUMBERS, params![numbers.to_vec()]).await?;
    rows.iter().map(|row| row.get("number")).collect()
}

pub(crate) async fn holders(tx: &mut Transaction, ids: &[UserId]) -> Result<HashMap<UserId, Holder>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.run(&HOLDERS_AMONG, params![ids.to_vec()]).await?;
    rows.iter()
        .map(|row| {
            let holder = Holder { id: row.get("id")?, login: row.get("login")?, name: row.get("name")? };
            Ok((holder.id, holder))
        })
        .collect()
}

/// How many requests of their owners' own wait that concern these accounts.
pub(crate) async fn pending_concerning(
    tx: &mut Transaction,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, i64>, StoreError> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.run(&PENDING_CONCERNING, params![accounts.to_vec()]).await?;
    rows.iter().map(|row| Ok((row.get("account")?, row.get("waiting")?))).collect()
}

fn each<R, T>(rows: &[R], field: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(field).collect()
}

pub(crate) async fn put_holders(tx: &mut Transaction, holders: &[&Holder]) -> Result<(), StoreError> {
    let columns = columns![
        each(holders, |it| it.id),
        each(holders, |it| it.login.clone()),
        each(holders, |it| it.name.clone()),
        each(holders, |it| folded(&it.name)),
    ];
    tx.bulk(&PUT_HOLDERS, columns).await.map(drop)
}

pub(crate) async fn add_accounts(tx: &mut Transaction, new: &[&Account]) -> Result<(), StoreError> {
    let columns = columns![
        each(new, |it| it.id),
        each(new, |it| it.owner),
        each(new, |it| it.label.to_string()),
        each(new, |it| folded(it.label.as_str())),
        each(new, |it| it.currency),
        each(new, |it| account::state_name(it.state)),
        each(new, |it| it.iban.as_ref().map(Iban::to_string)),
        each(new, |it| it.request),
        each(new, |it| it.created_at),
    ];
    tx.bulk(&ADD_ACCOUNTS, columns).await.map(drop)
}

pub(crate) async fn change_accounts(tx: &mut Transaction, changed: &[&Account]) -> Result<(), StoreError> {
    let columns = columns![
        each(changed, |it| it.id),
        each(changed, |it| it.label.to_string()),
        each(changed, |it| folded(it.label.as_str())),
        each(changed, |it| account::state_name(it.state)),
        each(changed, |it| it.iban.as_ref().map(Iban::to_string)),
    ];
    all(tx.bulk(&CHANGE_ACCOUNTS, columns).await?, changed.len(), "accounts")
}

/// Retires the old numbers before the new ones come: an account has one at a time.
pub(crate) async fn change_numbers(
    tx: &mut Transaction,
    retired: &[(Iban, Timestamp)],
    given: &[NumberGiven],
) -> Result<(), StoreError> {
    let columns = columns![each(retired, |it| it.0.to_string()), each(retired, |it| it.1)];
    all(tx.bulk(&RETIRE_IBANS, columns).await?, retired.len(), "IBANs")?;
    let columns = columns![
        each(given, |it| it.iban.to_string()),
        each(given, |it| it.number.clone()),
        each(given, |it| it.account),
        each(given, |it| it.given_at),
        each(given, |it| it.retired_at.map(Timestamp::micros)),
    ];
    tx.bulk(&ADD_IBANS, columns).await.map(drop)
}

pub(crate) async fn add_requests(tx: &mut Transaction, new: &[&Request]) -> Result<(), StoreError> {
    let payee = |it: &&Request| it.payee.clone();
    let columns = columns![
        each(new, |it| it.id),
        each(new, |it| request::kind_name(it.kind)),
        each(new, |it| request::state_name(it.state)),
        each(new, |it| it.maker),
        each(new, |it| it.checker),
        each(new, |it| it.account),
        each(new, |it| it.account_owner),
        each(new, |it| payee(it).map(|payee| payee.account)),
        each(new, |it| payee(it).map(|payee| payee.owner)),
        each(new, |it| payee(it).map(|payee| payee.asked.to_string())),
        each(new, |it| payee(it).map(|payee| payee.iban.to_string())),
        each(new, |it| it.money.map(Money::minor)),
        each(new, |it| it.currency),
        each(new, |it| it.reference.to_string()),
        each(new, |it| it.reason.clone()),
        each(new, |it| it.created_at),
        each(new, |it| it.decided_at.map(Timestamp::micros)),
        each(new, |it| it.expires_at),
        each(new, |it| it.digest),
    ];
    tx.bulk(&ADD_REQUESTS, columns).await.map(drop)
}

pub(crate) async fn decide_requests(tx: &mut Transaction, decided: &[&Request]) -> Result<(), StoreError> {
    let columns = columns![
        each(decided, |it| it.id),
        each(decided, |it| request::state_name(it.state)),
        each(decided, |it| it.checker),
        each(decided, |it| it.reason.clone()),
        each(decided, |it| it.decided_at.map(Timestamp::micros)),
    ];
    all(tx.bulk(&DECIDE_REQUESTS, columns).await?, decided.len(), "requests")
}

fn all(written: u64, wanted: usize, what: &str) -> Result<(), StoreError> {
    if u64::try_from(wanted) == Ok(written) {
        Ok(())
    } else {
        Err(StoreError::Row(format!("of {wanted} {what}, {written} were found to be written")))
    }
}

/// These accounts with their balances and their holders' names.
pub(crate) async fn accounts_seen(
    tx: &mut Transaction,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, AccountSeen>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.run(&ACCOUNTS_SEEN, params![ids.to_vec()]).await?;
    let balances = ledger::balances(tx, ids).await?;
    rows.iter()
        .map(|row| {
            let account = account(row)?;
            let balance = balances.get(&account.id).copied();
            Ok((account.id, AccountSeen { holder: text(row, "holder")?, account, balance }))
        })
        .collect()
}

/// These requests with the names of all concerned.
pub(crate) async fn requests_seen(
    tx: &mut Transaction,
    ids: &[RequestId],
) -> Result<HashMap<RequestId, RequestSeen>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.run(&REQUESTS_SEEN, params![ids.to_vec()]).await?;
    rows.iter()
        .map(|row| {
            let seen = RequestSeen {
                request: request(row)?,
                account_label: row.parse("account_label")?,
                account_iban: row.parse_optional("account_iban")?,
                owner_name: text(row, "owner_name")?,
                maker_name: text(row, "maker_name")?,
                checker_name: row.get("checker_name")?,
                payee_name: row.get("payee_name")?,
            };
            Ok((seen.request.id, seen))
        })
        .collect()
}

fn text(row: &Row, column: &str) -> Result<String, StoreError> {
    row.get::<Option<String>>(column).map(Option::unwrap_or_default)
}

/// Which accounts a list shows.
#[derive(Default)]
pub(crate) struct AccountFilter {
    pub(crate) owner: Option<UserId>,
    pub(crate) state: Option<contracts::bank::AccountState>,
    pub(crate) search: Option<String>,
    pub(crate) before: Option<AccountId>,
    pub(crate) limit: i64,
}

/// Before every id, and after every id.
const FIRST: Uuid = Uuid::nil();
const LAST: Uuid = Uuid::max();

/// A part of a text as LIKE takes it, with nothing in it that LIKE would take for a sign.
fn part(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Accounts, newest first.
pub(crate) async fn list_accounts(
    tx: &mut Transaction,
    filter: &AccountFilter,
) -> Result<Vec<AccountSeen>, StoreError> {
    let search = filter.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    let name = search.map(|search| part(&folded(search)));
    let compact = |search: &str| search.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    let iban = search.map(|search| part(&compact(search)));
    let state = filter.state.map(account::state_name);
    let before = filter.before.map_or(LAST, |id| id.0);
    let rows = match filter.owner {
        Some(owner) => tx.run(&LIST_ACCOUNTS_OF, params![before, state, name, iban, filter.limit, owner]).await?,
        None => tx.run(&LIST_ACCOUNTS, params![before, state, name, iban, filter.limit]).await?,
    };
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<AccountId>, _>>()?;
    let mut seen = accounts_seen(tx, &ids).await?;
    Ok(ids.iter().filter_map(|id| seen.remove(id)).collect())
}

/// Which requests a list shows.
#[derive(Default)]
pub(crate) struct RequestFilter {
    pub(crate) maker: Option<UserId>,
    pub(crate) state: Option<contracts::bank::RequestState>,
    pub(crate) kind: Option<contracts::bank::RequestKind>,
    pub(crate) account: Option<AccountId>,
    pub(crate) oldest_first: bool,
    pub(crate) beyond: Option<RequestId>,
    pub(crate) limit: i64,
}

/// Requests, newest or oldest first; each filter has the query that an index serves.
pub(crate) async fn list_requests(
    tx: &mut Transaction,
    filter: &RequestFilter,
) -> Result<Vec<RequestSeen>, StoreError> {
    let pending = filter.state == Some(contracts::bank::RequestState::Pending);
    let queries = match filter {
        RequestFilter { account: Some(_), .. } => (&OF_ACCOUNT_NEWEST, &OF_ACCOUNT_OLDEST),
        RequestFilter { maker: Some(_), .. } => (&OF_MAKER_NEWEST, &OF_MAKER_OLDEST),
        _ if pending => (&PENDING_NEWEST, &PENDING_OLDEST),
        _ => (&ALL_NEWEST, &ALL_OLDEST),
    };
    let (query, edge) = if filter.oldest_first { (queries.1, FIRST) } else { (queries.0, LAST) };
    let beyond = filter.beyond.map_or(edge, |id| id.0);
    let (state, kind) = (filter.state.map(request::state_name), filter.kind.map(request::kind_name));
    let rows = tx.run(query, params![beyond, state, kind, filter.account, filter.maker, filter.limit]).await?;
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<RequestId>, _>>()?;
    let mut seen = requests_seen(tx, &ids).await?;
    Ok(ids.iter().filter_map(|id| seen.remove(id)).collect())
}

/// Those that waited until `at` or longer.
pub(crate) async fn due(tx: &mut Transaction, at: Timestamp, limit: i64) -> Result<Vec<RequestId>, StoreError> {
    let rows = tx.run(&DUE, params![at, limit]).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Makes `account` the place of cash in `currency`, unless there is one: gives whether it is this one now.
pub(crate) async fn add_cash(tx: &mut Transaction, currency: Currency, account: AccountId) -> Result<bool, StoreError> {
    Ok(tx.run(&ADD_CASH, params![currency, account]).await? == 1)
}

pub(crate) async fn cash(tx: &mut Transaction) -> Result<HashMap<Currency, AccountId>, StoreError> {
    let rows = tx.run(&ALL_CASH, params![]).await?;
    rows.iter().map(|row| Ok((row.parse("currency")?, row.get("account")?))).collect()
}

/// What must hold of requests, each with how many break it.
pub(crate) async fn broken_requests(tx: &mut Transaction) -> Result<Vec<(&'static str, i64)>, StoreError> {
    let mut counts = Vec::new();
    for (what, query) in [
        ("every pending request with funds has exactly one open hold", &WRONGLY_HELD),
        ("no funds are held for a request that does not wait", &FORGOTTEN_HOLDS),
        ("no request was decided by its maker or by anyone it concerns", &DECIDED_BY_ITS_OWN),
    ] {
        counts.push((what, tx.run(query, params![]).await?.unwrap_or(-1)));
    }
    Ok(counts)
}

/// The IBANs of a page of open accounts, as they are stored, and where the next page begins.
pub(crate) async fn stored_ibans(
    tx: &mut Transaction,
    after: Option<AccountId>,
    limit: i64,
) -> Result<Vec<(AccountId, String)>, StoreError> {
    let rows = tx.run(&OPEN_ACCOUNTS, params![after.map_or(FIRST, |id| id.0), limit]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, text(row, "iban")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn what_is_searched_for_is_taken_by_its_letters() {
        assert_eq!(part("50%_\\"), "%50\\%\\_\\\\%");
    }
}
