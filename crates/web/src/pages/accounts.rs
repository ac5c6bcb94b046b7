//! The member's accounts at a glance, opening one, and the agents' view of all accounts.

use std::sync::Arc;

use askama::Template;
use contracts::Limit;
use contracts::bank::{
    Account, AccountState, ListAccounts, ListRequests, ListTransactions, OpenAccount, Request, RequestState,
    Transaction,
};
use futures_util::future::join_all;
use vocabulary::{AccountId, Currency, Timestamp};

use super::entry::error_title;
use super::{Choice, named};
use crate::forms::{Entries, Form};
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

/// Movements shown at a glance.
const LAST_MOVEMENTS: usize = 8;

#[derive(Template)]
#[template(path = "accounts.html")]
pub(crate) struct AccountsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) first_name: String,
    pub(crate) previous: Option<Timestamp>,
    pub(crate) accounts: Vec<Account>,
    /// How many closed and refused accounts are not shown.
    pub(crate) closed: usize,
    pub(crate) can_move: bool,
    pub(crate) pending: Vec<Request>,
    pub(crate) movements: Vec<Movement>,
}

/// A line of one of several accounts.
pub(crate) struct Movement {
    pub(crate) account: AccountId,
    pub(crate) label: String,
    pub(crate) line: Transaction,
}

#[derive(Template)]
#[template(path = "account_new.html")]
pub(crate) struct OpenPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) currencies: Vec<Currency>,
    pub(crate) key: String,
}

#[derive(Template)]
#[template(path = "clients.html")]
pub(crate) struct ClientsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) q: Form,
    pub(crate) filtered: bool,
    pub(crate) states: Vec<Choice>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

pub(crate) async fn accounts(visit: Arc<Visit>) -> Outcome {
    let me = visit.me()?;
    let own = ListAccounts { mine: true, limit: Limit::MAX, ..ListAccounts::default() };
    let waiting = ListRequests {
        mine: true,
        state: Some(RequestState::Pending),
        limit: 10.try_into().unwrap_or_default(),
        ..ListRequests::default()
    };
    let (accounts, pending) = tokio::try_join!(visit.call(own), visit.call(waiting))?;
    let (mut accounts, rest): (Vec<_>, Vec<_>) =
        accounts.items.into_iter().partition(|a| matches!(a.state, AccountState::Open | AccountState::Pending));
    let movements = last_movements(&visit, &accounts).await;
    let can_move = accounts.iter().any(|account| account.state == AccountState::Open);
    let show_all = !visit.query.get("all").is_empty();
    let closed = if show_all { 0 } else { rest.len() };
    if show_all {
        accounts.extend(rest);
    }
    page(&AccountsPage {
        f: visit.frame(Place::Accounts, visit.t.my_accounts()).await,
        t: visit.t,
        first_name: me.user.first_name.to_string(),
        previous: me.previous_login_at,
        accounts,
        closed,
        can_move,
        pending: pending.items,
        movements,
    })
}

/// The newest lines of all open accounts; an account that cannot be read now adds none.
async fn last_movements(visit: &Visit, accounts: &[Account]) -> Vec<Movement> {
    let limit: Limit = u32::try_from(LAST_MOVEMENTS).ok().and_then(|n| n.try_into().ok()).unwrap_or_default();
    let open = accounts.iter().filter(|account| account.state == AccountState::Open).take(12);
    let histories = join_all(open.map(|account| async move {
        let id = account.id;
        let lines = visit.call(ListTransactions { id, from: None, to: None, cursor: None, limit }).await;
        let lines = lines.map(|page| page.items).unwrap_or_default();
        lines.into_iter().map(move |line| Movement { account: id, label: account.label.to_string(), line })
    }))
    .await;
    let mut movements: Vec<_> = histories.into_iter().flatten().collect();
    movements.sort_by_key(|movement| std::cmp::Reverse(movement.line.at));
    movements.truncate(LAST_MOVEMENTS);
    movements
}

pub(crate) async fn open(visit: Arc<Visit>) -> Outcome {
    let currencies = visit.bank().await?.currencies.clone();
    let f = visit.frame(Place::Accounts, visit.t.open_account()).await;
    page(&OpenPage { f, t: visit.t, e: Entries::default(), currencies, key: visit.new_key() })
}

pub(crate) async fn do_open(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let label = e.take(t, "label");
    let currency = e.take::<Currency>(t, "currency");
    if let (Some(label), Some(currency)) = (label, currency) {
        match visit.call_once(OpenAccount { label, currency: Some(currency) }).await {
            Ok(account) => {
                let account = account.0;
                let page = match account.request {
                    Some(request) => format!("/requests/{}?done=sent", request.id),
                    None => format!("/accounts/{}?done=sent", account.id),
                };
                return Ok(see_other(&page));
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let currencies = visit.bank().await?.currencies.clone();
    let f = visit.frame(Place::Accounts, error_title(&visit, t.open_account())).await;
    page_as(e.status(), &OpenPage { f, t, e, currencies, key: visit.key() })
}

pub(crate) const ACCOUNT_STATES: [(AccountState, &str); 4] = [
    (AccountState::Pending, "pending"),
    (AccountState::Open, "open"),
    (AccountState::Closed, "closed"),
    (AccountState::Rejected, "rejected"),
];

pub(crate) async fn clients(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let found = visit
        .call(ListAccounts {
            state: named(q.get("state"), &ACCOUNT_STATES),
            search: q.search("search", 100),
            cursor: q.cursor(),
            limit: 50.try_into().unwrap_or_default(),
            ..ListAccounts::default()
        })
        .await?;
    page(&ClientsPage {
        f: visit.frame(Place::Clients, t.client_accounts()).await,
        t,
        filtered: !q.get("state").is_empty() || !q.get("search").is_empty(),
        states: ACCOUNT_STATES.map(|(state, value)| Choice { value, label: t.account_state(&state) }).into(),
        accounts: found.items,
        first: q.cursor().map(|_| q.link("/clients", "cursor", "")),
        next: found.next.map(|next| q.link("/clients", "cursor", String::from(next))),
        q: q.clone(),
    })
}
