//! `guichet why`: an operator learns what the caller is not told.

use serde_json::Value;

use crate::client::{Ask, Client};
use crate::people::{join, sign_in};
use crate::process::{Up, guichet};

fn why(data_dir: &std::path::Path, trace_id: &str, more: &[&str]) -> (bool, String) {
    let out = guichet(&["why", trace_id, "--data-dir"]).arg(data_dir).args(more).output().unwrap();
    let text = if out.status.success() { out.stdout } else { out.stderr };
    (out.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_learns_why_a_call_was_refused() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let bank = Up::on(&data).start();
    let anyone = bank.client();
    let first = &bank.line.people[0];
    let superuser = sign_in(&anyone, &first.login, &first.password).await;
    let agent = crate::people::hire(&anyone, &superuser, "agathe").await;
    let member = join(&anyone, &agent, "basile").await;
    let refused =
        async |client: &Client, ask: Ask| client.call(ask).await.body["trace_id"].as_str().unwrap().to_owned();
    let group = refused(&member.client, Ask::new("GET", "/api/auth/users")).await;
    let unseen = refused(&agent.client, Ask::new("GET", format!("/api/auth/users/{}", superuser.id))).await;
    let forged = refused(&anyone.with_token("forged"), Ask::new("GET", "/api/accounts")).await;
    bank.terminate();

    let (_, text) = why(&data, &group, &[]);
    for words in [
        "GET /api/auth/users",
        "403 forbidden",
        "agent or superuser",
        "basile",
        "needs agent or superuser, is in member",
    ] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
    let (_, text) = why(&data, &unseen, &["--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told[0]["status"], told[0]["cause"].as_str()), (&404.into(), Some("may not see user")));
    assert_eq!(told[0]["object"], superuser.id);
    let (_, text) = why(&data, &forged, &[]);
    assert!(text.contains("not a token of this issuer") && !text.contains("forged"), "{text}");

    let (found, text) = why(&data, &"0".repeat(32), &[]);
    assert!(!found && text.contains("no decision is recorded"), "{text}");
    let (found, text) = why(&data, "'; drop table audit; --", &[]);
    assert!(!found && text.contains("32 hexadecimal digits"), "{text}");
    let (found, text) = why(&home.path().join("elsewhere"), &group, &[]);
    assert!(!found && text.contains("there is no bank in"), "{text}");
    assert!(!home.path().join("elsewhere").exists(), "asking makes no bank");
}
