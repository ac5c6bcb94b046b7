//! Events that arrive: once, late, never, unreadable.

use std::time::Duration;

use bus::{Bus, Relay};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_valid() {
    for world in worlds().await {
        assert_eq!(store::check::prepare_all(&world.store, journal::QUERIES).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_twice_is_kept_once() {
    for world in worlds().await {
        let events = [world.event("one"), world.event("two")];
        world.deliver(1, &events).await;
        world.deliver(1, &events).await;
        let third = world.event("three");
        let envelopes = vec![envelope("bank", 2, &events[1]), envelope("bank", 3, &third), envelope("bank", 3, &third)];
        world.journal.take(envelopes).await.unwrap();
        let messages: Vec<String> = world.everything().await.into_iter().map(|entry| entry.message).collect();
        assert_eq!(messages, ["three", "two", "one"]);
        assert!(world.truths().await.iter().all(|truth| truth.holds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_instances_are_told_at_once_is_kept_once_and_leaves_no_gap() {
    for world in worlds().await {
        let store = Store::open(&world.database.database, MIGRATIONS, world.clock.clone()).await.unwrap();
        let other = Journal::new(store, journal::log_key([2; 32].into()).unwrap(), world.chance.clone());
        let events: Vec<LogEvent> = (0..60).map(|number| world.event(&number.to_string())).collect();
        // As two relays bring them: each in order, at their own pace.
        let bring = async |journal: &Journal, at_once: usize| {
            let mut first = 1;
            for part in events.chunks(at_once) {
                let envelopes = (first..).zip(part).map(|(seq, event)| envelope("bank", seq, event)).collect();
                journal.take(envelopes).await.unwrap();
                first += i64::try_from(part.len()).unwrap();
            }
        };
        tokio::join!(bring(&world.journal, 4), bring(&other, 7), bring(&other, 5), bring(&world.journal, 60));
        let kept = world.everything().await;
        let mut messages: Vec<usize> = kept.iter().map(|entry| entry.message.parse().unwrap()).collect();
        messages.reverse();
        assert_eq!(messages, (0..60).collect::<Vec<_>>());
        assert!(world.truths().await.iter().all(|truth| truth.holds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_holds_all_that_the_event_said() {
    for world in worlds().await {
        let event = LogEvent {
            audience: Audience::Agents,
            level: Level::Warning,
            action: Action::LoginFailed,
            actor: Some(marc()),
            subject: Some(claire()),
            details: [("reason".to_owned(), "wrong \"password\" é".to_owned())].into(),
            trace_id: Some("0123456789abcdef0123456789abcdef".into()),
            ..world.event("Sign-in refused")
        };
        world.deliver(1, std::slice::from_ref(&event)).await;
        let entry = world.everything().await.remove(0);
        assert_eq!((entry.id, entry.at, entry.source.as_str()), (event.id, event.at, "bank"));
        assert_eq!(
            (entry.audience, entry.level, entry.action),
            (Audience::Agents, Level::Warning, Action::LoginFailed)
        );
        assert_eq!((entry.actor.as_deref(), entry.subject.as_deref()), (Some("marc"), Some("claire")));
        assert_eq!(
            (entry.subject_id, entry.details, entry.trace_id),
            (Some(claire().id), event.details, event.trace_id)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_told_until_what_was_missing_comes() {
    for world in worlds().await {
        let events: Vec<LogEvent> = (1..=6).map(|number| world.event(&number.to_string())).collect();
        world.deliver(1, &events[..2]).await;
        assert!(world.holds("no gap in any source").await);
        world.deliver(5, &events[4..]).await;
        assert!(!world.holds("no gap in any source").await);
        assert_eq!(world.everything().await.len(), 4, "what came is kept all the same");
        world.deliver(4, &events[3..4]).await;
        assert!(!world.holds("no gap in any source").await);
        world.deliver(3, &events[2..3]).await;
        assert!(world.holds("no gap in any source").await);
        let messages: Vec<String> = world.everything().await.into_iter().map(|entry| entry.message).collect();
        assert_eq!(messages, ["6", "5", "4", "3", "2", "1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_counts_for_itself() {
    for world in worlds().await {
        let (one, two, three) = (world.event("1"), world.event("2"), world.event("3"));
        let envelopes = vec![envelope("bank", 1, &one), envelope("identity", 1, &two), envelope("bank", 2, &three)];
        world.journal.take(envelopes).await.unwrap();
        assert!(world.holds("no gap in any source").await);
        assert_eq!(world.everything().await.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_as_an_error_and_holds_nothing_up() {
    for world in worlds().await {
        let (good, bad) = (world.event("good"), world.event("bad"));
        let mut unreadable = envelope("bank", 1, &bad);
        unreadable.payload = "{\"id\":\"nonsense\0\"}".into();
        let id = unreadable.id;
        let arrived = vec![unreadable, envelope("bank", 2, &good)];
        world.journal.take(arrived.clone()).await.unwrap();
        world.journal.take(arrived).await.unwrap();
        let entries = world.everything().await;
        assert_eq!(entries.len(), 2);
        let kept = entries.iter().find(|entry| entry.id == EventId(id)).unwrap();
        assert_eq!((kept.level, kept.audience, kept.action), (Level::Error, Audience::Agents, Action::EventUnreadable));
        assert!(!world.holds("every entry readable").await);
        assert!(world.store.dump().await.unwrap()["entries"].iter().any(|row| row.contains("nonsense")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_character_of_an_event_holds_up_those_behind_it() {
    for world in worlds().await {
        let odd = LogEvent {
            subject: Some(person(1, "cla\0ire")),
            trace_id: Some("\0".into()),
            details: [("\0".to_owned(), "\0".to_owned())].into(),
            ..world.event("nul \0 and \u{202e}")
        };
        world.deliver(1, &[odd, world.event("next")]).await;
        assert_eq!(world.everything().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_events_under_known_numbers_are_kept_too() {
    for world in worlds().await {
        world.deliver(1, &[world.event("before")]).await;
        world.deliver(1, &[world.event("told again after a restored backup")]).await;
        assert_eq!(world.everything().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_over_the_bus_and_other_subjects_are_neither_kept_nor_missed() {
    let mut sources = databases().await.unwrap();
    for world in worlds().await {
        let database = sources.remove(0);
        let source = Store::open(&database.database, &[], world.clock.clone()).await.unwrap();
        let bus = Bus::in_process();
        world.journal.subscribe(&bus);
        let relay = Relay::start(source.clone(), "identity", bus);
        for number in 0..20 {
            let mut tx = source.begin().await.unwrap();
            let event = world.event(&number.to_string());
            tx.tell(event.subject(), event.payload().unwrap());
            tx.tell(contracts::events::AUTH_REVOKED, "{}");
            tx.commit().await.unwrap();
        }
        assert!(relay.flushed(Duration::from_secs(30)).await);
        relay.stop().await;
        assert_eq!(world.everything().await.len(), 20);
        assert!(world.truths().await.iter().all(|truth| truth.holds));
    }
}
