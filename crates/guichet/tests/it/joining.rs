//! Services of a bank apart have their certificates from its authority: they renew themselves while the bank works, a
//! service that was sent away is out within a minute, and a token that was used lets nobody in.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aaa::Directory;
use contracts::authority::GetLists;
use pki::{Identity, Link, Trust};
use serde_json::Value;
use vocabulary::{Chance, Clock};

use crate::people::sign_in;
use crate::process::{Running, Up, eventually, guichet, output};

/// Longer than certificates of 20 seconds take to be renewed twice.
const ROUNDS: usize = 600;

struct Bank {
    running: Running,
    _home: tempfile::TempDir,
}

impl Bank {
    fn start(life: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
        let running = Up::on(&home.path().join("bank")).with(&["--apart", "--certificate-life", life]).start();
        Self { running, _home: home }
    }

    fn folder(&self) -> &Path {
        &self.running.line.data_dir
    }

    fn pki(&self) -> String {
        self.folder().join("authority/pki").display().to_string()
    }

    fn authority(&self) -> String {
        let settings = std::fs::read_to_string(self.folder().join("authority/node.toml")).unwrap();
        let listen = settings.lines().find_map(|line| line.strip_prefix("listen = \"")).unwrap();
        format!("https://localhost:{}", listen.trim_end_matches('"').rsplit(':').next().unwrap())
    }

    fn token(&self, service: &str, further: &[&str]) -> String {
        let (pki, authority) = (self.pki(), self.authority());
        let args = ["pki", "token", "--service", service, "--dir", &pki, "--authority", &authority];
        output(&[args.as_slice(), further].concat()).trim().to_owned()
    }

    fn serial(&self, service: &str) -> String {
        let file = self.folder().join(service).join("tls").join(format!("{service}.pem"));
        let shown: Value = serde_json::from_str(&output(&["pki", "show", "--json", file.to_str().unwrap()])).unwrap();
        shown[0]["sections"][0]["serial"].as_str().unwrap().to_owned()
    }

    /// The numbers of the sessions that a service holds at the database.
    fn sessions(&self, service: &str) -> Vec<u32> {
        let title = format!("postgres: {service} guichet_{service}");
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ours = self.postmaster();
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let read = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap_or_default();
                let parent = read("stat").rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok());
                read("cmdline").starts_with(&title) && parent == Some(ours)
            })
            .collect()
    }

    fn postmaster(&self) -> u32 {
        let file = std::fs::read_to_string(self.folder().join("postgres/data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_renew_themselves_under_way_and_no_request_fails() {
    let bank = Bank::start("20s");
    let first = bank.running.people("superuser").remove(0);
    let superuser = sign_in(&bank.running.client(), &first.login, &first.password).await;
    let services = ["identity", "bank", "journal", "monitor", "web"];
    let before: Vec<String> = services.iter().map(|service| bank.serial(service)).collect();
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(100));
    let mut renewed = vec![0; services.len()];
    let broker = Broker::beside(&bank);
    let mut last = before.clone();
    for round in 0.. {
        looks.tick().await;
        for path in ["/api/auth/whoami", "/api/logs", "/api/requests"] {
            superuser.client.get(path).await.expect(200);
        }
        if round % 10 == 0 {
            for (place, service) in services.iter().enumerate() {
                let now = bank.serial(service);
                if now != last[place] {
                    renewed[place] += 1;
                    last[place] = now;
                }
            }
        }
        if renewed.iter().all(|times| *times >= 2) && broker.times_told() >= 3 {
            break;
        }
        assert!(round < ROUNDS, "renewed {renewed:?} times");
    }
    // Every certificate that was signed stands in the journal.
    let signed = eventually("the journal hears what the authority did", async || {
        let entries = superuser.client.get("/api/logs?action=CERTIFICATE_ISSUED&limit=100").await.expect(200);
        let items = entries["items"].as_array()?.clone();
        (items.len() >= 15).then_some(items)
    })
    .await;
    assert!(signed.iter().all(|entry| entry["source"] == "authority"), "{signed:?}");
}

/// A program that is not ours, with certificates that are kept beside it.
struct Broker {
    keeper: Child,
    told: PathBuf,
}

impl Broker {
    fn beside(bank: &Bank) -> Self {
        let folder = bank.folder().join("broker");
        let told = folder.join("told");
        let mut command = guichet(&["pki", "keep", "--service", "broker", "--folder", folder.to_str().unwrap()]);
        command.arg("--join").arg(bank.token("broker", &["--life", "20s"]));
        // What a reload would find: a pair that fits, and the authority.
        let openssl = format!(
            "cd '{}' && openssl verify -CAfile ca.pem -untrusted broker.pem broker.pem && \
             [ \"$(openssl x509 -in broker.pem -noout -pubkey)\" = \"$(openssl pkey -in broker-key.pem -pubout)\" ] && \
             echo told >> told",
            folder.display()
        );
        Self { keeper: command.args(["--then", &openssl]).spawn().unwrap(), told }
    }

    fn times_told(&self) -> usize {
        std::fs::read_to_string(&self.told).unwrap_or_default().lines().count()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_sent_away_is_out_on_standing_links_and_at_the_database() {
    let bank = Bank::start("24h");
    // Somebody has the bank's key: its link to the authority stands.
    let folder = bank.folder().join("bank/tls");
    let ca = std::fs::read_to_string(folder.join("ca.pem")).unwrap();
    let identity = Identity::open(&folder, "bank").unwrap();
    let link = Link::new(identity, Trust::of(&ca).unwrap(), &Clock::system()).unwrap();
    let way = chassis::elsewhere("authority", &[bank.authority()], &link, Chance::system()).unwrap();
    let directory = Directory::default();
    directory.set("authority", way.transport());
    directory.caller().call(GetLists {}).await.unwrap();
    let sessions = bank.sessions("bank");
    assert!(!sessions.is_empty(), "the bank holds no session at the database");

    output(&["pki", "revoke", "--service", "bank", "--reason", "key-compromise", "--dir", &bank.pki()]);
    within_a_minute("the standing link is closed, and a new one refused", async || {
        directory.caller().call(GetLists {}).await.is_err()
    })
    .await;
    within_a_minute("the database has ended its sessions", async || {
        let now = bank.sessions("bank");
        !sessions.iter().any(|session| now.contains(session))
    })
    .await;
    within_a_minute("the others believe it no more", async || {
        bank.running.client().get("/health/ready").await.status == 503
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_sent_away_comes_back_by_hand_and_not_by_itself() {
    let bank = Bank::start("20s");
    let (pki, serial) = (bank.pki(), bank.serial("monitor"));
    output(&["pki", "revoke", "--service", "monitor", "--dir", &pki]);
    let remedy = format!("guichet pki token --service monitor --dir {pki}");
    within_a_minute("the bank says who was sent away, once its certificate has ended", async || {
        let log = bank.running.log();
        log.lines().any(|line| line.contains("monitor was sent away on") && line.contains(&remedy))
    })
    .await;
    let put = bank.folder().join("monitor/join-token");
    assert!(!put.exists(), "it was invited again");
    assert_eq!(bank.running.client().get("/health/ready").await.status, 503);
    std::fs::write(&put, bank.token("monitor", &["--life", "20s"])).unwrap();
    within_a_minute("it is back", async || bank.running.client().get("/health/ready").await.status == 200).await;
    assert_ne!(bank.serial("monitor"), serial);

    output(&["pki", "revoke", "--service", "monitor", "--dir", &pki]);
    let folder = bank.folder().to_owned();
    bank.running.terminate();
    let refused = Up::on(&folder).with(&["--apart"]).refused();
    assert!(
        refused.stderr.contains("monitor was sent away on") && refused.stderr.contains(&remedy),
        "{}",
        refused.stderr
    );
    output(&["pki", "token", "--service", "monitor", "--dir", &pki]);
    Up::on(&folder).with(&["--apart"]).start();
}

#[test]
fn a_token_lets_in_one_process_once_for_its_service() {
    let bank = Bank::start("24h");
    let token = bank.token("monitor", &[]);
    let home = tempfile::tempdir().unwrap();
    let join = |service: &str, name: &str, token: &str| joined(&home.path().join(name), service, token);
    let (in_, said) = join("monitor", "first", &token);
    assert!(in_, "{said}");
    let (in_, said) = join("monitor", "second", &token);
    assert!(!in_ && said.contains("was used on"), "{said}");
    let (in_, said) = join("journal", "third", &bank.token("monitor", &[]));
    assert!(!in_ && said.contains("for monitor, not for journal"), "{said}");
    // One that pins another root meets no authority of that root, and says nothing to this one.
    let fresh = bank.token("monitor", &[]);
    let (secret, rest) = fresh.split_once('.').unwrap();
    let forged = format!("{secret}.{}{}", "0".repeat(64), &rest[64..]);
    let (in_, said) = join("monitor", "fourth", &forged);
    assert!(!in_ && said.contains("is not the authority that made this token"), "{said}");
    assert!(join("monitor", "fifth", &fresh).0);
    // Without the list that came with its certificates it believes nobody, rather than everybody.
    std::fs::remove_file(home.path().join("fifth/tls/crl.pem")).unwrap();
    let mut again = serving(&home.path().join("fifth"), "monitor");
    let said = String::from_utf8(again.output().unwrap().stderr).unwrap();
    assert!(said.contains("list of revoked certificates") && said.contains("is missing"), "{said}");
    let mistyped = &bank.token("monitor", &[])[1..];
    let (in_, said) = join("monitor", "sixth", mistyped);
    assert!(!in_ && said.contains("guichet pki token") && !said.contains(&mistyped[..40]), "{said}");
}

#[test]
fn under_a_wrong_clock_nothing_is_joined_and_the_token_is_not_lost() {
    let bank = Bank::start("24h");
    let home = tempfile::tempdir().unwrap();
    let token = bank.token("monitor", &[]);
    for moved in ["+2d", "-2d"] {
        let mut command = Command::new("faketime");
        command.args(["--exclude-monotonic", "-f", moved, env!("CARGO_BIN_EXE_guichet"), "serve", "monitor"]);
        command.args(["--join", &token, "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("monitor"));
        for peer in ["identity", "bank", "journal"] {
            command.arg("--peer").arg(format!("{peer}=https://localhost:1"));
        }
        let said = command.output().unwrap();
        let words = String::from_utf8(said.stderr).unwrap();
        assert!(!said.status.success() && words.contains("set the clock of this machine"), "{moved}: {words}");
    }
    let (in_, said) = joined(&home.path().join("monitor"), "monitor", &token);
    assert!(in_, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_ask_to_join_hold_up_nobody() {
    let bank = Bank::start("24h");
    let root = std::fs::read_to_string(bank.folder().join("ca.pem")).unwrap();
    let tls = pki::pinned_config(pki::fingerprint_of(&root).unwrap(), &Clock::system()).unwrap();
    let directory = Directory::default();
    directory.set("authority", chassis::reach_as("authority", &bank.authority(), tls).unwrap());
    let key = pki::PrivateKey::generate(pki::Algorithm::P256).unwrap();
    let asked = || contracts::authority::Join {
        token: "0".repeat(64),
        service: "monitor".into(),
        own: pki::SigningRequest::bare(&key).unwrap(),
        https: None,
    };
    // As if another command were at work there.
    let lock = std::fs::File::options().write(true).open(format!("{}/lock", bank.pki())).unwrap();
    lock.lock().unwrap();
    let strangers: Vec<_> = (0..20)
        .map(|_| {
            let (caller, asked) = (directory.caller().within(std::time::Duration::from_secs(20)), asked());
            tokio::spawn(async move { caller.call(asked).await.err().unwrap().status().as_u16() })
        })
        .collect();
    for _ in 0..3 {
        directory.caller().at("authority").call(chassis::Ready {}).await.unwrap();
    }
    drop(lock);
    let mut answers = Vec::new();
    for stranger in strangers {
        answers.push(stranger.await.unwrap());
    }
    let of = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert!(of(503) >= 10 && of(403) >= 1 && of(503) + of(403) == answers.len(), "{answers:?}");
}

/// Starts a process that has to join, and waits until it has, or gave up; then stops it. What it said.
fn joined(dir: &Path, service: &str, token: &str) -> (bool, String) {
    let log = dir.with_extension("log");
    let mut command = serving(dir, service);
    command.args(["--join", token]).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let mut process = command.spawn().unwrap();
    let certificate = dir.join("tls").join(format!("{service}.pem"));
    while !certificate.exists() && process.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let _ = process.kill();
    process.wait().unwrap();
    (certificate.exists(), std::fs::read_to_string(&log).unwrap())
}

fn serving(dir: &Path, service: &str) -> Command {
    let mut command = guichet(&["serve", service, "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(dir);
    for peer in ["identity", "bank", "journal"] {
        command.arg("--peer").arg(format!("{peer}=https://localhost:1"));
    }
    command
}

/// Looks again until it is so, for a minute at most.
async fn within_a_minute(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(200));
    for _ in 0..300 {
        looks.tick().await;
        if look().await {
            return;
        }
    }
    panic!("not within a minute: {what}");
}
