//! The whole story that a newcomer plays, from the first account to the last refusal.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_day() {
    for house in houses().await {
        let (claire, malik) = (house.member("claire"), house.member("malik"));
        let (agent, other) = (house.agent("ahmed"), house.agent("olga"));

        let account = claire.asks_to_open("Salary", Currency::EUR).await;
        assert_eq!((account.state, account.iban.clone()), (AccountState::Pending, None));
        let opening = account.request.unwrap().id;
        is_refused(claire.approves(opening).await, 403, "forbidden");
        let approved = agent.approves(opening).await.unwrap();
        assert_eq!((approved.state, approved.checker), (RequestState::Approved, Some(agent.id)));
        let account = claire.looks_at(account.id).await;
        let iban = account.iban.clone().unwrap();
        let rib = iban.rib().unwrap();
        assert_eq!(iban.as_str().parse::<Iban>(), Ok(iban.clone()), "check digits and key hold");
        assert_eq!((rib.bank(), rib.branch()), ("17569", "00001"));

        let deposit = claire.asks_to_deposit(account.id, "100.00").await.unwrap();
        assert_eq!(
            claire.balance(account.id).await,
            sums("0.00", "0.00", "0.00"),
            "nothing is in until it is approved"
        );
        agent.approves(deposit.id).await.unwrap();
        assert_eq!(claire.balance(account.id).await, sums("100.00", "0.00", "100.00"));

        let theirs = malik.account_with(&agent, "Main", "0").await;
        let asked = claire.asks_to_transfer(account.id, &theirs, "30.00").await.unwrap();
        assert_eq!(asked.state, RequestState::Pending);
        assert_eq!(claire.balance(account.id).await, sums("100.00", "30.00", "70.00"));
        is_refused(claire.approves(asked.id).await, 403, "forbidden");
        agent.approves(asked.id).await.unwrap();
        is_refused(agent.approves(asked.id).await, 409, "already-decided");
        is_refused(agent.rejects(asked.id).await, 409, "already-decided");

        let hers = agent.account_with(&other, "Own", "50.00").await;
        let own = agent.asks_to_withdraw(hers.id, "10.00").await.unwrap();
        is_refused(agent.approves(own.id).await, 403, "forbidden");
        other.approves(own.id).await.unwrap();

        let (out, incoming) = (claire.history(account.id).await, malik.history(theirs.id).await);
        assert_eq!(
            (out[0].id, out[0].amount, out[0].balance_after),
            (incoming[0].id, amount("-30.00"), amount("70.00"))
        );
        assert_eq!((incoming[0].amount, incoming[0].balance_after), (amount("30.00"), amount("30.00")));
        assert_eq!(incoming[0].counterparty.as_deref(), Some("Claire Example"));
        assert_eq!(out[0].counterparty_iban, theirs.iban);
        assert_eq!(house.broken().await, Vec::<String>::new());

        let before = house.kept().await;
        is_refused(claire.asks_to_withdraw(account.id, "500.00").await, 422, "insufficient-funds");
        assert_eq!(house.kept().await, before, "a refusal leaves nothing behind");

        let first = claire.keyed("k1", transfer(account.id, &theirs, "5.00")).await.unwrap().0;
        let second = claire.keyed("k1", transfer(account.id, &theirs, "5.00")).await.unwrap().0;
        assert_eq!(first.id, second.id);
        assert_eq!(claire.balance(account.id).await, sums("70.00", "5.00", "65.00"));
        let reused = claire.keyed("k1", transfer(account.id, &theirs, "6.00")).await;
        is_refused(reused, 422, "idempotency-key-reused");

        let random = AccountId::new(&house.clock, &house.chance);
        let (unseen, unknown) =
            (malik.call(GetAccount { id: account.id }).await, malik.call(GetAccount { id: random }).await);
        assert_eq!(refusal(unseen), refusal(unknown));
    }
}
