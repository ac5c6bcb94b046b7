//! Writes down what happened to checks: the incident, whom to tell of it, and how the check stands, all or none.
//!
//! Promises: never keeps whoever hands something over waiting; what cannot be written now waits in memory, in order, and is
//! written when the database is back; written twice is written once, so that nobody is alarmed twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::Shutdown;
use contracts::monitor::{CheckName, CheckSpec, Origin};
use store::{Store, Transaction};
use tokio::sync::Notify;
use vocabulary::{Chance, IncidentId, Timestamp, new_uuid};

use crate::alerts::Kind;
use crate::error::Error;
use crate::events::{Events, tell};
use crate::standing::{Change, Standing};
use crate::store::incidents::Opening;
use crate::store::{alerts, checks, incidents};

/// Most that waits. Beyond it how a check stands is not kept, but what changed is, up to twice as much.
const MOST: usize = 20_000;
/// How much is written at a time.
const BATCH: usize = 500;
/// How long nothing is tried after a failure.
const REST: Duration = Duration::from_secs(2);

/// Something that happened to a check.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) check: i64,
    pub(crate) name: CheckName,
    pub(crate) title: String,
    pub(crate) public: bool,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

/// What it is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The bank has something to be checked that it had not before.
    Appeared(Box<CheckSpec>),
    /// It stands so now, after a change or without one, for this reason.
    Stands { standing: Box<Standing>, change: Option<Change>, cause: Option<String> },
}

/// Clones share what waits.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Inner>);

struct Inner {
    store: Store,
    chance: Chance,
    /// Whom an alarm is told.
    channels: Vec<String>,
    /// Each with the number of the incident that begins with it, should one: the same however often it is written, since
    /// whether a commit arrived is not always known.
    waiting: Mutex<VecDeque<(IncidentId, Happened)>>,
    arrived: Notify,
    /// Written: somebody may have to be told.
    written: Notify,
    writing: tokio::sync::Mutex<()>,
}

impl Keeper {
    pub(crate) fn new(store: Store, chance: Chance, channels: Vec<String>) -> Self {
        let (waiting, arrived, written) = (Mutex::default(), Notify::new(), Notify::new());
        Self(Arc::new(Inner {
            store,
            chance,
            channels,
            waiting,
            arrived,
            written,
            writing: tokio::sync::Mutex::default(),
        }))
    }

    /// Takes it, to be written soon.
    pub(crate) fn note(&self, happened: Happened) {
        let id = IncidentId::new(self.0.store.clock(), &self.0.chance);
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let matters = !matches!(&happened.what, What::Stands { change: None, .. });
        if waiting.len() < if matters { MOST.saturating_mul(2) } else { MOST } {
            waiting.push_back((id, happened));
        } else if matters {
            tracing::error!(check = %happened.name, "too much waits for the database: an incident is not written down");
        }
        drop(waiting);
        self.0.arrived.notify_one();
    }

    /// When something was written.
    pub(crate) async fn written(&self) {
        self.0.written.notified().await;
    }

    /// Writes what comes, until `shutdown`, and then what is left.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        let mut away = false;
        loop {
            let ending = tokio::select! {
                () = shutdown.begun() => true,
                () = self.0.arrived.notified() => false,
            };
            match self.flush().await {
                Ok(()) if away => {
                    away = false;
                    tracing::warn!("what happened to checks can be written down again");
                }
                Ok(()) => {}
                Err(error) => {
                    if !away {
                        tracing::error!(%error, "what happened to checks cannot be written down: it waits");
                    }
                    away = true;
                    tokio::select! {
                        () = shutdown.begun() => {}
                        () = tokio::time::sleep(REST) => {}
                    }
                    self.0.arrived.notify_one();
                }
            }
            if ending {
                return;
            }
        }
    }

    /// Writes everything that waits.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        let _one = self.0.writing.lock().await;
        loop {
            let batch: Vec<(IncidentId, Happened)> = {
                let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.iter().take(BATCH).cloned().collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            let mut tx = self.0.store.begin().await?;
            for (id, happened) in &batch {
                self.write(&mut tx, *id, happened).await?;
            }
            tx.commit().await?;
            self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).drain(..batch.len());
            self.0.written.notify_one();
        }
    }

    async fn write(&self, tx: &mut Transaction, id: IncidentId, it: &Happened) -> Result<(), Error> {
        match &it.what {
            What::Appeared(spec) => Ok(checks::add(tx, it.check, &it.name, Origin::Bank, spec).await?),
            What::Stands { standing, change, cause } => {
                // One that was removed meanwhile has nothing to say.
                if !checks::set_standing(tx, it.check, standing).await? {
                    return Ok(());
                }
                match change {
                    None => Ok(()),
                    Some(change) => self.follow(tx, id, it, change, cause.as_deref()).await,
                }
            }
        }
    }

    async fn follow(
        &self,
        tx: &mut Transaction,
        id: IncidentId,
        it: &Happened,
        change: &Change,
        cause: Option<&str>,
    ) -> Result<(), Error> {
        if let Change::Opened { state, since, behind } = change {
            let (state, since, behind) = (*state, *since, behind.as_ref());
            let (check, title, public, at) = (&it.name, it.title.as_str(), it.public, it.at);
            let opening = Opening { id, check, title, public, state, since, at, cause, behind };
            if incidents::open(tx, &opening).await? && behind.is_none() {
                self.alarm(tx, id, it).await?;
            }
            return Ok(());
        }
        let Some(incident) = incidents::standing(tx, &it.name, it.at).await? else { return Ok(()) };
        match change {
            // Written before: whether a commit arrived is not always known.
            Change::Alarmed if incident.behind.is_none() => Ok(()),
            Change::Alarmed => {
                incidents::stands_alone(tx, incident.id).await?;
                self.alarm(tx, incident.id, it).await
            }
            Change::Worse => Ok(incidents::got_worse(tx, incident.id, cause).await?),
            _ => {
                incidents::close(tx, incident.id, it.at).await?;
                alerts::drop_reminders(tx, incident.id).await?;
                let told = alerts::told_of(tx, incident.id).await?;
                for channel in told {
                    self.add(tx, incident.id, Kind::Recovered, &channel, it.at).await?;
                }
                if incident.behind.is_none() {
                    tell(tx, &self.events().incident_closed(&incident.id.to_string(), &it.name, &it.title))?;
                }
                Ok(())
            }
        }
    }

    /// Whoever is to be told is told, and the journal with them.
    async fn alarm(&self, tx: &mut Transaction, id: IncidentId, it: &Happened) -> Result<(), Error> {
        for channel in &self.0.channels {
            self.add(tx, id, Kind::Opened, channel, it.at).await?;
        }
        tell(tx, &self.events().incident_opened(&id.to_string(), &it.name, &it.title))
    }

    async fn add(
        &self,
        tx: &mut Transaction,
        incident: IncidentId,
        kind: Kind,
        channel: &str,
        at: Timestamp,
    ) -> Result<(), Error> {
        let id = new_uuid(self.0.store.clock(), &self.0.chance);
        Ok(alerts::add(tx, id, incident, kind, channel, at).await?)
    }

    fn events(&self) -> Events<'_> {
        Events { clock: self.0.store.clock(), chance: &self.0.chance, trace_id: None }
    }
}
