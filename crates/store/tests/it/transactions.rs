//! Commit, rollback, and everything that happens in between.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::*;

/// Lets a future be polled so many times and then drops it: a caller that goes away at any moment.
struct Cut<F> {
    future: Pin<Box<F>>,
    polls: u64,
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(cx).map(Some)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_stays_and_what_is_dropped_never_was() {
    for (test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "dropped", 1).await.unwrap();
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "kept", 1).await.unwrap();
        assert_eq!(count(&store).await, 0, "nobody else sees it before the commit");
        tx.commit().await.unwrap();
        assert_eq!(count(&store).await, 1);
        drop(store);
        let store = Store::open(&test.database, MIGRATIONS, Clock::system()).await.unwrap();
        assert_eq!(count(&store).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_waits_for_the_disk() {
    for (_test, store) in stores().await {
        assert_eq!(store.begin().await.unwrap().run(&DURABLE, params![]).await, Ok(Some(true)), "{:?}", store.kind());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_statement_nothing_more_happens() {
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "a", 1).await.unwrap();
        assert!(add(&mut tx, "a", 1).await.unwrap_err().is_constraint("things_name"));
        assert_eq!(add(&mut tx, "b", 1).await, Err(StoreError::Aborted));
        assert_eq!(tx.commit().await, Err(StoreError::Aborted));
        assert_eq!(count(&store).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_has_the_same_name_on_both() {
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "taken", 1).await.unwrap();
        tx.commit().await.unwrap();
        let known: Uuid = {
            let mut tx = store.read().await.unwrap();
            tx.run(&ANY_THING, params![]).await.unwrap().unwrap().get("id").unwrap()
        };
        for (wanted, id, owner, name, amount) in [
            ("things_id", known, None, Some("x"), Some(1_i64)),
            ("things_name", id(), None, Some("taken"), Some(1)),
            ("things_name", id(), None, None, Some(1)),
            ("things_amount", id(), None, Some("x"), None),
            ("things_amount_positive", id(), None, Some("x"), Some(-1)),
            ("foreign_key", id(), Some(id()), Some("x"), Some(1)),
        ] {
            let mut tx = store.begin().await.unwrap();
            let row = params![id, owner, name, None::<&str>, amount, true, None::<Vec<u8>>, 0_i64];
            assert_eq!(
                tx.run(&ADD_THING, row).await,
                Err(StoreError::Constraint(wanted.to_owned())),
                "{:?}",
                store.kind()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_one_snapshot_and_cannot_write() {
    for (_test, store) in stores().await {
        let mut reader = store.read().await.unwrap();
        assert_eq!(reader.run(&COUNT_THINGS, params![]).await.unwrap(), Some(0));
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "later", 1).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(reader.run(&COUNT_THINGS, params![]).await.unwrap(), Some(0));
        assert_eq!(count(&store).await, 1);
        assert!(add(&mut reader, "sneaked in", 1).await.is_err());
        drop(reader);
        assert_eq!(count(&store).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_read_is_stopped_and_the_connection_lives_on() {
    for test in databases().await.unwrap() {
        let limit = Some(Duration::from_millis(100));
        let store = Store::open_with(&test.database, MIGRATIONS, Clock::system(), limit).await.unwrap();
        for _ in 0..3 {
            let mut tx = store.read().await.unwrap();
            assert_eq!(tx.run(&FOREVER, params![]).await, Err(StoreError::TooSlow));
        }
        assert_eq!(count(&store).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_lose_no_update() {
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "counter", 0).await.unwrap();
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    for _ in 0..25 {
                        let mut tx = store.begin().await.unwrap();
                        assert_eq!(tx.run(&MOVE, params!["counter", 1_i64]).await, Ok(1));
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let total = store.read().await.unwrap().run(&TOTAL, params![]).await.unwrap();
        assert_eq!(total, Some(16 * 25));
    }
}

/// Moves one from `left` to `right` and leaves a mark, with a pause at every step.
async fn move_one(store: &Store, mark: &str) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tokio::task::yield_now().await;
    tx.run(&MOVE, params!["left", -1_i64]).await?;
    tokio::task::yield_now().await;
    add(&mut tx, mark, 0).await?;
    tokio::task::yield_now().await;
    tx.run(&MOVE, params!["right", 1_i64]).await?;
    tx.tell("moved", mark);
    tokio::task::yield_now().await;
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_at_any_moment_leaves_nothing_half_done() {
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "left", 1_000_000).await.unwrap();
        add(&mut tx, "right", 0).await.unwrap();
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..8_u64)
            .map(|worker| {
                let store = store.clone();
                let chance = Chance::seeded(worker);
                tokio::spawn(async move {
                    let (mut done, mut cut) = (Vec::new(), 0);
                    for turn in 0..400 {
                        let mark = format!("{worker}-{turn}");
                        let future = Box::pin(move_one(&store, &mark));
                        match (Cut { future, polls: chance.below(24) }).await {
                            Some(Ok(())) => done.push(mark),
                            Some(Err(error)) => panic!("{error}"),
                            None => cut += 1,
                        }
                    }
                    (done, cut)
                })
            })
            .collect();
        let (mut done, mut cut) = (Vec::new(), 0);
        for task in tasks {
            let (some, other) = task.await.unwrap();
            done.extend(some);
            cut += other;
        }
        assert!(cut > 100 && done.len() > 100, "{} done, {cut} cut", done.len());

        // All connections are free again, and every commit that was begun has ended.
        let mut tx = store.begin().await.unwrap();
        tx.run(&MOVE, params!["left", 0_i64]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.read().await.unwrap();
        assert_eq!(tx.run(&TOTAL, params![]).await.unwrap(), Some(1_000_000));
        let rows = tx.run(&ALL_THINGS, params![]).await.unwrap();
        let marks: Vec<String> = rows.iter().map(|row| row.get("name").unwrap()).collect();
        let right = rows.iter().find(|row| row.get("name") == Ok("right".to_owned())).unwrap();
        assert!(done.iter().all(|mark| marks.contains(mark)), "an acknowledged commit is lost");
        assert_eq!(right.get::<i64>("amount").unwrap(), i64::try_from(marks.len()).unwrap() - 2);
        let told = store.outbox_batch(100_000).await.unwrap();
        assert!(told.iter().map(|event| event.seq).eq(1..=i64::try_from(told.len()).unwrap()), "gaps in the outbox");
        assert_eq!(told.len(), marks.len() - 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_given_up_in_the_middle_dooms_its_transaction() {
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        // SQLite answers at the first poll; PostgreSQL cannot.
        let given_up = {
            let row = params!["nobody", 1_i64];
            Cut { future: Box::pin(tx.run(&MOVE, row)), polls: 1 }.await.is_none()
        };
        assert_eq!(given_up, store.kind() == store::Kind::Postgres);
        assert_eq!(tx.commit().await.is_err(), given_up);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_true_while_the_database_is_there() {
    for (test, store) in stores().await {
        store.ping().await.unwrap();
        if let store::Database::Sqlite { path } = &test.database {
            std::fs::rename(path, path.with_extension("gone")).unwrap();
            assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
            std::fs::write(path, "").unwrap();
            assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
            std::fs::rename(path.with_extension("gone"), path).unwrap();
            store.ping().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cut_the_idle_connections_is_found_again() {
    for (_test, store) in stores().await.into_iter().filter(|(test, _)| test.kind() == store::Kind::Postgres) {
        let mut writers = Vec::new();
        for _ in 0..4 {
            writers.push(store.begin().await.unwrap());
        }
        drop(writers);
        assert_eq!(count(&store).await, 0);
        let mut tx = store.begin().await.unwrap();
        tx.run(&CUT_OTHERS, params![]).await.unwrap();
        drop(tx);
        for turn in 0..6 {
            let mut tx = store.begin().await.unwrap();
            add(&mut tx, &format!("{turn}"), 1).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(count(&store).await, turn + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_changed_by_a_newer_program_is_read_after_one_more_try() {
    for (_test, store) in stores().await {
        store.read().await.unwrap().run(&ALL_THINGS, params![]).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.run(&GROW, params![]).await.unwrap();
        tx.commit().await.unwrap();
        let first = store.read().await.unwrap().run(&ALL_THINGS, params![]).await;
        assert!(matches!(first, Ok(_) | Err(StoreError::Busy)), "{first:?}");
        store.read().await.unwrap().run(&ALL_THINGS, params![]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_that_holds_the_file_is_told_as_busy() {
    let test = TestDatabase::sqlite().unwrap();
    let store = Store::open(&test.database, MIGRATIONS, Clock::system()).await.unwrap();
    let store::Database::Sqlite { path } = &test.database else { panic!("not SQLite") };
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("begin immediate").unwrap();
    assert_eq!(store.begin().await.err(), Some(StoreError::Busy));
    assert!(matches!(Store::open(&test.database, MIGRATIONS, Clock::system()).await, Err(StoreError::Locked { .. })));
    assert_eq!(count(&store).await, 0, "readers go on");
    other.execute_batch("rollback").unwrap();
    store.ping().await.unwrap();
}
