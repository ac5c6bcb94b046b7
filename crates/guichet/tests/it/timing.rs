//! Nobody learns from the time of an answer whether a login exists, is active, or has a second factor.
//!
//! Every case is tried in turn, hundreds of times, and compared with every other by ranks (Mann–Whitney): a single slow
//! answer weighs nothing. The same comparison has to notice a planted millisecond, or it would prove nothing.
#![expect(clippy::disallowed_methods, reason = "what is measured is the machine's time, as an attacker measures it")]
#![expect(clippy::cast_precision_loss, reason = "counts of a few hundred")]

use std::time::{Duration, Instant};

use guichet::{Databases, House, Plan};
use serde_json::json;
use vocabulary::{Chance, Clock, Timestamp};

use crate::client::{Ask, Client};
use crate::people::{PASSWORD, Somebody, hire, join, registration, sign_in, text};

/// Attempts per case; `cargo xtask prove` takes the number that tells a millisecond apart.
fn attempts() -> usize {
    if std::env::var_os("GUICHET_PROVE").is_some() { 600 } else { 40 }
}

/// People per case, so that nobody is guessed at often enough to be slowed down.
const PEOPLE: usize = 20;
/// How unlikely a difference by accident has to be: about one in a hundred thousand, for ten comparisons.
const CERTAIN: f64 = 4.4;

/// How many standard deviations the ranks of two samples are from those of one and the same (normal approximation).
fn deviation(one: &[Duration], other: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> =
        one.iter().map(|time| (*time, true)).chain(other.iter().map(|time| (*time, false))).collect();
    all.sort();
    let ranks: usize = all.iter().enumerate().filter(|(_, (_, first))| *first).map(|(rank, _)| rank + 1).sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let u = ranks as f64 - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

struct Scene {
    house: House,
    anyone: Client,
    clock: Clock,
    _home: tempfile::TempDir,
}

impl Scene {
    async fn new() -> (Self, Somebody) {
        let home = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_seconds(1_790_000_000));
        let house = House::open(Plan {
            databases: Databases::Directory(home.path().to_owned()),
            key: home.path().join("signing.key"),
            log: home.path().to_owned(),
            proxies: 0,
            origin: None,
            bank: bank::BankConfig::example().unwrap(),
            mail: None,
            checks: monitor::Settings::default(),
            backup: None,
            clock: clock.clone(),
            chance: Chance::seeded(1),
        })
        .await
        .unwrap();
        let (login, password) = house.identity.ensure_first_superuser().await.unwrap().unwrap();
        let anyone = Client::in_process(house.router.clone());
        let superuser = sign_in(&anyone, login.as_str(), password.expose()).await;
        let agent = hire(&anyone, &superuser, "agathe").await;
        (Self { house, anyone, clock, _home: home }, agent)
    }

    /// How long the refusal of one sign-in takes. Time goes on between two, so that nothing is slowed down on purpose.
    async fn refusal(&self, login: &str, password: &str) -> Duration {
        self.clock.advance(Duration::from_mins(20));
        let begun = Instant::now();
        let answer = self.anyone.call(Ask::new("POST", "/api/auth/login").basic(login, password)).await;
        let taken = begun.elapsed();
        assert_eq!(answer.status, 401, "{login}: {}", answer.brief());
        taken
    }

    /// Members in each state, `PEOPLE` of each.
    async fn people(&self, agent: &Somebody) {
        for number in 0..PEOPLE {
            let member = join(&self.anyone, agent, &format!("active{number}")).await;
            assert_eq!(member.login, format!("active{number}"));
            let disabled = join(&self.anyone, agent, &format!("disabled{number}")).await;
            agent.client.post(format!("/api/auth/users/{}/disable", disabled.id), &json!({})).await.expect(200);
            let pending = registration(&format!("pending{number}"));
            self.anyone.post("/api/auth/register", &pending).await.expect(201);
            let guarded = join(&self.anyone, agent, &format!("guarded{number}")).await;
            let asked = guarded.client.post("/api/auth/totp", &json!({})).await;
            let secret = text(&asked.expect(201)["secret"]);
            let code = code(&secret, self.clock.now());
            guarded.client.post("/api/auth/totp/confirm", &json!({ "code": code })).await.expect(200);
        }
    }
}

/// The code of an authenticator app (RFC 6238).
pub(crate) fn code(secret: &str, at: Timestamp) -> String {
    let mut bits = Vec::new();
    for letter in secret.bytes().filter(|it| *it != b'=') {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|it| *it == letter).unwrap();
        bits.extend((0..5).rev().map(|bit| value >> bit & 1 == 1));
    }
    let key: Vec<u8> =
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |it, bit| it << 1 | u8::from(*bit))).collect();
    let step = u64::try_from(at.seconds() / 30).unwrap().to_be_bytes();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = aws_lc_rs::hmac::sign(&key, &step);
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

const WRONG: &str = "a password that is wrong";
const CASES: [(&str, &str, &str); 5] = [
    ("unknown login", "nobody", WRONG),
    ("wrong password", "active", WRONG),
    ("disabled, right password", "disabled", PASSWORD),
    ("pending, right password", "pending", PASSWORD),
    ("second factor, wrong password", "guarded", WRONG),
];

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_ins_cannot_be_told_apart_by_their_time() {
    let (scene, agent) = Scene::new().await;
    scene.people(&agent).await;
    let mut times = vec![Vec::new(); CASES.len()];
    let mut planted = Vec::new();
    for attempt in 0..attempts() {
        for (case, (_, who, password)) in CASES.iter().enumerate() {
            // In another order each time: what came before must not stick to one case.
            let case = (case + attempt) % CASES.len();
            let (_, who, password) = CASES.get(case).copied().unwrap_or(("", who, password));
            times[case].push(scene.refusal(&format!("{who}{}", attempt % PEOPLE), password).await);
        }
        planted.push(scene.refusal(&format!("nobody{}", attempt % PEOPLE), WRONG).await + Duration::from_millis(1));
    }
    let mut told = Vec::new();
    for (index, (name, ..)) in CASES.iter().enumerate() {
        for (other, (other_name, ..)) in CASES.iter().enumerate().skip(index + 1) {
            let deviation = deviation(&times[index], &times[other]);
            if deviation.abs() > CERTAIN {
                told.push(format!("{name} and {other_name}: {deviation:.1} standard deviations apart"));
            }
        }
    }
    assert!(told.is_empty(), "time tells:\n{}", told.join("\n"));
    if attempts() >= 500 {
        let noticed = deviation(&planted, &times[0]);
        assert!(noticed > CERTAIN, "a planted millisecond goes unnoticed ({noticed:.1}): this proves nothing here");
    }
    scene.house.settle().await;
}

#[test]
fn the_comparison_notices_a_shift_and_nothing_else() {
    let chance = Chance::seeded(5);
    let sample = |more: u64| -> Vec<Duration> {
        (0..600).map(|_| Duration::from_micros(20_000 + chance.below(4_000) + more)).collect()
    };
    assert!(deviation(&sample(0), &sample(0)).abs() < CERTAIN);
    assert!(deviation(&sample(1_000), &sample(0)) > CERTAIN);
    assert!(deviation(&sample(0), &sample(1_000)) < -CERTAIN);
}
