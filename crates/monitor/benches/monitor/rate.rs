//! How many checks a second one core makes, what each costs, and how much memory many of them take: beside bare requests to
//! the same server in the same run. The server is a process of its own, so that its work is not counted.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aaa::Directory;
use axum::Router;
use axum::routing::get;
use chassis::Shutdown;
use monitor::{MIGRATIONS, Monitor, Plan, Settings};
use store::{Database, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use vocabulary::{Chance, Clock};

use crate::say;

/// What starts the server.
pub(crate) const SERVE: &str = "--serve";
/// Where it tells how often it was asked.
const COUNT: &str = "/count";

/// Answers, and counts; until it is killed.
pub(crate) fn serve() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (counting, counted) = (asked.clone(), asked);
    let health = move || {
        counting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::future::ready("well")
    };
    let count = move || std::future::ready(counted.load(std::sync::atomic::Ordering::Relaxed).to_string());
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        say(&listener.local_addr().unwrap().to_string());
        axum::serve(listener, Router::new().route("/", get(health)).route(COUNT, get(count))).await.unwrap();
    });
}

/// The server's process, and where it listens.
struct Server(Child, SocketAddr);

impl Server {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg(SERVE).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child, line.trim().parse().unwrap())
    }

    async fn count(&self) -> u64 {
        request(self.1, COUNT).await.rsplit("\r\n").next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A connection and a question, as any check over HTTP needs at least.
async fn request(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let question = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Processor time of this process so far, and what it holds in memory, in MiB.
fn used() -> (Duration, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let held: u64 = held.trim().trim_end_matches(" kB").parse().unwrap();
    (Duration::from_millis(ticks * 10), held / 1024)
}

/// Through one worker: so many checks, each due every second, for a while.
pub(crate) fn measure(checks: usize, seconds: u64) {
    let server = Server::start();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (bare, bare_cost) = runtime.block_on(bare(server.1, seconds));
    say(&format!("bare requests: {bare:.0} a second, {} µs of a processor each", bare_cost.as_micros()));
    runtime.block_on(async {
        let home = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for number in 0..checks {
            let _ = writeln!(
                text,
                "[checks.check-{number}]\nkind = \"http\"\ntarget = \"http://{}/\"\nevery = \"1s\"\ntimeout = \"1s\"\nprivate = true",
                server.1
            );
        }
        let file = home.path().join("checks.toml");
        std::fs::write(&file, text).unwrap();
        let (_, empty) = used();
        let settings = Settings::read(&file).unwrap();
        let database = Database::Sqlite { path: home.path().join("monitor.sqlite") };
        let store = Store::open(&database, MIGRATIONS, Clock::system()).await.unwrap();
        let (directory, services, chance) = (Directory::default(), Vec::new(), Chance::system());
        let monitor = Monitor::open(Plan { directory, services, apart: false, store, chance, settings }).await.unwrap();
        let shutdown = Shutdown::default();
        let watching = tokio::spawn(monitor.watch(shutdown.clone()));
        // Until each was made: they begin spread over their interval.
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        while server.count().await < u64::try_from(2 * checks).unwrap() {
            looks.tick().await;
        }
        let (begun, before, (cost_before, _)) = (Instant::now(), server.count().await, used());
        let _ = tokio::time::timeout(Duration::from_secs(seconds), std::future::pending::<()>()).await;
        let (took, made, (cost, held)) = (begun.elapsed(), server.count().await - before, used());
        shutdown.begin();
        watching.await.unwrap();
        let made = u32::try_from(made).unwrap();
        let (rate, each) = (f64::from(made) / took.as_secs_f64(), cost.saturating_sub(cost_before) / made);
        say(&format!("{checks} checks: {rate:.0} a second, {} µs of a processor each, their results kept", each.as_micros()));
        let share = each.as_secs_f64() * f64::from(u32::try_from(checks).unwrap()) / 60.0 * 100.0;
        say(&format!("  {:.2} × bare requests a second, {:.2} × their cost", rate / bare, each.as_secs_f64() / bare_cost.as_secs_f64()));
        say(&format!("  {checks} checks a minute take {share:.1} % of one processor; {} MiB more memory than without", held.saturating_sub(empty)));
    });
}

async fn bare(at: SocketAddr, seconds: u64) -> (f64, Duration) {
    let (begun, (before, _)) = (Instant::now(), used());
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        callers.spawn(async move {
            let mut made = 0_u32;
            while begun.elapsed() < Duration::from_secs(seconds) {
                request(at, "/").await;
                made += 1;
            }
            made
        });
    }
    let made: u32 = callers.join_all().await.iter().sum();
    let (took, (after, _)) = (begun.elapsed(), used());
    let _ = std::io::stdout().flush();
    (f64::from(made) / took.as_secs_f64(), after.saturating_sub(before) / made)
}
