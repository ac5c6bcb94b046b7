//! `kill -9` in the middle of concurrent requests and decisions: nothing acknowledged is lost or doubled, nothing is
//! half done, and whoever was not answered asks again with the same key and gets exactly one.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vocabulary::Chance;

use crate::client::{Answer, Ask, Client};
use crate::oracle::{Account, Decision, Kind, Oracle, Verb, Wish, cents, written};
use crate::people::{PASSWORD, Somebody, approve, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up, eventually};

/// The services with a store.
const SERVICES: [&str; 3] = ["identity", "bank", "journal"];
const MAKERS: u64 = 5;
const AGENTS: u64 = 3;
/// How many answers a bank gives at most before it is killed.
const ANSWERS: u64 = 60;
/// How many milliseconds later: longer than a transaction takes.
const MOMENTS: u64 = 30;
/// After so many kills everybody signs in again, long before their tokens end.
const SIGN_IN_AGAIN: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_bank_is_killed_on_sqlite() {
    survives(&[], 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_bank_is_killed_on_postgresql() {
    let Some((address, _databases)) = store::testing::postgres_for(&SERVICES).await.unwrap() else {
        eprintln!("GUICHET_TEST_POSTGRES names no server: `cargo xtask test` starts one");
        return;
    };
    survives(&["--database", &address], 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_every_process_of_a_bank_apart_is_killed() {
    survives(&["--apart"], 4).await;
}

/// A number from the environment; a run that failed says which seed it had.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// Said when the test fails, and only then.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed of this run: GUICHET_TEST_SEED={}", self.0);
        }
    }
}

/// Everything that outlives a kill.
struct Scene {
    oracle: Mutex<Oracle>,
    /// Counts the answers of all clients.
    answers: watch::Sender<u64>,
}

impl Scene {
    fn oracle<T>(&self, work: impl FnOnce(&mut Oracle) -> T) -> T {
        work(&mut self.oracle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One of the concurrent clients.
struct Actor {
    who: Somebody,
    /// Accounts they ask for; nobody's for an agent.
    accounts: Vec<usize>,
    chance: Chance,
    asked: u64,
    name: String,
    /// Sent and not answered when the bank was killed.
    open: Option<Act>,
}

/// What a client does at a time; wishes are named by their reference.
#[derive(Clone, Debug)]
enum Act {
    Ask(String),
    Decide(String, Verb),
}

async fn survives(way: &[&str], kills: u64) {
    let seed = Seed(number("GUICHET_TEST_SEED").unwrap_or_else(|| Chance::system().below(1 << 32)));
    let kills = if number("GUICHET_PROVE") == Some(1) { kills * 10 } else { kills };
    let chance = Chance::seeded(seed.0);
    let home = tempfile::tempdir().unwrap();
    // Root lends a private PostgreSQL to a user who has to pass through.
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let start = || Up::on(&home.path().join("bank")).with(way).start();
    let mut bank = start();
    let (scene, mut actors) = open_the_bank(&bank, seed.0).await;
    let scene = Arc::new(scene);
    let (mut unanswered, mut done) = (0, 0);
    for kill in 1..=kills {
        let target = scene.answers.borrow().saturating_add(chance.below(ANSWERS));
        let delay = Duration::from_millis(chance.below(MOMENTS));
        let mut busy = JoinSet::new();
        for mut actor in actors.drain(..) {
            let scene = Arc::clone(&scene);
            busy.spawn(async move {
                actor.work(&scene).await;
                actor
            });
        }
        let mut answers = scene.answers.subscribe();
        tokio::select! {
            _ = answers.wait_for(|count| *count >= target) => {}
            early = busy.join_next() => panic!("a client stopped before the kill: {:?}", early.map(|it| it.map(|it| it.open))),
        }
        // The clients go on for a random while: that the kill falls on any moment of a transaction is the point.
        if let Ok(early) = tokio::time::timeout(delay, busy.join_next()).await {
            panic!("a client stopped before the kill: {:?}", early.map(|it| it.map(|it| it.open)));
        }
        bank.kill();
        actors = busy.join_all().await;
        actors.sort_by(|one, other| one.name.cmp(&other.name));

        bank = start();
        let door = bank.client();
        for actor in &mut actors {
            actor.arrive(&door, kill % SIGN_IN_AGAIN == 0).await;
        }
        for actor in &mut actors {
            if let Some(act) = actor.open.take() {
                unanswered += 1;
                done += u64::from(actor.repeat(&scene, &act).await);
            }
        }
        if kills <= 20 || kill % 10 == 0 || kill == kills {
            compare(&scene, &actors).await;
        }
    }
    eprintln!("{kills} kills left {unanswered} requests unanswered, of which {done} had been done");
    assert!(unanswered >= kills, "only {unanswered} requests were under way at {kills} kills: the test is too kind");
    assert!(done < unanswered, "everything had been done: no kill fell before a commit");
    // How wide the moment between commit and answer is depends on machine and database: a few kills may miss it.
    assert!(done > 0 || kills < 100, "no kill fell between a commit and its answer");
    at_the_end(&bank, &scene, &actors).await;
    assert!(bank.terminate().success());
}

async fn compare(scene: &Scene, actors: &[Actor]) {
    let known = scene.oracle(|it| Oracle { accounts: it.accounts.clone(), wishes: it.wishes.clone() });
    known.compare(&actors[0].who).await;
}

/// People and accounts, some money, and the clients: agents first.
async fn open_the_bank(bank: &Running, seed: u64) -> (Scene, Vec<Actor>) {
    let door = bank.client();
    let first = &bank.people("superuser")[0];
    let superuser = sign_in(&door, &first.login, &first.password).await;
    let (mut actors, mut accounts) = (Vec::new(), Vec::new());
    for index in 0..AGENTS + MAKERS {
        let chance = Chance::seeded(seed.wrapping_add(index).wrapping_add(1));
        let agent = index < AGENTS;
        let name = if agent { format!("agent-{index}") } else { format!("maker-{index}") };
        let who = if agent {
            hire(&door, &superuser, &name).await
        } else {
            let checker: &Actor = &actors[0];
            join(&door, &checker.who, &name).await
        };
        actors.push(Actor { who, accounts: Vec::new(), chance, asked: 0, name, open: None });
    }
    // The last agent has an account too: she may not decide what is paid into it.
    for index in 0..actors.len() {
        let owned = if index + 1 == usize::try_from(AGENTS).unwrap() { 1 } else { 2 };
        for _ in 0..if index + 1 < usize::try_from(AGENTS).unwrap() { 0 } else { owned } {
            let (owner, checker) = (&actors[index].who, &actors[0].who);
            let account = open_account(owner, checker, "Every day").await;
            let wish =
                json!({ "account": account["id"], "amount": "500.00", "currency": "EUR", "reference": "opening" });
            let request = owner.client.post("/api/deposits", &wish).await.expect(201);
            approve(checker, &request).await;
            let (id, iban) = (text(&account["id"]), text(&account["iban"]));
            accounts.push(Account { id, iban, owner: owner.id.clone(), opening: cents(&wish["amount"]) });
            if index >= usize::try_from(AGENTS).unwrap() {
                actors[index].accounts.push(accounts.len() - 1);
            }
        }
    }
    let oracle = Mutex::new(Oracle { accounts, wishes: BTreeMap::new() });
    (Scene { oracle, answers: watch::Sender::new(0) }, actors)
}

impl Actor {
    /// Asks or decides, one thing after the other, until the bank is gone.
    async fn work(&mut self, scene: &Scene) {
        while self.open.is_none() {
            let Some(act) = self.choose(scene) else {
                // Nothing to decide yet: look at the inbox, as agents do.
                if self.who.client.send(Ask::new("GET", "/api/requests?state=pending&limit=5")).await.is_err() {
                    return;
                }
                continue;
            };
            match self.who.client.send(scene.oracle(|it| request(it, &act))).await {
                Ok(answer) if answer.status == 503 => self.open = Some(act),
                Ok(answer) => {
                    scene.oracle(|it| understand(it, &self.who, &act, &answer));
                    scene.answers.send_modify(|count| *count += 1);
                }
                Err(_) => self.open = Some(act),
            }
        }
    }

    fn choose(&mut self, scene: &Scene) -> Option<Act> {
        scene.oracle(|oracle| {
            if self.accounts.is_empty() || self.chance.below(8) == 0 {
                self.choose_decision(oracle)
            } else {
                Some(self.choose_wish(oracle))
            }
        })
    }

    /// One of the latest that wait, so that agents and makers meet at the same request.
    fn choose_decision(&self, oracle: &Oracle) -> Option<Act> {
        let cancels = !self.accounts.is_empty();
        let mut waiting = oracle.waiting();
        waiting.retain(|(_, wish)| !cancels || wish.maker == self.who.id);
        let back = usize::try_from(self.chance.below(12)).unwrap().min(waiting.len().checked_sub(1)?);
        let (reference, _) = waiting[waiting.len() - 1 - back];
        let verb = match self.chance.below(4) {
            _ if cancels => Verb::Cancel,
            0 => Verb::Reject,
            _ => Verb::Approve,
        };
        Some(Act::Decide(reference.clone(), verb))
    }

    fn choose_wish(&mut self, oracle: &mut Oracle) -> Act {
        let pick = |from: &[usize]| from[usize::try_from(self.chance.below(from.len() as u64)).unwrap()];
        let own = pick(&self.accounts);
        let others: Vec<usize> = (0..oracle.accounts.len()).filter(|index| *index != own).collect();
        let to = pick(&others);
        let kind = match self.chance.below(10) {
            0..3 => Kind::Deposit { account: own },
            3..5 => Kind::Withdrawal { account: own },
            _ => Kind::Transfer { from: own, to },
        };
        // An own account may be written as an id, everybody's as an IBAN.
        let by_id = oracle.accounts[to].owner == self.who.id && self.chance.below(2) == 0;
        let payee = if by_id { &oracle.accounts[to].id } else { &oracle.accounts[to].iban };
        let amount = i64::try_from(self.chance.below(20_000) + 1).unwrap();
        self.asked += 1;
        // Counted with leading zeros, and by all makers alike: the latest are the last.
        let reference = format!("k-{:06}-{}", self.asked, self.name);
        let (maker, to) = (self.who.id.clone(), payee.clone());
        oracle.wishes.insert(reference.clone(), Wish { maker, kind, amount, to, id: None, decided: None });
        Act::Ask(reference)
    }

    /// Meets the bank where it was started again.
    async fn arrive(&mut self, door: &Client, sign_in_again: bool) {
        self.who.client = self.who.client.moved(door);
        if sign_in_again {
            self.who = sign_in(door, &self.who.login, PASSWORD).await;
        }
    }

    /// Repeats what was not answered, twice, and tells whether it had been done.
    async fn repeat(&self, scene: &Scene, act: &Act) -> bool {
        let send = async || self.who.client.call(scene.oracle(|it| request(it, act))).await;
        match act {
            Act::Ask(_) => {
                let before = self.stands(act).await;
                let first = send().await;
                scene.oracle(|it| understand(it, &self.who, act, &first));
                let second = send().await;
                assert_eq!((first.status, &first.body["id"]), (second.status, &second.body["id"]), "{act:?}");
                assert!(!before || first.status == 201, "{act:?} was done, and its key is refused: {}", first.body);
                before
            }
            Act::Decide(reference, verb) => {
                let first = send().await;
                scene.oracle(|it| understand(it, &self.who, act, &first));
                if first.status == 200 {
                    send().await.problem(409, "already-decided");
                }
                if first.status != 409 {
                    return false;
                }
                let id = scene.oracle(|it| it.wishes[reference].id.clone().unwrap());
                let request = self.who.client.get(format!("/api/requests/{id}")).await.expect(200);
                let mine = *verb == Verb::Cancel || request["checker"] == json!(self.who.id);
                let done = mine && request["state"] == verb.state();
                if done {
                    let decision = Decision { verb: *verb, by: self.who.id.clone() };
                    scene.oracle(|it| it.decide(reference, decision));
                }
                done
            }
        }
    }

    /// Whether the bank holds what was asked, before it is asked again.
    async fn stands(&self, act: &Act) -> bool {
        let Act::Ask(reference) = act else { return false };
        let latest = self.who.client.get("/api/requests?mine=true&limit=5").await.expect(200);
        latest["items"].as_array().unwrap().iter().any(|it| it["reference"] == *reference)
    }
}

fn request(oracle: &Oracle, act: &Act) -> Ask {
    match act {
        Act::Ask(reference) => {
            let wish = &oracle.wishes[reference];
            let (path, mut body) = match wish.kind {
                Kind::Deposit { account } => ("/api/deposits", json!({ "account": oracle.accounts[account].id })),
                Kind::Withdrawal { account } => ("/api/withdrawals", json!({ "account": oracle.accounts[account].id })),
                Kind::Transfer { from, .. } => {
                    ("/api/transfers", json!({ "from": oracle.accounts[from].id, "to": wish.to }))
                }
            };
            body["amount"] = written(wish.amount).into();
            body["currency"] = "EUR".into();
            body["reference"] = reference.as_str().into();
            Ask::post(path, &body).once(reference)
        }
        Act::Decide(reference, verb) => {
            let id = oracle.wishes[reference].id.as_deref().unwrap();
            let body = if *verb == Verb::Reject { json!({ "reason": "not today" }) } else { json!({}) };
            Ask::post(format!("/api/requests/{id}/{}", verb.path()), &body)
        }
    }
}

/// Notes what an answer acknowledges; any answer that this act cannot have stops the test.
fn understand(oracle: &mut Oracle, who: &Somebody, act: &Act, answer: &Answer) {
    let code = answer.body["type"].as_str().unwrap_or_default().trim_start_matches("urn:problem:");
    match (act, answer.status, code) {
        (Act::Ask(reference), 201, _) => oracle.acknowledge(reference, &answer.body),
        (Act::Ask(reference), 422, "insufficient-funds") => {
            assert!(oracle.wishes[reference].id.is_none(), "acknowledged, then refused: {}", answer.body);
        }
        (Act::Decide(reference, verb), 200, _) => {
            assert_eq!(answer.body["state"], verb.state(), "{}", answer.body);
            assert!(!concerns(oracle, reference, who), "four eyes: {act:?} by {}", who.login);
            oracle.decide(reference, Decision { verb: *verb, by: who.id.clone() });
        }
        (Act::Decide(..), 409, "already-decided") => {}
        (Act::Decide(reference, _), 403, "forbidden") => {
            assert!(concerns(oracle, reference, who), "{act:?} by {}: {}", who.login, answer.body);
        }
        _ => panic!("{act:?} by {} was answered {}: {}", who.login, answer.status, answer.body),
    }
}

/// Whether an agent made a request or benefits from it.
fn concerns(oracle: &Oracle, reference: &str, who: &Somebody) -> bool {
    match oracle.wishes[reference].kind {
        Kind::Transfer { to, .. } => oracle.accounts[to].owner == who.id && oracle.wishes[reference].maker != who.id,
        Kind::Deposit { .. } | Kind::Withdrawal { .. } => false,
    }
}

/// The journal holds each acknowledged step once, and the monitor is content.
async fn at_the_end(bank: &Running, scene: &Scene, actors: &[Actor]) {
    let agent = &actors[0].who.client;
    let expected = scene.oracle(|it| it.steps());
    let told = eventually("every acknowledged step stands in the journal", async || {
        let entries = agent.all("/api/logs").await;
        let steps: Vec<(String, String)> = entries
            .iter()
            .filter_map(|entry| Some((text(&entry["action"]), entry["details"]["request"].as_str()?.to_owned())))
            .collect();
        expected.iter().all(|step| steps.contains(step)).then_some(steps)
    })
    .await;
    for step in &expected {
        assert_eq!(told.iter().filter(|it| *it == step).count(), 1, "{step:?} is told more than once");
    }
    let anyone = bank.client();
    eventually("the monitor sees every service up and every truth hold", async || {
        let status = anyone.get("/api/status").await.expect(200);
        let services = status["services"].as_array().unwrap();
        let holds = |service: &Value| service["truths"].as_array().unwrap().iter().all(|it| it["holds"] == json!(true));
        (status["health"] == "up" && services.iter().all(holds)).then_some(())
    })
    .await;
}
