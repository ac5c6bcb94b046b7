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
    // What she wants counts when a happening is heard of: those before are told.
    eventually("the deposit is told", async || {
        let told = relay.mails();
        told.iter().any(|mail| mail.header("Subject").ends_with(" : demande approuvée (dépôt)")).then_some(())
    })
    .await;
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

/// A form of the pages.
fn form(path: &str, fields: &[(&str, &str)]) -> Ask {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Ask::new("POST", path).raw("application/x-www-form-urlencoded", fields.join("&"))
}

/// The next mail to this address whose plain text has a link for `page`, and the code of that link.
async fn link(relay: &mut Relay, to: &str, page: &str) -> String {
    eventually("the link", async || {
        let mails = relay.mails();
        let mail = mails.iter().rfind(|mail| mail.to == [to] && mail.plain.contains(page))?;
        let (_, code) = mail.plain.split_once("#code=").unwrap();
        Some(code.split_whitespace().next().unwrap().to_owned())
    })
    .await
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_through_a_link_whose_code_stands_nowhere() {
    let (home, keys) = (tempfile::tempdir().unwrap(), Keys::of("localhost"));
    let mut relay = Relay::start(&keys);
    let config = configured(home.path(), relay.port, &keys).display().to_string();
    let data = home.path().join("data");
    let bank = Up::in_any_way_on(&data).with(&["--config", &config]).start();
    let anyone = bank.client();
    let admin = bank.people("superuser").remove(0);
    let admin = sign_in(&anyone, &admin.login, &admin.password).await;
    let agent = hire(&anyone, &admin, "agathe").await;
    let camille = join(&anyone, &agent, "camille").await;

    // The page answers alike whoever is meant, and whether anybody is.
    let mut answers = Vec::new();
    for who in ["nobody", "camille", "nobody@example.org", "camille@example.org"] {
        let answer = anyone.call(form("/sign-in/forgot", &[("who", who)])).await;
        let mut headers = answer.headers.clone();
        for own in ["date", "x-trace-id", "traceparent"] {
            headers.remove(own);
        }
        answers.push((answer.status, headers, answer.text));
    }
    assert_eq!((answers[0].0, answers[0].1["location"].to_str().unwrap()), (303, "/sign-in/forgot?asked=yes"));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // Of the two that were asked for, the newer one holds.
    let entries = async || admin.client.get("/api/logs?action=PASSWORD_RESET_ASKED").await.expect(200);
    eventually("both were asked for", async || (entries().await["items"].as_array()?.len() == 2).then_some(())).await;
    let mut tried = Vec::new();
    let password = "copper lantern under snowfall";
    let reset =
        |code: &str| form("/sign-in/new-password", &[("token", code), ("new_password", password), ("again", password)]);
    eventually("the link that holds", async || {
        let code = link(&mut relay, "camille@example.org", "/sign-in/new-password#").await;
        if tried.contains(&code) {
            return None;
        }
        tried.push(code.clone());
        let page = anyone.get("/sign-in/new-password").await;
        assert!(page.status == 200 && page.text.contains("data-link-code"), "{page:?}");
        let answer = anyone.call(reset(&code)).await;
        assert!(answer.headers.get("set-cookie").is_none(), "a link signs nobody in: {answer:?}");
        (answer.status == 303).then_some(())
    })
    .await;
    let code = tried.last().unwrap();
    assert_eq!(anyone.call(reset(code)).await.status, 422, "once");
    camille.client.get("/api/auth/whoami").await.problem(401, "unauthorized");
    let old = anyone.call(Ask::new("POST", "/api/auth/login").basic("camille", crate::people::PASSWORD)).await;
    old.problem(401, "sign-in-refused");
    let camille = sign_in(&anyone, "camille", password).await;
    eventually("it is told", async || {
        relay
            .mails()
            .iter()
            .any(|mail| mail.header("Subject").ends_with("votre mot de passe a été remplacé"))
            .then_some(())
    })
    .await;

    // Another address, by the pages' operations: asked for here, confirmed with what went there.
    let wish = json!({ "email": "camille@new.example" });
    camille.client.post("/api/auth/email", &wish).await.expect(204);
    let address = link(&mut relay, "camille@new.example", "/sign-in/new-address#").await;
    let confirmed = anyone.call(form("/sign-in/new-address", &[("token", &address)])).await;
    assert_eq!(confirmed.status, 303, "{confirmed:?}");
    assert_eq!(camille.client.get("/api/auth/profile").await.expect(200)["email"], "camille@new.example");

    // Neither a table, nor the journal, nor a record of calls, nor the log holds what makes a link work.
    assert!(bank.terminate().success());
    for file in files_under(&data) {
        let bytes = std::fs::read(&file).unwrap();
        for code in tried.iter().chain([&address]) {
            assert!(!bytes.windows(code.len()).any(|part| part == code.as_bytes()), "{code} stands in {file:?}");
        }
    }
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
