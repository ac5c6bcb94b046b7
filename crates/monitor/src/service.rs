//! What the monitor does: asks, remembers, answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use aaa::{Call, Context, Directory, Document, Done, IdempotencyKey, Problem};
use chassis::{Further, GetMeasures, GetTruths, GetVersion, Measure, Ready, Shutdown};
use contracts::monitor::{
    Certificate, CheckName, CheckSpec, GetLinks, GetMetrics, GetReport, GetStatus, Health, Links, Origin, Outlook,
    Report, SERVICE, Status, TakeReport, Truth,
};
use futures_util::future::{join_all, join3};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Once, Store, StoreError, Transaction};
use tlog::SigningKey;
use tokio::sync::{Notify, Semaphore};
use tokio::time::MissedTickBehavior;
use vocabulary::{Chance, Clock};

use crate::alerts::Alerts;
use crate::error::Error;
use crate::events::Events;
use crate::keeping::Keeper;
use crate::metrics::{self, Kept, Known};
use crate::outcome::Outcome;
use crate::remembered::Remembered;
use crate::reports::Reports;
use crate::sight::Sight;
use crate::watching::{Seen, Told, Watch};
use crate::witness::Watch as Witnessing;
use crate::{Settings, opening, own};

/// How often services are asked whether they can serve, and how long they may take to answer.
const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(1);
/// How often they are asked what they say of themselves, which costs them more, and how long that may take.
const PARTICULARS_EVERY: Duration = Duration::from_secs(10);
const PARTICULARS_PATIENCE: Duration = Duration::from_secs(5);
/// How often they are asked about their links, where they stand apart.
const LINKS_EVERY: Duration = Duration::from_secs(2);
/// The monitor itself is of no use when it has not asked for this long.
const STALE: Duration = Duration::from_secs(10);
/// Something that must hold and did not is asked about again after this long.
const AGAIN: Duration = Duration::from_secs(2);
/// Most checks that are tried at a time.
const MOST_TRIED: usize = 4;

/// Watches over services. Clones share what was seen.
#[derive(Clone)]
pub struct Monitor(Arc<Inner>);

struct Inner {
    directory: Directory,
    clock: Clock,
    services: Vec<&'static str>,
    sight: RwLock<Sight>,
    /// Whether there are links between the services.
    apart: bool,
    reports: RwLock<Reports>,
    /// Somebody can serve who could not before, or the witness thinks otherwise: what is said of oneself has to be asked anew.
    came_up: Notify,
    /// Of the journal's log.
    witness: OnceLock<Witnessing>,
    further: Further,
    store: Store,
    chance: Chance,
    /// Every check, how it stands, and when it is made.
    watching: Watch,
    keeper: Keeper,
    alerts: Alerts,
    /// One change of what is checked or announced at a time.
    changing: tokio::sync::Mutex<()>,
    /// Checks that are tried now.
    trying: Semaphore,
    /// How checks did.
    remembered: Remembered,
}

/// What a monitor is made of.
pub struct Plan {
    /// Reaches the services.
    pub directory: Directory,
    /// Those that are asked how they do.
    pub services: Vec<&'static str>,
    /// Whether they stand apart: then they are asked about their links too, and what the monitor's own process says of
    /// itself is handed to [`Monitor::note`].
    pub apart: bool,
    /// Its database, with [`crate::MIGRATIONS`]; its clock is the monitor's.
    pub store: Store,
    /// Randomness.
    pub chance: Chance,
    /// What it checks besides, and whom it tells.
    pub settings: Settings,
}

impl Monitor {
    /// All services are down until they are asked: by [`Monitor::check_now`] or [`Monitor::watch`]. What was known of checks
    /// when the last run ended is known again.
    pub async fn open(plan: Plan) -> Result<Self, StoreError> {
        let Plan { directory, services, apart, store, chance, settings } = plan;
        let Settings { checks, alerting } = settings;
        let clock = store.clock().clone();
        let sight = RwLock::new(Sight::new(&services, clock.now()));
        let remembered = Remembered::new(store.clone());
        let recorder = remembered.recorder();
        let keeper = Keeper::new(store.clone(), chance.clone(), alerting.channels());
        let next_id = opening::next_id(&store).await?;
        let watching = Watch::new(recorder.clone(), keeper.clone(), clock.clone(), next_id);
        opening::take_up(&store, &watching, checks).await?;
        let alerts = Alerts {
            store: store.clone(),
            chance: chance.clone(),
            alerting,
            watch: watching.clone(),
            keeper: keeper.clone(),
        };
        Ok(Self(Arc::new(Inner {
            directory,
            clock,
            services,
            sight,
            apart,
            reports: RwLock::default(),
            came_up: Notify::new(),
            witness: OnceLock::new(),
            further: Further::default(),
            store,
            chance,
            watching,
            keeper,
            alerts,
            changing: tokio::sync::Mutex::default(),
            trying: Semaphore::new(MOST_TRIED),
            remembered,
        })))
    }

    /// What somebody else checks about this monitor.
    pub fn further(&self) -> &Further {
        &self.0.further
    }

    /// Is the witness of the journal's log too, until `shutdown`: with this key, remembering in `folder`, and reaching the
    /// journal's inner door through `journal`.
    pub fn be_witness(&self, key: &SigningKey, folder: &Path, journal: &Directory, shutdown: &Shutdown) {
        let watch = self.0.witness.get_or_init(|| Witnessing::new(key, folder, journal, self.0.clock.clone()));
        let monitor = self.clone();
        // Known at once, not when the services are next asked what they say of themselves.
        tokio::spawn(watch.clone().keep(shutdown.clone(), move || monitor.0.came_up.notify_one()));
    }

    /// Asks again and again, until `shutdown`.
    pub async fn watch(self, shutdown: Shutdown) {
        let asking = async {
            let mut ticks = ticks(EVERY);
            loop {
                ticks.tick().await;
                self.ask_health().await;
            }
        };
        let asking_particulars = async {
            let mut ticks = ticks(PARTICULARS_EVERY);
            loop {
                self.ask_particulars().await;
                let unsure = self.is_truth_unsure();
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = self.0.came_up.notified() => {}
                    () = tokio::time::sleep(AGAIN), if unsure => {}
                }
            }
        };
        let asking_links = async {
            let mut ticks = ticks(LINKS_EVERY);
            loop {
                self.ask_links().await;
                ticks.tick().await;
            }
        };
        let watching = async {
            self.ask_health().await;
            join3(asking, asking_particulars, asking_links).await
        };
        let keeping = tokio::spawn(self.0.keeper.clone().keep(shutdown.clone()));
        tokio::spawn(self.0.watching.clone().keep(shutdown.clone()));
        tokio::spawn(self.0.alerts.clone().keep(shutdown.clone()));
        if let Some(heartbeat) = self.0.alerts.alerting.heartbeat.clone() {
            tokio::spawn(heartbeat.keep(self.0.watching.clone(), self.0.store.clone(), shutdown.clone()));
        }
        tokio::select! {
            () = shutdown.begun() => {}
            ((), (), ()) = watching => {}
            () = self.0.remembered.recorder().keep() => {}
        }
        // What happened up to now is written down before this is over.
        if keeping.await.is_err() {
            tracing::error!("what happened to checks last may not be written down");
        }
        // What cannot be written now was said, and is lost.
        let _ = self.0.remembered.recorder().flush().await;
    }

    /// Asks every service everything, once, now. Checks have their own moments: nobody waits for them at a start.
    pub async fn look_now(&self) {
        self.ask_health().await;
        self.ask_particulars().await;
        self.ask_links().await;
    }

    /// Asks every service everything, and makes every check, once, now; writes down what happened, if it can be.
    pub async fn check_now(&self) {
        self.look_now().await;
        self.0.watching.make_all().await;
        if let Err(error) = self.0.keeper.flush().await {
            tracing::warn!(%error, "what happened to checks waits to be written down");
        }
        // Said in there.
        let _ = self.0.remembered.recorder().flush().await;
    }

    /// Writes down what is left to be, before the end of the process.
    pub async fn close(&self) {
        if let Err(error) = self.0.keeper.flush().await {
            tracing::error!(%error, "what happened to checks last is not written down");
        }
        // Said in there.
        let _ = self.0.remembered.recorder().flush().await;
    }

    /// Tells now whoever is to be told of something, and drops what was told long ago.
    pub async fn tell_now(&self) -> Result<(), Problem> {
        self.0.alerts.prune().await?;
        self.0.alerts.remind().await?;
        Ok(self.0.alerts.send_due().await?)
    }

    /// How every check stands.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.0.watching.seen();
        seen.extend(self.0.remembered.shown().iter().cloned());
        seen
    }

    pub(crate) fn watching(&self) -> &Watch {
        &self.0.watching
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.0.keeper
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn chance(&self) -> &Chance {
        &self.0.chance
    }

    pub(crate) fn changing(&self) -> &tokio::sync::Mutex<()> {
        &self.0.changing
    }

    pub(crate) fn trying(&self) -> &Semaphore {
        &self.0.trying
    }

    /// What is told of one call.
    pub(crate) fn events<'a>(&'a self, context: &'a Context) -> Events<'a> {
        Events { clock: &self.0.clock, chance: &self.0.chance, trace_id: Some(&context.trace_id) }
    }

    /// The reply that was given to this key before, if any.
    pub(crate) async fn replay<T: DeserializeOwned>(
        &self,
        tx: &mut Transaction,
        scope: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<T>, Error> {
        let Some(key) = key else { return Ok(None) };
        match tx.once(scope, &key.key, key.digest).await? {
            Once::Replay(reply) => Ok(Some(serde_json::from_str(&reply)?)),
            Once::Mismatch => Err(Error::KeyReused),
            Once::Fresh | Once::Twin => Ok(None),
        }
    }

    pub(crate) async fn remember<T: Serialize>(
        &self,
        tx: &mut Transaction,
        scope: &str,
        key: Option<&IdempotencyKey>,
        reply: &T,
    ) -> Result<(), Error> {
        let Some(key) = key else { return Ok(()) };
        Ok(tx.remember(scope, &key.key, key.digest, &serde_json::to_string(reply)?).await?)
    }

    /// Takes note of what an instance of `service` says of its links.
    pub fn note(&self, service: &str, report: Report) {
        let mut reports = self.0.reports.write().unwrap_or_else(PoisonError::into_inner);
        let instance = report.instance.clone();
        match reports.note(service, report, self.0.clock.now()) {
            Some(Outlook::Good) => tracing::info!(service, instance, "a certificate is fresh again"),
            Some(Outlook::Late) => tracing::warn!(service, instance, "a certificate should have been renewed"),
            Some(Outlook::Bad) => tracing::error!(service, instance, "a certificate is about to end, or has ended"),
            None => {}
        }
    }

    /// What is remembered of checks.
    pub(crate) fn remembered(&self) -> &Remembered {
        &self.0.remembered
    }

    /// Asks those that are up about their links. Which instance answers is left to their turns.
    async fn ask_links(&self) {
        if !self.0.apart {
            return;
        }
        let up = self.read().up();
        let others = self.0.services.iter().enumerate().filter(|(index, name)| up.contains(index) && **name != SERVICE);
        let asked = others.map(|(_, service)| async move {
            match self.0.directory.caller().at(service).within(PATIENCE).call(GetReport {}).await {
                Ok(report) => self.note(service, report),
                Err(problem) => tracing::debug!(service, %problem, "a service did not say how its links do"),
            }
        });
        join_all(asked).await;
        self.observe_certificates();
        let now = self.0.clock.now();
        let reports = self.0.reports.read().unwrap_or_else(PoisonError::into_inner);
        let (skews, lists) = (reports.skews(now), reports.lists(now));
        drop(reports);
        self.observe("clock.", skews.iter().filter_map(|(name, skew)| Some((own::clock(name)?, own::skewed(*skew)))));
        self.observe("lists.", lists.iter().filter_map(|(name, it)| Some((own::lists(name)?, own::aged(*it, now)))));
    }

    /// The certificate of each process; of several instances, the one that ends first speaks for its service.
    fn observe_certificates(&self) {
        let now = self.0.clock.now();
        let links = self.0.reports.read().unwrap_or_else(PoisonError::into_inner).links(now);
        let mut first: BTreeMap<String, Certificate> = BTreeMap::new();
        for process in links.processes {
            for judged in [Some(process.certificate), process.public].into_iter().flatten() {
                let spent = judged.certificate.spent_permille(now);
                let known = first.get(&process.service).map_or(0, |it| it.spent_permille(now));
                if spent >= known {
                    first.insert(process.service.clone(), judged.certificate);
                }
            }
        }
        let judged = first.iter().filter_map(|(name, it)| Some((own::certificate(name)?, own::judged(it, now))));
        self.observe("certificate.", judged);
    }

    /// Takes what is told of those of the bank's own whose names begin so; of the others among them nobody knows any more
    /// what was said before.
    fn observe(&self, beginning: &str, told: impl Iterator<Item = (Told, Outcome)>) {
        let of_these =
            |seen: &Seen| seen.check.origin == Origin::Bank && seen.check.name.as_str().starts_with(beginning);
        let before = self.0.watching.seen().into_iter().filter(of_these);
        let mut silent: BTreeMap<CheckName, CheckSpec> =
            before.map(|seen| (seen.check.name.clone(), seen.check.spec.clone())).collect();
        for (told, outcome) in told {
            silent.remove(&told.name);
            self.0.watching.observe(&told, outcome);
        }
        for (name, spec) in silent {
            self.0.watching.observe(&Told { name, spec }, own::silence());
        }
    }

    async fn ask_health(&self) {
        let asked = self.0.services.iter().map(|service| async {
            let caller = self.0.directory.caller().at(service).within(PATIENCE);
            let since = tokio::time::Instant::now();
            let (health, problem) = match caller.call(Ready {}).await {
                Ok(_) => (Health::Up, None),
                Err(problem) => (Health::Down, Some(problem)),
            };
            if let Some(told) = own::service(service) {
                self.0.watching.observe(&told, own::readiness(problem.is_none(), since.elapsed()));
            }
            (health, problem)
        });
        let (healths, problems): (Vec<Health>, Vec<Option<Problem>>) = join_all(asked).await.into_iter().unzip();
        let changed = self.write().note_health(&healths, self.0.clock.now());
        for (service, problem) in self.0.services.iter().zip(&problems).filter(|(name, _)| changed.contains(name)) {
            if let Some(problem) = problem {
                tracing::error!(service, %problem, "a service is down");
            } else {
                tracing::info!(service, "a service is up");
                self.0.came_up.notify_one();
            }
        }
    }

    /// Asks those that are up: the others would only keep us waiting.
    async fn ask_particulars(&self) {
        let up = self.read().up();
        let asked = self.0.services.iter().enumerate().filter(|(index, _)| up.contains(index));
        let asked = asked.map(|(index, service)| async move {
            let caller = self.0.directory.caller().at(service).within(PARTICULARS_PATIENCE);
            let asked = join3(caller.call(GetVersion {}), caller.call(GetTruths {}), caller.call(GetMeasures {}));
            let (version, truths, measures) = asked.await;
            let truths = truths.map(|truths| {
                let told = truths.into_iter().map(|truth| Truth { name: truth.name, holds: truth.holds });
                told.collect::<Vec<_>>()
            });
            self.observe_truths(service, truths.as_deref().ok());
            for truth in truths.iter().flatten().filter(|truth| !truth.holds) {
                tracing::error!(service, truth = truth.name, "something that must hold does not");
            }
            let mut sight = self.write();
            sight.note_particulars(index, version.ok().map(|it| it.version), truths.ok());
            sight.note_measures(index, measures.ok());
        });
        join_all(asked).await;
        for (_, service) in self.0.services.iter().enumerate().filter(|(index, _)| !up.contains(index)) {
            self.observe_truths(service, None);
        }
    }

    /// What a service says must hold; where it says nothing, nobody knows of what it said before.
    fn observe_truths(&self, service: &str, truths: Option<&[Truth]>) {
        let told = truths.unwrap_or_default().iter();
        let told = told.filter_map(|truth| Some((own::truth(service, &truth.name)?, own::holding(truth.holds))));
        let told: Vec<(Told, Outcome)> = told.collect();
        let named = told.iter().map(|(told, _)| told.name.clone()).collect();
        let beginning = format!("truth.{service}.");
        self.observe(&beginning, told.into_iter());
        if truths.is_some() {
            self.0.watching.told_of(&beginning, &named);
        }
    }

    /// Whether something that must hold was said not to, and another word, soon, would tell more.
    fn is_truth_unsure(&self) -> bool {
        let seen = self.0.watching.seen();
        let truths = seen.iter().filter(|seen| seen.check.name.as_str().starts_with("truth."));
        truths.into_iter().any(|seen| self.0.watching.is_unsure(&seen.check.name))
    }

    fn read(&self) -> RwLockReadGuard<'_, Sight> {
        self.0.sight.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Sight> {
        self.0.sight.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> Duration {
        let last = self.read().at();
        self.0.clock.now().since(last)
    }
}

/// The first one after `every`.
fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.reset();
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl chassis::Health for Monitor {
    async fn ready(&self) -> Result<(), String> {
        let idle = self.idle();
        if idle > STALE {
            return Err(format!("no service was asked for {} seconds", idle.as_secs()));
        }
        Ok(())
    }

    async fn truths(&self) -> Vec<chassis::Truth> {
        let asked = chassis::Truth::new("every service is asked every second", self.idle() <= STALE);
        let calm =
            |watch: &Witnessing| chassis::Truth::new("the journal's history was never rewritten", watch.is_calm());
        let mut truths: Vec<_> = [asked].into_iter().chain(self.0.witness.get().map(calm)).collect();
        let told = self.0.alerts.reach_people().await.unwrap_or(false);
        truths.push(chassis::Truth::new("whoever is to be told of an incident is told", told));
        truths.extend(self.0.further.truths().await);
        truths
    }

    async fn measures(&self) -> Vec<Measure> {
        self.0.further.measures().await
    }
}

/// What was seen last.
pub(crate) async fn get_status(monitor: Monitor, call: Call<GetStatus, Monitor>) -> Result<Status, Problem> {
    let now = monitor.0.clock.now();
    monitor.read().status(call.request.app.as_deref(), now).ok_or_else(Problem::not_found)
}

/// What was seen and counted last.
pub(crate) async fn get_metrics(monitor: Monitor, _: Call<GetMetrics, Monitor>) -> Result<Document, Problem> {
    let now = monitor.0.clock.now();
    let links = monitor.0.reports.read().unwrap_or_else(PoisonError::into_inner).links(now);
    let services = monitor.read().measured(now);
    let kept = Kept::of(monitor.remembered()).await;
    let known = Known { services, links, checks: monitor.seen(), kept };
    let text = known.text().map_err(Problem::internal)?;
    Ok(Document { content_type: metrics::CONTENT_TYPE.to_owned(), file_name: None, bytes: text.into() })
}

/// What processes said of their links last.
pub(crate) async fn get_links(monitor: Monitor, _: Call<GetLinks, Monitor>) -> Result<Links, Problem> {
    let reports = monitor.0.reports.read().unwrap_or_else(PoisonError::into_inner);
    Ok(reports.links(monitor.0.clock.now()))
}

/// Whose it is, the certificate says.
pub(crate) async fn take_report(monitor: Monitor, call: Call<TakeReport, Monitor>) -> Result<Done, Problem> {
    let service = call.by().login.clone();
    monitor.note(&service, call.request.report);
    Ok(Done)
}
