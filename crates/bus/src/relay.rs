//! From one service's outbox to the subscribers.
//!
//! Each subscriber has a lane: a task with its own place in the outbox, so that one that fails or is slow holds up nobody
//! else. One more task forgets what every lane has passed. Places are kept in memory only: after a restart everything
//! that is still in the outbox is delivered again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::{Store, StoreError, Told};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use vocabulary::Chance;

use crate::backoff::Backoff;
use crate::{BATCH, Bus, Envelope, HEAVY, Subscriber};

/// How often to look without having been told: another process may have written to the same database.
const LOOK: Duration = Duration::from_secs(1);
/// Failures in a row from which a subscriber counts as stuck.
const STUCK: u32 = 5;

/// Carries the events of one service's outbox to the subscribers of a bus, until it is stopped or dropped.
#[derive(Debug)]
pub struct Relay {
    store: Store,
    source: &'static str,
    stop: watch::Sender<bool>,
    forgotten: watch::Receiver<i64>,
    lanes: Vec<(&'static str, Arc<AtomicU32>)>,
    tasks: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Begins to carry what `source` tells in `store` to those who subscribed to `bus` so far. Without any subscriber
    /// nothing is delivered, and nothing is forgotten.
    pub fn start(store: Store, source: &'static str, bus: Bus) -> Self {
        let subscribers = bus.subscribers();
        let (stop, stopped) = watch::channel(false);
        let progress = Arc::new(watch::Sender::new(vec![0_i64; subscribers.len()]));
        let (forgotten, forgotten_up_to) = watch::channel(0);
        let mut tasks = vec![tokio::spawn(forget(store.clone(), source, progress.subscribe(), forgotten))];
        let mut lanes = Vec::with_capacity(subscribers.len());
        for (number, subscriber) in subscribers.into_iter().enumerate() {
            let failures = Arc::new(AtomicU32::new(0));
            lanes.push((subscriber.name, Arc::clone(&failures)));
            let lane = Lane {
                store: store.clone(),
                source,
                subscriber,
                number,
                progress: Arc::clone(&progress),
                failures,
                backoff: Backoff::new(Chance::system()),
                stopped: stopped.clone(),
            };
            tasks.push(tokio::spawn(lane.run()));
        }
        Self { store, source, stop, forgotten: forgotten_up_to, lanes, tasks }
    }

    /// Waits until everything told before this call is delivered to every subscriber; `false` if that takes longer than
    /// `within`.
    #[must_use]
    pub async fn flushed(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.until_flushed()).await.is_ok()
    }

    async fn until_flushed(&self) {
        let mut forgotten = self.forgotten.clone();
        let mut newest = None;
        loop {
            forgotten.mark_unchanged();
            match self.waiting_up_to(&mut newest).await {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => tracing::warn!(%error, source = self.source, "cannot look into the outbox"),
            }
            // A relay of another process may forget as well: look from time to time.
            tokio::select! {
                Ok(()) = forgotten.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Whether anything up to the event that was the newest when this was asked first is still there.
    async fn waiting_up_to(&self, newest: &mut Option<i64>) -> Result<bool, StoreError> {
        let last = match *newest {
            Some(last) => last,
            None => match self.store.outbox_newest().await? {
                Some(last) => *newest.insert(last),
                None => return Ok(false),
            },
        };
        Ok(self.store.outbox_batch(1).await?.first().is_some_and(|told| told.seq <= last))
    }

    /// How long the oldest undelivered event has been waiting; `None` when none is.
    pub async fn oldest(&self) -> Result<Option<Duration>, StoreError> {
        let since = self.store.outbox_oldest().await?;
        Ok(since.map(|since| self.store.clock().now().since(since)))
    }

    /// The subscribers that have failed several times in a row and not succeeded since.
    pub fn stuck(&self) -> Vec<&'static str> {
        let stuck = self.lanes.iter().filter(|(_, failures)| failures.load(Ordering::Relaxed) >= STUCK);
        stuck.map(|(name, _)| *name).collect()
    }

    /// Ends after the deliveries under way. What is not delivered stays in the outbox.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, source = self.source, "a task of the relay failed");
            }
        }
    }
}

/// Forgets what every lane has passed. Ends when the lanes have.
async fn forget(
    store: Store,
    source: &'static str,
    mut progress: watch::Receiver<Vec<i64>>,
    forgotten: watch::Sender<i64>,
) {
    let mut backoff = Backoff::new(Chance::system());
    loop {
        let alive = progress.changed().await.is_ok();
        let passed = progress.borrow_and_update().iter().copied().min().unwrap_or(0);
        if passed > *forgotten.borrow() {
            while let Err(error) = store.outbox_done(passed).await {
                tracing::warn!(%error, source, "cannot forget delivered events; they may be delivered again");
                if progress.has_changed().is_err() {
                    return;
                }
                tokio::time::sleep(backoff.fail()).await;
            }
            backoff.reset();
            forgotten.send_replace(passed);
        }
        if !alive {
            return;
        }
    }
}

struct Lane {
    store: Store,
    source: &'static str,
    subscriber: Subscriber,
    number: usize,
    progress: Arc<watch::Sender<Vec<i64>>>,
    failures: Arc<AtomicU32>,
    backoff: Backoff,
    stopped: watch::Receiver<bool>,
}

impl Lane {
    async fn run(mut self) {
        let mut notified = self.store.outbox_notified();
        let (mut place, mut most) = (0, BATCH);
        while !self.is_stopped() {
            notified.mark_unchanged();
            match self.store.outbox_after(place, most).await {
                Ok(batch) if batch.is_empty() => {
                    tokio::select! {
                        _ = self.stopped.changed() => {}
                        _ = notified.changed() => {}
                        () = tokio::time::sleep(LOOK) => {}
                    }
                }
                Ok(batch) => {
                    most = self.next_most(&batch, most);
                    place = self.deliver(batch, place).await;
                }
                Err(error) => {
                    let wait = self.backoff.fail();
                    if self.backoff.failures() == 1 {
                        tracing::warn!(%error, source = self.source, "cannot read the outbox; trying again");
                    }
                    self.pause(wait).await;
                }
            }
        }
    }

    /// How many events to read next: more of them while more wait than were read, so that there are fewer transactions for each
    /// event; as few as at first where they are large, so that memory stays bounded.
    fn next_most(&self, read: &[Told], most: u32) -> u32 {
        let bytes = read.iter().fold(0_usize, |sum, told| sum.saturating_add(told.payload.len()));
        let all = u32::try_from(read.len()).is_ok_and(|count| count >= most);
        let taken = u32::try_from(self.subscriber.at_once).unwrap_or(BATCH).max(BATCH);
        if all && bytes < HEAVY { most.saturating_mul(2).min(taken) } else { BATCH }
    }

    fn is_stopped(&self) -> bool {
        // A relay that was dropped is stopped too.
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            _ = self.stopped.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Delivers what the subscriber wants to hear and gives the new place: the last event that is behind it.
    async fn deliver(&mut self, batch: Vec<Told>, mut place: i64) -> i64 {
        let last = batch.last().map_or(place, |told| told.seq);
        let wanted = batch.into_iter().filter(|told| self.subscriber.pattern.matches(&told.subject));
        let wanted: Vec<Envelope> = wanted.map(|told| self.envelope(told)).collect();
        for part in wanted.chunks(self.subscriber.at_once) {
            if !self.until_taken(part).await {
                return place;
            }
            place = part.last().map_or(place, |envelope| envelope.seq);
            self.passed(place);
        }
        self.passed(last);
        last
    }

    fn passed(&self, place: i64) {
        self.progress.send_if_modified(|places| match places.get_mut(self.number) {
            Some(mine) if *mine < place => {
                *mine = place;
                true
            }
            _ => false,
        });
    }

    /// Tries until the subscriber takes it; `false` when it is time to stop before.
    async fn until_taken(&mut self, part: &[Envelope]) -> bool {
        loop {
            if self.is_stopped() {
                return false;
            }
            let Err(error) = self.subscriber.try_take(part.to_vec()).await else {
                self.backoff.reset();
                self.failures.store(0, Ordering::Relaxed);
                return true;
            };
            let wait = self.backoff.fail();
            let failures = self.backoff.failures();
            self.failures.store(failures, Ordering::Relaxed);
            let (source, subscriber) = (self.source, self.subscriber.name);
            let (first, count) = (part.first().map(|envelope| envelope.seq), part.len());
            if failures == STUCK {
                tracing::error!(source, subscriber, first, count, failures, %error, "a subscriber is stuck on an event; its later events wait");
            } else {
                tracing::warn!(source, subscriber, first, count, failures, %error, "a subscriber failed and will be asked again");
            }
            self.pause(wait).await;
        }
    }

    fn envelope(&self, told: Told) -> Envelope {
        Envelope {
            id: told.id,
            source: self.source.to_owned(),
            seq: told.seq,
            subject: told.subject,
            payload: told.payload,
            at: told.at,
        }
    }
}
