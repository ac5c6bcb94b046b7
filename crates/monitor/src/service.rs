//! What the monitor does: asks, remembers, answers.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use aaa::{Call, Directory, Problem};
use chassis::{GetTruths, GetVersion, Ready, Shutdown};
use contracts::monitor::{GetStatus, Health, Status, Truth};
use futures_util::future::{join, join_all};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use vocabulary::Clock;

use crate::sight::Sight;

/// How often services are asked whether they can serve, and how long they may take to answer.
const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(1);
/// How often they are asked what they say of themselves, which costs them more, and how long that may take.
const PARTICULARS_EVERY: Duration = Duration::from_secs(10);
const PARTICULARS_PATIENCE: Duration = Duration::from_secs(5);
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
    /// Somebody can serve who could not before: what they say of themselves is not known yet.
    came_up: Notify,
}

impl Monitor {
    /// Over these services, reached through `directory`. All are down until they are asked: by [`Monitor::check_now`] or
    /// [`Monitor::watch`].
    pub fn new(directory: Directory, clock: Clock, services: Vec<&'static str>) -> Self {
        let sight = RwLock::new(Sight::new(&services, clock.now()));
        Self(Arc::new(Inner { directory, clock, services, sight, came_up: Notify::new() }))
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
        let watching = async {
            self.ask_health().await;
            join(asking, asking_particulars).await
        };
        tokio::select! {
            () = shutdown.begun() => {}
            ((), ()) = watching => {}
        }
    }

    /// Asks every service everything, once, now.
    pub async fn check_now(&self) {
        self.ask_health().await;
        self.ask_particulars().await;
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
            let (version, truths) = join(caller.call(GetVersion {}), caller.call(GetTruths {})).await;
            let truths = truths.map(|truths| {
                let told = truths.into_iter().map(|truth| Truth { name: truth.name, holds: truth.holds });
                told.collect::<Vec<_>>()
            });
            for truth in truths.iter().flatten().filter(|truth| !truth.holds) {
                tracing::error!(service, truth = truth.name, "something that must hold does not");
            }
            self.write().note_particulars(index, version.ok().map(|it| it.version), truths.ok());
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
        vec![chassis::Truth::new("every service is asked every second", self.idle() <= STALE)]
    }
}

/// What was seen last.
pub(crate) async fn get_status(monitor: Monitor, call: Call<GetStatus, Monitor>) -> Result<Status, Problem> {
    let now = monitor.0.clock.now();
    monitor.read().status(call.request.app.as_deref(), now).ok_or_else(Problem::not_found)
}
