//! Mails of a running bank: driven by events, through a relay of their own, whatever dies in between.

#[path = "../../../identity/tests/it/relay.rs"]
#[expect(dead_code, reason = "the tests of identity use more of it")]
mod relay;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::client::Ask;
use crate::process::{Running, Up, eventually};
use relay::{Keys, Relay};

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The settings of a bank whose mails leave there.
fn configured(home: &Path, port: u16, keys: &Keys) -> PathBuf {
    let ca = home.join("mail-ca.pem");
    std::fs::write(&ca, keys.authority()).unwrap();
    let text = format!(
        "[mail]\nrelay = \"localhost:{port}\"\nfrom = \"Bank <no-reply@bank.example>\"\nca = {:?}\n",
        ca.display().to_string()
    );
    let file = home.join("guichet.toml");
    std::fs::write(&file, text).unwrap();
    file
}

async fn register(bank: &Running, login: &str) {
    let newcomer = json!({
        "login": login, "password": "velvet anchor tumbles south", "email": format!("{login}@example.org"),
        "first_name": "Camille", "last_name": "Durand", "language": "en",
    });
    let answer = bank.client().call(Ask::post("/api/auth/register", &newcomer).once(login)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_leaves_once_though_its_relay_was_away_and_the_bank_was_killed() {
    let (home, keys, port) = (tempfile::tempdir().unwrap(), Keys::of("localhost"), free_port());
    let data = home.path().join("data");
    let config = configured(home.path(), port, &keys).display().to_string();
    let up = || Up::in_any_way_on(&data).with(&["--config", &config]).start();
    let bank = up();
    register(&bank, "camille").await;
    eventually("the relay is missed", async || bank.log().contains("mails wait").then_some(())).await;
    bank.kill();

    let mut relay = Relay::with(Some(&keys), &["--port", &port.to_string()]);
    let bank = up();
    eventually("the mail", async || relay.mails().iter().any(|mail| mail.to == ["camille@example.org"]).then_some(()))
        .await;
    register(&bank, "hugo").await;
    eventually("the next", async || relay.mails().iter().any(|mail| mail.to == ["hugo@example.org"]).then_some(()))
        .await;
    let mails = relay.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(mails.iter().all(|mail| mail.encrypted && mail.text().contains(&bank.line.url)), "{mails:?}");
    assert!(bank.terminate().success());
}

#[test]
fn settings_of_mails_are_checked_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("guichet.toml");
    for (text, told) in [
        ("relay = \"smtp.example.org\"\nencryption = \"none\"\nfrom = \"a@b.example\"", "unencrypted"),
        ("relay = \"smtp.example.org\"\nfrom = \"a@b.example\"\nca = \"/nowhere/ca.pem\"", "/nowhere/ca.pem"),
        ("relay = \"smtp.example.org\"\nfrom = \"a@b.example\"\nsecret = \"x\"", "secret"),
    ] {
        std::fs::write(&file, format!("[mail]\n{text}\n")).unwrap();
        let config = file.display().to_string();
        let refused = Up::on(&home.path().join("data")).with(&["--config", &config]).refused();
        assert!(refused.stderr.contains(told), "{refused:?}");
    }
}
