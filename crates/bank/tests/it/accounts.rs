//! Opening, naming and closing accounts.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_opens_when_an_agent_approves_and_in_the_usual_currency_unless_asked() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.call(OpenAccount { label: "Salary".parse().unwrap(), currency: None }).await.unwrap().0;
        assert_eq!((account.currency, account.state), (Currency::EUR, AccountState::Pending));
        assert_eq!((account.owner, account.holder.as_str()), (claire.id, "Claire Example"));
        is_refused(claire.asks_to_deposit(account.id, "1.00").await, 409, "account-not-open");
        is_refused(claire.call(GetRib { id: account.id }).await, 409, "account-not-open");
        is_refused(claire.asks_for_another_iban(account.id).await, 409, "account-not-open");
        is_refused(claire.asks_to_close(account.id).await, 409, "account-not-open");
        let request = claire.reads(account.request.unwrap().id).await;
        assert_eq!((request.kind, request.account, request.from), (RequestKind::OpenAccount, account.id, None));
        agent.approves(request.id).await.unwrap();
        let open = claire.looks_at(account.id).await;
        assert_eq!(open.state, AccountState::Open);
        let rib = claire.call(GetRib { id: account.id }).await.unwrap();
        assert_eq!((rib.holder.as_str(), rib.bank_name.as_str()), ("Claire Example", "Banque du Guichet"));
        assert_eq!(
            rib.iban.as_str(),
            format!("{}{}{}{}{}", &rib.iban.as_str()[..4], rib.bank, rib.branch, rib.account, rib.key)
        );
        assert_eq!((rib.account.len(), rib.key.len(), rib.bic.to_string()), (11, 2, "GUICFRPP".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_that_the_bank_does_not_offer_is_refused() {
    for house in houses().await {
        let claire = house.member("claire");
        let ask = || OpenAccount { label: "Krona".parse().unwrap(), currency: Some(Currency::SEK) };
        is_refused(claire.call(ask()).await, 422, "wrong-currency");
        assert_eq!(field_of(claire.call(ask()).await), "currency");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_or_withdrawn_opening_leaves_a_rejected_account() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let (one, two) =
            (claire.asks_to_open("One", Currency::EUR).await, claire.asks_to_open("Two", Currency::USD).await);
        let refused = agent.rejects(one.request.unwrap().id).await.unwrap();
        assert_eq!((refused.state, refused.reason.as_deref()), (RequestState::Rejected, Some("not today")));
        claire.cancels(two.request.unwrap().id).await.unwrap();
        for id in [one.id, two.id] {
            assert_eq!(claire.looks_at(id).await.state, AccountState::Rejected);
            is_refused(claire.asks_to_deposit(id, "1.00").await, 409, "account-not-open");
        }
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_open_account_is_renamed_and_only_by_its_owner() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let rename = |id, label: &str| EditAccount { id, label: label.parse().unwrap() };
        let waiting = claire.asks_to_open("Waits", Currency::EUR).await;
        is_refused(claire.call(rename(waiting.id, "Other")).await, 409, "account-not-open");
        let account = claire.account_with(&agent, "Salary", "0").await;
        assert_eq!(claire.call(rename(account.id, "Household")).await.unwrap().label.as_str(), "Household");
        assert_eq!(claire.looks_at(account.id).await.label.as_str(), "Household");
        is_refused(agent.call(rename(account.id, "Mine")).await, 403, "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_closes_at_zero_only() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "10.00").await;
        is_refused(claire.asks_to_close(account.id).await, 422, "not-empty");
        let all = claire.asks_to_withdraw(account.id, "10.00").await.unwrap();
        is_refused(claire.asks_to_close(account.id).await, 422, "not-empty");
        agent.approves(all.id).await.unwrap();
        let close = claire.asks_to_close(account.id).await.unwrap();
        assert_eq!((close.kind, close.state), (RequestKind::CloseAccount, RequestState::Pending));
        is_refused(claire.asks_to_close(account.id).await, 422, "not-empty");
        agent.approves(close.id).await.unwrap();
        assert_eq!(claire.looks_at(account.id).await.state, AccountState::Closed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_other_requests_wait_for_is_not_closed() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let full = claire.account_with(&agent, "Savings", "5.00").await;
        let deposit = claire.asks_to_deposit(account.id, "1.00").await.unwrap();
        is_refused(claire.asks_to_close(account.id).await, 422, "not-empty");
        claire.cancels(deposit.id).await.unwrap();
        let own = claire.asks_to_transfer(full.id, account.id, "5.00").await.unwrap();
        is_refused(claire.asks_to_close(account.id).await, 422, "not-empty");
        claire.cancels(own.id).await.unwrap();
        claire.asks_to_close(account.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_is_checked_again_when_it_is_approved() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let close = claire.asks_to_close(account.id).await.unwrap();
        let deposit = claire.asks_to_deposit(account.id, "1.00").await.unwrap();
        is_refused(agent.approves(close.id).await, 422, "not-empty");
        agent.approves(deposit.id).await.unwrap();
        is_refused(agent.approves(close.id).await, 422, "not-empty");
        assert_eq!(claire.reads(close.id).await.state, RequestState::Pending);
        let out = claire.asks_to_withdraw(account.id, "1.00").await.unwrap();
        agent.approves(out.id).await.unwrap();
        agent.approves(close.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_can_neither_send_nor_receive() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let rich = malik.account_with(&agent, "Main", "50.00").await;
        let waiting = malik.asks_to_transfer(rich.id, &account, "20.00").await.unwrap();
        let close = claire.asks_to_close(account.id).await.unwrap();
        agent.approves(close.id).await.unwrap();
        is_refused(claire.asks_to_deposit(account.id, "1.00").await, 409, "account-not-open");
        is_refused(claire.asks_to_withdraw(account.id, "1.00").await, 409, "account-not-open");
        is_refused(claire.asks_to_transfer(account.id, &rich, "1.00").await, 409, "account-not-open");
        is_refused(malik.asks_to_transfer(rich.id, &account, "1.00").await, 422, "unknown-payee");
        is_refused(claire.call(GetRib { id: account.id }).await, 409, "account-not-open");
        is_refused(agent.approves(waiting.id).await, 422, "payee-closed");
        assert_eq!(malik.reads(waiting.id).await.state, RequestState::Pending);
        agent.rejects(waiting.id).await.unwrap();
        assert_eq!(malik.balance(rich.id).await, sums("50.00", "0.00", "50.00"));
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}
