//! What is told to systemd, when it started this process: that it serves, what it waits for, that it stops, that it lives.
//!
//! Promises: says nothing unless `NOTIFY_SOCKET` names a socket; what cannot be told changes nothing else.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use chassis::Shutdown;

use crate::rooms::rounds;

/// From now on it serves; it goes on telling that it lives, as often as systemd asks for.
pub(crate) fn serves(shutdown: &Shutdown) {
    tell("READY=1\nSTATUS=serves");
    // Told from the runtime that serves: a process in which nothing moves any more falls silent.
    if let Some(patience) = patience(&|name| std::env::var(name).ok(), std::process::id()) {
        let often = patience.max(Duration::from_millis(3)) / 3;
        rounds(often, shutdown, async || tell("WATCHDOG=1"));
    }
}

/// It has started and something is still missing.
pub(crate) fn waits_for(what: &str) {
    tell(&format!("STATUS=waits for {what}"));
}

/// Tells when it begins to stop.
pub(crate) fn follow(shutdown: &Shutdown) {
    let told = shutdown.clone();
    tokio::spawn(async move {
        told.begun().await;
        tell("STOPPING=1\nSTATUS=stops");
    });
}

/// How long systemd waits for a sign of life, if it waits for one of this process.
fn patience(variable: &dyn Fn(&str) -> Option<String>, own: u32) -> Option<Duration> {
    let meant = variable("WATCHDOG_PID").is_none_or(|id| id == own.to_string());
    let micros = variable("WATCHDOG_USEC")?.parse().ok().filter(|micros| *micros > 0);
    micros.filter(|_| meant).map(Duration::from_micros)
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    // A manager that is behind is waited for; one that reads nothing any more must not stop us.
    sender.set_write_timeout(Some(Duration::from_secs(1)))?;
    sender.send_to_addr(state.as_bytes(), &address(socket)?).map(|_| ())
}

/// A path, or a name behind `@` that stands in no folder.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        _ => SocketAddr::from_pathname(socket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_a_path_and_at_a_name_without_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notify");
        let at_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("@guichet-test-{}", std::process::id());
        let at_name = UnixDatagram::bind_addr(&address(name.as_ref()).unwrap()).unwrap();
        for (socket, receiver) in [(path.as_os_str(), at_path), (name.as_ref(), at_name)] {
            send(socket, "READY=1").unwrap();
            let mut said = [0; 32];
            let length = receiver.recv(&mut said).unwrap();
            assert_eq!(&said[..length], b"READY=1");
        }
        assert!(send(home.path().join("nobody").as_ref(), "READY=1").is_err());
    }

    #[test]
    fn signs_of_life_are_given_only_where_this_process_is_asked_for_them() {
        let asked = |usec: &'static str, id: Option<&'static str>| {
            patience(
                &move |name| match name {
                    "WATCHDOG_USEC" => Some(usec.to_owned()),
                    _ => id.map(str::to_owned),
                },
                7,
            )
        };
        assert_eq!(asked("30000000", None), Some(Duration::from_secs(30)));
        assert_eq!(asked("30000000", Some("7")), Some(Duration::from_secs(30)));
        assert_eq!((asked("30000000", Some("8")), asked("0", None), asked("x", None)), (None, None, None));
    }
}
