//! The counter: what asks and decisions do, decided one after another on a working set in memory.
//!
//! Promises: a refused command leaves the working set as it was; the outcome depends on the working set and the order of
//! commands alone. It knows no database: the desk loads the working set before and writes the changes down after.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use contracts::bank::{AccountState, Payee, RequestKind, RequestState};
use contracts::events::{LogEvent, Person};
use ledger::Book;
use vocabulary::{
    AccountId, Amount, Chance, Clock, Currency, EventId, Iban, Label, Money, Reference, RequestId, Timestamp, UserId,
};

use crate::account::Account;
use crate::command::{Ask, Decision, Wish};
use crate::config::BankConfig;
use crate::error::Error;
use crate::events::{self, Moment, Step, person};
use crate::request::{LIFETIME, PayeeSide, Request, holds_funds, kind_name};
use crate::store::{Holder, NumberGiven};

/// The working set of one batch.
pub(crate) struct Counter {
    pub(crate) config: Arc<BankConfig>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) accounts: HashMap<AccountId, Account>,
    pub(crate) requests: HashMap<RequestId, Request>,
    /// Whose the IBANs are that were asked for.
    pub(crate) payees: HashMap<Iban, AccountId>,
    pub(crate) holders: HashMap<UserId, Holder>,
    /// How many requests wait that their owners made, by account; for accounts that somebody wants to close.
    pub(crate) waiting: HashMap<AccountId, i64>,
    pub(crate) cash: HashMap<Currency, AccountId>,
    /// Account numbers never given before.
    pub(crate) numbers: Vec<String>,
    pub(crate) book: Book,
    pub(crate) changes: Changes,
}

/// What is still to be written down.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) new_accounts: BTreeSet<AccountId>,
    pub(crate) accounts: BTreeSet<AccountId>,
    pub(crate) new_requests: BTreeSet<RequestId>,
    pub(crate) requests: BTreeSet<RequestId>,
    pub(crate) retired: Vec<(Iban, Timestamp)>,
    pub(crate) given: Vec<NumberGiven>,
    pub(crate) holders: BTreeSet<UserId>,
    pub(crate) events: Vec<LogEvent>,
}

/// What a wish concerns, once it is admitted.
struct Admitted {
    kind: RequestKind,
    account: Account,
    payee: Option<PayeeSide>,
    money: Option<Money>,
    reference: Reference,
}

impl Counter {
    /// Someone asks. Gives the request that waits from now on, its funds held.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<RequestId, Error> {
        let admitted = self.admit(ask)?;
        let now = self.clock.now();
        let mut request = Request {
            id: ask.id,
            kind: admitted.kind,
            state: RequestState::Pending,
            maker: ask.by.id,
            checker: None,
            account: admitted.account.id,
            account_owner: admitted.account.owner,
            payee: admitted.payee,
            money: admitted.money,
            currency: admitted.account.currency,
            reference: admitted.reference,
            reason: None,
            created_at: now,
            decided_at: None,
            expires_at: now.plus(LIFETIME),
            digest: [0; 32],
        };
        request.digest = request.content_digest(&admitted.account.label)?;
        if let (Some(hold), Some(amount)) = (request.hold(), request.money) {
            self.book.apply(&ledger::Command::Hold { hold, account: request.account, amount })?;
        }
        self.meet(&ask.by);
        self.count(&request, 1);
        if request.kind == RequestKind::OpenAccount {
            self.changes.new_accounts.insert(request.account);
            self.accounts.insert(request.account, admitted.account);
        }
        self.changes.new_requests.insert(request.id);
        self.tell(Step::Requested, &request, Some(person(&ask.by)), Some(ask.trace_id.clone()));
        let id = request.id;
        self.requests.insert(id, request);
        Ok(id)
    }

    /// May this be asked for, as things stand?
    fn admit(&self, ask: &Ask) -> Result<Admitted, Error> {
        let by = ask.by.id;
        let plain = |kind, account: &Account| Admitted {
            kind,
            account: account.clone(),
            payee: None,
            money: None,
            reference: Reference::default(),
        };
        match &ask.wish {
            Wish::Open { account, label, currency } => {
                if !self.config.currencies.contains(currency) {
                    return Err(Error::CurrencyNotOffered(*currency));
                }
                let account = Account {
                    id: *account,
                    owner: by,
                    label: label.clone(),
                    currency: *currency,
                    state: AccountState::Pending,
                    iban: None,
                    request: ask.id,
                    created_at: self.clock.now(),
                };
                Ok(plain(RequestKind::OpenAccount, &account))
            }
            Wish::Close { account } => {
                let account = self.own(*account, by)?;
                account.must_be_open()?;
                self.must_be_empty(account, 0)?;
                Ok(plain(RequestKind::CloseAccount, account))
            }
            Wish::Renew { account } => {
                let account = self.own(*account, by)?;
                account.must_be_open()?;
                Ok(plain(RequestKind::RenewIban, account))
            }
            Wish::Deposit { account, money, reference } => {
                let account = self.usable(*account, by, *money)?;
                let (money, reference) = (Some(*money), reference.clone());
                Ok(Admitted { money, reference, ..plain(RequestKind::Deposit, account) })
            }
            Wish::Withdraw { account, money, reference } => {
                let account = self.usable(*account, by, *money)?;
                let (money, reference) = (Some(*money), reference.clone());
                Ok(Admitted { money, reference, ..plain(RequestKind::Withdrawal, account) })
            }
            Wish::Transfer { from, to, money, reference } => {
                let account = self.usable(*from, by, *money)?;
                let payee = Some(self.payee(account, to, by)?);
                let (money, reference) = (Some(*money), reference.clone());
                Ok(Admitted { payee, money, reference, ..plain(RequestKind::Transfer, account) })
            }
        }
    }

    fn own(&self, account: AccountId, by: UserId) -> Result<&Account, Error> {
        self.accounts.get(&account).filter(|account| account.owner == by).ok_or(Error::NotFound)
    }

    /// An own account on which such money can move.
    fn usable(&self, account: AccountId, by: UserId, money: Money) -> Result<&Account, Error> {
        let account = self.own(account, by)?;
        account.must_be_open()?;
        if account.currency == money.currency() { Ok(account) } else { Err(Error::WrongCurrency(account.currency)) }
    }

    /// Whom a transfer credits: an own account by its id, or anyone's by its current IBAN.
    fn payee(&self, from: &Account, to: &Payee, by: UserId) -> Result<PayeeSide, Error> {
        let account = match to {
            Payee::Account(id) => self.accounts.get(id).filter(|account| account.owner == by),
            Payee::Iban(iban) => match self.payees.get(iban) {
                // Looked up before the account was locked: is it still this account's?
                Some(id) => self.accounts.get(id).filter(|account| account.iban.as_ref() == Some(iban)),
                None if self.config.is_ours(iban) => None,
                None => return Err(Error::NotOurBank),
            },
        };
        let account = account.ok_or(Error::UnknownPayee)?;
        if account.id == from.id {
            return Err(Error::SameAccount);
        }
        let iban = account.iban.clone().filter(|_| account.state == AccountState::Open).ok_or(Error::UnknownPayee)?;
        if account.currency != from.currency {
            return Err(Error::PayeeCurrency);
        }
        Ok(PayeeSide { account: account.id, owner: account.owner, asked: to.clone(), iban })
    }

    /// Stands at zero, with nothing held and no more than `own` requests waiting.
    fn must_be_empty(&self, account: &Account, own: i64) -> Result<(), Error> {
        if let Some(balance) = self.book.balance(account.id) {
            if balance.booked().minor() != 0 {
                let booked = balance.booked();
                return Err(Error::NotEmpty(format!("this one holds {booked}. Withdraw or transfer it first.")));
            }
            if balance.held().minor() != 0 {
                let held = balance.held();
                return Err(Error::NotEmpty(format!("{held} are set aside for requests that wait.")));
            }
        }
        if self.waiting.get(&account.id).copied().unwrap_or(0) > own {
            return Err(Error::NotEmpty("other requests for this account still wait. Cancel them first.".to_owned()));
        }
        Ok(())
    }

    /// An agent decides.
    pub(crate) fn decide(
        &mut self,
        id: RequestId,
        by: &Holder,
        decision: &Decision,
        trace_id: &str,
    ) -> Result<RequestId, Error> {
        let now = self.clock.now();
        let request = self.requests.get(&id).ok_or(Error::NotFound)?.clone();
        request.must_be_decidable(by.id, now)?;
        let account = self.account(request.account)?.clone();
        if request.content_digest(&account.label)? != request.digest {
            let (moment, maker) = (self.moment(Some(trace_id.to_owned())), self.person(request.maker));
            self.changes.events.push(events::tampered(moment, &request, &account, maker, person(by)));
            return Err(Error::Tampered);
        }
        match decision {
            Decision::Approve { digest } => {
                let read = digest.as_deref().map(str::to_ascii_lowercase);
                if read.is_some_and(|read| read != hex::encode(request.digest)) {
                    return Err(Error::ContentChanged);
                }
                self.fulfil(&request, &account, now)?;
                self.close(request, Step::Approved, Some(by), None, Some(trace_id));
            }
            Decision::Reject { reason } => {
                self.undo(&request)?;
                self.close(request, Step::Rejected, Some(by), Some(reason.to_string()), Some(trace_id));
            }
        }
        Ok(id)
    }

    /// The maker takes it back.
    pub(crate) fn cancel(&mut self, id: RequestId, by: &Holder, trace_id: &str) -> Result<RequestId, Error> {
        let request = self.requests.get(&id).filter(|request| request.maker == by.id).ok_or(Error::NotFound)?.clone();
        request.must_be_pending()?;
        self.undo(&request)?;
        self.close(request, Step::Cancelled, Some(by), None, Some(trace_id));
        Ok(id)
    }

    /// Nobody decided in time.
    pub(crate) fn expire(&mut self, id: RequestId) -> Result<RequestId, Error> {
        let request = self.requests.get(&id).ok_or(Error::NotFound)?.clone();
        request.must_be_pending()?;
        if request.waits(self.clock.now()) {
            return Err(Error::Broken("not due yet".to_owned()));
        }
        self.undo(&request)?;
        self.close(request, Step::Expired, None, None, None);
        Ok(id)
    }

    /// The owner gives it another name.
    pub(crate) fn rename(
        &mut self,
        id: AccountId,
        label: &Label,
        by: &Holder,
        trace_id: &str,
    ) -> Result<AccountId, Error> {
        // Of an account that waits, the name is part of what was asked.
        self.own(id, by.id)?.must_be_open()?;
        let moment = self.moment(Some(trace_id.to_owned()));
        if let Some(account) = self.accounts.get_mut(&id) {
            let before = std::mem::replace(&mut account.label, label.clone());
            self.changes.events.push(events::renamed(moment, before.as_str(), account, person(by)));
        }
        self.changes.accounts.insert(id);
        self.meet(by);
        Ok(id)
    }

    /// Does what was asked. What can refuse comes first, so that a refusal changes nothing.
    fn fulfil(&mut self, request: &Request, account: &Account, now: Timestamp) -> Result<(), Error> {
        match request.kind {
            RequestKind::OpenAccount => {
                if account.state != AccountState::Pending {
                    return Err(Error::AccountNotOpen(account.state));
                }
                let number = self.new_number(account.id, now)?;
                self.book.open_account(account.id, account.currency, Some(0))?;
                self.give(number, AccountState::Open);
                Ok(())
            }
            RequestKind::CloseAccount => {
                account.must_be_open()?;
                self.must_be_empty(account, 1)?;
                self.put(account.id, |account| account.state = AccountState::Closed);
                Ok(())
            }
            RequestKind::RenewIban => {
                account.must_be_open()?;
                let number = self.new_number(account.id, now)?;
                self.give(number, AccountState::Open);
                Ok(())
            }
            RequestKind::Deposit => {
                account.must_be_open()?;
                self.post(request, self.cash(request.currency)?, request.account, now)
            }
            RequestKind::Withdrawal => {
                account.must_be_open()?;
                self.post(request, request.account, self.cash(request.currency)?, now)
            }
            RequestKind::Transfer => {
                account.must_be_open()?;
                let payee = request.payee.as_ref().ok_or_else(|| Error::Broken("a transfer without a payee".into()))?;
                if self.account(payee.account)?.state != AccountState::Open {
                    return Err(Error::PayeeClosed);
                }
                self.post(request, request.account, payee.account, now)
            }
        }
    }

    fn post(&mut self, request: &Request, debit: AccountId, credit: AccountId, at: Timestamp) -> Result<(), Error> {
        let amount = request.money.ok_or_else(|| Error::Broken("money moves without an amount".into()))?;
        if let Some(balance) = self.book.balance(credit).filter(|balance| balance.floor().is_some()) {
            must_be_writable(balance.booked().plus(amount).map_err(|_| Error::TooMuch)?)?;
        }
        let (transfer, hold, kind) = (request.transfer(), request.hold(), kind_name(request.kind));
        Ok(self.book.apply(&ledger::Command::Post { transfer, debit, credit, amount, hold, at, kind })?)
    }

    /// Frees what was held; an account that will not be opened is refused.
    fn undo(&mut self, request: &Request) -> Result<(), Error> {
        if let Some(hold) = request.hold() {
            self.book.apply(&ledger::Command::Release { hold })?;
        }
        if request.kind == RequestKind::OpenAccount {
            self.put(request.account, |account| account.state = AccountState::Rejected);
        }
        Ok(())
    }

    /// Ends the request and tells of it.
    fn close(
        &mut self,
        mut request: Request,
        step: Step,
        by: Option<&Holder>,
        reason: Option<String>,
        trace_id: Option<&str>,
    ) {
        let state = match step {
            Step::Requested => RequestState::Pending,
            Step::Approved => RequestState::Approved,
            Step::Rejected => RequestState::Rejected,
            Step::Cancelled => RequestState::Cancelled,
            Step::Expired => RequestState::Expired,
        };
        let checker = by.map(|by| by.id).filter(|_| matches!(step, Step::Approved | Step::Rejected));
        request.end(state, checker, reason, self.clock.now());
        if let Some(by) = by {
            self.meet(by);
        }
        self.count(&request, -1);
        let (actor, trace_id) = (by.map(person), trace_id.map(ToOwned::to_owned));
        self.tell(step, &request, actor.clone(), trace_id.clone());
        if step == Step::Approved {
            self.tell_payee(&request, actor, trace_id);
        }
        self.changes.requests.insert(request.id);
        self.requests.insert(request.id, request);
    }

    fn tell(&mut self, step: Step, request: &Request, actor: Option<Person>, trace_id: Option<String>) {
        let (moment, maker) = (self.moment(trace_id), self.person(request.maker));
        if let Some(account) = self.accounts.get(&request.account) {
            self.changes.events.push(events::of_request(moment, step, request, account, maker, actor));
        }
    }

    fn tell_payee(&mut self, request: &Request, actor: Option<Person>, trace_id: Option<String>) {
        let Some(payee) = request.payee.as_ref().filter(|payee| payee.owner != request.maker) else { return };
        let (moment, subject) = (self.moment(trace_id), self.person(payee.owner));
        let payer = self.holders.get(&request.account_owner).map(|payer| payer.name.clone()).unwrap_or_default();
        if let Some(to) = self.accounts.get(&payee.account) {
            self.changes.events.push(events::received(moment, request, to, &payer, subject, actor));
        }
    }

    fn moment(&self, trace_id: Option<String>) -> Moment {
        Moment { id: EventId::new(&self.clock, &self.chance), at: self.clock.now(), trace_id }
    }

    fn person(&self, id: UserId) -> Option<Person> {
        self.holders.get(&id).map(person)
    }

    fn account(&self, id: AccountId) -> Result<&Account, Error> {
        self.accounts.get(&id).ok_or_else(|| Error::Broken(format!("account {id} was not loaded")))
    }

    fn cash(&self, currency: Currency) -> Result<AccountId, Error> {
        self.cash.get(&currency).copied().ok_or_else(|| Error::Broken(format!("there is no cash in {currency}")))
    }

    /// Keeps who they are, as their token says now.
    fn meet(&mut self, holder: &Holder) {
        if self.holders.get(&holder.id) != Some(holder) {
            self.holders.insert(holder.id, holder.clone());
            self.changes.holders.insert(holder.id);
        }
    }

    /// One request more or less that waits, for the accounts it concerns and that somebody wants to close.
    fn count(&mut self, request: &Request, by: i64) {
        let own_payee = request.payee.as_ref().filter(|payee| payee.owner == request.maker).map(|payee| payee.account);
        for account in [Some(request.account), own_payee].into_iter().flatten() {
            if let Some(waiting) = self.waiting.get_mut(&account) {
                *waiting = waiting.saturating_add(by);
            }
        }
    }

    fn put(&mut self, id: AccountId, change: impl FnOnce(&mut Account)) {
        if let Some(account) = self.accounts.get_mut(&id) {
            change(account);
            self.changes.accounts.insert(id);
        }
    }

    /// A number never given before; it is given by [`Counter::give`].
    fn new_number(&self, account: AccountId, now: Timestamp) -> Result<NumberGiven, Error> {
        let number = self.numbers.last().cloned().ok_or_else(|| Error::Broken("no account number is left".into()))?;
        let iban = self.config.rib(&number).map_err(|error| Error::Broken(error.to_string()))?.iban();
        Ok(NumberGiven { iban, number, account, given_at: now, retired_at: None })
    }

    /// The account's old number is retired for ever, the new one is current.
    fn give(&mut self, number: NumberGiven, state: AccountState) {
        self.numbers.pop();
        let (iban, now) = (number.iban.clone(), number.given_at);
        let mut old = None;
        self.put(number.account, |account| {
            account.state = state;
            old = account.iban.replace(iban);
        });
        if let Some(old) = old {
            match self.changes.given.iter_mut().find(|given| given.iban == old) {
                Some(given) => given.retired_at = Some(now),
                None => self.changes.retired.push((old, now)),
            }
        }
        self.changes.given.push(number);
    }
}

/// A client's balance stays within what an amount can be written as.
fn must_be_writable(booked: Money) -> Result<(), Error> {
    booked.amount().to_string().parse::<Amount>().map(drop).map_err(|_| Error::TooMuch)
}

/// Which balances the decision about a request changes or looks at.
pub(crate) fn balances_of(request: &Request, cash: &HashMap<Currency, AccountId>) -> Vec<AccountId> {
    let cash = || cash.get(&request.currency).copied();
    let second = match request.kind {
        RequestKind::Deposit | RequestKind::Withdrawal => cash(),
        RequestKind::Transfer => request.payee.as_ref().map(|payee| payee.account),
        _ => None,
    };
    match request.kind {
        RequestKind::OpenAccount | RequestKind::RenewIban => Vec::new(),
        kind => {
            debug_assert!(holds_funds(kind) || request.hold().is_none(), "only funds are held");
            [Some(request.account), second].into_iter().flatten().collect()
        }
    }
}
