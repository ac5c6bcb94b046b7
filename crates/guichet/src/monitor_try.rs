//! `guichet monitor try`: every check of a settings file, made once, as a table or JSON and an exit code.
//!
//! Decides nothing: the file is understood and the checks are made by `monitor`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use contracts::monitor::State;
use monitor::{Attempt, Settings, try_checks};

use crate::{Failure, say, say_json};

#[derive(Args)]
pub(crate) struct Try {
    /// Names of checks; all of the file without any
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The file of the monitor's settings
    #[arg(long, value_name = "FILE", default_value = "monitor.toml")]
    settings: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Try) -> Result<(), Failure> {
    let Try { names, settings, json } = arguments;
    let settings = Settings::read(&settings).map_err(|error| Failure::Unable(error.to_string()))?;
    let attempts = try_checks(&settings, &names).await.map_err(|error| Failure::Unable(error.to_string()))?;
    if attempts.is_empty() {
        return Err(Failure::Unable("the settings hold no check: write [checks.NAME] and what it does below".into()));
    }
    if json {
        say_json(&attempts)?;
    } else {
        say(&table(&attempts))?;
    }
    match attempts.iter().filter(|it| !it.is_well()).count() {
        0 => Ok(()),
        some => Err(Failure::NotWell(format!("{some} of {} checks not up", attempts.len()))),
    }
}

fn table(attempts: &[Attempt]) -> String {
    let width = attempts.iter().map(|it| it.name.as_str().len()).max().unwrap_or(0).max("CHECK".len());
    let mut out = format!("{:width$}  KIND      STATE        TOOK\n", "CHECK");
    for attempt in attempts {
        let took = attempt.tried.latency_micros.map_or_else(
            || "-".to_owned(),
            |micros| {
                format!("{}.{} ms", micros.checked_div(1000).unwrap_or(0), micros.checked_div(100).unwrap_or(0) % 10)
            },
        );
        let (name, kind, state) = (attempt.name.as_str(), attempt.kind.name(), word(attempt.tried.state));
        let message = attempt.tried.message.as_deref().unwrap_or_default();
        let line = format!("{name:width$}  {kind:8}  {state:8}  {took:>9}  {message}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

const fn word(state: State) -> &'static str {
    match state {
        State::Up => "up",
        State::Degraded => "degraded",
        State::Down => "down",
        State::Maintenance => "maintenance",
        State::Unknown => "unknown",
    }
}
