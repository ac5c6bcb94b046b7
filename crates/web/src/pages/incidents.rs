//! Incidents, for superusers: the list, one of them, who looks after it and what is said about it.

use std::sync::Arc;

use askama::Template;
use contracts::monitor::{AcknowledgeIncident, GetIncident, Incident, ListIncidents, NoteIncident};
use vocabulary::IncidentId;

use super::entry::error_title;
use crate::forms::{Entries, Form};
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

#[derive(Template)]
#[template(path = "incidents.html")]
pub(crate) struct IncidentsPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    /// Whether only those that go on are shown.
    pub(crate) open: bool,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

#[derive(Template)]
#[template(path = "incident.html")]
pub(crate) struct IncidentPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) i: Incident,
    pub(crate) name: String,
    pub(crate) key: String,
}

pub(crate) async fn list(visit: Arc<Visit>) -> Outcome {
    let q = &visit.query;
    let open = q.get("state") == "open";
    let list = ListIncidents {
        check: q.filter("check"),
        open: open.then_some(true),
        cursor: q.cursor(),
        limit: contracts::Limit::default(),
    };
    let found = visit.call(list).await?;
    let f = visit.frame(Place::Monitor, visit.t.incidents()).await;
    let next = found.next.map(|next| q.link("/monitor/incidents", "cursor", String::from(next)));
    page(&IncidentsPage::of(f, q, found.items, next))
}

impl IncidentsPage {
    pub(crate) fn of(f: Frame, q: &Form, incidents: Vec<Incident>, next: Option<String>) -> Self {
        let first = (!q.get("cursor").is_empty()).then(|| q.link("/monitor/incidents", "cursor", ""));
        Self { t: f.t, open: q.get("state") == "open", incidents, first, next, f }
    }
}

pub(crate) async fn incident(visit: Arc<Visit>) -> Outcome {
    show(&visit, visit.id()?, Entries::default(), visit.new_key()).await
}

async fn show(visit: &Visit, id: IncidentId, e: Entries, key: String) -> Outcome {
    let t = visit.t;
    let i = visit.call(GetIncident { id }).await?;
    let name = t.titled(&i.check, &i.title);
    let title = t.named_fault(t.incident(), &name);
    let title = if e.failed() { error_title(visit, &title) } else { title };
    let f = visit.frame(Place::Monitor, title).await;
    page_as(e.status(), &IncidentPage { f, t, e, i, name, key })
}

pub(crate) async fn acknowledge(visit: Arc<Visit>) -> Outcome {
    let id: IncidentId = visit.id()?;
    visit.call(AcknowledgeIncident { id }).await?;
    Ok(see_other(&format!("/monitor/incidents/{id}?done=acknowledged")))
}

pub(crate) async fn note(visit: Arc<Visit>) -> Outcome {
    let (t, id) = (visit.t, visit.id::<IncidentId>()?);
    let mut e = Entries::of(&visit.form);
    let public = e.chosen("public", "yes");
    if let Some(text) = e.take(t, "text") {
        match visit.call_once(NoteIncident { id, text, public }).await {
            Ok(_) => return Ok(see_other(&format!("/monitor/incidents/{id}?done=noted"))),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    show(&visit, id, e, visit.key()).await
}
