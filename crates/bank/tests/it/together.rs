//! Many at once: nothing is spent twice, nothing is decided twice, and a long random day leaves the books sound.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_never_overdraw_and_exactly_the_affordable_ones_succeed() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let asked = join_all((0..50).map(|_| claire.asks_to_transfer(account.id, &theirs, "7.00"))).await;
        let (done, refused): (Vec<_>, Vec<_>) = asked.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 14, "fourteen times seven is ninety-eight");
        for refused in refused {
            is_refused(refused, 422, "insufficient-funds");
        }
        assert_eq!(claire.balance(account.id).await, sums("100.00", "98.00", "2.00"));
        let approved = join_all(done.iter().map(|request| agent.approves(request.as_ref().unwrap().id))).await;
        assert!(approved.iter().all(Result::is_ok));
        assert_eq!(claire.balance(account.id).await, sums("2.00", "0.00", "2.00"));
        assert_eq!(malik.balance(theirs.id).await, sums("98.00", "0.00", "98.00"));
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_at_once_decide_once() {
    for house in houses().await {
        let claire = house.member("claire");
        let agents: Vec<Person> = (0..8).map(|n| house.agent(&format!("agent{n}"))).collect();
        let account = claire.account_with(&agents[0], "Salary", "100.00").await;
        for round in 0..6 {
            let request = claire.asks_to_withdraw(account.id, "10.00").await.unwrap();
            let approvals = agents.iter().map(|agent| async { agent.approves(request.id).await.is_ok() });
            let (approved, rejected, cancelled) =
                tokio::join!(join_all(approvals), async { agents[round].rejects(request.id).await.is_ok() }, async {
                    claire.cancels(request.id).await.is_ok()
                },);
            let decisions =
                approved.iter().filter(|done| **done).count() + usize::from(rejected) + usize::from(cancelled);
            assert_eq!(decisions, 1);
            let state = claire.reads(request.id).await.state;
            assert_eq!(state == RequestState::Approved, approved.contains(&true));
        }
        let booked = claire.history(account.id).await.len() - 1;
        let approved =
            claire.call(ListRequests { state: Some(RequestState::Approved), ..ListRequests::default() }).await;
        let withdrawals = approved.unwrap().items.iter().filter(|it| it.kind == RequestKind::Withdrawal).count();
        assert_eq!(booked, withdrawals);
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_and_paying_in_at_once_never_buries_money() {
    for house in houses().await {
        let (claire, agent, other) = (house.member("claire"), house.agent("ahmed"), house.agent("olga"));
        for _ in 0..8 {
            let account = claire.account_with(&agent, "Salary", "0").await;
            let (close, deposit) =
                tokio::join!(claire.asks_to_close(account.id), claire.asks_to_deposit(account.id, "1.00"));
            let deposit = deposit.unwrap();
            if let Ok(close) = close {
                let _ = tokio::join!(agent.approves(close.id), other.approves(deposit.id));
            }
            let account = claire.looks_at(account.id).await;
            assert!(account.state == AccountState::Open || account.booked == amount("0"), "{account:?}");
        }
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_one_bank_spend_and_decide_once() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let second = house.second_counter().await;
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let counters = [claire.clone(), claire.at(&second)];
        let keyed = join_all((0..10).map(|n| counters[n % 2].keyed("k", transfer(account.id, &theirs, "2.00")))).await;
        let first = keyed[0].as_ref().unwrap().0.id;
        assert!(keyed.iter().all(|outcome| outcome.as_ref().is_ok_and(|created| created.0.id == first)), "{keyed:?}");
        let asked = join_all((0..20).map(|n| counters[n % 2].asks_to_transfer(account.id, &theirs, "7.00"))).await;
        let done: Vec<Request> = asked.into_iter().filter_map(Result::ok).collect();
        assert_eq!(done.len(), 14);
        let (here, there) = (agent.clone(), agent.at(&second));
        let (one, two) = tokio::join!(
            join_all(done.iter().map(|request| here.approves(request.id))),
            join_all(done.iter().rev().map(|request| there.approves(request.id))),
        );
        assert_eq!(one.iter().chain(&two).filter(|decided| decided.is_ok()).count(), 14);
        assert_eq!(malik.balance(theirs.id).await, sums("98.00", "0.00", "98.00"));
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_one_bank_open_and_expire_at_once_and_tell_it_once() {
    for database in databases().await.unwrap() {
        let start = async |database: &TestDatabase, clock: &Clock, seed: u64| {
            let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
            Bank::start(store, BankConfig::example().unwrap(), Chance::seeded(seed)).await.unwrap()
        };
        let clock = Clock::system();
        tokio::join!(start(&database, &clock, 11), start(&database, &clock, 12));
        let house = house(database).await;
        let other = start(&house.database, &house.clock, 13).await;
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let waiting: Vec<_> = join_all((0..20).map(|_| claire.asks_to_withdraw(account.id, "1.00"))).await;
        assert!(waiting.iter().all(Result::is_ok));
        house.clock.advance(Duration::from_hours(24 * 90));
        let (here, there) = tokio::join!(house.bank.expire_due(), other.expire_due());
        assert_eq!(here.unwrap() + there.unwrap(), 20);
        assert_eq!(claire.balance(account.id).await, sums("100.00", "0.00", "100.00"));
        let told = house.store.outbox_batch(1000).await.unwrap();
        assert!(told.iter().map(|event| event.seq).eq(1..=i64::try_from(told.len()).unwrap()));
        let expired = told.iter().filter(|event| event.payload.contains("EXPIRED")).count();
        assert_eq!(expired, 20);
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

/// One of the many things that somebody may do, right or wrong.
async fn anything(house: &House, people: &[Person], agents: &[Person], known: &[AccountId]) {
    let pick = |bound: usize| usize::try_from(house.chance.below(bound as u64)).unwrap();
    let (person, agent) = (&people[pick(people.len())], &agents[pick(agents.len())]);
    let (account, to) = (known[pick(known.len())], known[pick(known.len())]);
    let euros = format!("{}.{:02}", pick(40), pick(100));
    let waiting = || async {
        let inbox = ListRequests { state: Some(RequestState::Pending), ..ListRequests::default() };
        let items = agent.call(inbox).await.unwrap().items;
        (!items.is_empty()).then(|| items[pick(items.len())].id)
    };
    match pick(12) {
        0 => drop(person.asks_to_deposit(account, &euros).await),
        1 => drop(person.asks_to_withdraw(account, &euros).await),
        2 | 3 => {
            let iban = agent.looks_at(to).await.iban;
            if let Some(iban) = iban {
                drop(person.asks_to_transfer(account, iban, &euros).await);
            }
        }
        4 => drop(person.asks_to_transfer(account, to, &euros).await),
        5 => drop(person.asks_for_another_iban(account).await),
        6 => drop(person.asks_to_close(account).await),
        7 => {
            if let Some(id) = waiting().await {
                let _ = person.cancels(id).await;
            }
        }
        8 => {
            if let Some(id) = waiting().await {
                let _ = agent.rejects(id).await;
            }
        }
        _ => {
            if let Some(id) = waiting().await {
                let _ = agent.approves(id).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_any_number_of_things_in_any_order_the_books_are_sound() {
    let rounds = if std::env::var("GUICHET_PROVE").is_ok() { 400 } else { 25 };
    for house in houses().await {
        let agents = [house.agent("ahmed"), house.agent("olga")];
        let people: Vec<Person> = ["claire", "malik", "noor"].iter().map(|name| house.member(name)).collect();
        let mut known = Vec::new();
        for person in people.iter().chain(&agents[1..]) {
            known.push(person.account_with(&agents[0], "Main", "100.00").await.id);
            known.push(person.account_with(&agents[0], "Other", "20.00").await.id);
        }
        for _ in 0..rounds {
            join_all((0..12).map(|_| anything(&house, &people, &agents, &known))).await;
            house.clock.advance(Duration::from_hours(9));
            house.bank.expire_due().await.unwrap();
        }
        assert_eq!(house.broken().await, Vec::<String>::new());
        for id in &known {
            let (account, history) = (agents[0].looks_at(*id).await, agents[0].history(*id).await);
            assert!(!account.available.is_negative() && !account.pending.is_negative(), "{account:?}");
            assert_eq!(history.first().map(|line| line.balance_after), Some(account.booked));
        }
    }
}
