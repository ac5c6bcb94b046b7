//! What every bus promises, within a process and over NATS JetStream: one suite for both. Another kind of bus joins by a line in
//! `ways`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::Envelope;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::ways::{Record, Source, ways};
use crate::{tell, until};

const SUBJECT: &str = "log.members.info";

fn all(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_kept_in_order_and_then_forgotten_by_its_source() {
    for way in ways().await {
        for mut source in Source::each("bank").await {
            let record = Record::new();
            let _receiver = way.keep(&record).await;
            tell(&source.store, SUBJECT, 0..500).await;
            source.carry(&way, &record).await;
            tell(&source.store, SUBJECT, 500..1000).await;
            source.flushed().await;
            assert_eq!(record.of("bank"), all(1000));
            assert_eq!(source.waits().await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_as_it_was_told() {
    let long = "é".repeat(200_000);
    let payloads = ["", " ", "null", "\u{0}", "{\"name\":\"Zoé\"}", "no JSON\r\n at all", long.as_str()];
    let subjects = ["log.members.info", "log.agents.error", "auth.revoked"];
    for way in ways().await {
        let record = Record::new();
        let _receiver = way.keep(&record).await;
        // Who may tell all of these.
        let mut source = Source::one("identity").await;
        for (number, payload) in payloads.iter().enumerate() {
            let mut tx = source.store.begin().await.unwrap();
            tx.tell(subjects[number % subjects.len()], *payload);
            tx.commit().await.unwrap();
        }
        let told = source.store.outbox_batch(100).await.unwrap();
        source.carry(&way, &record).await;
        source.flushed().await;
        let kept = record.all_of("identity");
        assert_eq!(kept.len(), payloads.len());
        for (told, kept) in told.into_iter().zip(kept) {
            assert_eq!((told.id, told.seq, told.at), (kept.id, kept.seq, kept.at));
            assert_eq!((told.subject, told.payload, kept.source.as_str()), (kept.subject, kept.payload, "identity"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_tell_at_the_same_time_keep_each_its_own_order() {
    for way in ways().await {
        let record = Record::new();
        let _receiver = way.keep(&record).await;
        let (mut bank, mut identity) = (Source::one("bank").await, Source::one("identity").await);
        bank.carry(&way, &record).await;
        identity.carry(&way, &record).await;
        tokio::join!(tell(&bank.store, SUBJECT, 0..600), tell(&identity.store, SUBJECT, 0..600));
        bank.flushed().await;
        identity.flushed().await;
        for name in ["bank", "identity"] {
            assert_eq!(record.of(name), all(600));
            assert!(record.all_of(name).iter().map(|envelope| envelope.seq).eq(1..=600), "without gaps");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_of_a_source_bring_everything_once_and_in_order() {
    for way in ways().await {
        for mut source in Source::each("bank").await {
            let record = Record::new();
            let _receiver = way.keep(&record).await;
            let mut other = source.other_instance().await;
            source.carry(&way, &record).await;
            other.carry(&way, &record).await;
            tokio::join!(tell(&source.store, SUBJECT, 0..300), tell(&other.store, SUBJECT, 300..600));
            source.flushed().await;
            other.flushed().await;
            let kept = record.all_of("bank");
            assert!(kept.iter().map(|envelope| envelope.seq).eq(1..=600), "in order, whoever brings it first");
            assert_eq!(source.waits().await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_fails_is_asked_ever_more_slowly() {
    for way in ways().await {
        let tries: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let tried = Arc::clone(&tries);
        let record = Record::new().failing_before(move |_| {
            let mut tries = tried.lock().unwrap();
            tries.push(Instant::now());
            if tries.len() < 6 { Err("not now".into()) } else { Ok(()) }
        });
        let mut source = Source::one("bank").await;
        let _receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..1).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        let waits: Vec<Duration> = tries.lock().unwrap().windows(2).map(|pair| pair[1] - pair[0]).collect();
        // Half of a time that doubles, at the least.
        for (wait, least) in waits.iter().zip([25, 50, 100, 200, 400]) {
            assert!(*wait >= Duration::from_millis(least), "{waits:?}");
        }
        assert_eq!((waits.len(), record.of("bank")), (5, all(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_never_taken_is_never_lost_and_is_told_of() {
    for way in ways().await {
        let refused = |envelopes: &[Envelope]| {
            let poisonous = envelopes.iter().any(|envelope| envelope.payload == "3");
            if poisonous { Err("cannot keep this".into()) } else { Ok(()) }
        };
        let record = Record::new().failing_before(refused);
        let mut source = Source::one("bank").await;
        let receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..3).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        tell(&source.store, SUBJECT, 3..20).await;
        until(|| source.is_stuck()).await;
        assert_eq!(record.of("bank"), all(3), "what comes after it waits");
        assert_eq!(source.waits().await, 17);
        assert!(source.oldest_waits().await);
        // Until somebody has mended the keeper.
        drop(receiver);
        let mended = record.failing_before(|_| Ok(()));
        let _receiver = way.keep(&mended).await;
        source.carry(&way, &mended).await;
        source.flushed().await;
        assert_eq!(mended.of("bank"), all(20));
        assert!(!source.is_stuck() && source.waits().await == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_kept_comes_again_and_in_order() {
    for way in ways().await {
        let tries = AtomicUsize::new(0);
        let record = Record::new().failing_before(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
            0 | 3 => Err("not now".into()),
            1 => panic!("a bad moment"),
            _ => Ok(()),
        });
        let mut source = Source::one("bank").await;
        let receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..700).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        assert_eq!(record.of("bank"), all(700));
        assert!(receiver.is_none_or(|receiver| receiver.counts().failures >= 3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_without_a_word_comes_again_and_is_the_same() {
    for way in ways().await {
        let tries = AtomicUsize::new(0);
        let lost = move |_: &[Envelope]| match tries.fetch_add(1, Ordering::SeqCst) {
            0..3 => Err("committed, and the answer was lost".into()),
            _ => Ok(()),
        };
        let record = Record::new().failing_after(lost);
        let mut source = Source::one("bank").await;
        let _receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..300).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        assert_eq!(record.of("bank"), all(300));
        assert!(record.handed() > 300, "something came twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_at_the_keeper_holds_up_no_other() {
    for way in ways().await {
        let of_bank = |envelopes: &[Envelope]| {
            let from_bank = envelopes.iter().any(|envelope| envelope.source == "bank");
            if from_bank { Err("cannot keep this".into()) } else { Ok(()) }
        };
        let record = Record::new().failing_before(of_bank);
        let (mut bank, mut identity) = (Source::one("bank").await, Source::one("identity").await);
        let _receiver = way.keep(&record).await;
        tell(&bank.store, SUBJECT, 0..10).await;
        bank.carry(&way, &record).await;
        until(|| record.handed() >= 10).await;
        tell(&identity.store, SUBJECT, 0..300).await;
        identity.carry(&way, &record).await;
        identity.flushed().await;
        assert_eq!((record.of("identity"), record.of("bank")), (all(300), vec![]));
        assert_eq!(bank.waits().await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_keeper_is_handed_one_batch_and_the_rest_waits_in_the_database() {
    for way in ways().await {
        let record = Record::new().behind(Arc::new(Semaphore::new(0)));
        let mut source = Source::one("bank").await;
        let _receiver = way.keep(&record).await;
        tell(&source.store, SUBJECT, 0..2000).await;
        source.carry(&way, &record).await;
        until(|| record.handed() > 0).await;
        assert!(record.handed() <= 1000);
        assert_eq!(source.waits().await, 2000);
        record.let_through(10_000);
        source.flushed().await;
        assert_eq!(record.of("bank"), all(2000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_and_keepers_that_die_at_any_moment_lose_nothing() {
    for way in ways().await {
        let record = Record::new();
        let mut source = Source::one("bank").await;
        let mut told = 0;
        for _ in 0..5 {
            let some = record.of("bank").len();
            let receiver = way.keep(&record).await;
            source.carry(&way, &record).await;
            tell(&source.store, SUBJECT, told..told + 300).await;
            told += 300;
            until(|| record.of("bank").len() > some).await;
            // In the middle of it, as a kill would.
            drop(receiver);
        }
        let _receiver = way.keep(&record).await;
        source.carry(&way, &record).await;
        source.flushed().await;
        assert_eq!(record.of("bank"), all(told));
    }
}
