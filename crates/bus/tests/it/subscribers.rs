//! What a bus within a process promises besides: several subscribers, each of which hears what it wants to, at its own pace.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bus::Relay;
use tokio::sync::Semaphore;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_in_the_order_of_each_source() {
    let (mut firsts, mut seconds) = (worlds().await, worlds().await);
    while let (Some(first), Some(second)) = (firsts.pop(), seconds.pop()) {
        let mut heard = listen(&first.bus, "log.>", "all");
        let relays = [
            Relay::start(first.store.clone(), "one", first.bus.clone()),
            Relay::start(second.store.clone(), "two", first.bus),
        ];
        for at in (0..300).step_by(100) {
            tell(&first.store, "log.a.b", at..at + 100).await;
            tell(&second.store, "log.c.d", at..at + 100).await;
        }
        let mut by_source = [Vec::new(), Vec::new()];
        while by_source.iter().map(Vec::len).sum::<usize>() < 600 {
            let next = heard.next().await;
            let of_its_source = &mut by_source[usize::from(next.source == "two")];
            if !of_its_source.contains(&next) {
                of_its_source.push(next);
            }
        }
        for envelopes in by_source {
            assert_eq!(numbers(&envelopes), (0..300).collect::<Vec<_>>());
            assert!(envelopes.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
        }
        for relay in relays {
            assert!(relay.flushed(PATIENCE).await);
            relay.stop().await;
        }
        assert_eq!(first.store.outbox_newest().await.unwrap(), None, "what everybody took is forgotten");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_of_one_source_deliver_everything_in_order_and_forget_nothing_early() {
    for world in worlds().await {
        let other = Store::open(&world.database.database, &[], world.clock.clone()).await.unwrap();
        let mut heard = listen(&world.bus, ">", "all");
        let relays = [
            Relay::start(world.store.clone(), "bank", world.bus.clone()),
            Relay::start(other.clone(), "bank", world.bus),
        ];
        tokio::join!(tell(&world.store, "log.a.b", 0..300), tell(&other, "log.a.b", 300..600));
        let told = heard.different("bank", 600).await;
        assert!(told.iter().map(|envelope| envelope.seq).eq(1..=600), "in order, whoever brings it first");
        for relay in relays {
            assert!(relay.flushed(PATIENCE).await);
            relay.stop().await;
        }
        assert_eq!(other.outbox_newest().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tells_where_it_comes_from_and_when() {
    for world in worlds().await {
        let mut heard = listen(&world.bus, "log.*.info", "one");
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        tell(&world.store, "log.members.info", 7..8).await;
        let envelope = heard.next().await;
        assert_eq!((envelope.source.as_str(), envelope.subject.as_str()), ("bank", "log.members.info"));
        assert_eq!((envelope.payload.as_str(), envelope.seq, envelope.at), ("7", 1, world.clock.now()));
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_only_what_its_pattern_matches() {
    for world in worlds().await {
        let mut errors = listen(&world.bus, "log.*.error", "errors");
        let mut revoked = listen(&world.bus, "auth.revoked", "revoked");
        let relay = Relay::start(world.store.clone(), "identity", world.bus);
        tell(&world.store, "log.members.info", 0..3).await;
        tell(&world.store, "log.agents.error", 3..4).await;
        tell(&world.store, "auth.revoked", 4..5).await;
        tell(&world.store, "log.members.error", 5..6).await;
        assert!(relay.flushed(PATIENCE).await, "events that nobody listens to hold nothing up");
        assert_eq!(numbers(&errors.different("identity", 2).await), [3, 5]);
        assert_eq!(numbers(&revoked.different("identity", 1).await), [4]);
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_again_under_the_same_name_hears_everything_once() {
    for world in worlds().await {
        let mut before = listen(&world.bus, ">", "notices");
        let mut now = listen(&world.bus, ">", "notices");
        let relay = Relay::start(world.store.clone(), "identity", world.bus);
        tell(&world.store, "log.members.info", 0..3).await;
        assert!(relay.flushed(PATIENCE).await);
        relay.stop().await;
        assert_eq!(numbers(&now.different("identity", 3).await), [0, 1, 2]);
        assert!(before.0.try_recv().is_err(), "the former one was replaced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_not_taken_comes_again_before_later_ones() {
    for world in worlds().await {
        let (tries, mut tried) = mpsc::unbounded_channel();
        let failures = Arc::new(AtomicUsize::new(0));
        world.bus.subscribe(">", "moody", move |envelope| {
            let (tries, failures) = (tries.clone(), Arc::clone(&failures));
            async move {
                let number: u32 = envelope.payload.parse()?;
                tries.send(number)?;
                match (number, failures.fetch_add(usize::from(number == 2), Ordering::SeqCst)) {
                    (2, 0) => Err("not now".into()),
                    (2, 1) => panic!("a bad moment"),
                    _ => Ok(()),
                }
            }
        });
        tell(&world.store, "a", 0..5).await;
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        assert!(relay.flushed(PATIENCE).await);
        assert!(relay.stuck().is_empty());
        relay.stop().await;
        let mut tries = Vec::new();
        while let Ok(number) = tried.try_recv() {
            tries.push(number);
        }
        assert_eq!(tries, [0, 1, 2, 2, 2, 3, 4]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_not_taken_comes_again_whole() {
    for world in worlds().await {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (tries, keep) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&kept));
        world.bus.subscribe_in_batches("a", "batches", move |envelopes| {
            let (first, keep) = (tries.fetch_add(1, Ordering::SeqCst) == 0, Arc::clone(&keep));
            async move {
                if first {
                    return Err("not now".into());
                }
                keep.lock().unwrap().push(numbers(&envelopes));
                Ok(())
            }
        });
        tell(&world.store, "a", 0..1000).await;
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        assert!(relay.flushed(PATIENCE).await);
        relay.stop().await;
        let kept = kept.lock().unwrap();
        assert_eq!(kept.concat(), (0..1000).collect::<Vec<_>>());
        assert!(kept.len() < 50, "{} deliveries are not batches", kept.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_is_never_lost_and_holds_up_no_other_subscriber_or_source() {
    for world in worlds().await {
        let (tries, mut tried) = mpsc::unbounded_channel();
        world.bus.subscribe("log.>", "stuck", move |envelope| {
            let sent = tries.send(envelope.seq);
            async move { if sent.is_ok() && envelope.source == "other" { Ok(()) } else { Err("cannot read this".into()) } }
        });
        let mut heard = listen(&world.bus, "auth.revoked", "healthy");
        let relay = Relay::start(world.store.clone(), "identity", world.bus.clone());
        tell(&world.store, "log.a.info", 0..1).await;
        tell(&world.store, "auth.revoked", 1..400).await;
        assert_eq!(numbers(&heard.different("identity", 399).await), (1..400).collect::<Vec<_>>());
        for _ in 0..6 {
            assert_eq!(in_time(tried.recv()).await, Some(1), "only the first event is tried");
        }
        assert_eq!(relay.stuck(), ["stuck"]);
        world.clock.advance(Duration::from_secs(90));
        assert_eq!(relay.oldest().await.unwrap(), Some(Duration::from_secs(90)));
        assert!(!relay.flushed(Duration::from_millis(1)).await);
        let other = worlds().await.remove(0);
        let second = Relay::start(other.store.clone(), "other", world.bus);
        tell(&other.store, "log.a.info", 0..10).await;
        assert!(second.flushed(PATIENCE).await);
        relay.stop().await;
        assert_eq!(world.store.outbox_batch(1000).await.unwrap().len(), 400, "everything is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_before_a_restart_is_delivered_after_it() {
    for world in worlds().await {
        let (tries, mut tried) = mpsc::unbounded_channel();
        world.bus.subscribe("a", "journal", move |envelope| {
            let sent = tries.send(envelope.seq);
            async move { if sent.is_ok() && envelope.seq <= 3 { Ok(()) } else { Err("not any more".into()) } }
        });
        tell(&world.store, "a", 0..10).await;
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        while in_time(tried.recv()).await != Some(4) {}
        relay.stop().await;
        let bus = Bus::in_process();
        let mut heard = listen(&bus, "a", "journal");
        let relay = Relay::start(world.store.clone(), "bank", bus);
        tell(&world.store, "a", 10..12).await;
        let heard = numbers(&heard.different("bank", 9).await);
        assert!(heard.ends_with(&[3, 4, 5, 6, 7, 8, 9, 10, 11]), "{heard:?}");
        assert!(relay.flushed(PATIENCE).await);
        relay.stop().await;
        assert_eq!(world.store.outbox_oldest().await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_dropped_delivers_nothing_more() {
    for world in worlds().await {
        let taken = Arc::new(Semaphore::new(0));
        let (tries, mut tried) = mpsc::unbounded_channel();
        let gate = Arc::clone(&taken);
        world.bus.subscribe("a", "waiting", move |envelope| {
            let (sent, gate) = (tries.send(envelope.seq), Arc::clone(&gate));
            async move {
                gate.acquire().await?.forget();
                sent.map_err(Failure::from)
            }
        });
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        tell(&world.store, "a", 0..5).await;
        assert_eq!(in_time(tried.recv()).await, Some(1));
        drop(relay);
        taken.add_permits(5);
        assert_eq!(in_time(tried.recv()).await, None, "the lane ended after the delivery under way");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscriber_is_handed_one_delivery_at_a_time_while_others_go_on() {
    for world in worlds().await {
        let gate = Arc::new(Semaphore::new(0));
        let (handed, at_once, most) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (gate_, handed_, most_) = (Arc::clone(&gate), Arc::clone(&handed), Arc::clone(&most));
        world.bus.subscribe_in_batches("a", "slow", move |envelopes| {
            let (gate, at_once) = (Arc::clone(&gate_), Arc::clone(&at_once));
            handed_.fetch_add(envelopes.len(), Ordering::SeqCst);
            most_.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            async move {
                gate.acquire().await?.forget();
                at_once.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        });
        let mut heard = listen(&world.bus, "a", "quick");
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        tell(&world.store, "a", 0..2000).await;
        for number in 0..2000 {
            assert_eq!(heard.next().await.payload, number.to_string());
        }
        assert!(handed.load(Ordering::SeqCst) <= 1000, "what waits, waits in the database");
        gate.add_permits(2000);
        assert!(relay.flushed(PATIENCE).await);
        assert_eq!((handed.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (2000, 1));
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_while_nobody_listens() {
    for world in worlds().await {
        let relay = Relay::start(world.store.clone(), "bank", world.bus);
        tell(&world.store, "a", 0..3).await;
        assert!(!relay.flushed(Duration::from_millis(1)).await);
        relay.stop().await;
        assert_eq!(world.store.outbox_batch(10).await.unwrap().len(), 3);
    }
}
