//! Each service with its store, its record of decisions and its outbox: built the same way whether it shares a process
//! with the others or has one of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aaa::{
    Audit, Credentials, Decided, Directory, Gate, Hasher, Misconfigured, Module, People, Principal, Problem,
    Revocation, Throttle, Verifier,
};
use bank::{Bank, BankConfig};
use bus::{Bus, Relay};
use chassis::{AuditLog, Measure, Shutdown, Truth};
use contracts::events::AUTH_REVOKED;
use contracts::peers;
use futures_util::future::BoxFuture;
use identity::{Identity, Notices, RefusedPasswords, SharedSecret, SharedSecretError, SigningKey};
use journal::{ForeignKey, Journal};
use monitor::{Monitor, Plan};
use store::{Database, Migration, Store};
use vocabulary::{Chance, Clock};
use zeroize::Zeroizing;

use crate::backup::Backup;
use crate::{Failure, telling};
use mail::MailSettings;

/// How long decisions are kept.
pub(crate) const AUDIT_KEPT: Duration = Duration::from_hours(90 * 24);
/// The services that hold a database, and its tables.
pub(crate) const SERVICES_WITH_STORES: [(&str, &[Migration]); 4] = [
    (contracts::identity::SERVICE, identity::MIGRATIONS),
    (contracts::bank::SERVICE, bank::MIGRATIONS),
    (contracts::journal::SERVICE, journal::MIGRATIONS),
    (contracts::monitor::SERVICE, monitor::MIGRATIONS),
];
/// In a data directory: what the monitor checks besides the bank, if the settings name no other file.
const CHECKS: &str = "checks.toml";
/// Beside the signing key, if the operator wants it: passwords that nobody may choose, one per line.
const REFUSED_PASSWORDS: &str = "refused-passwords.txt";
/// Beside the signing key: what all instances of identity share.
const SHARED_SECRET: &str = "shared.key";
/// How long a verifier that hears nothing goes on believing tokens.
pub(crate) const UNHEARD: Duration = Duration::from_mins(1);
/// What signs the heads of the journal's log, and what the witness signs with.
pub(crate) const LOG_KEY: &str = "journal.key";
const WITNESS_KEY: &str = "witness.key";
/// How often the head of the log is signed.
const SEALING: Duration = Duration::from_secs(1);
/// How often a piece of the log is walked.
const PATROLLING: Duration = Duration::from_secs(1);
/// How often it is looked for mails that are due.
const MAILING: Duration = Duration::from_secs(1);
/// From when on an event that waits is a sign that something is wrong.
const LATE: Duration = Duration::from_mins(1);
/// How often what ended by itself is cleaned up.
const CLEANING: Duration = Duration::from_mins(1);
/// How long a stop waits for the last events to reach the journal; what is left is told at the next start.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What every service of one process shares.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    /// Reaches the services.
    pub(crate) directory: Directory,
    /// Carries events out of this process's outboxes.
    pub(crate) bus: Bus,
    /// Believes access tokens.
    pub(crate) verifier: Verifier,
    throttle: Throttle,
    /// Reverse proxies of one's own in front of it.
    proxies: u8,
    /// How old the last backup may be, where that is said.
    backup: Option<Backup>,
    /// The address that clients use, if it is known: proofs of possession must be made for it.
    address: Option<String>,
}

impl Ground {
    pub(crate) fn new(clock: Clock, chance: Chance, proxies: u8, address: Option<String>) -> Self {
        Self {
            directory: Directory::default(),
            bus: Bus::in_process(),
            verifier: Verifier::new(identity::ISSUER, identity::ISSUER, clock.clone()),
            throttle: Throttle::new(clock.clone()),
            clock,
            chance,
            proxies,
            backup: None,
            address,
        }
    }

    /// With what the settings say of backups.
    pub(crate) fn backed_up(self, backup: Option<Backup>) -> Self {
        Self { backup, ..self }
    }

    /// Lets in who shows an access token.
    pub(crate) fn gate(&self, audit: Arc<dyn Audit>) -> Gate {
        let mut credentials = Credentials::new(identity::ISSUER).bearer(self.verifier.clone());
        if let Some(address) = &self.address {
            credentials = credentials.origin(address);
        }
        Gate::new(credentials, audit, self.clock.clone(), self.chance.clone())
            .slowed_by(self.throttle.clone())
            .behind(self.proxies)
    }

    /// Lets in services alone, by their certificates, and to no more than `contracts::peers` grants them at `service`.
    pub(crate) fn inner_gate(&self, service: &'static str, audit: Arc<dyn Audit>) -> Gate {
        let credentials = Credentials::new(identity::ISSUER).people(Peers { service }).certificate();
        Gate::new(credentials, Arc::new(Refusals(audit)), self.clock.clone(), self.chance.clone())
    }

    async fn open(&self, database: &Database, migrations: &[Migration]) -> Result<Store, Failure> {
        Ok(Store::open(database, migrations, self.clock.clone()).await?)
    }

    /// The verifier hears at once what this process's outbox tells.
    pub(crate) fn hear_revocations(&self) {
        let verifier = self.verifier.clone();
        self.bus.subscribe(AUTH_REVOKED, "verifier", move |envelope| {
            let verifier = verifier.clone();
            async move {
                let revocation: Revocation = serde_json::from_str(&envelope.payload)?;
                verifier.revoke(&revocation);
                Ok(())
            }
        });
    }
}

/// Services ask one another every second: what was granted to one would be almost all of a record that is kept for months.
struct Refusals(Arc<dyn Audit>);

impl Audit for Refusals {
    fn note(&self, decided: Decided) {
        let decision = decided.record();
        if decision.status >= 400 {
            self.0.note(Decided::new(move || decision));
        }
    }
}

/// The services of the bank as callers of `service`.
struct Peers {
    service: &'static str,
}

impl People for Peers {
    fn sign_in<'a>(&'a self, _: &'a str, _: aaa::Password) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn known<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        let groups = peers::groups(login, self.service);
        let known = (!groups.is_empty()).then(|| Principal::named(login, groups));
        Box::pin(std::future::ready(Ok(known)))
    }
}

/// One service, and what it stands on.
#[derive(Clone)]
pub(crate) struct Room<S> {
    pub(crate) name: &'static str,
    pub(crate) service: S,
    pub(crate) store: Store,
    pub(crate) audit: AuditLog,
    pub(crate) relay: Option<Arc<Relay>>,
}

impl<S> Room<S> {
    fn new(name: &'static str, service: S, store: Store, chance: &Chance) -> Self {
        let audit = AuditLog::start(store.clone(), chance.clone());
        Self { name, service, store, audit, relay: None }
    }

    fn told_by(self, relay: Arc<Relay>) -> Self {
        Self { relay: Some(relay), ..self }
    }

    /// Where its decisions are noted.
    pub(crate) fn audit(&self) -> Arc<dyn Audit> {
        Arc::new(self.audit.clone())
    }

    /// Waits until everything told so far stands in the journal and every decision in the record.
    pub(crate) async fn settle(&self) {
        if let Some(relay) = &self.relay
            && !relay.flushed(LAST_WORDS).await
        {
            tracing::warn!("some events have not reached the journal yet; they are told at the next start");
        }
        self.audit.flush().await;
    }

    async fn forget_old_decisions(&self) {
        let store = &self.store;
        if let Err(error) = store.forget_audit(store.clock().now().minus(AUDIT_KEPT)).await {
            tracing::warn!(%error, service = self.name, "old audit records could not be forgotten");
        }
    }
}

/// Passwords hashed at a time: each takes 19 MiB and a core. Half the cores, so that a flood of sign-ins leaves the other
/// half to everybody who signed in already.
fn hashes_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// What this service tells is carried to everybody who has subscribed to the bus by now.
fn relay(ground: &Ground, source: &'static str, store: &Store) -> Arc<Relay> {
    Arc::new(Relay::start(store.clone(), source, ground.bus.clone()))
}

/// Identity; the verifier of this process believes it from now on.
pub(crate) async fn identity(
    ground: &Ground,
    database: &Database,
    key: &Path,
    mail: Option<&MailSettings>,
) -> Result<Room<Identity>, Failure> {
    const NAME: &str = contracts::identity::SERVICE;
    let Ground { clock, chance, directory, verifier, .. } = ground;
    let store = ground.open(database, identity::MIGRATIONS).await?;
    let (list, shared) = (key.with_file_name(REFUSED_PASSWORDS), key.with_file_name(SHARED_SECRET));
    let refused = RefusedPasswords::open(&list)
        .map_err(|error| Failure::file("read the passwords to refuse from", &list, &error))?;
    let key = SigningKey::open_or_create(key, clock, chance).map_err(|error| Failure::Settings(error.to_string()))?;
    let secret = SharedSecret::open(&store, &shared, &key).await.map_err(|error| match error {
        SharedSecretError::Store(error) => Failure::from(error),
        error => Failure::Settings(error.to_string()),
    })?;
    let hasher = Hasher::new(hashes_at_once(), chance.clone()).map_err(|error| Failure::Settings(error.to_string()))?;
    let mailing = mail.map(MailSettings::open).transpose()?;
    telling::note_notices(&ground.bus, &Notices::new(store.clone(), chance.clone(), mailing.is_some()));
    let relay = relay(ground, NAME, &store);
    let arrives = arriving(ground, &relay);
    let delivered = delivered(&relay);
    let service = Identity::new(store.clone(), &key, &secret, hasher, directory.clone(), chance.clone(), delivered)
        .map_err(Problem::from)?
        .refusing(refused);
    let service = if let Some(mailing) = mailing {
        service.mailing(mailing)
    } else {
        tracing::info!("no mails leave: people are told in the pages only, until the settings say [mail]");
        service
    };
    service.let_mails_go().await.map_err(Problem::from)?;
    service.further().set(arrives);
    service.publish_keys().await.map_err(Problem::from)?;
    verifier.trust(&service.trusted_keys().await.map_err(Problem::from)?);
    for revocation in service.recent_revocations().await.map_err(Problem::from)? {
        verifier.revoke(&revocation);
    }
    Ok(Room::new(NAME, service, store, chance).told_by(relay))
}

/// Whether what a service tells arrives: nothing of it waits for long. And whether the last backup is young enough.
fn arriving(
    ground: &Ground,
    relay: &Arc<Relay>,
) -> impl Fn() -> BoxFuture<'static, (Vec<Truth>, Vec<Measure>)> + Send + Sync + 'static {
    let (relay, backed_up) = (Arc::clone(relay), backed_up(ground));
    move || {
        let (relay, (mut truths, mut measures)) = (Arc::clone(&relay), backed_up());
        Box::pin(async move {
            let oldest = relay.oldest().await;
            let holds = oldest.as_ref().is_ok_and(|oldest| oldest.is_none_or(|age| age < LATE));
            if !holds {
                tracing::warn!(?oldest, stuck = ?relay.stuck(), "events wait in the outbox");
            }
            let truth = Truth::new("what happened reaches the journal within a minute", holds);
            let measure = |age: Option<Duration>| {
                let age = age.unwrap_or_default().as_secs_f64();
                Measure::new("outbox_oldest_seconds", "For how long the oldest event has waited for the journal", age)
            };
            truths.push(truth);
            measures.extend(oldest.ok().map(measure));
            (truths, measures)
        })
    }
}

/// Whether the last backup is young enough, where the settings say how old it may be.
fn backed_up(ground: &Ground) -> impl Fn() -> (Vec<Truth>, Vec<Measure>) + Send + Sync + 'static {
    let (backup, clock) = (ground.backup.clone(), ground.clock.clone());
    move || match &backup {
        Some(backup) => {
            let (truth, measure) = backup.look(&clock);
            (vec![truth], measure.into_iter().collect())
        }
        None => Default::default(),
    }
}

/// Waits until what was told has reached every subscriber.
fn delivered(relay: &Arc<Relay>) -> identity::Delivered {
    let relay = Arc::clone(relay);
    Arc::new(move |within| {
        let relay = Arc::clone(&relay);
        Box::pin(async move {
            if !relay.flushed(within).await {
                tracing::warn!("a revocation is late");
            }
        })
    })
}

/// The bank.
pub(crate) async fn bank(ground: &Ground, database: &Database, config: BankConfig) -> Result<Room<Bank>, Failure> {
    const NAME: &str = contracts::bank::SERVICE;
    let store = ground.open(database, bank::MIGRATIONS).await?;
    let relay = relay(ground, NAME, &store);
    let service = Bank::start(store.clone(), config, ground.chance.clone()).await.map_err(Problem::from)?;
    service.further().set(arriving(ground, &relay));
    Ok(Room::new(NAME, service, store, &ground.chance).told_by(relay))
}

/// The journal, whose log is signed by the key in `folder`. It hears nothing by itself: subscribe it, or let others hand it
/// their events.
pub(crate) async fn journal(ground: &Ground, database: &Database, folder: &Path) -> Result<Room<Journal>, Failure> {
    let store = ground.open(database, journal::MIGRATIONS).await?;
    let key = secret(&folder.join(LOG_KEY), &ground.chance)?;
    let key = journal::log_key(key).map_err(|error| Failure::Settings(error.to_string()))?;
    let journal = Journal::new(store.clone(), key, ground.chance.clone());
    let backed_up = backed_up(ground);
    journal.further().set(move || std::future::ready(backed_up()));
    journal.begin_log().await.map_err(|error| match error {
        ForeignKey::Store(error) => Failure::from(error),
        error @ ForeignKey::Another { .. } => Failure::Settings(error.to_string()),
    })?;
    Ok(Room::new(contracts::journal::SERVICE, journal, store, &ground.chance))
}

/// The file of the monitor's checks: the one that is named, or the usual one where it exists.
pub(crate) fn checks_file(named: Option<PathBuf>, data_dir: &Path) -> Option<PathBuf> {
    named.or_else(|| Some(data_dir.join(CHECKS)).filter(|usual| usual.exists()))
}

/// What the monitor checks and whom it tells.
pub(crate) fn checks(file: Option<&Path>) -> Result<monitor::Settings, Failure> {
    let settings = file.map(monitor::Settings::read).transpose();
    Ok(settings.map_err(|error| Failure::Settings(error.to_string()))?.unwrap_or_default())
}

/// The monitor over `services`, which are other processes where they stand `apart`.
pub(crate) async fn monitor(
    ground: &Ground,
    database: &Database,
    services: Vec<&'static str>,
    apart: bool,
    checks: monitor::Settings,
) -> Result<Room<Monitor>, Failure> {
    const NAME: &str = contracts::monitor::SERVICE;
    let store = ground.open(database, monitor::MIGRATIONS).await?;
    let relay = relay(ground, NAME, &store);
    let (directory, chance) = (ground.directory.clone(), ground.chance.clone());
    let plan = Plan { directory, services, apart, store: store.clone(), chance, settings: checks };
    let service = Monitor::open(plan).await?;
    service.further().set(arriving(ground, &relay));
    Ok(Room::new(NAME, service, store, &ground.chance).told_by(relay))
}

/// The monitor as the witness of the journal's log, with a key of its own in `folder`.
pub(crate) fn witness(
    monitor: &Monitor,
    journal: &Directory,
    folder: &Path,
    chance: &Chance,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let key = secret(&folder.join(WITNESS_KEY), chance)?;
    let key = monitor::witness_key(key).map_err(|error| Failure::Settings(error.to_string()))?;
    monitor.be_witness(&key, folder, journal, shutdown);
    Ok(())
}

fn secret(path: &Path, chance: &Chance) -> Result<Zeroizing<[u8; 32]>, Failure> {
    chassis::secret(path, chance).map_err(|error| Failure::Settings(error.to_string()))
}

impl Room<Identity> {
    pub(crate) fn module(&self, ground: &Ground) -> Result<Module, Misconfigured> {
        self.service.clone().module(ground.gate(self.audit()))
    }

    /// Sends mails until `shutdown`, if they are sent at all.
    pub(crate) fn send_mails(&self, shutdown: &Shutdown) {
        let room = self.clone();
        rounds(MAILING, shutdown, move || {
            let room = room.clone();
            async move {
                if let Err(error) = room.service.send_due_mails().await {
                    tracing::warn!(error = %Problem::from(error), "mails could not be sent");
                }
            }
        });
    }

    /// Cleans up from time to time, makes the next signing key when it is due, and tells the other instances that this
    /// one still signs.
    pub(crate) fn keep_clean(&self, shutdown: &Shutdown) {
        let room = self.clone();
        rounds(CLEANING, shutdown, move || {
            let room = room.clone();
            async move {
                room.forget_old_decisions().await;
                if let Err(error) = room.service.forget_ended().await {
                    tracing::warn!(error = %Problem::from(error), "ended sessions could not be forgotten");
                }
                if let Err(error) = room.service.rotate_key_if_due() {
                    tracing::warn!(%error, "the next signing key could not be made");
                }
                if let Err(error) = room.service.publish_keys().await {
                    tracing::warn!(error = %Problem::from(error), "the signing keys could not be published");
                }
            }
        });
    }
}

impl Room<Bank> {
    pub(crate) fn module(&self, ground: &Ground) -> Result<Module, Misconfigured> {
        self.service.clone().module(ground.gate(self.audit()))
    }

    /// Cleans up from time to time, and ends requests that nobody decided in time.
    pub(crate) fn keep_clean(&self, shutdown: &Shutdown) {
        let room = self.clone();
        rounds(CLEANING, shutdown, move || {
            let room = room.clone();
            async move {
                if let Err(error) = room.service.expire_due().await {
                    tracing::warn!(error = %Problem::from(error), "requests could not be expired");
                }
                room.forget_old_decisions().await;
            }
        });
    }
}

impl Room<Monitor> {
    pub(crate) fn module(&self, ground: &Ground) -> Result<Module, Misconfigured> {
        self.service.clone().module(ground.gate(self.audit()))
    }

    /// Watches until `shutdown`, and cleans up from time to time.
    pub(crate) fn watch(&self, shutdown: &Shutdown) {
        tokio::spawn(self.service.clone().watch(shutdown.clone()));
        let room = self.clone();
        rounds(CLEANING, shutdown, move || {
            let room = room.clone();
            async move { room.forget_old_decisions().await }
        });
    }
}

impl Room<Journal> {
    pub(crate) fn module(&self, ground: &Ground) -> Result<Module, Misconfigured> {
        self.service.clone().module(ground.gate(self.audit()))
    }

    /// Signs the head of the log every moment, and cleans up from time to time. Who follows the journal is let go at the end.
    pub(crate) fn keep_clean(&self, shutdown: &Shutdown) {
        self.service.ends_with(shutdown);
        let room = self.clone();
        rounds(SEALING, shutdown, move || {
            let room = room.clone();
            async move {
                if let Err(error) = room.service.seal().await {
                    tracing::warn!(%error, "the head of the journal's log could not be signed");
                }
            }
        });
        let room = self.clone();
        rounds(PATROLLING, shutdown, move || {
            let room = room.clone();
            async move {
                if let Err(error) = room.service.patrol().await {
                    tracing::warn!(%error, "the journal could not be walked");
                }
            }
        });
        let room = self.clone();
        rounds(CLEANING, shutdown, move || {
            let room = room.clone();
            async move {
                room.forget_old_decisions().await;
                if let Err(error) = room.service.erase_due().await {
                    tracing::warn!(%error, "contents of the journal that are older than they are kept could not be erased");
                }
            }
        });
    }
}

/// Does `work` now and after each `period`, until `shutdown`.
pub(crate) fn rounds<F, Fut>(period: Duration, shutdown: &Shutdown, work: F)
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        let mut rounds = tokio::time::interval(period);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                _ = rounds.tick() => {}
            }
            work().await;
        }
    });
}
