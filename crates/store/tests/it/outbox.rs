//! Events, replies to repeated commands, and audit records.

use store::{AuditRecord, Once, OnceKey};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn events_are_numbered_without_gaps_in_the_order_of_commits() {
    for (_test, store) in stores().await {
        let tasks: Vec<_> = (0..8)
            .map(|worker| {
                let store = store.clone();
                tokio::spawn(async move {
                    for turn in 0..20_u32 {
                        let mut tx = store.begin().await.unwrap();
                        tx.tell("first", format!("{worker}-{turn}"));
                        tx.tell("second", format!("{worker}-{turn}"));
                        add(&mut tx, &format!("{worker}-{turn}"), 1).await.unwrap();
                        match turn % 4 {
                            0 => drop(tx),
                            1 => assert!(add(&mut tx, &format!("{worker}-{turn}"), 1).await.is_err()),
                            _ => tx.commit().await.unwrap(),
                        }
                        // A reader in the middle never sees a number whose forerunner is still to come.
                        let seen = store.outbox_batch(1000).await.unwrap();
                        assert!(seen.iter().map(|event| event.seq).eq(1..=i64::try_from(seen.len()).unwrap()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let told = store.outbox_batch(1000).await.unwrap();
        assert_eq!(told.len(), 8 * 10 * 2);
        for pair in told.chunks(2) {
            assert_eq!((pair[0].subject.as_str(), pair[1].subject.as_str()), ("first", "second"));
            assert_eq!(pair[0].payload, pair[1].payload, "the events of one transaction stand together");
        }
        assert_eq!(store.outbox_batch(3).await.unwrap(), told[..3]);
        assert_eq!(store.outbox_done(100).await.unwrap(), 100);
        assert_eq!(store.outbox_batch(1).await.unwrap(), told[100..101]);
        assert_eq!(store.outbox_oldest().await.unwrap(), Some(told[100].at));
        store.outbox_done(told.last().unwrap().seq).await.unwrap();
        assert_eq!(store.outbox_oldest().await.unwrap(), None);
        let mut tx = store.begin().await.unwrap();
        tx.tell("after", "{}");
        tx.commit().await.unwrap();
        assert_eq!(store.outbox_batch(9).await.unwrap()[0].seq, 161, "a number is never given twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_told_something_is_announced_and_no_other() {
    for (_test, store) in stores().await {
        let mut notified = store.outbox_notified();
        let mut tx = store.begin().await.unwrap();
        tx.tell("lost", "{}");
        drop(tx);
        store.begin().await.unwrap().commit().await.unwrap();
        assert!(!notified.has_changed().unwrap());
        let mut tx = store.begin().await.unwrap();
        tx.tell("kept", "{}");
        tx.commit().await.unwrap();
        notified.changed().await.unwrap();
        assert_eq!(store.outbox_batch(9).await.unwrap()[0].subject, "kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doing_twice_is_doing_once() {
    let (digest, other) = ([1; 32], [2; 32]);
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.once("claire", "k", digest).await, Ok(Once::Fresh));
        tx.remember("claire", "k", digest, "{\"id\":1}").await.unwrap();
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.once("claire", "k", digest).await, Ok(Once::Fresh), "rolled back is never done");
        tx.remember("claire", "k", digest, "{\"id\":2}").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.once("claire", "k", digest).await, Ok(Once::Replay("{\"id\":2}".to_owned())));
        assert_eq!(tx.once("claire", "k", other).await, Ok(Once::Mismatch));
        assert_eq!(tx.once("david", "k", other).await, Ok(Once::Fresh), "each scope has its own keys");
        drop(tx);
        assert_eq!(store.forget_replies(Timestamp::from_seconds(1)).await, Ok(0));
        assert_eq!(store.forget_replies(store.clock().now()).await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_does_the_work_and_the_others_hear_its_reply() {
    for (_test, store) in stores().await {
        let tasks: Vec<_> = (0..8)
            .map(|worker| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut tx = store.begin().await.unwrap();
                    let once = tx.once("s", "k", [0; 32]).await.unwrap();
                    if once == Once::Fresh {
                        tx.remember("s", "k", [0; 32], &format!("by {worker}")).await.unwrap();
                        tx.commit().await.unwrap();
                    }
                    once
                })
            })
            .collect();
        let mut replies = Vec::new();
        for task in tasks {
            replies.push(task.await.unwrap());
        }
        replies.retain(|once| *once != Once::Fresh);
        assert_eq!(replies.len(), 7);
        assert!(replies.iter().all(|reply| *reply == replies[0] && matches!(reply, Once::Replay(_))), "{replies:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_keys_is_asked_and_remembered_together() {
    let key = |scope: &str, key: &str, digest| OnceKey { scope: scope.into(), key: key.into(), digest: [digest; 32] };
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        let keys = [key("s", "a", 1), key("s", "b", 2), key("s", "a", 1), key("s", "b", 9), key("t", "a", 5)];
        let asked = tx.once_many(&keys).await.unwrap();
        assert_eq!(asked, [Once::Fresh, Once::Fresh, Once::Twin, Once::Mismatch, Once::Fresh]);
        let replies = [(keys[0].clone(), "A".to_owned()), (keys[1].clone(), "B".to_owned())];
        tx.remember_many(&replies).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let asked = tx.once_many(&keys).await.unwrap();
        let (a, b) = (Once::Replay("A".to_owned()), Once::Replay("B".to_owned()));
        assert_eq!(asked, [a.clone(), b, a, Once::Mismatch, Once::Fresh]);
        assert_eq!(tx.remember_many(&replies).await, Err(StoreError::Busy), "taken by another meanwhile");
        assert_eq!(tx.once_many(&[]).await, Ok(vec![]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_records_are_kept_once() {
    for (_test, store) in stores().await {
        let (trace_id, payload) = ("a1".to_owned(), "{\"action\":\"login\"}".to_owned());
        let record = AuditRecord { id: id(), at: Timestamp::from_seconds(1), trace_id, payload };
        store.audit_many(std::slice::from_ref(&record)).await.unwrap();
        store
            .audit_many(&[record.clone(), AuditRecord { id: id(), at: Timestamp::from_seconds(2), ..record.clone() }])
            .await
            .unwrap();
        assert_eq!(store.dump().await.unwrap()["audit"].len(), 2);
        assert_eq!(store.audited("a1").await.unwrap(), [record.payload.clone(), record.payload]);
        assert_eq!(store.audited("a2").await.unwrap(), [""; 0]);
        assert_eq!(store.forget_audit(Timestamp::from_seconds(2)).await.unwrap(), 1);
        assert_eq!(store.audited("a1").await.unwrap().len(), 1);
    }
}
