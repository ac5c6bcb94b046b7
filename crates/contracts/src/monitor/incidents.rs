//! What went wrong, what people say about it, and what they announce.

use aaa::{Created, Done, Faults, Fields, Operation, Route, Scoped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{IncidentId, Label, MaintenanceId, Text, Timestamp};

use super::checks::CheckName;
use super::{SERVICE, State};
use crate::roles::Superusers;
use crate::scopes::Read;
use crate::{Cursor, Limit, Page};

/// What people say about an incident or a maintenance.
pub type NoteText = Text<1, 2000>;

/// What somebody wrote about an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct IncidentNote {
    /// When.
    pub at: Timestamp,
    /// Who; for superusers alone.
    pub by: Option<String>,
    /// What.
    pub text: NoteText,
    /// Whether everybody reads it.
    pub public: bool,
}

/// A check that was down, or degraded, for long enough to matter: from the alarm to the recovery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Identifies it.
    pub id: IncidentId,
    /// Which check.
    pub check: CheckName,
    /// For people.
    pub title: String,
    /// The gravest state in it: degraded or down.
    pub state: State,
    /// When the first result said so.
    pub since: Timestamp,
    /// When it was over.
    pub until: Option<Timestamp>,
    /// What the check said, in words; for superusers alone.
    pub cause: Option<String>,
    /// The check whose fault it is, while nobody is alarmed about this one.
    pub behind: Option<CheckName>,
    /// Who looks after it, since when reminders stopped; for superusers alone.
    pub acknowledged_by: Option<String>,
    /// What people wrote, oldest first.
    pub notes: Vec<IncidentNote>,
}

/// Work that is announced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Maintenance {
    /// Identifies it.
    pub id: MaintenanceId,
    /// In a few words.
    pub title: Label,
    /// In more.
    pub text: Option<NoteText>,
    /// From when on.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// Which checks; all where none is named.
    pub checks: Vec<CheckName>,
    /// Whether everybody is told.
    pub public: bool,
    /// Who announced it; for superusers alone.
    pub by: Option<String>,
}

/// Every incident, newest first.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListIncidents {
    /// Of this check only.
    pub check: Option<CheckName>,
    /// Only those that are not over.
    pub open: Option<bool>,
    /// From `next` of the page before.
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}
impl Operation for ListIncidents {
    const ROUTE: Route = Route::get(SERVICE, "/api/monitor/incidents");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Page<Incident>;
}

/// One incident.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetIncident {
    /// Which one.
    pub id: IncidentId,
}
impl Operation for GetIncident {
    const ROUTE: Route = Route::get(SERVICE, "/api/monitor/incidents/{id}");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Incident;
}

/// Says something about an incident; at most 100 times.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct NoteIncident {
    /// Which one.
    pub id: IncidentId,
    /// What.
    pub text: NoteText,
    /// Whether everybody reads it.
    #[serde(default)]
    pub public: bool,
}
impl Operation for NoteIncident {
    const ROUTE: Route = Route::post(SERVICE, "/api/monitor/incidents/{id}/notes").idempotent();
    type Policy = Superusers;
    type Reply = Created<Incident>;
}

/// Looks after an incident: nobody is reminded of it any more.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct AcknowledgeIncident {
    /// Which one.
    pub id: IncidentId,
}
impl Operation for AcknowledgeIncident {
    const ROUTE: Route = Route::post(SERVICE, "/api/monitor/incidents/{id}/acknowledgement");
    type Policy = Superusers;
    type Reply = Incident;
}

/// What is announced or going on, soonest first.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListMaintenances {}
impl Operation for ListMaintenances {
    const ROUTE: Route = Route::get(SERVICE, "/api/monitor/maintenances");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Vec<Maintenance>;
}

/// Announces work: nobody is alarmed about what it touches meanwhile, and that time counts neither way.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
#[serde(deny_unknown_fields)]
pub struct AnnounceMaintenance {
    /// In a few words.
    pub title: Label,
    /// In more.
    pub text: Option<NoteText>,
    /// From when on; now if it is missing. Not in the past.
    pub from: Option<Timestamp>,
    /// Up to when: after `from`, and at most 31 days after it.
    pub to: Timestamp,
    /// Which checks; all where none is named.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub checks: Vec<CheckName>,
    /// Whether everybody is told.
    #[serde(default)]
    pub public: bool,
}
impl Operation for AnnounceMaintenance {
    const ROUTE: Route = Route::post(SERVICE, "/api/monitor/maintenances").idempotent();
    type Policy = Superusers;
    type Reply = Created<Maintenance>;
    fn check(&self, faults: &mut Faults) {
        if self.from.is_some_and(|from| from >= self.to) {
            faults.add("to", "must be after `from`");
        }
        if self.checks.len() > 100 {
            faults.add("checks", "names too many: at most 100; name none for all");
        }
    }
}

/// Ends a maintenance now, or calls it off.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct EndMaintenance {
    /// Which one.
    pub id: MaintenanceId,
}
impl Operation for EndMaintenance {
    const ROUTE: Route = Route::delete(SERVICE, "/api/monitor/maintenances/{id}");
    type Policy = Superusers;
    type Reply = Done;
}
