//! The bank with each service in a process of its own, on PostgreSQL: what people see is the same; between the services
//! nobody is let in who is not meant to be; and a process that dies is back before anybody minds.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aaa::Transport;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use pki::{Identity, Link, Trust};
use serde_json::{Value, json};
use vocabulary::{Chance, Clock};

use crate::client::{Ask, Client};
use crate::people::{Somebody, account_of, approve, fund, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up, eventually, guichet, output};

/// A bank apart, in a folder through which the user may pass who runs the database for root.
fn start(home: &Path) -> Running {
    std::fs::set_permissions(home, Permissions::from_mode(0o711)).unwrap();
    Up::on(&home.join("bank")).with(&["--apart"]).start()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_apart_does_what_a_bank_does_and_outlives_its_processes() {
    let home = tempfile::tempdir().unwrap();
    let bank = start(home.path());
    let scene = Scene::open(&bank).await;
    scene.money_moves_and_the_journal_tells().await;
    scene.strangers_and_wrong_peers_are_refused().await;
    crate::doctor::finds_a_running_bank_well(&bank.line.data_dir);
    scene.what_is_revoked_is_refused_everywhere(&bank).await;
    scene.a_killed_process_is_back_and_nothing_is_lost().await;
    let folder = bank.line.data_dir.clone();
    let serving = services(&folder);
    assert_eq!(serving.len(), 6, "{serving:?}");
    assert!(bank.terminate().success());
    assert!(services(&folder).is_empty(), "{:?} still run", services(&folder));
    // What was done stays.
    let again = Up::on(&folder).with(&["--apart"]).start();
    let member = sign_in(&again.client(), "mara", crate::people::PASSWORD).await;
    assert_eq!(account_of(&member, &scene.from).await["booked"], "55.00");
    // Killed, it takes its processes along: they hold the other end of a pipe of its.
    again.kill();
    eventually("every process stops when the one dies that started them", async || {
        services(&folder).is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_any_bank_is_asked_of_one_apart() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let bank = Up::on(&home.path().join("bank")).with(&["--apart", "--demo"]).start();
    every_link_is_seen_with_what_it_was_agreed_on(&bank).await;
    crate::newcomer::a_newcomer_uses_the_bank(&bank.line, "newcomer").await;
    crate::outside::is_a_bank(crate::outside::reach(&bank.line), &bank.people("superuser")[0]).await;
}

/// Superusers see who calls whom, and that a recording of any link between services is of no use to a quantum computer.
async fn every_link_is_seen_with_what_it_was_agreed_on(bank: &Running) {
    let signed = async |role: &str| {
        let person = bank.people(role).remove(0);
        sign_in(&bank.client(), &person.login, &person.password).await.client
    };
    let (superuser, agent) = (signed("superuser").await, signed("agent").await);
    agent.get("/api/links").await.expect(403);
    bank.client().get("/api/links").await.expect(401);
    let callers = ["authority", "bank", "identity", "journal", "monitor", "web"];
    let links = eventually("every process tells what all its links agreed on", async || {
        let links = superuser.get("/api/links").await.expect(200);
        let processes = links["processes"].as_array()?.clone();
        let told = callers.iter().all(|name| processes.iter().any(|process| process["service"] == **name));
        let all = processes.iter().flat_map(|process| process["links"].as_array().cloned().unwrap_or_default());
        let agreed = all.into_iter().all(|link| link["agreed"].is_object());
        (told && agreed).then_some(processes)
    })
    .await;
    let (mut databases, mut brokers) = (0, 0);
    for process in &links {
        let (name, certificate) = (&process["service"], &process["certificate"]);
        assert_eq!((&certificate["name"], &certificate["outlook"]), (name, &json!("good")), "{process}");
        assert_eq!(process["public"].is_object(), name == "web", "{process}");
        assert!(!process["links"].as_array().unwrap().is_empty(), "{name} calls nobody");
        for link in process["links"].as_array().unwrap() {
            assert_eq!((&link["agreed"]["protocol"], &link["state"]), (&json!("TLSv1.3"), &json!("alive")), "{link}");
            if link["service"] == "postgresql" {
                databases += 1;
                continue;
            }
            if link["service"] == "nats" {
                brokers += 1;
                assert_eq!(link["peer"]["name"], "nats", "{name}: {link}");
                continue;
            }
            assert_eq!(link["agreed"]["group"], "X25519MLKEM768", "{name}: {link}");
            assert_eq!(link["agreed"]["withstands_quantum"], true);
            assert_eq!(link["peer"]["name"], link["service"]);
        }
    }
    assert_eq!(
        (databases, brokers),
        (3, 5),
        "one for each service with a database, and for each that tells or is told"
    );
    the_command_line_tells_the_same(bank, &superuser).await;
}

/// `guichet status`, with a token and without, and of a bank that is not there.
async fn the_command_line_tells_the_same(bank: &Running, superuser: &Client) {
    let made = superuser.post("/api/auth/tokens", &json!({ "name": "ops", "scopes": ["read"], "days": 1 })).await;
    let token = bank.line.data_dir.with_extension("token");
    std::fs::write(&token, text(&made.expect(201)["token"])).unwrap();
    let (ca, token) = (bank.line.ca.to_str().unwrap(), token.to_str().unwrap());
    let status = ["status", "--url", &bank.line.url, "--ca", ca];
    let anybody = output(&status);
    assert!(anybody.contains("--token-file") && !anybody.contains("X25519MLKEM768"), "{anybody}");
    let told = output(&[status.as_slice(), &["--token-file", token]].concat());
    for word in ["up    bank", "holds  ", "bank       > journal", "X25519MLKEM768 (withstands quantum", "% over, until"]
    {
        assert!(told.contains(word), "`{word}` is missing:\n{told}");
    }
    let gone = guichet(&["status", "--url", "https://localhost:1", "--ca", ca]).output().unwrap();
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(!gone.status.success() && said.contains("https://localhost:1 did not say"), "{said}");
}

#[test]
fn the_settings_of_a_process_are_checked_and_shown() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("bank.toml");
    std::fs::write(&file, "[peers]\nidentity = \"https://id:1\"\njournal = [\"https://a:1\", \"https://b:1\"]\n")
        .unwrap();
    let file = file.to_str().unwrap();
    let shown = output(&["config", "show", "bank", "--config", file, "--listen", "127.0.0.1:7"]);
    for line in ["listen = \"127.0.0.1:7\"", "journal = [\"https://a:1\", \"https://b:1\"]", "[bank]"] {
        assert!(shown.contains(line), "{shown}");
    }
    // What it shows is what it reads.
    let again = home.path().join("again.toml");
    std::fs::write(&again, &shown).unwrap();
    assert_eq!(output(&["config", "show", "bank", "--config", again.to_str().unwrap()]), shown);
    let checked = guichet(&["config", "check", "bank", "--config", file]).output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(!checked.status.success() && said.contains("bank-key.pem"), "{said}");
}

struct Scene {
    folder: PathBuf,
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
        Self { folder: bank.line.data_dir.clone(), agent, maker, from, to }
    }

    async fn transfer(&self, amount: &str) -> Value {
        let wish = json!({
            "from": self.from["id"], "to": self.to["id"], "amount": amount, "currency": "EUR",
            "reference": amount,
        });
        let request = self.maker.client.call(Ask::post("/api/transfers", &wish).once(format!("key-{amount}"))).await;
        request.expect(201)
    }

    async fn told(&self, action: &str, trace: Option<&str>) {
        eventually(action, async || {
            let entries = self.maker.client.get(format!("/api/logs?action={action}")).await.expect(200);
            let items = entries["items"].as_array()?.clone();
            items.iter().any(|entry| trace.is_none_or(|trace| entry["trace_id"] == trace)).then_some(())
        })
        .await;
    }

    async fn money_moves_and_the_journal_tells(&self) {
        let request = self.transfer("40.00").await;
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let path = format!("/api/requests/{}/approve", text(&request["id"]));
        let ask = Ask::post(path, &json!({})).header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
        self.agent.client.call(ask).await.expect(200);
        assert_eq!(account_of(&self.maker, &self.from).await["booked"], "60.00");
        self.told("TRANSFER_APPROVED", Some(trace)).await;
    }

    /// The way to `service`, as whom `own` shows a certificate of.
    fn way(&self, own: Option<&str>, service: &str) -> Transport {
        let address = format!("https://localhost:{}", self.port(service));
        let Some(own) = own else {
            let ca = std::fs::read_to_string(self.folder.join("ca.pem")).unwrap();
            let tls = pki::client_config(&ca, None, &Clock::system()).unwrap();
            return chassis::reach_as(service, &address, tls).unwrap();
        };
        chassis::elsewhere(service, &[address], &self.link(own), Chance::system()).unwrap().transport()
    }

    /// As `own`, with its certificate.
    fn link(&self, own: &str) -> Link {
        let ca = std::fs::read_to_string(self.folder.join("ca.pem")).unwrap();
        let identity = Identity::open(&self.folder.join(own).join("tls"), own).unwrap();
        Link::new(identity, Trust::of(&ca).unwrap(), &Clock::system()).unwrap()
    }

    fn port(&self, service: &str) -> u16 {
        let settings = std::fs::read_to_string(self.folder.join(service).join("node.toml")).unwrap();
        let listen = settings.lines().find_map(|line| line.strip_prefix("listen = \"127.0.0.1:")).unwrap();
        listen.trim_end_matches('"').parse().unwrap()
    }

    async fn strangers_and_wrong_peers_are_refused(&self) {
        let telling = r#"{"events":[]}"#;
        for (own, service, method, path, body, status, word) in [
            ("journal", "bank", "GET", "/api/accounts", "", 403, "peer-refused"),
            ("monitor", "bank", "GET", "/api/accounts", "", 403, "peer-refused"),
            ("bank", "identity", "GET", "/api/auth/users", "", 403, "peer-refused"),
            ("web", "journal", "POST", "/inner/events", telling, 403, "peer-refused"),
            ("web", "identity", "GET", "/inner/trust", "", 403, "peer-refused"),
            // A certificate lets a service in, and is nobody's sign-in.
            ("web", "bank", "GET", "/api/accounts", "", 401, "unauthorized"),
            ("monitor", "bank", "GET", "/health/ready", "", 200, "ok"),
            ("bank", "identity", "GET", "/inner/trust", "", 200, "keys"),
        ] {
            let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
            let answer = self.way(Some(own), service).send(request.body(Body::from(body)).unwrap()).await.unwrap();
            let (parts, body) = answer.into_parts();
            let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
            let expected = StatusCode::from_u16(status).unwrap();
            assert!(parts.status == expected && body.contains(word), "{own} called {path}: {} {body}", parts.status);
        }
        for service in ["identity", "bank", "journal", "monitor"] {
            let request = || Request::get("/health/live").body(Body::empty()).unwrap();
            let bare = self.way(None, service).send(request()).await;
            assert!(bare.is_err(), "{service} answered one who showed no certificate");
            // What stands at that address is not what is called.
            let address = format!("https://localhost:{}", self.port(service));
            let other = if service == "bank" { "identity" } else { "bank" };
            let way = chassis::elsewhere(other, &[address], &self.link("web"), Chance::system()).unwrap();
            let mistaken = way.transport().send(request()).await;
            assert!(mistaken.is_err(), "{service} passed for {other}");
            let mut plain = TcpStream::connect(("127.0.0.1", self.port(service))).unwrap();
            plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            plain.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            let mut said = Vec::new();
            let _ = plain.read_to_end(&mut said);
            assert!(!said.starts_with(b"HTTP"), "{service} speaks plainly");
        }
    }

    async fn what_is_revoked_is_refused_everywhere(&self, bank: &Running) {
        let other = sign_in(&bank.client(), &self.maker.login, crate::people::PASSWORD).await;
        other.client.get("/api/accounts").await.expect(200);
        other.client.post("/api/auth/logout", &json!({})).await;
        eventually("the bank refuses the token", async || {
            (other.client.get("/api/accounts").await.status == 401).then_some(())
        })
        .await;
        self.maker.client.get("/api/accounts").await.expect(200);
    }

    async fn a_killed_process_is_back_and_nothing_is_lost(&self) {
        for service in ["bank", "identity", "journal"] {
            let before = process(&self.folder, service).unwrap();
            assert!(Command::new("kill").args(["-KILL", &before]).status().unwrap().success());
            // A key makes a call that may be repeated: whoever carries it tries again until the process is back.
            let back = eventually(service, async || {
                let now = process(&self.folder, service).filter(|now| *now != before)?;
                let answer = self.maker.client.get("/api/accounts").await;
                (answer.status == 200).then_some(now)
            })
            .await;
            assert_ne!(back, before);
            assert_eq!(account_of(&self.maker, &self.from).await["booked"], "60.00", "after {service} died");
        }
        // The journal dies, and is told afterwards what happened meanwhile.
        let journal = process(&self.folder, "journal").unwrap();
        assert!(Command::new("kill").args(["-KILL", &journal]).status().unwrap().success());
        let request = self.transfer("5.00").await;
        approve(&self.agent, &request).await;
        assert_eq!(account_of(&self.maker, &self.from).await["booked"], "55.00");
        eventually("the journal tells both transfers, each once", async || {
            let entries = self.maker.client.get("/api/logs?action=TRANSFER_APPROVED").await;
            let count = entries.body["items"].as_array()?.len();
            assert!(count <= 2, "an event stands there twice");
            (count == 2).then_some(())
        })
        .await;
    }
}

/// The running services of the bank in `folder`.
fn services(folder: &Path) -> Vec<String> {
    ["identity", "bank", "journal", "monitor", "web", "authority"]
        .into_iter()
        .filter(|service| process(folder, service).is_some())
        .map(ToOwned::to_owned)
        .collect()
}

/// The process id of a service.
pub(crate) fn process(folder: &Path, service: &str) -> Option<String> {
    let file = folder.join(service).join("node.toml").display().to_string();
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let words = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        words.split('\0').any(|word| word == file).then(|| entry.file_name().into_string().ok())?
    })
}
