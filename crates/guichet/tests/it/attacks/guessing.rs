//! Guessing: who is here, what their password is, and how to guess on when one has to wait, or to make others wait.

use serde_json::{Value, json};

use super::{NOTHING, Town};
use crate::client::{Answer, Ask, Client};
use crate::people::{PASSWORD, join, registration, text};

const WRONG: &str = "a password that is wrong";
const ATTACKER: [u8; 4] = [127, 0, 0, 66];

/// A login in every state that there is, the first one in none.
async fn everybody(town: &Town) -> Vec<String> {
    let logins = ["nobody", "active", "pending", "disabled", "rejected", "locked"];
    for login in &logins[1..] {
        match *login {
            "pending" | "rejected" => {
                let user = town.anyone.post("/api/auth/register", &registration(login)).await.expect(201);
                if *login == "rejected" {
                    let reject = format!("/api/auth/users/{}/reject", text(&user["id"]));
                    town.agent.client.post(reject, &json!({ "reason": "Unknown here" })).await.expect(200);
                }
            }
            _ => {
                let member = join(&town.anyone, &town.agent, login).await;
                if *login == "disabled" {
                    let disable = format!("/api/auth/users/{}/disable", member.id);
                    town.agent.client.post(disable, &json!({})).await.expect(200);
                }
            }
        }
    }
    logins.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_never_tells_whether_somebody_is_here() {
    let town = Town::new().await;
    let logins = everybody(&town).await;
    let endless = "x".repeat(129);
    let doors: [(&str, fn(&str, &str) -> Ask); 4] = [
        ("signing in", |login, password| {
            Ask::post("/api/auth/login", &json!({ "login": login, "password": password }))
        }),
        ("signing in by Basic", |login, password| Ask::new("POST", "/api/auth/login").basic(login, password)),
        ("a browser signing in", |login, password| {
            Ask::post("/api/auth/browser-sessions", &json!({ "login": login, "password": password }))
        }),
        ("asking for lost factors", |login, password| {
            Ask::post("/api/auth/factor-reset", &json!({ "login": login, "password": password }))
        }),
    ];
    let mut wrong = Vec::new();
    for (number, (door, ask)) in (0_u8..).zip(doors) {
        for (round, password) in (0_u8..).zip([WRONG, "", "motdepassé 密码", &endless]) {
            // Each from another address: what is compared is who, not how often.
            let client = town.anyone.from([127, 1, number, round]);
            let mut first = None;
            for login in &logins {
                let answer = client.call(ask(login, password)).await.visible();
                let expected = first.get_or_insert_with(|| answer.clone());
                if *expected != answer {
                    wrong.push(format!("{door} as {login} with {password:.12}…: {answer:?} instead of {expected:?}"));
                }
            }
        }
        // Known and unknown names are counted alike: so that it can be told by waiting neither.
        for login in &logins {
            town.agent.client.post(format!("/api/auth/users/{NOTHING}/unlock"), &json!({})).await;
            let again = town.anyone.from([127, 1, number, 9]).call(ask(login, WRONG)).await;
            assert!(matches!(again.status, 200..=204 | 401 | 429), "{door} as {login}: {}", again.brief());
        }
    }
    assert!(wrong.is_empty(), "{} answers tell who is here:\n{}", wrong.len(), wrong.join("\n"));
    // What somebody may not see is as if it were not, by its id too.
    let paths = [("/api/accounts/", &town.theirs["id"]), ("/api/auth/users/", &Value::Null)];
    for (path, real) in paths {
        let real = real.as_str().unwrap_or(&town.superuser.id);
        let client = &town.member.client;
        let (real, none) = (client.get(format!("{path}{real}")).await, client.get(format!("{path}{NOTHING}")).await);
        assert_eq!((real.status, real.visible()), (404, none.visible()), "{path}");
    }
}

async fn guess(client: &Client, login: &str) -> Answer {
    client.call(Ask::post("/api/auth/login", &json!({ "login": login, "password": WRONG }))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_waits_and_shuts_nobody_out() {
    let town = Town::new().await;
    let opened =
        town.anyone.post("/api/auth/browser-sessions", &json!({ "login": "basile", "password": PASSWORD })).await;
    let device = text(&opened.expect(201)["device"]);
    let mut answers = Vec::new();
    for login in ["basile", "nobody"] {
        // Each guess from another address: it is the login that is counted.
        for number in 0..8 {
            answers.push(guess(&town.anyone.from([127, 2, 0, number]), login).await);
        }
        let waiting = answers.split_off(5);
        assert!(answers.iter().all(|answer| answer.status == 401), "{login}: {answers:?}");
        for answer in &waiting {
            answer.clone().problem(429, "too-many-tries");
            assert!(answer.headers.contains_key("retry-after"));
        }
        answers.clear();
    }
    // The right password would tell that it is right.
    let right = || Ask::post("/api/auth/login", &json!({ "login": "basile", "password": PASSWORD }));
    assert_eq!(town.anyone.call(right()).await.status, 429);
    // But the browser that is known comes in, whoever is signed in stays in, and staff can help.
    let known = json!({ "login": "basile", "password": PASSWORD, "device": device });
    town.anyone.post("/api/auth/browser-sessions", &known).await.expect(201);
    town.member.client.get("/api/accounts").await.expect(200);
    town.agent.client.post(format!("/api/auth/users/{}/unlock", town.member.id), &json!({})).await.expect(204);
    town.anyone.call(right()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_password_for_many_names_ends_soon_whatever_is_done_in_between_or_claimed() {
    let town = Town::new().await;
    let attacker = town.anyone.from(ATTACKER);
    let own = || Ask::post("/api/auth/login", &json!({ "login": "carole", "password": PASSWORD }));
    let mut tried = 0;
    while tried < 100 && guess(&attacker, &format!("person{tried}")).await.status == 401 {
        tried += 1;
        if tried % 10 == 5 {
            attacker.call(own()).await.expect(200);
        }
    }
    assert!((20..=60).contains(&tried), "{tried} names from one address");
    let claims: [&[(&'static str, &str)]; 8] = [
        &[("x-forwarded-for", "192.0.2.7")],
        &[("X-FORWARDED-FOR", "192.0.2.8, 192.0.2.9")],
        &[("x-forwarded-for", "192.0.2.10"), ("x-forwarded-for", "192.0.2.11")],
        &[("x-real-ip", "192.0.2.12")],
        &[("forwarded", "for=192.0.2.13")],
        &[("client-ip", "192.0.2.14"), ("true-client-ip", "192.0.2.14")],
        &[("cf-connecting-ip", "192.0.2.15")],
        &[("x-forwarded-for", "2001:db8::1")],
    ];
    for (number, claim) in claims.into_iter().enumerate() {
        // While it waits. The wait is short at first and grows with every guess that is let through.
        let mut answer = guess(&attacker, &format!("warm{number}")).await;
        while answer.status != 429 {
            answer = guess(&attacker, &format!("warm{number}")).await;
        }
        let ask = Ask::post("/api/auth/login", &json!({ "login": format!("claim{number}"), "password": WRONG }));
        let ask = claim.iter().fold(ask, |ask, (name, value)| ask.header(name, *value));
        assert_eq!(attacker.call(ask).await.status, 429, "{claim:?} makes another address of it");
    }
    // Registering and asking for lost factors are counted for the same address; others are not kept waiting.
    let refused = attacker.post("/api/auth/register", &registration("further")).await;
    assert_eq!(refused.status, 429, "{}", refused.brief());
    town.anyone.call(own()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_sign_ins_is_shed_and_keeps_nobody_else_waiting() {
    let town = Town::new().await;
    for (what, password) in [("1 MiB", "x".repeat(1 << 20)), ("257 characters", "x".repeat(257))] {
        let answer = guess_with(&town.anyone, "basile", &password).await;
        assert!(matches!(answer.status, 400 | 413), "{what}: {}", answer.brief());
    }
    let flood: Vec<_> = (0..200_u8)
        .map(|number| {
            let client = town.anyone.from([127, 3, number / 20, number % 20]);
            tokio::spawn(async move { guess(&client, &format!("flood{number}")).await.status })
        })
        .collect();
    // Some give up in the middle: what they asked for must not be done for nobody.
    let given_up: Vec<_> = (0..20_u8)
        .map(|number| {
            let client = town.anyone.from([127, 4, 0, number]);
            tokio::spawn(async move { guess(&client, "basile").await.status })
        })
        .collect();
    for call in &given_up[..10] {
        call.abort();
    }
    for _ in 0..20 {
        town.member.client.get("/api/accounts").await.expect(200);
        town.anyone.get("/health/live").await.expect(200);
    }
    for call in flood {
        let status = call.await.unwrap();
        assert!(matches!(status, 401 | 429 | 503), "{status}");
    }
}

async fn guess_with(client: &Client, login: &str, password: &str) -> Answer {
    client.call(Ask::post("/api/auth/login", &json!({ "login": login, "password": password }))).await
}
