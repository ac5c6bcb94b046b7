//! A real nats-server of one's own, with the configuration of `deploy/nats`, and an authority for it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use bus::nats::{Connection, Layout, Rights, prepare};
use pki::{Authority, Identity, Link, Request, Trust};
use tempfile::TempDir;
use vocabulary::{Chance, Clock};

/// Ends the server at once when the pipe closes, however the test ends.
const KEEPER: &str = r#""$@" & server=$!; echo $server > pid; cat >/dev/null; kill -9 $server; wait"#;
/// How a broker on a machine of its own is called.
const KNOWN: &str = "nats.internal";
const DEPLOYED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/nats/nats-server.conf");

/// One broker. Its certificates, rights and store outlive a kill.
pub(crate) struct Broker {
    dir: TempDir,
    authority: Arc<Authority>,
    port: u16,
    /// The network namespace that it runs in, if not in that of the test.
    machine: Option<&'static str>,
    running: Mutex<Option<Child>>,
}

/// Where nats-server is; nothing where it is not installed and nobody insists.
pub(crate) fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Debian keeps it off the path of people.
    dirs.push("/usr/sbin".into());
    let found = dirs.into_iter().map(|dir| dir.join("nats-server")).find(|program| program.is_file());
    let wanted = std::env::var("GUICHET_TEST_REQUIRE_NATS").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !wanted, "nats-server is not installed, and GUICHET_TEST_REQUIRE_NATS asks for it");
    found
}

/// Who may do what in these tests, as in the deployment.
pub(crate) fn rights() -> Rights {
    let log = ["log.members.*", "log.agents.*"];
    Rights::new("journal", "operator")
        .and_then(|rights| rights.source("bank", &log))
        .and_then(|rights| rights.source("identity", &[log[0], log[1], "auth.revoked"]))
        .unwrap()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr()).unwrap().port()
}

impl Broker {
    /// A running one whose stream is made; nothing where nats-server is not installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_on(None).await
    }

    /// The same in the network namespace of this name, found as `nats.internal`.
    pub(crate) async fn start_on(machine: Option<&'static str>) -> Option<Self> {
        installed()?;
        let dir = tempfile::tempdir().unwrap();
        let made = Authority::open_or_create(dir.path(), "Brokers", &Clock::system(), &Chance::system());
        let mut broker = Self::new(Arc::new(made.unwrap().0));
        broker.machine = machine;
        broker.run();
        broker.prepare().await;
        Some(broker)
    }

    /// What one needs, as the deployment has it; nothing runs yet.
    pub(crate) fn new(authority: Arc<Authority>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = dir.path().join("tls");
        let server = Request::service("nats", ["localhost", KNOWN]);
        Identity::open_or_issue(&tls, "nats", &authority, &server, &Clock::system(), &Chance::system()).unwrap();
        std::fs::write(tls.join("ca.pem"), authority.certificate_pem()).unwrap();
        std::fs::copy(DEPLOYED, dir.path().join("nats-server.conf")).unwrap();
        rights().write(&dir.path().join("rights.conf")).unwrap();
        Self { dir, authority, port: free_port(), machine: None, running: Mutex::default() }
    }

    /// Starts it, on what a former run left.
    pub(crate) fn run(&self) {
        let _ = std::fs::remove_file(self.dir.path().join("pid"));
        let (mut keeper, own) = match self.machine {
            None => (Command::new("sh"), "127.0.0.1"),
            Some(_) => (Command::new("nsenter"), "0.0.0.0"),
        };
        if let Some(machine) = self.machine {
            keeper.arg(format!("--net=/run/netns/{machine}")).arg("sh");
        }
        let keeper = keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(installed().unwrap())
            .args(["-c", "nats-server.conf", "-l", "server.log", "-a", own, "-p", &self.port.to_string()])
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        *self.running.lock().unwrap() = Some(keeper.unwrap());
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        if let Some(mut keeper) = self.running.lock().unwrap().take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
    }

    /// Takes away everything that it acknowledged.
    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(self.store()).unwrap();
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.dir.path().join("jetstream")
    }

    /// The operator's work.
    pub(crate) async fn prepare(&self) {
        let operator = self.connect("operator").await;
        let layout = Layout { replicas: 1, most_bytes: 1_000_000_000 };
        crate::until(|| operator.is_up()).await;
        prepare(&operator, layout).await.unwrap();
    }

    /// Other rights, in force as soon as the broker has read them.
    pub(crate) fn reload(&self, rights: &Rights) {
        self.reload_as(&rights.conf());
    }

    /// The same, as the broker reads it.
    pub(crate) fn reload_as(&self, rights: &str) {
        std::fs::write(self.dir.path().join("rights.conf"), rights).unwrap();
        let pid = std::fs::read_to_string(self.dir.path().join("pid")).unwrap();
        assert!(Command::new("kill").args(["-HUP", pid.trim()]).status().unwrap().success());
    }

    pub(crate) fn address(&self) -> String {
        let host = if self.machine.is_some() { KNOWN } else { "localhost" };
        format!("tls://{host}:{}", self.port)
    }

    /// A link of whoever is called so.
    pub(crate) fn link(&self, name: &str) -> Link {
        self.link_of(name, &[name, "localhost"])
    }

    /// The same with other DNS names.
    pub(crate) fn link_of(&self, common_name: &str, names: &[&str]) -> Link {
        let (clock, chance) = (Clock::system(), Chance::system());
        let request = Request::service(common_name, names.iter().copied());
        let issued = self.authority.issue(&request, &clock, &chance).unwrap();
        let trust = Trust::of(self.authority.certificate_pem()).unwrap();
        Link::new(issued.identity().unwrap(), trust, &clock).unwrap()
    }

    /// The certificate that everybody trusts.
    pub(crate) fn root(&self) -> &str {
        self.authority.certificate_pem()
    }

    pub(crate) async fn connect(&self, name: &str) -> Connection {
        Connection::open(&[self.address()], name, &self.link(name)).await.unwrap()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
