//! The engine: many callers, one transaction, one answer each.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use ledger::{Desk, Engine, Limits, Refusal, Results, SubmitError};
use store::Transaction;
use tokio::sync::{Notify, Semaphore};

use super::*;

#[derive(Clone, PartialEq, Debug)]
enum Order {
    Move(Command),
    /// Moves money once the gate is open.
    Gated(Command),
    Panic,
    Outage,
    /// Busy as often as the desk says.
    Crowded(Command),
}

#[derive(PartialEq, Debug)]
enum Trouble {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A desk that only moves money, and misbehaves when asked to.
#[derive(Clone)]
struct Counter(Arc<Inside>);

struct Inside {
    entered: Notify,
    gate: Semaphore,
    busy: AtomicU32,
    batches: Mutex<Vec<usize>>,
}

impl Counter {
    fn new() -> Self {
        let (entered, gate) = (Notify::new(), Semaphore::new(0));
        Self(Arc::new(Inside { entered, gate, busy: AtomicU32::new(2), batches: Mutex::default() }))
    }

    fn open_the_gate(&self) {
        self.0.gate.add_permits(100);
    }

    fn batches(&self) -> Vec<usize> {
        self.0.batches.lock().unwrap().clone()
    }
}

impl Desk for Counter {
    type Command = Order;
    type Answer = TransferId;
    type Error = Trouble;

    async fn work(&self, tx: &mut Transaction, batch: &[Order]) -> Results<Self> {
        self.0.batches.lock().unwrap().push(batch.len());
        let mut commands = Vec::new();
        for order in batch {
            match order {
                Order::Move(command) => commands.push(command),
                Order::Gated(command) => {
                    self.0.entered.notify_one();
                    self.0.gate.acquire().await.unwrap().forget();
                    commands.push(command);
                }
                Order::Panic => panic!("asked to"),
                Order::Outage => return Err(StoreError::Unavailable("asked to".to_owned()).into()),
                Order::Crowded(command) => {
                    let busy = self.0.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                    if busy.is_ok() {
                        return Err(StoreError::Busy.into());
                    }
                    commands.push(command);
                }
            }
        }
        let accounts: Vec<AccountId> = commands.iter().flat_map(|command| sides(command).1).collect();
        let mut book = Book::load(tx, &accounts, &[]).await?;
        let results = commands
            .iter()
            .map(|command| book.apply(command).map(|()| sides(command).0).map_err(Trouble::Refused))
            .collect();
        book.save(tx).await?;
        Ok(results)
    }

    fn store_error(error: &Trouble) -> Option<&StoreError> {
        match error {
            Trouble::Store(error) => Some(error),
            Trouble::Refused(_) => None,
        }
    }
}

fn sides(command: &Command) -> (TransferId, [AccountId; 2]) {
    match command {
        Command::Post { transfer, debit, credit, .. } => (*transfer, [*debit, *credit]),
        other => panic!("{other:?} is no transfer"),
    }
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<TransferId, SubmitError<Trouble>>> + Send + 'a>>;

/// Hands a command over; it is in the queue when this returns.
fn handed_over(engine: &Engine<Counter>, order: Order) -> Waiting<'_> {
    let mut waiting: Waiting<'_> = Box::pin(engine.submit(order));
    assert!((&mut waiting).now_or_never().is_none(), "answered before it was done");
    waiting
}

/// An engine that stands inside its first batch until the gate opens.
async fn busy_engine(store: &Store, limits: Limits, first: Command) -> (Counter, Engine<Counter>, TransferId) {
    let desk = Counter::new();
    let engine = Engine::start(store.clone(), desk.clone(), limits);
    let transfer = sides(&first).0;
    assert!(engine.submit(Order::Gated(first)).now_or_never().is_none());
    desk.0.entered.notified().await;
    (desk, engine, transfer)
}

/// How many entries each transfer has in these accounts' histories.
async fn written(store: &Store, accounts: &[AccountId]) -> HashMap<TransferId, u32> {
    let mut tx = store.read().await.unwrap();
    let mut found = HashMap::new();
    for account in accounts {
        for line in ledger::entries(&mut tx, *account, None, None, None, 100_000).await.unwrap() {
            *found.entry(line.transfer).or_default() += 1;
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_whoever_stops_listening() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 4, 1_000).await;
        let desk = Counter::new();
        let engine = Engine::start(store.clone(), desk.clone(), Limits::default());
        let callers = (0..64_u64).map(|caller| {
            let (engine, accounts) = (engine.clone(), accounts.clone());
            tokio::spawn(async move {
                let chance = Chance::seeded(caller);
                let (mut done, mut refused) = (Vec::new(), Vec::new());
                for _ in 0..25 {
                    // One account in nearly every transfer, and some that ask for more than there is.
                    let other = accounts[usize::try_from(1 + chance.below(3)).unwrap()];
                    let minor = i64::try_from(1 + chance.below(400)).unwrap();
                    let command = if chance.below(2) == 0 {
                        post(accounts[0], other, minor)
                    } else {
                        post(other, accounts[0], minor)
                    };
                    let transfer = sides(&command).0;
                    let submitted = engine.submit(Order::Move(command));
                    if chance.below(4) == 0 {
                        drop(submitted.now_or_never());
                        continue;
                    }
                    match submitted.await {
                        Ok(answer) => {
                            assert_eq!(answer, transfer, "another's answer");
                            done.push(transfer);
                        }
                        Err(SubmitError::Refused(Trouble::Refused(Refusal::Insufficient { .. }))) => {
                            refused.push(transfer);
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
                (done, refused)
            })
        });
        let callers: Vec<_> = callers.collect();
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for caller in callers {
            let (its_done, its_refused) = caller.await.unwrap();
            done.extend(its_done);
            refused.extend(its_refused);
        }
        engine.stop().await;
        let written = written(&store, &accounts).await;
        assert!(done.len() > 300 && refused.len() > 10, "{} done, {} refused", done.len(), refused.len());
        assert!(done.iter().all(|transfer| written.get(transfer) == Some(&2)));
        assert!(refused.iter().all(|transfer| !written.contains_key(transfer)));
        assert_eq!(broken(&store).await, Vec::<String>::new());
        assert!(desk.batches().len() < 1_600, "nothing was gathered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_batch_commits_the_next_gathers_up_to_its_limit() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let command = || post(accounts[0], accounts[1], 1);
        let (desk, engine, _) = busy_engine(&store, Limits { batch: 8, queue: 64 }, command()).await;
        let waiting: Vec<Waiting<'_>> = (0..12).map(|_| handed_over(&engine, Order::Move(command()))).collect();
        desk.open_the_gate();
        for answer in waiting {
            answer.await.unwrap();
        }
        assert_eq!(desk.batches(), [1, 8, 4]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_breaks_its_batch_harms_only_itself() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let command = || post(accounts[0], accounts[1], 1);
        let first = command();
        let (desk, engine, _) = busy_engine(&store, Limits::default(), first.clone()).await;
        let mut waiting: Vec<Waiting<'_>> = (0..5).map(|_| handed_over(&engine, Order::Move(command()))).collect();
        // Under the id of a transfer that the database, but not this batch's book, knows.
        let twice = handed_over(&engine, Order::Move(first));
        let panicking = handed_over(&engine, Order::Panic);
        waiting.push(handed_over(&engine, Order::Move(command())));
        desk.open_the_gate();
        assert_eq!(
            twice.await,
            Err(SubmitError::Refused(Trouble::Store(StoreError::Constraint("transfer_id".to_owned()))))
        );
        assert_eq!(panicking.await, Err(SubmitError::Broken));
        for answer in waiting {
            answer.await.unwrap();
        }
        let after = engine.submit(Order::Move(command())).await;
        assert!(after.is_ok(), "the engine lives on: {after:?}");
        let mut tx = store.read().await.unwrap();
        let balances = ledger::balances(&mut tx, &accounts).await.unwrap();
        assert_eq!(balances[&accounts[0]].booked(), euros(92));
        drop(tx);
        assert_eq!(broken(&store).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_queue_is_refused_at_once() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let command = || Order::Move(post(accounts[0], accounts[1], 1));
        let first = post(accounts[0], accounts[1], 1);
        let (desk, engine, _) = busy_engine(&store, Limits { batch: 10, queue: 3 }, first).await;
        let waiting: Vec<Waiting<'_>> = (0..3).map(|_| handed_over(&engine, command())).collect();
        assert_eq!(engine.submit(command()).now_or_never(), Some(Err(SubmitError::Overloaded)));
        desk.open_the_gate();
        for answer in waiting {
            answer.await.unwrap();
        }
        assert!(engine.submit(command()).await.is_ok(), "there is room again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_engine_finishes_what_it_took_and_takes_no_more() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let command = || post(accounts[0], accounts[1], 1);
        let (desk, engine, first) = busy_engine(&store, Limits { batch: 2, queue: 64 }, command()).await;
        let waiting: Vec<Waiting<'_>> = (0..7).map(|_| handed_over(&engine, Order::Move(command()))).collect();
        let mut stopping = Box::pin(engine.stop());
        assert!((&mut stopping).now_or_never().is_none(), "it does not end in the middle");
        assert_eq!(engine.submit(Order::Move(command())).await, Err(SubmitError::Stopped));
        desk.open_the_gate();
        stopping.await;
        let mut done = vec![first];
        for answer in waiting {
            done.push(answer.now_or_never().expect("answered before the end").unwrap());
        }
        let written = written(&store, &accounts).await;
        assert!(done.iter().all(|transfer| written.get(transfer) == Some(&2)));
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_is_told_to_all() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let command = || post(accounts[0], accounts[1], 1);
        let (desk, engine, first) = busy_engine(&store, Limits::default(), command()).await;
        let orders = [Order::Move(command()), Order::Outage, Order::Move(command())];
        let waiting: Vec<Waiting<'_>> = orders.into_iter().map(|order| handed_over(&engine, order)).collect();
        desk.open_the_gate();
        for answer in waiting {
            let outage = Trouble::Store(StoreError::Unavailable("asked to".to_owned()));
            assert_eq!(answer.await, Err(SubmitError::Refused(outage)));
        }
        assert_eq!(desk.batches(), [1, 3], "it is not tried one by one");
        engine.stop().await;
        assert!(written(&store, &accounts[1..]).await.keys().filter(|transfer| **transfer != first).count() == 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_store_is_asked_again() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let desk = Counter::new();
        let engine = Engine::start(store.clone(), desk.clone(), Limits::default());
        assert!(engine.submit(Order::Crowded(post(accounts[0], accounts[1], 1))).await.is_ok());
        assert_eq!(desk.batches(), [1, 1, 1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_leaves_nothing_behind() {
    for (_test, store) in stores().await {
        let (_cash, accounts) = opened(&store, 2, 100).await;
        let before = store.dump().await.unwrap();
        let engine = Engine::start(store.clone(), Counter::new(), Limits::default());
        for (minor, refusal) in [(101, Refusal::Insufficient { available: euros(100) }), (0, Refusal::NotPositive)] {
            let answer = engine.submit(Order::Move(post(accounts[0], accounts[1], minor))).await;
            assert_eq!(answer, Err(SubmitError::Refused(Trouble::Refused(refusal))));
        }
        assert_eq!(store.dump().await.unwrap(), before);
    }
}
