//! The tables of incidents and of what people wrote about them.

use std::collections::HashMap;

use ::store::{Affected, Many, Optional, Query, Row, Scalar, StoreError, Transaction, Uuid, params};
use contracts::monitor::{CheckName, Incident, IncidentNote, NoteText, State};
use vocabulary::{IncidentId, Timestamp};

pub(super) const SQL: &str = include_str!("../sql/incidents.sql");

const OPEN_INCIDENT: Query<Affected> = Query::find(SQL, "open_incident");
const STANDING_INCIDENT: Query<Optional> = Query::find(SQL, "standing_incident");
const STANDS_ALONE: Query<Affected> = Query::find(SQL, "stands_alone");
const GOT_WORSE: Query<Affected> = Query::find(SQL, "got_worse");
const CLOSE_INCIDENT: Query<Affected> = Query::find(SQL, "close_incident");
const HIDE_INCIDENTS: Query<Affected> = Query::find(SQL, "hide_incidents");
const INCIDENT: Query<Optional> = Query::find(SQL, "incident");
const HOLD_INCIDENT: Query<Optional> = Query::find(SQL, "hold_incident");
const INCIDENTS: Query<Many> = Query::find(SQL, "incidents");
const INCIDENTS_SINCE: Query<Many> = Query::find(SQL, "incidents_since");
const COUNT_OPEN: Query<Scalar<i64>> = Query::find(SQL, "count_open");
const ACKNOWLEDGE: Query<Affected> = Query::find(SQL, "acknowledge");
const ADD_NOTE: Query<Affected> = Query::find(SQL, "add_note");
const COUNT_NOTES: Query<Scalar<i64>> = Query::find(SQL, "count_notes");
const NOTES_OF: Query<Many> = Query::find(SQL, "notes_of");

/// One that begins.
pub(crate) struct Opening<'a> {
    pub(crate) id: IncidentId,
    pub(crate) check: &'a CheckName,
    pub(crate) title: &'a str,
    pub(crate) public: bool,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) at: Timestamp,
    pub(crate) cause: Option<&'a str>,
    pub(crate) behind: Option<&'a CheckName>,
}

/// An incident, and its place in lists.
pub(crate) struct Placed {
    pub(crate) incident: Incident,
    pub(crate) opened_at: Timestamp,
}

/// Gives whether it is new: each check has one at a time.
pub(crate) async fn open(tx: &mut Transaction, it: &Opening<'_>) -> Result<bool, StoreError> {
    let (state, behind) = (it.state.name(), it.behind.map(CheckName::as_str));
    let parameters = params![it.id, it.check.as_str(), it.title, it.public, state, it.since, it.at, it.cause, behind];
    Ok(tx.run(&OPEN_INCIDENT, parameters).await? == 1)
}

/// The one of a check that is not over, and had begun at a moment; without its notes.
pub(crate) async fn standing(
    tx: &mut Transaction,
    check: &CheckName,
    at: Timestamp,
) -> Result<Option<Incident>, StoreError> {
    let row = tx.run(&STANDING_INCIDENT, params![check.as_str(), at]).await?;
    row.map(|row| Ok(read(&row)?.incident)).transpose()
}

/// It is nobody else's fault any more.
pub(crate) async fn stands_alone(tx: &mut Transaction, id: IncidentId) -> Result<(), StoreError> {
    tx.run(&STANDS_ALONE, params![id]).await.map(drop)
}

/// It is down now, for this reason.
pub(crate) async fn got_worse(tx: &mut Transaction, id: IncidentId, cause: Option<&str>) -> Result<(), StoreError> {
    tx.run(&GOT_WORSE, params![id, State::Down.name(), cause]).await.map(drop)
}

/// It is over.
pub(crate) async fn close(tx: &mut Transaction, id: IncidentId, at: Timestamp) -> Result<(), StoreError> {
    tx.run(&CLOSE_INCIDENT, params![id, at]).await.map(drop)
}

/// Those of this check are not for everybody any more.
pub(crate) async fn hide(tx: &mut Transaction, check: &CheckName) -> Result<(), StoreError> {
    tx.run(&HIDE_INCIDENTS, params![check.as_str()]).await.map(drop)
}

/// One, with its notes.
pub(crate) async fn one(tx: &mut Transaction, id: IncidentId) -> Result<Option<Incident>, StoreError> {
    let row = tx.run(&INCIDENT, params![id]).await?;
    with_notes(tx, row.into_iter().collect()).await.map(|found| found.into_iter().next().map(|it| it.incident))
}

/// The same, locked until the transaction ends.
pub(crate) async fn hold(tx: &mut Transaction, id: IncidentId) -> Result<Option<Incident>, StoreError> {
    let row = tx.run(&HOLD_INCIDENT, params![id]).await?;
    with_notes(tx, row.into_iter().collect()).await.map(|found| found.into_iter().next().map(|it| it.incident))
}

/// Newest first, from before a place on.
pub(crate) async fn list(
    tx: &mut Transaction,
    check: Option<&CheckName>,
    open: Option<bool>,
    before: Option<(Timestamp, Uuid)>,
    most: usize,
) -> Result<Vec<Placed>, StoreError> {
    let (at, id) = before.unwrap_or((Timestamp::from_micros(i64::MAX), Uuid::max()));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let parameters = params![check.map(CheckName::as_str), open.map(i64::from), at, id, most];
    let rows = tx.run(&INCIDENTS, parameters).await?;
    with_notes(tx, rows).await
}

/// What was wrong at some moment from `from` to `to`, newest first: of one check, or of all.
pub(crate) async fn between(
    tx: &mut Transaction,
    check: Option<&CheckName>,
    public_only: bool,
    (from, to): (Timestamp, Timestamp),
    most: usize,
) -> Result<Vec<Incident>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let parameters = params![check.map(CheckName::as_str), public_only, from, to, most];
    let rows = tx.run(&INCIDENTS_SINCE, parameters).await?;
    Ok(with_notes(tx, rows).await?.into_iter().map(|it| it.incident).collect())
}

/// As everybody may read it.
pub(crate) fn for_everybody(incident: Incident) -> Incident {
    let public = incident.notes.into_iter().filter(|note| note.public);
    let notes = public.map(|note| IncidentNote { by: None, ..note }).collect();
    Incident { cause: None, behind: None, acknowledged_by: None, notes, ..incident }
}

/// How many are not over.
pub(crate) async fn count_open(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_OPEN, params![]).await?.unwrap_or(0))
}

/// Gives whether nobody looked after it before.
pub(crate) async fn acknowledge(tx: &mut Transaction, id: IncidentId, by: &str) -> Result<bool, StoreError> {
    Ok(tx.run(&ACKNOWLEDGE, params![id, by]).await? == 1)
}

/// Somebody wrote this about it.
pub(crate) async fn add_note(
    tx: &mut Transaction,
    id: Uuid,
    incident: IncidentId,
    note: &IncidentNote,
) -> Result<(), StoreError> {
    let by = note.by.as_deref().unwrap_or_default();
    tx.run(&ADD_NOTE, params![id, incident, note.at, by, &note.text, note.public]).await.map(drop)
}

/// How often people wrote about it.
pub(crate) async fn count_notes(tx: &mut Transaction, incident: IncidentId) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_NOTES, params![incident]).await?.unwrap_or(0))
}

fn read(row: &Row) -> Result<Placed, StoreError> {
    let state: String = row.get("state")?;
    let state = State::from_name(&state);
    let incident = Incident {
        id: row.get("id")?,
        check: row.parse("check_name")?,
        title: row.get("title")?,
        state: state.ok_or_else(|| StoreError::Row("the column state holds an unknown word".to_owned()))?,
        since: row.get("since")?,
        until: row.get("until")?,
        cause: row.get("cause")?,
        behind: row.parse_optional("behind")?,
        acknowledged_by: row.get("acknowledged_by")?,
        notes: Vec::new(),
    };
    Ok(Placed { incident, opened_at: row.get("opened_at")? })
}

async fn with_notes(tx: &mut Transaction, rows: Vec<Row>) -> Result<Vec<Placed>, StoreError> {
    let mut found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Ok(found);
    }
    let ids: Vec<IncidentId> = found.iter().map(|it| it.incident.id).collect();
    let mut notes: HashMap<IncidentId, Vec<IncidentNote>> = HashMap::new();
    for row in tx.run(&NOTES_OF, params![ids]).await? {
        let text: NoteText = row.parse("text")?;
        let by = Some(row.get("by_login")?);
        let note = IncidentNote { at: row.get("at")?, by, text, public: row.get("public")? };
        notes.entry(row.get("incident_id")?).or_default().push(note);
    }
    for it in &mut found {
        it.incident.notes = notes.remove(&it.incident.id).unwrap_or_default();
    }
    Ok(found)
}
