//! The command line, as `--help` shows it.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::certificates::Pki;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A bank that anyone can run.
///
/// `guichet up --demo` starts one with people, accounts and months of history; open the address it prints.
#[derive(Parser)]
#[command(name = "guichet", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole bank in this process
    #[command(
        after_help = "Examples:\n  guichet up --demo\n  guichet up --data-dir /var/lib/guichet --listen 0.0.0.0:8443 --host bank.example.org"
    )]
    Up(Up),
    /// Run one service of the bank in this process; the others run elsewhere
    #[command(after_help = "\
Every service of a bank that stands apart has its own process, database and certificate, and calls the others over TLS with
both sides proven. Their order of starting does not matter. Each needs to know where those are that it calls:
  guichet serve bank --config /etc/guichet/bank.toml")]
    Serve(Serve),
    /// The settings of one service's process, before it starts
    #[command(subcommand)]
    Config(Config),
    /// Say what is wrong with one service and the machine it runs on, and how to mend it
    #[command(after_help = "\
Run it as the service's user, before the first start or beside the running service; nothing is changed:
  guichet doctor bank --config /etc/guichet/bank.toml

It looks at the configuration, the service's folder, certificates, port, database and clock, and at the way to each service
that it calls. It ends with 1 when anything is wrong.")]
    Doctor(Doctor),
    /// Ask the process of this machine whether it can serve; for container engines and scripts
    #[command(after_help = "\
Examples:
  guichet health                                         the bank that `guichet up` runs here
  guichet health bank --config /etc/guichet/bank.toml    one service, asked with its own certificate
  guichet health --url https://bank.example.org:8443 --ca ca.pem

It prints one line and ends with 0 when it is well, with 1 when it is not.")]
    Health(Health),
    /// Show how every service of a running bank does; with a superuser's token, its certificates and links too
    #[command(after_help = "\
Examples:
  guichet status                                         the bank that `guichet up` runs here
  guichet status --url https://bank.example.org --ca ca.pem --token-file token.txt

The token is a personal one of a superuser, allowed to read; make it at /profile/tokens. It ends with 1 when a service is
down or a certificate is about to end.")]
    Status(StatusArguments),
    /// List every operation and who may call it
    Routes {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the OpenAPI 3.1 document of the API
    Openapi,
    /// Explain what was decided about one call: who asked, what its policy demands, and why it was refused
    Why(Why),
    /// People, from the command line
    #[command(subcommand)]
    Users(Users),
    /// The keys that sign access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Whether the journal is what it was, and proofs of what stands in it
    #[command(subcommand)]
    Journal(crate::journal_log::Journal),
    /// The broker that carries events between services that stand apart
    #[command(subcommand)]
    Broker(crate::broker::Operation),
    /// Ask an API how applications do: on its own, without a bank; simulate such an API; or try the monitor's checks
    #[command(
        subcommand,
        after_help = "\
In an empty folder, with .env as .env.example shows:
  guichet monitor simulate                            in another terminal
  guichet monitor check --apps shop,billing,payroll"
    )]
    Monitor(crate::monitor_tool::MonitorTool),
    /// Certificates from an authority of your own: begin it, sign, show, verify, revoke, renew
    #[command(
        subcommand,
        after_help = "\
An authority begins with `init`. Then, for each server or client:
  guichet pki csr --name bank --san bank.internal     where it will run
  guichet pki sign bank-csr.pem --name bank --san bank.internal
  guichet pki verify bank.pem --server-name bank.internal
  guichet pki renew bank.pem                          after two thirds of its life"
    )]
    Pki(Pki),
}

#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Make the next signing key; the bank must not be running on the same data directory
    ///
    /// The next key is published for a day before it signs. A running bank does the same by itself every 30 days.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// Trust no other key any more, from now on: everybody signs in again. For keys that somebody may have read
        #[arg(long)]
        revoke: bool,
    },
}

/// Where a bank keeps its data: the same for every command.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// A TOML file with the settings below and the bank's name and codes
    #[arg(long, value_name = "FILE", env = "GUICHET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where keys and databases are kept [default: guichet-data]
    #[arg(long, value_name = "DIR", env = "GUICHET_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep the databases on PostgreSQL: an address with {service} in its database name, such as
    /// postgres://guichet@db:5432/guichet_{service}?sslrootcert=ca.pem&sslcert=me.pem&sslkey=me-key.pem
    #[arg(long, value_name = "URL", env = "GUICHET_DATABASE")]
    pub(crate) database: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Fill an empty bank with people, accounts and months of history
    #[arg(long)]
    pub(crate) demo: bool,
    /// Where to serve HTTPS; port 0 takes a free one [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS:PORT", env = "GUICHET_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// A further name or address that browsers use for this bank; goes into its certificate
    #[arg(long, value_name = "NAME", env = "GUICHET_HOST", value_delimiter = ',')]
    pub(crate) host: Vec<String>,
    /// How many reverse proxies of your own stand before the bank and append to X-Forwarded-For [default: 0]
    #[arg(long, value_name = "NUMBER", env = "GUICHET_PROXIES")]
    pub(crate) proxies: Option<u8>,
    /// Run every service as a process of its own on this machine, with PostgreSQL and certificates between them
    #[arg(long, conflicts_with = "database")]
    pub(crate) apart: bool,
    /// How long the services' certificates live, with --apart: 60s, 10m, 24h; they are renewed at two thirds of it
    #[arg(long, value_name = "TIME", requires = "apart", value_parser = crate::certificates::life)]
    pub(crate) certificate_life: Option<std::time::Duration>,
    /// Print one line of JSON on stdout once it serves: its address, its CA, and who can sign in
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Why {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The `trace_id` of the answer: 32 hexadecimal digits, also in its header x-trace-id
    #[arg(value_name = "TRACE-ID")]
    pub(crate) trace_id: String,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Users {
    /// Create a person who may sign in at once; the bank must not be running on the same data directory
    Create(CreateUser),
    /// Create people from a file; the bank must not be running on the same data directory
    #[command(after_help = "\
The file has one person per line, comma-separated: login, password or hash, role; then, if there are any, e-mail, first name and
last name. A first line that begins with `login` names the columns instead. Roles: member, agent, superuser; or whether they are
an administrator: TRUE or FALSE. Hashes: Argon2, bcrypt, Django's pbkdf2_sha256$, Werkzeug's scrypt: and pbkdf2:sha256; they are
replaced by better ones at the first sign-in. Lines that are empty or begin with # are left out.")]
    Import(ImportUsers),
    /// Let somebody sign in again, after too many failures or when their password or second factor is lost; the bank must not
    /// be running on the same data directory
    Unlock(UnlockUser),
}

/// Where the people of a bank are kept.
#[derive(Args, Clone)]
pub(crate) struct PeoplePlace {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Where services stand apart, instead of all that: the settings file of identity, on its machine and as its user
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct UnlockUser {
    #[command(flatten)]
    pub(crate) place: PeoplePlace,
    /// The name they sign in with
    #[arg(value_name = "LOGIN")]
    pub(crate) login: String,
    /// Remove their authenticator app, passkeys and recovery codes too: they are lost
    #[arg(long)]
    pub(crate) without_second_factor: bool,
    /// Give them a new password too, theirs being lost: a file with it on its first line; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) new_password_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ImportUsers {
    #[command(flatten)]
    pub(crate) place: PeoplePlace,
    /// The file; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Check everything, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Add the good lines though others are bad
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CreateUser {
    #[command(flatten)]
    pub(crate) place: PeoplePlace,
    /// What they do here
    #[arg(long)]
    pub(crate) role: RoleName,
    /// The name to sign in with
    #[arg(long)]
    pub(crate) login: String,
    /// Their e-mail address
    #[arg(long)]
    pub(crate) email: String,
    /// First name
    #[arg(long)]
    pub(crate) first_name: String,
    /// Last name
    #[arg(long)]
    pub(crate) last_name: String,
    /// A file with the password on its first line; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    Member,
    Agent,
    Superuser,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// Get the certificates of this service from the authority by this token of `guichet pki token`; @FILE reads it from a
    /// file. One that was used here already is not looked at while the certificates are good
    #[arg(long, value_name = "TOKEN|@FILE", env = "GUICHET_JOIN", hide_env_values = true,
          value_parser = crate::links::Invitation::argument())]
    pub(crate) join: Option<crate::links::Invitation>,
    /// Stop when standard input ends: for a parent that may die
    #[arg(long, hide = true)]
    pub(crate) attached: bool,
}

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Health {
    /// Which service's process; without it, the bank in one process
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<ServiceName>,
    #[command(flatten)]
    pub(crate) place: DoorArguments,
    /// Ask at this address instead
    #[arg(long, value_name = "URL", conflicts_with = "service")]
    pub(crate) url: Option<String>,
    /// The certificate of the authority to trust at --url
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) ca: Option<PathBuf>,
    /// Ask only whether it lives, not whether it can serve
    #[arg(long)]
    pub(crate) live: bool,
}

#[derive(Args)]
pub(crate) struct StatusArguments {
    /// Where the bank is
    #[arg(long, value_name = "URL", default_value = "https://localhost:8443")]
    pub(crate) url: String,
    /// The certificate of the authority to trust there
    #[arg(long, value_name = "FILE", default_value = "guichet-data/tls/ca.pem")]
    pub(crate) ca: PathBuf,
    /// A file with a superuser's personal token on its first line
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a process of this machine listens, and where its certificates are.
#[derive(Args, Clone)]
pub(crate) struct DoorArguments {
    /// The TOML file that the process was started with
    #[arg(long, value_name = "FILE", env = "GUICHET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where it keeps what is its own
    #[arg(long, value_name = "DIR", env = "GUICHET_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS:PORT", env = "GUICHET_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// The folder of its certificates
    #[arg(long, value_name = "DIR", env = "GUICHET_CERTIFICATES")]
    pub(crate) certificates: Option<PathBuf>,
    /// The authority's folder (authority)
    #[arg(long, value_name = "DIR", env = "GUICHET_PKI_DIR")]
    pub(crate) pki_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Say whether a service could start with these settings, and what is wrong if not
    Check(NodeArguments),
    /// Show every setting as it takes effect
    Show(NodeArguments),
}

/// Settings of one service's process: flags over environment over file over defaults.
#[derive(Args, Clone)]
pub(crate) struct NodeArguments {
    /// Which service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: ServiceName,
    /// A TOML file with the settings below, the other services under [peers], and the bank's name and codes under [bank]
    #[arg(long, value_name = "FILE", env = "GUICHET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where the service keeps what is its own [default: guichet-SERVICE]
    #[arg(long, value_name = "DIR", env = "GUICHET_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Its database on PostgreSQL; without it, an SQLite file in its directory
    #[arg(long, value_name = "URL", env = "GUICHET_DATABASE")]
    pub(crate) database: Option<String>,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS:PORT", env = "GUICHET_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// The folder with ca.pem, SERVICE.pem and SERVICE-key.pem, for web also https.pem and https-key.pem
    /// [default: tls in its own directory]
    #[arg(long, value_name = "DIR", env = "GUICHET_CERTIFICATES")]
    pub(crate) certificates: Option<PathBuf>,
    /// The authority's folder, as `guichet pki init` made it (authority) [default: pki in its own directory]
    #[arg(long, value_name = "DIR", env = "GUICHET_PKI_DIR")]
    pub(crate) pki_dir: Option<PathBuf>,
    /// The address that browsers use for the bank (web and identity)
    #[arg(long, value_name = "URL", env = "GUICHET_ORIGIN")]
    pub(crate) origin: Option<String>,
    /// How many reverse proxies of your own stand before the bank and append to X-Forwarded-For (web) [default: 0]
    #[arg(long, value_name = "NUMBER", env = "GUICHET_PROXIES")]
    pub(crate) proxies: Option<u8>,
    /// Where another service is; given twice for one service, these are two instances of it
    #[arg(long, value_name = "SERVICE=URL", env = "GUICHET_PEERS", value_delimiter = ',')]
    pub(crate) peer: Vec<String>,
    /// Where the broker is that carries events to the journal, such as tls://nats.internal:4222; given several times, these are
    /// the nodes of one cluster; without it events go to the journal as calls (identity, bank, journal and authority)
    #[arg(long, value_name = "URL", env = "GUICHET_NATS", value_delimiter = ',')]
    pub(crate) nats: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ServiceName {
    Identity,
    Bank,
    Journal,
    Monitor,
    Web,
    /// Signs the certificates of the others
    Authority,
}
