//! A nats-server of the bank's own, on this machine, for a bank whose services stand apart.
//!
//! Promises: it runs on the configuration of `deploy/nats`, over TLS 1.3 with a client certificate and in no other way; one
//! that ends is started again; it stops however this process ends. Knows no events.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pki::files::{self, Readers};

use super::keeper::{self, Keeper};
use crate::Failure;
use crate::broker::{NAME, rights};
use crate::links::Place;

const CONFIGURATION: &str = include_str!("../../../../deploy/nats/nats-server.conf");
const RIGHTS: &str = "rights.conf";
const PID: &str = "nats-server.pid";
/// Its log; a full one is put aside.
const LOG: &str = "server.log";
const LOG_LIMIT: &str = "\nlogfile_size_limit: 10MB\n";
/// Ends the server when our end of the pipe closes, however we end; ends itself when the server does.
const KEEPER: &str = r#"exec 3<&0; "$@" 3<&- </dev/null & server=$!
{ cat <&3 >/dev/null; kill -TERM $server; } & watch=$!
wait $server; kill $watch 2>/dev/null"#;

/// A server that is looked after.
pub(super) struct Nats {
    folder: PathBuf,
    program: PathBuf,
    keeper: Keeper,
}

/// What tells a server of changes. Clones tell the same one.
#[derive(Clone)]
pub(super) struct Reload {
    folder: PathBuf,
    program: PathBuf,
    place: Place,
}

impl Nats {
    /// Starts the server kept in `folder`, at this port; its certificates are at `place`.
    pub(super) fn start(folder: &Path, port: u16, place: &Place, sent_away: &[String]) -> Result<Self, Failure> {
        let program = program()?;
        files::make_folder(folder)?;
        files::make_folder(&folder.join("tls"))?;
        files::write(&folder.join("nats-server.conf"), &format!("{CONFIGURATION}{LOG_LIMIT}"), Readers::Owner)?;
        hand_certificates(place, folder)?;
        write_rights(folder, sent_away)?;
        let (at, run) = (folder.to_owned(), program.clone());
        let keeper = keeper::keep_running(NAME, move || spawn(&run, &at, port))?;
        Ok(Self { folder: folder.to_owned(), program, keeper })
    }

    /// Who tells it of new certificates and rights.
    pub(super) fn reload(&self, place: &Place) -> Reload {
        Reload { folder: self.folder.clone(), program: self.program.clone(), place: place.clone() }
    }

    /// Ends it, and waits for that.
    pub(super) async fn stop(self) {
        self.keeper.stop().await;
    }
}

impl Reload {
    /// The server uses the certificates that lie at the place now.
    pub(super) async fn certificates(&self) -> Result<(), Failure> {
        hand_certificates(&self.place, &self.folder)?;
        self.tell().await
    }

    /// Whoever was sent away is out.
    pub(super) async fn rights(&self, sent_away: &[String]) -> Result<(), Failure> {
        if write_rights(&self.folder, sent_away)? { self.tell().await } else { Ok(()) }
    }

    /// Makes it read its files again.
    async fn tell(&self) -> Result<(), Failure> {
        let mut signal = Command::new(&self.program);
        signal.arg("--signal").arg(format!("reload={}", self.folder.join(PID).display()));
        signal.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = tokio::task::spawn_blocking(move || signal.status()).await.map_err(std::io::Error::other)??;
        if status.success() {
            return Ok(());
        }
        Err(Failure::Refused("nats-server could not be told to read its files again".into()))
    }
}

/// The server's program: on the path, or where Debian keeps it.
fn program() -> Result<PathBuf, Failure> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&on_path).chain([PathBuf::from("/usr/sbin"), "/usr/local/bin".into()]);
    folders.find_map(|folder| Some(folder.join("nats-server")).filter(|program| program.is_file())).ok_or_else(|| {
        Failure::Settings(
            "the services of a bank that stands apart tell the journal over NATS, and its server is not installed: install it \
             (Debian, Ubuntu: apt install nats-server; elsewhere: https://nats.io/download), or leave --apart away"
                .into(),
        )
    })
}

fn spawn(program: &Path, folder: &Path, port: u16) -> Result<Child, Failure> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", KEEPER, "keeper"]).arg(program);
    command.args(["-c", "nats-server.conf", "-P", PID, "-l", LOG, "-a", "127.0.0.1", "-p"]);
    command.arg(port.to_string()).current_dir(folder).process_group(0);
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// Copies that fit together, whatever is replaced meanwhile.
fn hand_certificates(place: &Place, folder: &Path) -> Result<(), Failure> {
    let own = pki::Identity::open(&place.folder, &place.name)?;
    let ca = place.folder.join("ca.pem");
    let root = std::fs::read_to_string(&ca).map_err(|error| Failure::file("read", &ca, &error))?;
    let tls = folder.join("tls");
    files::write(&tls.join("ca.pem"), &root, Readers::Owner)?;
    files::write(&tls.join("nats-key.pem"), &own.key_pem(), Readers::Owner)?;
    Ok(files::write(&tls.join("nats.pem"), &own.cert_pem(), Readers::Owner)?)
}

/// Whether they are others than before.
fn write_rights(folder: &Path, sent_away: &[String]) -> Result<bool, Failure> {
    let rights = rights(sent_away).map_err(|error| Failure::Settings(error.to_string()))?;
    let path = folder.join(RIGHTS);
    if std::fs::read_to_string(&path).is_ok_and(|written| written == rights.conf()) {
        return Ok(false);
    }
    rights.write(&path)?;
    Ok(true)
}
