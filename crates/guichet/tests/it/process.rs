//! Runs the built binary as anyone would, and never leaves one behind.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use crate::client::Client;

/// Longest wait for the first line: a debug build on a busy machine fills a demonstration in far less.
const PATIENCE: Duration = Duration::from_mins(3);
/// What would change a test's bank from outside.
const SETTINGS: [&str; 5] =
    ["GUICHET_CONFIG", "GUICHET_DATA_DIR", "GUICHET_DATABASE", "GUICHET_LISTEN", "GUICHET_HOST"];

/// A command of the binary, in an environment of its own.
pub(crate) fn guichet(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guichet"));
    for name in SETTINGS {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// What a command wrote to stdout, if it succeeded.
pub(crate) fn output(args: &[&str]) -> String {
    let out = guichet(args).output().unwrap();
    assert!(out.status.success(), "guichet {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// The one line that `up --json` prints once it serves.
#[derive(Deserialize, Debug)]
pub(crate) struct Line {
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) people: Vec<Person>,
}

impl Line {
    /// Of the bank that `GUICHET_TEST_URL` names, if it names one: the file `GUICHET_TEST_PEOPLE` holds what that bank
    /// printed when it was started with `up --demo --json`.
    pub(crate) fn elsewhere() -> Option<Self> {
        let (url, ca) = aaa::testing::elsewhere()?;
        let path = std::env::var("GUICHET_TEST_PEOPLE").unwrap_or_else(|_| {
            panic!("GUICHET_TEST_URL without GUICHET_TEST_PEOPLE: a file with what `guichet up --demo --json` printed")
        });
        let line: Self = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Some(Self { url, ca: ca.unwrap_or(line.ca), ..line })
    }

    /// Somebody nobody knows, who trusts the printed authority.
    pub(crate) fn client(&self) -> Client {
        Client::https(&self.url, &std::fs::read_to_string(&self.ca).unwrap())
    }

    /// Those with a role, in their order.
    pub(crate) fn people(&self, role: &str) -> Vec<Person> {
        self.people.iter().filter(|person| person.role == role).cloned().collect()
    }
}

/// Somebody whose password was printed.
#[derive(Deserialize, Debug, Clone)]
pub(crate) struct Person {
    pub(crate) login: String,
    pub(crate) password: String,
    pub(crate) role: String,
    pub(crate) name: String,
}

/// A running bank; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) line: Line,
    log: PathBuf,
}

/// Whether the banks of tests that do not mind run apart.
pub(crate) fn apart() -> bool {
    std::env::var_os("GUICHET_TEST_APART").is_some()
}

/// Waits for what the others have to hear first, where services stand apart; where they do not, it is so already.
pub(crate) async fn heard<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    if apart() { Some(eventually(what, look).await) } else { look().await }
}

/// How `guichet up` is started.
pub(crate) struct Up {
    command: Command,
    log: PathBuf,
}

impl Up {
    /// On a data directory, on any free port. Its log goes to a file beside the directory.
    pub(crate) fn on(data_dir: &Path) -> Self {
        Self::at(data_dir, "127.0.0.1:0")
    }

    /// The same for a test that does not mind how the bank runs: in one process, or, with `GUICHET_TEST_APART`, each
    /// service in its own on PostgreSQL.
    pub(crate) fn in_any_way_on(data_dir: &Path) -> Self {
        if !apart() {
            return Self::on(data_dir);
        }
        // Root lends the database to a user who has to pass through.
        let home = data_dir.parent().unwrap();
        std::fs::set_permissions(home, Permissions::from_mode(0o711)).unwrap();
        Self::on(data_dir).with(&["--apart"])
    }

    /// On a data directory and an address.
    pub(crate) fn at(data_dir: &Path, listen: &str) -> Self {
        let mut command = guichet(&["up", "--json", "--listen", listen, "--data-dir"]);
        command.arg(data_dir);
        Self { command, log: data_dir.with_extension("log") }
    }

    /// With further arguments.
    pub(crate) fn with(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// With what is set in its environment.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Waits for the line.
    pub(crate) fn start(mut self) -> Running {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut child = self.command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = BufReader::new(stdout).read_line(&mut text);
            let _ = said.send(read.map(|_| text));
        });
        let text = heard.recv_timeout(PATIENCE).map(Result::unwrap).unwrap_or_default();
        match serde_json::from_str(&text) {
            Ok(line) => Running { child, line, log: self.log },
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("the bank did not start ({error}): it printed `{text}` and logged:\n{log}");
            }
        }
    }

    /// Waits for it to give up, as it should.
    pub(crate) fn refused(mut self) -> Refused {
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let status = ended(&mut child, "what cannot work");
        let out = child.wait_with_output().unwrap();
        let refused = Refused {
            status,
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        };
        assert!(!refused.status.success(), "it should have failed: {}", refused.stderr);
        refused
    }
}

/// How a start failed.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Somebody nobody knows, who trusts the printed authority.
    pub(crate) fn client(&self) -> Client {
        self.line.client()
    }

    /// Those with a role, in the order of the line.
    pub(crate) fn people(&self, role: &str) -> Vec<Person> {
        self.line.people(role)
    }

    /// Everything logged to stderr so far, by this start and those before it.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// `kill -9`, now; where services stand apart, of all of them.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        for service in ["bank", "identity", "journal", "monitor", "web", "authority"] {
            if let Some(process) = crate::apart::process(&self.line.data_dir, service) {
                let _ = Command::new("kill").args(["-KILL", &process]).status();
            }
        }
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the status it exits with.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        ended(&mut self.child, "a bank asked to stop")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
            eprintln!("the bank's last words:\n{}", last.join("\n"));
        }
    }
}

/// Waits for a process to end by itself, half a minute at most; then it is killed and the test fails.
fn ended(child: &mut Child, what: &str) -> ExitStatus {
    let (done, over) = mpsc::channel::<()>();
    let pid = child.id().to_string();
    let watchdog = std::thread::spawn(move || {
        let late = over.recv_timeout(Duration::from_secs(30)) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
        late
    });
    let status = child.wait().unwrap();
    drop(done);
    assert!(!watchdog.join().unwrap(), "{what} still ran after 30 s");
    status
}

/// Looks again until it is so: for what follows an answer by itself, such as the journal. Ten seconds at most.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..200 {
        looks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
    }
    panic!("not within ten seconds: {what}");
}
