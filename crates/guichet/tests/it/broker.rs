//! The broker of a bank apart: it dies, loses everything, and is back; a service that was sent away loses its user there. Nobody
//! waits for it, and in the end the journal holds all that the sources did, once and in order.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::apart::process;
use crate::client::{Ask, Client};
use crate::people::{Somebody, fund, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up, output};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_and_loses_all_costs_no_event_and_who_is_sent_away_loses_their_user() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let bank = Up::on(&home.path().join("bank")).with(&["--apart"]).start();
    let scene = Scene::open(&bank).await;
    let folder = bank.line.data_dir.clone();
    let mut asked = Vec::new();
    asked.extend(scene.ask(0..5).await);
    // With a broker that is killed, with one whose store is lost too, with a journal that is killed.
    kill(&broker(&folder).unwrap());
    asked.extend(scene.ask(5..12).await);
    kill(&broker_again(&folder).await);
    std::fs::remove_dir_all(folder.join("nats/jetstream")).unwrap();
    asked.extend(scene.ask(12..18).await);
    kill(&process(&folder, "journal").unwrap());
    asked.extend(scene.ask(18..25).await);
    scene.holds_each_once_in_order(&asked).await;
    broker_again(&folder).await;
    the_journals_truths_hold(&bank).await;

    // The authority tells on when the bank has no user any more, and the bank goes on working.
    let pki = folder.join("authority/pki");
    output(&["pki", "revoke", "--service", "monitor", "--dir", pki.to_str().unwrap()]);
    eventually("the authority told over the broker that the monitor was sent away", async || {
        let entries = scene.agent.client.get("/api/logs?action=SERVICE_DISMISSED").await;
        (entries.status == 200 && !entries.body["items"].as_array()?.is_empty()).then_some(())
    })
    .await;
    let user = |name: &str| rights(&folder).contains(&format!("\"CN={name}\""));
    assert!(user("bank"));
    output(&["pki", "revoke", "--service", "bank", "--dir", pki.to_str().unwrap()]);
    eventually("the bank has lost its user", async || (!user("bank")).then_some(())).await;
    eventually("the broker has ended its links", async || {
        let log = std::fs::read_to_string(folder.join("nats/server.log")).unwrap_or_default();
        log.to_lowercase().contains("reloaded: authorization").then_some(())
    })
    .await;
    assert!(user("identity"));
    scene.agent.client.get("/api/auth/whoami").await.expect(200);
    let before = signed_in(&scene.agent.client).await;
    sign_in(&bank.client(), "mara", crate::people::PASSWORD).await;
    eventually("identity tells on", async || (signed_in(&scene.agent.client).await > before).then_some(())).await;
    bank.terminate();
    assert!(broker(&folder).is_none(), "the broker still runs");
}

struct Scene {
    agent: Somebody,
    maker: Somebody,
    from: Value,
    to: Value,
}

impl Scene {
    async fn open(bank: &Running) -> Self {
        let first = bank.people("superuser").remove(0);
        let superuser = sign_in(&bank.client(), &first.login, &first.password).await;
        let agent = hire(&bank.client(), &superuser, "anton").await;
        let maker = join(&bank.client(), &agent, "mara").await;
        let from = open_account(&maker, &agent, "Daily").await;
        let to = open_account(&maker, &agent, "Savings").await;
        fund(&maker, &agent, &from, "100.00").await;
        Self { agent, maker, from, to }
    }

    /// Asks for transfers one after the other; gives the id of each that was answered.
    async fn ask(&self, numbers: std::ops::Range<u32>) -> Vec<String> {
        let mut asked = Vec::new();
        for number in numbers {
            let wish = json!({
                "from": self.from["id"], "to": self.to["id"], "amount": "0.01", "currency": "EUR",
                "reference": format!("number {number}"),
            });
            let ask = Ask::post("/api/transfers", &wish).once(format!("number-{number}"));
            asked.push(text(&self.maker.client.call(ask).await.expect(201)["id"]));
        }
        asked
    }

    async fn holds_each_once_in_order(&self, asked: &[String]) {
        let told = eventually("the journal holds all of it", async || {
            let entries = self.maker.client.get("/api/logs?action=TRANSFER_REQUESTED&limit=100").await;
            let items = entries.body["items"].as_array()?.clone();
            (items.len() >= asked.len()).then_some(items)
        })
        .await;
        // Newest first.
        let told: Vec<String> = told.iter().rev().map(|entry| text(&entry["details"]["request"])).collect();
        assert_eq!(told, asked);
    }
}

async fn signed_in(client: &Client) -> usize {
    let entries = client.get("/api/logs?action=LOGIN&limit=100").await;
    entries.body["items"].as_array().map_or(0, Vec::len)
}

async fn the_journals_truths_hold(bank: &Running) {
    let first = bank.people("superuser").remove(0);
    let superuser = sign_in(&bank.client(), &first.login, &first.password).await;
    let about = ["no gap in any source", "no message had to be set aside"];
    eventually("nothing is missing, and nothing was set aside", async || {
        let status = superuser.client.get("/api/status").await;
        let truths: BTreeMap<String, bool> = truths(&status.body);
        about.iter().all(|name| truths.get(*name) == Some(&true)).then_some(())
    })
    .await;
}

/// Every truth in an answer, wherever it stands.
fn truths(value: &Value) -> BTreeMap<String, bool> {
    let own = value["name"].as_str().zip(value["holds"].as_bool()).map(|(name, holds)| (name.to_owned(), holds));
    let inner = value.as_object().into_iter().flat_map(|map| map.values());
    let inner = inner.chain(value.as_array().into_iter().flatten());
    own.into_iter().chain(inner.flat_map(truths)).collect()
}

fn rights(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("nats/rights.conf")).unwrap()
}

/// The process id of the broker of this bank, while it runs.
fn broker(folder: &Path) -> Option<String> {
    let pid = std::fs::read_to_string(folder.join("nats/nats-server.pid")).ok()?;
    let words = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).ok()?;
    words.contains("nats-server.conf").then(|| pid.trim().to_owned())
}

async fn broker_again(folder: &Path) -> String {
    eventually("the broker is started again", async || broker(folder)).await
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
}

/// The broker's clients and the journal's next instance have waits of their own, of ten seconds together.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..900 {
        looks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
    }
    panic!("not within a minute and a half: {what}");
}
