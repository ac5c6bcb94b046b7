//! Two instances of every service, each pair on one database: one may be killed, or stopped in its turn, and nobody who
//! uses the bank notices.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, StatusCode};
use pki::{Identity, Link, Trust};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use vocabulary::{Chance, Clock};

use crate::apart::process;
use crate::client::{Answer, Ask, Client, Lost};
use crate::people::{PASSWORD, Somebody, account_of, fund, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up, eventually, guichet};

const SERVICES: [&str; 5] = ["journal", "identity", "bank", "monitor", "web"];
/// Answers that are waited for while an instance is away.
const MEANWHILE: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_instances_may_be_killed_or_stopped_and_nobody_notices() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let bank = Up::on(&home.path().join("bank")).with(&["--apart"]).start();
    let mut twins = Twins::start(&bank, home.path()).await;
    let scene = Scene::open(&bank, &twins).await;
    let load = Load::begin(&scene);
    load.goes_on().await;

    for service in ["identity", "bank", "journal"] {
        // Ours stays away for a while; the other one is started again by whoever looks after it.
        load.kill(twins.of(service));
        load.goes_on().await;
        twins.back(service).await;
        load.goes_on().await;
        load.kill_first(&bank, service).await;
        load.goes_on().await;
        twins.first_is_back(service).await;
    }
    for service in ["journal", "identity", "bank"] {
        twins.of(service).stop();
        load.goes_on().await;
        twins.back(service).await;
        load.goes_on().await;
    }
    load.end().await;
    scene.what_one_revokes_is_refused_through_both().await;
    scene.money_is_conserved_and_told_once().await;
    drop(twins);
    assert!(bank.terminate().success());
}

/// A second instance of a service.
struct Twin {
    service: &'static str,
    file: PathBuf,
    port: u16,
    log: PathBuf,
    child: Option<Child>,
}

impl Twin {
    fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = guichet(&["serve", self.service, "--config", self.file.to_str().unwrap()]);
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// As whoever runs a machine stops a service.
    fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        signal("-TERM", &child.id().to_string());
        assert!(child.wait().unwrap().success(), "{} did not stop in order", self.service);
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default();
            eprintln!("the second {}'s last words:\n{}", self.service, last.join("\n"));
        }
    }
}

fn signal(which: &str, process: &str) {
    assert!(Command::new("kill").args([which, process]).status().unwrap().success());
}

/// The second instances, and how all can be looked at.
struct Twins {
    folder: PathBuf,
    all: Vec<Twin>,
    first: BTreeMap<&'static str, u16>,
    /// Where clients reach the bank through the second pages' process.
    url: String,
}

impl Twins {
    /// A second instance beside each, and everybody told of both.
    async fn start(bank: &Running, home: &Path) -> Self {
        let folder = bank.line.data_dir.clone();
        let first: BTreeMap<&'static str, u16> =
            SERVICES.into_iter().map(|service| (service, port_of(&folder.join(service).join("node.toml")))).collect();
        let second: BTreeMap<&'static str, u16> = SERVICES.into_iter().map(|service| (service, free_port())).collect();
        let at = |port: u16| format!("\"https://localhost:{port}\"");
        let mut all = Vec::new();
        for service in SERVICES {
            let (file, data_dir) = (folder.join(service).join("node.toml"), home.join("twins").join(service));
            std::fs::create_dir_all(&data_dir).unwrap();
            let mut settings = std::fs::read_to_string(&file).unwrap();
            for other in SERVICES.into_iter().filter(|other| *other != "web") {
                settings = settings.replace(&at(first[other]), &format!("{}, {}", at(first[other]), at(second[other])));
            }
            std::fs::write(&file, &settings).unwrap();
            std::fs::create_dir(data_dir.join("tls")).unwrap();
            for entry in std::fs::read_dir(folder.join(service).join("tls")).unwrap().flatten() {
                std::fs::copy(entry.path(), data_dir.join("tls").join(entry.file_name())).unwrap();
            }
            let settings = settings
                .replace(&folder.join(service).display().to_string(), &data_dir.display().to_string())
                .replace(&format!("127.0.0.1:{}\"", first[service]), &format!("127.0.0.1:{}\"", second[service]));
            let (file, log) = (data_dir.join("node.toml"), data_dir.join("log"));
            std::fs::write(&file, settings).unwrap();
            all.push(Twin { service, file, port: second[service], log, child: None });
        }
        // What an operator does for a further instance.
        std::fs::copy(folder.join("identity/shared.key"), home.join("twins/identity/shared.key")).unwrap();
        std::fs::copy(folder.join("journal/journal.key"), home.join("twins/journal/journal.key")).unwrap();
        std::fs::copy(folder.join("journal/events-1.key"), home.join("twins/journal/events-1.key")).unwrap();
        std::fs::copy(folder.join("web/pages.key"), home.join("twins/web/pages.key")).unwrap();
        let url = format!("https://localhost:{}", second["web"]);
        let mut twins = Self { folder, all, first, url };
        for service in SERVICES {
            // Whoever looks after it starts it again, with the settings as they are now.
            let before = process(&twins.folder, service).unwrap();
            signal("-KILL", &before);
            gone(&before).await;
            twins.first_is_back(service).await;
            twins.back(service).await;
        }
        twins
    }

    fn of(&mut self, service: &str) -> &mut Twin {
        self.all.iter_mut().find(|twin| twin.service == service).unwrap()
    }

    /// Starts the second instance again, and waits until it serves.
    async fn back(&mut self, service: &'static str) {
        self.of(service).start();
        let port = self.of(service).port;
        self.serves(service, port).await;
    }

    async fn first_is_back(&self, service: &'static str) {
        self.serves(service, self.first[service]).await;
    }

    async fn serves(&self, service: &'static str, port: u16) {
        let ca = std::fs::read_to_string(self.folder.join("ca.pem")).unwrap();
        let (address, ready) = (format!("https://localhost:{port}"), "/health/ready");
        if service == "web" {
            let client = Client::https(&address, &ca);
            let asks = async || client.send(Ask::new("GET", ready)).await.is_ok_and(|answer| answer.status == 200);
            eventually(service, async || asks().await.then_some(())).await;
            return;
        }
        let own = Identity::open(&self.folder.join("monitor/tls"), "monitor").unwrap();
        let link = Link::new(own, Trust::of(&ca).unwrap(), &Clock::system()).unwrap();
        let way = chassis::elsewhere(service, &[address], &link, Chance::system()).unwrap().transport();
        eventually(service, async || {
            let answer = way.send(Request::get(ready).body(Body::empty()).unwrap()).await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
    }
}

fn port_of(file: &Path) -> u16 {
    let settings = std::fs::read_to_string(file).unwrap();
    let listen = settings.lines().find_map(|line| line.strip_prefix("listen = \"127.0.0.1:")).unwrap();
    listen.trim_end_matches('"').parse().unwrap()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn gone(process: &str) {
    eventually("a killed process is gone", async || {
        let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The first thread may be gone while others still answer.
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
        (state.is_empty() || state.contains(") Z ") && threads <= 1).then_some(())
    })
    .await;
}

/// Somebody with two accounts, seen through one of the two pages' processes.
#[derive(Clone)]
struct Mover {
    who: Somebody,
    agent: Somebody,
    from: Value,
    to: Value,
}

struct Scene {
    doors: [Client; 2],
    agent: Somebody,
    movers: Vec<Mover>,
}

impl Scene {
    async fn open(bank: &Running, twins: &Twins) -> Self {
        let ca = std::fs::read_to_string(&bank.line.ca).unwrap();
        let doors = [bank.client(), Client::https(&twins.url, &ca)];
        let first = bank.people("superuser").remove(0);
        let superuser = sign_in(&doors[0], &first.login, &first.password).await;
        let agent = hire(&doors[0], &superuser, "anton").await;
        let mut movers = Vec::new();
        for (door, login) in doors.iter().zip(["mara", "malik"]) {
            let who = join(door, &agent, login).await;
            let from = open_account(&who, &agent, "Daily").await;
            let to = open_account(&who, &agent, "Savings").await;
            fund(&who, &agent, &from, "100.00").await;
            let agent = sign_in(door, "anton", PASSWORD).await;
            movers.push(Mover { who, agent, from, to });
        }
        Self { doors, agent, movers }
    }

    async fn what_one_revokes_is_refused_through_both(&self) {
        let somebody = sign_in(&self.doors[0], "mara", PASSWORD).await;
        let elsewhere = Client::moved(&somebody.client, &self.doors[1]);
        elsewhere.get("/api/accounts").await.expect(200);
        somebody.client.post("/api/auth/logout", &json!({})).await;
        for _ in 0..4 {
            for client in [&somebody.client, &elsewhere] {
                for path in ["/api/auth/whoami", "/api/accounts", "/api/logs"] {
                    eventually(path, async || (client.get(path).await.status == 401).then_some(())).await;
                }
            }
        }
    }

    async fn money_is_conserved_and_told_once(&self) {
        let mut approved = Vec::new();
        for mover in &self.movers {
            let requests = mover.who.client.all("/api/requests?kind=transfer").await;
            let (done, open): (Vec<_>, Vec<_>) = requests.into_iter().partition(|it| it["state"] == "approved");
            assert!(!done.is_empty() && open.is_empty(), "{open:?}");
            let mut keys: Vec<String> = done.iter().map(|request| text(&request["reference"])).collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), done.len(), "a key was used for two transfers");
            let booked = async |account| {
                let account = account_of(&mover.who, account).await;
                text(&account["booked"]).replace('.', "").parse::<usize>().unwrap()
            };
            assert_eq!((booked(&mover.from).await, booked(&mover.to).await), (10_000 - done.len(), done.len()));
            approved.extend(done.iter().map(|request| text(&request["id"])));
        }
        approved.sort();
        eventually("every transfer stands in the journal, once", async || {
            let entries = self.agent.client.all("/api/logs?action=TRANSFER_APPROVED").await;
            let mut told: Vec<String> = entries.iter().map(|entry| text(&entry["details"]["request"])).collect();
            told.sort();
            assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "an event stands there twice");
            (told == approved).then_some(())
        })
        .await;
        for door in &self.doors {
            eventually("every service is up and every truth holds", async || {
                let status = door.get("/api/status").await.expect(200);
                let holds =
                    |service: &Value| service["truths"].as_array().unwrap().iter().all(|it| it["holds"] == true);
                (status["health"] == "up" && status["services"].as_array().unwrap().iter().all(holds)).then_some(())
            })
            .await;
        }
    }
}

/// What people do all the time, and what became of it.
struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    actors: JoinSet<()>,
}

/// From when to when.
type Moments = (Instant, Instant);

struct Shared {
    answers: watch::Sender<u64>,
    /// From just before to just after each kill.
    kills: Mutex<Vec<Moments>>,
    /// What went wrong; and from when to when it was asked, if it may be lost with an instance.
    failures: Mutex<Vec<(Option<Moments>, String)>>,
}

impl Load {
    fn begin(scene: &Scene) -> Self {
        let shared =
            Arc::new(Shared { answers: watch::Sender::new(0), kills: Mutex::default(), failures: Mutex::default() });
        let (stop, stopped) = watch::channel(false);
        let mut actors = JoinSet::new();
        for (mover, door) in scene.movers.iter().zip(&scene.doors) {
            let (mover, door) = (mover.clone(), door.stranger());
            let (one, two, three) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
            let (stop_one, stop_two, stop_three) = (stopped.clone(), stopped.clone(), stopped.clone());
            let (reader, login) = (Client::moved(&mover.who.client, &door), mover.who.login.clone());
            actors.spawn(async move { one.moves(&mover, &stop_one).await });
            actors.spawn(async move { two.reads(&reader, &stop_two).await });
            actors.spawn(async move { three.comes_and_goes(&door, &login, &stop_three).await });
        }
        Self { shared, stop, actors }
    }

    /// Until so many more requests were answered; not one of them may have failed.
    async fn goes_on(&self) {
        let mut answers = self.shared.answers.subscribe();
        let target = *answers.borrow() + MEANWHILE;
        let waited =
            tokio::time::timeout(std::time::Duration::from_mins(1), answers.wait_for(|count| *count >= target));
        assert!(waited.await.is_ok(), "the bank hardly answers any more; failures: {:#?}", self.shared.failures());
        self.shared.nothing_failed();
    }

    fn kill(&self, twin: &mut Twin) {
        let before = Instant::now();
        twin.kill();
        self.shared.kills.lock().unwrap().push((before, Instant::now()));
    }

    async fn kill_first(&self, bank: &Running, service: &str) {
        let before = Instant::now();
        let killed = process(&bank.line.data_dir, service).unwrap();
        signal("-KILL", &killed);
        gone(&killed).await;
        self.shared.kills.lock().unwrap().push((before, Instant::now()));
    }

    async fn end(mut self) {
        self.stop.send_replace(true);
        while let Some(actor) = self.actors.join_next().await {
            actor.unwrap();
        }
        self.shared.nothing_failed();
    }
}

impl Shared {
    fn failures(&self) -> Vec<String> {
        let kills = self.kills.lock().unwrap();
        let excused = |(began, ended): &Moments| kills.iter().any(|(from, to)| began <= to && ended >= from);
        let failures = self.failures.lock().unwrap();
        let counts = failures.iter().filter(|(asked, _)| !asked.as_ref().is_some_and(excused));
        counts.map(|(_, words)| words.clone()).collect()
    }

    fn nothing_failed(&self) {
        assert_eq!(self.failures(), Vec::<String>::new());
    }

    /// Moves a cent, and has it approved.
    async fn moves(&self, mover: &Mover, stop: &watch::Receiver<bool>) {
        for turn in 0.. {
            if *stop.borrow() {
                return;
            }
            let key = format!("{}-{turn}", mover.who.login);
            let wish = json!({
                "from": mover.from["id"], "to": mover.to["id"], "amount": "0.01", "currency": "EUR", "reference": key,
            });
            let ask = Ask::post("/api/transfers", &wish).once(&key);
            let Some(request) = self.must(&mover.who.client, &ask, 201).await else { continue };
            let path = format!("/api/requests/{}", text(&request["id"]));
            let approve = Ask::post(format!("{path}/approve"), &json!({}));
            while !self.may(&mover.agent.client, &approve, 200).await {
                // Nobody said what became of it: look.
                let seen = self.must(&mover.agent.client, &Ask::new("GET", &path), 200).await;
                if seen.is_none_or(|request| request["state"] == "approved") {
                    break;
                }
            }
        }
    }

    async fn reads(&self, reader: &Client, stop: &watch::Receiver<bool>) {
        while !*stop.borrow() {
            for path in ["/api/auth/whoami", "/api/accounts", "/api/logs?limit=5"] {
                self.must(reader, &Ask::new("GET", path), 200).await;
            }
        }
    }

    async fn comes_and_goes(&self, door: &Client, login: &str, stop: &watch::Receiver<bool>) {
        while !*stop.borrow() {
            let Some(tokens) =
                self.try_once(door, &Ask::new("POST", "/api/auth/login").basic(login, PASSWORD), 200).await
            else {
                continue;
            };
            let client = door.with_token(text(&tokens["access_token"]));
            for path in ["/api/accounts", "/api/auth/whoami", "/api/logs?limit=1"] {
                self.must(&client, &Ask::new("GET", path), 200).await;
            }
            self.may(&client, &Ask::post("/api/auth/logout", &json!({})), 204).await;
        }
    }

    /// What is promised to be done whatever instance dies: it changes nothing, or carries a key.
    async fn must(&self, client: &Client, ask: &Ask, status: u16) -> Option<Value> {
        let outcome = client.send(ask.clone()).await;
        self.judge(ask, outcome, status, None)
    }

    /// What may be lost with the instance that was doing it.
    async fn try_once(&self, client: &Client, ask: &Ask, status: u16) -> Option<Value> {
        let began = Instant::now();
        let outcome = client.send(ask.clone()).await;
        self.judge(ask, outcome, status, Some((began, Instant::now())))
    }

    async fn may(&self, client: &Client, ask: &Ask, status: u16) -> bool {
        self.try_once(client, ask, status).await.is_some()
    }

    fn judge(&self, ask: &Ask, outcome: Result<Answer, Lost>, status: u16, asked: Option<Moments>) -> Option<Value> {
        match outcome {
            Ok(answer) if answer.status == status => {
                self.answers.send_modify(|count| *count += 1);
                Some(answer.body)
            }
            outcome => {
                let said = outcome.map_or_else(|lost| format!("{lost:?}"), |answer| answer.brief());
                self.failures.lock().unwrap().push((asked, format!("{ask}: {said}")));
                None
            }
        }
    }
}
