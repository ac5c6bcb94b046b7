//! Makes a check once.

use contracts::monitor::{CheckSpec, Origin};

use crate::check::Fault;
use crate::outcome::{Outcome, Verdict};

/// What a check does, ready to be done.
#[derive(Clone, Debug)]
pub(crate) struct Probe {}

impl Probe {
    pub(crate) fn new(_origin: Origin, _spec: &CheckSpec) -> Result<Self, Vec<Fault>> {
        Ok(Self {})
    }

    /// Does it, within its time.
    pub(crate) async fn run(&self) -> Outcome {
        Verdict::Unknown("not there yet".to_owned()).into()
    }
}
