//! What the monitor does: asks, remembers, answers.

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use aaa::{Call, Directory, Document, Done, Problem};
use chassis::{Further, GetMeasures, GetTruths, GetVersion, Measure, Ready, Shutdown};
use contracts::monitor::{
    GetLinks, GetMetrics, GetReport, GetStatus, Health, Links, Outlook, Report, SERVICE, Status, TakeReport, Truth,
};
use futures_util::future::{join_all, join3};
use store::{Store, StoreError};
use tlog::SigningKey;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use vocabulary::{Chance, Clock};

use crate::Settings;
use crate::metrics::{self, Known};
use crate::reports::Reports;
use crate::sight::Sight;
use crate::witness::Watch;

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
    witness: OnceLock<Watch>,
    further: Further,
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
    /// All services are down until they are asked: by [`Monitor::check_now`] or [`Monitor::watch`].
    pub async fn open(plan: Plan) -> Result<Self, StoreError> {
        let Plan { directory, services, apart, store, chance: _, settings: _ } = plan;
        let clock = store.clock().clone();
        let sight = RwLock::new(Sight::new(&services, clock.now()));
        let (reports, came_up) = (RwLock::default(), Notify::new());
        let (witness, further) = (OnceLock::new(), Further::default());
        Ok(Self(Arc::new(Inner { directory, clock, services, sight, apart, reports, came_up, witness, further })))
    }

    /// What somebody else checks about this monitor.
    pub fn further(&self) -> &Further {
        &self.0.further
    }

    /// Is the witness of the journal's log too, until `shutdown`: with this key, remembering in `folder`, and reaching the
    /// journal's inner door through `journal`.
    pub fn be_witness(&self, key: &SigningKey, folder: &Path, journal: &Directory, shutdown: &Shutdown) {
        let watch = self.0.witness.get_or_init(|| Watch::new(key, folder, journal, self.0.clock.clone()));
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
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = self.0.came_up.notified() => {}
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
        tokio::select! {
            () = shutdown.begun() => {}
            ((), (), ()) = watching => {}
        }
    }

    /// Asks every service everything, once, now.
    pub async fn check_now(&self) {
        self.ask_health().await;
        self.ask_particulars().await;
        self.ask_links().await;
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
    }

    async fn ask_health(&self) {
        let asked = self.0.services.iter().map(|service| async {
            let caller = self.0.directory.caller().at(service).within(PATIENCE);
            match caller.call(Ready {}).await {
                Ok(_) => (Health::Up, None),
                Err(problem) => (Health::Down, Some(problem)),
            }
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
            for truth in truths.iter().flatten().filter(|truth| !truth.holds) {
                tracing::error!(service, truth = truth.name, "something that must hold does not");
            }
            let mut sight = self.write();
            sight.note_particulars(index, version.ok().map(|it| it.version), truths.ok());
            sight.note_measures(index, measures.ok());
        });
        join_all(asked).await;
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
        let calm = |watch: &Watch| chassis::Truth::new("the journal's history was never rewritten", watch.is_calm());
        let mut truths: Vec<_> = [asked].into_iter().chain(self.0.witness.get().map(calm)).collect();
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
    let known = Known { services: monitor.read().measured(now), links };
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
