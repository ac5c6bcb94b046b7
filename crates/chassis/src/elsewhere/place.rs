//! Where the instances of a service are: addresses as configured, looked up again and again where they are names.
//!
//! Promises: every address that a name has now is an instance; what fails to be looked up stays as it was; all tasks end
//! when the places are dropped.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::http::Uri;
use hyper::http::uri::{Authority, Scheme};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};

use super::instance::{Instance, Kind};
use super::standing::{Standing, State};
use crate::ReachError;

/// How often names are looked up again, and the longest wait for that.
const LOOKING: Duration = Duration::from_secs(1);
const LOOKUP: Duration = Duration::from_secs(2);
/// Most addresses of one name that are used.
const MOST: usize = 64;
const HTTPS: u16 = 443;

/// Knows the addresses of hosts.
pub trait Names: Send + Sync + 'static {
    /// All addresses that `host` has now.
    fn addresses(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// Asks the system: its file of hosts, then its name servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, HTTPS)).await?.map(|address| address.ip()).collect())
    }
}

/// An address as configured.
#[derive(Clone)]
pub(super) struct Place {
    authority: Authority,
    port: u16,
}

impl Place {
    pub(super) fn at(address: &str) -> Result<Self, ReachError> {
        let wrong = || ReachError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTPS)).ok_or_else(wrong)?;
        Ok(Self { authority: authority.clone(), port: authority.port_u16().unwrap_or(HTTPS) })
    }

    /// Without the brackets of IPv6.
    fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }
}

/// What is known of one place.
#[derive(Clone, Default)]
struct Found {
    instances: Vec<Arc<Instance>>,
    /// Why nothing newer is known.
    fault: Option<String>,
}

/// The places of a service.
pub(super) struct Places {
    /// Nothing before the first lookup.
    places: Vec<(Place, watch::Receiver<Option<Found>>)>,
    _tasks: JoinSet<()>,
}

impl Places {
    /// Looks after them from now on.
    pub(super) fn watch(places: Vec<Place>, kind: &Kind, names: &Arc<impl Names>) -> Self {
        let mut tasks = JoinSet::new();
        let places = places.into_iter().map(|place| {
            let (found, known) = watch::channel(None);
            tasks.spawn(keep(place.clone(), kind.clone(), Arc::clone(names), found));
            (place, known)
        });
        Self { places: places.collect(), _tasks: tasks }
    }

    /// Every instance that is known; waits for the first lookup.
    pub(super) async fn instances(&self) -> Vec<Arc<Instance>> {
        let mut instances = Vec::new();
        for (_, known) in &self.places {
            if let Some(found) = &*known.borrow() {
                instances.extend_from_slice(&found.instances);
                continue;
            }
            let mut known = known.clone();
            if let Ok(found) = known.wait_for(Option::is_some).await {
                instances.extend(found.iter().flat_map(|found| found.instances.iter().cloned()));
            }
        }
        instances
    }

    /// What is known of each.
    pub(super) fn standings(&self, service: &str) -> Vec<Standing> {
        let mut standings = Vec::new();
        for (place, known) in &self.places {
            let found = known.borrow().clone().unwrap_or_default();
            if found.instances.is_empty() {
                standings.push(Standing {
                    service: service.to_owned(),
                    address: format!("https://{}", place.authority),
                    at: None,
                    state: State::Dead,
                    why: Some(found.fault.unwrap_or_else(|| "its name has not been looked up yet".into())),
                    negotiated: None,
                    peer: None,
                });
            }
            standings.extend(found.instances.iter().map(|instance| instance.standing()));
        }
        standings
    }

    /// Why none can be called.
    pub(super) fn despair(&self, service: &str) -> String {
        let standings = self.standings(service);
        let each = standings.iter().map(|standing| {
            let at = standing.at.map_or_else(|| standing.address.clone(), |at| at.to_string());
            format!("{at}: {}", standing.why.as_deref().unwrap_or("is not called"))
        });
        format!("no instance of {service} lives ({})", each.collect::<Vec<_>>().join("; "))
    }
}

/// Looks a place up, and asks its instances whether they live.
async fn keep(place: Place, kind: Kind, names: Arc<impl Names>, told: watch::Sender<Option<Found>>) {
    let mut probes = JoinSet::new();
    let mut known: Vec<(Arc<Instance>, tokio::task::AbortHandle)> = Vec::new();
    let literal = place.host().parse::<IpAddr>().ok();
    let mut looks = tokio::time::interval(LOOKING);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let looked = match literal {
            Some(address) => Ok(vec![address]),
            None => look(&place, &*names).await,
        };
        let fault = match looked {
            Ok(addresses) => {
                let now: Vec<_> = addresses.iter().take(MOST).map(|ip| SocketAddr::new(*ip, place.port)).collect();
                known.retain(|(instance, probe)| {
                    let stays = now.contains(&instance.at);
                    if !stays {
                        probe.abort();
                    }
                    stays
                });
                for at in now {
                    if known.iter().all(|(instance, _)| instance.at != at) {
                        let instance = Arc::new(Instance::new(&kind, &place.authority, at));
                        let asked = Arc::clone(&instance);
                        known.push((instance, probes.spawn(async move { asked.probe().await })));
                    }
                }
                None
            }
            Err(fault) => Some(fault),
        };
        let instances = known.iter().map(|(instance, _)| Arc::clone(instance)).collect();
        told.send_replace(Some(Found { instances, fault }));
        while probes.try_join_next().is_some() {}
        if literal.is_some() {
            // Nothing to look up; the probes go on until this task is dropped with them.
            return std::future::pending().await;
        }
    }
}

async fn look(place: &Place, names: &impl Names) -> Result<Vec<IpAddr>, String> {
    match timeout(LOOKUP, names.addresses(place.host())).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(format!("`{}` has no address", place.host())),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(format!("`{}` cannot be looked up: {error}", place.host())),
        Err(_) => Err(format!("looking up `{}` takes too long", place.host())),
    }
}
