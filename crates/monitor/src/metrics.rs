//! What is known of everything, as OpenMetrics text. Pure.

use std::collections::BTreeMap;
use std::fmt;

use chassis::Measure;
use contracts::monitor::{Health, LinkState, Links, ServiceStatus, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use vocabulary::Timestamp;

use crate::remembered::Remembered;
use crate::watching::Seen;

/// Of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Before every name.
const PREFIX: &str = "guichet";

/// What is known at a moment.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) services: Vec<(ServiceStatus, Vec<Measure>)>,
    pub(crate) links: Links,
    pub(crate) checks: Vec<Seen>,
    pub(crate) kept: Kept,
}

/// How keeping the results of checks does.
#[derive(Debug)]
pub(crate) struct Kept {
    dropped: u64,
    waiting: usize,
    /// Unknown while the database is away.
    open_incidents: Option<i64>,
}

impl Kept {
    pub(crate) async fn of(remembered: &Remembered) -> Self {
        let recorder = remembered.recorder();
        let open_incidents = remembered.open_incidents().await.ok();
        Self { dropped: recorder.dropped(), waiting: recorder.waiting_count(), open_incidents }
    }
}

type Labels = Vec<(&'static str, String)>;

/// Everything that has the same name: what it means, and how much it is for whom.
struct Family {
    help: String,
    values: Vec<(Labels, f64)>,
}

impl Known {
    pub(crate) fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(self));
        let mut written = String::new();
        text::encode(&mut written, &registry)?;
        Ok(written)
    }

    fn families(&self) -> BTreeMap<&str, Family> {
        let mut families = BTreeMap::new();
        for (service, measures) in &self.services {
            let name = || ("service", service.name.clone());
            note(&mut families, "up", "Whether the service can serve", vec![name()], of(service.health == Health::Up));
            for truth in &service.truths {
                let labels = vec![name(), ("truth", truth.name.clone())];
                note(&mut families, "truth_holds", "Whether what must hold does", labels, of(truth.holds));
            }
            for measure in measures {
                note(&mut families, &measure.name, &measure.help, vec![name()], measure.value);
            }
        }
        for process in &self.links.processes {
            let from = || vec![("service", process.service.clone()), ("instance", process.instance.clone())];
            let shown = [("services", Some(&process.certificate)), ("browsers", process.public.as_ref())];
            for (to, judged) in shown.into_iter().filter_map(|(to, judged)| Some((to, judged?))) {
                let until = judged.certificate.until.since(Timestamp::from_seconds(0)).as_secs_f64();
                let labels = from().into_iter().chain([("shown_to", to.to_owned())]).collect();
                let help = "When the certificate ends, in seconds since 1970";
                note(&mut families, "certificate_ends_timestamp_seconds", help, labels, until);
            }
            for link in &process.links {
                let to = [("to", link.service.clone()), ("address", link.address.clone())];
                let labels = from().into_iter().chain(to).collect();
                note(&mut families, "link_alive", "Whether it is called", labels, of(link.state == LinkState::Alive));
            }
        }
        self.note_checks(&mut families);
        families
    }

    fn note_checks(&self, families: &mut BTreeMap<&str, Family>) {
        for seen in &self.checks {
            let name = || ("check", seen.check.name.to_string());
            for state in State::ALL {
                let labels = vec![name(), ("state", state.name().to_owned())];
                note(families, "check_state", "Whether the check is in this state", labels, of(seen.state == state));
            }
            if let Some(latency) = seen.latency {
                let help = "How long the last answer took";
                note(families, "check_latency_seconds", help, vec![name()], latency.as_secs_f64());
            }
            if let Some(certificate) = &seen.certificate {
                let until = certificate.until.since(Timestamp::from_seconds(0)).as_secs_f64();
                let help = "When the certificate that the check was shown ends, in seconds since 1970";
                note(families, "check_certificate_ends_timestamp_seconds", help, vec![name()], until);
            }
        }
        let many = |count: Option<u32>| f64::from(count.unwrap_or(u32::MAX));
        let dropped = many(self.kept.dropped.try_into().ok());
        let help = "Results of checks that were dropped since the start";
        note(families, "check_results_dropped", help, Vec::new(), dropped);
        let waiting = many(self.kept.waiting.try_into().ok());
        note(families, "check_results_waiting", "Results of checks that wait to be written", Vec::new(), waiting);
        if let Some(open) = self.kept.open_incidents {
            let open = many(open.try_into().ok());
            note(families, "incidents_open", "Incidents that are not over", Vec::new(), open);
        }
    }
}

fn of(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn note<'a>(families: &mut BTreeMap<&'a str, Family>, name: &'a str, help: &str, labels: Labels, value: f64) {
    let family = families.entry(name).or_insert_with(|| Family { help: help.to_owned(), values: Vec::new() });
    family.values.push((labels, value));
}

impl Collector for Known {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, Family { help, values }) in self.families() {
            let mut family = encoder.encode_descriptor(name, &help, None, MetricType::Gauge)?;
            for (labels, value) in values {
                if labels.is_empty() {
                    family.encode_gauge(&value)?;
                } else {
                    family.encode_family(&labels)?.encode_gauge(&value)?;
                }
            }
        }
        Ok(())
    }
}
