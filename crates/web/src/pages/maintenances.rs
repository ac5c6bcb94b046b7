//! Work that is announced, for superusers: what there is, a form for more, an end before its time.

use std::sync::Arc;

use askama::Template;
use contracts::monitor::{AnnounceMaintenance, EndMaintenance, ListMaintenances, Maintenance};
use vocabulary::{MaintenanceId, Timestamp};

use super::checks::{maybe, names};
use super::entry::error_title;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page_as, see_other};

/// Most checks that one announcement names.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "maintenances.html")]
pub(crate) struct MaintenancesPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) works: Vec<Work>,
    pub(crate) key: String,
}

/// Announced work, and whether it has begun.
pub(crate) struct Work {
    pub(crate) w: Maintenance,
    pub(crate) begun: bool,
}

impl Work {
    /// What ending it is called: before its beginning it is called off.
    fn ending(&self, t: T) -> &'static str {
        if self.begun { t.work_end() } else { t.work_call_off() }
    }
}

pub(crate) async fn list(visit: Arc<Visit>) -> Outcome {
    show(&visit, Entries::default(), visit.new_key()).await
}

async fn show(visit: &Visit, e: Entries, key: String) -> Outcome {
    let (t, now) = (visit.t, visit.web.clock.now());
    let found = visit.call(ListMaintenances {}).await?;
    let works = found.into_iter().map(|w| Work { begun: w.from <= now, w }).collect();
    let title = if e.failed() { error_title(visit, t.maintenances()) } else { t.maintenances().to_owned() };
    let f = visit.frame(Place::Monitor, title).await;
    page_as(e.status(), &MaintenancesPage { f, t, e, works, key })
}

pub(crate) async fn announce(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    if let Some(work) = read(t, &mut e) {
        match visit.call_once(work).await {
            Ok(_) => return Ok(see_other("/monitor/maintenances?done=announced")),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    show(&visit, e, visit.key()).await
}

pub(crate) async fn end(visit: Arc<Visit>) -> Outcome {
    visit.call(EndMaintenance { id: visit.id::<MaintenanceId>()? }).await?;
    Ok(see_other("/monitor/maintenances?done=work-ended"))
}

fn read(t: T, e: &mut Entries) -> Option<AnnounceMaintenance> {
    let (title, text) = (e.take(t, "title"), maybe(t, e, "text"));
    let (from, to) = (moment(t, e, "from"), moment(t, e, "to"));
    if e.value("to").is_empty() {
        e.add("to", t.field_missing());
    }
    let checks = names(t, e, "checks", MOST);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        e.add("to", t.moment_order());
    }
    if e.failed() {
        return None;
    }
    Some(AnnounceMaintenance { title: title?, text, from, to: to?, checks, public: e.chosen("public", "yes") })
}

/// A moment in UTC as fields of forms have it, without seconds and zone; what is none is noted.
fn moment(t: T, e: &mut Entries, name: &str) -> Option<Timestamp> {
    let text = e.value(name);
    if text.is_empty() {
        return None;
    }
    let read = |text: &str| text.parse::<Timestamp>().ok();
    let found = read(&format!("{text}:00Z")).or_else(|| read(&format!("{text}Z"))).or_else(|| read(text));
    if found.is_none() {
        e.add(name, t.moment_form());
    }
    found
}
