//! `library`: the service as a program. It reads the command line and decides nothing.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use chassis::{Front, Shutdown};
use clap::{Parser, Subcommand};
use library::Library;
use store::Database;
use tracing_subscriber::EnvFilter;
use vocabulary::{Chance, Clock};

/// Authors and their books, each seen by who wrote them down.
///
/// Without a command it serves.
#[derive(Parser)]
#[command(name = "library", version, max_term_width = 100)]
struct Cli {
    /// Where to serve; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5001")]
    listen: SocketAddr,
    /// sqlite:FILE, or postgres://user@host:port/database?sslrootcert=FILE&sslcert=FILE&sslkey=FILE
    #[arg(long, value_name = "URL", default_value = "sqlite:library.sqlite", env = "LIBRARY_DATABASE", global = true)]
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
    /// Make somebody who is registered an administrator, from their next sign-in on
    Admin {
        /// The name they sign in with
        name: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("LIBRARY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let done = match &cli.command {
        None => serve(&cli).await,
        Some(Command::Admin { name }) => make_admin(&cli.database, name).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "library: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn open(database: &Database, home: &Path) -> Result<Library, Box<dyn Error>> {
    let (clock, chance) = (Clock::system(), Chance::system());
    let secret = chassis::secret(&home.join("library.key"), &chance)?;
    Ok(Library::open(database, &secret, clock, chance).await?)
}

/// The key of tokens and the certificate lie beside the database, or here.
fn home(database: &Database) -> &Path {
    match database {
        Database::Sqlite { path } => path.parent().unwrap_or(Path::new("")),
        Database::Postgres(_) => Path::new(""),
    }
}

async fn serve(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let (home, shutdown) = (home(&cli.database), Shutdown::default());
    shutdown.on_signals()?;
    let keys = cli.tls.then(|| home.join("library-tls"));
    let front = Front::open("Library", cli.listen, keys.as_deref(), &Clock::system(), &Chance::system()).await?;
    let router = open(&cli.database, home).await?.module()?.router;
    let line = match (cli.json, front.ca()) {
        (true, ca) => serde_json::json!({ "url": front.url(), "ca": ca }).to_string(),
        (false, None) => format!("library answers at {}. Stop it with Ctrl-C.", front.url()),
        (false, Some(ca)) => {
            format!("library answers at {} (--cacert {}). Stop it with Ctrl-C.", front.url(), ca.display())
        }
    };
    writeln!(std::io::stdout(), "{line}")?;
    front.serve(router, shutdown).await?;
    Ok(())
}

async fn make_admin(database: &Database, name: &str) -> Result<(), Box<dyn Error>> {
    if open(database, home(database)).await?.make_admin(name).await? {
        return Ok(());
    }
    Err(format!("nobody is called {name}: they have to register first").into())
}
