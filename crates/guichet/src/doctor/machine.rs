//! The machine: the service's folder, room on the disk, and the port.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use vocabulary::Clock;

use super::Findings;
use crate::health::Asking;
use crate::node::Node;
use crate::probe::{Question, ask};

/// Room that is remarked upon, and that is too little, in bytes.
const LITTLE: u64 = 1024 * 1024 * 1024;
const TOO_LITTLE: u64 = 100 * 1024 * 1024;
/// Files that are looked at, at most.
const MOST_FILES: usize = 10_000;

/// The service's folder is there, its own, and closed to others with what is in it.
pub(super) fn folder(node: &Node, findings: &mut Findings) {
    const ABOUT: &str = "folder";
    let path = &node.data_dir;
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.well(ABOUT, format!("{shown} is not there yet; the first start makes it"));
            return;
        }
        Err(error) => {
            findings.wrong(ABOUT, format!("{shown} cannot be looked at: {error}"), "run this as the service's user");
            return;
        }
    };
    if !found.is_dir() {
        findings.wrong(ABOUT, format!("{shown} is no folder"), "move it away, or choose another folder as data_dir");
        return;
    }
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let mend =
            format!("chown it to the service's user, or run this as that user (it belongs to user {})", found.uid());
        findings.wrong(ABOUT, format!("this user may not write to {shown}"), mend);
    }
    let mut open = Vec::new();
    if is_open(&found) {
        open.push(path.clone());
    }
    secrets(path, &mut open);
    if open.is_empty() {
        findings.well(ABOUT, format!("{shown} and the secrets in it are closed to others"));
    }
    for path in open {
        let (shown, mode) = (path.display(), if path.is_dir() { "700" } else { "600" });
        let found = format!("others of this machine can look into {shown}");
        findings.wrong(ABOUT, found, format!("chmod {mode} {shown}; replace what somebody may have copied"));
    }
}

fn is_open(found: &Metadata) -> bool {
    found.permissions().mode() & 0o077 != 0
}

/// Keys and databases below, that others can read.
fn secrets(folder: &Path, open: &mut Vec<PathBuf>) {
    let mut folders = vec![folder.to_owned()];
    let mut seen = 0_usize;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen = seen.saturating_add(1);
            let (Ok(kind), path) = (entry.file_type(), entry.path()) else { continue };
            if seen > MOST_FILES {
                return;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let secret = name.contains("key") || name.contains(".sqlite") || name.contains("secret");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && secret && entry.metadata().is_ok_and(|found| is_open(&found)) {
                open.push(path);
            }
        }
    }
}

/// Room where the service writes.
pub(super) fn room(node: &Node, findings: &mut Findings) {
    const ABOUT: &str = "disk";
    let there = node.data_dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let free = match statvfs(there) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            let found = format!("the disk of {} cannot be looked at: {error}", there.display());
            findings.wrong(ABOUT, found, "run this as the service's user");
            return;
        }
    };
    let found = format!("{} MiB are free where {} is", free / (1024 * 1024), there.display());
    let mend = "make room: nothing is accepted any more once the disk is full";
    if free < TOO_LITTLE {
        findings.wrong(ABOUT, found, mend);
    } else if free < LITTLE {
        findings.warning(ABOUT, found, mend);
    } else {
        findings.well(ABOUT, found);
    }
}

/// The port is free, or the service itself has it.
pub(super) async fn port(node: &Node, clock: &Clock, findings: &mut Findings) {
    const ABOUT: &str = "port";
    let listen = node.listen;
    let Err(error) = TcpListener::bind(listen) else {
        findings.well(ABOUT, format!("{listen} is free; the service does not run"));
        return;
    };
    let change = "choose another address as `listen`";
    match error.kind() {
        ErrorKind::AddrInUse => match itself(node, clock).await {
            Some(Ok(())) => findings.well(ABOUT, format!("{listen} is the service's own: it runs and serves")),
            Some(Err(words)) => findings.warning(
                ABOUT,
                format!("{listen} is the service's own: it runs and cannot serve now: {words}"),
                "see what else is found here; it serves by itself once that is mended",
            ),
            None => findings.wrong(
                ABOUT,
                format!("{listen} is taken by {}", holder(listen).unwrap_or_else(|| "another program".into())),
                format!("stop that program, or {change}"),
            ),
        },
        ErrorKind::AddrNotAvailable => {
            findings.wrong(ABOUT, format!("this machine has no address {}", listen.ip()), change);
        }
        ErrorKind::PermissionDenied => {
            let found = format!("this user may not listen at port {}", listen.port());
            findings.wrong(ABOUT, found, "choose a port from 1024 on, and let something before it forward the other");
        }
        _ => findings.wrong(ABOUT, format!("{listen} cannot be listened at: {error}"), change),
    }
}

/// Whether what listens there is the service: then, whether it serves.
async fn itself(node: &Node, clock: &Clock) -> Option<Result<(), String>> {
    let asking = Asking::at_door(&node.door()).ok()?;
    let question = Question { at: &asking.at, name: &asking.name, tls: asking.tls, path: "/health/ready" };
    let answer = ask(question, clock).await.ok()?;
    Some(if answer.status == 200 { Ok(()) } else { Err(answer.words) })
}

/// The program that listens at `place`, where this user may know it.
fn holder(place: SocketAddr) -> Option<String> {
    let port = format!(":{:04X}", place.port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let listening = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = words.get(1)?.ends_with(&port) && *words.get(3)? == "0A";
        ours.then(|| words.get(9).map(|inode| format!("socket:[{inode}]")))?
    });
    let sockets: Vec<String> = listening.collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.into_iter().find_map(|process| {
        let id = process.file_name().into_string().ok()?.parse::<u32>().ok()?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let holds = files.any(|file| {
            fs::read_link(file.path())
                .is_ok_and(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
        });
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        holds.then(|| format!("{} (process {id})", name.trim()))
    })
}
