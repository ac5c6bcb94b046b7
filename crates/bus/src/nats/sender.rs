//! The source's end: takes from the outbox, seals, publishes, and waits until the keeper says that it has it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use vocabulary::Chance;

use super::wire::{self, CONFIRM, Said};
use super::{BrokerError, Connection, STREAM, UNACKNOWLEDGED};
use crate::{Bus, Envelope, Failure, SealingKey};

/// How long what was published may stay unconfirmed before it is published again. Below the patience with a subscriber.
const UNCONFIRMED: Duration = Duration::from_secs(10);
/// The same for what the broker takes for a duplicate: a process before us, or another instance, published it. Then it is
/// under way, or gone for good.
const KNOWN: Duration = Duration::from_secs(1);
/// What the keeper said and nobody looked at yet; more is forgotten, and asked for by publishing again.
const SAID: usize = 1024;

/// Carries the events of one source to the broker. Clones share their place.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Connection,
    source: &'static str,
    key: RwLock<SealingKey>,
    chance: Chance,
    said: broadcast::Sender<Said>,
    head: RwLock<Option<(i64, String)>>,
    /// Publications of the same events so far that nobody confirmed.
    rounds: AtomicU32,
    /// Tells our second publications from those of a process before us: the broker must not take them for the same.
    life: String,
    listening: RwLock<Option<JoinHandle<()>>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut listening = self.listening.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = listening.take() {
            task.abort();
        }
    }
}

impl Sender {
    /// What `source` tells goes over `connection`, sealed with `key`.
    pub async fn new(
        connection: Connection,
        source: &'static str,
        key: SealingKey,
        chance: &Chance,
    ) -> Result<Self, BrokerError> {
        let confirmed = connection.client().subscribe(format!("{CONFIRM}.{source}")).await;
        let mut confirmed = confirmed.map_err(BrokerError::of("listen to what the journal confirms"))?;
        let (said, _) = broadcast::channel(SAID);
        let heard = said.clone();
        let listening = tokio::spawn(async move {
            while let Some(message) = confirmed.next().await {
                match serde_json::from_slice(&message.payload) {
                    // Nobody waits now: then nothing is unconfirmed.
                    Ok(word) => drop(heard.send(word)),
                    Err(error) => tracing::warn!(%error, source, "the journal's word cannot be read"),
                }
            }
        });
        Ok(Self(Arc::new(Shared {
            connection,
            source,
            key: RwLock::new(key),
            chance: chance.clone(),
            said,
            head: RwLock::new(None),
            rounds: AtomicU32::new(0),
            life: hex::encode(chance.bytes::<4>()),
            listening: RwLock::new(Some(listening)),
        })))
    }

    /// From now on, seals with another key.
    pub fn seal_with(&self, key: SealingKey) {
        *self.0.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// The number that the keeper confirmed last, and the head of its record after it.
    pub fn confirmed(&self) -> Option<(i64, String)> {
        self.0.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Most bytes of a payload that the broker takes with all that goes with it.
    pub const LARGEST: usize = 900_000;

    /// Everything on `bus` goes this way; a [`crate::Relay`] gives up what was confirmed, and publishes the rest again.
    pub fn join(&self, bus: &Bus) {
        let sender = self.clone();
        bus.subscribe_in_large_batches(">", "journal", move |envelopes| {
            let sender = sender.clone();
            async move { sender.carry(envelopes).await }
        });
    }

    /// Publishes events that follow one another, and waits until they are kept.
    pub async fn carry(&self, envelopes: Vec<Envelope>) -> Result<(), Failure> {
        let Some(last) = envelopes.last().cloned() else { return Ok(()) };
        let round = self.0.rounds.fetch_add(1, Ordering::Relaxed);
        let mut said = self.0.said.subscribe();
        let published = tokio::time::timeout(UNCONFIRMED, self.publish(&envelopes, round)).await;
        let known = published.map_err(|_| "the broker has not acknowledged in time")??;
        let patience = if known { KNOWN } else { UNCONFIRMED };
        let word = until_kept(&mut said, &last, patience).await?;
        self.0.rounds.store(0, Ordering::Relaxed);
        *self.0.head.write().unwrap_or_else(PoisonError::into_inner) = Some((word.seq, word.head));
        Ok(())
    }

    /// Whether the broker knew any of them already.
    async fn publish(&self, envelopes: &[Envelope], round: u32) -> Result<bool, Failure> {
        let key = self.0.key.read().unwrap_or_else(PoisonError::into_inner).clone();
        let after = envelopes.first().map_or(0, |first| first.seq.saturating_sub(1));
        let mut sealer = key.sealer(&self.0.chance)?;
        let (mut known, mut unacknowledged) = (false, VecDeque::<PublishAckFuture>::with_capacity(UNACKNOWLEDGED));
        for envelope in envelopes {
            if envelope.source != self.0.source {
                return Err(format!("this end carries {}, not {}", self.0.source, envelope.source).into());
            }
            // Each holds a place until it is looked at.
            if unacknowledged.len() >= UNACKNOWLEDGED
                && let Some(oldest) = unacknowledged.pop_front()
            {
                known |= oldest.await?.duplicate;
            }
            let (headers, sealed) = wire::close(envelope, after, &mut sealer)?;
            let message = PublishMessage::build()
                .headers(headers)
                .payload(sealed.into())
                .message_id(self.message_id(envelope, round))
                .expected_stream(STREAM);
            let subject = wire::subject(&envelope.source, &envelope.subject);
            unacknowledged.push_back(self.0.connection.jetstream().send_publish(subject, message).await?);
        }
        for acknowledgement in unacknowledged {
            known |= acknowledgement.await?.duplicate;
        }
        Ok(known)
    }

    /// A broker that lost an event may still remember its identifier, and would swallow it: each round has its own.
    fn message_id(&self, envelope: &Envelope, round: u32) -> String {
        match round {
            0 => envelope.id.to_string(),
            again => format!("{}.{}.{}", envelope.id, again.saturating_add(1), self.0.life),
        }
    }
}

/// Waits for `patience` after each word: a keeper that goes on is not late.
async fn until_kept(
    said: &mut broadcast::Receiver<Said>,
    last: &Envelope,
    patience: Duration,
) -> Result<Said, Failure> {
    loop {
        let word = tokio::time::timeout(patience, said.recv()).await;
        match word.map_err(|_| "the journal has not confirmed in time")? {
            Ok(word) if word.keeps(last) => return Ok(word),
            Ok(word) if word.asks(last) => return Err("the journal asks for these events again".into()),
            // What was forgotten may have been our word; then the time runs out.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return Err("the link to the broker has ended".into()),
        }
    }
}
