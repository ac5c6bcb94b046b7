//! Mails of a running bank: driven by events, through a relay of their own, whatever dies in between.

#[path = "../../../identity/tests/it/relay.rs"]
#[expect(dead_code, reason = "the tests of identity use more of it")]
mod relay;

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::client::Ask;
use crate::people::{approve, fund, hire, join, open_account, sign_in};
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

/// What happens in the bank reaches people by mail, without amounts, and only what they want.
async fn is_told(up: Up, relay: &mut Relay) {
    let bank = up.start();
    let admin = bank.people("superuser").remove(0);
    let admin = sign_in(&bank.client(), &admin.login, &admin.password).await;
    let agent = hire(&bank.client(), &admin, "agathe").await;
    let (camille, hugo) = (join(&bank.client(), &agent, "camille").await, join(&bank.client(), &agent, "hugo").await);
    let from = open_account(&camille, &agent, "Daily").await;
    let to = open_account(&hugo, &agent, "Savings").await;
    fund(&camille, &agent, &from, "98.76").await;
    let nothing = json!({ "sign_ins": "never", "requests": false, "transfers": true });
    let put = Ask::new("PUT", "/api/auth/mails").json(&nothing);
    assert_eq!(camille.client.call(put).await.expect(200), nothing);
    assert_eq!(camille.client.get("/api/auth/mails").await.expect(200), nothing);
    let wish = json!({
        "from": from["id"], "to": to["iban"], "amount": "43.21", "currency": "EUR",
        "reference": "a secret between us",
    });
    let request = camille.client.post("/api/transfers", &wish).await.expect(201);
    approve(&agent, &request).await;
    let mails = eventually("the transfer is told", async || {
        let mails = relay.mails();
        mails.iter().any(|mail| mail.header("Subject").ends_with("un virement est arrivé")).then_some(mails)
    })
    .await;
    let of = |login: &str, words: &str| {
        let to = [format!("{login}@example.org")];
        mails.iter().filter(|mail| mail.to == to && mail.header("Subject").contains(words)).count()
    };
    let text = |words: &str| format!(" : {words}");
    assert_eq!(
        (of("camille", &text("demande reçue (ouverture")), of("hugo", &text("demande approuvée (ouverture"))),
        (1, 1)
    );
    assert_eq!(
        (of("camille", &text("demande reçue (dépôt)")), of("camille", &text("demande approuvée (dépôt)"))),
        (1, 1)
    );
    assert_eq!(of("camille", "(virement)"), 0, "she does not want those any more");
    assert_eq!((of("hugo", "un virement est arrivé"), of("camille", "un virement est arrivé")), (1, 0));
    for mail in &mails {
        for told in ["98.76", "98,76", "43.21", "43,21", "secret between", "FR76"] {
            assert!(!mail.text().contains(told) && !mail.html.contains(told), "{told}: {mail:?}");
        }
    }
    assert!(bank.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_who_is_paid_hear_of_it_and_no_mail_names_an_amount() {
    let (home, keys) = (tempfile::tempdir().unwrap(), Keys::of("localhost"));
    let mut relay = Relay::start(&keys);
    let config = configured(home.path(), relay.port, &keys).display().to_string();
    is_told(Up::on(&home.path().join("data")).with(&["--config", &config]), &mut relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_whose_services_stand_apart_tells_the_same() {
    let (home, keys) = (tempfile::tempdir().unwrap(), Keys::of("localhost"));
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let mut relay = Relay::start(&keys);
    let config = configured(home.path(), relay.port, &keys).display().to_string();
    is_told(Up::on(&home.path().join("data")).with(&["--config", &config, "--apart"]), &mut relay).await;
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
