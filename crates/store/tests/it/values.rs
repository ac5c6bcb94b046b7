//! Values, rows and kinds of result.

use store::{StoreError, Value, check, columns, params};
use uuid::Uuid;
use vocabulary::{AccountId, Currency, Timestamp};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_value_comes_back_as_it_went() {
    for (_test, store) in stores().await {
        let (one, two) = (id(), AccountId(id()));
        let at: Timestamp = "2026-11-21T09:30:00.123456Z".parse().unwrap();
        let mut tx = store.begin().await.unwrap();
        let row = params![one, None::<Uuid>, "EUR", Some("é\u{1f600}'\"\\"), i64::MAX, true, vec![0_u8, 255, 1], at];
        assert_eq!(tx.run(&ADD_THING, row).await.unwrap(), 1);
        let row =
            params![two, Some(one), "b", None::<String>, 0_i64, false, None::<Vec<u8>>, Timestamp::from_micros(-1)];
        tx.run(&ADD_THING, row).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.read().await.unwrap();
        let row = tx.run(&GET_THING, params![one]).await.unwrap().unwrap();
        assert_eq!(row.get::<Uuid>("id"), Ok(one));
        assert_eq!(row.get::<Option<Uuid>>("owner"), Ok(None));
        assert_eq!(row.parse::<Currency>("name"), Ok(Currency::EUR));
        assert_eq!(row.get::<Option<String>>("note"), Ok(Some("é\u{1f600}'\"\\".to_owned())));
        assert_eq!(row.get::<i64>("amount"), Ok(i64::MAX));
        assert_eq!(row.get::<bool>("open"), Ok(true));
        assert_eq!(row.get::<Vec<u8>>("secret"), Ok(vec![0, 255, 1]));
        assert_eq!(row.get::<Timestamp>("at"), Ok(at));
        let row = tx.run(&GET_THING, params![two]).await.unwrap().unwrap();
        assert_eq!(row.get::<AccountId>("id"), Ok(two));
        assert_eq!(row.get::<Option<AccountId>>("owner"), Ok(Some(AccountId(one))));
        assert_eq!(row.get::<bool>("open"), Ok(false));
        assert_eq!(row.get::<Option<Vec<u8>>>("secret"), Ok(None));
        assert_eq!(row.get::<Timestamp>("at"), Ok(Timestamp::from_micros(-1)));
        assert!(matches!(row.get::<i64>("name"), Err(StoreError::Row(_))));
        assert!(matches!(row.get::<String>("note"), Err(StoreError::Row(_))));
        assert!(matches!(row.get::<i64>("missing"), Err(StoreError::Row(_))));
        assert!(row.parse::<Currency>("name").is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_bound_by_number_and_each_kind_gives_its_form() {
    for (_test, store) in stores().await {
        let mut tx = store.begin().await.unwrap();
        let row = tx.run(&SWAPPED, params![1_i64, 2_i64]).await.unwrap().unwrap();
        assert_eq!((row.get("first"), row.get("second")), (Ok(1_i64), Ok(2_i64)));
        assert_eq!(tx.run(&GET_THING, params![id()]).await.unwrap(), None);
        assert_eq!(tx.run(&NOTE_OF, params!["a"]).await.unwrap(), None);
        add(&mut tx, "a", 1).await.unwrap();
        add(&mut tx, "b", 2).await.unwrap();
        assert_eq!(tx.run(&NOTE_OF, params!["a"]).await.unwrap(), Some(None));
        assert_eq!(tx.run(&ALL_THINGS, params![]).await.unwrap().len(), 2);
        assert_eq!(tx.run(&TOTAL, params![]).await.unwrap(), Some(3));
        assert!(matches!(tx.run(&ANY_THING, params![]).await, Err(StoreError::Row(_))), "two rows are not one or none");
        tx.run(&CLEAR, params![]).await.unwrap();
        assert_eq!(tx.run(&COUNT_THINGS, params![]).await.unwrap(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_of_parameters_is_an_error() {
    for (_test, store) in stores().await {
        for params in [params![], params![1_i64, 2_i64, 3_i64]] {
            let mut tx = store.read().await.unwrap();
            assert!(tx.run(&SWAPPED, params).await.is_err());
        }
    }
}

/// Linux tells how much memory is in use; with lists that are kept after each question it would be 400 MiB more.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_were_asked_with_do_not_stay_in_memory() {
    let ids: Vec<Uuid> = (0..20_000).map(|_| id()).collect();
    for (_test, store) in stores().await {
        let before = resident();
        for _ in 0..300 {
            let mut tx = store.read().await.unwrap();
            assert!(tx.run(&AMONG, params![ids.clone()]).await.unwrap().is_empty());
        }
        assert!(resident() < before + 150, "{} MiB, then {}", before, resident());
    }
}

/// This process's memory, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_written_set_wise_and_read_by_membership() {
    for (_test, store) in stores().await {
        let ids: Vec<Uuid> = (0..500).map(|_| id()).collect();
        let names: Vec<String> = (0..500).map(|n| format!("{n:03}")).collect();
        let notes: Vec<Option<String>> = (0..500).map(|n| (n % 2 == 0).then(|| format!("note {n}"))).collect();
        let secrets: Vec<Option<Vec<u8>>> = vec![Some(vec![7; 3]); 500];
        let mut tx = store.begin().await.unwrap();
        let times = vec![store.clock().now(); 500];
        let columns = columns![ids.clone(), names, notes, vec![2_i64; 500], vec![true; 500], secrets, times];
        assert_eq!(tx.bulk(&ADD_THINGS, columns).await.unwrap(), 500);
        assert_eq!(tx.run(&TOTAL, params![]).await.unwrap(), Some(1000));
        assert_eq!(tx.run(&NOTE_OF, params!["004"]).await.unwrap(), Some(Some("note 4".to_owned())));
        assert_eq!(tx.run(&NOTE_OF, params!["005"]).await.unwrap(), Some(None));
        let among = tx.run(&AMONG, params![vec![ids[3], ids[499], id()]]).await.unwrap();
        let names: Vec<String> = among.iter().map(|row| row.get("name").unwrap()).collect();
        assert_eq!(names, ["003", "499"]);
        assert!(tx.run(&AMONG, params![Vec::<Uuid>::new()]).await.unwrap().is_empty());
        let nothing = Vec::<i64>::new;
        let empty = columns![
            Vec::<Uuid>::new(),
            Vec::<&str>::new(),
            Vec::<&str>::new(),
            nothing(),
            Vec::<bool>::new(),
            Vec::<Vec<u8>>::new(),
            nothing()
        ];
        assert_eq!(tx.bulk(&ADD_THINGS, empty).await.unwrap(), 0);
        let uneven = columns![vec![id()], Vec::<&str>::new()];
        assert!(matches!(tx.bulk(&ADD_THINGS, uneven).await, Err(StoreError::Row(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_prepared_and_a_broken_one_is_named() {
    const BROKEN: &str = "-- name: fine\nselect 1;\n-- name: broken^\nselect nonsense from nowhere;\n";
    for (_test, store) in stores().await {
        let own = [
            include_str!("../../src/sql/outbox.sql"),
            include_str!("../../src/sql/idempotency.sql"),
            include_str!("../../src/sql/audit.sql"),
        ];
        assert_eq!(check::prepare_all(&store, &[SQL]).await, Vec::<String>::new());
        assert_eq!(check::prepare_all(&store, &own).await, Vec::<String>::new());
        let failures = check::prepare_all(&store, &[BROKEN]).await;
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(failures[0].starts_with("broken on"), "{failures:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_shows_every_row() {
    for (_test, store) in stores().await {
        let before = store.dump().await.unwrap();
        assert_eq!(before.get("things"), Some(&vec![]));
        let mut tx = store.begin().await.unwrap();
        add(&mut tx, "seen", 5).await.unwrap();
        assert_eq!(store.dump().await.unwrap(), before);
        tx.commit().await.unwrap();
        let after = store.dump().await.unwrap();
        assert!(after["things"][0].contains("seen"), "{after:?}");
        assert_eq!(after["outbox_head"].len(), 1);
    }
}

#[test]
fn options_and_identifiers_become_values() {
    assert_eq!(Value::from(None::<Uuid>), Value::Null);
    assert_eq!(Value::from(Some(3_u32)), Value::Int(3));
    assert_eq!(Value::from(Currency::EUR), Value::Text("EUR".to_owned()));
}
