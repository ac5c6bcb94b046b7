//! The agents' inbox, and their decisions. Each decision is bound to the content that was shown.

use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use contracts::Limit;
use contracts::bank::{ApproveRequest, ListRequests, RejectRequest, Request, RequestState};
use contracts::identity::{ListFactorResets, ListUsers, UserState};
use http::StatusCode;
use vocabulary::Reason;

use super::requests::request_again;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, see_other};

#[derive(Template)]
#[template(path = "inbox.html")]
pub(crate) struct InboxPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) requests: Vec<Request>,
    /// How many registrations wait.
    pub(crate) waiting: usize,
    /// How many lost second factors do.
    pub(crate) resets: usize,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

pub(crate) async fn inbox(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let open = ListRequests {
        state: Some(RequestState::Pending),
        oldest_first: true,
        cursor: q.cursor(),
        limit: 40.try_into().unwrap_or_default(),
        ..ListRequests::default()
    };
    let people = ListUsers { state: Some(UserState::Pending), limit: Limit::MAX, ..ListUsers::default() };
    let (open, people, resets) = tokio::join!(visit.call(open), visit.call(people), visit.call(ListFactorResets {}));
    let open = open?;
    page(&InboxPage {
        f: visit.frame(Place::Inbox, t.inbox()).await,
        t,
        requests: open.items,
        waiting: people.map_or(0, |page| page.items.len()),
        resets: resets.map_or(0, |page| page.items.len()),
        first: q.cursor().map(|_| "/inbox".to_owned()),
        next: open.next.map(|next| q.link("/inbox", "cursor", String::from(next))),
    })
}

pub(crate) async fn approve(visit: Arc<Visit>) -> Outcome {
    let id = visit.id()?;
    let digest = Some(visit.form.get("digest").to_owned()).filter(|digest| !digest.is_empty());
    let decided = visit.call(ApproveRequest { id, digest }).await;
    let next = if visit.form.get("back") == "inbox" { "/inbox".to_owned() } else { format!("/requests/{id}") };
    answer(&visit, decided, &format!("{next}?done=approved"), Entries::default()).await
}

pub(crate) async fn reject(visit: Arc<Visit>) -> Outcome {
    let id = visit.id()?;
    let mut e = Entries::of(&visit.form);
    match e.take::<Reason>(visit.t, "reason") {
        Some(reason) => {
            let decided = visit.call(RejectRequest { id, reason }).await;
            answer(&visit, decided, &format!("/requests/{id}?done=rejected"), e).await
        }
        None => request_again(&visit, e).await,
    }
}

async fn answer(visit: &Visit, decided: Result<Request, Problem>, done: &str, mut e: Entries) -> Outcome {
    match decided {
        Ok(_) => Ok(see_other(done)),
        // Four eyes: said in words on the request's own page.
        Err(problem) if problem.status() == StatusCode::FORBIDDEN => {
            e.add("", visit.t.p_own_request());
            request_again(visit, e).await
        }
        Err(problem) => {
            e.refuse(visit.t, problem, &[])?;
            request_again(visit, e).await
        }
    }
}
