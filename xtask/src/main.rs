//! Automation for this repository: `cargo xtask help` lists what it does.
//!
//! Promises: one command per job, the same on a laptop and in continuous integration; what a command starts, it stops;
//! what it skips, it says. Knows no rule of the bank.

mod check;
mod mutants;
mod python;
mod repo;
mod run;
mod services;
mod tidy;
mod tools;

use std::io::Write;
use std::process::ExitCode;

use crate::run::Failure;

const HELP: &str = "\
Automation for Guichet.

Usage: cargo xtask COMMAND [ARGUMENTS]

  test [ARGS]         Build, start the servers that the tests need, run all tests, stop the servers.
                      ARGS go to `cargo test`: cargo xtask test -p store -- migrations
  prove [ARGS]        The same with the long forms: more kills, more seeds, more rows, certificates renewed under ten
                      minutes of load, machines that part.
  check [--quick] [--db PATH] [--without NAME]
                      Formatting, tidy, banned crates, secret scan, clippy; without --quick also secrets in the
                      history, documentation, snapshots of the API, cargo-audit and cargo-deny (advisories,
                      licences, bans, sources), unused dependencies, a bill of materials (CycloneDX), and Bandit and
                      pip-audit for the Python of the tests. Tools that are missing are installed beside what cargo
                      builds; what cannot be made counts as failed unless --without names it. --db (or
                      GUICHET_ADVISORY_DB) is a copy of the RustSec advisory database, for an audit without network.
  check --planted [--without NAME]
                      Plant a flaw of each kind in a small workspace, and expect the check to see it.
  tidy                The rules of this house that the compiler does not know: floors, SQL in its place, names, sizes.
  bench posting [--quick]
                      Transfers per second through the ledger's engine, on SQLite and PostgreSQL, beside pgbench on
                      the same server.
  bench aaa [--quick]
                      What the layer costs a request, as a ratio to a bare route, and how many sign-ins a second
                      leave other requests alone.
  bench link [--quick]
                      Handshakes and requests per second over mutual TLS, beside plain HTTP in the same run.
  bench journal [--quick]
                      Events per second from an outbox to a confirmed entry, beside publishing to the broker and bare
                      inserts into the same database.
  mutants [NAME…]     Open the doors that docs/mutations.toml lists, one after the other, and expect a test to notice.
  services -- CMD     Run a command with the test servers up and their addresses in its environment:
                      cargo xtask services -- psql
  help                This text.

The servers are private: in a temporary folder, on free ports, TLS 1.3 only with certificates on both sides. They stop
with the command, however it ends. Programs in Python that the tests compare with go into a virtual environment beside
what cargo builds. Needed programs that are missing are installed when root runs this on Debian;
otherwise the command says which they are.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        None => help(),
        Some((command, rest)) => dispatch(command, rest),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            run::say(&format!("xtask: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(command: &str, args: &[String]) -> Result<(), Failure> {
    if args.first().is_some_and(|a| a == "--help" || a == "-h") {
        return help();
    }
    match command {
        "help" | "--help" | "-h" => help(),
        "test" => services::test(args, &[]),
        "prove" => services::test(args, &[(services::PROVE, "1")]),
        "bench" => services::bench(args),
        "mutants" => mutants::mutants(args),
        "services" => services::with_command(args),
        "tidy" => none_of(args).and_then(|()| tidy::command()),
        "check" => check::command(args),
        other => Err(Failure::usage(&format!("there is no command `{other}`"))),
    }
}

fn none_of(args: &[String]) -> Result<(), Failure> {
    args.first().map_or(Ok(()), |a| Err(Failure::usage(&format!("`{a}` is not understood here"))))
}

fn help() -> Result<(), Failure> {
    std::io::stdout().write_all(HELP.as_bytes()).map_err(|e| Failure::new(format!("cannot print the help: {e}")))
}
