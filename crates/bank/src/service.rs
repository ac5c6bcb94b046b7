//! The bank's use cases. What changes something goes to the desk, one command each; what only looks reads a snapshot.

use std::sync::Arc;

use aaa::{Api, Call, Context, Created, Entry, Gate, Guard, Misconfigured, Module, Parties, Principal, Verdict};
use chassis::{Further, Health, Measure, Truth};
use contracts::bank::{
    Account, ApproveRequest, BankInfo, CancelRequest, CancelRequestRight, CloseAccount, DecideRequest, EditAccount,
    GetAccount, GetBank, GetRequest, GetRib, ListAccounts, ListRequests, ListTransactions, OpenAccount, RejectRequest,
    RenewIban, Request, RequestDeposit, RequestTransfer, RequestWithdrawal, RibDocument, SeeAccount, SeeRequest,
    Transaction, UseAccount,
};
use contracts::roles::Agent;
use contracts::{Cursor, Page};
use futures_util::future::join_all;
use ledger::{Engine, Limits};
use store::{OnceKey, Store};
use vocabulary::{AccountId, Amount, Chance, Clock, Currency, Iban, Money, RequestId, UserId};

use crate::command::{Answer, Ask, Command, Decision, Wish};
use crate::config::BankConfig;
use crate::desk::{BankDesk, prepare_cash};
use crate::error::{Error, OWN_REQUEST};
use crate::store::{self as rows, AccountFilter, AccountSeen, Holder, RequestFilter, RequestSeen};
use crate::view;

/// How many overdue requests are ended in one go.
const DUE_AT_ONCE: i64 = 500;
/// How many IBANs are checked in one query.
const IBANS_AT_ONCE: i64 = 1000;
/// Longest text that accounts are searched for.
const LONGEST_SEARCH: usize = 100;

/// The bank. Cheap to clone.
#[derive(Clone)]
pub struct Bank(Arc<Inner>);

struct Inner {
    config: Arc<BankConfig>,
    store: Store,
    engine: Engine<BankDesk>,
    clock: Clock,
    chance: Chance,
    further: Further,
}

/// All operations, without a running bank: for the matrix and the OpenAPI document.
pub fn operations() -> Vec<Entry> {
    mount(Api::listing()).entries()
}

impl Bank {
    /// Opens the counter on a store with [`crate::MIGRATIONS`], on the current runtime.
    pub async fn start(store: Store, config: BankConfig, chance: Chance) -> Result<Self, Error> {
        config.check().map_err(|error| Error::Broken(error.to_string()))?;
        let (config, clock) = (Arc::new(config), store.clock().clone());
        let mut tx = store.begin().await?;
        prepare_cash(&mut tx, &config.currencies, &clock, &chance).await?;
        tx.commit().await?;
        let desk = BankDesk { config: Arc::clone(&config), clock: clock.clone(), chance: chance.clone() };
        let engine = Engine::start(store.clone(), desk, Limits::default());
        Ok(Self(Arc::new(Inner { config, store, engine, clock, chance, further: Further::default() })))
    }

    /// The bank as a service: its own operations and those of every service.
    pub fn module(self, gate: Gate) -> Result<Module, Misconfigured> {
        mount(chassis::counted(chassis::common(Api::new(self, gate)))).finish()
    }

    /// What somebody else checks about this bank.
    pub fn further(&self) -> &Further {
        &self.0.further
    }

    /// Ends every request that nobody decided in time; gives how many.
    pub async fn expire_due(&self) -> Result<usize, Error> {
        let mut expired = 0_usize;
        loop {
            let due = rows::due(&mut self.0.store.read().await?, self.0.clock.now(), DUE_AT_ONCE).await?;
            let ended = join_all(due.iter().map(|id| self.0.engine.submit(Command::Expire { id: *id }))).await;
            let mut progress = 0_usize;
            for outcome in ended {
                match outcome.map_err(Error::from) {
                    Ok(_) => progress = progress.saturating_add(1),
                    // Somebody was faster.
                    Err(Error::AlreadyDecided(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            expired = expired.saturating_add(progress);
            if progress == 0 {
                return Ok(expired);
            }
        }
    }

    /// Takes nothing more, and comes back when what waits is done.
    pub async fn stop(&self) {
        self.0.engine.stop().await;
    }

    async fn ask(&self, by: &Principal, context: &Context, wish: Wish) -> Result<Answer, Error> {
        let key = context.idempotency.as_ref().map(|key| OnceKey {
            scope: by.id.to_string(),
            key: key.key.clone(),
            digest: key.digest,
        });
        let id = RequestId::new(&self.0.clock, &self.0.chance);
        let ask = Ask { id, by: holder(by), key, trace_id: context.trace_id.clone(), wish };
        Ok(self.0.engine.submit(Command::Ask(ask)).await?)
    }

    async fn ask_for_request(&self, by: &Principal, context: &Context, wish: Wish) -> Result<Created<Request>, Error> {
        self.shown(by, self.ask(by, context, wish).await?).map(Created)
    }

    async fn decide(
        &self,
        by: &Principal,
        context: &Context,
        id: RequestId,
        decision: Decision,
    ) -> Result<Request, Error> {
        let command = Command::Decide { id, by: holder(by), decision, trace_id: context.trace_id.clone() };
        self.shown(by, self.0.engine.submit(command).await?)
    }

    fn shown(&self, by: &Principal, answer: Answer) -> Result<Request, Error> {
        match answer {
            Answer::Request(seen) => Ok(view::request(&seen, by, self.0.clock.now())),
            Answer::Tampered => Err(Error::Tampered),
            Answer::Account(_) => Err(Error::Broken("an account was answered for a request".to_owned())),
        }
    }

    async fn account(&self, id: AccountId) -> Result<Option<AccountSeen>, Error> {
        let mut tx = self.0.store.read().await?;
        Ok(rows::accounts_seen(&mut tx, &[id]).await?.remove(&id))
    }

    async fn request(&self, id: RequestId) -> Result<Option<RequestSeen>, Error> {
        let mut tx = self.0.store.read().await?;
        Ok(rows::requests_seen(&mut tx, &[id]).await?.remove(&id))
    }

    /// Whether every open account can be paid: its IBAN is valid and one of ours.
    async fn ibans_are_valid(&self) -> Result<bool, Error> {
        let mut tx = self.0.store.read().await?;
        let mut after = None;
        loop {
            let page = rows::stored_ibans(&mut tx, after, IBANS_AT_ONCE).await?;
            if !page.iter().all(|(_, iban)| iban.parse::<Iban>().is_ok_and(|iban| iban.rib().is_some())) {
                return Ok(false);
            }
            match page.last() {
                Some((last, _)) => after = Some(*last),
                None => return Ok(true),
            }
        }
    }

    async fn check_truths(&self) -> Result<Vec<Truth>, Error> {
        let mut tx = self.0.store.read().await?;
        let mut truths: Vec<Truth> =
            ledger::verify(&mut tx).await?.into_iter().map(|(name, holds)| Truth { name, holds }).collect();
        for (what, broken) in rows::broken_requests(&mut tx).await? {
            truths.push(Truth { name: what.to_owned(), holds: broken == 0 });
        }
        drop(tx);
        let holds = self.ibans_are_valid().await?;
        truths.push(Truth { name: "every open account has a valid IBAN".to_owned(), holds });
        truths.extend(self.0.further.truths().await);
        Ok(truths)
    }
}

impl Health for Bank {
    async fn ready(&self) -> Result<(), String> {
        self.0.store.ping().await.map_err(|error| error.to_string())
    }

    async fn truths(&self) -> Vec<Truth> {
        self.check_truths().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the bank's truths could not be checked");
            vec![Truth { name: "the bank can check itself".to_owned(), holds: false }]
        })
    }

    async fn measures(&self) -> Vec<Measure> {
        self.0.further.measures().await
    }
}

fn holder(by: &Principal) -> Holder {
    Holder { id: by.id, login: by.login.clone(), name: by.name.clone() }
}

fn money(amount: Amount, currency: Currency) -> Result<Money, Error> {
    // The declaration checked it already.
    amount.positive(currency).map_err(Error::Amount)
}

fn mount(api: Api<Bank>) -> Api<Bank> {
    api.serve(get_bank)
        .serve(list_accounts)
        .serve(open_account)
        .serve(get_account)
        .serve(edit_account)
        .serve(close_account)
        .serve(renew_iban)
        .serve(get_rib)
        .serve(list_transactions)
        .serve(request_deposit)
        .serve(request_withdrawal)
        .serve(request_transfer)
        .serve(list_requests)
        .serve(get_request)
        .serve(approve_request)
        .serve(reject_request)
        .serve(cancel_request)
}

impl Guard<SeeAccount> for Bank {
    type Row = Account;
    async fn check(&self, by: &Principal, id: AccountId) -> Result<Verdict<Account>, aaa::Problem> {
        Ok(match self.account(id).await? {
            Some(seen) if seen.account.owner == by.id || by.is_in::<Agent>() => Verdict::Granted(view::account(&seen)),
            _ => Verdict::Unseen,
        })
    }
}

impl Guard<UseAccount> for Bank {
    type Row = ();
    async fn check(&self, by: &Principal, id: AccountId) -> Result<Verdict<()>, aaa::Problem> {
        Ok(match self.account(id).await? {
            Some(seen) if seen.account.owner == by.id => Verdict::Granted(()),
            Some(_) if by.is_in::<Agent>() => Verdict::Refused("Only its owner uses an account; agents look at it."),
            _ => Verdict::Unseen,
        })
    }
}

impl Guard<SeeRequest> for Bank {
    type Row = Request;
    async fn check(&self, by: &Principal, id: RequestId) -> Result<Verdict<Request>, aaa::Problem> {
        Ok(match self.request(id).await? {
            Some(seen) if seen.request.maker == by.id || by.is_in::<Agent>() => {
                Verdict::Granted(view::request(&seen, by, self.0.clock.now()))
            }
            _ => Verdict::Unseen,
        })
    }
}

/// Whom a request concerns.
pub struct Concerned(Vec<UserId>);
impl Parties for Concerned {
    fn parties(&self) -> impl Iterator<Item = UserId> {
        self.0.iter().copied()
    }
}

impl Guard<DecideRequest> for Bank {
    type Row = Concerned;
    async fn check(&self, by: &Principal, id: RequestId) -> Result<Verdict<Concerned>, aaa::Problem> {
        Ok(match self.request(id).await? {
            Some(seen) if seen.request.is_decided_by_other_eyes(by.id) => {
                Verdict::Granted(Concerned(seen.request.parties().collect()))
            }
            Some(_) => Verdict::Refused(OWN_REQUEST),
            None => Verdict::Missing,
        })
    }
}

impl Guard<CancelRequestRight> for Bank {
    type Row = ();
    async fn check(&self, by: &Principal, id: RequestId) -> Result<Verdict<()>, aaa::Problem> {
        Ok(match self.request(id).await? {
            Some(seen) if seen.request.maker == by.id => Verdict::Granted(()),
            Some(_) if by.is_in::<Agent>() => {
                Verdict::Refused("Only who made a request takes it back; an agent rejects it, with a reason.")
            }
            _ => Verdict::Unseen,
        })
    }
}

async fn get_bank(bank: Bank, _: Call<GetBank, Bank>) -> Result<BankInfo, Error> {
    Ok(bank.0.config.info())
}

async fn list_accounts(bank: Bank, call: Call<ListAccounts, Bank>) -> Result<Page<Account>, Error> {
    let (by, asked) = (call.by(), &call.request);
    let own = asked.mine || !by.is_in::<Agent>();
    if own && asked.owner.is_some_and(|owner| owner != by.id) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    if asked.search.as_ref().is_some_and(|search| search.chars().count() > LONGEST_SEARCH) {
        return Err(Error::LongSearch(LONGEST_SEARCH));
    }
    let filter = AccountFilter {
        owner: if own { Some(by.id) } else { asked.owner },
        state: asked.state,
        search: asked.search.clone(),
        before: place(asked.cursor.as_ref())?,
        limit: asked.limit.and_one(),
    };
    let seen = rows::list_accounts(&mut bank.0.store.read().await?, &filter).await?;
    Ok(Page::cut(seen.iter().map(view::account).collect(), asked.limit, |account| Cursor::at(account.id)))
}

fn place<T: std::str::FromStr>(cursor: Option<&Cursor>) -> Result<Option<T>, Error> {
    cursor.map(|cursor| cursor.place().ok_or(Error::BadCursor)).transpose()
}

async fn open_account(bank: Bank, call: Call<OpenAccount, Bank>) -> Result<Created<Account>, Error> {
    let usual = bank.0.config.currencies.first().copied().unwrap_or(Currency::EUR);
    let wish = Wish::Open {
        account: AccountId::new(&bank.0.clock, &bank.0.chance),
        label: call.request.label.clone(),
        currency: call.request.currency.unwrap_or(usual),
    };
    match bank.ask(call.by(), &call.context, wish).await? {
        Answer::Account(seen) => Ok(Created(view::account(&seen))),
        _ => Err(Error::Broken("no account was answered for an account".to_owned())),
    }
}

async fn get_account(_: Bank, call: Call<GetAccount, Bank>) -> Result<Account, Error> {
    Ok(call.object().clone())
}

async fn edit_account(bank: Bank, call: Call<EditAccount, Bank>) -> Result<Account, Error> {
    let command = Command::Rename {
        account: call.request.id,
        label: call.request.label.clone(),
        by: holder(call.by()),
        trace_id: call.context.trace_id.clone(),
    };
    match bank.0.engine.submit(command).await? {
        Answer::Account(seen) => Ok(view::account(&seen)),
        _ => Err(Error::Broken("no account was answered for an account".to_owned())),
    }
}

async fn close_account(bank: Bank, call: Call<CloseAccount, Bank>) -> Result<Created<Request>, Error> {
    bank.ask_for_request(call.by(), &call.context, Wish::Close { account: call.request.id }).await
}

async fn renew_iban(bank: Bank, call: Call<RenewIban, Bank>) -> Result<Created<Request>, Error> {
    bank.ask_for_request(call.by(), &call.context, Wish::Renew { account: call.request.id }).await
}

async fn get_rib(bank: Bank, call: Call<GetRib, Bank>) -> Result<RibDocument, Error> {
    view::rib(call.object(), &bank.0.config)
}

async fn list_transactions(bank: Bank, call: Call<ListTransactions, Bank>) -> Result<Page<Transaction>, Error> {
    let asked = &call.request;
    let before: Option<i64> = place(asked.cursor.as_ref())?;
    let (from, to) = (asked.from.map(vocabulary::Day::start), asked.to.map(vocabulary::Day::end));
    let limit = u32::try_from(asked.limit.and_one()).unwrap_or(1);
    let mut tx = bank.0.store.read().await?;
    let lines = ledger::entries(&mut tx, asked.id, from, to, before, limit).await?;
    let causes: Vec<RequestId> = lines.iter().map(|line| RequestId(line.transfer.0)).collect();
    let causes = rows::requests_seen(&mut tx, &causes).await?;
    let shown = lines.iter().map(|line| {
        let cause = causes.get(&RequestId(line.transfer.0));
        let cause = cause.ok_or_else(|| Error::Broken(format!("transfer {} has no request", line.transfer)))?;
        Ok((line.seq, view::transaction(asked.id, line, cause)))
    });
    let page = Page::cut(shown.collect::<Result<Vec<_>, Error>>()?, asked.limit, |(seq, _)| Cursor::at(seq));
    Ok(Page { items: page.items.into_iter().map(|(_, line)| line).collect(), next: page.next })
}

async fn request_deposit(bank: Bank, call: Call<RequestDeposit, Bank>) -> Result<Created<Request>, Error> {
    let asked = &call.request;
    let (account, reference) = (asked.account, asked.reference.clone());
    let wish = Wish::Deposit { account, money: money(asked.amount, asked.currency)?, reference };
    bank.ask_for_request(call.by(), &call.context, wish).await
}

async fn request_withdrawal(bank: Bank, call: Call<RequestWithdrawal, Bank>) -> Result<Created<Request>, Error> {
    let asked = &call.request;
    let (account, reference) = (asked.account, asked.reference.clone());
    let wish = Wish::Withdraw { account, money: money(asked.amount, asked.currency)?, reference };
    bank.ask_for_request(call.by(), &call.context, wish).await
}

async fn request_transfer(bank: Bank, call: Call<RequestTransfer, Bank>) -> Result<Created<Request>, Error> {
    let asked = &call.request;
    let wish = Wish::Transfer {
        from: asked.from,
        to: asked.to.clone(),
        money: money(asked.amount, asked.currency)?,
        reference: asked.reference.clone(),
    };
    bank.ask_for_request(call.by(), &call.context, wish).await
}

async fn list_requests(bank: Bank, call: Call<ListRequests, Bank>) -> Result<Page<Request>, Error> {
    let (by, asked) = (call.by(), &call.request);
    let own = asked.mine || !by.is_in::<Agent>();
    if own && asked.maker.is_some_and(|maker| maker != by.id) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let filter = RequestFilter {
        maker: if own { Some(by.id) } else { asked.maker },
        state: asked.state,
        kind: asked.kind,
        account: asked.account,
        oldest_first: asked.oldest_first,
        beyond: place(asked.cursor.as_ref())?,
        limit: asked.limit.and_one(),
    };
    let seen = rows::list_requests(&mut bank.0.store.read().await?, &filter).await?;
    let now = bank.0.clock.now();
    let items = seen.iter().map(|seen| view::request(seen, by, now)).collect();
    Ok(Page::cut(items, asked.limit, |request: &Request| Cursor::at(request.id)))
}

async fn get_request(_: Bank, call: Call<GetRequest, Bank>) -> Result<Request, Error> {
    Ok(call.object().clone())
}

async fn approve_request(bank: Bank, call: Call<ApproveRequest, Bank>) -> Result<Request, Error> {
    let decision = Decision::Approve { digest: call.request.digest.clone() };
    bank.decide(call.by(), &call.context, call.request.id, decision).await
}

async fn reject_request(bank: Bank, call: Call<RejectRequest, Bank>) -> Result<Request, Error> {
    let decision = Decision::Reject { reason: call.request.reason.clone() };
    bank.decide(call.by(), &call.context, call.request.id, decision).await
}

async fn cancel_request(bank: Bank, call: Call<CancelRequest, Bank>) -> Result<Request, Error> {
    let (id, trace_id) = (call.request.id, call.context.trace_id.clone());
    let command = Command::Cancel { id, by: holder(call.by()), trace_id };
    bank.shown(call.by(), bank.0.engine.submit(command).await?)
}
