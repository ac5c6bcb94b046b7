//! Deposits, withdrawals and transfers: what is held, what is booked, what is refused.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn held_funds_are_free_again_when_a_request_is_rejected_cancelled_or_expires() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let rejected = claire.asks_to_transfer(account.id, &theirs, "10.00").await.unwrap();
        let cancelled = claire.asks_to_withdraw(account.id, "20.00").await.unwrap();
        let expired = claire.asks_to_transfer(account.id, &theirs, "30.00").await.unwrap();
        assert_eq!(claire.balance(account.id).await, sums("100.00", "60.00", "40.00"));
        is_refused(claire.asks_to_withdraw(account.id, "40.01").await, 422, "insufficient-funds");
        agent.rejects(rejected.id).await.unwrap();
        claire.cancels(cancelled.id).await.unwrap();
        assert_eq!(claire.balance(account.id).await, sums("100.00", "30.00", "70.00"));
        house.clock.advance(Duration::from_hours(30 * 24));
        is_refused(agent.approves(expired.id).await, 409, "expired");
        is_refused(agent.rejects(expired.id).await, 409, "expired");
        assert!(!agent.reads(expired.id).await.decidable);
        assert_eq!(house.bank.expire_due().await, Ok(1));
        assert_eq!(house.bank.expire_due().await, Ok(0));
        let request = claire.reads(expired.id).await;
        assert_eq!((request.state, request.checker), (RequestState::Expired, None));
        is_refused(agent.approves(expired.id).await, 409, "already-decided");
        assert_eq!(claire.balance(account.id).await, sums("100.00", "0.00", "100.00"));
        assert_eq!(claire.history(account.id).await.len(), 1, "only the deposit was ever booked");
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_opening_leaves_a_rejected_account_and_what_is_young_waits_on() {
    for house in houses().await {
        let claire = house.member("claire");
        let old = claire.asks_to_open("Old", Currency::EUR).await;
        house.clock.advance(Duration::from_hours(30 * 24 - 1));
        let young = claire.asks_to_open("Young", Currency::EUR).await;
        assert_eq!(house.bank.expire_due().await, Ok(0));
        house.clock.advance(Duration::from_hours(1));
        assert_eq!(house.bank.expire_due().await, Ok(1));
        assert_eq!(claire.looks_at(old.id).await.state, AccountState::Rejected);
        assert_eq!(claire.looks_at(young.id).await.state, AccountState::Pending);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_refused_in_words_that_name_what_is_available() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "12.34").await;
        let problem = claire.asks_to_withdraw(account.id, "12.35").await.unwrap_err();
        assert!(problem.sentence().contains("12.34 EUR"), "{problem}");
        assert_eq!(problem.faults()[0].field, "amount");
        claire.asks_to_withdraw(account.id, "12.34").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_stays_within_one_currency() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let dollars = malik.asks_to_open("Dollars", Currency::USD).await;
        agent.approves(dollars.request.unwrap().id).await.unwrap();
        let dollars = malik.looks_at(dollars.id).await;
        is_refused(claire.asks_to_transfer(account.id, &dollars, "1.00").await, 422, "wrong-currency");
        let wrong = || RequestTransfer { currency: Currency::USD, ..transfer(account.id, &dollars, "1.00") };
        is_refused(claire.call(wrong()).await, 422, "wrong-currency");
        assert_eq!(field_of(claire.call(wrong()).await), "currency");
        is_refused(malik.asks_to_deposit(dollars.id, "1.00").await, 422, "wrong-currency");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payee_is_an_own_account_or_a_current_iban_of_this_bank() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let savings = claire.account_with(&agent, "Savings", "0").await;
        let waiting = claire.asks_to_open("Waits", Currency::EUR).await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let ask = |to: To| claire.asks_to_transfer(account.id, to, "1.00");
        is_refused(ask(theirs.id.into()).await, 422, "unknown-payee");
        is_refused(ask(AccountId::new(&house.clock, &house.chance).into()).await, 422, "unknown-payee");
        is_refused(ask(waiting.id.into()).await, 422, "unknown-payee");
        is_refused(ask(account.id.into()).await, 422, "same-account");
        is_refused(ask((&account).into()).await, 422, "same-account");
        is_refused(ask("GB82WEST12345698765432".parse::<Iban>().unwrap().into()).await, 422, "not-our-bank");
        is_refused(ask("FR1420041010050500013M02606".parse::<Iban>().unwrap().into()).await, 422, "not-our-bank");
        let unknown = vocabulary::Rib::new("17569", "00001", "00000000042").unwrap().iban();
        is_refused(ask(unknown.clone().into()).await, 422, "unknown-payee");
        assert_eq!(field_of(ask(unknown.into()).await), "to");
        assert_eq!(claire.balance(account.id).await, sums("100.00", "0.00", "100.00"));
        let own = ask(savings.id.into()).await.unwrap();
        assert_eq!((own.to.clone(), own.to_iban.clone()), (Some(Payee::Account(savings.id)), savings.iban.clone()));
        assert_eq!(own.to_name.as_deref(), Some("Claire Example"));
        ask((&savings).into()).await.unwrap();
        agent.approves(own.id).await.unwrap();
        assert_eq!(claire.balance(savings.id).await, sums("1.00", "0.00", "1.00"));
        let line = &claire.history(savings.id).await[0];
        assert_eq!((line.kind, line.counterparty_iban.clone()), (RequestKind::Transfer, account.iban.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_shows_each_booking_with_the_balance_after_it_newest_first() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        house.clock.advance(Duration::from_hours(24));
        let out = claire.asks_to_withdraw(account.id, "30.00").await.unwrap();
        agent.approves(out.id).await.unwrap();
        claire.asks_to_withdraw(account.id, "5.00").await.unwrap();
        let lines = claire.history(account.id).await;
        let shown: Vec<_> = lines.iter().map(|it| (it.kind, written(it.amount), written(it.balance_after))).collect();
        assert_eq!(
            shown,
            [
                (RequestKind::Withdrawal, "-30.00".to_owned(), "70.00".to_owned()),
                (RequestKind::Deposit, "100.00".to_owned(), "100.00".to_owned())
            ]
        );
        assert_eq!((lines[0].request, lines[0].reference.as_str()), (out.id, "cash"));
        assert_eq!(
            (lines[0].counterparty.clone(), lines[0].counterparty_iban.clone()),
            (None, None),
            "cash has no name"
        );
        let days = |from: &str, to: &str| ListTransactions {
            id: account.id,
            from: Some(from.parse().unwrap()),
            to: Some(to.parse().unwrap()),
            cursor: None,
            limit: Limit::default(),
        };
        let on = |page: contracts::Page<Transaction>| page.items.iter().map(|it| it.kind).collect::<Vec<_>>();
        assert_eq!(on(claire.call(days("2026-11-21", "2026-11-21")).await.unwrap()), [RequestKind::Deposit]);
        assert_eq!(on(claire.call(days("2026-11-22", "2026-11-30")).await.unwrap()), [RequestKind::Withdrawal]);
        assert!(on(claire.call(days("2026-11-23", "2026-11-30")).await.unwrap()).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_holds_no_more_than_can_be_written() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "999999999999.98").await;
        let one = claire.asks_to_deposit(account.id, "0.01").await.unwrap();
        let two = claire.asks_to_deposit(account.id, "0.02").await.unwrap();
        is_refused(agent.approves(two.id).await, 422, "too-much");
        agent.approves(one.id).await.unwrap();
        is_refused(agent.approves(two.id).await, 422, "too-much");
        assert_eq!(claire.balance(account.id).await, sums("999999999999.99", "0.00", "999999999999.99"));
        agent.rejects(two.id).await.unwrap();
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}
