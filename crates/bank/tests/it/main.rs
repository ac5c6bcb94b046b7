//! The bank's promises, through its public door: typed callers with signed tokens, real databases, a clock that is moved
//! by hand.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod accounts;
mod events;
mod four_eyes;
mod idempotency;
mod lists;
mod money;
mod numbers;
mod scenario;
mod tampering;
mod together;
mod visibility;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Created, Credentials, Directory, Gate, Operation, Principal, Problem, Signer, Transport, Verifier};
use bank::{Bank, BankConfig, MIGRATIONS};
use chassis::Health;
use contracts::bank::*;
use contracts::{Cursor, Limit};
use store::Store;
use store::testing::{TestDatabase, databases};
use vocabulary::{AccountId, Amount, Chance, Clock, Currency, Iban, RequestId, SessionId, Timestamp, UserId};

/// A bank with its database, its time, and its people's tokens.
struct House {
    bank: Bank,
    store: Store,
    clock: Clock,
    chance: Chance,
    signer: Signer,
    directory: Directory,
    database: TestDatabase,
}

/// Somebody who calls the bank.
#[derive(Clone)]
struct Person {
    id: UserId,
    token: String,
    caller: Caller,
    clock: Clock,
}

/// The bank on every database that can be tested here.
async fn houses() -> Vec<House> {
    let mut houses = Vec::new();
    for database in databases().await.unwrap() {
        houses.push(house(database).await);
    }
    houses
}

async fn house(database: TestDatabase) -> House {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap());
    let chance = Chance::seeded(5);
    let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
    let bank = Bank::start(store.clone(), BankConfig::example().unwrap(), chance.clone()).await.unwrap();
    let signer = Signer::from_seed(&[7; 32], "guichet", "guichet").unwrap();
    let directory = counter(&bank, &signer, &clock, &chance);
    House { bank, store, clock, chance, signer, directory, database }
}

/// How to reach this bank.
fn counter(bank: &Bank, signer: &Signer, clock: &Clock, chance: &Chance) -> Directory {
    let verifier = Verifier::new("guichet", "guichet", clock.clone());
    verifier.trust(&signer.jwks());
    let gate = Gate::new(Credentials::new("guichet").bearer(verifier), Arc::new(()), clock.clone(), chance.clone());
    let directory = Directory::default();
    directory.set(SERVICE, Transport::in_process(bank.clone().module(gate).unwrap().router));
    directory
}

impl House {
    /// Another process of the same bank, on the same database.
    async fn second_counter(&self) -> Directory {
        let store = Store::open(&self.database.database, MIGRATIONS, self.clock.clone()).await.unwrap();
        let config = BankConfig::example().unwrap();
        let bank = Bank::start(store, config, Chance::seeded(6)).await.unwrap();
        counter(&bank, &self.signer, &self.clock, &Chance::seeded(7))
    }

    fn person(&self, login: &str, group: &str) -> Person {
        let id = UserId::new(&self.clock, &self.chance);
        let name = format!("{}{} Example", login[..1].to_uppercase(), &login[1..]);
        self.person_named(id, login, &name, group)
    }

    fn person_named(&self, id: UserId, login: &str, name: &str, group: &str) -> Person {
        let now = self.clock.now();
        let who = Principal::named(login, [group]).during(now, now.plus(Duration::from_hours(365 * 24)));
        let session = SessionId::new(&self.clock, &self.chance);
        let claims = self.signer.claims(&Principal { id, name: name.into(), session, ..who });
        let token = self.signer.sign(&claims).unwrap();
        let caller = self.directory.caller().with_token(token.clone());
        Person { id, token, caller, clock: self.clock.clone() }
    }

    fn member(&self, login: &str) -> Person {
        self.person(login, "member")
    }

    fn agent(&self, login: &str) -> Person {
        self.person(login, "agent")
    }

    /// What of the bank's own truths does not hold.
    async fn broken(&self) -> Vec<String> {
        let truths = self.bank.truths().await;
        assert!(truths.len() > 8, "{truths:?}");
        truths.into_iter().filter(|truth| !truth.holds).map(|truth| truth.name).collect()
    }

    /// All tables but those that outlive a refusal.
    async fn kept(&self) -> BTreeMap<String, Vec<String>> {
        self.store.dump().await.unwrap()
    }
}

impl Person {
    /// Calls, a millisecond after the call before: ids then sort as calls were made.
    async fn call<O: Operation>(&self, operation: O) -> Result<O::Reply, Problem> {
        self.clock.advance(Duration::from_millis(1));
        self.caller.call(operation).await
    }

    async fn keyed<O: Operation>(&self, key: &str, operation: O) -> Result<O::Reply, Problem> {
        self.clock.advance(Duration::from_millis(1));
        self.caller.keyed(key).call(operation).await
    }

    /// The same person at another counter.
    fn at(&self, counter: &Directory) -> Self {
        Self { caller: counter.caller().with_token(self.token.clone()), ..self.clone() }
    }

    async fn asks_to_open(&self, label: &str, currency: Currency) -> Account {
        let operation = OpenAccount { label: label.parse().unwrap(), currency: Some(currency) };
        self.call(operation).await.unwrap().0
    }

    /// An open account in euros with this much in it.
    async fn account_with(&self, agent: &Person, label: &str, euros: &str) -> Account {
        let account = self.asks_to_open(label, Currency::EUR).await;
        agent.approves(account.request.unwrap().id).await.unwrap();
        if amount(euros) != amount("0") {
            let request = self.asks_to_deposit(account.id, euros).await.unwrap();
            agent.approves(request.id).await.unwrap();
        }
        self.looks_at(account.id).await
    }

    async fn looks_at(&self, id: AccountId) -> Account {
        self.call(GetAccount { id }).await.unwrap()
    }

    async fn reads(&self, id: RequestId) -> Request {
        self.call(GetRequest { id }).await.unwrap()
    }

    async fn approves(&self, id: RequestId) -> Result<Request, Problem> {
        self.call(ApproveRequest { id, digest: None }).await
    }

    async fn rejects(&self, id: RequestId) -> Result<Request, Problem> {
        self.call(RejectRequest { id, reason: "not today".parse().unwrap() }).await
    }

    async fn cancels(&self, id: RequestId) -> Result<Request, Problem> {
        self.call(CancelRequest { id }).await
    }

    async fn asks_to_deposit(&self, account: AccountId, euros: &str) -> Result<Request, Problem> {
        let reference = "savings".parse().unwrap();
        let operation = RequestDeposit { account, amount: amount(euros), currency: Currency::EUR, reference };
        self.call(operation).await.map(created)
    }

    async fn asks_to_withdraw(&self, account: AccountId, euros: &str) -> Result<Request, Problem> {
        let reference = "cash".parse().unwrap();
        let operation = RequestWithdrawal { account, amount: amount(euros), currency: Currency::EUR, reference };
        self.call(operation).await.map(created)
    }

    async fn asks_to_transfer(&self, from: AccountId, to: impl Into<To>, euros: &str) -> Result<Request, Problem> {
        self.call(transfer(from, to, euros)).await.map(created)
    }

    async fn asks_to_close(&self, id: AccountId) -> Result<Request, Problem> {
        self.call(CloseAccount { id }).await.map(created)
    }

    async fn asks_for_another_iban(&self, id: AccountId) -> Result<Request, Problem> {
        self.call(RenewIban { id }).await.map(created)
    }

    async fn history(&self, id: AccountId) -> Vec<Transaction> {
        let operation = ListTransactions { id, from: None, to: None, cursor: None, limit: Limit::MAX };
        self.call(operation).await.unwrap().items
    }

    /// Booked, pending, available.
    async fn balance(&self, id: AccountId) -> (String, String, String) {
        let account = self.looks_at(id).await;
        (written(account.booked), written(account.pending), written(account.available))
    }
}

/// Who is credited, as tests name them.
struct To(Payee);

impl From<AccountId> for To {
    fn from(id: AccountId) -> Self {
        Self(Payee::Account(id))
    }
}

impl From<&Account> for To {
    fn from(account: &Account) -> Self {
        Self(Payee::Iban(account.iban.clone().unwrap()))
    }
}

impl From<Iban> for To {
    fn from(iban: Iban) -> Self {
        Self(Payee::Iban(iban))
    }
}

fn transfer(from: AccountId, to: impl Into<To>, euros: &str) -> RequestTransfer {
    let (to, reference) = (to.into().0, "rent".parse().unwrap());
    RequestTransfer { from, to, amount: amount(euros), currency: Currency::EUR, reference }
}

fn created<T>(created: Created<T>) -> T {
    created.0
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// As euros are written: with two decimals, also when what was read had less.
fn written(euros: Amount) -> String {
    euros.of(Currency::EUR).unwrap().amount().to_string()
}

fn sums(booked: &str, pending: &str, available: &str) -> (String, String, String) {
    (booked.to_owned(), pending.to_owned(), available.to_owned())
}

/// Status and code of a refusal.
#[track_caller]
fn refusal<T>(result: Result<T, Problem>) -> (u16, String) {
    let problem = result.err().unwrap();
    assert!(problem.sentence().len() > 20, "a refusal says what to do: {problem}");
    (problem.status().as_u16(), problem.code().to_owned())
}

#[track_caller]
fn is_refused<T>(result: Result<T, Problem>, status: u16, code: &str) {
    assert_eq!(refusal(result), (status, code.to_owned()));
}

#[track_caller]
fn field_of<T>(result: Result<T, Problem>) -> String {
    let problem = result.err().unwrap();
    assert_eq!(problem.faults().len(), 1, "{problem}");
    problem.faults()[0].field.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_prepared() {
    for house in houses().await {
        assert_eq!(store::check::prepare_all(&house.store, bank::QUERIES).await, Vec::<String>::new());
        assert_eq!(store::check::prepare_all(&house.store, ledger::QUERIES).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_the_same_bank() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        claire.account_with(&agent, "Salary", "10.00").await;
        let before = house.kept().await;
        house.bank.stop().await;
        let again =
            Bank::start(house.store.clone(), BankConfig::example().unwrap(), house.chance.clone()).await.unwrap();
        assert_eq!(house.kept().await, before);
        assert_eq!(again.ready().await, Ok(()));
        is_refused(claire.asks_to_deposit(AccountId(store::Uuid::nil()), "1.00").await, 404, "not-found");
    }
}
