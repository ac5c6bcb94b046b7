//! The same key is done once: later, at once, and for one person only.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_creating_operation_is_done_once_for_a_key() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let empty = claire.account_with(&agent, "Empty", "0").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let (euros, reference) = (Currency::EUR, || "x".parse::<vocabulary::Reference>().unwrap());
        let deposit =
            || RequestDeposit { account: account.id, amount: amount("1.00"), currency: euros, reference: reference() };
        let withdraw = || RequestWithdrawal {
            account: account.id,
            amount: amount("1.00"),
            currency: euros,
            reference: reference(),
        };
        let open = || OpenAccount { label: "Third".parse().unwrap(), currency: None };
        macro_rules! once {
            ($key:literal, $operation:expr) => {{
                let first = claire.keyed($key, $operation).await.unwrap().0;
                let before = house.kept().await;
                let second = claire.keyed($key, $operation).await.unwrap().0;
                assert_eq!(first.id, second.id, $key);
                assert_eq!(house.kept().await, before, $key);
            }};
        }
        once!("open", open());
        once!("deposit", deposit());
        once!("withdrawal", withdraw());
        once!("transfer", transfer(account.id, &theirs, "1.00"));
        once!("renewal", RenewIban { id: account.id });
        once!("closing", CloseAccount { id: empty.id });
        assert_eq!(claire.balance(account.id).await, sums("100.00", "2.00", "98.00"));
        is_refused(claire.keyed("deposit", withdraw()).await, 422, "idempotency-key-reused");
        assert_ne!(
            claire.call(deposit()).await.unwrap().0.id,
            claire.call(deposit()).await.unwrap().0.id,
            "without a key"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_the_object_as_it_is_now() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let open = || OpenAccount { label: "Salary".parse().unwrap(), currency: None };
        let account = claire.keyed("k", open()).await.unwrap().0;
        agent.approves(account.request.unwrap().id).await.unwrap();
        let again = claire.keyed("k", open()).await.unwrap().0;
        assert_eq!((again.id, again.state), (account.id, AccountState::Open));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_persons_and_a_refused_ask_does_not_use_it_up() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let hers = claire.account_with(&agent, "Salary", "5.00").await;
        let his = malik.account_with(&agent, "Main", "5.00").await;
        is_refused(claire.keyed("k", transfer(hers.id, &his, "9.00")).await, 422, "insufficient-funds");
        claire.keyed("k", transfer(hers.id, &his, "5.00")).await.unwrap();
        malik.keyed("k", transfer(his.id, &hers, "5.00")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_with_one_key_create_one() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "100.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let asked = join_all((0..20).map(|n| {
            // Every fourth asks for something else under the same key.
            let euros = if n % 4 == 3 { "2.00" } else { "1.00" };
            claire.keyed("k", transfer(account.id, &theirs, euros))
        }))
        .await;
        let done: Vec<_> =
            asked.iter().filter_map(|outcome| outcome.as_ref().ok().map(|created| created.0.id)).collect();
        assert!(done.windows(2).all(|pair| pair[0] == pair[1]), "{done:?}");
        for refused in asked.into_iter().filter(Result::is_err) {
            is_refused(refused, 422, "idempotency-key-reused");
        }
        assert!([5, 15].contains(&done.len()), "{done:?}");
        let mine = claire.call(ListRequests { kind: Some(RequestKind::Transfer), ..ListRequests::default() }).await;
        assert_eq!(mine.unwrap().items.len(), 1);
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}
