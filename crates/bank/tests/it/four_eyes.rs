//! Nobody decides what they made or benefit from; a decision happens once, on what was read.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_decides_nothing_that_concerns_their_own_accounts() {
    for house in houses().await {
        let (claire, agent, other) = (house.member("claire"), house.agent("ahmed"), house.agent("olga"));
        let own = agent.account_with(&other, "Own", "50.00").await;
        let hers = claire.account_with(&agent, "Salary", "50.00").await;
        let made = agent.asks_to_transfer(own.id, &hers, "1.00").await.unwrap();
        let gains = claire.asks_to_transfer(hers.id, &own, "1.00").await.unwrap();
        for request in [&made, &gains] {
            let before = house.kept().await;
            is_refused(agent.approves(request.id).await, 403, "forbidden");
            is_refused(agent.rejects(request.id).await, 403, "forbidden");
            assert_eq!(house.kept().await, before);
            assert!(!agent.reads(request.id).await.decidable);
            assert!(other.reads(request.id).await.decidable);
            other.approves(request.id).await.unwrap();
            assert!(!other.reads(request.id).await.decidable, "it is decided");
        }
        assert_eq!(house.broken().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_superusers_decide_nothing() {
    for house in houses().await {
        let (claire, malik, root) = (house.member("claire"), house.member("malik"), house.person("root", "superuser"));
        let request = claire.asks_to_open("Salary", Currency::EUR).await.request.unwrap().id;
        for person in [&claire, &malik, &root] {
            is_refused(person.approves(request).await, 403, "forbidden");
            is_refused(person.rejects(request).await, 403, "forbidden");
        }
        assert!(!claire.reads(request).await.decidable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_a_decision_by_the_same_eyes() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let request =
            claire.asks_to_deposit(claire.account_with(&agent, "Salary", "0").await.id, "1.00").await.unwrap();
        let mut tx = house.store.begin().await.unwrap();
        let forced = tx.run(&tampering::DECIDE, store::params![request.id, claire.id]).await;
        assert!(forced.unwrap_err().is_constraint("requests_four_eyes"));
        drop(tx);
        let mut tx = house.store.begin().await.unwrap();
        assert_eq!(tx.run(&tampering::DECIDE, store::params![request.id, agent.id]).await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_binds_what_was_read() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let account = claire.account_with(&agent, "Salary", "0").await;
        let (one, two) = (
            claire.asks_to_deposit(account.id, "1.00").await.unwrap(),
            claire.asks_to_deposit(account.id, "2.00").await.unwrap(),
        );
        assert_ne!(one.digest, two.digest);
        assert_eq!((one.digest.len(), agent.reads(one.id).await.digest), (64, one.digest.clone()));
        let approve = |digest: &str| agent.call(ApproveRequest { id: two.id, digest: Some(digest.to_owned()) });
        is_refused(approve(&one.digest).await, 409, "content-changed");
        is_refused(approve("nonsense").await, 409, "content-changed");
        assert_eq!(agent.reads(two.id).await.state, RequestState::Pending);
        approve(&two.digest.to_uppercase()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_cancelled_by_its_maker_alone_and_once() {
    for house in houses().await {
        let (claire, malik, agent) = (house.member("claire"), house.member("malik"), house.agent("ahmed"));
        let request = claire.asks_to_open("Salary", Currency::EUR).await.request.unwrap().id;
        is_refused(malik.cancels(request).await, 404, "not-found");
        is_refused(agent.cancels(request).await, 403, "forbidden");
        let cancelled = claire.cancels(request).await.unwrap();
        assert_eq!(
            (cancelled.state, cancelled.checker, cancelled.decided_at.is_some()),
            (RequestState::Cancelled, None, true)
        );
        is_refused(claire.cancels(request).await, 409, "already-decided");
        let problem = agent.approves(request).await.unwrap_err();
        assert!(problem.sentence().contains("cancelled"), "it says what became of it: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_request_is_not_found() {
    for house in houses().await {
        let (claire, agent) = (house.member("claire"), house.agent("ahmed"));
        let id = RequestId::new(&house.clock, &house.chance);
        is_refused(agent.approves(id).await, 404, "not-found");
        is_refused(agent.rejects(id).await, 404, "not-found");
        is_refused(claire.cancels(id).await, 404, "not-found");
        is_refused(claire.call(GetRequest { id }).await, 404, "not-found");
    }
}
