//! The keeper's end: takes from the stream, opens, hands over in order, acknowledges, and says to each source what is kept.
//!
//! Order is made here, not hoped for: of each source only the event that follows the last one is handed over, or the
//! first of what the source counts as unconfirmed. Anything else is let go and asked for again, since its source has it
//! yet. So memory is one batch, a failure holds up nobody else, and nothing is waited for at the broker. One receiver at a
//! time: two would each see half.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;
use uuid::Uuid;
use vocabulary::Chance;

use super::wire::{self, CONFIRM, Received, Said, Unusable};
use super::{BrokerError, CONSUMER, Connection, STREAM};
use crate::backoff::Backoff;
use crate::{Envelope, Failure, MOST, OpeningKeys, PATIENCE};

/// Asked for at a time: as many again and half as many may wait here, for which a subscription has room.
const ASKED: usize = 500;
/// A pull that brought nothing is made anew after this; a broker that is silent for twice the beat is gone.
const PULL: Duration = Duration::from_secs(10);
const BEAT: Duration = Duration::from_secs(2);
/// A better copy of an event that cannot be used is asked for so many times before its number is passed over.
const COPIES: u32 = 3;

/// Whoever keeps events for good: the journal.
pub trait Keeper: Send + Sync + 'static {
    /// Keeps events of one source that follow one another, all or none, and gives the head of the record after them. Events
    /// that it has already are no fault.
    fn take(&self, envelopes: Vec<Envelope>) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Keeps what cannot be used, for a person to look at. Until it is kept, the broker keeps it.
    fn set_aside(&self, poison: Poison) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A message that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poison {
    /// Who sent it: the broker let nobody else.
    pub source: String,
    /// Under which subject it travelled.
    pub subject: String,
    /// The number that it claims.
    pub seq: Option<i64>,
    /// The identifier that it claims.
    pub id: Option<Uuid>,
    /// Its bytes, sealed perhaps.
    pub bytes: Vec<u8>,
    /// What is wrong with it.
    pub why: String,
    /// Whether better copies were asked for in vain: its number counts as kept now, and its source gives it up.
    pub last: bool,
}

/// What a receiver has seen since it began.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Events that were handed over and kept.
    pub kept: u64,
    /// Times that events of a source were missing between others.
    pub gaps: u64,
    /// Messages that were set aside.
    pub poison: u64,
    /// Times that the keeper failed.
    pub failures: u64,
}

#[derive(Default, Debug)]
struct Counters {
    kept: AtomicU64,
    gaps: AtomicU64,
    poison: AtomicU64,
    failures: AtomicU64,
}

/// Receives until it is stopped or dropped.
#[derive(Debug)]
pub struct Receiver {
    stop: watch::Sender<bool>,
    counters: Arc<Counters>,
    task: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Begins to hand what comes over `connection`, opened with `keys`, to `keeper`.
    pub fn start(connection: Connection, keys: OpeningKeys, keeper: impl Keeper) -> Self {
        let (stop, stopped) = watch::channel(false);
        let counters = Arc::new(Counters::default());
        let work = Work { connection, keys, keeper, counters: Arc::clone(&counters), places: HashMap::new(), stopped };
        Self { stop, counters, task: Some(tokio::spawn(work.run())) }
    }

    /// What it has seen.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { kept, gaps, poison, failures } = &*self.counters;
        Counts { kept: read(kept), gaps: read(gaps), poison: read(poison), failures: read(failures) }
    }

    /// Ends after what is under way.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the receiver failed");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

struct Work<K> {
    connection: Connection,
    keys: OpeningKeys,
    keeper: K,
    counters: Arc<Counters>,
    places: HashMap<String, Place>,
    stopped: watch::Receiver<bool>,
}

/// How far a source has come.
#[derive(Default)]
struct Place {
    /// Everything up to here was kept, as far as this receiver saw.
    upto: i64,
    /// An event that could not be used, and how many copies of it came.
    poisoned: (i64, u32),
}

impl Place {
    /// Whether an event follows what was kept, or was kept before; then it is the newest.
    fn admits(&mut self, source: &str, seq: i64, after: i64) -> bool {
        let begins = seq == after.saturating_add(1);
        if seq > self.upto.saturating_add(1) && !begins {
            return false;
        }
        if begins && self.upto > 0 && after > self.upto {
            let first = self.upto.saturating_add(1);
            tracing::info!(
                source,
                first,
                last = after,
                "a source counts events as confirmed that did not come this way"
            );
        }
        self.upto = self.upto.max(seq);
        true
    }

    /// Whether no better copy of this is to be hoped for. Then its number is passed over.
    fn gives_up(&mut self, source: &str, seq: Option<i64>, after: Option<i64>) -> bool {
        let Some(seq) = seq else { return false };
        let copies = if self.poisoned.0 == seq { self.poisoned.1.saturating_add(1) } else { 1 };
        self.poisoned = (seq, copies);
        copies >= COPIES && after.is_some_and(|after| self.admits(source, seq, after))
    }
}

/// What came of the messages of one source.
#[derive(Default)]
struct Run {
    /// To hand over.
    events: Vec<Envelope>,
    /// The numbers and identifiers of what counts as kept once they are.
    numbers: Vec<(i64, Uuid)>,
    /// To acknowledge.
    done: Vec<Message>,
    /// Something has to come again.
    missing: bool,
}

impl<K: Keeper> Work<K> {
    async fn run(mut self) {
        let mut backoff = Backoff::new(Chance::system());
        let mut stopped = self.stopped.clone();
        loop {
            let end = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => return,
                pulled = self.pull(&mut backoff) => pulled,
            };
            match end {
                Ok(()) => return,
                Err(error) => {
                    let wait = backoff.fail();
                    tracing::warn!(%error, attempts = backoff.failures(), "nothing comes from the broker; trying again");
                    tokio::select! {
                        biased;
                        _ = stopped.wait_for(|stop| *stop) => return,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// Takes from the stream until it fails or is stopped; what is under way is finished first.
    async fn pull(&mut self, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let jetstream = self.connection.jetstream();
        let place: PullConsumer =
            jetstream.get_consumer_from_stream(CONSUMER, STREAM).await.map_err(BrokerError::of("find the stream"))?;
        let stream: pull::Stream = place
            .stream()
            .max_messages_per_batch(ASKED)
            .expires(PULL)
            .heartbeat(BEAT)
            .messages()
            .await
            .map_err(BrokerError::of("take from the stream"))?;
        let mut chunks = stream.ready_chunks(MOST as usize);
        // All that has come, and not the 128 messages of tokio's turn: a transaction for each of those would take most of the time.
        while let Some(chunk) = unconstrained(chunks.next()).await {
            let (mut messages, mut failed) = (Vec::with_capacity(chunk.len()), None);
            for message in chunk {
                match message {
                    Ok(message) => messages.push(message),
                    Err(error) => failed = Some(error),
                }
            }
            if !messages.is_empty() {
                self.handle(messages).await;
                backoff.reset();
            }
            if let Some(error) = failed {
                return Err(BrokerError::of("take from the stream")(error));
            }
            if *self.stopped.borrow() {
                return Ok(());
            }
        }
        Err(BrokerError::of("take from the stream")("it ended"))
    }

    /// Each source for itself, in the order of the stream.
    async fn handle(&mut self, messages: Vec<Message>) {
        let mut sources: Vec<(String, Vec<Message>)> = Vec::new();
        for message in messages {
            let source = wire::source(&message.subject);
            match sources.iter_mut().find(|(name, _)| name == source) {
                Some((_, of_source)) => of_source.push(message),
                None => sources.push((source.to_owned(), vec![message])),
            }
        }
        for (source, messages) in sources {
            self.handle_source(&source, messages).await;
        }
    }

    async fn handle_source(&mut self, source: &str, messages: Vec<Message>) {
        let mut place = self.places.remove(source).unwrap_or_default();
        let before = place.upto;
        let mut run = Run::default();
        for message in messages {
            match wire::open(&message.subject, message.headers.as_ref(), &message.payload, &self.keys) {
                Ok(Received { envelope, after }) if place.admits(source, envelope.seq, after) => {
                    run.numbers.push((envelope.seq, envelope.id));
                    run.events.push(envelope);
                    run.done.push(message);
                }
                Ok(_) => {
                    run.missing = true;
                    run.done.push(message);
                }
                // Given up, it could never be read again, and where a key is missing it is so with all.
                Err(Unusable { locked: true, seq, why, .. }) => {
                    self.counters.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(source, seq, why, "an event cannot be opened here; its source keeps it");
                    run.missing = true;
                    run.done.push(message);
                }
                Err(unusable) => self.set_aside(source, &mut place, &mut run, unusable, message).await,
            }
        }
        let Run { events, numbers, done, missing } = run;
        let kept = self.keep(source, events).await;
        if kept.is_none() {
            place.upto = before;
        }
        if missing {
            self.counters.gaps.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(source, after = place.upto, "events of a source are missing here; asking for them again");
        }
        let upto = place.upto;
        self.places.insert(source.to_owned(), place);
        // The source first: it waits.
        for word in words(upto, &numbers, kept, missing) {
            self.say(source, &word).await;
        }
        // What was let go is acknowledged too: its source has it, and sends it again.
        acknowledge(source, done).await;
    }

    async fn set_aside(&self, source: &str, place: &mut Place, run: &mut Run, what: Unusable, message: Message) {
        let Unusable { seq, after, id, why, .. } = what;
        let last = id.is_some() && place.gives_up(source, seq, after);
        self.counters.poison.fetch_add(1, Ordering::Relaxed);
        tracing::error!(source, seq, why, last, "an event cannot be used");
        let poison = Poison {
            source: source.to_owned(),
            subject: message.subject.to_string(),
            seq,
            id,
            bytes: message.payload.to_vec(),
            why,
            last,
        };
        match in_time(self.keeper.set_aside(poison)).await {
            Ok(()) => {
                run.done.push(message);
                match (last, seq.zip(id)) {
                    (true, Some(number)) => run.numbers.push(number),
                    _ => run.missing = true,
                }
            }
            // Not acknowledged, so it comes again.
            Err(error) => {
                run.missing = true;
                tracing::error!(%error, source, "cannot set an unusable event aside; it stays at the broker");
            }
        }
    }

    /// The head of the keeper's record after these events, if it kept them.
    async fn keep(&self, source: &str, events: Vec<Envelope>) -> Option<String> {
        if events.is_empty() {
            return Some(String::new());
        }
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        match in_time(self.keeper.take(events)).await {
            Ok(head) => {
                self.counters.kept.fetch_add(count, Ordering::Relaxed);
                Some(head)
            }
            Err(error) => {
                self.counters.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, source, count, "events could not be kept; their source sends them again");
                None
            }
        }
    }

    /// Not heard, it is said again when the source publishes again.
    async fn say(&self, source: &str, word: &Said) {
        let subject = format!("{CONFIRM}.{source}");
        let said = match serde_json::to_vec(word) {
            Ok(bytes) => {
                self.connection.client().publish(subject, bytes.into()).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = said {
            tracing::warn!(error, source, "cannot tell a source what was kept");
        }
    }
}

/// What to say to a source: the highest number that is kept now and the last one, or from where to begin again.
fn words(upto: i64, numbers: &[(i64, Uuid)], kept: Option<String>, missing: bool) -> Vec<Said> {
    let mut words = Vec::new();
    let again = kept.is_none() || missing;
    if let Some(head) = kept {
        let first = numbers.iter().map(|(seq, _)| *seq).min().unwrap_or(0);
        let (highest, last) = (numbers.iter().max_by_key(|(seq, _)| *seq), numbers.last());
        let both = highest.into_iter().chain(last.filter(|last| Some(*last) != highest));
        words.extend(both.map(|(seq, id)| Said { first, seq: *seq, id: Some(*id), head: head.clone() }));
    }
    if again {
        words.push(Said { first: upto, seq: upto, id: None, head: String::new() });
    }
    words
}

/// A panic and work that does not end are failures like any other.
async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err("the keeper panicked".into()),
        Err(_) => Err("the keeper did not finish in time".into()),
    }
}

/// Nobody waits for it to be heard: one that is not is no loss, the event comes again and is known.
async fn acknowledge(source: &str, messages: Vec<Message>) {
    for message in messages {
        if let Err(error) = message.ack().await {
            tracing::warn!(%error, source, "the broker cannot be told that events were taken; they will come again");
            return;
        }
    }
}
