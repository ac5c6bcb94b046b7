//! What the journal is told: every step, in the transaction that took it, to those whom it concerns.

use contracts::events::{Audience, LogEvent};

use super::*;

/// Everything told so far.
pub(super) async fn told(house: &House) -> Vec<LogEvent> {
    let batch = house.store.outbox_batch(1000).await.unwrap();
    let events = batch.iter().map(|told| {
        let event: LogEvent = serde_json::from_str(&told.payload).unwrap();
        assert_eq!(event.subject(), told.subject);
        event
    });
    events.collect()
}

async fn actions(house: &House) -> Vec<&'static str> {
    told(house).await.iter().map(|event| event.action.name()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_told_once() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        assert_eq!(
            actions(&house).await,
            [
                "OPEN_ACCOUNT_REQUESTED",
                "OPEN_ACCOUNT_APPROVED",
                "DEPOSIT_REQUESTED",
                "DEPOSIT_APPROVED",
                "OPEN_ACCOUNT_REQUESTED",
                "OPEN_ACCOUNT_APPROVED"
            ]
        );
        let before = told(&house).await.len();
        let paid = claire.asks_to_transfer(account.id, &theirs, "30.00").await.unwrap();
        agent.approves(paid.id).await.unwrap();
        let refused = claire.asks_to_withdraw(account.id, "1.00").await.unwrap();
        agent.rejects(refused.id).await.unwrap();
        let renewal = claire.asks_for_another_iban(account.id).await.unwrap();
        claire.cancels(renewal.id).await.unwrap();
        claire.call(EditAccount { id: account.id, label: "Household".parse().unwrap() }).await.unwrap();
        claire.asks_to_deposit(account.id, "1.00").await.unwrap();
        house.clock.advance(Duration::from_hours(31 * 24));
        house.bank.expire_due().await.unwrap();
        assert_eq!(
            actions(&house).await[before..],
            [
                "TRANSFER_REQUESTED",
                "TRANSFER_APPROVED",
                "TRANSFER_RECEIVED",
                "WITHDRAWAL_REQUESTED",
                "WITHDRAWAL_REJECTED",
                "RENEW_IBAN_REQUESTED",
                "RENEW_IBAN_CANCELLED",
                "ACCOUNT_RENAMED",
                "DEPOSIT_REQUESTED",
                "DEPOSIT_EXPIRED"
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_names_who_did_it_whom_it_concerns_and_the_particulars_without_a_whole_iban() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let paid = claire.asks_to_transfer(account.id, &theirs, "30.00").await.unwrap();
        agent.approves(paid.id).await.unwrap();
        let no = claire.asks_to_withdraw(account.id, "1.00").await.unwrap();
        agent.rejects(no.id).await.unwrap();
        let all = told(&house).await;
        let of = |action: &str| all.iter().find(|event| event.action.name() == action).unwrap();
        let approved = of("TRANSFER_APPROVED");
        assert_eq!(approved.audience, Audience::Members);
        assert_eq!(approved.actor.as_ref().map(|it| (it.id, it.login.as_str())), Some((agent.id, "ahmed")));
        assert_eq!(approved.subject.as_ref().map(|it| (it.id, it.login.as_str())), Some((claire.id, "claire")));
        let detail = |event: &LogEvent, name: &str| event.details.get(name).cloned().unwrap_or_default();
        assert_eq!((detail(approved, "amount"), detail(approved, "currency")), ("30.00".to_owned(), "EUR".to_owned()));
        assert_eq!(
            (detail(approved, "account"), detail(approved, "reference")),
            ("Salary".to_owned(), "rent".to_owned())
        );
        assert_eq!(detail(approved, "request"), paid.id.to_string());
        assert_eq!(detail(approved, "to"), theirs.iban.clone().unwrap().masked());
        let received = of("TRANSFER_RECEIVED");
        assert_eq!(received.subject.as_ref().map(|it| it.id), Some(malik.id));
        assert_eq!(
            (detail(received, "from"), detail(received, "account")),
            ("Claire Example".to_owned(), "Main".to_owned())
        );
        assert_eq!(detail(of("WITHDRAWAL_REJECTED"), "reason"), "not today");
        assert_eq!(of("TRANSFER_REQUESTED").actor.as_ref().map(|it| it.id), Some(claire.id));
        assert!(all.iter().all(|event| event.trace_id.as_ref().is_some_and(|id| id.len() == 32)));
        let whole = [account.iban.unwrap(), theirs.iban.unwrap()];
        for event in house.store.outbox_batch(1000).await.unwrap() {
            assert!(whole.iter().all(|iban| !event.payload.contains(iban.as_str())), "{}", event.payload);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_oneself_is_not_received_and_a_refusal_tells_nothing() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let savings = claire.account_with(&agent, "Savings", "0").await;
        let own = claire.asks_to_transfer(account.id, savings.id, "1.00").await.unwrap();
        agent.approves(own.id).await.unwrap();
        assert!(!actions(&house).await.contains(&"TRANSFER_RECEIVED"));
        let before = told(&house).await.len();
        is_refused(claire.asks_to_withdraw(account.id, "100.00").await, 422, "insufficient-funds");
        is_refused(agent.approves(own.id).await, 409, "already-decided");
        assert_eq!(told(&house).await.len(), before);
    }
}
