//! What people do about incidents.

use aaa::{Call, Created};
use contracts::monitor::{AcknowledgeIncident, GetIncident, Incident, IncidentNote, ListIncidents, NoteIncident};
use contracts::{Cursor, Page};
use store::Uuid;
use vocabulary::{Timestamp, new_uuid};

use crate::error::Error;
use crate::events::tell;
use crate::service::Monitor;
use crate::store::{alerts, incidents as rows};

/// Most notes about one.
const MOST_NOTES: i64 = 100;

/// Newest first.
pub(crate) async fn list_incidents(
    monitor: Monitor,
    call: Call<ListIncidents, Monitor>,
) -> Result<Page<Incident>, Error> {
    let ListIncidents { check, open, cursor, limit } = call.request;
    let before =
        match &cursor {
            None => None,
            Some(cursor) => Some(place(cursor).ok_or(Error::Field(
                "cursor",
                "is not a cursor of this list: take it from `next` of the page before",
            ))?),
        };
    let mut tx = monitor.store().read().await?;
    let found = rows::list(&mut tx, check.as_ref(), open, before, limit.get().saturating_add(1)).await?;
    let cursor = |it: &rows::Placed| Cursor::at(format!("{}_{}", it.opened_at.micros(), it.incident.id));
    let Page { items, next } = Page::cut(found, limit, cursor);
    Ok(Page { items: items.into_iter().map(|it| it.incident).collect(), next })
}

fn place(cursor: &Cursor) -> Option<(Timestamp, Uuid)> {
    let text: String = cursor.place()?;
    let (at, id) = text.split_once('_')?;
    Some((Timestamp::from_micros(at.parse().ok()?), id.parse().ok()?))
}

/// One.
pub(crate) async fn get_incident(monitor: Monitor, call: Call<GetIncident, Monitor>) -> Result<Incident, Error> {
    rows::one(&mut monitor.store().read().await?, call.request.id).await?.ok_or(Error::NotFound)
}

/// Says something about one.
pub(crate) async fn note_incident(
    monitor: Monitor,
    call: Call<NoteIncident, Monitor>,
) -> Result<Created<Incident>, Error> {
    let by = call.by().clone();
    let scope = format!("note:{}", by.id);
    let mut tx = monitor.store().begin().await?;
    if let Some(reply) = monitor.replay(&mut tx, &scope, call.context.idempotency.as_ref()).await? {
        return Ok(Created(reply));
    }
    let NoteIncident { id, text, public } = call.request;
    let incident = rows::hold(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if rows::count_notes(&mut tx, id).await? >= MOST_NOTES {
        return Err(Error::TooMany("There are 100 notes about this incident, and no more can be added."));
    }
    let note = IncidentNote { at: tx.now(), by: Some(by.login.clone()), text, public };
    let number = new_uuid(monitor.store().clock(), monitor.chance());
    rows::add_note(&mut tx, number, id, &note).await?;
    tell(&mut tx, &monitor.events(&call.context).incident_noted(&by, &incident, public))?;
    let reply = rows::one(&mut tx, id).await?.ok_or(Error::NotFound)?;
    monitor.remember(&mut tx, &scope, call.context.idempotency.as_ref(), &reply).await?;
    tx.commit().await?;
    Ok(Created(reply))
}

/// Looks after one: nobody is reminded any more. The first who does is named.
pub(crate) async fn acknowledge_incident(
    monitor: Monitor,
    call: Call<AcknowledgeIncident, Monitor>,
) -> Result<Incident, Error> {
    let by = call.by().clone();
    let mut tx = monitor.store().begin().await?;
    let incident = rows::hold(&mut tx, call.request.id).await?.ok_or(Error::NotFound)?;
    if incident.until.is_some() {
        return Err(Error::Over);
    }
    if rows::acknowledge(&mut tx, incident.id, &by.login).await? {
        alerts::drop_reminders(&mut tx, incident.id).await?;
        tell(&mut tx, &monitor.events(&call.context).incident_acknowledged(&by, &incident))?;
    }
    let reply = rows::one(&mut tx, incident.id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(reply)
}
