//! The rules by themselves, against a model so naive that one sees it is right.

use std::collections::{HashMap, HashSet};

use ledger::{HoldState, Refusal, decide};
use proptest::prelude::*;
use store::Uuid;

use super::*;

/// Cash without a limit, two accounts that stop at zero, one with an overdraft, one in another currency.
const FLOORS: [(Currency, Option<i64>); 5] = [
    (Currency::EUR, None),
    (Currency::EUR, Some(0)),
    (Currency::EUR, Some(0)),
    (Currency::EUR, Some(-50)),
    (Currency::USD, Some(0)),
];

fn account(n: u8) -> AccountId {
    AccountId(Uuid::from_u128(n.into()))
}

fn book() -> Book {
    let mut book = Book::new();
    for (n, (currency, floor)) in (0..).zip(FLOORS) {
        book.open_account(account(n), currency, floor).unwrap();
    }
    book
}

/// Accounts as lists of entries, holds as a list; everything else is summed up when it is asked for.
#[derive(Default)]
struct Model {
    entries: Vec<(AccountId, i128)>,
    holds: HashMap<HoldId, (AccountId, i128, bool)>,
    transfers: HashSet<TransferId>,
}

impl Model {
    fn booked(&self, account: AccountId) -> i128 {
        self.entries.iter().filter(|entry| entry.0 == account).map(|entry| entry.1).sum()
    }

    fn held(&self, account: AccountId) -> i128 {
        self.holds.values().filter(|hold| hold.0 == account && hold.2).map(|hold| hold.1).sum()
    }

    fn takes(account: AccountId, amount: Money) -> bool {
        let known = usize::try_from(account.0.as_u128()).ok().and_then(|n| FLOORS.get(n));
        known.is_some_and(|(currency, _)| *currency == amount.currency()) && amount.minor() > 0
    }

    fn fits(&self, account: AccountId) -> bool {
        let floor = FLOORS[usize::try_from(account.0.as_u128()).unwrap()].1;
        let available = self.booked(account) - self.held(account);
        let within = |it: i128| i64::try_from(it).is_ok();
        within(self.booked(account))
            && within(self.held(account))
            && within(available)
            && floor.is_none_or(|floor| available >= floor.into())
    }

    /// Whether the command can be; if so, it is done.
    fn apply(&mut self, command: &Command) -> bool {
        match *command {
            Command::Hold { hold, account, amount } => {
                if !Self::takes(account, amount) || self.holds.contains_key(&hold) {
                    return false;
                }
                self.holds.insert(hold, (account, amount.minor().into(), true));
                let fits = self.fits(account);
                if !fits {
                    self.holds.remove(&hold);
                }
                fits
            }
            Command::Release { hold } => match self.holds.get_mut(&hold) {
                Some((_, _, open)) if *open => {
                    *open = false;
                    true
                }
                _ => false,
            },
            Command::Post { transfer, debit, credit, amount, hold, .. } => {
                let minor = i128::from(amount.minor());
                if !Self::takes(debit, amount) || !Self::takes(credit, amount) || debit == credit {
                    return false;
                }
                if let Some(hold) = hold {
                    if self.holds.get(&hold) != Some(&(debit, minor, true)) {
                        return false;
                    }
                    self.holds.insert(hold, (debit, minor, false));
                }
                self.entries.extend([(debit, -minor), (credit, minor)]);
                let fits = self.fits(debit) && self.fits(credit) && self.transfers.insert(transfer);
                if !fits {
                    self.entries.truncate(self.entries.len() - 2);
                    if let Some(hold) = hold {
                        self.holds.insert(hold, (debit, minor, true));
                    }
                }
                fits
            }
        }
    }
}

fn money() -> impl Strategy<Value = Money> {
    let minor = prop_oneof![20 => 1..60_i64, 1 => -1..1_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let currency = prop_oneof![9 => Just(Currency::EUR), 1 => Just(Currency::USD)];
    (minor, currency).prop_map(|(minor, currency)| Money::new(minor, currency))
}

/// Few ids, so that commands meet; account 5 does not exist.
fn command() -> impl Strategy<Value = Command> {
    let an_account = || (0..6_u8).prop_map(account);
    let a_hold = || (0..6_u128).prop_map(|n| HoldId(Uuid::from_u128(n)));
    let a_transfer = (0..200_u128).prop_map(|n| TransferId(Uuid::from_u128(n)));
    let maybe_hold = prop_oneof![2 => Just(None), 1 => a_hold().prop_map(Some)];
    let at = Timestamp::from_seconds(1);
    prop_oneof![
        2 => (a_hold(), an_account(), prop_oneof![money(), Just(euros(7))])
            .prop_map(|(hold, account, amount)| Command::Hold { hold, account, amount }),
        1 => a_hold().prop_map(|hold| Command::Release { hold }),
        4 => (a_transfer, an_account(), an_account(), prop_oneof![money(), Just(euros(7))], maybe_hold).prop_map(
            move |(transfer, debit, credit, amount, hold)| {
                Command::Post { transfer, debit, credit, amount, hold, at, kind: "transfer" }
            }
        ),
    ]
}

fn commands(most: usize) -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_book_does_what_the_naive_model_does(commands in commands(80)) {
        let (mut book, mut model) = (book(), Model::default());
        for command in &commands {
            prop_assert_eq!(book.apply(command).is_ok(), model.apply(command), "{:?}", command);
            let mut total = 0_i128;
            for (n, (currency, floor)) in (0..).zip(FLOORS) {
                let balance = book.balance(account(n)).unwrap();
                prop_assert_eq!(i128::from(balance.booked().minor()), model.booked(account(n)));
                prop_assert_eq!(i128::from(balance.held().minor()), model.held(account(n)));
                prop_assert!(balance.held().minor() >= 0);
                prop_assert!(floor.is_none_or(|floor| balance.available().minor() >= floor));
                prop_assert_eq!(balance.available(), balance.booked().minus(balance.held()).unwrap());
                if currency == Currency::EUR {
                    total += i128::from(balance.booked().minor());
                }
            }
            prop_assert_eq!(total, 0, "what one account loses another gains");
        }
    }

    #[test]
    fn a_list_happens_whole_or_not_at_all(before in commands(40), list in commands(6)) {
        let mut book = book();
        decide(&mut book, &before);
        let (untouched, mut stepwise) = (book.clone(), book.clone());
        let first = list.iter().find_map(|command| stepwise.apply(command).err());
        prop_assert_eq!(book.apply_all(&list).err(), first);
        prop_assert_eq!(book, if first.is_none() { stepwise } else { untouched });
    }

    #[test]
    fn the_same_commands_in_the_same_order_come_out_the_same(commands in commands(60)) {
        let (mut one, mut two) = (book(), book());
        let outcomes = decide(&mut one, &commands);
        prop_assert_eq!(decide(&mut two, &commands), outcomes.clone());
        prop_assert_eq!(&one, &two);
        // What was refused left no trace: without it the rest comes out the same.
        let done: Vec<Command> =
            commands.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(command, _)| command.clone()).collect();
        let mut three = book();
        prop_assert_eq!(three.apply_all(&done), Ok(()));
        prop_assert_eq!(one, three);
    }
}

fn funded() -> Book {
    let mut book = book();
    book.apply(&post(account(0), account(1), 100)).unwrap();
    book
}

#[test]
fn each_refusal_says_its_reason() {
    let mut book = funded();
    let (hold, amount) = (HoldId(Uuid::from_u128(9)), euros(30));
    let set_aside = Command::Hold { hold, account: account(1), amount };
    book.apply(&set_aside).unwrap();
    let dollars = Command::Hold { hold: id(), account: account(1), amount: Money::new(1, Currency::USD) };
    let use_up = |debit, credit, minor| match post(debit, credit, minor) {
        Command::Post { transfer, debit, credit, amount, at, kind, .. } => {
            Command::Post { transfer, debit, credit, amount, hold: Some(hold), at, kind }
        }
        other => other,
    };
    for (command, refusal) in [
        (post(account(1), account(2), 71), Refusal::Insufficient { available: euros(70) }),
        (post(account(3), account(2), 51), Refusal::Insufficient { available: euros(50) }),
        (post(account(1), account(9), 1), Refusal::UnknownAccount),
        (post(account(1), account(1), 1), Refusal::SameAccount),
        (post(account(1), account(2), 0), Refusal::NotPositive),
        (post(account(1), account(2), i64::MIN), Refusal::NotPositive),
        (post(account(1), account(4), 1), Refusal::CurrencyMismatch),
        (post(account(0), account(1), i64::MAX), Refusal::Overflow),
        (dollars, Refusal::CurrencyMismatch),
        (set_aside, Refusal::HoldExists),
        (Command::Release { hold: id() }, Refusal::UnknownHold),
        (use_up(account(1), account(2), 29), Refusal::HoldMismatch),
        (use_up(account(2), account(1), 30), Refusal::HoldMismatch),
    ] {
        assert_eq!(book.apply(&command), Err(refusal), "{command:?}");
    }
    let transfer = use_up(account(1), account(2), 30);
    book.apply(&transfer).unwrap();
    assert_eq!(book.hold(hold).unwrap().state, HoldState::Posted);
    assert_eq!(book.apply(&transfer), Err(Refusal::TransferExists));
    assert_eq!(book.apply(&Command::Release { hold }), Err(Refusal::HoldResolved));
}

#[test]
fn an_account_is_opened_once_and_at_zero() {
    let mut book = book();
    assert_eq!(book.open_account(account(1), Currency::EUR, None), Err(Refusal::AccountExists));
    assert!(book.open_account(account(7), Currency::EUR, Some(1)).is_err(), "zero is below a floor of one");
    let balance = book.balance(account(3)).unwrap();
    assert_eq!((balance.available(), balance.spendable()), (euros(0), Some(euros(50))));
    assert_eq!(book.balance(account(0)).unwrap().spendable(), None);
}
