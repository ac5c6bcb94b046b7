//! The servers that the tool writes to: a real MariaDB of this test alone, and MongoDB's wire protocol by MockupDB.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pki::{Authority, Identity, Request};
use serde_json::Value;
use tempfile::TempDir;
use vocabulary::{Chance, Clock};

/// Opens the database. Like no word that the tool would write by itself; it is percent-encoded in an address.
pub(crate) const PASSWORD: &str = "Canary-8 of/the@vault";
pub(crate) const PASSWORD_IN_URL: &str = "Canary-8%20of%2Fthe%40vault";

const USER: &str = "monitor";
/// Longest wait for a server on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// An authority and a certificate of it for this machine: `ca.pem`, `https.pem` and `https-key.pem` in a folder.
pub(crate) fn certified(folder: &Path) -> Identity {
    let (clock, chance) = (Clock::system(), Chance::system());
    let (authority, _) = Authority::open_or_create(folder, "Test", &clock, &chance).unwrap();
    let request = Request::https(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
    Identity::open_or_issue(folder, "https", &authority, &request, &clock, &chance).unwrap()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running MariaDB; killed when dropped.
pub(crate) struct MariaDb {
    child: Child,
    home: TempDir,
    pub(crate) port: u16,
}

impl MariaDb {
    /// With a database `monitoring` in which the user `monitor` may do what `rights` says.
    pub(crate) fn with(rights: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let mut install = Command::new(program("mariadb-install-db"));
        install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        let installed = install.args(as_root()).arg(format!("--datadir={}", data.display())).output().unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stdout));
        let init = home.path().join("init.sql");
        certified(home.path());
        let statements = format!(
            "create database monitoring;\ncreate user '{USER}'@'%' identified by '{PASSWORD}';\n\
             grant {rights} on monitoring.* to '{USER}'@'%';\n"
        );
        std::fs::write(&init, statements).unwrap();
        // Another process may take the port before the server does.
        for _ in 0..5 {
            let port = free_port();
            let mut child = Self::start(home.path(), port, &[&format!("--init-file={}", init.display())]);
            if answers(&mut child, port) {
                return Self { child, home, port };
            }
        }
        panic!("MariaDB does not start:\n{}", std::fs::read_to_string(home.path().join("log")).unwrap_or_default());
    }

    fn start(home: &Path, port: u16, more: &[&str]) -> Child {
        let mut server = Command::new(program("mariadbd"));
        server.args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=32M",
        ]);
        server.args(as_root()).arg(format!("--port={port}")).args(more);
        for (option, file) in [
            ("datadir", "data"),
            ("socket", "socket"),
            ("pid-file", "pid"),
            ("log-error", "log"),
            ("ssl-ca", "ca.pem"),
            ("ssl-cert", "https.pem"),
            ("ssl-key", "https-key.pem"),
        ] {
            server.arg(format!("--{option}={}", home.join(file).display()));
        }
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Its address for the tool.
    pub(crate) fn url(&self) -> String {
        format!("mysql://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{}/monitoring", self.port)
    }

    /// What MariaDB's own client says to a statement, as root: a line for each row, its columns parted by tabs.
    pub(crate) fn ask(&self, statement: &str) -> String {
        let mut client = Command::new(program("mariadb"));
        client.args(["--no-defaults", "--batch", "--skip-column-names", "--user=root", "--database=monitoring"]);
        let said =
            client.arg("--socket").arg(self.home.path().join("socket")).args(["-e", statement]).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }

    /// The certificate of the authority that its own comes from.
    pub(crate) fn authority(&self) -> PathBuf {
        self.home.path().join("ca.pem")
    }

    /// Every file that the server wrote.
    pub(crate) fn files(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

/// MariaDB refuses to run as root until it is told to.
fn as_root() -> &'static [&'static str] {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" { &["--user=root"] } else { &[] }
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = dirs.map(|dir| dir.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: `cargo xtask test` says what is missing"))
}

/// Whether it accepts connections, before it ends.
fn answers(child: &mut Child, port: u16) -> bool {
    let end = PATIENCE.as_millis() / 50;
    (0..end).any(|_| {
        std::thread::park_timeout(Duration::from_millis(50));
        TcpStream::connect(("127.0.0.1", port)).is_ok() || child.try_wait().unwrap().is_some()
    }) && child.try_wait().unwrap().is_none()
}

fn python(args: &[&str]) -> Command {
    let python = std::env::var_os("GUICHET_TEST_PYTHON").unwrap_or_else(|| {
        panic!("GUICHET_TEST_PYTHON is not set: run `cargo xtask test -p guichet`, which prepares the Python of these tests")
    });
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/monitor_tool/mongodb.py")).args(args);
    command
}

/// MockupDB as a process; killed when dropped.
pub(crate) struct MongoDb {
    child: Child,
    pub(crate) port: u16,
    documents: Receiver<String>,
}

impl MongoDb {
    /// That behaves so, on a port of its own or on this one.
    pub(crate) fn that(behaviour: &str, port: Option<u16>) -> Self {
        let port = port.map(|it| it.to_string());
        let args: Vec<&str> = ["serve", behaviour].into_iter().chain(port.as_deref()).collect();
        let mut child = python(&args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().and_then(Result::ok).and_then(|line| line.parse().ok());
        let port = port.unwrap_or_else(|| panic!("MockupDB does not start"));
        let (said, documents) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
        Self { child, port, documents }
    }

    pub(crate) fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/watched", self.port)
    }

    /// The next documents that it keeps.
    pub(crate) fn next(&self, number: usize) -> Vec<Value> {
        let next = |_| serde_json::from_str(&self.documents.recv_timeout(PATIENCE).unwrap()).unwrap();
        (0..number).map(next).collect()
    }

    /// What it kept and nobody asked for yet.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.documents.iter().collect()
    }
}

impl Drop for MongoDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The documents of a real server, as another program than ours reads them.
pub(crate) fn kept_at(url: &str) -> Vec<Value> {
    let out = python(&["read", url]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
