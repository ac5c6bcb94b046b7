//! The monitor over a whole bank: what goes wrong is noticed in time, told once to whom it concerns, and told again when it
//! is over.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde_json::Value;
use store::{Affected, Database, Query, Store};
use vocabulary::Clock;

use crate::people::sign_in;
use crate::process::{Running, Up};

/// What must not be written anywhere: a webhook's secret, and the token of a check.
const SECRET: &[u8] = b"canary-of-the-webhook-0123456789";
const TOKEN: &str = "canary-of-the-check-9876543210";

/// A check with a token, of something that is never there.
const VAULT: &str = "vault";

/// What the alerts said, and whether the shop that is checked is open.
#[derive(Clone)]
struct Outside {
    told: Arc<Mutex<Vec<Value>>>,
    open: Arc<AtomicBool>,
    address: String,
}

impl Outside {
    async fn start() -> Self {
        let (told, open) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(AtomicBool::new(true)));
        let (noted, asked) = (Arc::clone(&told), Arc::clone(&open));
        let shop = move || {
            let open = asked.load(Ordering::Relaxed);
            async move { if open { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE } }
        };
        let alerts = move |body: String| {
            noted.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            std::future::ready(StatusCode::NO_CONTENT)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/shop", get(shop)).route("/alerts", post(alerts));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { told, open, address }
    }

    /// The settings of a bank whose monitor checks the shop and tells us, beside the bank's folder.
    fn settings(&self, home: &Path) -> PathBuf {
        let secret = |name: &str, text: &str| {
            std::fs::write(home.join(name), text).unwrap();
            std::fs::set_permissions(home.join(name), Permissions::from_mode(0o600)).unwrap();
        };
        secret("webhook.secret", &format!("whsec_{}", BASE64_STANDARD.encode(SECRET)));
        secret("vault.token", TOKEN);
        let checks = format!(
            "[alerts]\nlanguage = \"en\"\n\n[[alerts.webhooks]]\nname = \"us\"\nurl = \"{0}/alerts\"\n\
             secret_file = \"webhook.secret\"\nprivate = true\n\n[checks.shop]\nkind = \"http\"\ntarget = \"{0}/shop\"\n\
             every = \"1s\"\ntimeout = \"1s\"\nprivate = true\npublic = true\n\n\
             [checks.{VAULT}]\nkind = \"http\"\ntarget = \"https://localhost:1\"\nevery = \"1s\"\ntimeout = \"1s\"\nprivate = true\n\
             token_file = \"vault.token\"\n",
            self.address
        );
        std::fs::write(home.join("checks.toml"), checks).unwrap();
        let settings = home.join("bank.toml");
        std::fs::write(&settings, format!("checks = {:?}\n", home.join("checks.toml").display().to_string())).unwrap();
        settings
    }

    /// How often each check was told of, as beginning and as over.
    fn counts(&self) -> BTreeMap<String, (usize, usize)> {
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for alert in self.told.lock().unwrap().iter().filter(|alert| alert["data"]["check"] != VAULT) {
            let (begun, over) = counts.entry(alert["data"]["check"].as_str().unwrap().to_owned()).or_default();
            match alert["type"].as_str().unwrap() {
                "incident.opened" => *begun += 1,
                "incident.recovered" => *over += 1,
                other => panic!("told {other}"),
            }
        }
        counts
    }

    fn of(&self, check: &str) -> (usize, usize) {
        self.counts().get(check).copied().unwrap_or_default()
    }

    /// Waits until this check was told of so often.
    async fn heard(&self, check: &str, counts: (usize, usize), within: Duration) {
        let waiting = async {
            let mut looks = tokio::time::interval(Duration::from_millis(50));
            while self.of(check) != counts {
                looks.tick().await;
            }
        };
        let heard = tokio::time::timeout(within, waiting).await;
        assert!(heard.is_ok(), "not within {within:?}: {check} {counts:?}; told was {:?}", self.counts());
    }
}

/// The public state of a check.
async fn state(bank: &Running, check: &str) -> String {
    let board = bank.client().get("/api/status/board").await.expect(200);
    let found = board["checks"].as_array().unwrap().iter().find(|it| it["name"] == check).cloned();
    found.unwrap_or_else(|| panic!("{check} is not on the board: {board}"))["state"].as_str().unwrap().to_owned()
}

fn signal(signal: &str, process: &str) {
    assert!(Command::new("kill").args([signal, process]).status().unwrap().success(), "{signal} {process}");
}

/// Ends a service's process and keeps it from being started again, until the settings are back.
struct Held {
    settings: PathBuf,
    aside: PathBuf,
}

impl Held {
    fn kill(folder: &Path, service: &str) -> Self {
        let settings = folder.join(service).join("node.toml");
        let aside = settings.with_extension("aside");
        let process = crate::apart::process(folder, service).unwrap();
        std::fs::rename(&settings, &aside).unwrap();
        signal("-KILL", &process);
        Self { settings, aside }
    }

    fn release(self) {
        std::fs::rename(&self.aside, &self.settings).unwrap();
    }
}

/// The database's server in this folder, and every process of it.
fn database(folder: &Path) -> Vec<String> {
    let of = |entry: &std::fs::DirEntry, file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
    let data = folder.join("postgres").join("data").display().to_string();
    let processes: Vec<_> = std::fs::read_dir("/proc").unwrap().flatten().collect();
    let server = processes.iter().find(|entry| {
        let words = of(entry, "cmdline").unwrap_or_default();
        words.split('\0').next().is_some_and(|program| program.ends_with("postgres")) && words.contains(&data)
    });
    let server = server.unwrap().file_name().into_string().unwrap();
    let children = processes.iter().filter(|entry| {
        let status = of(entry, "status").unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|parent| parent.trim() == server))
    });
    let children = children.map(|entry| entry.file_name().into_string().unwrap());
    std::iter::once(server.clone()).chain(children).collect()
}

/// Of a certificate, and some time more.
const LIFE: Duration = Duration::from_mins(2);
/// Long enough for a check each second whose third failure counts, on a machine with much else to do.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn of_a_bank_apart_a_dead_service_a_paused_database_and_a_late_certificate_are_told_once_each() {
    let home = tempfile::tempdir().unwrap();
    // Root lends the database to a user who has to pass through.
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let outside = Outside::start().await;
    let settings = outside.settings(home.path());
    let with = ["--apart", "--certificate-life", "90s", "--config", settings.to_str().unwrap()];
    let bank = Up::on(&home.path().join("bank")).with(&with).start();
    let folder = bank.line.data_dir.clone();

    let held = Held::kill(&folder, "identity");
    outside.heard("service.identity", (1, 0), SOON).await;
    assert_eq!(state(&bank, "service.identity").await, "down");
    held.release();
    outside.heard("service.identity", (1, 1), SOON).await;
    assert_eq!(state(&bank, "service.identity").await, "up");

    let services = ["service.bank", "service.identity", "service.journal"];
    let before = services.map(|check| outside.of(check));
    let paused = database(&folder);
    for process in &paused {
        signal("-STOP", process);
    }
    for (check, (begun, over)) in services.iter().zip(before) {
        outside.heard(check, (begun + 1, over), SOON).await;
    }
    assert_eq!(state(&bank, "service.bank").await, "down");
    for process in &paused {
        signal("-CONT", process);
    }
    for (check, (begun, over)) in services.iter().zip(before) {
        outside.heard(check, (begun + 1, over + 1), SOON).await;
    }

    // A process that does not reach the authority any more shows an ever older certificate.
    let settings = folder.join("bank").join("node.toml");
    let written = std::fs::read_to_string(&settings).unwrap();
    let (known, nowhere) = ("authority = [", "authority = [\"https://localhost:1\"] # ");
    assert!(written.contains(known), "{written}");
    std::fs::write(&settings, written.replace(known, nowhere)).unwrap();
    signal("-KILL", &crate::apart::process(&folder, "bank").unwrap());
    outside.heard("certificate.bank", (1, 0), LIFE).await;
    std::fs::write(&settings, written).unwrap();
    signal("-KILL", &crate::apart::process(&folder, "bank").unwrap());
    outside.heard("certificate.bank", (1, 1), LIFE).await;
    let counts = outside.counts();
    assert!(counts.values().all(|(begun, over)| begun - over <= 1), "{counts:?}");
    assert!(!counts.contains_key("shop"), "{counts:?}");
}

const SQL: &str = "\
-- name: alter!
update entries set message = message || '!' where id in (select id from entries order by at limit 1);
-- name: restore!
update entries set message = substr(message, 1, length(message) - 1)
where id in (select id from entries order by at limit 1);
";

/// Does to the journal's database what its operator can.
async fn tamper(folder: &Path, query: &Query<Affected>) {
    let database = Database::Sqlite { path: folder.join("journal.sqlite") };
    let store = Store::open(&database, journal::MIGRATIONS, Clock::system()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.run(query, &[]).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_closes_and_an_entry_that_was_altered_are_told_and_no_secret_is_written_anywhere() {
    let home = tempfile::tempdir().unwrap();
    let outside = Outside::start().await;
    let settings = outside.settings(home.path());
    let bank = Up::on(&home.path().join("bank")).with(&["--config", settings.to_str().unwrap()]).start();
    let folder = bank.line.data_dir.clone();

    outside.open.store(false, Ordering::Relaxed);
    outside.heard("shop", (1, 0), SOON).await;
    assert_eq!(state(&bank, "shop").await, "down");
    outside.open.store(true, Ordering::Relaxed);
    outside.heard("shop", (1, 1), SOON).await;

    let truth = "truth.journal.every-entry-is-as-it-was-logged";
    tamper(&folder, &Query::find(SQL, "alter")).await;
    outside.heard(truth, (1, 0), Duration::from_mins(1)).await;
    tamper(&folder, &Query::find(SQL, "restore")).await;
    outside.heard(truth, (1, 1), Duration::from_mins(1)).await;
    assert_eq!(outside.counts().len(), 2, "{:?}", outside.counts());

    let first = bank.people("superuser").remove(0);
    let superuser = sign_in(&bank.client(), &first.login, &first.password).await;
    let mut written = vec![("the log".to_owned(), bank.log().into_bytes())];
    for path in ["board", "checks", "checks/shop/history", "incidents", "maintenances"] {
        let answer = superuser.client.get(format!("/api/monitor/{path}")).await.expect(200);
        written.push((path.to_owned(), answer.to_string().into_bytes()));
    }
    assert!(bank.terminate().success());
    for file in std::fs::read_dir(&folder).unwrap().flatten().filter(|file| file.path().is_file()) {
        written.push((file.path().display().to_string(), std::fs::read(file.path()).unwrap()));
    }
    assert!(written.iter().any(|(name, bytes)| name.contains("monitor.sqlite") && !bytes.is_empty()));
    let encoded = BASE64_STANDARD.encode(SECRET);
    let secrets = [SECRET, encoded.as_bytes(), TOKEN.as_bytes(), first.password.as_bytes()];
    for (name, bytes) in written {
        let found = secrets.iter().find(|secret| bytes.windows(secret.len()).any(|window| window == **secret));
        assert!(found.is_none(), "{name} holds a secret");
    }
}
