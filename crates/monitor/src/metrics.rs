//! What is known of everything, as OpenMetrics text. Pure.

use std::collections::BTreeMap;
use std::fmt;

use chassis::Measure;
use contracts::monitor::{Health, LinkState, Links, ServiceStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use vocabulary::Timestamp;

/// Of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Before every name.
const PREFIX: &str = "guichet";

/// What is known at a moment.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) services: Vec<(ServiceStatus, Vec<Measure>)>,
    pub(crate) links: Links,
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
        families
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
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}
