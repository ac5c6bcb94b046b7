//! What is remembered, as it is asked for: bars of days, histories, and what they are about.
//!
//! Promises: what every visitor asks for is read from the database at most once in a while, however many ask; when the
//! database is away, what was known last is told.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ::store::{Store, StoreError, Transaction};
use contracts::monitor::{CheckName, DayBar, Incident, Maintenance, Objective, Spent};
use tokio::sync::Mutex;
use vocabulary::Timestamp;

use crate::history::{self, BURN, Bounds, DAY, Gathered, HOUR, OBJECTIVE, Plan, Tally, Window, floor, millis, moment};
use crate::recorder::Recorder;
use crate::store::shown::{self, View};
use crate::store::{incidents, samples, spans};
use crate::watching::Seen;

/// How many days the bars show.
const BARS: i64 = 90;
/// How old bars may be, which change little, and incidents.
const BARS_KEPT: Duration = Duration::from_secs(30);
const EVENTS_KEPT: Duration = Duration::from_secs(1);
/// How far back the page tells of incidents.
const PAST_INCIDENTS: Duration = Duration::from_hours(14 * 24);

/// The past of every check. Clones share it.
#[derive(Clone)]
pub(crate) struct Remembered(Arc<Inner>);

struct Inner {
    store: Store,
    recorder: Recorder,
    bars: Mutex<Option<Known<Bars>>>,
    events: [Mutex<Option<Known<Events>>>; 2],
    /// Checks that nobody makes: those of tests and measurements.
    shown: RwLock<Vec<Seen>>,
}

/// What was known at a moment.
struct Known<T> {
    at: Timestamp,
    value: Arc<T>,
}

/// How checks spent their days: by number, from a day on.
#[derive(Default)]
pub(crate) struct Bars {
    first: i64,
    of: HashMap<i64, Vec<Spent>>,
}

impl Bars {
    /// Of one check, oldest first, today last.
    pub(crate) fn of(&self, check: i64) -> Vec<DayBar> {
        let spent = self.of.get(&check);
        let bar = |number: i64| {
            let spent = usize::try_from(number).ok().and_then(|number| spent?.get(number)).copied();
            let day = moment(self.first.saturating_add(number.saturating_mul(DAY))).day();
            DayBar { day, spent: spent.unwrap_or_default() }
        };
        (0..BARS).map(bar).collect()
    }
}

/// What is wrong, was wrong or is announced.
#[derive(Clone, Default)]
pub(crate) struct Events {
    pub(crate) incidents: Vec<Incident>,
    pub(crate) maintenances: Vec<Maintenance>,
}

/// A span of a check's past that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) check: i64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The time between two results.
    pub(crate) every: Duration,
    /// What it is to keep, in millionths.
    pub(crate) target_ppm: Option<u32>,
}

impl Remembered {
    pub(crate) fn new(store: Store) -> Self {
        let recorder = Recorder::new(store.clone());
        Self(Arc::new(Inner {
            store,
            recorder,
            bars: Mutex::default(),
            events: Default::default(),
            shown: RwLock::default(),
        }))
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Checks that nobody makes.
    pub(crate) fn shown(&self) -> RwLockReadGuard<'_, Vec<Seen>> {
        self.0.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn show(&self) -> RwLockWriteGuard<'_, Vec<Seen>> {
        self.0.shown.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.store.clock().now()
    }

    /// How these checks spent the last days.
    pub(crate) async fn bars(&self, checks: impl Iterator<Item = i64> + Send) -> Arc<Bars> {
        let now = self.now();
        let first = floor(millis(now), DAY).saturating_sub(BARS.saturating_sub(1).saturating_mul(DAY));
        let checks: Vec<i64> = checks.collect();
        let mut known = self.0.bars.lock().await;
        let fresh = known.as_ref().filter(|known| {
            let young = known.at <= now && now.since(known.at) < BARS_KEPT && known.value.first == first;
            young && checks.iter().all(|check| known.value.of.contains_key(check))
        });
        if let Some(fresh) = fresh {
            return Arc::clone(&fresh.value);
        }
        let read = async {
            let mut tx = self.0.store.read().await?;
            spans::days_from(&mut tx, first, checks.clone()).await
        };
        let days = match read.await {
            Ok(days) => days,
            Err(error) => {
                tracing::warn!(%error, "the status page shows old bars: how the days went cannot be read");
                let nothing = || Arc::new(Bars { first, ..Bars::default() });
                return known.as_ref().map_or_else(nothing, |known| Arc::clone(&known.value));
            }
        };
        let mut of: HashMap<i64, Vec<Spent>> = HashMap::with_capacity(checks.len());
        for check in checks {
            let day = |number: i64| first.saturating_add(number.saturating_mul(DAY));
            let spent = (0..BARS).map(|number| days.get(&(check, day(number))).copied().unwrap_or_default());
            of.insert(check, spent.collect());
        }
        let value = Arc::new(Bars { first, of });
        *known = Some(Known { at: now, value: Arc::clone(&value) });
        value
    }

    /// Incidents and maintenances, as they are shown.
    pub(crate) async fn events(&self, view: View) -> Arc<Events> {
        let now = self.now();
        let [public, whole] = &self.0.events;
        let mut known = if view.whole() { whole } else { public }.lock().await;
        let fresh = known.as_ref().filter(|known| known.at <= now && now.since(known.at) < EVENTS_KEPT);
        // A superuser who changed something sees it at once.
        if let Some(fresh) = fresh.filter(|_| !view.whole()) {
            return Arc::clone(&fresh.value);
        }
        let read = async {
            let mut tx = self.0.store.read().await?;
            // One that began a moment ago is shown, whatever the clocks say.
            let ages = now.plus(PAST_INCIDENTS);
            let incidents = shown::incidents(&mut tx, view, None, (now.minus(PAST_INCIDENTS), ages)).await?;
            Ok::<_, StoreError>(Events { incidents, maintenances: shown::maintenances(&mut tx, view, now).await? })
        };
        match read.await {
            Ok(events) => {
                let value = Arc::new(events);
                *known = Some(Known { at: now, value: Arc::clone(&value) });
                value
            }
            Err(error) => {
                tracing::warn!(%error, "the status page shows old incidents: they cannot be read");
                known.as_ref().map(|known| Arc::clone(&known.value)).unwrap_or_default()
            }
        }
    }

    /// The past of a check, piece by piece; with what it is to keep, and what was wrong.
    pub(crate) async fn past(
        &self,
        view: View,
        name: &CheckName,
        asked: Asked,
    ) -> Result<(Gathered, Option<Objective>, Vec<Incident>), StoreError> {
        let mut tx = self.0.store.read().await?;
        let bounds = self.bounds(&mut tx, asked.check).await?;
        let window = Window::new(millis(asked.from), millis(asked.to));
        let every = i64::try_from(asked.every.as_millis()).unwrap_or(i64::MAX);
        let gathered = gather(&mut tx, asked.check, window, history::step(window, every, bounds), bounds).await?;
        let objective = match asked.target_ppm {
            Some(target) => Some(objective(&mut tx, asked.check, target, bounds).await?),
            None => None,
        };
        let incidents = shown::incidents(&mut tx, view, Some(name), (asked.from, asked.to)).await?;
        Ok((gathered, objective, incidents))
    }

    /// What came of so many days of a check, up to now.
    pub(crate) async fn last_days(&self, check: i64, days: u32) -> Result<Tally, StoreError> {
        let mut tx = self.0.store.read().await?;
        let bounds = self.bounds(&mut tx, check).await?;
        last(&mut tx, check, i64::from(days).saturating_mul(DAY), bounds).await
    }

    async fn bounds(&self, tx: &mut Transaction, check: i64) -> Result<Bounds, StoreError> {
        Ok(Bounds { now: millis(self.now()), put_together: spans::mark(tx).await?.of(check) })
    }

    /// How many incidents are not over.
    pub(crate) async fn open_incidents(&self) -> Result<i64, StoreError> {
        incidents::count_open(&mut self.0.store.read().await?).await
    }
}

async fn gather(
    tx: &mut Transaction,
    check: i64,
    window: Window,
    step: i64,
    bounds: Bounds,
) -> Result<Gathered, StoreError> {
    let plan = Plan::new(window, step, bounds);
    let mut gathered = Gathered::new(plan.window, step);
    let unreadable = |error: crate::latencies::Unreadable| StoreError::Row(error.to_string());
    let days = plan.days.iter().map(|window| (DAY, *window));
    for (span, window) in days.chain(plan.hours.iter().map(|window| (HOUR, *window))) {
        for put in spans::between(tx, span, check, window).await? {
            gathered.add_put(&put).map_err(unreadable)?;
        }
    }
    for single in &plan.single {
        for sample in samples::single(tx, check, single).await? {
            gathered.add_single(single, &sample);
        }
    }
    Ok(gathered)
}

/// What came of the last `length` before now.
async fn last(tx: &mut Transaction, check: i64, length: i64, bounds: Bounds) -> Result<Tally, StoreError> {
    let window = Window::new(bounds.now.saturating_sub(length), bounds.now);
    let gathered = gather(tx, check, window, DAY, bounds).await?;
    gathered.whole().map_err(|error| StoreError::Row(error.to_string()))
}

async fn objective(tx: &mut Transaction, check: i64, target: u32, bounds: Bounds) -> Result<Objective, StoreError> {
    let whole = last(tx, check, OBJECTIVE, bounds).await?;
    let [hour, hours, days] = BURN;
    let burnt = [
        last(tx, check, hour, bounds).await?,
        last(tx, check, hours, bounds).await?,
        last(tx, check, days, bounds).await?,
    ];
    Ok(history::objective(target, &whole, &burnt))
}
