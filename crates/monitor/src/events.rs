//! What the monitor tells the journal, each event in one place. Never what another side answered.

use std::collections::BTreeMap;

use aaa::Principal;
use contracts::events::{Action, Audience, Level, LogEvent, Person};
use contracts::monitor::{CheckName, Incident, Maintenance};
use store::Transaction;
use vocabulary::{Chance, Clock, EventId};

use crate::error::Error;

/// Makes the events of one call, or of none.
pub(crate) struct Events<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) chance: &'a Chance,
    pub(crate) trace_id: Option<&'a str>,
}

/// Tells the journal, in the transaction of the change.
pub(crate) fn tell(tx: &mut Transaction, event: &LogEvent) -> Result<(), Error> {
    tx.tell(event.subject(), event.payload()?);
    Ok(())
}

impl Events<'_> {
    fn event<const N: usize>(
        &self,
        action: Action,
        level: Level,
        by: Option<&Principal>,
        message: String,
        details: [(&str, &str); N],
    ) -> LogEvent {
        let details = details.into_iter().filter(|(_, value)| !value.is_empty());
        LogEvent {
            id: EventId::new(self.clock, self.chance),
            at: self.clock.now(),
            audience: Audience::Agents,
            level,
            action,
            actor: by.map(|by| Person { id: by.id, login: by.login.clone() }),
            subject: None,
            message,
            details: details.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
            trace_id: self.trace_id.map(ToOwned::to_owned),
        }
    }

    pub(crate) fn check_set(&self, by: &Principal, name: &CheckName, new: bool, kind: &str) -> LogEvent {
        let (action, verb) = if new { (Action::CheckAdded, "added") } else { (Action::CheckChanged, "changed") };
        let message = format!("{} {verb} the check {name}.", by.login);
        self.event(action, Level::Info, Some(by), message, [("check", name.as_str()), ("kind", kind)])
    }

    pub(crate) fn check_removed(&self, by: &Principal, name: &CheckName) -> LogEvent {
        let message = format!("{} removed the check {name}, and its history with it.", by.login);
        self.event(Action::CheckRemoved, Level::Warning, Some(by), message, [("check", name.as_str())])
    }

    /// Not why: that names addresses which are for superusers, and all on duty read the journal.
    pub(crate) fn incident_opened(&self, id: &str, name: &CheckName, title: &str) -> LogEvent {
        let message = format!("{title} is not well.");
        self.event(Action::IncidentOpened, Level::Warning, None, message, [("incident", id), ("check", name.as_str())])
    }

    pub(crate) fn incident_closed(&self, id: &str, name: &CheckName, title: &str) -> LogEvent {
        let message = format!("{title} is well again.");
        self.event(Action::IncidentClosed, Level::Info, None, message, [("incident", id), ("check", name.as_str())])
    }

    pub(crate) fn incident_noted(&self, by: &Principal, it: &Incident, public: bool) -> LogEvent {
        let message = format!("{} wrote about the incident of {}.", by.login, it.check);
        let public = if public { "yes" } else { "no" };
        let details = [("incident", &*it.id.to_string()), ("check", it.check.as_str()), ("public", public)];
        self.event(Action::IncidentNoted, Level::Info, Some(by), message, details)
    }

    pub(crate) fn incident_acknowledged(&self, by: &Principal, it: &Incident) -> LogEvent {
        let message = format!("{} looks after the incident of {}.", by.login, it.check);
        let details = [("incident", &*it.id.to_string()), ("check", it.check.as_str())];
        self.event(Action::IncidentAcknowledged, Level::Info, Some(by), message, details)
    }

    pub(crate) fn maintenance_announced(&self, by: &Principal, it: &Maintenance) -> LogEvent {
        let message = format!("{} announced a maintenance.", by.login);
        self.event(Action::MaintenanceAnnounced, Level::Info, Some(by), message, about(it).each_ref().map(pair))
    }

    pub(crate) fn maintenance_ended(&self, by: &Principal, it: &Maintenance) -> LogEvent {
        let message = format!("{} ended a maintenance, or called it off.", by.login);
        self.event(Action::MaintenanceEnded, Level::Info, Some(by), message, about(it).each_ref().map(pair))
    }
}

fn about(it: &Maintenance) -> [(&'static str, String); 4] {
    let names: Vec<&str> = it.checks.iter().map(CheckName::as_str).collect();
    let checks = if names.is_empty() { "all".to_owned() } else { names.join(" ") };
    [("maintenance", it.id.to_string()), ("from", it.from.to_string()), ("to", it.to.to_string()), ("checks", checks)]
}

fn pair<'a>((name, value): &'a (&'static str, String)) -> (&'a str, &'a str) {
    (name, value)
}
