//! Carries what one service tells to the journal's process: over a broker where one is set, else as a call. At least once, in
//! order, and forgotten by its source only when the journal has said that it is kept.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aaa::Directory;
use bus::nats::{Connection, Sender};
use bus::{Bus, Envelope, Failure, SealingKey};
use chassis::Shutdown;
use contracts::peers::{GetEventsKey, TakeEvents, TakeHappenings, Told};
use identity::Notices;
use pki::files::{self, Readers};
use vocabulary::{Chance, EventId};

/// In the folder of a source: the key with which it seals, so that it starts while the journal is away.
const KEY: &str = "journal-events.pub";
/// How often the journal is asked for its key, before it is known and after.
const UNKNOWN: Duration = Duration::from_millis(500);
const KNOWN: Duration = Duration::from_secs(10);
/// Longest wait for that answer.
const ANSWERING: Duration = Duration::from_secs(3);

/// The way of one source's events. Clones share it.
#[derive(Clone)]
pub(crate) struct Telling {
    directory: Directory,
    broker: Option<Arc<Broker>>,
}

/// What people are to be told of everything on `bus` is noted at once.
pub(crate) fn note_notices(bus: &Bus, notices: &Notices) {
    let notices = notices.clone();
    bus.subscribe_in_batches("log.>", "notices", move |envelopes| {
        let notices = notices.clone();
        let happenings = envelopes.iter().filter_map(|envelope| Notices::read(&envelope.payload)).collect();
        async move { Ok(notices.take(happenings).await?) }
    });
}

/// Of everything on `bus`, what people are to be told goes to the identity that `directory` reaches.
pub(crate) fn tell_identity(bus: &Bus, directory: &Directory) {
    let directory = directory.clone();
    bus.subscribe_in_batches("log.>", "notices", move |envelopes| {
        let caller = directory.caller();
        let happenings: Vec<_> = envelopes.iter().filter_map(|envelope| Notices::read(&envelope.payload)).collect();
        async move {
            if !happenings.is_empty() {
                caller.call(TakeHappenings { happenings }).await?;
            }
            Ok(())
        }
    });
}

struct Broker {
    source: &'static str,
    connection: Connection,
    key_file: PathBuf,
    chance: Chance,
    /// Nothing until a key is known.
    sender: RwLock<Option<Sender>>,
}

impl Telling {
    /// As a call to the journal that `directory` reaches.
    pub(crate) fn by_call(directory: &Directory) -> Self {
        Self { directory: directory.clone(), broker: None }
    }

    /// Over a broker, sealed for the journal that `directory` reaches; its key is kept in `folder`.
    pub(crate) async fn over(
        connection: Connection,
        source: &'static str,
        directory: &Directory,
        folder: &Path,
        chance: &Chance,
        shutdown: &Shutdown,
    ) -> Self {
        let key_file = folder.join(KEY);
        let broker = Broker { source, connection, key_file, chance: chance.clone(), sender: RwLock::default() };
        let telling = Self { directory: directory.clone(), broker: Some(Arc::new(broker)) };
        if let Some(broker) = &telling.broker {
            if let Some(key) = broker.kept()
                && let Err(error) = broker.seal_with(key).await
            {
                tracing::warn!(%error, "cannot listen to what the journal confirms yet");
            }
            tokio::spawn(Arc::clone(broker).follow(directory.clone(), shutdown.clone()));
        }
        telling
    }

    /// Everything on `bus` goes this way.
    pub(crate) fn join(&self, bus: &Bus) {
        let telling = self.clone();
        bus.subscribe_in_large_batches(">", "journal", move |envelopes| {
            let telling = telling.clone();
            async move { telling.tell(envelopes).await }
        });
    }

    /// Carries events of this source that follow one another; done when the journal has them.
    pub(crate) async fn tell(&self, envelopes: Vec<Envelope>) -> Result<(), Failure> {
        let Some(broker) = &self.broker else { return self.call(envelopes).await };
        for portion in in_turn(envelopes) {
            match portion {
                // No broker takes it, and those behind it must not wait for ever.
                Portion::Large(envelope) => self.call(vec![envelope]).await?,
                Portion::Usual(envelopes) => {
                    let sender = broker.sender().ok_or("the journal has not said yet what to seal events with")?;
                    sender.carry(envelopes).await?;
                }
            }
        }
        Ok(())
    }

    async fn call(&self, envelopes: Vec<Envelope>) -> Result<(), Failure> {
        let caller = self.directory.caller();
        for events in portions(envelopes) {
            caller.call(TakeEvents { events }).await?;
        }
        Ok(())
    }
}

impl Broker {
    fn sender(&self) -> Option<Sender> {
        self.sender.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key that was known before this process began.
    fn kept(&self) -> Option<SealingKey> {
        let text = std::fs::read_to_string(&self.key_file).ok()?;
        SealingKey::from_pem(&text).inspect_err(|error| tracing::warn!(%error, "the kept key of the journal")).ok()
    }

    async fn seal_with(&self, key: SealingKey) -> Result<(), Failure> {
        if let Some(sender) = self.sender() {
            sender.seal_with(key);
            return Ok(());
        }
        let sender = Sender::new(self.connection.clone(), self.source, key, &self.chance).await?;
        *self.sender.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        Ok(())
    }

    /// Asks the journal for its key again and again: it is replaced now and then.
    async fn follow(self: Arc<Self>, directory: Directory, shutdown: Shutdown) {
        let mut told = String::new();
        loop {
            let learned = self.learn(&directory).await;
            let why = learned.err().map(|failure| failure.to_string()).unwrap_or_default();
            // Once for each time that it is so.
            if why != told && !why.is_empty() {
                tracing::info!(why, "the journal did not say what to seal events with; the key known before stays");
            }
            told = why;
            let wait = if self.sender().is_some() { KNOWN } else { UNKNOWN };
            tokio::select! {
                () = shutdown.begun() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn learn(&self, directory: &Directory) -> Result<(), Failure> {
        let answer = directory.caller().within(ANSWERING).call(GetEventsKey {}).await?;
        let text =
            answer.key.ok_or("the journal takes no events from a broker: set [nats] there, or take it away here")?;
        let key = SealingKey::from_pem(&text)?;
        if std::fs::read_to_string(&self.key_file).is_ok_and(|kept| kept == text) && self.sender().is_some() {
            return Ok(());
        }
        files::write(&self.key_file, &text, Readers::Everyone)?;
        tracing::info!(key = %key.id(), "seals events with this key of the journal");
        self.seal_with(key).await
    }
}

/// Events that go together.
#[derive(PartialEq, Debug)]
enum Portion {
    /// Over the broker.
    Usual(Vec<Envelope>),
    /// Larger than it takes.
    Large(Envelope),
}

/// The same events in the same order.
fn in_turn(envelopes: Vec<Envelope>) -> Vec<Portion> {
    let mut portions: Vec<Portion> = Vec::new();
    for envelope in envelopes {
        match portions.last_mut() {
            _ if envelope.payload.len() > Sender::LARGEST => portions.push(Portion::Large(envelope)),
            Some(Portion::Usual(usual)) => usual.push(envelope),
            _ => portions.push(Portion::Usual(vec![envelope])),
        }
    }
    portions
}

/// The same events in the same order, each portion of a comfortable size for a call.
fn portions(envelopes: Vec<Envelope>) -> Vec<Vec<Told>> {
    let mut portions: Vec<Vec<Told>> = Vec::new();
    let mut size = usize::MAX;
    for Envelope { id, seq, subject, payload, at, .. } in envelopes {
        size = size.saturating_add(payload.len());
        let told = Told { id: EventId(id), seq, subject, payload, at };
        match portions.last_mut() {
            Some(portion) if size <= TakeEvents::COMFORTABLE && portion.len() < TakeEvents::MOST => portion.push(told),
            _ => {
                size = told.payload.len();
                portions.push(vec![told]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(seq: i64, length: usize) -> Envelope {
        Envelope {
            id: store::Uuid::from_u128(u128::from(seq.unsigned_abs())),
            source: "bank".into(),
            seq,
            subject: "log.members.info".into(),
            payload: "x".repeat(length),
            at: vocabulary::Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn large_events_go_alone_and_small_ones_together_in_their_order() {
        let large = TakeEvents::COMFORTABLE + 1;
        let portions = portions(vec![envelope(1, 10), envelope(2, 10), envelope(3, large), envelope(4, 10)]);
        let numbers: Vec<Vec<i64>> = portions.iter().map(|it| it.iter().map(|told| told.seq).collect()).collect();
        assert_eq!(numbers, [vec![1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn no_call_has_more_events_than_the_journal_takes_at_once() {
        let portions = portions((1..=1000).map(|seq| envelope(seq, 1)).collect());
        assert!(portions.iter().all(|portion| portion.len() <= TakeEvents::MOST));
        assert!(portions.iter().flatten().map(|told| told.seq).eq(1..=1000));
    }

    #[test]
    fn what_no_broker_takes_goes_around_it_in_its_turn() {
        let (one, two, large, four) =
            (envelope(1, 1), envelope(2, 1), envelope(3, Sender::LARGEST + 1), envelope(4, 1));
        let portions = in_turn(vec![one.clone(), two.clone(), large.clone(), four.clone()]);
        assert_eq!(portions, [Portion::Usual(vec![one, two]), Portion::Large(large), Portion::Usual(vec![four])]);
    }
}
