//! The state of the system, open to anyone.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use contracts::monitor::{GetStatus, Health, Status};
use http::StatusCode;

use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page_as};

#[derive(Template)]
#[template(path = "status.html")]
pub(crate) struct StatusPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    /// Nothing when the monitor itself does not answer.
    pub(crate) status: Option<Status>,
    pub(crate) up: bool,
}

pub(crate) async fn status(visit: Arc<Visit>) -> Outcome {
    let asked = visit.web.directory.caller().within(Duration::from_secs(3)).call(GetStatus::default()).await;
    let status = asked.ok();
    let up = status.as_ref().is_some_and(|status| status.health == Health::Up);
    let code = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let f = visit.frame(Place::Status, visit.t.system_status()).await;
    page_as(code, &StatusPage { f, t: visit.t, status, up })
}
