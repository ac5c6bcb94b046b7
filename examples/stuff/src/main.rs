//! `stuff`: the service as a program. It reads the command line and decides nothing.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chassis::{Front, Shutdown};
use clap::{Parser, Subcommand};
use store::{Database, Store};
use stuff::Stuff;
use tracing_subscriber::EnvFilter;
use vocabulary::{Chance, Clock};

/// Things, people, and who may see what.
///
/// Without a command it serves; an empty database is filled first.
#[derive(Parser)]
#[command(name = "stuff", version, max_term_width = 100)]
struct Cli {
    /// Where to serve; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// sqlite:FILE, or postgres://user@host:port/database?sslrootcert=FILE&sslcert=FILE&sslkey=FILE
    #[arg(long, value_name = "URL", default_value = "sqlite:stuff.sqlite", env = "STUFF_DATABASE", global = true)]
    database: Database,
    /// Print one line of JSON once it serves
    #[arg(long)]
    json: bool,
    /// Serve HTTPS; plain HTTP is for this machine alone
    #[arg(long)]
    tls: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// The database's tables
    #[command(subcommand)]
    Db(Step),
}

#[derive(Subcommand)]
enum Step {
    /// Make those that are missing
    Create,
    /// Fill empty ones
    Load {
        /// People, one a line: "login","hash of the password",TRUE (for administrators) or FALSE
        #[arg(long, value_name = "FILE")]
        users: Option<PathBuf>,
    },
    /// Empty them
    Truncate,
    /// Remove them
    Drop,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("STUFF_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let done = match &cli.command {
        None => serve(&cli).await,
        Some(Command::Db(step)) => change(&cli.database, step).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "stuff: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let (clock, chance, shutdown) = (Clock::system(), Chance::system(), Shutdown::default());
    shutdown.on_signals()?;
    // The secret and the certificate lie beside the database, or here.
    let home = match &cli.database {
        Database::Sqlite { path } => path.parent().unwrap_or(Path::new("")),
        Database::Postgres(_) => Path::new(""),
    };
    let keys = cli.tls.then(|| home.join("stuff-tls"));
    let front = Front::open("Stuff", cli.listen, keys.as_deref(), &clock, &chance).await?;
    let secret = chassis::secret(&home.join("stuff.key"), &chance)?;
    let stuff = Stuff::open(&cli.database, &secret, clock, chance.clone()).await?;
    let router = stuff.module(chance)?.router;
    let line = match (cli.json, front.ca()) {
        (true, ca) => serde_json::json!({ "url": front.url(), "ca": ca }).to_string(),
        (false, None) => format!("stuff answers at {}. Stop it with Ctrl-C.", front.url()),
        (false, Some(ca)) => {
            format!("stuff answers at {} (--cacert {}). Stop it with Ctrl-C.", front.url(), ca.display())
        }
    };
    writeln!(std::io::stdout(), "{line}")?;
    front.serve(router, shutdown).await?;
    Ok(())
}

async fn change(database: &Database, step: &Step) -> Result<(), Box<dyn Error>> {
    let store = Store::open(database, &[], Clock::system()).await?;
    if !matches!(step, Step::Drop) {
        stuff::store::create(&store).await?;
    }
    match step {
        Step::Create => {}
        Step::Load { users } => {
            let users = users.as_ref().map(std::fs::read_to_string).transpose()?;
            stuff::store::load(&store, users.as_deref()).await?;
        }
        Step::Truncate => stuff::store::truncate(&store).await?,
        Step::Drop => stuff::store::drop(&store).await?,
    }
    Ok(())
}
