//! The servers that the tests need: private, in a temporary folder, on a free port, and gone afterwards.
//!
//! Promises: PostgreSQL with all its safety on (`fsync`), reachable through TLS 1.3 with a certificate on both sides and
//! in no other way; stopped and deleted however this process ends, `kill -9` included.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pki::{Algorithm, Bounds, Folder, Issued, Passphrase, Plan, PrivateKey, Request, Usage};
use vocabulary::{Chance, Clock};

use crate::run::{Failure, cargo, output, run, section};
use crate::{python, repo, tools};

/// The role of the tests, owner of the private server. A client certificate with this common name opens it.
const ROLE: &str = "guichet_test";
/// Another process may take a free port between our looking and the server's opening it.
const ATTEMPTS: u32 = 5;
const HBA: &str = "\
# TLS with a client certificate whose common name is the role; nothing else.
local   all all              reject
hostssl all all 127.0.0.1/32 cert clientcert=verify-full
";
/// Waits until our end of the pipe closes, which happens however we end; then stops the server and removes the folder.
const KEEPER: &str = r#"cat >/dev/null; "$@" >/dev/null 2>&1; rm -rf -- "$FOLDER""#;

/// Everything under test, with the servers up. `extra` is added to the tests' environment.
pub(crate) fn test(args: &[String], extra: &[(&str, &str)]) -> Result<(), Failure> {
    tools::ensure()?;
    let root = repo::root()?;
    let mut test = cargo(&root);
    test.args(["test", "--locked"]);
    if !names_packages(args) {
        // Tests that run the binary as a newcomer would find it built.
        section("Build");
        run(cargo(&root).args(["build", "--workspace", "--locked"]))?;
        test.arg("--workspace");
    }
    let python = python::ensure()?;
    let services = Services::start()?;
    section("Test");
    let test = test.args(args).envs(services.environment()).env(python::VARIABLE, &python);
    let proves = args.is_empty() && extra.iter().any(|(name, _)| *name == PROVE);
    if proves {
        // They come afterwards, built as they are deployed: unoptimized, the many seeds take hours.
        test.arg("--").args(OPTIMIZED.iter().flat_map(|name| ["--skip", *name]));
    }
    let mut outcome = run(test.envs(extra.iter().copied()));
    if outcome.is_ok() && proves {
        section("Test, optimized: faults by seed, and a journal that grows");
        let mut journal = cargo(&root);
        journal
            .args(["test", "--locked", "--release", "-p", "journal", "--tests", "--", "--nocapture"])
            .args(OPTIMIZED);
        outcome = run(journal.envs(services.environment()).envs(extra.iter().copied()));
    }
    if outcome.is_ok() && args.is_empty() {
        section("Test, the services apart");
        let mut apart = cargo(&root);
        apart.args(["test", "--locked", "-p", "guichet", "--test", "it", "--"]).args(IN_ANY_WAY);
        let apart = apart.envs(services.environment()).env(python::VARIABLE, python).env("GUICHET_TEST_APART", "1");
        outcome = run(apart.envs(extra.iter().copied()));
    }
    services.stop()?;
    // The last step of the document that the tool is from: the gate is green.
    if outcome.is_ok() && proves { crate::check::command(&["--quick".to_owned()]) } else { outcome }
}

/// What asks for the long forms.
pub(crate) const PROVE: &str = "GUICHET_PROVE";
/// The tests of many faults and of many entries.
const OPTIMIZED: &[&str] = &[
    "what_the_sources_committed_is_in_the_journal",
    "machines_that_part_from_the_broker",
    "filters_and_counts_do_not_grow_with_the_journal",
];

/// The tests of the bank that do not mind how it runs: they run a second time with each service in a process of its own.
const IN_ANY_WAY: &[&str] =
    &["attacks::", "bad_input::", "log::the_journal_is_followed", "mails::", "newcomer::", "openapi::", "outside::"];

/// The benchmarks by name: whose package each is in.
const BENCHES: &[(&str, &str)] =
    &[("posting", "ledger"), ("aaa", "aaa"), ("link", "chassis"), ("journal", "journal"), ("monitor", "monitor")];

/// A benchmark, with the servers up.
pub(crate) fn bench(args: &[String]) -> Result<(), Failure> {
    let asked = args.split_first().and_then(|(name, rest)| {
        BENCHES.iter().find(|(known, _)| known == name).map(|(name, package)| (*name, *package, rest))
    });
    let Some((name, package, rest)) = asked else {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        return Err(Failure::usage(&format!("`bench` measures one of: {}", known.join(", "))));
    };
    tools::ensure()?;
    let root = repo::root()?;
    let bench = || {
        let mut bench = cargo(&root);
        bench.args(["bench", "--locked", "-p", package, "--bench", name]);
        bench
    };
    section("Build");
    run(bench().arg("--no-run"))?;
    let services = Services::start()?;
    section("Bench");
    let outcome = run(bench().arg("--").args(rest).envs(services.environment()));
    services.stop()?;
    outcome
}

/// Any command, with the servers up.
pub(crate) fn with_command(args: &[String]) -> Result<(), Failure> {
    let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    let Some((program, rest)) = args.split_first() else {
        return Err(Failure::usage("`services` needs a command to run"));
    };
    tools::ensure()?;
    let python = python::ensure()?;
    let services = Services::start()?;
    let outcome = run(Command::new(program).args(rest).envs(services.environment()).env(python::VARIABLE, python));
    services.stop()?;
    outcome
}

fn names_packages(args: &[String]) -> bool {
    let own = args.iter().take_while(|a| *a != "--");
    own.into_iter().any(|a| a.starts_with("-p") || a.starts_with("--package") || a == "--workspace" || a == "--all")
}

/// Running servers. [`Services::stop`] ends them and reports; dropping ends them too.
pub(crate) struct Services {
    folder: PathBuf,
    port: u16,
    keeper: Option<Child>,
}

impl Services {
    /// Starts them all.
    pub(crate) fn start() -> Result<Self, Failure> {
        section("Servers");
        let bin = tools::postgres_bin()?;
        let owner = Owner::of_the_server()?;
        let folder = owner.folder()?;
        // From here on the keeper removes what was made, also when the rest fails.
        let mut services = Self { folder: folder.clone(), port: 0, keeper: Some(keeper(&folder, &owner, &bin)?) };
        certificates(&folder, &owner)?;
        let data = folder.join("data");
        output(owner.command(&bin.join("initdb")).arg("-D").arg(&data).args([
            "--no-sync",
            "--no-instructions",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=reject",
            "-U",
            ROLE,
        ]))?;
        owner.give(&data.join("pg_hba.conf"), HBA)?;
        services.port = start_postgres(&folder, &owner, &bin)?;
        crate::run::say(&format!("PostgreSQL answers on port {}, TLS only", services.port));
        Ok(services)
    }

    /// What tests and client programs read to find the servers.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let tls = self.folder.join("client");
        let file = |name: &str| tls.join(name).display().to_string();
        let (ca, crl, cert, key) = (file("ca.pem"), file("crl.pem"), file("client.pem"), file("client-key.pem"));
        let port = self.port;
        vec![
            (
                "GUICHET_TEST_POSTGRES",
                format!(
                    "postgres://{ROLE}@localhost:{port}/postgres?sslrootcert={ca}&sslcrl={crl}&sslcert={cert}&sslkey={key}"
                ),
            ),
            ("GUICHET_TEST_REQUIRE_POSTGRES", "1".into()),
            // Tests start a nats-server each, since they kill it.
            ("GUICHET_TEST_REQUIRE_NATS", "1".into()),
            // What psql, pgbench and other clients of PostgreSQL's own library read.
            ("PGHOST", "localhost".into()),
            ("PGPORT", port.to_string()),
            ("PGUSER", ROLE.into()),
            ("PGDATABASE", "postgres".into()),
            ("PGSSLMODE", "verify-full".into()),
            ("PGSSLROOTCERT", ca),
            ("PGSSLCERT", cert),
            ("PGSSLKEY", key),
        ]
    }

    /// Stops them, and says when something stayed behind.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        self.end();
        if self.folder.exists() {
            return Err(Failure::new(format!(
                "the test servers' folder {} could not be removed",
                self.folder.display()
            )));
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.end();
    }
}

/// Who runs the server: PostgreSQL refuses root, so root lends it to the user `postgres`.
enum Owner {
    Ourselves,
    Postgres { uid: u32, gid: u32 },
}

impl Owner {
    fn of_the_server() -> Result<Self, Failure> {
        if !tools::is_root()? {
            return Ok(Self::Ourselves);
        }
        let id = |flag: &str| -> Result<u32, Failure> {
            let said = output(Command::new("id").args([flag, "postgres"]))?;
            said.trim().parse().map_err(|_| Failure::new(format!("`id {flag} postgres` says `{}`", said.trim())))
        };
        Ok(Self::Postgres { uid: id("-u")?, gid: id("-g")? })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves => Command::new(program),
            Self::Postgres { .. } => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }

    /// A new temporary folder that the owner can reach.
    fn folder(&self) -> Result<PathBuf, Failure> {
        let mut tried = Vec::new();
        for parent in [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
            let Ok(folder) = tempfile::Builder::new().prefix("guichet-test-").tempdir_in(&parent) else { continue };
            // Others may pass through, not look inside; what is inside is closed on its own.
            fs::set_permissions(folder.path(), Permissions::from_mode(0o711))
                .map_err(trouble("open", folder.path()))?;
            if output(self.command(Path::new("test")).arg("-x").arg(folder.path())).is_ok() {
                return Ok(folder.keep());
            }
            tried.push(parent.display().to_string());
        }
        Err(Failure::new(format!(
            "the user `postgres` cannot reach a temporary folder (tried {}); set TMPDIR to one it can",
            tried.join(", ")
        )))
    }

    /// Writes a file that only the owner can read.
    fn give(&self, path: &Path, text: &str) -> Result<(), Failure> {
        fs::write(path, text).map_err(trouble("write", path))?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(trouble("close", path))?;
        self.hand_over(path)
    }

    fn hand_over(&self, path: &Path) -> Result<(), Failure> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { uid, gid } => chown(path, Some(*uid), Some(*gid)).map_err(trouble("hand over", path)),
        }
    }
}

/// The process that cleans up after us. It stands in its own group, so that ctrl-c reaches us and not it.
fn keeper(folder: &Path, owner: &Owner, bin: &Path) -> Result<Child, Failure> {
    let mut stop = owner.command(&bin.join("pg_ctl"));
    stop.args(["stop", "--wait", "--mode=immediate", "-D"]).arg(folder.join("data"));
    Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(stop.get_program())
        .args(stop.get_args())
        .env("FOLDER", folder)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| Failure::new(format!("cannot start `sh`: {e}")))
}

/// An authority for this run alone: the server's certificate in `server/`, the tests' in `client/`.
fn certificates(folder: &Path, owner: &Owner) -> Result<(), Failure> {
    let (clock, chance) = (Clock::system(), Chance::system());
    let failed = |e: pki::PkiError| Failure::new(format!("cannot make certificates for the test servers: {e}"));
    let plan = Plan {
        name: "Guichet test servers",
        root_key: PrivateKey::generate(Algorithm::P256).map_err(failed)?,
        intermediate_key: PrivateKey::generate(Algorithm::P256).map_err(failed)?,
        passphrase: &Passphrase::new(format!("{:032x}", u128::from_be_bytes(chance.bytes()))).map_err(failed)?,
        root_key_file: None,
        bounds: &Bounds::new([]).map_err(failed)?,
    };
    let kept = Folder::init(&folder.join("authority"), plan, &clock, &chance).map_err(failed)?;
    let authority = kept.authority(&clock).map_err(failed)?;
    let (root, lists) = (kept.root_pem().map_err(failed)?, kept.list_pem().map_err(failed)?);
    let issue = |common_name: &str, names: &[&str], usage: Usage| -> Result<Issued, Failure> {
        let request = Request {
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            common_name: common_name.to_owned(),
            usage,
            life: Duration::from_hours(24),
        };
        authority.issue(&request, &clock, &chance).map_err(failed)
    };
    for (home, issued, owner) in [
        ("server", issue("postgresql", &["localhost", "127.0.0.1"], Usage::Server)?, owner),
        ("client", issue(ROLE, &[], Usage::Client)?, &Owner::Ourselves),
    ] {
        let dir = folder.join(home);
        fs::create_dir(&dir).map_err(trouble("create", &dir))?;
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(trouble("close", &dir))?;
        owner.give(&dir.join("ca.pem"), &root)?;
        owner.give(&dir.join("crl.pem"), &lists)?;
        owner.give(&dir.join(format!("{home}.pem")), &issued.cert_pem)?;
        owner.give(&dir.join(format!("{home}-key.pem")), &issued.key_pem)?;
        owner.hand_over(&dir)?;
    }
    // initdb makes the folder itself, but in ours only we may create one.
    let data = folder.join("data");
    fs::create_dir(&data).map_err(trouble("create", &data))?;
    owner.hand_over(&data)
}

fn start_postgres(folder: &Path, owner: &Owner, bin: &Path) -> Result<u16, Failure> {
    let (data, tls) = (folder.join("data"), folder.join("server"));
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nmax_connections = 300\n\
             ssl = on\nssl_min_protocol_version = 'TLSv1.3'\nssl_ca_file = '{tls}/ca.pem'\nssl_crl_file = '{tls}/crl.pem'\n\
             ssl_cert_file = '{tls}/server.pem'\nssl_key_file = '{tls}/server-key.pem'\n\
             fsync = on\nsynchronous_commit = on\nlog_timezone = 'UTC'\ntimezone = 'UTC'\n",
            tls = tls.display()
        );
        // Read last of all configuration, so nothing overrides it.
        owner.give(&data.join("postgresql.auto.conf"), &settings)?;
        let log = data.join("server.log");
        let mut start = owner.command(&bin.join("pg_ctl"));
        start.args(["start", "--wait", "--silent", "-D"]).arg(&data).arg("-l").arg(&log);
        // The server would keep our pipes open for ever: it gets none.
        let status = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if status.is_ok_and(|s| s.success()) {
            return Ok(port);
        }
        last = Some(fs::read_to_string(&log).unwrap_or_default());
    }
    Err(Failure::new(format!("PostgreSQL does not start; its log says:\n{}", last.unwrap_or_default().trim_end())))
}

fn free_port() -> Result<u16, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| Failure::new(format!("no free port on 127.0.0.1: {e}")))
}

fn trouble(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |e| Failure::new(format!("cannot {action} {}: {e}", path.display()))
}
