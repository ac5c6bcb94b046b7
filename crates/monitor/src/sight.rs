//! What was seen of each service, and since when. Pure.

use chassis::Measure;
use contracts::monitor::{Health, ServiceStatus, Status, Truth};
use vocabulary::Timestamp;

/// What was seen of every service, and when.
#[derive(Debug)]
pub(crate) struct Sight {
    names: Vec<&'static str>,
    services: Vec<ServiceStatus>,
    /// What each counted of itself.
    measures: Vec<Vec<Measure>>,
    at: Timestamp,
}

impl Sight {
    /// Nobody was asked yet, so nobody is known to work.
    pub(crate) fn new(services: &[&'static str], at: Timestamp) -> Self {
        let unseen = |name: &&str| ServiceStatus {
            name: (*name).to_owned(),
            health: Health::Down,
            since: at,
            checked_at: at,
            version: None,
            truths: Vec::new(),
        };
        let measures = vec![Vec::new(); services.len()];
        Self { names: services.to_vec(), services: services.iter().map(unseen).collect(), measures, at }
    }

    /// Takes note of who could serve at `at`, and gives whose health changed.
    pub(crate) fn note_health(&mut self, healths: &[Health], at: Timestamp) -> Vec<&'static str> {
        self.at = at;
        let mut changed = Vec::new();
        for ((service, name), health) in self.services.iter_mut().zip(&self.names).zip(healths) {
            service.checked_at = at;
            if service.health != *health {
                service.health = *health;
                service.since = at;
                changed.push(*name);
            }
        }
        changed
    }

    /// Takes note of what one said of itself.
    pub(crate) fn note_particulars(&mut self, index: usize, version: Option<String>, truths: Option<Vec<Truth>>) {
        if let Some(service) = self.services.get_mut(index) {
            service.version = version.or_else(|| service.version.take());
            service.truths = truths.unwrap_or_default();
        }
    }

    /// Takes note of what one counted of itself.
    pub(crate) fn note_measures(&mut self, index: usize, measures: Option<Vec<Measure>>) {
        if let Some(known) = self.measures.get_mut(index) {
            *known = measures.unwrap_or_default();
        }
    }

    /// Every service with what it counted; of one that is down, nothing.
    pub(crate) fn measured(&self, now: Timestamp) -> Vec<(ServiceStatus, Vec<Measure>)> {
        let services = self.status(None, now).map(|status| status.services).unwrap_or_default();
        let measured = services.into_iter().zip(&self.measures);
        measured
            .map(|(service, measures)| match service.health {
                Health::Up => (service, measures.clone()),
                Health::Down => (service, Vec::new()),
            })
            .collect()
    }

    /// Which are up.
    pub(crate) fn up(&self) -> Vec<usize> {
        let up = self.services.iter().enumerate().filter(|(_, service)| service.health == Health::Up);
        up.map(|(index, _)| index).collect()
    }

    /// When services were last asked.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// The state of all services, or of the one called `app`; `None` when there is none of that name.
    pub(crate) fn status(&self, app: Option<&str>, now: Timestamp) -> Option<Status> {
        let asked = self.services.iter().filter(|service| app.is_none_or(|app| app == service.name));
        // What one that is down said before says nothing now.
        let services: Vec<ServiceStatus> = asked
            .map(|service| match service.health {
                Health::Up => service.clone(),
                Health::Down => ServiceStatus { truths: Vec::new(), ..service.clone() },
            })
            .collect();
        if services.is_empty() && app.is_some() {
            return None;
        }
        let up = services.iter().all(|service| service.health == Health::Up);
        Some(Status { health: if up { Health::Up } else { Health::Down }, at: now, services })
    }
}
