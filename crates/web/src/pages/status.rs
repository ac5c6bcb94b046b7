//! The state of the system, open to anyone; the links between its services, for those who run it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::monitor::{GetLinks, GetStatus, Health, Links, Status};
use contracts::roles::Role;
use http::StatusCode;

use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page_as};

/// Longest wait for the monitor.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Template)]
#[template(path = "status.html")]
pub(crate) struct StatusPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    /// Nothing when the monitor itself does not answer.
    pub(crate) status: Option<Status>,
    pub(crate) up: bool,
    /// For superusers, where services stand apart.
    pub(crate) links: Option<Links>,
}

pub(crate) async fn status(visit: Arc<Visit>) -> Outcome {
    let caller = visit.web.directory.caller().within(PATIENCE);
    let (status, links) = tokio::join!(caller.call(GetStatus::default()), links(&visit));
    let status = status.ok();
    let up = status.as_ref().is_some_and(|status| status.health == Health::Up);
    let code = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let f = visit.frame(Place::Status, visit.t.system_status()).await;
    page_as(code, &StatusPage { f, t: visit.t, status, up, links })
}

/// What the monitor knows of the links, if the visitor may see it and there are any.
async fn links(visit: &Visit) -> Option<Links> {
    if visit.role() != Some(Role::Superuser) {
        return None;
    }
    let links = visit.caller().within(PATIENCE).call(GetLinks {}).await.ok()?;
    (!links.processes.is_empty()).then_some(links)
}
