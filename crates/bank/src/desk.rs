//! The desk behind the ledger's engine: loads a batch's working set, lets the counter decide, writes the changes down.
//!
//! Promises: everything of a batch (accounts, requests, balances, replies to keys, events) is in the engine's one
//! transaction, in a number of statements that does not grow with the batch; a key is answered once, whether it comes
//! again later, at the same time or in the same batch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ::store::{Once, OnceKey, StoreError, Transaction};
use contracts::bank::{Payee, RequestKind};
use ledger::{Book, Desk};
use vocabulary::{AccountId, Chance, Clock, Currency, HoldId, Iban, RequestId, UserId};

use crate::account::draw_number;
use crate::command::{Answer, Command, Decision, Wish};
use crate::config::BankConfig;
use crate::counter::{Changes, Counter, balances_of};
use crate::error::Error;
use crate::request::Request;
use crate::store;

/// How often numbers are drawn again that were given before; with fewer than a tenth given, this never runs out.
const DRAWS: usize = 12;

/// See the module.
pub(crate) struct BankDesk {
    pub(crate) config: Arc<BankConfig>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
}

/// What a command came to, before it is read again for its caller.
enum Outcome {
    Request(RequestId),
    Account(AccountId),
    Tampered,
}

impl Desk for BankDesk {
    type Command = Command;
    type Answer = Answer;
    type Error = Error;

    async fn work(&self, tx: &mut Transaction, batch: &[Command]) -> Result<Vec<Result<Answer, Error>>, Error> {
        let mut keys = Keys::load(tx, batch).await?;
        let mut counter = self.load(tx, batch).await?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for (at, command) in batch.iter().enumerate() {
            outcomes.push(decide(&mut counter, &mut keys, at, command));
        }
        write(tx, &mut counter).await?;
        tx.remember_many(&keys.replies).await?;
        read_again(tx, batch, outcomes).await
    }

    fn store_error(error: &Error) -> Option<&StoreError> {
        if let Error::Store(error) = error { Some(error) } else { None }
    }
}

fn decide(counter: &mut Counter, keys: &mut Keys, at: usize, command: &Command) -> Result<Outcome, Error> {
    match command {
        Command::Ask(ask) => {
            if let Some(key) = &ask.key
                && let Some(before) = keys.before(at, key)?
            {
                return Ok(Outcome::Request(before));
            }
            let id = counter.ask(ask)?;
            if let Some(key) = &ask.key {
                keys.done(key, id);
            }
            Ok(Outcome::Request(id))
        }
        Command::Decide { id, by, decision, trace_id } => match counter.decide(*id, by, decision, trace_id) {
            Err(Error::Tampered) => Ok(Outcome::Tampered),
            decided => decided.map(Outcome::Request),
        },
        Command::Cancel { id, by, trace_id } => counter.cancel(*id, by, trace_id).map(Outcome::Request),
        Command::Expire { id } => counter.expire(*id).map(Outcome::Request),
        Command::Rename { account, label, by, trace_id } => {
            counter.rename(*account, label, by, trace_id).map(Outcome::Account)
        }
    }
}

/// Keys of a batch, and what they stand for.
struct Keys {
    known: HashMap<usize, Once>,
    fresh: HashSet<(String, String)>,
    done: HashMap<(String, String), ([u8; 32], RequestId)>,
    replies: Vec<(OnceKey, String)>,
}

impl Keys {
    async fn load(tx: &mut Transaction, batch: &[Command]) -> Result<Self, StoreError> {
        let keyed = batch.iter().enumerate().filter_map(|(at, command)| match command {
            Command::Ask(ask) => ask.key.clone().map(|key| (at, key)),
            _ => None,
        });
        let (places, keys): (Vec<usize>, Vec<OnceKey>) = keyed.unzip();
        let verdicts = if keys.is_empty() { Vec::new() } else { tx.once_many(&keys).await? };
        let mut fresh = HashSet::new();
        for (key, verdict) in keys.iter().zip(&verdicts) {
            if *verdict == Once::Fresh {
                fresh.insert((key.scope.clone(), key.key.clone()));
            }
        }
        Ok(Self { known: places.into_iter().zip(verdicts).collect(), fresh, done: HashMap::new(), replies: Vec::new() })
    }

    /// What this key was answered before. A key whose first use in this batch was refused is as good as new.
    fn before(&self, at: usize, key: &OnceKey) -> Result<Option<RequestId>, Error> {
        let name = (key.scope.clone(), key.key.clone());
        if let Some((digest, id)) = self.done.get(&name) {
            return if *digest == key.digest { Ok(Some(*id)) } else { Err(Error::KeyReused) };
        }
        match self.known.get(&at) {
            Some(Once::Replay(reply)) => {
                reply.parse().map(Some).map_err(|_| Error::Broken(format!("the reply to a key is not an id: {reply}")))
            }
            Some(Once::Mismatch) if !self.fresh.contains(&name) => Err(Error::KeyReused),
            _ => Ok(None),
        }
    }

    fn done(&mut self, key: &OnceKey, id: RequestId) {
        self.done.insert((key.scope.clone(), key.key.clone()), (key.digest, id));
        self.replies.push((key.clone(), id.to_string()));
    }
}

/// What a batch needs, gathered from its commands.
#[derive(Default)]
struct Needs {
    requests: HashSet<RequestId>,
    accounts: HashSet<AccountId>,
    ibans: HashSet<Iban>,
    people: HashSet<UserId>,
    balances: HashSet<AccountId>,
    holds: HashSet<HoldId>,
    closing: HashSet<AccountId>,
    numbers: usize,
    cash: bool,
}

impl Needs {
    fn of_command(&mut self, command: &Command) {
        match command {
            Command::Ask(ask) => {
                self.people.insert(ask.by.id);
                self.accounts.extend(ask.wish.account());
                match &ask.wish {
                    Wish::Close { account } => {
                        self.balances.insert(*account);
                        self.closing.insert(*account);
                    }
                    Wish::Withdraw { account, .. } => {
                        self.balances.insert(*account);
                    }
                    Wish::Transfer { from, to, .. } => {
                        self.balances.insert(*from);
                        match to {
                            Payee::Account(id) => drop(self.accounts.insert(*id)),
                            Payee::Iban(iban) => drop(self.ibans.insert(iban.clone())),
                        }
                    }
                    Wish::Open { .. } | Wish::Renew { .. } | Wish::Deposit { .. } => {}
                }
            }
            Command::Decide { id, by, .. } | Command::Cancel { id, by, .. } => {
                self.requests.insert(*id);
                self.people.insert(by.id);
            }
            Command::Expire { id } => drop(self.requests.insert(*id)),
            Command::Rename { account, by, .. } => {
                self.accounts.insert(*account);
                self.people.insert(by.id);
            }
        }
    }

    fn of_request(&mut self, request: &Request) {
        self.accounts.insert(request.account);
        self.people.insert(request.maker);
        self.people.insert(request.account_owner);
        if let Some(payee) = &request.payee {
            self.accounts.insert(payee.account);
            self.people.insert(payee.owner);
        }
        self.holds.extend(request.hold());
        match request.kind {
            RequestKind::CloseAccount => drop(self.closing.insert(request.account)),
            RequestKind::Deposit | RequestKind::Withdrawal => self.cash = true,
            RequestKind::OpenAccount | RequestKind::RenewIban | RequestKind::Transfer => {}
        }
    }
}

fn list<T: Copy + Ord>(set: &HashSet<T>) -> Vec<T> {
    let mut items: Vec<T> = set.iter().copied().collect();
    items.sort_unstable();
    items
}

impl BankDesk {
    /// The working set. Locks are taken in one order by every process: requests, accounts, balances.
    async fn load(&self, tx: &mut Transaction, batch: &[Command]) -> Result<Counter, Error> {
        let mut needs = Needs::default();
        for command in batch {
            needs.of_command(command);
        }
        let requests = store::lock_requests(tx, &list(&needs.requests)).await?;
        for request in requests.values() {
            needs.of_request(request);
        }
        needs.numbers = batch
            .iter()
            .filter(|command| match command {
                Command::Decide { id, decision: Decision::Approve { .. }, .. } => requests
                    .get(id)
                    .is_some_and(|it| matches!(it.kind, RequestKind::OpenAccount | RequestKind::RenewIban)),
                _ => false,
            })
            .count();
        let ibans: Vec<Iban> = needs.ibans.iter().cloned().collect();
        let payees = store::accounts_of_ibans(tx, &ibans).await?;
        needs.accounts.extend(payees.values());
        let accounts = store::lock_accounts(tx, &list(&needs.accounts)).await?;
        let cash = if needs.cash { store::cash(tx).await? } else { HashMap::new() };
        for request in requests.values() {
            needs.balances.extend(balances_of(request, &cash));
        }
        Ok(Counter {
            config: Arc::clone(&self.config),
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            holders: store::holders(tx, &list(&needs.people)).await?,
            waiting: self.waiting(tx, &list(&needs.closing)).await?,
            numbers: self.numbers(tx, needs.numbers).await?,
            book: Book::load(tx, &list(&needs.balances), &list(&needs.holds)).await?,
            accounts,
            requests,
            payees,
            cash,
            changes: Changes::default(),
        })
    }

    /// With a zero for each account of which nothing waits, so that what this batch adds is counted.
    async fn waiting(
        &self,
        tx: &mut Transaction,
        closing: &[AccountId],
    ) -> Result<HashMap<AccountId, i64>, StoreError> {
        let mut waiting: HashMap<AccountId, i64> = closing.iter().map(|account| (*account, 0)).collect();
        waiting.extend(store::pending_concerning(tx, closing).await?);
        Ok(waiting)
    }

    /// Account numbers that were never given; should another process give one of them first, the table refuses it.
    async fn numbers(&self, tx: &mut Transaction, wanted: usize) -> Result<Vec<String>, Error> {
        let mut numbers: Vec<String> = Vec::with_capacity(wanted);
        for _ in 0..DRAWS {
            if numbers.len() >= wanted {
                return Ok(numbers);
            }
            let missing = wanted.saturating_sub(numbers.len());
            let drawn: HashSet<String> = (0..missing).map(|_| draw_number(&self.chance)).collect();
            let drawn: Vec<String> = drawn.into_iter().filter(|number| !numbers.contains(number)).collect();
            let taken = store::taken_numbers(tx, &drawn).await?;
            numbers.extend(drawn.into_iter().filter(|number| !taken.contains(number)));
        }
        Err(Error::Broken("no free account number was found: nearly all are given".to_owned()))
    }
}

/// Writes down what changed, each table once; in the order in which rows refer to one another.
async fn write(tx: &mut Transaction, counter: &mut Counter) -> Result<(), Error> {
    let changes = std::mem::take(&mut counter.changes);
    let accounts = |ids: &std::collections::BTreeSet<AccountId>| -> Vec<_> {
        ids.iter().filter_map(|id| counter.accounts.get(id)).collect()
    };
    let requests = |ids: &std::collections::BTreeSet<RequestId>| -> Vec<_> {
        ids.iter().filter_map(|id| counter.requests.get(id)).collect()
    };
    store::add_accounts(tx, &accounts(&changes.new_accounts)).await?;
    store::add_requests(tx, &requests(&changes.new_requests)).await?;
    store::decide_requests(tx, &requests(&changes.requests)).await?;
    store::change_accounts(tx, &accounts(&changes.accounts)).await?;
    store::change_numbers(tx, &changes.retired, &changes.given).await?;
    let holders: Vec<_> = changes.holders.iter().filter_map(|id| counter.holders.get(id)).collect();
    store::put_holders(tx, &holders).await?;
    std::mem::take(&mut counter.book).save(tx).await?;
    for event in &changes.events {
        let payload = event.payload().map_err(|error| Error::Broken(error.to_string()))?;
        tx.tell(event.subject(), payload);
    }
    Ok(())
}

/// What each caller is answered: the object as it is at the end of the batch.
async fn read_again(
    tx: &mut Transaction,
    batch: &[Command],
    outcomes: Vec<Result<Outcome, Error>>,
) -> Result<Vec<Result<Answer, Error>>, Error> {
    let (mut requests, mut accounts) = (HashSet::new(), HashSet::new());
    for outcome in outcomes.iter().flatten() {
        match outcome {
            Outcome::Request(id) => drop(requests.insert(*id)),
            Outcome::Account(id) => drop(accounts.insert(*id)),
            Outcome::Tampered => {}
        }
    }
    let requests = store::requests_seen(tx, &list(&requests)).await?;
    let opens = |command: &Command| matches!(command, Command::Ask(ask) if matches!(ask.wish, Wish::Open { .. }));
    for (command, outcome) in batch.iter().zip(&outcomes) {
        if let Ok(Outcome::Request(id)) = outcome
            && opens(command)
        {
            accounts.extend(requests.get(id).map(|seen| seen.request.account));
        }
    }
    let accounts = store::accounts_seen(tx, &list(&accounts)).await?;
    let request = |id: &RequestId| requests.get(id).cloned().ok_or_else(|| lost(id));
    let account = |id: &AccountId| accounts.get(id).cloned().ok_or_else(|| lost(id));
    let answers = batch.iter().zip(outcomes).map(|(command, outcome)| {
        Ok(match outcome? {
            Outcome::Tampered => Answer::Tampered,
            Outcome::Account(id) => Answer::Account(Box::new(account(&id)?)),
            Outcome::Request(id) if opens(command) => {
                Answer::Account(Box::new(account(&request(&id)?.request.account)?))
            }
            Outcome::Request(id) => Answer::Request(Box::new(request(&id)?)),
        })
    });
    Ok(answers.collect())
}

fn lost(id: &impl std::fmt::Display) -> Error {
    Error::Broken(format!("{id} was written and cannot be read"))
}

/// Cash stands somewhere for each of the bank's currencies: makes what is missing.
pub(crate) async fn prepare_cash(
    tx: &mut Transaction,
    currencies: &[Currency],
    clock: &Clock,
    chance: &Chance,
) -> Result<(), Error> {
    let known = store::cash(tx).await?;
    let mut book = Book::new();
    for currency in currencies.iter().filter(|currency| !known.contains_key(currency)) {
        let account = AccountId::new(clock, chance);
        // Another process that starts now may have been first.
        if store::add_cash(tx, *currency, account).await? {
            book.open_account(account, *currency, None)?;
        }
    }
    Ok(book.save(tx).await?)
}
