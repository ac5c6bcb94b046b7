//! The binary's parts: command line, settings, and the wiring of the services. No rule of its own.
//!
//! A library only so that tests can build a whole bank in their own process.
#![warn(missing_docs)]

mod apart;
mod authority;
mod backup;
mod broker;
mod certificates;
mod cli;
mod data_dir;
mod demo;
mod doctor;
mod failure;
mod health;
mod house;
mod import;
mod journal_erase;
mod journal_log;
mod keys;
mod links;
mod monitor_tool;
mod monitor_try;
mod node;
mod notify;
mod origin;
mod people;
mod postgres;
mod probe;
mod report;
mod rooms;
mod serve;
mod settings;
mod status;
mod telling;
mod up;
mod users;
mod why;

use clap::Parser;

pub use backup::Backup;
pub use failure::Failure;
pub use house::{House, Plan, openapi, operations, signing_key};
pub use settings::{Databases, Settings};

use cli::{Cli, Command, Config, Keys, Users};

/// Runs the command line of this process.
pub async fn run() -> Result<(), Failure> {
    match Cli::parse().command {
        Command::Up(arguments) => Box::pin(up::run(arguments)).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Config(Config::Check(arguments)) => node::check(&arguments),
        Command::Config(Config::Show(arguments)) => node::show(&arguments),
        Command::Doctor(arguments) => doctor::run(arguments).await,
        Command::Health(arguments) => health::run(arguments).await,
        Command::Status(arguments) => status::run(arguments).await,
        Command::Routes { json: false } => say(&aaa::table(&operations())),
        Command::Routes { json: true } => say_json(&operations()),
        Command::Openapi => say_json(&openapi()),
        Command::Why(arguments) => why::explain(arguments).await,
        Command::Users(Users::Create(arguments)) => users::create(arguments).await,
        Command::Users(Users::Unlock(arguments)) => users::unlock(arguments).await,
        Command::Users(Users::Import(arguments)) => import::users(arguments).await,
        Command::Keys(Keys::Rotate { place, revoke }) => keys::rotate(&place, revoke),
        Command::Journal(command) => journal_log::run(command).await,
        Command::Broker(operation) => broker::run(operation).await,
        Command::Monitor(command) => monitor_tool::run(command).await,
        Command::Pki(command) => certificates::run(command).await,
    }
}

/// Results go to standard output, and nothing else does. A reader that went away is no failure.
fn say(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What a person should know beside the result. If nobody listens on standard error, nothing can be done about it.
fn remark(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "guichet: {text}");
}

fn say_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    say(&format!("{text}\n"))
}
