//! `guichet monitor`: what the tool found, as a table or JSON and an exit code; and the simulated API.
//!
//! Decides nothing: arguments become `monitor::tool`'s settings, and its findings become lines.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chassis::Shutdown;
use clap::{Args, Subcommand, ValueEnum};
use monitor::tool::{
    Behaviour, Choices, Environment, Finding, LogFormat, LogSettings, Round, Settings, Simulation, Status, Tool,
};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use vocabulary::Clock;

use crate::{Failure, remark, say};

/// Bounds of `--every`.
const OFTENEST: Duration = Duration::from_secs(1);
const RAREST: Duration = Duration::from_hours(24);

#[derive(Subcommand)]
pub(crate) enum MonitorTool {
    /// Ask how applications do; print it, and keep it in reports/ and logs/
    #[command(after_help = "\
API_TOKEN, API_URL and APPS stand in .env in the folder, or in the environment, which counts more; .env.example shows how.
Every application is asked about at once, as GET API_URL?app=NAME with the token.

It writes reports/YYYY-MM-DD-NAME.json (every result of the day, UTC) and logs/monitor.log. Where REPORTS_DATABASE_URL is set,
every result is a row of app_status too; where LOGS_MONGODB_URL is, every log record a document.
It ends with 0 when all is well, with 1 when an application is not OK, with 2 when it could not work, or not wholly.")]
    Check(Check),
    /// Make the checks of a settings file once, and print what each says; nothing is kept, and nobody is told
    #[command(after_help = "\
The file is the one that a bank's monitor reads. For each check a table:
  [checks.website]
  kind = \"http\"                                  http tcp tls postgres nats smtp dns
  target = \"https://bank.example.org/health\"
  must = [\"status == 200\", \"certificate.left > 25%\"]   without them it is down
  should = [\"latency < 800ms\"]                   without them it is degraded
It ends with 0 when all are up, with 1 when one is not, with 2 when the settings cannot be used.")]
    Try(crate::monitor_try::Try),
    /// Run an API that says how made-up applications do, for trying `check`
    #[command(after_help = "\
GET /status?app=NAME answers behind API_TOKEN of .env or the environment. POST /login with JSON {\"username\", \"password\"}
gives that token to anybody; where API_TOKEN is not set, a new one.

Answers, with --answer, for all applications or for one (--answer slow --answer shop=down):
  seed (drawn from the seed)   ok   degraded   down
  slow (never)   refuse (401)   error (500)   redirect   broken (JSON)   lacking   huge   status (unknown)
  other (another application)   cut (breaks off)")]
    Simulate(Simulate),
}

#[derive(Args)]
pub(crate) struct Check {
    /// Names of applications, separated by commas; instead of APPS
    #[arg(long, value_name = "NAMES", conflicts_with = "file")]
    apps: Option<String>,
    /// A file with a name on each line; instead of APPS
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where .env, reports/ and logs/ are
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    timeout: Duration,
    /// Ask again and again until stopped: 30s, 5m; it ends as the last time did
    #[arg(long, value_name = "TIME", value_parser = interval)]
    every: Option<Duration>,
    /// Print one line of JSON for each time
    #[arg(long)]
    json: bool,
    /// The certificate of the authority to trust for https; without it, those of this machine
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take the token to other machines without encryption too
    #[arg(long)]
    allow_http: bool,
    /// How logs/monitor.log is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: Format,
    /// How large it grows before the next one is begun: 64K, 1M
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = size)]
    log_size: u64,
    /// How many full ones are kept
    #[arg(long, value_name = "NUMBER", default_value = "5", value_parser = clap::value_parser!(u32).range(0..=1000))]
    log_backups: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Args)]
pub(crate) struct Simulate {
    /// Where to answer; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Where .env is
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// What all it says follows from
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    seed: u64,
    /// How long each answer takes
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = time)]
    delay: Duration,
    /// How it answers, or how about one application
    #[arg(long, value_name = "[NAME=]ANSWER", value_parser = behaviour)]
    answer: Vec<(Option<String>, Behaviour)>,
}

pub(crate) async fn run(command: MonitorTool) -> Result<(), Failure> {
    match command {
        MonitorTool::Check(arguments) => check(arguments).await,
        MonitorTool::Try(arguments) => crate::monitor_try::run(arguments).await,
        MonitorTool::Simulate(arguments) => simulate(arguments).await,
    }
}

async fn check(arguments: Check) -> Result<(), Failure> {
    let Check { apps, file, folder, timeout, every, json, ca, allow_http, log_format, log_size, log_backups } =
        arguments;
    let format = match log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    let log = LogSettings { format, largest: log_size, backups: log_backups };
    let environment = Environment::of(&folder, real).map_err(unable)?;
    let choices = Choices { folder, apps, file, timeout, allow_http, ca, log };
    let settings = Settings::gather(choices, &environment).map_err(unable)?;
    let tool = Tool::open(settings, Clock::system()).await.map_err(unable)?;
    tool.remarks().iter().for_each(|words| remark(words));
    let Some(every) = every else {
        let mut round = tool.check().await;
        round.troubles.extend(tool.close().await);
        return told(&round, json);
    };
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Ok(());
    loop {
        tokio::select! {
            biased;
            () = shutdown.begun() => break,
            _ = ticks.tick() => {}
        }
        // Not broken off: what was asked is kept, within the time-out.
        last = told(&tool.check().await, json);
        if let Err(failure) = &last {
            remark(&failure.to_string());
        }
    }
    let troubles = tool.close().await;
    if troubles.is_empty() { last } else { Err(missed(&troubles)) }
}

/// Prints what was found, and gives how the process ends with it.
fn told(round: &Round, json: bool) -> Result<(), Failure> {
    let shown = if json { serde_json::to_string(round).map_err(std::io::Error::other)? + "\n" } else { table(round) };
    say(&shown)?;
    if !round.troubles.is_empty() {
        return Err(missed(&round.troubles));
    }
    match round.results.iter().filter(|it| it.status != Status::Ok).count() {
        0 => Ok(()),
        some => Err(Failure::NotWell(format!("{some} of {} applications not OK", round.results.len()))),
    }
}

fn missed(troubles: &[String]) -> Failure {
    Failure::Unable(troubles.join("\n         "))
}

fn table(round: &Round) -> String {
    let width =
        round.results.iter().map(|it| it.app.as_str().chars().count()).max().unwrap_or(0).max("APPLICATION".len());
    let mut out = format!("{:width$}  STATUS    RESPONSE  ASKED IN\n", "APPLICATION");
    for Finding { app, status, response_time, took_ms, detail, .. } in &round.results {
        let response = response_time.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2} s"));
        let (app, status, detail) = (app.as_str(), status.name(), detail.as_deref().unwrap_or_default());
        let line = format!("{app:width$}  {status:8}  {response:>8}  {took_ms:>5} ms  {detail}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

async fn simulate(arguments: Simulate) -> Result<(), Failure> {
    let Simulate { listen, folder, seed, delay, answer } = arguments;
    let environment = Environment::of(&folder, real).map_err(unable)?;
    let simulation = Simulation::new(&environment, seed, delay, answer, Clock::system()).map_err(unable)?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| Failure::Unable(format!("cannot answer at {listen}: {error}")))?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let at = listener.local_addr()?;
    say(&format!(
        "The simulated API answers at http://{at}/status until stopped; http://{at}/login gives its token\n"
    ))?;
    Ok(simulation.serve(listener, shutdown).await?)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unable(error: monitor::tool::ToolError) -> Failure {
    Failure::Unable(error.to_string())
}

fn real(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `500ms`, `30s`, `5m`, `1h`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "is no time: write 500ms, 30s, 5m or 1h".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    Ok(Duration::from_millis(u64::from(number) * milliseconds))
}

fn interval(text: &str) -> Result<Duration, String> {
    let every = time(text)?;
    if (OFTENEST..=RAREST).contains(&every) { Ok(every) } else { Err("is between 1s and 24h".to_owned()) }
}

/// `4096`, `64K`, `1M`.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['K', 'k']) {
        Some(number) => (number, 1024),
        None => text.strip_suffix(['M', 'm']).map_or((text, 1), |number| (number, 1024 * 1024)),
    };
    let bytes = number.parse::<u32>().ok().map(|number| u64::from(number) * unit);
    let bytes = bytes.filter(|it| (1024..=1024 * 1024 * 1024).contains(it));
    bytes.ok_or_else(|| "is between 1K and 1024M: write 64K or 1M".to_owned())
}

fn behaviour(text: &str) -> Result<(Option<String>, Behaviour), String> {
    let (app, answer) = text.split_once('=').map_or((None, text), |(app, answer)| (Some(app.to_owned()), answer));
    let known = Behaviour::ALL.iter().find(|(name, _)| *name == answer);
    let names = || Behaviour::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    known.map(|(_, it)| (app, *it)).ok_or_else(|| format!("`{answer}` is no answer; these are: {}", names()))
}
