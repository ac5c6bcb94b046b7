//! What an attacker tries against the running bank, over its own listener and with nothing but the network: the list is in
//! `docs/attacks.md`. `matrix`, `bad_input` and `timing` try the rest of it systematically.
//!
//! Each file begins with the attacks that it holds.

mod browser;
mod door;
mod guessing;
mod races;
mod tokens;
mod traces;

use serde_json::Value;
use vocabulary::{Clock, Timestamp};

use crate::client::{Ask, Client};
use crate::people::{Somebody, fund, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up};

/// Names nothing.
const NOTHING: &str = "01900000-0000-7000-8000-000000000000";

/// A running bank with a superuser, an agent, and two members with an account each; the first one's holds 100.00.
struct Town {
    bank: Running,
    anyone: Client,
    superuser: Somebody,
    agent: Somebody,
    member: Somebody,
    other: Somebody,
    account: Value,
    theirs: Value,
    home: tempfile::TempDir,
}

impl Town {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let bank = Up::in_any_way_on(&home.path().join("data")).set("GUICHET_LOG", "debug").start();
        let anyone = bank.client();
        let first = &bank.line.people[0];
        let superuser = sign_in(&anyone, &first.login, &first.password).await;
        let agent = hire(&anyone, &superuser, "agathe").await;
        let member = join(&anyone, &agent, "basile").await;
        let other = join(&anyone, &agent, "carole").await;
        let account = open_account(&member, &agent, "Every day").await;
        let theirs = open_account(&other, &agent, "Hers").await;
        fund(&member, &agent, &account, "100.00").await;
        Self { bank, anyone, superuser, agent, member, other, account, theirs, home }
    }
}

/// Signs in with what is given.
fn login(login: &str, password: &str, otp: Option<&str>) -> Ask {
    let mut body = serde_json::json!({ "login": login, "password": password });
    if let Some(otp) = otp {
        body["otp"] = otp.into();
    }
    Ask::post("/api/auth/login", &body)
}

/// Sets up an authenticator app; gives its secret and the recovery codes.
async fn enrol(who: &Somebody) -> (String, Vec<String>) {
    let secret = text(&who.client.post("/api/auth/totp", &serde_json::json!({})).await.expect(201)["secret"]);
    let code = crate::timing::code(&secret, now());
    let confirmed = who.client.post("/api/auth/totp/confirm", &serde_json::json!({ "code": code })).await.expect(200);
    (secret, confirmed["recovery_codes"].as_array().unwrap().iter().map(text).collect())
}

/// The code that comes after the one that is shown now: what was confirmed with is used up.
fn next_code(secret: &str) -> String {
    crate::timing::code(secret, now().plus(std::time::Duration::from_secs(30)))
}

fn now() -> Timestamp {
    Clock::system().now()
}
