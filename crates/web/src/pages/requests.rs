//! One's own requests, and the page of a request: receipt, progress, and for agents the decision.

use std::sync::Arc;

use askama::Template;
use contracts::bank::{CancelRequest, GetRequest, ListRequests, Request, RequestKind, RequestState};
use contracts::roles::Role;

use super::{Choice, named};
use crate::forms::{Entries, Form};
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

#[derive(Template)]
#[template(path = "requests.html")]
pub(crate) struct RequestsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) q: Form,
    pub(crate) filtered: bool,
    pub(crate) states: Vec<Choice>,
    pub(crate) kinds: Vec<Choice>,
    pub(crate) requests: Vec<Request>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

#[derive(Template)]
#[template(path = "request.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question that the template asks")]
pub(crate) struct RequestPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) r: Request,
    pub(crate) up: &'static str,
    pub(crate) up_label: &'static str,
    pub(crate) own: bool,
    pub(crate) staff: bool,
    pub(crate) agent: bool,
    pub(crate) pending: bool,
    pub(crate) approved: bool,
    /// By an agent, rather than by its maker or by time.
    pub(crate) decided: bool,
}

const STATES: [(RequestState, &str); 5] = [
    (RequestState::Pending, "pending"),
    (RequestState::Approved, "approved"),
    (RequestState::Rejected, "rejected"),
    (RequestState::Cancelled, "cancelled"),
    (RequestState::Expired, "expired"),
];

const KINDS: [(RequestKind, &str); 6] = [
    (RequestKind::Transfer, "transfer"),
    (RequestKind::Deposit, "deposit"),
    (RequestKind::Withdrawal, "withdrawal"),
    (RequestKind::OpenAccount, "open_account"),
    (RequestKind::CloseAccount, "close_account"),
    (RequestKind::RenewIban, "renew_iban"),
];

pub(crate) async fn requests(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let found = visit
        .call(ListRequests {
            state: named(q.get("state"), &STATES),
            kind: named(q.get("kind"), &KINDS),
            mine: true,
            cursor: q.cursor(),
            limit: 30.try_into().unwrap_or_default(),
            ..ListRequests::default()
        })
        .await?;
    page(&RequestsPage {
        f: visit.frame(Place::Requests, t.my_requests()).await,
        t,
        filtered: !q.get("state").is_empty() || !q.get("kind").is_empty(),
        states: states(t),
        kinds: kinds(t),
        requests: found.items,
        first: q.cursor().map(|_| q.link("/requests", "cursor", "")),
        next: found.next.map(|next| q.link("/requests", "cursor", String::from(next))),
        q: q.clone(),
    })
}

pub(crate) fn states(t: T) -> Vec<Choice> {
    STATES.map(|(state, value)| Choice { value, label: t.request_state(&state) }).into()
}

pub(crate) fn kinds(t: T) -> Vec<Choice> {
    KINDS.map(|(kind, value)| Choice { value, label: t.kind(&kind) }).into()
}

pub(crate) async fn request(visit: Arc<Visit>) -> Outcome {
    page(&request_page(&visit, Entries::default()).await?)
}

/// The request's page again, with what was wrong with a decision.
pub(crate) async fn request_again(visit: &Visit, e: Entries) -> Outcome {
    page_as(e.status(), &request_page(visit, e).await?)
}

async fn request_page(visit: &Visit, e: Entries) -> Result<RequestPage, aaa::Problem> {
    let t = visit.t;
    let r = visit.call(GetRequest { id: visit.id()? }).await?;
    let own = r.maker == visit.me()?.user.id;
    let agent = visit.role() == Some(Role::Agent);
    let inbox = agent && !own;
    Ok(RequestPage {
        f: visit.frame(if inbox { Place::Inbox } else { Place::Requests }, t.kind(&r.kind)).await,
        t,
        e,
        up: if inbox { "/inbox" } else { "/requests" },
        up_label: if inbox { t.inbox() } else { t.my_requests() },
        own,
        staff: agent,
        agent,
        pending: r.state == RequestState::Pending,
        approved: r.state == RequestState::Approved,
        decided: matches!(r.state, RequestState::Approved | RequestState::Rejected),
        r,
    })
}

pub(crate) async fn cancel(visit: Arc<Visit>) -> Outcome {
    let id = visit.id()?;
    match visit.call(CancelRequest { id }).await {
        Ok(_) => Ok(see_other(&format!("/requests/{id}?done=cancelled"))),
        Err(problem) => {
            let mut e = Entries::default();
            e.refuse(visit.t, problem, &[])?;
            request_again(&visit, e).await
        }
    }
}
