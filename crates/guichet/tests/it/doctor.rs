//! `guichet doctor` finds what is really wrong: each fault is made here, and named with how to mend it.

use std::fs::Permissions;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use chassis::{Listener, Shutdown};
use http::HeaderName;
use pki::{Authority, Identity, Request};
use serde::Deserialize;
use vocabulary::{Chance, Clock};

use crate::deploy::postgresql::Server;
use crate::process::{guichet, output};

/// One line of its answer.
#[derive(Deserialize, Debug)]
pub(crate) struct Finding {
    pub(crate) about: String,
    pub(crate) outcome: String,
    found: String,
    mend: Option<String>,
}

/// What it finds, and whether it says that all is well.
pub(crate) fn doctor(service: &str, config: &Path) -> (Vec<Finding>, bool) {
    let out = guichet(&["doctor", service, "--json", "--config", config.to_str().unwrap()]).output().unwrap();
    let found = serde_json::from_slice(&out.stdout);
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out.stderr)));
    (found, out.status.success())
}

/// A bank that runs apart is well, for those who ask on its machines.
pub(crate) fn finds_a_running_bank_well(folder: &Path) {
    for service in ["authority", "identity", "bank", "journal", "monitor", "web"] {
        let config = folder.join(service).join("node.toml");
        let (found, well) = doctor(service, &config);
        let wrong: Vec<_> = found.iter().filter(|finding| finding.outcome != "well").collect();
        assert!(well && wrong.is_empty(), "{service}: {wrong:?}");
        let said = |about: &str| found.iter().any(|finding| finding.about == about);
        assert!(
            said("port") && said("certificate") && said("disk") && (said("clock") || service == "authority"),
            "{found:?}"
        );
        assert_eq!(output(&["health", service, "--config", config.to_str().unwrap()]), "It serves.\n");
    }
}

/// The service `bank` in a folder, with those that it calls beside it.
struct Scene {
    home: tempfile::TempDir,
    authority: Authority,
    peers: Shutdown,
    config: Vec<(&'static str, String)>,
}

impl Scene {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (clock, chance) = (Clock::system(), Chance::system());
        let (authority, _) =
            Authority::open_or_create(&home.path().join("authority"), "Bank", &clock, &chance).unwrap();
        let mut scene = Self { home, authority, peers: Shutdown::default(), config: Vec::new() };
        std::fs::create_dir(scene.path("bank")).unwrap();
        std::fs::set_permissions(scene.path("bank"), Permissions::from_mode(0o700)).unwrap();
        std::fs::create_dir(scene.path("bank/tls")).unwrap();
        scene.certify("bank", &scene.authority, &clock);
        std::fs::write(scene.path("bank/tls/ca.pem"), scene.authority.certificate_pem()).unwrap();
        let identity = scene.peer("identity", None).await;
        let journal = scene.peer("journal", None).await;
        scene.config = vec![
            ("data_dir", scene.path("bank").display().to_string()),
            ("listen", free()),
            ("identity", format!("https://{identity}")),
            ("journal", format!("https://{journal}")),
        ];
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The certificate of `name` in the place of bank's, issued when `clock` says.
    fn certify(&self, name: &str, authority: &Authority, clock: &Clock) {
        let issued = authority.issue(&Request::service(name, [name]), clock, &Chance::system()).unwrap();
        self.put("bank.pem", &issued.cert_pem);
        self.put("bank-key.pem", &issued.key_pem);
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path("bank/tls").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// A stand-in for a service: its certificate, and an answer; its clock as told.
    async fn peer(&self, name: &str, date: Option<&'static str>) -> String {
        let (clock, chance) = (Clock::system(), Chance::system());
        let issued = self.authority.issue(&Request::service(name, [name]), &clock, &chance).unwrap();
        let identity = Identity::from_pem(&issued.cert_pem, &issued.key_pem).unwrap();
        let tls = pki::server_config(&identity, Some(self.authority.certificate_pem()), &clock).unwrap();
        let answer = get(async move || match date {
            Some(date) => ([(HeaderName::from_static("date"), date)], "{}"),
            None => ([(HeaderName::from_static("x-nothing"), "")], "{}"),
        });
        let router = Router::new().route("/health/live", answer);
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().to_string();
        tokio::spawn(listener.serve(router, Arc::new(tls), self.peers.clone()));
        address
    }

    /// With one setting changed, or all as they are.
    fn ask_with(&self, change: Option<(&str, &str)>) -> (Vec<Finding>, bool) {
        let value = |name: &str| {
            let changed = change.filter(|(changed, _)| *changed == name).map(|(_, value)| value.to_owned());
            changed.or_else(|| self.config.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
        };
        let line = |name: &str| value(name).map(|value| format!("{name} = \"{value}\"\n"));
        let mut text: String = ["data_dir", "database", "listen", "unknown"].into_iter().filter_map(line).collect();
        text.push_str("[peers]\n");
        text.extend(["identity", "journal"].into_iter().filter_map(line));
        let file = self.path("bank.toml");
        std::fs::write(&file, text).unwrap();
        doctor("bank", &file)
    }

    /// Something is wrong (or to be remarked upon), and these words name it and how to mend it.
    #[track_caller]
    fn finds(&self, change: Option<(&str, &str)>, outcome: &str, about: &str, words: &[&str]) {
        let (found, well) = self.ask_with(change);
        assert_eq!(well, !found.iter().any(|finding| finding.outcome == "wrong"), "{found:?}");
        let named = found.iter().any(|finding| {
            let text = format!("{} {}", finding.found, finding.mend.clone().unwrap_or_default());
            finding.about == about && finding.outcome == outcome && words.iter().all(|word| text.contains(word))
        });
        assert!(named, "{about} {words:?} is not among {found:#?}");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.peers.begin();
    }
}

/// An address of this machine at which nobody listens.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_first_start_a_service_that_has_everything_is_well() {
    let scene = Scene::new().await;
    let (found, well) = scene.ask_with(None);
    assert!(well && found.iter().all(|finding| finding.outcome == "well"), "{found:#?}");
    for about in ["configuration", "folder", "disk", "certificate", "port", "identity", "journal", "clock", "database"]
    {
        assert!(found.iter().any(|finding| finding.about == about), "{about} was not looked at: {found:#?}");
    }
    assert!(!scene.path("bank/bank.sqlite").exists(), "nothing is made");
    let told = output(&["doctor", "bank", "--config", scene.path("bank.toml").to_str().unwrap()]);
    assert_eq!(told.lines().count(), found.len(), "{told}");
    assert!(told.lines().all(|line| line.starts_with("ok ")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_do_are_named() {
    let scene = Scene::new().await;
    let key = scene.path("bank/tls/bank-key.pem");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    scene.finds(None, "wrong", "certificate", &["bank-key.pem", "chmod 600"]);
    scene.finds(None, "wrong", "folder", &["bank-key.pem", "chmod 600"]);
    std::fs::remove_file(&key).unwrap();
    scene.finds(None, "wrong", "certificate", &["bank-key.pem", "no such file", "guichet serve bank --join"]);
    scene.finds(None, "wrong", "identity", &["was not asked", "certificates first"]);
    let other =
        scene.authority.issue(&Request::service("bank", ["bank"]), &Clock::system(), &Chance::system()).unwrap();
    scene.put("bank-key.pem", &other.key_pem);
    scene.finds(None, "wrong", "certificate", &["bank.pem with bank-key.pem", "pair"]);

    scene.certify("journal", &scene.authority, &Clock::system());
    scene.finds(None, "wrong", "certificate", &["certificate of journal, not of bank"]);

    let now = Clock::system().now();
    let long_ago = Clock::manual(now.minus(Duration::from_hours(48)));
    scene.certify("bank", &scene.authority, &long_ago);
    scene.finds(None, "wrong", "certificate", &["expired on", "new one issued"]);
    scene.finds(None, "wrong", "identity", &["refuses this side's certificate", "expired"]);
    scene.certify("bank", &scene.authority, &Clock::manual(now.minus(Duration::from_hours(22))));
    scene.finds(None, "warning", "certificate", &["% of the life of bank.pem are over", "renew"]);
    scene.certify("bank", &scene.authority, &Clock::manual(now.plus(Duration::from_hours(2))));
    scene.finds(None, "wrong", "certificate", &["not valid before", "set the clock"]);

    let home = scene.path("stranger");
    let (stranger, _) = Authority::open_or_create(&home, "Other", &Clock::system(), &Chance::system()).unwrap();
    scene.certify("bank", &stranger, &Clock::system());
    scene.finds(None, "wrong", "certificate", &["will be refused", "no authority that is trusted here signed it"]);
    scene.finds(None, "wrong", "journal", &["refuses this side's certificate", "ca.pem of journal"]);
    scene.put("ca.pem", "this is no certificate");
    scene.finds(None, "wrong", "certificate", &["ca.pem", "put the authority's root certificate there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_the_way_to_another_service_is_told_apart() {
    let scene = Scene::new().await;
    let unknown = ("identity", "https://identity.invalid:8451");
    scene.finds(Some(unknown), "wrong", "identity", &["identity.invalid:8451 is not known", "DNS"]);
    let nobody = format!("https://{}", free());
    scene.finds(Some(("identity", &nobody)), "wrong", "identity", &["nobody listens there", "start identity there"]);
    let journal = scene.config.iter().find(|(name, _)| *name == "journal").unwrap().1.clone();
    let mistaken = Some(("identity", journal.as_str()));
    scene.finds(
        mistaken,
        "wrong",
        "identity",
        &["not believed", "not for the name identity", "guichet doctor identity"],
    );

    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", plain.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in plain.incoming().take(1).flatten() {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        }
    });
    scene.finds(
        Some(("identity", &address)),
        "wrong",
        "identity",
        &["does not answer as a service", "another program"],
    );
    // One that knows the certificate's authority, and does not know such a service.
    let empty = scene.peer("nobody", None).await;
    scene.finds(Some(("identity", &format!("https://{empty}"))), "wrong", "identity", &["not believed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_disagree_are_found_at_the_other_end() {
    let scene = Scene::new().await;
    let late = scene.peer("identity", Some("Sat, 21 Nov 2020 09:30:00 GMT")).await;
    let late = format!("https://{late}");
    scene.finds(Some(("identity", &late)), "wrong", "clock", &["identity at", "behind this machine's", "set-ntp"]);
    scene.finds(Some(("identity", &late)), "well", "clock", &["journal at", "agrees"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_s_own_faults_are_found() {
    let scene = Scene::new().await;
    let (found, well) = scene.ask_with(Some(("unknown", "1")));
    assert!(!well && found.len() == 1 && found[0].found.contains("unknown"), "{found:?}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let holder = format!("(process {})", std::process::id());
    scene.finds(Some(("listen", &listen)), "wrong", "port", &["is taken by", &holder, "stop that program"]);
    scene.finds(Some(("listen", "203.0.113.9:8452")), "wrong", "port", &["no address 203.0.113.9"]);
    // One that is the service itself does no harm.
    let own = scene.peer("bank", None).await;
    scene.finds(Some(("listen", &own)), "warning", "port", &["the service's own", "cannot serve now"]);

    std::fs::set_permissions(scene.path("bank"), Permissions::from_mode(0o755)).unwrap();
    scene.finds(None, "wrong", "folder", &["others of this machine can look into", "chmod 700"]);
    std::fs::set_permissions(scene.path("bank"), Permissions::from_mode(0o700)).unwrap();
    std::fs::write(scene.path("file"), "").unwrap();
    let file = scene.path("file").display().to_string();
    scene.finds(Some(("data_dir", &file)), "wrong", "folder", &["is no folder"]);

    std::fs::write(scene.path("bank/bank.sqlite"), "this is no database, and long enough to be looked at").unwrap();
    scene.finds(None, "wrong", "database", &["bank.sqlite", "not an SQLite database"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_is_found() {
    let scene = Scene::new().await;
    scene.ask_with(None);
    let (folder, config) = (scene.path("bank"), scene.path("bank.toml"));
    // A disk of its own, for this one process.
    let script = "mount -t tmpfs -o size=\"$1\" none \"$2\" && exec \"$3\" doctor bank --config \"$4\"";
    let ask = |size: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "sh", "-c", script, "sh", size]);
        let out = unshare.arg(&folder).arg(env!("CARGO_BIN_EXE_guichet")).arg(&config).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let line = |text: &str| text.lines().find(|line| line.contains(" disk ")).unwrap_or_default().to_owned();
    let (full, little) = (line(&ask("10m")), line(&ask("500m")));
    assert!(full.starts_with("WRONG") && full.contains("10 MiB are free") && full.contains("make room"), "{full}");
    assert!(little.starts_with("warning") && little.contains("500 MiB"), "{little}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_database_is_found() {
    let (scene, server) = (Scene::new().await, Server::start().await);
    let right = server.address("bank", "guichet_bank", "bank", "authority");
    let finds = |address: &str, outcome: &str, words: &[&str]| {
        scene.finds(Some(("database", address)), outcome, "database", words);
    };
    finds(&right, "well", &["guichet_bank can be reached as bank"]);
    finds(&right, "well", &["no tables yet"]);
    scene.finds(Some(("database", &right)), "well", "clock", &["PostgreSQL", "agrees"]);
    let role = server.address("identity", "guichet_bank", "bank", "authority");
    finds(&role, "wrong", &["names the role identity", "postgres://bank@"]);
    let role = server.address("identity", "guichet_identity", "bank", "authority");
    finds(&role, "wrong", &["certificate authentication failed", "differ"]);
    let database = server.address("bank", "guichet_journal", "bank", "authority");
    finds(&database, "wrong", &["no pg_hba.conf entry", "usually called guichet_bank"]);
    let foreign = server.address("bank", "guichet_bank", "bank", "stranger");
    finds(&foreign, "wrong", &["invalid peer certificate", "for the name localhost"]);
    let forged = server.address("bank", "guichet_bank", "forged", "authority");
    finds(&forged, "wrong", &["does not believe", "ssl_ca_file"]);
    let nobody = right.replacen(right.split(['@', '/']).nth(3).unwrap(), &free(), 1);
    finds(&nobody, "wrong", &["nobody listens there", "start PostgreSQL"]);

    store::Store::open(&right.parse().unwrap(), bank::MIGRATIONS, Clock::system()).await.unwrap();
    finds(&right, "well", &["its tables are those of this program"]);
    server.administrate("alter role bank createdb; grant connect on database guichet_bank to public").await;
    finds(&right, "wrong", &["may do more than a service needs", "NOCREATEDB"]);
    finds(&right, "wrong", &["every role may connect to guichet_bank", "REVOKE"]);
    server.administrate("update migrations set digest = 'another' where number = 1").await;
    finds(&right, "wrong", &["was changed after", "another service's"]);
    server.administrate("insert into migrations values ('service', 99, 'later', 'x', 0)").await;
    server.administrate("alter role bank connection limit 0").await;
    finds(&right, "wrong", &["too many connections", "CONNECTION LIMIT"]);
}
