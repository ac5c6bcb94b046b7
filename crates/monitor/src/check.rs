//! A check, understood: what was written down, held to its limits once, so that making it cannot fail for how it is written.

use contracts::monitor::{CheckKind, CheckName, CheckSpec, Origin};

use crate::probe::Probe;

/// A check that can be made.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: CheckName,
    pub(crate) origin: Origin,
    pub(crate) spec: CheckSpec,
    /// What is done; nothing where somebody else says how it does.
    pub(crate) probe: Option<Probe>,
}

/// What is wrong with a check as it is written down: the field, and words that complete "`field` …".
pub(crate) type Fault = (&'static str, String);

impl Check {
    /// Understands `spec`. Files are read for checks of the settings only: whoever calls the API must not make this machine
    /// open its files.
    pub(crate) fn new(name: CheckName, origin: Origin, spec: CheckSpec) -> Result<Self, Vec<Fault>> {
        let probe = Probe::new(origin, &spec)?;
        Ok(Self { name, origin, spec, probe: Some(probe) })
    }

    /// For people.
    pub(crate) fn title(&self) -> &str {
        self.spec.title.as_ref().map_or(self.name.as_str(), |title| title.as_str())
    }

    /// Whether somebody else says how it does.
    pub(crate) const fn is_told(&self) -> bool {
        matches!(self.spec.kind, CheckKind::Told)
    }
}
