//! The bank on machines of its own, each service on one, and what stands when they part: walls, cables, and an authority
//! that is away. What goes on and what stops is what docs/decisions/0019 and 0020 say, and nobody has to lend a hand
//! afterwards. Too long for every day: `cargo xtask prove` runs it.

mod machine;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use self::machine::{Process, Switch, run};
use crate::client::Client;
use crate::namespace;
use crate::people::{Somebody, sign_in};
use crate::process::{Up, eventually, output};

/// Machine, service, port, the services it calls.
const SERVICES: [(&str, &str, u16, &[&str]); 7] = [
    ("authority", "authority", 8450, &["journal"]),
    ("journal", "journal", 8453, &["identity", "authority"]),
    ("identity-a", "identity", 8451, &["bank", "journal", "authority"]),
    ("identity-b", "identity", 8451, &["bank", "journal", "authority"]),
    ("bank", "bank", 8452, &["identity", "journal", "authority"]),
    ("monitor", "monitor", 8454, &["identity", "bank", "journal", "authority"]),
    ("web", "web", 8443, &["identity", "bank", "journal", "monitor", "authority"]),
];
const LIFE: &str = "60s";
/// A question to identity, one to the journal, one to the bank.
const WHO: &str = "/api/auth/whoami";
const LOGS: &str = "/api/logs";
const REQUESTS: &str = "/api/requests";

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_when_hosts_part_is_what_is_promised_and_all_is_well_after_the_repair() {
    if std::env::var_os("GUICHET_PROVE").is_none() {
        eprintln!("machines that part take four minutes: they are left to `cargo xtask prove`");
        return;
    }
    if !namespace::inside("hosts::what_stands_when_hosts_part_is_what_is_promised_and_all_is_well_after_the_repair") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let mut site = Site::build(home.path()).await;
    site.one_instance_of_identity_may_go().await;
    site.the_bank_does_without_identity_for_a_while().await;
    site.nothing_stops_while_the_authority_is_away().await;
}

struct Site {
    folder: PathBuf,
    switch: Switch,
    processes: BTreeMap<&'static str, Process>,
    someone: Somebody,
}

impl Site {
    /// From what `up --apart` makes: its authority and its databases, moved to machines. Every service joins anew.
    async fn build(home: &Path) -> Self {
        let folder = home.join("bank");
        let running = Up::on(&folder).with(&["--apart"]).start();
        let first = running.people("superuser").remove(0);
        assert!(running.terminate().success());

        let named = |machine: &&'static str| match *machine {
            "identity-a" | "identity-b" => (*machine, "identity.internal".to_owned()),
            other => (other, format!("{other}.internal")),
        };
        let machines: Vec<_> = ["db"].iter().chain(SERVICES.iter().map(|(machine, ..)| machine)).map(named).collect();
        let machines: Vec<_> = machines.iter().map(|(machine, known)| (*machine, known.as_str())).collect();
        let switch = Switch::with(home, &machines);
        let mut processes = BTreeMap::new();
        for (machine, service, port, peers) in SERVICES {
            configure(&folder, machine, service, port, peers);
            processes.insert(machine, serve(&switch, &folder, machine, service));
            if machine == "authority" {
                let keeper = database(&switch, &folder);
                processes.extend(keeper);
            }
        }
        let ca = std::fs::read_to_string(folder.join("ca.pem")).unwrap();
        let client = Client::https("https://web.internal:8443", &ca);
        within(Duration::from_mins(2), "the bank is ready", async || {
            let ready = tokio::time::timeout(Duration::from_secs(5), reachable(&client)).await;
            ready == Ok(true)
        })
        .await;
        let someone = sign_in(&client, &first.login, &first.password).await;
        Self { folder, switch, processes, someone }
    }

    async fn status(&self, path: &str) -> u16 {
        self.someone.client.get(path).await.status
    }

    /// Asks for `lasting` and wants nothing but 200.
    async fn goes_on(&self, paths: &[&str], lasting: Duration) {
        let (begun, mut looks) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
        while begun.elapsed() < lasting {
            looks.tick().await;
            for path in paths {
                self.someone.client.get(*path).await.expect(200);
            }
        }
    }

    async fn all_is_well_again(&self) {
        let (begun, client) = (Instant::now(), self.someone.client.stranger());
        eventually("the bank is healthy again", async || {
            let well = self.status(WHO).await == 200
                && self.status(LOGS).await == 200
                && self.status(REQUESTS).await == 200
                && reachable(&client).await;
            well.then_some(())
        })
        .await;
        eprintln!("healthy {:.1} s after the repair", begun.elapsed().as_secs_f64());
    }

    async fn one_instance_of_identity_may_go(&mut self) {
        // It is killed, and a cable is pulled: the first is heard of at once, the second is silence.
        self.wait_for_instance("identity-a").await;
        self.processes.remove("identity-a");
        self.goes_on(&[WHO, REQUESTS], Duration::from_secs(5)).await;
        self.processes.insert("identity-a", serve(&self.switch, &self.folder, "identity-a", "identity"));
        self.all_is_well_again().await;
        // Both are called again: what one of them does not answer is answered by the other.
        for machine in ["identity-b", "identity-a"] {
            self.wait_for_instance(machine).await;
            Switch::link(machine, false);
            self.goes_on(&[WHO, REQUESTS], Duration::from_secs(5)).await;
            Switch::link(machine, true);
            self.all_is_well_again().await;
        }
    }

    /// Until the other instance is not needed any more.
    async fn wait_for_instance(&self, leaving: &str) {
        let other = if leaving == "identity-a" { "identity-b" } else { "identity-a" };
        eventually("the other instance serves", async || {
            let mut asked = self.switch.on(other, env!("CARGO_BIN_EXE_guichet"));
            asked.args(["health", "identity", "--config"]).arg(self.folder.join(other).join("host.toml"));
            asked.status().unwrap().success().then_some(())
        })
        .await;
    }

    async fn the_bank_does_without_identity_for_a_while(&self) {
        self.switch.part("bank", &["identity-a", "identity-b"]);
        // It knows the keys, and believes them for a minute; nobody else notices anything.
        let begun = Instant::now();
        self.goes_on(&[WHO, LOGS, REQUESTS], Duration::from_secs(45)).await;
        within(Duration::from_secs(40), "the bank refuses every token", async || self.status(REQUESTS).await != 200)
            .await;
        let refused = self.someone.client.get(REQUESTS).await;
        eprintln!("after {:.1} s without identity: {}", begun.elapsed().as_secs_f64(), refused.brief());
        assert!(begun.elapsed() > Duration::from_secs(50), "it gave up early");
        self.goes_on(&[WHO, LOGS], Duration::from_secs(2)).await;
        Switch::join("bank");
        self.all_is_well_again().await;
    }

    async fn nothing_stops_while_the_authority_is_away(&mut self) {
        let services = ["identity-a", "identity-b", "bank", "journal", "monitor", "web"];
        let certificates = || services.map(|machine| self.certificate(machine));
        // When all are fresh there is time: somebody's renewal is due in forty seconds at the latest.
        let before = certificates();
        within(Duration::from_mins(1), "every certificate is renewed", async || {
            certificates().iter().zip(&before).all(|(now, before)| now.serial != before.serial)
        })
        .await;
        let known = certificates();
        self.processes.remove("authority");
        // Long enough for most to be due, and before the first has ended.
        let first = known.iter().map(Certificate::left).min().unwrap();
        self.goes_on(&[WHO, LOGS, REQUESTS], first.saturating_sub(Duration::from_secs(8))).await;
        self.processes.insert("authority", serve(&self.switch, &self.folder, "authority", "authority"));
        self.all_is_well_again().await;
        eventually("whoever was due has a new certificate", async || {
            let late = services.map(|machine| self.certificate(machine).left() < Duration::from_secs(12));
            (!late.contains(&true)).then_some(())
        })
        .await;
        self.goes_on(&[WHO, LOGS, REQUESTS], Duration::from_secs(20)).await;
    }

    fn certificate(&self, machine: &str) -> Certificate {
        let service = machine.split('-').next().unwrap();
        let file = self.folder.join(machine).join("tls").join(format!("{service}.pem"));
        let shown = output(&["pki", "show", "--json", file.to_str().unwrap()]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let leaf = &shown[0]["sections"][0];
        Certificate { serial: leaf["serial"].as_str().unwrap().to_owned(), file }
    }
}

struct Certificate {
    serial: String,
    file: PathBuf,
}

impl Certificate {
    /// How long it is still good, as OpenSSL has it.
    fn left(&self) -> Duration {
        let good = |seconds: u64| {
            let mut openssl = std::process::Command::new("openssl");
            openssl.args(["x509", "-noout", "-checkend", &seconds.to_string(), "-in"]).arg(&self.file);
            openssl.output().unwrap().status.success()
        };
        Duration::from_secs((0..=60).rev().step_by(2).find(|seconds| good(*seconds)).unwrap_or(0))
    }
}

/// Whether the bank as a whole says that it can serve.
async fn reachable(client: &Client) -> bool {
    let ask = crate::client::Ask::new("GET", "/health/ready");
    client.stranger().send(ask).await.is_ok_and(|answer| answer.status == 200)
}

/// Looks again until it is so.
async fn within(most: Duration, what: &str, mut look: impl AsyncFnMut() -> bool) {
    let (begun, mut looks) = (Instant::now(), tokio::time::interval(Duration::from_millis(200)));
    loop {
        looks.tick().await;
        if look().await {
            return;
        }
        assert!(begun.elapsed() < most, "not within {most:?}: {what}");
    }
}

/// The settings of a service on its machine, as an operator writes them.
fn configure(folder: &Path, machine: &str, service: &str, port: u16, peers: &[&str]) {
    let own = folder.join(machine);
    std::fs::create_dir_all(&own).unwrap();
    if machine == "identity-a" {
        run(&format!("cp -a {0}/identity/. {0}/identity-a", folder.display()));
    }
    if machine == "identity-b" {
        std::fs::copy(folder.join("identity/shared.key"), own.join("shared.key")).unwrap();
    }
    if machine != "authority" {
        // What was signed for this machine alone is worth nothing elsewhere.
        let _ = std::fs::remove_dir_all(own.join("tls"));
    }
    let mut settings = format!("data_dir = \"{}\"\nlisten = \"0.0.0.0:{port}\"\n", own.display());
    if service != "authority" {
        settings += "origin = \"https://web.internal:8443\"\n";
    }
    if ["identity", "bank", "journal"].contains(&service) {
        let tls = own.join("tls").display().to_string();
        writeln!(
            settings,
            "database = \"postgres://{service}@db.internal:5432/guichet_{service}?sslrootcert={tls}/ca.pem&sslcrl={tls}/crl.pem\
             &sslcert={tls}/{service}.pem&sslkey={tls}/{service}-key.pem\""
        )
        .unwrap();
    }
    settings += "[peers]\n";
    for peer in peers {
        let port = SERVICES.iter().find(|(_, service, ..)| service == peer).unwrap().2;
        writeln!(settings, "{peer} = \"https://{peer}.internal:{port}\"").unwrap();
    }
    std::fs::write(own.join("host.toml"), settings).unwrap();
}

/// An invitation to the bank's authority.
fn token(folder: &Path, service: &str, further: &[&str]) -> String {
    let pki = folder.join("authority/pki").display().to_string();
    let args = ["pki", "token", "--service", service, "--dir", &pki, "--life", LIFE];
    output(&[&args, ["--authority", "https://authority.internal:8450"].as_slice(), further].concat()).trim().to_owned()
}

/// Starts a service on its machine; it joins if it has no certificate.
fn serve(switch: &Switch, folder: &Path, machine: &'static str, service: &str) -> Process {
    let mut command = switch.on(machine, env!("CARGO_BIN_EXE_guichet"));
    command.args(["serve", service, "--config"]).arg(folder.join(machine).join("host.toml"));
    if service != "authority" && !folder.join(machine).join("tls").exists() {
        let names: &[&str] = if service == "web" { &["--https", "web.internal"] } else { &[] };
        command.args(["--join", &token(folder, service, names)]);
    }
    Process::start(switch, machine, &mut command)
}

/// The database's server on its machine, and who keeps its certificate fresh.
fn database(switch: &Switch, folder: &Path) -> [(&'static str, Process); 2] {
    let home = folder.join("postgres");
    let data = home.join("data");
    let hba = std::fs::read_to_string(data.join("pg_hba.conf")).unwrap().replace("127.0.0.1/32", "samenet");
    std::fs::write(data.join("pg_hba.conf"), hba).unwrap();
    let newest = "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1";
    let bin = std::process::Command::new("sh").args(["-c", newest]).output().unwrap().stdout;
    let postgres = format!("{}/postgres", String::from_utf8(bin).unwrap().trim());
    let mut server = switch.on("db", "setpriv");
    server.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", &postgres, "-D"]).arg(&data);
    server.args(["-c", "listen_addresses=*", "-c", "port=5432"]).current_dir("/");
    let server = Process::start(switch, "db", &mut server);

    let kept = folder.join("postgresql");
    let mut keeper = switch.on("db", env!("CARGO_BIN_EXE_guichet"));
    keeper.args(["pki", "keep", "--service", "postgresql", "--folder"]).arg(&kept);
    keeper.arg("--join").arg(token(folder, "postgresql", &["--san", "db.internal"]));
    let handed = [("postgresql.pem", "server.pem"), ("postgresql-key.pem", "server-key.pem"), ("crl.pem", "crl.pem")];
    let copies = handed.map(|(from, to)| {
        format!("install -o postgres -g postgres -m 600 {}/{from} {}/{to}", kept.display(), home.display())
    });
    let reload = format!("kill -HUP $(head -n 1 {}/postmaster.pid)", data.display());
    keeper.arg("--then").arg(format!("{} && {reload}", copies.join(" && ")));
    [("db", server), ("keeper", Process::start(switch, "db", &mut keeper))]
}
