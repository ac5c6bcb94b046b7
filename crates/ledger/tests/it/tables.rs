//! What the tables keep, and what they refuse.

use ledger::{HoldState, Line};
use store::{Affected, Query, params};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_valid_on_every_database() {
    for (_test, store) in stores().await {
        assert_eq!(store::check::prepare_all(&store, ledger::QUERIES).await, Vec::<String>::new());
        assert_eq!(broken(&store).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_comes_back_as_it_was_saved() {
    for (_test, store) in stores().await {
        let (cash, accounts) = opened(&store, 3, 10000).await;
        let [one, two, three] = accounts[..] else { panic!("three accounts") };
        let (kept, used, freed): (HoldId, HoldId, HoldId) = (id(), id(), id());
        let mut tx = store.begin().await.unwrap();
        let mut book = Book::load(&mut tx, &[one, two, two, id()], &[]).await.unwrap();
        for (hold, minor) in [(kept, 1000), (used, 2000), (freed, 3000)] {
            book.apply(&Command::Hold { hold, account: one, amount: euros(minor) }).unwrap();
        }
        assert!(book.balance(three).is_none());
        book.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(broken(&store).await, Vec::<String>::new());

        // The holds bring their account with them.
        let mut tx = store.begin().await.unwrap();
        let mut book = Book::load(&mut tx, &[two], &[used, freed, id()]).await.unwrap();
        assert_eq!(book.balance(one).unwrap().available(), euros(4000));
        let transfer: TransferId = id();
        let at = Timestamp::from_seconds(2);
        book.apply_all(&[
            Command::Release { hold: freed },
            Command::Post {
                transfer,
                debit: one,
                credit: two,
                amount: euros(2000),
                hold: Some(used),
                at,
                kind: "gift",
            },
        ])
        .unwrap();
        book.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(broken(&store).await, Vec::<String>::new());

        let mut tx = store.begin().await.unwrap();
        let book = Book::load(&mut tx, &[cash], &[kept, used, freed]).await.unwrap();
        let states = [kept, used, freed].map(|hold| book.hold(hold).unwrap().state);
        assert_eq!(states, [HoldState::Open, HoldState::Posted, HoldState::Released]);
        let balance = book.balance(one).unwrap();
        assert_eq!((balance.booked(), balance.held(), balance.available()), (euros(8000), euros(1000), euros(7000)));
        assert_eq!(book.balance(cash).unwrap().booked(), euros(-30000));
        assert_eq!((book.balance(cash).unwrap().floor(), balance.floor()), (None, Some(euros(0))));
        drop(tx);

        let mut tx = store.read().await.unwrap();
        let known = ledger::balances(&mut tx, &[two, id()]).await.unwrap();
        assert_eq!((known.len(), known[&two].booked()), (1, euros(12000)));
        let lines = ledger::entries(&mut tx, one, None, None, None, 10).await.unwrap();
        assert_eq!(lines.len(), 2);
        let expected = Line {
            seq: 2,
            transfer,
            at,
            kind: "gift".to_owned(),
            amount: euros(-2000),
            balance_after: euros(8000),
            other: two,
        };
        assert_eq!(lines[0], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_read_page_by_page_and_by_period() {
    for (_test, store) in stores().await {
        let (cash, accounts) = opened(&store, 1, 0).await;
        let mut tx = store.begin().await.unwrap();
        let mut book = Book::load(&mut tx, &[cash, accounts[0]], &[]).await.unwrap();
        for n in 1..=7 {
            let at = Timestamp::from_seconds(n * 100);
            let amount = euros(n);
            let command = Command::Post {
                transfer: id(),
                debit: cash,
                credit: accounts[0],
                amount,
                hold: None,
                at,
                kind: "deposit",
            };
            book.apply(&command).unwrap();
        }
        book.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = store.read().await.unwrap();
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let page = ledger::entries(&mut tx, accounts[0], None, None, before, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.seq);
            pages.push(page.iter().map(|line| line.amount.minor()).collect::<Vec<_>>());
        }
        assert_eq!(pages, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
        let (from, to) = (Timestamp::from_seconds(200), Timestamp::from_seconds(400));
        let lines = ledger::entries(&mut tx, accounts[0], Some(from), Some(to), None, 10).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.balance_after.minor()).collect::<Vec<_>>(), [6, 3]);
        assert_eq!(ledger::balance_at(&mut tx, accounts[0], from).await, Ok(1));
        assert_eq!(ledger::balance_at(&mut tx, accounts[0], Timestamp::from_seconds(1)).await, Ok(0));
    }
}

const ATTACKS: &str = include_str!("attacks.sql");
macro_rules! attack {
    ($name:literal) => {{
        const QUERY: Query<Affected> = Query::find(ATTACKS, $name);
        &QUERY
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_to_rewrite_the_past_or_break_a_limit() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 5000).await;
        let hold: HoldId = id();
        let mut tx = store.begin().await.unwrap();
        let mut book = Book::load(&mut tx, &accounts, &[]).await.unwrap();
        book.apply(&Command::Hold { hold, account: accounts[0], amount: euros(1) }).unwrap();
        book.apply(&Command::Release { hold }).unwrap();
        book.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let before = store.dump().await.unwrap();
        for (attack, constraint) in [
            (attack!("change_entries"), "entry_append_only"),
            (attack!("delete_entries"), "entry_append_only"),
            (attack!("change_transfers"), "transfer_append_only"),
            (attack!("delete_transfers"), "transfer_append_only"),
            (attack!("reopen_holds"), "hold_resolved_once"),
            (attack!("delete_holds"), "hold_append_only"),
            (attack!("overdraw"), "balance_floor"),
            (attack!("hold_less_than_nothing"), "balance_held"),
        ] {
            let mut tx = store.begin().await.unwrap();
            let refused = tx.run(attack, params![]).await.unwrap_err();
            assert!(refused.is_constraint(constraint), "{} on {}: {refused:?}", attack.name(), store.kind());
        }
        assert_eq!(store.dump().await.unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_names_what_is_broken() {
    for (_test, store) in stores().await {
        opened(&store, 2, 5000).await;
        for (damage, what) in [
            (attack!("raise_a_balance"), "each balance is the sum of its entries"),
            (attack!("hold_without_a_hold"), "what is held is the sum of the open holds"),
            (attack!("post_half"), "the entries of each transfer sum to zero"),
            (attack!("post_half"), "each entry is a side of its transfer"),
            (attack!("post_half"), "all entries of a currency sum to zero"),
            (attack!("post_half"), "each transfer has its two entries"),
            (attack!("post_half"), "each entry continues the balance of the one before"),
        ] {
            let mut tx = store.begin().await.unwrap();
            assert!(tx.run(damage, params![]).await.unwrap() > 0);
            let truths = ledger::verify(&mut tx).await.unwrap();
            assert!(truths.contains(&(what.to_owned(), false)), "{what}: {truths:?}");
        }
        assert_eq!(broken(&store).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_or_a_hold_is_written_once() {
    for (_test, store) in stores().await {
        let (cash, accounts) = opened(&store, 1, 1000).await;
        let transfer = post(cash, accounts[0], 1);
        let hold = Command::Hold { hold: id(), account: accounts[0], amount: euros(1) };
        for (command, constraint) in [(transfer, "transfer_id"), (hold, "hold_id")] {
            let mut done = Vec::new();
            for _ in 0..2 {
                let mut tx = store.begin().await.unwrap();
                let mut book = Book::load(&mut tx, &[cash, accounts[0]], &[]).await.unwrap();
                book.apply(&command).unwrap();
                assert!(book.apply(&command).is_err(), "twice in one book");
                let saved = book.save(&mut tx).await;
                if saved.is_ok() {
                    tx.commit().await.unwrap();
                }
                done.push(saved);
            }
            assert_eq!(done, [Ok(()), Err(StoreError::Constraint(constraint.to_owned()))]);
        }
        assert_eq!(broken(&store).await, Vec::<String>::new());
    }
}
