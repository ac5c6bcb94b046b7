//! `squirrel`: server, client, keys and certificates of the club as one program. It reads the command line and decides
//! nothing.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use pki::Created;
use squirrel::mistake::Mistake;
use squirrel::{club, fernet, keys};
use tracing_subscriber::EnvFilter;
use vocabulary::{Chance, Clock, Timestamp};

/// The secret message of the Secret Squirrels: who may read it, and who can.
#[derive(Parser)]
#[command(name = "squirrel", version, max_term_width = 100)]
enum Cli {
    /// Hand out the message of the next meeting
    Serve(Serve),
    /// Ask for the message
    Fetch(Fetch),
    /// Make a shared key: print it, or put it before the keys of a file
    Key(Key),
    /// Give a server or a member a certificate of the club's own CA
    Certify(Certify),
}

/// How the message is protected.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Not at all
    Http,
    /// Sealed with a key that all members share
    Fernet,
    /// By TLS: only the true server is believed
    Https,
    /// By TLS on both sides: members alone are answered
    Mtls,
}

#[derive(Args)]
struct Shared {
    /// How the message is protected
    #[arg(long, value_enum)]
    step: Step,
    /// The file of the shared keys, for fernet; without it they stand in SECRET_KEY
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The folder of the club's certificates, for https and mtls
    #[arg(long, value_name = "FOLDER", default_value = "club")]
    club: PathBuf,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    shared: Shared,
    /// Where to serve; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5683")]
    listen: SocketAddr,
    /// The server's certificate in the club's folder
    #[arg(long = "as", value_name = "NAME", default_value = "server")]
    name: String,
    /// Print one line of JSON once it serves
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Fetch {
    #[command(flatten)]
    shared: Shared,
    /// Where the server is
    #[arg(long, env = "SECRET_URL", value_name = "URL")]
    url: Option<String>,
    /// Your certificate in the club's folder, for mtls
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// How old a sealed message may be, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    ttl: u32,
}

#[derive(Args)]
struct Key {
    /// Put it before the keys of this file, made when it is not there
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How many of the old keys stay behind it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=15))]
    keep: u8,
}

#[derive(Args)]
struct Certify {
    /// Whom: the file is called so
    name: String,
    /// A name or address of the server; a member has none
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// The folder of the club's certificates, made with a new CA when it is not there
    #[arg(long, value_name = "FOLDER", default_value = "club")]
    club: PathBuf,
    /// For how long
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=398))]
    days: u16,
    /// As if it were that moment, to see what an old certificate does
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("SQUIRREL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match Cli::parse() {
        Cli::Serve(asked) => serve(asked).await,
        Cli::Fetch(asked) => fetch(asked).await,
        Cli::Key(asked) => key(&asked),
        Cli::Certify(asked) => certify(&asked),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = std::io::stderr().write_all(format!("squirrel: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

async fn serve(asked: Serve) -> Result<(), Box<dyn Error>> {
    let (Shared { step, key_file, club }, clock) = (asked.shared, Clock::system());
    let message = std::env::var("SECRET_MESSAGE").unwrap_or_else(|_| "fluffy tail".into());
    let keys = if step == Step::Fernet { Some(keys::find(key_file.as_deref())?) } else { None };
    let tls = match step {
        Step::Http | Step::Fernet => None,
        Step::Https => Some(pki::server_config(&club::identity(&club, &asked.name)?, None, &clock)?),
        Step::Mtls => {
            let members = club::authority(&club)?;
            Some(pki::server_config(&club::identity(&club, &asked.name)?, Some(&members), &clock)?)
        }
    };
    let listener = squirrel::serve::listen(asked.listen, tls.is_none()).await?;
    let url = format!("{}://{}", if tls.is_some() { "https" } else { "http" }, listener.address());
    let line = if asked.json {
        serde_json::json!({ "url": url }).to_string()
    } else {
        format!("the message of the next meeting is at {url}. Stop with Ctrl-C.")
    };
    writeln!(std::io::stdout(), "{line}")?;
    let router = squirrel::serve::router(message, keys, clock, Chance::system());
    squirrel::serve::serve(listener, router, tls).await
}

async fn fetch(asked: Fetch) -> Result<(), Box<dyn Error>> {
    let (Shared { step, key_file, club }, clock) = (asked.shared, Clock::system());
    let keys = if step == Step::Fernet { Some(keys::find(key_file.as_deref())?) } else { None };
    let trust = match step {
        Step::Http | Step::Fernet => None,
        Step::Https => Some(pki::client_config(&club::authority(&club)?, None, &clock)?),
        Step::Mtls => {
            let identity = asked.name.map(|name| club::identity(&club, &name)).transpose()?;
            Some(pki::client_config(&club::authority(&club)?, identity.as_ref(), &clock)?)
        }
    };
    let mut message = squirrel::fetch::fetch(&asked.url.ok_or(Mistake::Nowhere)?, trust).await?;
    if let Some(keys) = keys {
        let opened = keys.open(&message, Duration::from_secs(asked.ttl.into()), &clock)?;
        message = String::from_utf8_lossy(&opened).into_owned();
    }
    // Whoever answered does not get to steer the terminal.
    let shown: String = message.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    writeln!(std::io::stdout(), "The secret message is: {shown}")?;
    Ok(())
}

fn key(asked: &Key) -> Result<(), Box<dyn Error>> {
    let chance = Chance::system();
    match &asked.file {
        Some(file) => keys::rotate(file, asked.keep.into(), &chance)?,
        None => writeln!(std::io::stdout(), "{}", *fernet::new_key(&chance))?,
    }
    Ok(())
}

fn certify(asked: &Certify) -> Result<(), Box<dyn Error>> {
    let at = asked.at.map_or_else(Clock::system, Clock::manual);
    let certified = club::certify(&asked.club, &asked.name, &asked.hosts, asked.days, &at)?;
    let mut out = std::io::stdout();
    if certified.authority == Created::New {
        writeln!(out, "The club has a CA: give {} to every member.", asked.club.join("ca.pem").display())?;
        writeln!(out, "Its SHA-256 is {}.", certified.fingerprint)?;
    }
    let file = asked.club.join(format!("{}.pem", asked.name));
    writeln!(out, "{} is good until {}.", file.display(), certified.until)?;
    Ok(())
}
