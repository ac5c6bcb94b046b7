//! Makes the checks of the settings once, for whoever writes them: keeps nothing, tells nobody.

use std::collections::BTreeSet;

use contracts::monitor::{Agreement, Certificate, CheckKind, CheckName, State, Tried};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::Settings;
use crate::check::Check;
use crate::outcome::Outcome;

/// Most checks under way at a time.
const AT_ONCE: usize = 100;

/// What a check said.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Which one.
    pub name: CheckName,
    /// What was done.
    pub kind: CheckKind,
    /// What it said.
    #[serde(flatten)]
    pub tried: Tried,
    /// What the other side showed.
    pub certificate: Option<Certificate>,
    /// What the connection agreed on.
    pub agreed: Option<Agreement>,
}

impl Attempt {
    /// Whether everything held.
    pub const fn is_well(&self) -> bool {
        matches!(self.tried.state, State::Up)
    }
}

/// A check was asked for that the settings do not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the settings have no check called {0}")]
pub struct NoSuchCheck(String);

/// Makes the checks of these names once, or all if there is none; in the order of their names.
pub async fn try_checks(settings: &Settings, names: &[String]) -> Result<Vec<Attempt>, NoSuchCheck> {
    let known: BTreeSet<&str> = settings.checks.iter().map(|check| check.name.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name.as_str())) {
        return Err(NoSuchCheck(unknown.escape_debug().to_string()));
    }
    let wanted = |check: &&Check| names.is_empty() || names.iter().any(|name| name == check.name.as_str());
    let made = stream::iter(settings.checks.iter().filter(wanted).cloned()).map(attempt);
    Ok(made.buffered(AT_ONCE).collect().await)
}

async fn attempt(check: Check) -> Attempt {
    let Check { name, spec, probe, .. } = check;
    let outcome = match probe {
        Some(probe) => probe.run().await,
        None => crate::outcome::Verdict::Unknown("somebody else says how it does".into()).into(),
    };
    let Outcome { verdict, latency, certificate, agreed } = outcome;
    let tried = Tried {
        state: verdict.state(),
        message: verdict.words().map(str::to_owned),
        latency_micros: latency.and_then(|it| u64::try_from(it.as_micros()).ok()),
    };
    Attempt { name, kind: spec.kind, tried, certificate, agreed }
}
