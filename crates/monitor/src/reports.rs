//! What processes said of their certificates and links, and when. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::monitor::{Judged, Links, Lists, Outlook, Process, Report};
use vocabulary::Timestamp;

/// How long what a process said is repeated: one that stopped says nothing more.
const KEPT: Duration = Duration::from_secs(30);
/// Most processes that are known at a time.
const MOST: usize = 200;

/// The last word of each process.
#[derive(Debug, Default)]
pub(crate) struct Reports(BTreeMap<(String, String), (Timestamp, Report)>);

impl Reports {
    /// Takes note of what an instance of `service` said at `now`; gives how its certificate stands, if that is another way
    /// than before.
    pub(crate) fn note(&mut self, service: &str, report: Report, now: Timestamp) -> Option<Outlook> {
        self.0.retain(|_, (at, _)| now.since(*at) <= KEPT);
        let key = (service.to_owned(), report.instance.clone());
        let before = self.0.get(&key).map_or(Outlook::Good, |(at, report)| worst(report, *at));
        let after = worst(&report, now);
        if self.0.len() < MOST || self.0.contains_key(&key) {
            self.0.insert(key, (now, report));
        }
        (before != after).then_some(after)
    }

    /// By how much the clock of each service is off, where it says; of several instances, the worst. What it said was on its
    /// way for up to a second or two.
    pub(crate) fn skews(&self, now: Timestamp) -> BTreeMap<String, Duration> {
        let mut skews = BTreeMap::new();
        for ((service, _), (heard, report)) in self.0.iter().filter(|(_, (at, _))| now.since(*at) <= KEPT) {
            let Some(at) = report.at else { continue };
            let worst: &mut Duration = skews.entry(service.clone()).or_default();
            *worst = apart(*heard, at).max(*worst);
        }
        skews
    }

    /// By what lists of revoked certificates each service judges, where it has some; of several instances, those that end
    /// first.
    pub(crate) fn lists(&self, now: Timestamp) -> BTreeMap<String, Lists> {
        let mut first: BTreeMap<String, Lists> = BTreeMap::new();
        for ((service, _), (_, report)) in self.0.iter().filter(|(_, (at, _))| now.since(*at) <= KEPT) {
            let Some(lists) = report.lists else { continue };
            let known = first.entry(service.clone()).or_insert(lists);
            if lists.until < known.until {
                *known = lists;
            }
        }
        first
    }

    /// Everything that is still known at `now`, by service.
    pub(crate) fn links(&self, now: Timestamp) -> Links {
        let known = self.0.iter().filter(|(_, (at, _))| now.since(*at) <= KEPT);
        let processes = known.map(|((service, instance), (at, report))| Process {
            service: service.clone(),
            instance: instance.clone(),
            told_at: *at,
            certificate: Judged::at(report.certificate.clone(), now),
            public: report.public.clone().map(|public| Judged::at(public, now)),
            links: report.links.clone(),
        });
        Links { at: now, processes: processes.collect() }
    }
}

/// How far apart two clocks are.
fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

/// How the worse of its certificates stands.
fn worst(report: &Report, now: Timestamp) -> Outlook {
    let outlooks = [Some(&report.certificate), report.public.as_ref()];
    let outlooks: Vec<_> = outlooks.into_iter().flatten().map(|one| one.outlook(now)).collect();
    let any = |outlook| outlooks.contains(&outlook).then_some(outlook);
    any(Outlook::Bad).or_else(|| any(Outlook::Late)).unwrap_or(Outlook::Good)
}
