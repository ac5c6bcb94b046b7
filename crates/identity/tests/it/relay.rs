//! A real mail relay beside the tests: aiosmtpd, with a certificate of an authority of its own.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mail::{Encryption, Mailing, MailingSettings};
use pki::{Authority, Request};
use serde::Deserialize;
use tempfile::TempDir;
use vocabulary::{Chance, Clock};

/// A mail, as another program than ours read it.
#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) sender: String,
    pub(crate) to: Vec<String>,
    headers: Vec<(String, String)>,
    pub(crate) kind: String,
    pub(crate) plain: String,
    pub(crate) html: String,
    pub(crate) encrypted: bool,
    pub(crate) user: Option<String>,
}

impl Mail {
    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0]
    }

    /// The plain text in one line.
    pub(crate) fn text(&self) -> String {
        self.plain.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The files of an authority and of a relay's certificate.
pub(crate) struct Keys {
    folder: TempDir,
}

impl Keys {
    /// For a relay that is called so.
    pub(crate) fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, chance) = (Clock::system(), Chance::system());
        let (authority, _) = Authority::open_or_create(folder.path(), "Relay", &clock, &chance).unwrap();
        let request = Request::https(vec![name.to_owned()]);
        pki::Identity::open_or_issue(folder.path(), "https", &authority, &request, &clock, &chance).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn authority(&self) -> String {
        std::fs::read_to_string(self.path("ca.pem")).unwrap()
    }
}

/// A running relay; stopped when dropped.
pub(crate) struct Relay {
    child: Child,
    asks: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
    pub(crate) port: u16,
    mails: Vec<Mail>,
}

#[derive(Deserialize)]
struct Said {
    port: Option<u16>,
    sync: Option<bool>,
}

impl Relay {
    /// With STARTTLS and this certificate, on a free port.
    pub(crate) fn start(keys: &Keys) -> Self {
        Self::with(Some(keys), &[])
    }

    pub(crate) fn with(keys: Option<&Keys>, arguments: &[&str]) -> Self {
        let python = std::env::var_os("GUICHET_TEST_PYTHON").unwrap_or_else(|| {
            panic!("GUICHET_TEST_PYTHON is not set: run `cargo xtask test -p identity`, which prepares the Python of these tests")
        });
        // The tests of the whole bank use it, too.
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../identity/tests/it/relay/relay.py");
        let mut command = Command::new(python);
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(keys) = keys {
            command.arg("--certificate").arg(keys.path("https.pem")).arg("--key").arg(keys.path("https-key.pem"));
        }
        let mut child = command.spawn().unwrap();
        let (asks, says) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut says = BufReader::new(says).lines();
        let first: Said = serde_json::from_str(&says.next().unwrap().unwrap()).unwrap();
        Self { child, asks, says, port: first.port.unwrap(), mails: Vec::new() }
    }

    /// Everything it was handed so far.
    pub(crate) fn mails(&mut self) -> Vec<Mail> {
        writeln!(self.asks, "sync").unwrap();
        loop {
            let line = self.says.next().unwrap().unwrap();
            let said: Said = serde_json::from_str(&line).unwrap();
            if said.sync.is_some() {
                return self.mails.clone();
            }
            self.mails.push(serde_json::from_str(&line).unwrap());
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Settings for a relay on this machine.
pub(crate) fn settings(port: u16, keys: &Keys) -> MailingSettings {
    MailingSettings {
        host: "localhost".into(),
        port,
        encryption: Encryption::StartTls,
        from: "Crédit du Port <no-reply@bank.example>".into(),
        credentials: None,
        authorities: Some(keys.authority()),
        bank: "Crédit du Port".into(),
    }
}

/// Mails leave through it.
pub(crate) fn mailing(port: u16, keys: &Keys) -> Mailing {
    Mailing::new(settings(port, keys)).unwrap()
}
