//! What was written past the program is noticed: by the digest, by the truths.

use store::{Affected, Query, params};

use super::*;

const SQL: &str = include_str!("sql/tampering.sql");
pub(super) const DECIDE: Query<Affected> = Query::find(SQL, "decide");
const RAISE: Query<Affected> = Query::find(SQL, "raise");
const RENAME: Query<Affected> = Query::find(SQL, "rename");
const BREAK_IBAN: Query<Affected> = Query::find(SQL, "break_iban");

async fn write(house: &House, query: &Query<Affected>, id: store::Uuid) {
    let mut tx = house.store.begin().await.unwrap();
    assert_eq!(tx.run(query, params![id]).await, Ok(1));
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_changed_in_the_database_is_never_approved_and_rings_an_alarm() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let request = claire.asks_to_deposit(account.id, "1.00").await.unwrap();
        write(&house, &RAISE, request.id.0).await;
        is_refused(agent.approves(request.id).await, 409, "content-changed");
        assert_eq!(claire.balance(account.id).await, sums("0.00", "0.00", "0.00"));
        let told = events::told(&house).await;
        let alarm = told.last().unwrap();
        assert_eq!(
            (alarm.action.name(), alarm.level.name(), alarm.audience.name()),
            ("REQUEST_TAMPERED", "error", "agents")
        );
        assert_eq!(alarm.actor.as_ref().map(|actor| actor.id), Some(agent.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_account_to_open_cannot_be_changed_under_the_agent() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.asks_to_open("Salary", Currency::EUR).await;
        write(&house, &RENAME, account.id.0).await;
        is_refused(agent.approves(account.request.unwrap().id).await, 409, "content-changed");
        assert_eq!(claire.looks_at(account.id).await.state, AccountState::Pending);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_truths_see_a_decision_without_its_funds_and_a_broken_iban() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "10.00").await;
        let request = claire.asks_to_withdraw(account.id, "1.00").await.unwrap();
        assert_eq!(house.broken().await, Vec::<String>::new());
        let mut tx = house.store.begin().await.unwrap();
        tx.run(&DECIDE, params![request.id, agent.id]).await.unwrap();
        tx.run(&BREAK_IBAN, params![account.id]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            house.broken().await,
            ["no funds are held for a request that does not wait", "every open account has a valid IBAN"]
        );
    }
}
