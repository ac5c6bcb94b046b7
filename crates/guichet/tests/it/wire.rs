//! What somebody on the wire sees of a bank apart: that its services speak, and nothing of what they say.

mod capture;
mod listeners;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use contracts::{authority, bank, identity, journal, monitor, peers};
use serde_json::json;

use self::capture::{Capture, Eavesdropper, Opening};
use crate::client::Ask;
use crate::namespace;
use crate::people::{approve, fund, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up, eventually};

const SERVICES: [&str; 6] =
    [identity::SERVICE, bank::SERVICE, journal::SERVICE, monitor::SERVICE, peers::WEB, authority::SERVICE];
/// Those with a database.
const STORING: [&str; 3] = [identity::SERVICE, bank::SERVICE, journal::SERVICE];
const POSTGRES: &str = "postgres";
/// Those who tell events or take them, and the broker between them.
const TELLING: [&str; 4] = [identity::SERVICE, bank::SERVICE, authority::SERVICE, journal::SERVICE];
const NATS: &str = "nats";
/// The number of X25519MLKEM768.
const HYBRID: u16 = 0x11ec;
/// A transfer's reference that stands nowhere by chance.
const REFERENCE: &str = "three acorns for the winter";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_transfer_can_be_read_on_any_link() {
    if !namespace::inside("wire::nothing_of_a_transfer_can_be_read_on_any_link") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let links = Command::new("ip").args(["-oneline", "link"]).output().unwrap();
    assert_eq!(String::from_utf8(links.stdout).unwrap().lines().count(), 1, "there is another way than the loopback");
    // Everything from the first packet: what is seen is whole.
    let wire = Eavesdropper::listen(home.path());
    let folder = home.path().join("bank");
    let callers = Callers::watch(&folder);
    let running = Up::on(&folder).with(&["--apart"]).start();
    let words = transfer(&running).await;
    let (heard, callers) = (wire.stop(), callers.stop());
    let ports = ports(&folder);
    let opening = |port: u16| opening(&ports, port);
    assert_eq!(heard.complaints(opening, &words), Vec::<String>::new());

    let links = links_of(&heard, &callers, &ports);
    let missing: Vec<_> = expected().into_iter().filter(|link| !links.contains_key(link)).collect();
    assert!(missing.is_empty(), "{missing:?} carried nothing; these did: {:?}", links.keys());
    for ((caller, called), groups) in links.iter().filter(|((_, called), _)| called != POSTGRES && called != NATS) {
        assert!(groups.iter().all(|group| *group == Some(HYBRID)), "{caller} → {called} agreed on {groups:x?}");
    }
    the_same_check_finds_what_is_planted(home.path(), &ports, &words);
    assert!(running.terminate().success());
}

/// Money moves from one account to another, and the journal tells; gives what nobody may read of it.
async fn transfer(running: &Running) -> Vec<String> {
    let first = running.people("superuser").remove(0);
    let superuser = sign_in(&running.client(), &first.login, &first.password).await;
    let agent = hire(&running.client(), &superuser, "anton").await;
    let maker = join(&running.client(), &agent, "mara").await;
    let from = open_account(&maker, &agent, "Daily").await;
    let to = open_account(&maker, &agent, "Savings").await;
    fund(&maker, &agent, &from, "100.00").await;
    let wish = json!({
        "from": from["id"], "to": to["id"], "amount": "40.00", "currency": "EUR", "reference": REFERENCE,
    });
    let request = maker.client.call(Ask::post("/api/transfers", &wish).once("acorns")).await.expect(201);
    approve(&agent, &request).await;
    eventually("the journal tells", async || {
        let entries = maker.client.get("/api/logs?action=TRANSFER_APPROVED").await.expect(200);
        (!entries["items"].as_array()?.is_empty()).then_some(())
    })
    .await;
    let tokens =
        running.client().call(Ask::new("POST", "/api/auth/login").basic("mara", crate::people::PASSWORD)).await;
    let mut words = vec![text(&tokens.expect(200)["access_token"]), text(&request["id"]), first.password];
    words.extend([&from, &to].iter().flat_map(|account| [text(&account["id"]), text(&account["iban"])]));
    let others = [
        "anton@example.org",
        "mara",
        "Martin",
        "Savings",
        REFERENCE,
        crate::people::PASSWORD,
        "HTTP/1.1",
        "GET /",
        "POST /",
        "authorization",
        "\"iban\"",
        "SELECT ",
        "INSERT INTO",
        "guichet_bank",
        "TRANSFER_APPROVED",
    ];
    words.extend(others.map(str::to_owned));
    words
}

/// What services say to each other in the clear is found, whoever says it and however it begins.
fn the_same_check_finds_what_is_planted(folder: &Path, ports: &BTreeMap<&str, u16>, words: &[String]) {
    let wire = Eavesdropper::listen(folder);
    // The head of a hello, as TLS has it, and then something else.
    let disguised = [&[22, 3, 1, 0, 2, 1, 0], b"SELECT 1".as_slice()].concat();
    // What PostgreSQL is asked by a client who does not mind who listens.
    let open = b"\0\0\0\x1a\0\x03\0\0user\0bank\0database\0guichet_bank\0\0";
    let planted = [plant(None, b"GET /api/accounts HTTP/1.1\r\n\r\n"), plant(None, &disguised)];
    plant(Some(ports[POSTGRES]), open);
    let event = b"PUB told.bank.log.members.info 9\r\nSavings 1\r\n";
    plant(Some(ports[NATS]), event);
    let found = wire.stop().complaints(|port| opening(ports, port), words);
    let about = |port: u16| found.iter().filter(|what| what.contains(&format!("→ {port}: "))).count();
    // No record of TLS, and words.
    assert!(planted.iter().all(|port| about(*port) >= 2), "{found:?}");
    assert!(found.iter().any(|what| what.contains("was not asked for TLS first")), "{found:?}");
    assert!(about(ports[POSTGRES]) >= 2 && about(ports[NATS]) >= 2, "{found:?}");
}

/// A client who says `words` to a server that listens and goes, or to the one at `port`.
fn plant(port: Option<u16>, words: &[u8]) -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = port.unwrap_or_else(|| server.local_addr().unwrap().port());
    let mut client = TcpStream::connect(("127.0.0.1", at)).unwrap();
    client.write_all(words).unwrap();
    if port.is_none() {
        server.accept().unwrap().0.read_exact(&mut vec![0; words.len()]).unwrap();
    }
    at
}

/// Who calls whom, where the services' contracts are kept.
fn expected() -> BTreeSet<(String, String)> {
    let own = |caller: &str, called: &str| (caller.to_owned(), called.to_owned());
    let mut links: BTreeSet<_> = STORING.iter().map(|service| own(service, POSTGRES)).collect();
    links.extend(TELLING.iter().map(|service| own(service, NATS)));
    for caller in SERVICES {
        let called = peers::called_by(caller).into_iter().chain([authority::SERVICE]);
        links.extend(called.filter(|called| *called != caller).map(|called| own(caller, called)));
    }
    links
}

/// The links that carried something, and the groups of their handshakes.
fn links_of(
    heard: &Capture,
    callers: &BTreeMap<(u16, u16), String>,
    ports: &BTreeMap<&str, u16>,
) -> BTreeMap<(String, String), Vec<Option<u16>>> {
    let mut links = BTreeMap::<_, Vec<_>>::new();
    for stream in &heard.streams {
        let called = ports.iter().find(|(_, port)| **port == stream.server).map(|(name, _)| *name);
        let caller = callers.get(&(stream.client, stream.server));
        if let (Some(called), Some(caller)) = (called, caller)
            && stream.carries(opening(ports, stream.server))
        {
            links.entry((caller.clone(), called.to_owned())).or_default().push(stream.group());
        }
    }
    links
}

/// How one begins to speak with whoever listens there.
fn opening(ports: &BTreeMap<&str, u16>, port: u16) -> Opening {
    match port {
        port if port == ports[POSTGRES] => Opening::Postgres,
        port if port == ports[NATS] => Opening::Nats,
        _ => Opening::Tls,
    }
}

/// Where everything listens.
pub(crate) fn ports(folder: &Path) -> BTreeMap<&'static str, u16> {
    let mut ports: BTreeMap<&str, u16> = SERVICES
        .into_iter()
        .map(|service| {
            let settings = std::fs::read_to_string(folder.join(service).join("node.toml")).unwrap();
            let listen = settings.lines().find_map(|line| line.strip_prefix("listen = \"")).unwrap();
            (service, listen.trim_end_matches('"').rsplit(':').next().unwrap().parse().unwrap())
        })
        .collect();
    let server = std::fs::read_to_string(folder.join("postgres/data/postmaster.pid")).unwrap();
    let settings = std::fs::read_to_string(folder.join("bank/node.toml")).unwrap();
    let broker = settings.split("tls://localhost:").nth(1).unwrap();
    ports.insert(NATS, broker.split('"').next().unwrap().parse().unwrap());
    ports.insert(POSTGRES, server.lines().nth(3).unwrap().parse().unwrap());
    ports
}

/// Which service is at the client's end of which connection, looked up again and again: the wire does not say it.
struct Callers {
    stop: Sender<()>,
    watch: JoinHandle<BTreeMap<(u16, u16), String>>,
}

impl Callers {
    fn watch(folder: &Path) -> Self {
        let (stop, stopped) = channel();
        let folder = folder.to_owned();
        let watch = std::thread::spawn(move || {
            let mut callers = BTreeMap::new();
            while stopped.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                look(&folder, &mut callers);
            }
            look(&folder, &mut callers);
            callers
        });
        Self { stop, watch }
    }

    fn stop(self) -> BTreeMap<(u16, u16), String> {
        drop(self.stop);
        self.watch.join().unwrap()
    }
}

fn look(folder: &Path, callers: &mut BTreeMap<(u16, u16), String>) {
    let said = Command::new("ss").args(["-tnpH"]).output().unwrap();
    for line in String::from_utf8(said.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, from, to, users] = fields.as_slice() else { continue };
        let [from, to] = [from, to].map(|at| at.rsplit(':').next().unwrap().parse::<u16>().unwrap());
        let pid = users.split("pid=").nth(1).and_then(|rest| rest.split(',').next());
        let Some(service) = pid.and_then(|pid| service_of(folder, pid)) else { continue };
        callers.insert((from, to), service);
    }
}

/// The service whose process this is.
fn service_of(folder: &Path, pid: &str) -> Option<String> {
    let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let settings = words.split('\0').map(PathBuf::from).find(|word| word.ends_with("node.toml"))?;
    let home = settings.parent()?;
    (home.parent()? == folder).then(|| home.file_name()?.to_str().map(str::to_owned))?
}
