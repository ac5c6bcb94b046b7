//! Deposit, withdrawal, transfer: a form, a check page that shows everything in full, then the request's own page.
//!
//! The check page carries a key that makes the request once, however often the form is sent.

use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use contracts::Limit;
use contracts::bank::{
    Account, AccountState, ListAccounts, Payee, Request, RequestDeposit, RequestKind, RequestTransfer,
    RequestWithdrawal,
};
use http::StatusCode;
use vocabulary::{Amount, Iban, Reference};

use super::entry::error_title;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page_as, see_other};

#[derive(Template)]
#[template(path = "move_form.html")]
pub(crate) struct MoveForm {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) account_label: &'static str,
    pub(crate) action: &'static str,
    pub(crate) transfer: bool,
    /// Open accounts.
    pub(crate) accounts: Vec<Account>,
}

#[derive(Template)]
#[template(path = "move_check.html")]
pub(crate) struct MoveCheck {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) kind: RequestKind,
    pub(crate) action: &'static str,
    pub(crate) account_label: &'static str,
    pub(crate) account: Account,
    pub(crate) to: Option<To>,
    pub(crate) amount: Amount,
    pub(crate) reference: String,
    /// What stays available.
    pub(crate) after: Option<Amount>,
    pub(crate) key: String,
}

/// Who is credited, as the check page shows it.
pub(crate) struct To {
    pub(crate) label: Option<String>,
    pub(crate) iban: String,
}

/// A form that was filled in without faults.
struct Order {
    account: Account,
    to: Option<(Payee, To)>,
    amount: Amount,
    reference: Reference,
}

pub(crate) async fn deposit(visit: Arc<Visit>) -> Outcome {
    begin(&visit, RequestKind::Deposit).await
}

pub(crate) async fn withdraw(visit: Arc<Visit>) -> Outcome {
    begin(&visit, RequestKind::Withdrawal).await
}

pub(crate) async fn transfer(visit: Arc<Visit>) -> Outcome {
    begin(&visit, RequestKind::Transfer).await
}

pub(crate) async fn do_deposit(visit: Arc<Visit>) -> Outcome {
    go_on(&visit, RequestKind::Deposit).await
}

pub(crate) async fn do_withdraw(visit: Arc<Visit>) -> Outcome {
    go_on(&visit, RequestKind::Withdrawal).await
}

pub(crate) async fn do_transfer(visit: Arc<Visit>) -> Outcome {
    go_on(&visit, RequestKind::Transfer).await
}

/// What differs between the three.
fn words(t: T, kind: RequestKind) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        RequestKind::Deposit => ("/deposit", t.deposit(), t.deposit_lead(), t.credited_account()),
        RequestKind::Withdrawal => ("/withdraw", t.withdrawal(), t.withdrawal_lead(), t.debited_account()),
        _ => ("/transfer", t.transfer(), t.transfer_lead(), t.debited_account()),
    }
}

async fn open_accounts(visit: &Visit) -> Result<Vec<Account>, Problem> {
    let own =
        ListAccounts { mine: true, state: Some(AccountState::Open), limit: Limit::MAX, ..ListAccounts::default() };
    Ok(visit.call(own).await?.items)
}

async fn begin(visit: &Visit, kind: RequestKind) -> Outcome {
    let accounts = open_accounts(visit).await?;
    let mut e = Entries::default();
    e.suggest("account", visit.query.get("account"));
    e.suggest("to_iban", visit.query.get("to"));
    form(visit, kind, accounts, e).await
}

async fn form(visit: &Visit, kind: RequestKind, accounts: Vec<Account>, e: Entries) -> Outcome {
    let t = visit.t;
    let (action, title, lead, account_label) = words(t, kind);
    let place = if kind == RequestKind::Transfer { Place::Transfer } else { Place::Accounts };
    let shown = if e.failed() { error_title(visit, title) } else { title.to_owned() };
    let f = visit.frame(place, shown).await;
    let transfer = kind == RequestKind::Transfer;
    page_as(e.status(), &MoveForm { f, t, e, title, lead, account_label, action, transfer, accounts })
}

/// From the form to the check page, back to change something, or on to the request.
async fn go_on(visit: &Visit, kind: RequestKind) -> Outcome {
    let accounts = open_accounts(visit).await?;
    let mut e = Entries::of(&visit.form);
    if visit.form.get("step") == "edit" {
        return form(visit, kind, accounts, e).await;
    }
    let sending = visit.form.get("step") == "send";
    let Some(order) = read(visit.t, kind, &accounts, sending, &mut e) else {
        return form(visit, kind, accounts, e).await;
    };
    if !sending {
        return check(visit, kind, order, e, visit.new_key()).await;
    }
    match send(visit, kind, &order).await {
        Ok(request) => Ok(see_other(&format!("/requests/{}?done=sent", request.id))),
        // Done or not done: the same page with the same key may be sent again without harm.
        Err(problem) if problem.status().is_server_error() => {
            tracing::warn!(%problem, "a request was not confirmed");
            e.add("", visit.t.not_confirmed());
            check(visit, kind, order, e, visit.key()).await
        }
        Err(problem) => {
            e.refuse(visit.t, problem, &[("to", "to_iban"), ("from", "account")])?;
            form(visit, kind, accounts, e).await
        }
    }
}

fn read(t: T, kind: RequestKind, accounts: &[Account], sending: bool, e: &mut Entries) -> Option<Order> {
    let account = accounts.iter().find(|account| e.chosen("account", account.id));
    if account.is_none() {
        e.add("account", t.choose_one());
    }
    let to = if kind == RequestKind::Transfer { read_payee(t, accounts, e) } else { None };
    let currency = account.or(accounts.first()).map(|account| account.currency)?;
    let amount = e.take_amount(t, "amount", currency);
    let reference =
        if e.value("reference").is_empty() { Some(Reference::default()) } else { e.take::<Reference>(t, "reference") };
    let (account, amount, reference) = (account?, amount?, reference?);
    // A form sent twice has its funds held already: the service tells the repetition from a new request.
    let spends = kind != RequestKind::Deposit && !sending;
    if spends
        && let (Ok(available), Ok(wanted)) = (account.available.of(currency), amount.of(currency))
        && wanted.minor() > available.minor()
    {
        e.add(
            "amount",
            format!("{} {}.", t.beyond_available(), t.available_is(&t.money(&account.available, &currency))),
        );
    }
    (!e.failed()).then(|| Order { account: account.clone(), to, amount, reference })
}

/// An IBAN or an own account: exactly one of them.
fn read_payee(t: T, accounts: &[Account], e: &mut Entries) -> Option<(Payee, To)> {
    let own = accounts.iter().find(|account| e.chosen("to_account", account.id));
    match (own, e.value("to_iban").is_empty()) {
        (Some(_), false) => {
            e.add("to_iban", t.payee_twice());
            None
        }
        (None, true) => {
            e.add("to_iban", t.payee_missing());
            None
        }
        (Some(own), true) if e.chosen("account", own.id) => {
            e.add("to_account", t.payee_same());
            None
        }
        (Some(own), true) => {
            let iban = own.iban.as_ref().map(Iban::grouped).unwrap_or_default();
            Some((Payee::Account(own.id), To { label: Some(own.label.to_string()), iban }))
        }
        (None, false) => {
            let iban = e.take::<Iban>(t, "to_iban")?;
            let from = accounts.iter().find(|account| e.chosen("account", account.id));
            if from.is_some_and(|from| from.iban.as_ref() == Some(&iban)) {
                e.add("to_iban", t.payee_same());
                return None;
            }
            let label = accounts.iter().find(|own| own.iban.as_ref() == Some(&iban)).map(|own| own.label.to_string());
            let shown = iban.grouped();
            Some((Payee::Iban(iban), To { label, iban: shown }))
        }
    }
}

async fn check(visit: &Visit, kind: RequestKind, order: Order, e: Entries, key: String) -> Outcome {
    let t = visit.t;
    let (action, _, _, account_label) = words(t, kind);
    let place = if kind == RequestKind::Transfer { Place::Transfer } else { Place::Accounts };
    let currency = order.account.currency;
    let after = match (order.account.available.of(currency), order.amount.of(currency)) {
        (Ok(available), Ok(amount)) if kind != RequestKind::Deposit => available.minus(amount).ok(),
        _ => None,
    };
    page_as(
        if e.failed() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK },
        &MoveCheck {
            f: visit.frame(place, t.check_title()).await,
            t,
            e,
            kind,
            action,
            account_label,
            account: order.account,
            to: order.to.map(|(_, to)| to),
            amount: order.amount,
            reference: order.reference.to_string(),
            after: after.map(vocabulary::Money::amount),
            key,
        },
    )
}

async fn send(visit: &Visit, kind: RequestKind, order: &Order) -> Result<Request, Problem> {
    let Order { account, to, amount, reference } = order;
    let (id, currency, amount, reference) = (account.id, account.currency, *amount, reference.clone());
    let created = match (kind, to) {
        (RequestKind::Transfer, Some((to, _))) => {
            visit.call_once(RequestTransfer { from: id, to: to.clone(), amount, currency, reference }).await?
        }
        (RequestKind::Withdrawal, _) => {
            visit.call_once(RequestWithdrawal { account: id, amount, currency, reference }).await?
        }
        (RequestKind::Deposit, _) => {
            visit.call_once(RequestDeposit { account: id, amount, currency, reference }).await?
        }
        _ => return Err(Problem::internal("a transfer without a payee")),
    };
    Ok(created.0)
}
