//! Certificates of a minute under a constant load for ten: no request fails, and the slowest are no slower than beside
//! certificates of a day, in the same run. Too long for every day: `cargo xtask prove` runs it.
#![expect(clippy::disallowed_methods, reason = "what is measured is the machine's time, as a client does")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::client::{Answer, Ask};
use crate::people::{PASSWORD, Somebody, fund, hire, join, open_account, sign_in, text};
use crate::process::{Running, Up};

/// How long; `GUICHET_SOAK_MINUTES` says otherwise.
const MINUTES: u64 = 10;
/// Clients of each bank, and how often each asks.
const CLIENTS: u32 = 4;
const EACH: Duration = Duration::from_millis(100);
/// Access tokens live ten minutes.
const SIGN_IN_AGAIN: Duration = Duration::from_mins(5);
/// How much slower the slowest hundredth may be while certificates are renewed.
const SLOWER: f64 = 1.5;
/// The first moments of a process are no measure of it.
const WARMING: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn renewals_under_load_fail_no_request_and_slow_none_down() {
    if std::env::var_os("GUICHET_PROVE").is_none() {
        eprintln!("ten minutes of load are left to `cargo xtask prove`");
        return;
    }
    let minutes = std::env::var("GUICHET_SOAK_MINUTES").ok().map_or(MINUTES, |text| text.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let start =
        |name: &str, life: &str| Up::on(&home.path().join(name)).with(&["--apart", "--certificate-life", life]).start();
    // Both at once, under the same load: whatever else this machine does slows both.
    let (calm, renewing) = (start("calm", "24h"), start("renewing", "60s"));
    let mut loads = JoinSet::new();
    for (bank, which) in [(&calm, 0), (&renewing, 1)] {
        for (who, account) in people(bank).await {
            let door = bank.client();
            loads.spawn(async move { (which, load(door, who, account, Duration::from_mins(minutes)).await) });
        }
    }
    let mut times = [Vec::new(), Vec::new()];
    for (which, load) in loads.join_all().await {
        times[which].extend(load);
    }
    let renewals = signed(&renewing);
    let [calm, renewing] = times.map(|mut times: Vec<Duration>| {
        times.sort();
        let at = |share: usize| times[times.len() * share / 1000];
        (times.len(), at(500), at(990), at(999))
    });
    eprintln!("requests, p50, p99, p99.9: calm {calm:?}, renewing {renewing:?}; {renewals} certificates signed");
    assert!(renewals as u64 >= minutes * 6, "only {renewals} certificates were signed in {minutes} minutes");
    let ratio = renewing.2.as_secs_f64() / calm.2.as_secs_f64();
    assert!(ratio <= SLOWER, "p99 beside renewals is {ratio:.2} times as long");
}

/// People with some money.
async fn people(bank: &Running) -> Vec<(Somebody, String)> {
    let first = bank.people("superuser").remove(0);
    let superuser = sign_in(&bank.client(), &first.login, &first.password).await;
    let agent = hire(&bank.client(), &superuser, "agathe").await;
    let mut people = Vec::new();
    for number in 0..CLIENTS {
        let member = join(&bank.client(), &agent, &format!("member-{number}")).await;
        let account = open_account(&member, &agent, "Every day").await;
        fund(&member, &agent, &account, "100000.00").await;
        people.push((member, text(&account["id"])));
    }
    people
}

/// How long each request took; all of them are answered as they should be.
async fn load(door: crate::client::Client, mut who: Somebody, account: String, length: Duration) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begun, mut signed_in) = (Instant::now(), Instant::now());
    let mut times = Vec::new();
    for round in 0_u64.. {
        ticks.tick().await;
        if begun.elapsed() > length {
            break;
        }
        if signed_in.elapsed() > SIGN_IN_AGAIN {
            who = sign_in(&door, &who.login, PASSWORD).await;
            signed_in = Instant::now();
        }
        let asked = Instant::now();
        let (answer, expected) = ask(&who, &account, round).await;
        assert_eq!(answer.status, expected, "{} after {:?}: {}", answer.brief(), begun.elapsed(), answer.text);
        if begun.elapsed() > WARMING {
            times.push(asked.elapsed());
        }
    }
    times
}

/// Reads, and every tenth time a wish, without a key that would let it be sent again.
async fn ask(who: &Somebody, account: &str, round: u64) -> (Answer, u16) {
    let get = |path: &str| who.client.get(path.to_owned());
    match round % 10 {
        0 => {
            let wish =
                json!({ "account": account, "amount": "0.01", "currency": "EUR", "reference": round.to_string() });
            (who.client.call(Ask::post("/api/withdrawals", &wish)).await, 201)
        }
        1 | 4 | 7 => (get("/api/auth/whoami").await, 200),
        2 | 5 | 8 => (get("/api/logs").await, 200),
        _ => (get("/api/accounts").await, 200),
    }
}

/// How many certificates the authority has signed.
fn signed(bank: &Running) -> usize {
    let index = std::fs::read_to_string(bank.line.data_dir.join("authority/pki/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    index["issued"].as_array().unwrap().len()
}
