//! Who sees what: what is not one's own does not exist.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_answers_like_what_does_not_exist() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let root = house.person("root", "superuser");
        let account = claire.account_with(&agent, "Salary", "10.00").await;
        let request = claire.asks_to_withdraw(account.id, "1.00").await.unwrap();
        let nobody = AccountId::new(&house.clock, &house.chance);
        for person in [&malik, &root] {
            for id in [account.id, nobody] {
                is_refused(person.call(GetAccount { id }).await, 404, "not-found");
                is_refused(person.call(GetRib { id }).await, 404, "not-found");
                is_refused(person.asks_to_close(id).await, 404, "not-found");
                is_refused(person.asks_for_another_iban(id).await, 404, "not-found");
                is_refused(person.asks_to_deposit(id, "1.00").await, 404, "not-found");
                is_refused(person.asks_to_withdraw(id, "1.00").await, 404, "not-found");
                is_refused(person.asks_to_transfer(id, &account, "1.00").await, 404, "not-found");
                is_refused(person.call(EditAccount { id, label: "Mine".parse().unwrap() }).await, 404, "not-found");
                let lines = ListTransactions { id, from: None, to: None, cursor: None, limit: Limit::default() };
                is_refused(person.call(lines).await, 404, "not-found");
            }
            is_refused(person.call(GetRequest { id: request.id }).await, 404, "not-found");
            is_refused(person.cancels(request.id).await, 404, "not-found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_look_at_clients_accounts_and_do_not_use_them() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "10.00").await;
        assert_eq!(agent.looks_at(account.id).await.holder, "Claire Example");
        assert_eq!(agent.history(account.id).await.len(), 1);
        agent.call(GetRib { id: account.id }).await.unwrap();
        is_refused(agent.asks_to_withdraw(account.id, "1.00").await, 403, "forbidden");
        is_refused(agent.asks_to_transfer(account.id, &account, "1.00").await, 403, "forbidden");
        is_refused(agent.asks_to_close(account.id).await, 403, "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_behind_an_iban_is_told_to_agents_and_the_payee_alone() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "10.00").await;
        let theirs = malik.account_with(&agent, "Main", "0").await;
        let asked = claire.asks_to_transfer(account.id, &theirs, "1.00").await.unwrap();
        assert_eq!((asked.to_name, asked.to_iban.clone()), (None, theirs.iban.clone()));
        assert_eq!(asked.from, Some(account.id));
        let read = agent.reads(asked.id).await;
        assert_eq!((read.to_name.as_deref(), read.maker_name.as_str()), (Some("Malik Example"), "Claire Example"));
        assert_eq!(agent.approves(asked.id).await.unwrap().checker_name.as_deref(), Some("Ahmed Example"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_follow_the_last_token() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let married = house.person_named(claire.id, "claire", "Claire Married", "member");
        married.asks_to_deposit(account.id, "1.00").await.unwrap();
        assert_eq!(agent.looks_at(account.id).await.holder, "Claire Married");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bank_tells_everyone_who_it_is() {
    for house in houses().await {
        let info = house.directory.caller().call(GetBank {}).await.unwrap();
        assert_eq!(
            (info.name.as_str(), info.bank.as_str(), info.branch.as_str()),
            ("Banque du Guichet", "17569", "00001")
        );
        assert_eq!(info.currencies.first(), Some(&Currency::EUR));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_is_never_listed_nor_reached() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        claire.account_with(&agent, "Salary", "10.00").await;
        let listed = agent.call(ListAccounts::default()).await.unwrap().items;
        assert_eq!(listed.len(), 1);
        let cash = house.kept().await["cash"].clone();
        assert_eq!(cash.len(), 6, "one for each currency");
        let euros = cash.iter().find(|row| row.contains("EUR")).unwrap();
        let id: AccountId = euros.trim_matches(['(', ')']).rsplit([',', ' ']).next().unwrap().parse().unwrap();
        is_refused(agent.call(GetAccount { id }).await, 404, "not-found");
        is_refused(agent.asks_to_transfer(listed[0].id, id, "1.00").await, 403, "forbidden");
        is_refused(claire.asks_to_transfer(listed[0].id, id, "1.00").await, 422, "unknown-payee");
    }
}
