//! Lost second factors, for staff: what waits, and the decision of the second of two pairs of eyes.

use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use contracts::identity::{ApproveFactorReset, FactorReset, ListFactorResets, RejectFactorReset, ResetState};
use http::StatusCode;
use vocabulary::{Reason, RequestId, UserId};

use super::entry::error_title;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

#[derive(Template)]
#[template(path = "resets.html")]
pub(crate) struct ResetsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) resets: Vec<Reset>,
}

#[derive(Template)]
#[template(path = "reset.html")]
pub(crate) struct ResetPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) r: Reset,
}

/// A removal of a second factor, and whether the visitor may decide it.
#[derive(Clone)]
pub(crate) struct Reset {
    pub(crate) it: FactorReset,
    pub(crate) proposed: bool,
    /// Whether the visitor proposed it, or is the person.
    pub(crate) own: bool,
}

impl Reset {
    pub(crate) fn of(it: FactorReset, me: UserId) -> Self {
        Self { proposed: it.state == ResetState::Proposed, own: it.proposer == Some(me) || it.person == me, it }
    }
}

pub(crate) async fn resets(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let me = visit.me()?.user.id;
    let open = visit.call(ListFactorResets {}).await?.items;
    let f = visit.frame(Place::People, t.resets()).await;
    page(&ResetsPage { f, t, resets: open.into_iter().map(|reset| Reset::of(reset, me)).collect() })
}

pub(crate) async fn reset(visit: Arc<Visit>) -> Outcome {
    show_reset(&visit, Entries::default()).await
}

/// What was decided is no longer among those that wait: the list tells more than a missing page.
async fn show_reset(visit: &Visit, e: Entries) -> Outcome {
    let t = visit.t;
    let id: RequestId = visit.id()?;
    let open = visit.call(ListFactorResets {}).await?.items;
    let Some(it) = open.into_iter().find(|reset| reset.id == id) else {
        return Ok(see_other("/resets?done=decided-already"));
    };
    let title = if e.failed() { error_title(visit, t.reset_title()) } else { t.reset_title().to_owned() };
    let f = visit.frame(Place::People, title).await;
    page_as(e.status(), &ResetPage { f, t, e, r: Reset::of(it, visit.me()?.user.id) })
}

pub(crate) async fn approve(visit: Arc<Visit>) -> Outcome {
    let id: RequestId = visit.id()?;
    let decided = visit.call(ApproveFactorReset { id }).await;
    answer(&visit, decided, "/resets?done=reset", Entries::default()).await
}

pub(crate) async fn reject(visit: Arc<Visit>) -> Outcome {
    let id: RequestId = visit.id()?;
    let mut e = Entries::of(&visit.form);
    match e.take::<Reason>(visit.t, "reason") {
        Some(reason) => {
            let decided = visit.call(RejectFactorReset { id, reason }).await;
            answer(&visit, decided, "/resets?done=reset-refused", e).await
        }
        None => show_reset(&visit, e).await,
    }
}

async fn answer(visit: &Visit, decided: Result<FactorReset, Problem>, done: &str, mut e: Entries) -> Outcome {
    match decided {
        Ok(_) => Ok(see_other(done)),
        Err(problem) if problem.status() == StatusCode::FORBIDDEN => {
            e.add("", visit.t.reset_not_yours());
            show_reset(visit, e).await
        }
        Err(problem) => {
            e.refuse(visit.t, problem, &[])?;
            show_reset(visit, e).await
        }
    }
}
