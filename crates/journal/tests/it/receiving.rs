//! What comes over a broker: once, in order, whatever the broker, the sources and other instances do.

use bus::nats::Sender;
use bus::{Bus, OpeningKey, Relay};
use journal::{EventKeys, EventKeysError, Receiving, forget_set_aside, set_aside};
use tempfile::TempDir;

use super::*;
use crate::broker::Broker;

/// A bank that tells over a broker, and the journal's folder.
struct Told {
    broker: Broker,
    keys: TempDir,
    source: Store,
    _database: TestDatabase,
}

impl Told {
    async fn new() -> Option<Self> {
        let broker = Broker::start().await?;
        let database = databases().await.unwrap().remove(0);
        let source = Store::open(&database.database, &[], Clock::system()).await.unwrap();
        Some(Self { broker, keys: tempfile::tempdir().unwrap(), source, _database: database })
    }

    fn keys(&self) -> EventKeys {
        EventKeys::in_folder(self.keys.path())
    }

    async fn receive(&self, journal: &Journal) -> Receiving {
        journal.receive(self.broker.connect("journal").await, self.keys()).await.unwrap()
    }

    /// The bank begins to carry; again, as a new process would.
    async fn carry(&self, journal: &Journal) -> Relay {
        let bus = Bus::in_process();
        let key = journal.sealing_key().unwrap();
        let sender = Sender::new(self.broker.connect("bank").await, "bank", key, &Chance::system()).await.unwrap();
        sender.join(&bus);
        Relay::start(self.source.clone(), "bank", bus)
    }

    async fn tell(&self, world: &World, numbers: std::ops::Range<usize>) {
        for chunk in numbers.collect::<Vec<_>>().chunks(40) {
            let mut tx = self.source.begin().await.unwrap();
            for number in chunk {
                let event = world.event(&number.to_string());
                tx.tell(event.subject(), event.payload().unwrap());
            }
            tx.commit().await.unwrap();
        }
    }

    /// Everything as the outbox holds it.
    async fn envelopes(&self) -> Vec<Envelope> {
        let told = self.source.outbox_batch(1000).await.unwrap();
        let envelope = |it: store::Told| Envelope {
            id: it.id,
            source: "bank".into(),
            seq: it.seq,
            subject: it.subject,
            payload: it.payload,
            at: it.at,
        };
        told.into_iter().map(envelope).collect()
    }
}

/// The messages in the journal, in the order of the log.
async fn kept(world: &World) -> Vec<usize> {
    let rows = &world.store.dump().await.unwrap()["leaves"];
    let mut messages: Vec<usize> = world.everything().await.iter().map(|it| it.message.parse().unwrap()).collect();
    assert!(rows.len() >= messages.len());
    messages.reverse();
    messages
}

async fn flushed(relay: &Relay) {
    assert!(relay.flushed(Duration::from_mins(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_over_a_broker_is_kept_once_and_in_order_whoever_dies() {
    for world in worlds().await {
        let Some(told) = Told::new().await else { return };
        let first = told.receive(&world.journal).await;
        let relay = told.carry(&world.journal).await;
        told.tell(&world, 0..40).await;
        flushed(&relay).await;
        // The journal dies in the middle, then the bank, then the broker with all that it had.
        told.tell(&world, 40..60).await;
        drop(first);
        told.tell(&world, 60..70).await;
        let second = told.receive(&world.journal).await;
        flushed(&relay).await;
        told.tell(&world, 70..80).await;
        drop(relay);
        let relay = told.carry(&world.journal).await;
        told.broker.kill();
        told.broker.wipe();
        told.tell(&world, 80..90).await;
        told.broker.run();
        told.broker.prepare().await;
        flushed(&relay).await;
        assert_eq!(kept(&world).await, (0..90).collect::<Vec<_>>());
        assert!(world.truths().await.iter().all(|truth| truth.holds));
        relay.stop().await;
        second.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_in_another_order_or_from_the_start_is_kept_once() {
    for world in worlds().await {
        let Some(told) = Told::new().await else { return };
        let receiving = told.receive(&world.journal).await;
        told.tell(&world, 0..40).await;
        let all = told.envelopes().await;
        let key = world.journal.sealing_key().unwrap();
        let sender = || async {
            let connection = told.broker.connect("bank").await;
            Sender::new(connection, "bank", key.clone(), &Chance::system()).await.unwrap()
        };
        let one = sender().await;
        // Again until it is confirmed, as a relay does: the broker drops what it knows already.
        let carry = async |sender: &Sender, events: &[Envelope]| {
            for _ in 0..20 {
                if sender.carry(events.to_vec()).await.is_ok() {
                    return;
                }
            }
            panic!("never confirmed");
        };
        carry(&one, &all[..10]).await;
        // What does not follow is asked for again, and not kept before its turn.
        let shuffled: Vec<Envelope> = [10, 13, 12, 14].map(|place: usize| all[place].clone()).into();
        one.carry(shuffled).await.unwrap_err();
        assert_eq!(kept(&world).await, (0..11).collect::<Vec<_>>());
        carry(&one, &all[5..30]).await;
        carry(&sender().await, &all).await;
        let other = sender().await;
        carry(&other, &all[..35]).await;
        assert_eq!(kept(&world).await, (0..40).collect::<Vec<_>>());
        assert!(world.truths().await.iter().all(|truth| truth.holds));
        let (last, head) = other.confirmed().unwrap();
        assert!((35..=40).contains(&last) && head.starts_with("40 "), "{last} {head}");
        receiving.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_set_aside_until_somebody_has_looked_at_it() {
    for world in worlds().await {
        let Some(told) = Told::new().await else { return };
        let receiving = told.receive(&world.journal).await;
        told.tell(&world, 0..2).await;
        let all = told.envelopes().await;
        let key = world.journal.sealing_key().unwrap();
        let raw = async_nats::ConnectOptions::new()
            .require_tls(true)
            .tls_client_config(told.broker.link("bank").client_config().unwrap())
            .connect(told.broker.address())
            .await
            .unwrap();
        // The first event, altered on its way, as often as a better one is asked for.
        let mut headers = async_nats::HeaderMap::new();
        let (id, at) = (all[0].id.to_string(), all[0].at.micros().to_string());
        for (name, value) in
            [("Version", "1"), ("Seq", "1"), ("After", "0"), ("Id", &id), ("At", &at), ("Key", key.id().as_str())]
        {
            headers.insert(format!("Guichet-{name}"), value);
        }
        let subject = format!("told.bank.{}", all[0].subject);
        for copy in ["altered", "altered", "altered again"] {
            raw.publish_with_headers(subject.clone(), headers.clone(), copy.into()).await.unwrap();
        }
        raw.flush().await.unwrap();
        eventually(async || !world.holds("no message had to be set aside").await).await;
        let sender = Sender::new(told.broker.connect("bank").await, "bank", key, &Chance::system()).await.unwrap();
        sender.carry(all[1..].to_vec()).await.unwrap();
        assert_eq!(kept(&world).await, [1]);
        assert!(world.holds("no gap in any source").await, "what is set aside is not missing");
        let aside = set_aside(&world.store).await.unwrap();
        let found: Vec<_> = aside.iter().map(|it| (it.bytes.as_slice(), it.times, it.given_up, it.seq)).collect();
        assert_eq!(found, [(&b"altered"[..], 2, false, Some(1)), (&b"altered again"[..], 1, true, Some(1))]);
        assert_eq!((aside[0].source.as_str(), aside[0].subject.as_str()), ("bank", subject.as_str()));
        forget_set_aside(&world.store, &aside).await.unwrap();
        assert!(world.holds("no message had to be set aside").await);
        receiving.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_which_too_much_is_set_aside_loses_nothing_more() {
    for world in worlds().await {
        let poison = |seq: i64| bus::nats::Poison {
            source: "bank".into(),
            subject: "told.bank.log.members.info".into(),
            seq: Some(seq),
            id: None,
            bytes: vec![1],
            why: "altered".into(),
            last: true,
        };
        let put = async |poison| bus::nats::Keeper::set_aside(&world.journal, poison).await;
        for seq in 1..=100 {
            put(poison(seq)).await.unwrap();
        }
        put(poison(100)).await.unwrap();
        let refused = put(poison(101)).await.unwrap_err().to_string();
        assert!(refused.contains("guichet journal quarantine"), "{refused}");
        put(bus::nats::Poison { source: "identity".into(), ..poison(1) }).await.unwrap();
        forget_set_aside(&world.store, &set_aside(&world.store).await.unwrap()).await.unwrap();
        put(poison(101)).await.unwrap();
        assert!(world.holds("no gap in any source").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_instances_receives_and_another_when_it_is_gone() {
    for world in worlds().await {
        let Some(told) = Told::new().await else { return };
        let store = Store::open(&world.database.database, MIGRATIONS, world.clock.clone()).await.unwrap();
        let other = Journal::new(store, journal::log_key([2; 32].into()).unwrap(), world.chance.clone());
        let one = told.receive(&world.journal).await;
        eventually(async || one.counts().is_some()).await;
        let two = told.receive(&other).await;
        let relay = told.carry(&other).await;
        told.tell(&world, 0..40).await;
        flushed(&relay).await;
        eventually(async || one.counts().is_some_and(|counts| counts.kept == 40)).await;
        assert_eq!(two.counts(), None);
        // Gone without a word; then with one.
        drop(one);
        told.tell(&world, 40..60).await;
        flushed(&relay).await;
        assert!(two.counts().is_some());
        let one = told.receive(&world.journal).await;
        two.stop().await;
        told.tell(&world, 60..80).await;
        flushed(&relay).await;
        assert!(one.counts().is_some());
        assert_eq!(kept(&world).await, (0..80).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_while_it_runs_and_an_instance_without_the_newest_does_not_start() {
    for world in worlds().await {
        let Some(told) = Told::new().await else { return };
        let receiving = told.receive(&world.journal).await;
        let relay = told.carry(&world.journal).await;
        told.tell(&world, 0..20).await;
        flushed(&relay).await;
        let former = world.journal.sealing_key().unwrap();
        let (path, next) = told.keys().make_next().unwrap();
        eventually(async || world.journal.sealing_key().unwrap().id() == &next).await;
        assert_eq!(OpeningKey::open(&path).unwrap().sealing().id(), &next);
        // The source has not heard of it yet.
        told.tell(&world, 20..40).await;
        flushed(&relay).await;
        drop(relay);
        let relay = told.carry(&world.journal).await;
        told.tell(&world, 40..60).await;
        flushed(&relay).await;
        assert_ne!(former.id(), &next);
        assert_eq!(kept(&world).await, (0..60).collect::<Vec<_>>());
        receiving.stop().await;
        std::fs::remove_file(path).unwrap();
        let refused = world.journal.receive(told.broker.connect("journal").await, told.keys()).await.unwrap_err();
        assert!(matches!(&refused, EventKeysError::Missing { number: 2, .. }), "{refused}");
    }
}
