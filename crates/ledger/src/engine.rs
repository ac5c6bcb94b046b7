//! The posting engine: gathers the commands of many callers into one transaction, and answers after the commit.
//!
//! Promises: commands are decided in the order in which they came; each gets exactly one answer, after its outcome is on
//! disk; while one batch commits the next gathers, so that a lone command waits for one commit and a thousand share one;
//! a command that breaks its batch harms only itself; the queue is bounded, and what does not fit is refused at once; a
//! caller that goes away changes nothing. Must not know what the commands mean: that is its [`Desk`]'s.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ::store::{Store, StoreError, Transaction};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};

/// How often a batch is done again when another process stood in its way.
const ATTEMPTS: u32 = 3;

/// What a batch of commands does, in the owner's terms.
pub trait Desk: Send + Sync + 'static {
    /// What is asked.
    type Command: Clone + Send + Sync + 'static;
    /// What is answered when it is done.
    type Answer: Send + 'static;
    /// Why it was not.
    type Error: From<StoreError> + Send + 'static;

    /// Loads what the batch needs, decides its commands in order and writes what happened, inside the engine's
    /// transaction. Gives one result per command, in order; a refused command leaves nothing behind. An error is the
    /// whole batch's: everything is rolled back.
    fn work(&self, tx: &mut Transaction, batch: &[Self::Command]) -> impl Future<Output = Results<Self>> + Send;

    /// The store's failure behind an error that [`Desk::work`] gave for the whole batch, if it was one. A busy store is
    /// asked again and one that cannot be reached is told to all; everything else, such as a constraint that refused or
    /// `None`, is taken for one command's fault, and the commands are done one by one.
    fn store_error(error: &Self::Error) -> Option<&StoreError>;
}

/// One result per command, or the whole batch's failure.
pub type Results<D> = Result<Vec<Result<<D as Desk>::Answer, <D as Desk>::Error>>, <D as Desk>::Error>;

/// How much an engine takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most commands in one transaction.
    pub batch: usize,
    /// Most commands that wait.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { batch: 1000, queue: 4096 }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubmitError<E> {
    /// Too many wait already; nothing was done.
    #[error("too many commands wait; try again in a moment")]
    Overloaded,
    /// The engine was stopped; nothing was done.
    #[error("the ledger is stopping")]
    Stopped,
    /// Deciding the command failed in a way that should never be; nothing was done.
    #[error("the command could not be decided")]
    Broken,
    /// The engine went away in the middle: done or not done. The same command under the same id tells.
    #[error("the outcome is not known; ask again under the same id")]
    Unknown,
    /// The desk's own reason.
    #[error("{0}")]
    Refused(E),
}

/// A running engine. Cheap to clone; ends after [`Engine::stop`], or when the last one is dropped and the queue is empty.
pub struct Engine<D: Desk> {
    queue: mpsc::Sender<Job<D>>,
    stopping: Arc<watch::Sender<bool>>,
    running: watch::Receiver<()>,
}

impl<D: Desk> Clone for Engine<D> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), stopping: Arc::clone(&self.stopping), running: self.running.clone() }
    }
}

impl<D: Desk> fmt::Debug for Engine<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("room", &self.queue.capacity()).finish_non_exhaustive()
    }
}

type Reply<D> = Result<<D as Desk>::Answer, SubmitError<<D as Desk>::Error>>;

struct Job<D: Desk> {
    command: D::Command,
    reply: oneshot::Sender<Reply<D>>,
}

impl<D: Desk> Engine<D> {
    /// Starts one on the current runtime.
    pub fn start(store: Store, desk: D, limits: Limits) -> Self {
        let (queue, jobs) = mpsc::channel(limits.queue.max(1));
        let (stopping, stop) = watch::channel(false);
        let (alive, running) = watch::channel(());
        let worker = Worker { store, desk, batch: limits.batch.max(1) };
        tokio::spawn(async move {
            worker.serve(jobs, stop).await;
            drop(alive);
        });
        Self { queue, stopping: Arc::new(stopping), running }
    }

    /// Hands a command over and waits for its answer. Once handed over it is done or refused, also when this future is
    /// dropped.
    pub async fn submit(&self, command: D::Command) -> Reply<D> {
        if *self.stopping.borrow() {
            return Err(SubmitError::Stopped);
        }
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job { command, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
        })?;
        answer.await.unwrap_or(Err(SubmitError::Unknown))
    }

    /// Takes no more, does what waits, and comes back when all of it is answered.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        // The sender's end is what is waited for; no value ever comes.
        let _ = self.running.clone().changed().await;
    }
}

struct Worker<D> {
    store: Store,
    desk: D,
    batch: usize,
}

/// What became of a batch as a whole.
enum Failure<E> {
    /// One of its commands is at fault, or may be.
    Poisoned(Option<E>),
    /// The store is.
    Store(StoreError),
}

impl<D: Desk> Worker<D> {
    async fn serve(self, mut jobs: mpsc::Receiver<Job<D>>, mut stop: watch::Receiver<bool>) {
        let mut closed = false;
        loop {
            let first = tokio::select! {
                biased;
                first = jobs.recv() => first,
                // Every handle gone counts as no wish to stop: what waits is done first.
                Ok(_) = stop.wait_for(|stop| *stop), if !closed => {
                    jobs.close();
                    closed = true;
                    continue;
                }
            };
            let Some(first) = first else { return };
            let mut batch = vec![first];
            // Those answered just now have not run yet: let them ask again, or every other batch would be a small one.
            tokio::task::yield_now().await;
            while batch.len() < self.batch
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
            self.settle(batch).await;
        }
    }

    /// Does a batch and answers it; after a failure that may be one command's, does them one by one.
    async fn settle(&self, batch: Vec<Job<D>>) {
        let (commands, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.command, job.reply)).unzip();
        match self.attempt(&commands).await {
            Ok(results) => {
                for (reply, result) in replies.into_iter().zip(results) {
                    answer::<D>(reply, result.map_err(SubmitError::Refused));
                }
            }
            Err(Failure::Store(error)) => {
                for reply in replies {
                    answer::<D>(reply, Err(SubmitError::Refused(error.clone().into())));
                }
            }
            Err(Failure::Poisoned(error)) if commands.len() == 1 => {
                if let Some(reply) = replies.into_iter().next() {
                    answer::<D>(reply, Err(error.map_or(SubmitError::Broken, SubmitError::Refused)));
                }
            }
            Err(Failure::Poisoned(_)) => self.one_by_one(commands, replies).await,
        }
    }

    async fn one_by_one(&self, commands: Vec<D::Command>, replies: Vec<oneshot::Sender<Reply<D>>>) {
        let mut lost: Option<StoreError> = None;
        for (command, reply) in commands.into_iter().zip(replies) {
            if let Some(error) = &lost {
                answer::<D>(reply, Err(SubmitError::Refused(error.clone().into())));
                continue;
            }
            let outcome = match self.attempt(&[command]).await {
                Ok(results) => match results.into_iter().next() {
                    Some(result) => result.map_err(SubmitError::Refused),
                    None => Err(SubmitError::Broken),
                },
                Err(Failure::Poisoned(error)) => Err(error.map_or(SubmitError::Broken, SubmitError::Refused)),
                Err(Failure::Store(error)) => {
                    lost = Some(error.clone());
                    Err(SubmitError::Refused(error.into()))
                }
            };
            answer::<D>(reply, outcome);
        }
    }

    /// One transaction, done again while another process stands in its way.
    async fn attempt(&self, commands: &[D::Command]) -> Result<Vec<Result<D::Answer, D::Error>>, Failure<D::Error>> {
        let mut left = ATTEMPTS;
        loop {
            left = left.saturating_sub(1);
            match self.transaction(commands).await {
                Err(Failure::Store(StoreError::Busy)) if left > 0 => {}
                done => return done,
            }
        }
    }

    async fn transaction(
        &self,
        commands: &[D::Command],
    ) -> Result<Vec<Result<D::Answer, D::Error>>, Failure<D::Error>> {
        let mut tx = self.store.begin().await.map_err(Failure::Store)?;
        // A panic rolls back like an error; nothing of the desk's is used after it but the desk, whose state is its own.
        let worked = AssertUnwindSafe(self.desk.work(&mut tx, commands)).catch_unwind().await;
        let results = match worked {
            Ok(Ok(results)) => results,
            Ok(Err(error)) => {
                return Err(match D::store_error(&error) {
                    Some(store) if store.is_passing() => Failure::Store(store.clone()),
                    _ => Failure::Poisoned(Some(error)),
                });
            }
            Err(_panic) => {
                tracing::error!(commands = commands.len(), "the desk panicked; its transaction is rolled back");
                return Err(Failure::Poisoned(None));
            }
        };
        if results.len() != commands.len() {
            tracing::error!(commands = commands.len(), results = results.len(), "the desk gave no result per command");
            return Err(Failure::Poisoned(None));
        }
        // Refused commands leave nothing behind: when there is nothing else, there is nothing to keep.
        if results.iter().any(Result::is_ok) {
            tx.commit().await.map_err(|error| match error {
                error if error.is_passing() => Failure::Store(error),
                error => Failure::Poisoned(Some(error.into())),
            })?;
        }
        Ok(results)
    }
}

/// The caller may have gone away; then nobody is told.
fn answer<D: Desk>(reply: oneshot::Sender<Reply<D>>, outcome: Reply<D>) {
    drop(reply.send(outcome));
}
