//! The services, wired together in one process. It decides nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aaa::{ClientCertificate, Directory, Entry, Jwks, Problem, Transport, Verifier};
use axum::{Extension, Router};
use bank::{Bank, BankConfig};
use chassis::Shutdown;
use contracts::peers::Trusted;
use identity::Identity;
use journal::Journal;
use monitor::Monitor;
use store::{Database, Store};
use tokio::sync::Mutex;
use vocabulary::{Chance, Clock};
use web::Web;

use crate::Failure;
use crate::backup::Backup;
use crate::origin::{self, Whole};
use crate::rooms::{self, Ground, Room};
use crate::settings::Databases;
use mail::MailSettings;

/// What the services are made of.
pub struct Plan {
    /// Where their stores are.
    pub databases: Databases,
    /// Where the key that signs access tokens is kept.
    pub key: PathBuf,
    /// The folder of the key that signs the journal's log, and of what its witness remembers.
    pub log: PathBuf,
    /// Reverse proxies of one's own in front of it.
    pub proxies: u8,
    /// The address that clients use, if it is known: proofs of possession must be made for it.
    pub origin: Option<String>,
    /// Which bank it is.
    pub bank: BankConfig,
    /// How mails leave, if they do.
    pub mail: Option<MailSettings>,
    /// How old the last backup may be, where that is said.
    pub backup: Option<Backup>,
    /// What the monitor checks besides the bank, and whom it tells.
    pub checks: monitor::Settings,
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
    stores: Vec<(&'static str, Store)>,
    ground: Ground,
    people: Room<Identity>,
    money: Room<Bank>,
    memory: Room<Journal>,
    watch: Room<Monitor>,
    /// The way of the journal's witness.
    witnessed: Directory,
    folder: PathBuf,
}

/// How often identity's own verifier asks which keys sign and what was revoked: other instances sign and revoke as well.
const ASKING: Duration = Duration::from_secs(1);

impl House {
    /// Opens the stores, bringing them up to date, and wires the services.
    pub async fn open(plan: Plan) -> Result<Self, Failure> {
        let Plan { databases, key, log: folder, proxies, origin, bank: config, mail, checks, backup, clock, chance } =
            plan;
        let ground = Ground::new(clock.clone(), chance.clone(), proxies, origin);
        let of = |service| databases.of(service);
        let memory = rooms::journal(&ground, &of(contracts::journal::SERVICE)?, &folder).await?;
        // Relays begin, with the services that tell, when everybody has subscribed.
        memory.service.subscribe(&ground.bus);
        ground.hear_revocations();
        let people = rooms::identity(&ground, &of(contracts::identity::SERVICE)?, &key, mail.as_ref()).await?;
        let money = rooms::bank(&ground.clone().backed_up(backup), &of(contracts::bank::SERVICE)?, config).await?;
        let watch = rooms::monitor(&ground, &monitors_own(&folder), SERVICES.to_vec(), false, checks).await?;
        let modules = [
            (people.name, people.module(&ground)?),
            (money.name, money.module(&ground)?),
            (memory.name, memory.module(&ground)?),
            (watch.name, watch.module(&ground)?),
        ];
        let directory = ground.directory.clone();
        let mut api = Router::new();
        for (service, module) in modules {
            api = api.merge(module.own);
            directory.set(service, Transport::in_process(module.router));
        }
        // The witness comes by the inner door, as it would from a process of its own.
        let inner = memory.service.clone().inner(ground.inner_gate(memory.name, memory.audit()))?;
        let seen = ClientCertificate { name: contracts::monitor::SERVICE.to_owned(), serial: String::new() };
        let witnessed = Directory::default();
        witnessed.set(memory.name, Transport::in_process(inner.router.layer(Extension(seen))));
        let web = Web::new(directory.clone(), clock, chance).behind(proxies);
        let router = origin::origin(api, &directory, ground.gate(Arc::new(())), web)?;
        let identity = people.service.clone();
        let stores = vec![
            (people.name, people.store.clone()),
            (money.name, money.store.clone()),
            (memory.name, memory.store.clone()),
            (watch.name, watch.store.clone()),
        ];
        Ok(Self { directory, router, identity, stores, ground, people, money, memory, watch, witnessed, folder })
    }

    /// Begins what runs by itself until `shutdown`: the monitor's rounds, requests that expire, sessions that ended.
    pub async fn begin(&self, shutdown: &Shutdown) {
        self.watch.service.look_now().await;
        self.watch.watch(shutdown);
        hear_from_identity(&self.identity, &self.ground.verifier, shutdown);
        self.people.keep_clean(shutdown);
        self.people.send_mails(shutdown);
        self.money.keep_clean(shutdown);
        self.memory.keep_clean(shutdown);
        let witness = rooms::witness(&self.watch.service, &self.witnessed, &self.folder, &self.ground.chance, shutdown);
        if let Err(failure) = witness {
            tracing::error!(%failure, "nobody watches that the journal's history stays what it is");
        }
    }

    /// Each service's store, for checks that look at everything.
    pub fn stores(&self) -> &[(&'static str, Store)] {
        &self.stores
    }

    /// Waits until everything told so far stands in the journal and every decision in the audit log.
    pub async fn settle(&self) {
        self.people.settle().await;
        self.money.settle().await;
        self.watch.settle().await;
        self.memory.settle().await;
    }

    /// Finishes what is under way. Nothing acknowledged depends on it.
    pub async fn close(self) {
        self.money.service.stop().await;
        self.watch.service.close().await;
        self.settle().await;
        self.directory.clear();
    }
}

/// The services of a bank, as the monitor asks them.
pub(crate) const SERVICES: [&str; 4] =
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

/// Asks identity which keys sign and what was revoked, by whatever instance, beside what this one pushes. A verifier that
/// hears nothing either way refuses every token: it cannot know which of them was revoked.
pub(crate) fn hear_from_identity(identity: &Identity, verifier: &Verifier, shutdown: &Shutdown) {
    verifier.fails_closed_after(rooms::UNHEARD);
    let (identity, verifier) = (identity.clone(), verifier.clone());
    let known = Arc::new(Mutex::new(Jwks::default()));
    rooms::rounds(ASKING, shutdown, move || {
        let (identity, verifier, known) = (identity.clone(), verifier.clone(), Arc::clone(&known));
        async move {
            match trusted(&identity).await {
                Ok(trusted) => believe(&verifier, trusted, &mut *known.lock().await),
                Err(error) => tracing::warn!(error = %Problem::from(error), "identity did not say whom to believe"),
            }
        }
    });
}

async fn trusted(identity: &Identity) -> Result<Trusted, identity::Error> {
    Ok(Trusted { revoked: identity.recent_revocations().await?, keys: identity.trusted_keys().await? })
}

/// Makes the verifier believe what identity said last.
pub(crate) fn believe(verifier: &Verifier, trusted: Trusted, known: &mut Jwks) {
    let mut keys = trusted.keys;
    // Each instance names its own first.
    keys.keys.sort_unstable_by(|one, other| one.kid.cmp(&other.kid));
    // Every change of keys makes the verifier forget whom it has looked at.
    if *known != keys {
        verifier.trust(&keys);
        *known = keys;
    }
    for revocation in &trusted.revoked {
        verifier.revoke(revocation);
    }
    verifier.heard();
}

/// The monitor's database, beside what its witness remembers: a file of its own wherever the others are kept, so that what
/// it watches does not take it along.
pub(crate) fn monitors_own(folder: &Path) -> Database {
    Database::Sqlite { path: folder.join(format!("{}.sqlite", contracts::monitor::SERVICE)) }
}

/// Where the signing key is kept in a data directory.
pub fn signing_key(data_dir: &Path) -> PathBuf {
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
