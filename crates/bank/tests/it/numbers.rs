//! Account numbers: unique, current or retired for ever.

use std::collections::HashSet;

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_iban_works_no_more_and_the_new_one_does() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let (account, rich) =
            (claire.account_with(&agent, "Salary", "0").await, malik.account_with(&agent, "Main", "50.00").await);
        let (old, renewal) = (account.iban.clone().unwrap(), claire.asks_for_another_iban(account.id).await.unwrap());
        assert_eq!(renewal.kind, RequestKind::RenewIban);
        let waiting = malik.asks_to_transfer(rich.id, old.clone(), "1.00").await.unwrap();
        agent.approves(renewal.id).await.unwrap();
        let new = claire.looks_at(account.id).await.iban.unwrap();
        assert_ne!(new, old);
        is_refused(malik.asks_to_transfer(rich.id, old.clone(), "1.00").await, 422, "unknown-payee");
        malik.asks_to_transfer(rich.id, new.clone(), "1.00").await.unwrap();
        // What was asked before goes to the account that was meant.
        agent.approves(waiting.id).await.unwrap();
        assert_eq!(claire.balance(account.id).await, sums("1.00", "0.00", "1.00"));
        assert_eq!(claire.call(GetRib { id: account.id }).await.unwrap().iban, new);
        let again = claire.asks_for_another_iban(account.id).await.unwrap();
        agent.approves(again.id).await.unwrap();
        assert!(![old, new].contains(&claire.looks_at(account.id).await.iban.unwrap()));
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_opened_at_once_all_have_their_own_number() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let asked = join_all((0..40).map(|n| {
            let claire = claire.clone();
            async move { claire.asks_to_open(&format!("Account {n}"), Currency::EUR).await }
        }))
        .await;
        let opened = join_all(asked.iter().map(|account| agent.approves(account.request.unwrap().id))).await;
        assert!(opened.iter().all(Result::is_ok));
        let mut ibans = HashSet::new();
        for account in &asked {
            ibans.insert(claire.looks_at(account.id).await.iban.unwrap());
        }
        assert_eq!(ibans.len(), 40);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_account_renewed_twice_at_once_has_one_current_number() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let rich = malik.account_with(&agent, "Main", "9.00").await;
        let (one, two) = (
            claire.asks_for_another_iban(account.id).await.unwrap(),
            claire.asks_for_another_iban(account.id).await.unwrap(),
        );
        let (a, b) = tokio::join!(agent.approves(one.id), agent.approves(two.id));
        assert!(a.is_ok() && b.is_ok());
        let now = claire.looks_at(account.id).await;
        malik.asks_to_transfer(rich.id, &now, "1.00").await.unwrap();
        is_refused(malik.asks_to_transfer(rich.id, &account, "1.00").await, 422, "unknown-payee");
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}
