//! The processes of a bank that stands apart on one machine: started, started again when they end, stopped.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chassis::Shutdown;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Failure;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The wait before a process is started again: it doubles up to the longest, and begins anew after a while of peace.
const AGAIN: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const PEACE: Duration = Duration::from_secs(30);
/// Longest that a process may take to stop when asked; then it is killed.
const STOP: Duration = Duration::from_secs(20);
/// What would speak to the services over their configuration's head, and what the service manager means for us alone.
const SETTINGS: [&str; 13] = [
    "GUICHET_CONFIG",
    "GUICHET_DATA_DIR",
    "GUICHET_DATABASE",
    "GUICHET_LISTEN",
    "GUICHET_CERTIFICATES",
    "GUICHET_ORIGIN",
    "GUICHET_PROXIES",
    "GUICHET_PEERS",
    "GUICHET_NATS",
    "GUICHET_PKI_DIR",
    "GUICHET_JOIN",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
];

/// Looks after one process: starts it again when it ends.
pub(super) struct Keeper {
    stop: Shutdown,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Asks the process to stop, and waits for it.
    pub(super) async fn stop(self) {
        self.stop.begin();
        let _ = self.task.await;
    }
}

/// Starts a service's process with this configuration, and looks after it.
pub(super) fn keep(service: &'static str, file: &Path) -> Result<Keeper, Failure> {
    let (program, file) = (std::env::current_exe()?, file.to_owned());
    keep_running(service, move || spawn(&program, service, &file))
}

/// Starts a process, and looks after it. It has to end when its standard input does.
pub(super) fn keep_running(
    service: &'static str,
    mut spawn: impl FnMut() -> Result<Child, Failure> + Send + 'static,
) -> Result<Keeper, Failure> {
    let stop = Shutdown::default();
    let first = spawn()?;
    let told = stop.clone();
    let task = tokio::spawn(async move {
        let (mut child, mut wait, mut since) = (Some(first), AGAIN, Instant::now());
        loop {
            if let Some(running) = &mut child {
                let ended = tokio::select! {
                    () = told.begun() => return end(running).await,
                    ended = ended(running) => ended,
                };
                tracing::error!(service, ended, "a service ended; it is started again");
                if since.elapsed() > PEACE {
                    wait = AGAIN;
                }
            }
            tokio::select! {
                () = told.begun() => return,
                () = tokio::time::sleep(wait) => {}
            }
            (wait, since) = (wait.saturating_mul(2).min(LONGEST), Instant::now());
            child =
                spawn().inspect_err(|failure| tracing::error!(service, %failure, "a service cannot be started")).ok();
        }
    });
    Ok(Keeper { stop, task })
}

/// It holds the other end of a pipe of ours, and stops when that closes: however we end. Ctrl-C reaches us, not it.
fn spawn(program: &Path, service: &str, file: &Path) -> Result<Child, Failure> {
    let mut command = Command::new(program);
    for name in SETTINGS {
        command.env_remove(name);
    }
    command.args(["serve", service, "--attached", "--config"]).arg(file);
    if let Some(token) = invitation(service, file) {
        command.arg("--join").arg(format!("@{}", token.display()));
    }
    Ok(command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?)
}

/// Waits until the process has ended, and says how.
async fn ended(child: &mut Child) -> String {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        match child.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => {}
            Err(error) => return error.to_string(),
        }
    }
}

async fn end(child: &mut Child) {
    drop(child.stdin.take());
    if tokio::time::timeout(STOP, ended(child)).await.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Where a token is put for a service whose certificate has ended; the authority invites nobody to itself.
fn invitation(service: &str, file: &Path) -> Option<PathBuf> {
    (service != contracts::authority::SERVICE).then(|| file.with_file_name(super::office::TOKEN))
}
