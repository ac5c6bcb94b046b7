//! The services, wired together in one process. It decides nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aaa::{
    Credentials, Directory, Entry, Gate, Hasher, Misconfigured, Module, Revocation, Throttle, Transport, Verifier,
    closed,
};
use axum::Router;
use axum::routing::{any, get};
use bank::{Bank, BankConfig};
use bus::{Bus, Relay};
use chassis::{AuditLog, Health, Ready, Shutdown, Truth};
use contracts::events::AUTH_REVOKED;
use identity::{Identity, RefusedPasswords, SigningKey};
use journal::Journal;
use monitor::Monitor;
use store::Store;
use tokio::sync::Mutex;
use tokio::time::Instant;
use vocabulary::{Chance, Clock};
use web::Web;

use crate::Failure;
use crate::settings::Databases;

/// What the services are made of.
pub struct Plan {
    /// Where their stores are.
    pub databases: Databases,
    /// Where the key that signs access tokens is kept.
    pub key: std::path::PathBuf,
    /// Reverse proxies of one's own in front of it.
    pub proxies: u8,
    /// The address that clients use, if it is known: proofs of possession must be made for it.
    pub origin: Option<String>,
    /// Which bank it is.
    pub bank: BankConfig,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub chance: Chance,
}

/// A whole bank in one process, without a listener.
pub struct House {
    /// Reaches every service by its operations.
    pub directory: Directory,
    /// Answers everything under the bank's one origin.
    pub router: Router,
    /// People; also used by the command line.
    pub identity: Identity,
    verifier: Verifier,
    /// The audit logs, one for each store.
    audits: Vec<AuditLog>,
    stores: Vec<(&'static str, Store)>,
    relays: Vec<Arc<Relay>>,
    bank: Bank,
    monitor: Monitor,
}

/// Passwords hashed at a time: each takes 19 MiB and a core. Half the cores, so that a flood of sign-ins leaves the other
/// half to everybody who signed in already.
fn hashes_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}
/// How long decisions are kept.
pub(crate) const AUDIT_KEPT: Duration = Duration::from_hours(90 * 24);
/// The services that hold a database, and its tables.
pub(crate) const SERVICES_WITH_STORES: [(&str, &[store::Migration]); 3] = [
    (contracts::identity::SERVICE, identity::MIGRATIONS),
    (contracts::bank::SERVICE, bank::MIGRATIONS),
    (contracts::journal::SERVICE, journal::MIGRATIONS),
];
/// Beside the signing key, if the operator wants it: passwords that nobody may choose, one per line.
const REFUSED_PASSWORDS: &str = "refused-passwords.txt";
/// How often identity is asked what was revoked.
const ASKING: Duration = Duration::from_secs(10);
/// How long a verifier that hears nothing goes on believing tokens.
const UNHEARD: Duration = Duration::from_mins(1);
/// How often what ended by itself is cleaned up.
const CLEANING: Duration = Duration::from_mins(1);
/// How long a stop waits for the last events to reach the journal; what is left is told at the next start.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl House {
    /// Opens the stores, bringing them up to date, and wires the services.
    pub async fn open(plan: Plan) -> Result<Self, Failure> {
        let Plan { databases, key, proxies, origin: address, bank: config, clock, chance } = plan;
        let open = async |service: &'static str, migrations: &[store::Migration]| -> Result<Store, Failure> {
            Ok(Store::open(&databases.of(service)?, migrations, clock.clone()).await?)
        };
        let people = open(contracts::identity::SERVICE, identity::MIGRATIONS).await?;
        let money = open(contracts::bank::SERVICE, bank::MIGRATIONS).await?;
        let memory = open(contracts::journal::SERVICE, journal::MIGRATIONS).await?;

        let list = key.with_file_name(REFUSED_PASSWORDS);
        let refused = RefusedPasswords::open(&list)
            .map_err(|error| Failure::file("read the passwords to refuse from", &list, &error))?;
        let key =
            SigningKey::open_or_create(&key, &clock, &chance).map_err(|error| Failure::Settings(error.to_string()))?;
        let hasher =
            Hasher::new(hashes_at_once(), chance.clone()).map_err(|error| Failure::Settings(error.to_string()))?;
        let (bus, directory) = (Bus::in_process(), Directory::default());
        let verifier = Verifier::new(identity::ISSUER, identity::ISSUER, clock.clone());

        let journal = Journal::new(memory.clone());
        journal.subscribe(&bus);
        hear_revocations(&bus, &verifier);
        // Relays begin when everybody has subscribed.
        let relay = |source, store: &Store| Arc::new(Relay::start(store.clone(), source, bus.clone()));
        let relays = vec![relay(contracts::identity::SERVICE, &people), relay(contracts::bank::SERVICE, &money)];

        let identity = new_identity(&people, &key, hasher, &directory, &chance, &relays)?.refusing(refused);
        verifier.trust(&identity.jwks());
        for revocation in identity.recent_revocations().await.map_err(aaa::Problem::from)? {
            verifier.revoke(&revocation);
        }
        let bank = Bank::start(money.clone(), config, chance.clone()).await.map_err(aaa::Problem::from)?;
        let monitor = Monitor::new(directory.clone(), clock.clone(), SERVICES.to_vec());

        let stores = vec![
            (contracts::identity::SERVICE, people),
            (contracts::bank::SERVICE, money),
            (contracts::journal::SERVICE, memory),
        ];
        let audits: Vec<_> = stores.iter().map(|(_, store)| AuditLog::start(store.clone(), chance.clone())).collect();
        let mut credentials = Credentials::new(identity::ISSUER).bearer(verifier.clone());
        if let Some(address) = &address {
            credentials = credentials.origin(address);
        }
        let throttle = Throttle::new(clock.clone());
        let gate = |audit: Arc<dyn aaa::Audit>| {
            Gate::new(credentials.clone(), audit, clock.clone(), chance.clone())
                .slowed_by(throttle.clone())
                .behind(proxies)
        };
        let audit = |index: usize| -> Arc<dyn aaa::Audit> {
            audits.get(index).map_or_else(|| Arc::new(()) as Arc<dyn aaa::Audit>, |log| Arc::new(log.clone()))
        };
        let modules = [
            (contracts::identity::SERVICE, identity.clone().module(gate(audit(0)))?),
            (contracts::bank::SERVICE, bank.clone().module(gate(audit(1)))?),
            (contracts::journal::SERVICE, journal.module(gate(audit(2)))?),
            (contracts::monitor::SERVICE, monitor.clone().module(gate(Arc::new(())))?),
        ];
        let router = origin(
            modules,
            &directory,
            gate(Arc::new(())),
            Web::new(directory.clone(), clock.clone(), chance.clone()).behind(proxies),
        )?;
        Ok(Self { directory, router, identity, verifier, audits, stores, relays, bank, monitor })
    }

    /// Begins what runs by itself until `shutdown`: the monitor's rounds, requests that expire, sessions that ended.
    pub async fn begin(&self, shutdown: &Shutdown) {
        self.monitor.check_now().await;
        tokio::spawn(self.monitor.clone().watch(shutdown.clone()));
        tokio::spawn(hear_from_identity(self.identity.clone(), self.verifier.clone(), shutdown.clone()));
        let (bank, identity, shutdown) = (self.bank.clone(), self.identity.clone(), shutdown.clone());
        let verifier = self.verifier.clone();
        let stores = self.stores.clone();
        tokio::spawn(async move {
            let mut rounds = tokio::time::interval(CLEANING);
            loop {
                tokio::select! {
                    () = shutdown.begun() => return,
                    _ = rounds.tick() => {}
                }
                if let Err(error) = bank.expire_due().await {
                    tracing::warn!(error = %aaa::Problem::from(error), "requests could not be expired");
                }
                for (service, store) in &stores {
                    if let Err(error) = store.forget_audit(store.clock().now().minus(AUDIT_KEPT)).await {
                        tracing::warn!(%error, service, "old audit records could not be forgotten");
                    }
                }
                if let Err(error) = identity.forget_ended().await {
                    tracing::warn!(error = %aaa::Problem::from(error), "ended sessions could not be forgotten");
                }
                match identity.rotate_key_if_due() {
                    Ok(true) => verifier.trust(&identity.jwks()),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "the next signing key could not be made"),
                }
            }
        });
    }

    /// Each service's store, for checks that look at everything.
    pub fn stores(&self) -> &[(&'static str, Store)] {
        &self.stores
    }

    /// Waits until everything told so far stands in the journal and every decision in the audit log.
    pub async fn settle(&self) {
        for relay in &self.relays {
            if !relay.flushed(LAST_WORDS).await {
                tracing::warn!("some events have not reached the journal yet; they are told at the next start");
            }
        }
        for audit in &self.audits {
            audit.flush().await;
        }
    }

    /// Finishes what is under way. Nothing acknowledged depends on it.
    pub async fn close(self) {
        self.bank.stop().await;
        self.settle().await;
    }
}

/// The services of a bank, as the monitor asks them.
const SERVICES: [&str; 4] =
    [contracts::identity::SERVICE, contracts::bank::SERVICE, contracts::journal::SERVICE, contracts::monitor::SERVICE];

/// Every operation of every service, from the declarations.
pub fn operations() -> Vec<Entry> {
    [identity::operations(), bank::operations(), journal::operations(), monitor::operations()]
        .into_iter()
        .flatten()
        .filter(|entry| !entry.route.service().is_empty())
        .chain(chassis::common(aaa::Api::<Whole>::listing()).entries())
        .collect()
}

/// The OpenAPI document of the bank.
pub fn openapi() -> serde_json::Value {
    aaa::openapi_document("Guichet", env!("CARGO_PKG_VERSION"), &operations())
}

fn new_identity(
    store: &Store,
    key: &SigningKey,
    hasher: Hasher,
    directory: &Directory,
    chance: &Chance,
    relays: &[Arc<Relay>],
) -> Result<Identity, Failure> {
    let relays = relays.to_vec();
    let delivered: identity::Delivered = Arc::new(move |within| {
        let relay = relays.first().cloned();
        Box::pin(async move {
            if let Some(relay) = relay
                && !relay.flushed(within).await
            {
                tracing::warn!("a revocation is late");
            }
        })
    });
    let made = Identity::new(store.clone(), key, hasher, directory.clone(), chance.clone(), delivered);
    Ok(made.map_err(aaa::Problem::from)?)
}

/// Asks identity what was revoked, beside what it pushes. A verifier that hears nothing either way refuses every token:
/// it cannot know which of them was revoked.
async fn hear_from_identity(identity: Identity, verifier: Verifier, shutdown: Shutdown) {
    verifier.fails_closed_after(UNHEARD);
    let mut rounds = tokio::time::interval(ASKING);
    loop {
        tokio::select! {
            () = shutdown.begun() => return,
            _ = rounds.tick() => {}
        }
        match identity.recent_revocations().await {
            Ok(revocations) => {
                for revocation in &revocations {
                    verifier.revoke(revocation);
                }
                verifier.heard();
            }
            Err(error) => tracing::warn!(error = %aaa::Problem::from(error), "identity did not say what was revoked"),
        }
    }
}

fn hear_revocations(bus: &Bus, verifier: &Verifier) {
    let verifier = verifier.clone();
    bus.subscribe(AUTH_REVOKED, "verifier", move |envelope| {
        let verifier = verifier.clone();
        async move {
            let revocation: Revocation = serde_json::from_str(&envelope.payload)?;
            verifier.revoke(&revocation);
            Ok(())
        }
    });
}

/// Everything under one origin: the API of each service, health of the whole, the document, and the pages.
fn origin<const N: usize>(
    modules: [(&'static str, Module); N],
    directory: &Directory,
    gate: Gate,
    web: Web,
) -> Result<Router, Misconfigured> {
    let whole =
        chassis::common(aaa::Api::new(Whole { directory: directory.clone(), told: Arc::default() }, gate)).finish()?;
    let mut api = whole.shared;
    for (service, module) in modules {
        api = api.merge(module.own);
        directory.set(service, Transport::in_process(module.router));
    }
    let document = openapi().to_string();
    let document = move || async move { ([(http::header::CONTENT_TYPE, "application/json")], document) };
    let nowhere = any(|| async { aaa::Problem::not_found() });
    Ok(closed(api.route("/api/openapi.json", get(document)).route("/api/{*rest}", nowhere))
        .fallback_service(web.router()))
}

/// How long what the services say of themselves is repeated: the question is open to anyone and reads whole tables.
const TRUTHS_KEPT: Duration = Duration::from_secs(2);

/// What was told, and when.
type Told = (Instant, Vec<Truth>);

/// The process as a whole: well when each of its services is.
#[derive(Clone)]
struct Whole {
    directory: Directory,
    told: Arc<Mutex<Option<Told>>>,
}

impl Health for Whole {
    async fn ready(&self) -> Result<(), String> {
        for service in SERVICES {
            self.directory
                .caller()
                .at(service)
                .call(Ready {})
                .await
                .map_err(|problem| format!("{service}: {problem}"))?;
        }
        Ok(())
    }

    async fn truths(&self) -> Vec<Truth> {
        // Whoever asks meanwhile waits for the same answer.
        let mut told = self.told.lock().await;
        if let Some((_, truths)) = told.as_ref().filter(|(at, _)| at.elapsed() < TRUTHS_KEPT) {
            return truths.clone();
        }
        let mut truths = Vec::new();
        for service in SERVICES {
            match self.directory.caller().at(service).call(chassis::GetTruths {}).await {
                Ok(told) => {
                    truths.extend(told.into_iter().map(|it| Truth::new(format!("{service}: {}", it.name), it.holds)));
                }
                Err(_) => truths.push(Truth::new(format!("{service}: answers"), false)),
            }
        }
        *told = Some((Instant::now(), truths.clone()));
        truths
    }
}

/// Where the signing key is kept in a data directory.
pub fn signing_key(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("signing.key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_a_path_is_a_field_of_its_request() {
        let document = openapi();
        for entry in operations() {
            let method = entry.route.method().as_str().to_lowercase();
            let parameters = &document["paths"][entry.route.path()][&method]["parameters"];
            for name in entry.route.path_names() {
                let found = parameters.as_array().unwrap().iter().any(|it| it["name"] == name && it["in"] == "path");
                assert!(found, "{} has no field {name}", entry.operation);
            }
        }
    }

    #[test]
    fn no_two_operations_share_a_route_or_a_name() {
        let mut seen = std::collections::HashSet::new();
        for entry in operations() {
            assert!(
                seen.insert(format!("{} {}", entry.route.method(), entry.route.path())),
                "{} twice",
                entry.route.path()
            );
            assert!(seen.insert(entry.operation.to_owned()), "{} twice", entry.operation);
        }
    }
}
