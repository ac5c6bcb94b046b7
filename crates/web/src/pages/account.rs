//! One account: figures, history, RIB, and what its owner may ask for.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::bank::{
    Account, AccountState, CloseAccount, EditAccount, GetAccount, GetRib, ListRequests, ListTransactions, RenewIban,
    Request, RequestState, RibDocument, Transaction,
};
use contracts::roles::Role;
use vocabulary::{AccountId, Day, RequestId, Timestamp};

use super::entry::error_title;
use crate::forms::{Entries, Form};
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) a: Account,
    pub(crate) own: bool,
    pub(crate) open: bool,
    /// Where the crumb leads.
    pub(crate) up: &'static str,
    pub(crate) up_label: &'static str,
    /// The request that is to open it.
    pub(crate) waiting: Option<RequestId>,
    pub(crate) pending: Vec<Request>,
    pub(crate) q: Form,
    pub(crate) filtered: bool,
    pub(crate) periods: Vec<Period>,
    pub(crate) lines: Vec<Transaction>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

/// A shortcut to a period.
pub(crate) struct Period {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) current: bool,
}

#[derive(Template)]
#[template(path = "rib.html")]
pub(crate) struct RibPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) id: AccountId,
    pub(crate) rib: RibDocument,
}

#[derive(Template)]
#[template(path = "account_rename.html")]
pub(crate) struct RenamePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) a: Account,
    pub(crate) e: Entries,
}

/// Asking for something that an agent decides: closing, a new RIB.
#[derive(Template)]
#[template(path = "account_ask.html")]
pub(crate) struct AskPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) a: Account,
    pub(crate) e: Entries,
    pub(crate) lead: &'static str,
    pub(crate) action: String,
    pub(crate) key: String,
}

pub(crate) async fn account(visit: Arc<Visit>) -> Outcome {
    let (t, q, id) = (visit.t, &visit.query, visit.id()?);
    let history = ListTransactions {
        id,
        from: q.filter("from"),
        to: q.filter("to"),
        cursor: q.cursor(),
        limit: 50.try_into().unwrap_or_default(),
    };
    let waiting = ListRequests { account: Some(id), state: Some(RequestState::Pending), ..ListRequests::default() };
    let (a, lines, pending) =
        tokio::try_join!(visit.call(GetAccount { id }), visit.call(history), visit.call(waiting))?;
    let own = a.owner == visit.me()?.user.id;
    let path = format!("/accounts/{id}");
    let clients = !own && visit.role() == Some(Role::Agent);
    page(&AccountPage {
        f: visit.frame(if clients { Place::Clients } else { Place::Accounts }, a.label.as_str()).await,
        t,
        own,
        open: a.state == AccountState::Open,
        up: if clients { "/clients" } else { "/accounts" },
        up_label: if clients { t.client_accounts() } else { t.my_accounts() },
        waiting: a.request.filter(|_| a.state == AccountState::Pending).map(|request| request.id),
        pending: pending.items,
        filtered: !q.get("from").is_empty() || !q.get("to").is_empty(),
        periods: periods(t, visit.web.clock.now(), q, &path),
        lines: lines.items,
        first: q.cursor().map(|_| q.link(&path, "cursor", "")),
        next: lines.next.map(|next| q.link(&path, "cursor", String::from(next))),
        q: q.clone(),
        a,
    })
}

/// Shortcuts to the periods people ask for most.
pub(crate) fn periods(t: T, now: Timestamp, q: &Form, path: &str) -> Vec<Period> {
    let today = now.day();
    let first_of_month = first_of_month(today);
    let last_of_previous = first_of_month.start().minus(Duration::from_secs(1)).day();
    let first_of_year: Day = format!("{:04}-01-01", today.date().year()).parse().unwrap_or(today);
    let ninety_days_ago = now.minus(Duration::from_hours(90 * 24)).day();
    [
        (t.this_month(), first_of_month, today),
        (t.last_month(), self::first_of_month(last_of_previous), last_of_previous),
        (t.last_90_days(), ninety_days_ago, today),
        (t.this_year(), first_of_year, today),
    ]
    .map(|(label, from, to)| Period {
        label,
        href: format!("{path}?from={from}&to={to}"),
        current: q.filter("from") == Some(from) && q.filter("to") == Some(to),
    })
    .into()
}

fn first_of_month(day: Day) -> Day {
    let date = day.date();
    format!("{:04}-{:02}-01", date.year(), u8::from(date.month())).parse().unwrap_or(day)
}

pub(crate) async fn rib(visit: Arc<Visit>) -> Outcome {
    let id = visit.id()?;
    let rib = visit.call(GetRib { id }).await?;
    page(&RibPage { f: visit.frame(Place::Accounts, visit.t.rib_title()).await, t: visit.t, id, rib })
}

pub(crate) async fn rename(visit: Arc<Visit>) -> Outcome {
    let a = visit.call(GetAccount { id: visit.id()? }).await?;
    let mut e = Entries::default();
    e.suggest("label", &a.label);
    page(&RenamePage { f: visit.frame(Place::Accounts, visit.t.rename_account()).await, t: visit.t, a, e })
}

pub(crate) async fn do_rename(visit: Arc<Visit>) -> Outcome {
    let (t, id) = (visit.t, visit.id()?);
    let mut e = Entries::of(&visit.form);
    if let Some(label) = e.take(t, "label") {
        match visit.call(EditAccount { id, label }).await {
            Ok(_) => return Ok(see_other(&format!("/accounts/{id}?done=renamed"))),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let a = visit.call(GetAccount { id }).await?;
    let f = visit.frame(Place::Accounts, error_title(&visit, t.rename_account())).await;
    page_as(e.status(), &RenamePage { f, t, a, e })
}

pub(crate) async fn renew(visit: Arc<Visit>) -> Outcome {
    ask(&visit, Entries::default(), "renew").await
}

pub(crate) async fn close(visit: Arc<Visit>) -> Outcome {
    ask(&visit, Entries::default(), "close").await
}

pub(crate) async fn do_renew(visit: Arc<Visit>) -> Outcome {
    let asked = visit.call_once(RenewIban { id: visit.id()? }).await;
    asked_for(&visit, asked.map(|created| created.0), "renew").await
}

pub(crate) async fn do_close(visit: Arc<Visit>) -> Outcome {
    let asked = visit.call_once(CloseAccount { id: visit.id()? }).await;
    asked_for(&visit, asked.map(|created| created.0), "close").await
}

async fn asked_for(visit: &Visit, asked: Result<Request, aaa::Problem>, what: &'static str) -> Outcome {
    match asked {
        Ok(request) => Ok(see_other(&format!("/requests/{}?done=sent", request.id))),
        Err(problem) => {
            let mut e = Entries::of(&visit.form);
            e.refuse(visit.t, problem, &[])?;
            ask(visit, e, what).await
        }
    }
}

async fn ask(visit: &Visit, e: Entries, what: &'static str) -> Outcome {
    let t = visit.t;
    let a = visit.call(GetAccount { id: visit.id()? }).await?;
    let (title, lead) = match what {
        "close" => (t.close_account(), t.close_account_lead()),
        _ => (t.renew_iban(), t.renew_iban_lead()),
    };
    let action = format!("/accounts/{}/{what}", a.id);
    let f = visit.frame(Place::Accounts, title).await;
    page_as(e.status(), &AskPage { f, t, a, e, lead, action, key: visit.key() })
}

#[cfg(test)]
mod tests {
    use contracts::identity::Language;

    use super::*;

    #[test]
    fn periods_begin_and_end_where_people_expect() {
        let now = "2026-03-15T12:00:00Z".parse().unwrap();
        let all = periods(T(Language::Fr), now, &Form::read(b"from=2026-02-01&to=2026-02-28"), "/a");
        let hrefs: Vec<_> = all.iter().map(|period| period.href.as_str()).collect();
        assert_eq!(hrefs[0], "/a?from=2026-03-01&to=2026-03-15");
        assert_eq!(hrefs[1], "/a?from=2026-02-01&to=2026-02-28");
        assert_eq!(hrefs[3], "/a?from=2026-01-01&to=2026-03-15");
        assert!(all[1].current && !all[0].current);
    }
}
