//! Transfers per second through the engine, durable, beside `pgbench` on the same server in the same run.
//!
//! `cargo xtask bench posting` starts the server and runs this; `cargo bench -p ledger --bench posting` alone measures
//! SQLite, and PostgreSQL where `GUICHET_TEST_POSTGRES` names one. Rounds are interleaved and the median is told, since
//! machines have moods; compare ratios of one run, not numbers of two. `-- --quick` shortens it to a smoke test.

#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]
#![expect(clippy::arithmetic_side_effects, reason = "a measurement counts small numbers")]
#![expect(clippy::disallowed_methods, reason = "a measurement follows the machine's clock")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::{Book, Command, Desk, Engine, Limits, Refusal, Results};
use store::testing::{TestDatabase, databases};
use store::{Database, Kind, PostgresConfig, Store, StoreError, Transaction};
use vocabulary::{AccountId, Chance, Clock, Currency, Money, TransferId};

const ACCOUNTS: u64 = 10_000;
const EACH: i64 = 1_000_000;
const CALLERS: [usize; 4] = [1, 64, 1_000, 4_000];

/// The least a desk can do: post.
struct Till;

#[derive(Debug)]
#[expect(dead_code, reason = "the reasons are read in the panic that they cause")]
enum Trouble {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Desk for Till {
    type Command = Command;
    type Answer = ();
    type Error = Trouble;

    async fn work(&self, tx: &mut Transaction, batch: &[Command]) -> Results<Self> {
        let sides = batch.iter().filter_map(|command| match command {
            Command::Post { debit, credit, .. } => Some([*debit, *credit]),
            _ => None,
        });
        let accounts: Vec<AccountId> = sides.flatten().collect();
        let mut book = Book::load(tx, &accounts, &[]).await?;
        let results = batch.iter().map(|command| book.apply(command).map_err(Trouble::Refused)).collect();
        book.save(tx).await?;
        Ok(results)
    }

    fn store_error(error: &Trouble) -> Option<&StoreError> {
        match error {
            Trouble::Store(error) => Some(error),
            Trouble::Refused(_) => None,
        }
    }
}

struct Bench {
    _test: TestDatabase,
    store: Store,
    engine: Engine<Till>,
    cash: AccountId,
    accounts: Arc<[AccountId]>,
    done: u64,
}

impl Bench {
    async fn open(test: TestDatabase) -> Self {
        let (clock, chance) = (Clock::system(), Chance::system());
        let limit = Some(Duration::from_mins(15));
        let store = Store::open_with(&test.database, ledger::MIGRATIONS, clock.clone(), limit).await.unwrap();
        let cash = AccountId::new(&clock, &chance);
        let accounts: Arc<[AccountId]> = (0..ACCOUNTS).map(|_| AccountId::new(&clock, &chance)).collect();
        let mut book = Book::new();
        book.open_account(cash, Currency::EUR, None).unwrap();
        for account in accounts.iter() {
            book.open_account(*account, Currency::EUR, Some(0)).unwrap();
            book.apply(&post(cash, *account, EACH, &clock, &chance)).unwrap();
        }
        let mut tx = store.begin().await.unwrap();
        book.save(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let engine = Engine::start(store.clone(), Till, Limits::default());
        Self { _test: test, store, engine, cash, accounts, done: ACCOUNTS }
    }

    /// Transfers per second and the latencies, in microseconds, sorted.
    async fn round(&mut self, callers: usize, hot: bool, length: Duration) -> (f64, Vec<u32>) {
        let start = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|_| {
                let (engine, accounts) = (self.engine.clone(), Arc::clone(&self.accounts));
                tokio::spawn(async move {
                    let (clock, chance) = (Clock::system(), Chance::system());
                    let mut latencies = Vec::new();
                    while start.elapsed() < length {
                        let credit = if hot { 0 } else { chance.below(ACCOUNTS) };
                        let debit = (credit + 1 + chance.below(ACCOUNTS - 1)) % ACCOUNTS;
                        let [debit, credit] = [debit, credit].map(|n| accounts[usize::try_from(n).unwrap()]);
                        let asked = Instant::now();
                        engine.submit(post(debit, credit, 1, &clock, &chance)).await.unwrap();
                        latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap());
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        let taken = start.elapsed();
        latencies.sort_unstable();
        self.done += u64::try_from(latencies.len()).unwrap();
        (per_second(latencies.len(), taken), latencies)
    }

    /// Everything that must hold still does, and what was acknowledged is there.
    async fn check(&self) {
        self.engine.stop().await;
        let mut tx = self.store.read().await.unwrap();
        let mut all = self.accounts.to_vec();
        all.push(self.cash);
        let balances = ledger::balances(&mut tx, &all).await.unwrap();
        let entries: i64 = balances.values().map(ledger::Balance::entries).sum();
        assert_eq!(u64::try_from(entries), Ok(self.done * 2), "acknowledged and written differ");
        assert_eq!(balances.values().map(|balance| balance.booked().minor()).sum::<i64>(), 0);
        let truths = ledger::verify(&mut tx).await.unwrap();
        assert!(truths.iter().all(|(_, holds)| *holds), "{truths:?}");
        say(&format!("{}: {} transfers, all {} truths hold", self.store.kind(), self.done, truths.len()));
    }
}

fn post(debit: AccountId, credit: AccountId, minor: i64, clock: &Clock, chance: &Chance) -> Command {
    let (transfer, amount, at) = (TransferId::new(clock, chance), Money::new(minor, Currency::EUR), clock.now());
    Command::Post { transfer, debit, credit, amount, hold: None, at, kind: "transfer" }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
fn per_second(count: usize, taken: Duration) -> f64 {
    count as f64 / taken.as_secs_f64()
}

fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn percentile(sorted: &[u32], percent: usize) -> u32 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// The `pgbench` of the newest PostgreSQL on this machine.
fn pgbench() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    versions.reverse();
    versions.into_iter().chain(std::env::split_paths(&path)).map(|bin| bin.join("pgbench")).find(|file| file.is_file())
}

/// TPC-B of `pgbench`, over the same kind of link that the engine uses.
fn run_pgbench(program: &Path, config: &PostgresConfig, args: &[&str]) -> String {
    let ran = Program::new(program)
        .args(args)
        .env("PGHOST", &config.host)
        .env("PGPORT", config.port.to_string())
        .env("PGUSER", &config.user)
        .env("PGDATABASE", &config.database)
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", &config.root_certificate)
        .env("PGSSLCERT", &config.certificate)
        .env("PGSSLKEY", &config.key)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(ran.status.success(), "pgbench failed: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn tps(said: &str) -> f64 {
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The server's own measure of itself, in a database of its own.
struct Rival {
    test: TestDatabase,
    program: PathBuf,
    rates: Vec<f64>,
}

impl Rival {
    async fn open() -> Option<Self> {
        let (program, address) = (pgbench()?, std::env::var("GUICHET_TEST_POSTGRES").ok()?);
        let rival = Self { test: TestDatabase::postgres(&address).await.unwrap(), program, rates: Vec::new() };
        rival.run(&["-i", "-q", "-s", "10"]);
        Some(rival)
    }

    fn run(&self, args: &[&str]) -> String {
        match &self.test.database {
            Database::Postgres(config) => run_pgbench(&self.program, config, args),
            Database::Sqlite { .. } => String::new(),
        }
    }

    fn round(&mut self, length: Duration) {
        let seconds = length.as_secs().max(1).to_string();
        let said = self.run(&["-M", "prepared", "-c", "8", "-j", "2", "-n", "-T", &seconds]);
        self.rates.push(tps(&said));
    }
}

struct Point {
    kind: Kind,
    hot: bool,
    callers: usize,
    rates: Vec<f64>,
    latencies: Vec<u32>,
}

async fn measure(rounds: usize, length: Duration) {
    let mut benches = Vec::new();
    for test in databases().await.unwrap() {
        benches.push(Bench::open(test).await);
    }
    let mut rival = Rival::open().await;
    let mut points: Vec<Point> = Vec::new();
    for bench in &benches {
        for hot in [false, true] {
            for callers in CALLERS {
                let kind = bench.store.kind();
                points.push(Point { kind, hot, callers, rates: Vec::new(), latencies: Vec::new() });
            }
        }
    }
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for point in &mut points {
            for bench in benches.iter_mut().filter(|bench| bench.store.kind() == point.kind) {
                let (rate, latencies) = bench.round(point.callers, point.hot, length).await;
                point.rates.push(rate);
                point.latencies = latencies;
            }
        }
        if let Some(rival) = &mut rival {
            tokio::task::block_in_place(|| rival.round(length));
        }
    }
    report(&mut points, rival.as_mut());
    for bench in &benches {
        bench.check().await;
    }
}

fn report(points: &mut [Point], rival: Option<&mut Rival>) {
    let base = rival.map(|rival| median(&mut rival.rates));
    say("\n| database | accounts credited | callers | transfers/s | x pgbench | p50 | p99 |");
    say("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    for point in points {
        let rate = median(&mut point.rates);
        let ratio = base.map_or_else(|| "-".to_owned(), |base| format!("{:.1}", rate / base));
        let (p50, p99) = (percentile(&point.latencies, 50), percentile(&point.latencies, 99));
        let credited = if point.hot { "one" } else { "any" };
        let (kind, callers) = (point.kind, point.callers);
        say(&format!("| {kind} | {credited} | {callers} | {rate:.0} | {ratio} | {p50} µs | {p99} µs |"));
    }
    match base {
        Some(base) => say(&format!("| pgbench, TPC-B, scale 10, prepared | | 8 | {base:.0} | 1.0 | | |\n")),
        None => say("\npgbench was not run: it needs a server (GUICHET_TEST_POSTGRES) and the program.\n"),
    }
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rounds, length) = if quick { (1, Duration::from_secs(1)) } else { (3, Duration::from_secs(2)) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(rounds, length));
}
