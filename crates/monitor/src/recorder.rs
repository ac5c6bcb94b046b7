//! Keeps results: in memory until they are written, a second's worth at a time; then puts them together, hour by hour.
//!
//! Promises: noting a result never waits and never fails; while the database is away, what came last is remembered, up to a
//! bound, and what is dropped is counted; each result adds to its hour and its day exactly once, whatever happens in
//! between; no transaction here is long.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::store::{Store, StoreError};
use contracts::monitor::State;
use tokio::time::MissedTickBehavior;
use vocabulary::Timestamp;

use crate::history::{DAY, HOUR, HOURS_KEPT, MINUTE, SAMPLES_KEPT, Spans, floor, millis};
use crate::store::spans::Mark;
use crate::store::{samples, spans};

/// How often what gathered is written, and how often it is looked whether an hour is over.
const EVERY: Duration = Duration::from_secs(1);
const PUT_TOGETHER_EVERY: Duration = Duration::from_secs(20);
/// Most results that wait: a few minutes of thousands of checks.
const MOST: usize = 200_000;
/// Most results in one transaction.
const BATCH: usize = 5000;
/// Checks whose hour is put together in one transaction.
const CHECKS: u32 = 50;
/// Most rows deleted in one transaction.
const DROPPED: u32 = 2000;
/// An hour is over for so long before it is put together, so that what was being noted is there.
const GRACE: i64 = 2 * MINUTE;

/// A result, as it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample {
    /// The check's number.
    pub(crate) check: i64,
    pub(crate) at: Timestamp,
    pub(crate) state: State,
    /// For how long before `at` it speaks.
    pub(crate) covers: Duration,
    pub(crate) latency: Option<Duration>,
}

/// Keeps results. Clones share what waits.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Inner>);

struct Inner {
    store: Store,
    waiting: Mutex<Waiting>,
    dropped: AtomicU64,
    /// One writes at a time, so that what waits is written in order, and none of it while an hour is put together.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    samples: VecDeque<Sample>,
    /// The number of the first of them: one more for each that left.
    first: u64,
    /// Whether the last attempt to write failed, and how many were dropped before that.
    failing: Option<u64>,
}

impl Recorder {
    pub(crate) fn new(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Keeps a result. Where too many wait, the oldest is dropped.
    pub(crate) fn note(&self, sample: Sample) {
        let mut waiting = self.waiting();
        waiting.samples.push_back(sample);
        if waiting.samples.len() > MOST {
            waiting.samples.pop_front();
            waiting.first = waiting.first.saturating_add(1);
            if self.0.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!("results of checks are dropped: the database has been away for too long");
            }
        }
    }

    /// How many results were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// How many wait to be written.
    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting().samples.len()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and puts together, again and again.
    pub(crate) async fn keep(&self) {
        let writing = async {
            let mut ticks = ticks(EVERY);
            loop {
                ticks.tick().await;
                // Said in there.
                let _ = self.flush().await;
            }
        };
        let putting_together = async {
            let mut ticks = ticks(PUT_TOGETHER_EVERY);
            loop {
                ticks.tick().await;
                let done = async {
                    self.put_together().await?;
                    self.prune().await
                };
                if let Err(error) = done.await {
                    tracing::warn!(%error, "results of checks could not be put together; it is tried again");
                }
            }
        };
        tokio::join!(writing, putting_together);
    }

    /// Writes everything that waits now.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let _writing = self.0.writing.lock().await;
        let (mut next, end) = {
            let waiting = self.waiting();
            (waiting.first, waiting.first.saturating_add(number(waiting.samples.len())))
        };
        while next < end {
            let batch: Vec<Sample> = {
                let waiting = self.waiting();
                next = waiting.first;
                waiting.samples.iter().take(BATCH).copied().collect()
            };
            let written = self.write(&batch).await;
            self.say(written.as_ref());
            let late = written?;
            self.0.dropped.fetch_add(late, Ordering::Relaxed);
            next = next.saturating_add(number(batch.len()));
            let mut waiting = self.waiting();
            // Those that were dropped meanwhile are gone already.
            while waiting.first < next && waiting.samples.pop_front().is_some() {
                waiting.first = waiting.first.saturating_add(1);
            }
        }
        Ok(())
    }

    fn say(&self, written: Result<&u64, &StoreError>) {
        let (mut waiting, dropped) = (self.waiting(), self.dropped());
        match (written, waiting.failing) {
            (Err(error), None) => {
                waiting.failing = Some(dropped);
                tracing::warn!(%error, "results of checks wait in memory: they cannot be written");
            }
            (Ok(_), Some(before)) => {
                waiting.failing = None;
                let dropped = dropped.saturating_sub(before);
                tracing::info!(dropped, "results of checks are written again");
            }
            (Ok(late), None) if *late > 0 => {
                tracing::warn!(late, "results of checks came for hours that were put together: the clock went back");
            }
            _ => {}
        }
    }

    /// Writes a batch; gives how many came too late for their hour.
    async fn write(&self, batch: &[Sample]) -> Result<u64, StoreError> {
        let Some(oldest) = batch.iter().map(|sample| millis(sample.at)).min() else { return Ok(0) };
        let mut tx = self.0.store.begin().await?;
        let mark = if let Some(mark) = spans::hold(&mut tx).await? {
            mark
        } else {
            let mark = Mark { up_to: floor(oldest, HOUR), next_check: 0 };
            spans::begin(&mut tx, mark.up_to).await?;
            mark
        };
        let in_time: Vec<Sample> =
            batch.iter().filter(|sample| millis(sample.at) >= mark.of(sample.check)).copied().collect();
        samples::add(&mut tx, &in_time).await?;
        tx.commit().await?;
        Ok(number(batch.len().saturating_sub(in_time.len())))
    }

    /// Puts together every hour that is over.
    pub(crate) async fn put_together(&self) -> Result<(), StoreError> {
        while self.step().await? {}
        Ok(())
    }

    /// The next few checks of the hour that is to be put together. Gives whether there may be more to do.
    async fn step(&self) -> Result<bool, StoreError> {
        let _writing = self.0.writing.lock().await;
        let over = floor(millis(self.0.store.clock().now()).saturating_sub(GRACE), HOUR);
        let oldest = self.waiting().samples.iter().map(|sample| millis(sample.at)).min().unwrap_or(i64::MAX);
        let mut tx = self.0.store.begin().await?;
        let Some(mark) = spans::hold(&mut tx).await? else { return Ok(false) };
        let end = mark.up_to.saturating_add(HOUR);
        // Nothing that belongs to this hour may be on its way.
        if end > over || oldest < end {
            return Ok(false);
        }
        if mark.next_check == 0 {
            let first = samples::first_from(&mut tx, mark.up_to).await?.unwrap_or(i64::MAX);
            let start = floor(first.min(oldest), HOUR).min(over);
            if start > mark.up_to {
                spans::set(&mut tx, Mark { up_to: start, next_check: 0 }).await?;
                tx.commit().await?;
                return Ok(true);
            }
        }
        let checks = spans::checks_from(&mut tx, mark.next_check, CHECKS).await?;
        let more = usize::try_from(CHECKS).is_ok_and(|full| checks.len() >= full);
        let next = checks.last().filter(|_| more).map(|last| last.saturating_add(1));
        let done = Mark { up_to: end, next_check: 0 };
        let mut new = BTreeMap::new();
        for check in &checks {
            let mut added = Spans::default();
            for sample in samples::between(&mut tx, *check, mark.up_to, end).await? {
                added.add(&sample);
            }
            new.insert(*check, added);
        }
        spans::set(&mut tx, next.map_or(done, |next_check| Mark { next_check, ..mark })).await?;
        spans::add(&mut tx, mark.up_to, &new).await?;
        spans::drop_hours(&mut tx, checks, floor(mark.up_to.saturating_sub(HOURS_KEPT), DAY)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Deletes what is older than it is kept, and what is kept of forgotten checks.
    pub(crate) async fn prune(&self) -> Result<(), StoreError> {
        let before = millis(self.0.store.clock().now()).saturating_sub(SAMPLES_KEPT);
        loop {
            let mut tx = self.0.store.begin().await?;
            let put = spans::mark(&mut tx).await?.up_to;
            let dropped = samples::drop_before(&mut tx, before.min(put), DROPPED).await?;
            tx.commit().await?;
            if dropped < DROPPED.into() {
                break;
            }
            tokio::task::yield_now().await;
        }
        loop {
            let mut tx = self.0.store.begin().await?;
            if !spans::forgetting(&mut tx).await? {
                return Ok(());
            }
            let dropped = samples::drop_forgotten(&mut tx, DROPPED).await?;
            let dropped = dropped.saturating_add(spans::drop_forgotten(&mut tx, DROPPED).await?);
            if dropped == 0 {
                spans::forgot(&mut tx).await?;
            }
            tx.commit().await?;
            tokio::task::yield_now().await;
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
