//! What an attacker leaves behind, or would like to find, in logs, records and files.

use std::path::Path;

use serde_json::json;

use super::{NOTHING, Town, enrol};
use crate::client::Ask;
use crate::people::{PASSWORD, registration, text};

/// Everything in the files below a folder, the signing key itself left out.
fn kept(folder: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kept(&path, into);
        } else if path.extension().is_none_or(|it| it != "key" && it != "pem") {
            // What is replaced while the bank runs is written beside its place first, and gone a moment later.
            match std::fs::read(&path) {
                Ok(bytes) => into.extend(bytes),
                Err(error) => assert!(!path.exists(), "{}: {error}", path.display()),
            }
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_is_recorded_and_no_secret_is() {
    let town = Town::new().await;
    let mut secrets = vec![PASSWORD.to_owned(), town.bank.line.people[0].password.clone()];
    let tokens = town.anyone.call(super::login("basile", PASSWORD, None)).await.expect(200);
    secrets.extend(["access_token", "refresh_token"].map(|name| text(&tokens[name])));
    let browser = json!({ "login": "basile", "password": PASSWORD });
    let browser = town.anyone.post("/api/auth/browser-sessions", &browser).await.expect(201);
    secrets.extend(["secret", "access_token", "device"].map(|name| text(&browser[name])));
    let wish = json!({ "name": "Program", "scopes": ["read"], "days": 30 });
    secrets.push(text(&town.member.client.post("/api/auth/tokens", &wish).await.expect(201)["token"]));
    let typed = "typed where the login goes";
    secrets.push(typed.into());
    town.anyone.call(super::login(typed, "typed too", None)).await.expect(401);
    secrets.push("a-token-in-an-address".into());
    town.anyone.get("/api/accounts/a-token-in-an-address").await;
    let (totp, recovery) = enrol(&town.member).await;
    secrets.extend(recovery);
    secrets.push(totp);

    // Words that would be further lines of a log, or colour it.
    let lines = "x\r\n2026-01-01T00:00:00Z  INFO guichet: FORGED LINE\u{1b}[31m";
    for login in [lines, "\u{1b}]0;title\u{7}", "\u{202e}nimda", "${jndi:ldap://x}", "%n%n%s"] {
        assert!(town.anyone.call(super::login(login, "whatever it is", None)).await.status < 500);
        let newcomer = json!({ "login": login, "password": PASSWORD, "email": "a@example.org",
            "first_name": login, "last_name": login });
        assert_eq!(town.anyone.post("/api/auth/register", &newcomer).await.status, 400);
        let asked = Ask::new("GET", "/api/auth/whoami").header("traceparent", "00-FORGED%0d%0a-01");
        assert_eq!(town.anyone.call(asked.header("user-agent", "FORGED\\r\\n agent")).await.status, 401);
    }

    let mut traces = Vec::new();
    let wish = |account: &str| json!({ "account": account, "amount": "1.00", "currency": "EUR", "reference": "Noted" });
    let account = text(&town.account["id"]);
    for (client, ask, status) in [
        (&town.anyone, Ask::new("GET", "/api/accounts"), 401),
        (&town.anyone, Ask::post("/api/auth/register", &registration("dominique")), 201),
        (&town.member.client, Ask::new("GET", "/api/auth/whoami"), 200),
        (&town.member.client, Ask::new("GET", "/api/auth/users"), 403),
        (&town.member.client, Ask::new("GET", format!("/api/auth/users/{}", town.superuser.id)), 404),
        (&town.member.client, Ask::new("GET", format!("/api/accounts/{NOTHING}")), 404),
        (&town.member.client, Ask::new("GET", "/api/accounts?limit=0"), 400),
        (&town.member.client, Ask::post("/api/withdrawals", &wish(&account)), 201),
        (&town.member.client, Ask::post("/api/withdrawals", &wish(NOTHING)), 404),
        (&town.member.client, Ask::new("GET", "/api/logs"), 200),
        (&town.anyone, Ask::new("GET", "/api/logs"), 401),
        (&town.agent.client, Ask::new("GET", "/api/requests"), 200),
    ] {
        let answer = client.call(ask).await;
        assert_eq!(answer.status, status, "{}", answer.brief());
        assert_eq!(answer.headers["cache-control"], "no-store");
        traces.push(answer.headers["x-trace-id"].to_str().unwrap().to_owned());
    }
    let Town { bank, home, .. } = town;
    let data = bank.line.data_dir.clone();
    let log = bank.log();
    assert!(bank.terminate().success());
    assert!(!log.contains('\u{1b}') && !log.contains("FORGED") && !log.contains("panic"), "{log}");
    let mut files = Vec::new();
    kept(home.path(), &mut files);
    assert!(files.len() > 100_000, "nothing was looked at");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} stands in the log");
        assert!(!holds(&files, secret), "{secret} stands in a file below {}", data.display());
    }
    for trace in &traces {
        assert!(holds(&files, trace), "the call {trace} left no record");
    }
}
