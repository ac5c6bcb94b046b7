//! Guessing: who is here, what their password is, and how to guess on when one has to wait, or to make others wait.

use serde_json::{Value, json};

use super::{NOTHING, Town};
use crate::client::{Answer, Ask, Client};
use crate::people::{PASSWORD, registration, text};

const WRONG: &str = "a password that is wrong";
const ATTACKER: [u8; 4] = [127, 0, 0, 66];

/// A login in every state that there is, the first one in none. Each round has its own: whoever is guessed at too often
/// waits, and what is compared is not who waits.
async fn everybody(town: &Town, round: u8) -> Vec<String> {
    let anyone = town.anyone.from([127, 5, 0, round]);
    let mut logins = vec![format!("nobody{round}")];
    for state in ["active", "pending", "disabled", "rejected"] {
        let login = format!("{state}{round}");
        let user = anyone.post("/api/auth/register", &registration(&login)).await.expect(201);
        let step = |step: &str| Ask::post(format!("/api/auth/users/{}/{step}", text(&user["id"])), &json!({}));
        let steps: &[&str] = match state {
            "active" => &["activate"],
            "disabled" => &["activate", "disable"],
            "rejected" => &["reject"],
            _ => &[],
        };
        for name in steps {
            town.agent.client.call(step(name)).await.expect(200);
        }
        logins.push(login);
    }
    logins
}

/// What somebody with this login and this password asks.
type Door = fn(&str, &str) -> Ask;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_never_tells_whether_somebody_is_here() {
    let town = Town::new().await;
    let endless = "x".repeat(129);
    let doors: [(&str, Door); 4] = [
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
        let logins = everybody(&town, number).await;
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

/// Guesses until the login has to wait: the first waits are short, and may be over before the next guess. Each guess comes
/// from another address: it is the login that is counted.
async fn until_it_waits(town: &Town, login: &str, round: u8) -> (usize, Option<Answer>) {
    for number in 0..12 {
        let answer = guess(&town.anyone.from([127, 2, round, number]), login).await;
        if answer.status == 429 {
            return (number.into(), Some(answer));
        }
        assert_eq!(answer.status, 401, "{login}: {}", answer.brief());
    }
    (12, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_waits_and_shuts_nobody_out() {
    let town = Town::new().await;
    let opened =
        town.anyone.post("/api/auth/browser-sessions", &json!({ "login": "basile", "password": PASSWORD })).await;
    let device = text(&opened.expect(201)["device"]);
    for (round, login) in (0..).zip(["basile", "nobody"]) {
        let (free, waiting) = until_it_waits(&town, login, round).await;
        let waiting = waiting.unwrap_or_else(|| panic!("{login} is guessed at without end"));
        assert!(free >= 5 && waiting.headers.contains_key("retry-after"), "{login}: {free} {waiting:?}");
        waiting.problem(429, "too-many-tries");
    }
    // The right password would tell that it is right.
    let right = || Ask::post("/api/auth/login", &json!({ "login": "basile", "password": PASSWORD }));
    let mut refused = false;
    for round in 2..5 {
        until_it_waits(&town, "basile", round).await;
        refused |= town.anyone.call(right()).await.status == 429;
    }
    assert!(refused, "the right password is told from others while the login waits");
    // But the browser that is known comes in, whoever is signed in stays in, and staff can help.
    until_it_waits(&town, "basile", 5).await;
    let known = json!({ "login": "basile", "password": PASSWORD, "device": device });
    town.anyone.post("/api/auth/browser-sessions", &known).await.expect(201);
    town.member.client.get("/api/accounts").await.expect(200);
    until_it_waits(&town, "basile", 6).await;
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
        if tried < 30 && tried % 10 == 5 {
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
        let mut refused = false;
        // The wait is short at first and may end just now; it grows with every guess that is let through.
        for _ in 0..3 {
            while guess(&attacker, &format!("warm{number}")).await.status != 429 {}
            let ask = Ask::post("/api/auth/login", &json!({ "login": format!("claim{number}"), "password": WRONG }));
            let ask = claim.iter().fold(ask, |ask, (name, value)| ask.header(name, *value));
            refused |= attacker.call(ask).await.status == 429;
        }
        assert!(refused, "{claim:?} makes another address of it");
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
