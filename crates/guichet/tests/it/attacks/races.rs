//! Doing at once, many times, what may be done once.

use serde_json::{Value, json};

use super::{Town, enrol, next_code};
use crate::client::{Answer, Ask, Client};
use crate::people::{PASSWORD, account_of, text};

const TIMES: usize = 50;

/// Sends the same request on as many connections, all at once.
async fn at_once(clients: Vec<Client>, ask: &Ask) -> Vec<Answer> {
    // Connected before, so that the requests meet and not the handshakes.
    for client in &clients {
        client.get("/health/live").await;
    }
    let calls: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let ask = ask.clone();
            tokio::spawn(async move { client.call(ask).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

fn with(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

fn told(answers: &[Answer]) -> String {
    answers.iter().map(Answer::brief).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_transfers_of_all_there_is_one_is_made() {
    let town = Town::new().await;
    let wish = json!({
        "from": town.account["id"], "to": town.theirs["iban"], "amount": "100.00", "currency": "EUR", "reference": "All",
    });
    let clients = (0..TIMES).map(|_| town.member.client.from([127, 0, 0, 1])).collect();
    let answers = at_once(clients, &Ask::post("/api/transfers", &wish)).await;
    assert_eq!((with(&answers, 201), with(&answers, 422)), (1, TIMES - 1), "{}", told(&answers));
    let account = account_of(&town.member, &town.account).await;
    assert_eq!((&account["booked"], &account["available"]), (&json!("100.00"), &json!("0.00")), "{account}");
    let made = answers.into_iter().find(|answer| answer.status == 201).unwrap().body;
    // And of fifty approvals, one.
    let clients = (0..TIMES).map(|_| town.agent.client.from([127, 0, 0, 1])).collect();
    let approve = Ask::post(format!("/api/requests/{}/approve", text(&made["id"])), &json!({}));
    let decided = at_once(clients, &approve).await;
    assert!(decided.iter().all(|answer| matches!(answer.status, 200 | 409)), "{}", told(&decided));
    let theirs = account_of(&town.other, &town.theirs).await;
    assert_eq!(theirs["booked"], "100.00", "{theirs}");
    let lines = town.other.client.all(&format!("/api/accounts/{}/transactions", text(&town.theirs["id"]))).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_sign_ins_with_one_code_one_succeeds() {
    let town = Town::new().await;
    let (secret, recovery) = enrol(&town.member).await;
    for otp in [next_code(&secret), recovery[0].clone()] {
        // From fifty addresses: what is looked at is the code, not how often an address tries.
        let clients = (0..TIMES).map(|number| town.anyone.from([127, 0, 1, u8::try_from(number).unwrap()])).collect();
        let answers = at_once(clients, &super::login("basile", PASSWORD, Some(&otp))).await;
        assert_eq!(with(&answers, 200), 1, "{}", told(&answers));
        assert!(answers.iter().all(|it| matches!(it.status, 200 | 401 | 429 | 503)), "{}", told(&answers));
        let unlock = format!("/api/auth/users/{}/unlock", town.member.id);
        town.agent.client.post(unlock, &json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_renew_with_one_token_at_most_one_succeeds() {
    let town = Town::new().await;
    let tokens = town.anyone.call(super::login("basile", PASSWORD, None)).await.expect(200);
    let ask = Ask::post("/api/auth/refresh", &json!({ "refresh_token": tokens["refresh_token"] }));
    let answers = at_once((0..TIMES).map(|_| town.anyone.stranger()).collect(), &ask).await;
    assert!(with(&answers, 200) <= 1 && with(&answers, 401) >= TIMES - 1, "{}", told(&answers));
    // Somebody stole it: nobody keeps the session.
    for token in answers.iter().map(|answer| &answer.body["access_token"]).filter(|token| **token != Value::Null) {
        let thief = town.anyone.with_token(text(token));
        let refused = async || (thief.get("/api/accounts").await.status == 401).then_some(());
        assert!(crate::process::heard("a stolen session opens nothing", refused).await.is_some());
    }
    let wish = json!({ "account": town.account["id"], "amount": "1.00", "currency": "EUR", "reference": "Key" });
    let clients = (0..TIMES).map(|_| town.member.client.from([127, 0, 0, 1])).collect();
    let answers = at_once(clients, &Ask::post("/api/deposits", &wish).once("one-key")).await;
    let mut ids: Vec<_> = answers.iter().filter(|it| it.status == 201).map(|it| text(&it.body["id"])).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one key, one deposit: {}", told(&answers));
}
