//! Which of the journal's instances receives from the broker, and with which keys.
//!
//! Promises: one at a time, and soon another when that one is gone, whatever the clocks of their machines say: whoever receives
//! counts up in the database, and the others wait until the count stands still. Two at once for a moment would lose nothing:
//! what comes twice is kept once.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::store::{StoreError, Uuid};
use aaa::Call;
use bus::SealingKey;
use bus::nats::{Connection, Counts, Receiver};
use contracts::peers::{EventsKey, GetEventsKey};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::Error;
use crate::keys::{EventKeys, EventKeysError};
use crate::service::Journal;
use crate::store::receiving as table;

/// How often the receiver counts up, and the others look.
const BEAT: Duration = Duration::from_secs(1);
/// A count that stands still for so long is nobody's. One who cannot count up ends well before that.
const GONE: Duration = Duration::from_secs(5);
const TOO_LATE: Duration = Duration::from_secs(3);

/// The key that sources are told to seal with.
pub(crate) type Told = Arc<RwLock<Option<SealingKey>>>;

/// Takes part in receiving until it is stopped or dropped.
#[derive(Debug)]
pub struct Receiving {
    stop: watch::Sender<bool>,
    counts: watch::Receiver<Option<Counts>>,
    task: Option<JoinHandle<()>>,
}

impl Receiving {
    /// What this instance has received since it last began to; nothing while another receives.
    pub fn counts(&self) -> Option<Counts> {
        *self.counts.borrow()
    }

    /// Ends after what is under way, and lets another begin.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "receiving failed");
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Journal {
    /// Receives what comes over `connection` whenever no other instance does, and tells sources the newest of `keys`.
    pub async fn receive(&self, connection: Connection, keys: EventKeys) -> Result<Receiving, EventKeysError> {
        // Wrong keys are said at the start, not when it is too late to tell anybody.
        let (_, opened) = keys.open(&self.store).await?;
        self.tell_key(opened.sealing().clone());
        let (stop, stopped) = watch::channel(false);
        let (counted, counts) = watch::channel(None);
        let work = Work {
            journal: self.clone(),
            connection,
            keys,
            me: Uuid::from_bytes(self.chance.bytes()),
            numbers: Vec::new(),
            receiver: None,
            renewed: Instant::now(),
            seen: (-1, Instant::now()),
            counted,
        };
        Ok(Receiving { stop, counts, task: Some(tokio::spawn(work.run(stopped))) })
    }

    fn tell_key(&self, key: SealingKey) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// What sources seal with.
    pub fn sealing_key(&self) -> Option<SealingKey> {
        self.told.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Tells a source what to seal with.
pub(crate) async fn get_events_key(journal: Journal, _: Call<GetEventsKey, Journal>) -> Result<EventsKey, Error> {
    Ok(EventsKey { key: journal.sealing_key().map(|key| key.pem()) })
}

struct Work {
    journal: Journal,
    connection: Connection,
    keys: EventKeys,
    me: Uuid,
    /// Of the keys with which it receives.
    numbers: Vec<i64>,
    receiver: Option<Receiver>,
    /// When this instance last counted up.
    renewed: Instant,
    /// The count, and since when it stands there.
    seen: (i64, Instant),
    counted: watch::Sender<Option<Counts>>,
}

impl Work {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => break,
                _ = beat.tick() => {}
            }
            match tokio::time::timeout(TOO_LATE, self.is_mine()).await {
                Ok(Ok(true)) => self.go_on().await,
                Ok(Ok(false)) => self.rest("another instance receives").await,
                Ok(Err(error)) => self.doubt(&error.to_string()).await,
                Err(_) => self.doubt("its database does not answer").await,
            }
            self.counted.send_replace(self.receiver.as_ref().map(Receiver::counts));
        }
        self.rest("it stops").await;
        if let Err(error) = self.let_go().await {
            tracing::info!(%error, "the next instance waits a moment before it receives");
        }
    }

    /// Counts up, if this instance receives or nobody does any more.
    async fn is_mine(&mut self) -> Result<bool, StoreError> {
        let mut tx = self.journal.store.begin().await?;
        let (holder, beat) = table::receiver(&mut tx).await?;
        if beat != self.seen.0 {
            self.seen = (beat, Instant::now());
        }
        let free = holder.is_none_or(|holder| holder == self.me) || self.seen.1.elapsed() >= GONE;
        if !(free && table::hold(&mut tx, self.me, beat).await?) {
            return Ok(false);
        }
        tx.commit().await?;
        self.renewed = Instant::now();
        Ok(true)
    }

    async fn let_go(&self) -> Result<(), StoreError> {
        let mut tx = self.journal.store.begin().await?;
        table::let_go(&mut tx, self.me).await?;
        tx.commit().await
    }

    /// Receives, with the keys that lie there now.
    async fn go_on(&mut self) {
        let there = self.keys.numbers();
        if self.receiver.is_some() && there.as_ref().is_ok_and(|there| *there == self.numbers) {
            return;
        }
        match self.keys.open(&self.journal.store).await {
            Ok((numbers, keys)) => {
                self.rest("its keys are others now").await;
                self.journal.tell_key(keys.sealing().clone());
                self.numbers = numbers;
                tracing::info!(key = %keys.sealing().id(), "receives from the broker");
                self.receiver = Some(Receiver::start(self.connection.clone(), keys, self.journal.clone()));
            }
            Err(error) => tracing::error!(%error, "cannot take up the keys of events"),
        }
    }

    /// What cannot be said for sure is taken for a while.
    async fn doubt(&mut self, error: &str) {
        tracing::warn!(error, "cannot tell which instance receives from the broker");
        if self.renewed.elapsed() >= TOO_LATE {
            self.rest("it cannot tell whether another does").await;
        }
    }

    async fn rest(&mut self, why: &str) {
        if let Some(receiver) = self.receiver.take() {
            tracing::info!(why, "stops receiving from the broker");
            receiver.stop().await;
        }
    }
}
