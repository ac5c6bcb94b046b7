//! What this process says of its own certificates and links, for those who look after the bank.
//!
//! Promises: it tells what connections really agreed on, never what was configured; no key and no secret is in it. Says
//! nothing by itself: the monitor asks, and the pages' process, which nobody can ask, hands it over.

use std::sync::Arc;
use std::time::Duration;

use aaa::{Api, Call, Directory, Gate, Misconfigured, Module, Problem};
use chassis::{Shutdown, Standing, State, Way};
use contracts::monitor::{Agreement, Certificate, GetReport, Link, LinkState, Lists, Report, TakeReport};
use monitor::Monitor;
use store::Store;
use vocabulary::{Chance, Clock};

use crate::broker::Broker;
use crate::links::Links;
use crate::rooms::rounds;

/// How often the pages' process tells, and how long that may take.
const TELLING: Duration = Duration::from_secs(2);
/// The database among those that are called.
const DATABASE: &str = "postgresql";

/// Knows the links of this process. Clones share them.
#[derive(Clone)]
pub(crate) struct Reporter {
    service: &'static str,
    instance: Arc<str>,
    links: Links,
    ways: Arc<[Way]>,
    store: Option<Store>,
    broker: Option<Broker>,
}

impl Reporter {
    /// Of one start of `service`, which shows `links` and calls these.
    pub(crate) fn new(service: &'static str, links: &Links, ways: Vec<Way>, chance: &Chance) -> Self {
        let instance = format!("{:016x}", u64::from_le_bytes(chance.bytes())).into();
        Self { service, instance, links: links.clone(), ways: ways.into(), store: None, broker: None }
    }

    /// With the way to its database.
    pub(crate) fn with(&self, store: &Store) -> Self {
        Self { store: Some(store.clone()), ..self.clone() }
    }

    /// With the way to the broker, if there is one.
    pub(crate) fn over(&self, broker: Option<&Broker>) -> Self {
        Self { broker: broker.cloned(), ..self.clone() }
    }

    /// Answers who may ask.
    pub(crate) fn module(&self, gate: Gate) -> Result<Module, Misconfigured> {
        let mut module = Api::new(self.clone(), gate).serve(get_report).finish()?;
        // Every process answers it, each for itself: so it goes along where modules are joined.
        module.own = std::mem::take(&mut module.shared);
        Ok(module)
    }

    /// Tells the monitor again and again, until shutdown.
    pub(crate) fn tell(&self, directory: &Directory, shutdown: &Shutdown) {
        let (reporter, directory) = (self.clone(), directory.clone());
        rounds(TELLING, shutdown, move || {
            let (reporter, caller) = (reporter.clone(), directory.caller().within(TELLING));
            async move {
                let told = match reporter.report().await {
                    Ok(report) => caller.call(TakeReport { report }).await.map(|_| ()),
                    Err(problem) => Err(problem),
                };
                if let Err(problem) = told {
                    tracing::debug!(%problem, "the monitor did not hear how the links do");
                }
            }
        });
    }

    /// The same in the monitor's own process.
    pub(crate) fn note(&self, monitor: &Monitor, shutdown: &Shutdown) {
        let (reporter, monitor) = (self.clone(), monitor.clone());
        rounds(TELLING, shutdown, move || {
            let (reporter, monitor) = (reporter.clone(), monitor.clone());
            async move {
                match reporter.report().await {
                    Ok(report) => monitor.note(reporter.service, report),
                    Err(problem) => tracing::warn!(%problem, "the monitor does not know its own links"),
                }
            }
        });
    }

    /// As they are now.
    pub(crate) async fn report(&self) -> Result<Report, Problem> {
        let lists = self.links.inner.lists().map(|life| Lists { from: life.from, until: life.until });
        let own = self.links.inner.identity().seen();
        let own = own.ok_or_else(|| Problem::internal("the certificate names nobody"))?;
        let public = self.links.public.as_ref().and_then(|link| link.identity().seen());
        let standings = self.ways.iter().flat_map(Way::standings);
        let mut links: Vec<Link> = standings.map(link).collect();
        links.extend(self.database().await);
        links.extend(self.broker().await);
        let (service, instance) = (self.service.to_owned(), self.instance.to_string());
        let (at, certificate, public) = (Some(Clock::system().now()), certificate(own), public.map(certificate));
        Ok(Report { service, instance, at, certificate, public, lists, links })
    }

    async fn database(&self) -> Option<Link> {
        let store = self.store.as_ref()?;
        let why = store.ping().await.err().map(|error| error.to_string());
        let (address, encryption) = store.encryption()?;
        let agreed = encryption
            .map(|it| agreement(pki::Negotiated { protocol: it.protocol, group: it.group, cipher: it.cipher }));
        let state = if why.is_none() { LinkState::Alive } else { LinkState::Dead };
        Some(Link { service: DATABASE.to_owned(), address, state, why, agreed, peer: None })
    }
}

impl Reporter {
    async fn broker(&self) -> Option<Link> {
        let standing = self.broker.as_ref()?.standing().await;
        let (agreed, peer) = (standing.agreed.map(agreement), standing.peer.map(certificate));
        let (service, address) = (crate::broker::NAME.to_owned(), standing.address);
        Some(Link { service, address, state: standing.state, why: standing.why, agreed, peer })
    }
}

async fn get_report(reporter: Reporter, _: Call<GetReport, Reporter>) -> Result<Report, Problem> {
    reporter.report().await
}

fn link(standing: Standing) -> Link {
    Link {
        service: standing.service,
        address: standing.at.map_or(standing.address, |at| at.to_string()),
        state: match standing.state {
            State::Alive => LinkState::Alive,
            State::LeftOut => LinkState::LeftOut,
            State::Dead => LinkState::Dead,
        },
        why: standing.why,
        agreed: standing.negotiated.map(agreement),
        peer: standing.peer.map(certificate),
    }
}

fn agreement(negotiated: pki::Negotiated) -> Agreement {
    let withstands_quantum = negotiated.withstands_quantum();
    let pki::Negotiated { protocol, group, cipher } = negotiated;
    Agreement { protocol, group, cipher, withstands_quantum }
}

fn certificate(peer: pki::Peer) -> Certificate {
    Certificate { name: peer.name, serial: peer.serial, from: peer.life.from, until: peer.life.until }
}
