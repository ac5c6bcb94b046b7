//! A check, understood: what was written down, held to its limits once, so that making it cannot fail for how it is written.

use std::collections::{BTreeMap, BTreeSet};

use contracts::monitor::{CheckKind, CheckName, CheckSpec, Origin, Span};

use crate::probe::Probe;

const OFTENEST: Span = Span::seconds(1);
const LONGEST_TIMEOUT: Span = Span::seconds(60);
const MOST_RESULTS: u32 = 10;
const MOST_PARENTS: usize = 10;
/// How names begin that the bank gives its own checks.
pub(crate) const OWN: [&str; 5] = ["service.", "truth.", "certificate.", "lists.", "clock."];

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
        if origin == Origin::Bank {
            let probe = if spec.kind == CheckKind::Told { None } else { Some(Probe::new(origin, &spec)?) };
            return Ok(Self { name, origin, spec, probe });
        }
        let mut faults = Vec::new();
        if OWN.iter().any(|own| name.as_str().starts_with(own)) {
            faults.push(("name", format!("begins as only the bank's own do: {}", OWN.join(", "))));
        }
        if spec.parents.contains(&name) {
            faults.push(("parents", "name the check itself".into()));
        }
        match Probe::new(origin, &spec) {
            Ok(probe) if faults.is_empty() => Ok(Self { name, origin, spec, probe: Some(probe) }),
            Ok(_) => Err(faults),
            Err(more) => {
                faults.extend(more);
                Err(faults)
            }
        }
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

/// What is out of bounds in how often it is made, and whom it is told to.
pub(crate) fn out_of_bounds(spec: &CheckSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut hold = |holds: bool, field, words: &str| {
        if !holds {
            faults.push((field, words.to_owned()));
        }
    };
    hold(spec.every >= OFTENEST, "every", "is less than a second: write 1s or more");
    hold(
        spec.timeout <= spec.every && spec.timeout <= LONGEST_TIMEOUT,
        "timeout",
        "is longer than `every`, or than a minute: write less",
    );
    let counts = 1..=MOST_RESULTS;
    hold(counts.contains(&spec.alarm_after), "alarm_after", "is a number from 1 to 10");
    hold(counts.contains(&spec.well_after), "well_after", "is a number from 1 to 10");
    hold(spec.parents.len() <= MOST_PARENTS, "parents", "are more than 10");
    let distinct: BTreeSet<_> = spec.parents.iter().collect();
    hold(distinct.len() == spec.parents.len(), "parents", "name one check twice");
    let fits = spec.objective.as_ref().is_none_or(|text| objective(text.as_str()).is_some());
    hold(
        fits,
        "objective",
        "is a share of time in percent, from 50 to 99.999, with at most three decimals: write 99.9",
    );
    faults
}

/// The share of time in which a check is to be up, in thousandths of a percent.
pub(crate) fn objective(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 2 || decimals.len() > 3 || text.ends_with('.') {
        return None;
    }
    let thousandths = format!("{whole}{decimals:0<3}").parse().ok()?;
    (50_000..=99_999).contains(&thousandths).then_some(thousandths)
}

/// Checks that stand above themselves, over others: both would keep the other silent.
pub(crate) fn in_circles<'a>(parents: &BTreeMap<&'a CheckName, &'a [CheckName]>) -> BTreeSet<&'a CheckName> {
    let mut left: BTreeSet<&CheckName> = parents.keys().copied().collect();
    loop {
        // Whoever stands below nobody that is left is in no circle, nor is whoever stands above nobody.
        let above: BTreeSet<&CheckName> = left.iter().filter_map(|it| parents.get(*it)).copied().flatten().collect();
        let free = |it: &&CheckName| {
            let below = parents.get(*it).is_some_and(|of| of.iter().any(|parent| left.contains(parent)));
            !below || !above.contains(*it)
        };
        let gone: Vec<&CheckName> = left.iter().copied().filter(free).collect();
        if gone.is_empty() {
            return left;
        }
        for one in gone {
            left.remove(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_is_a_share_that_can_be_missed_and_met() {
        for (text, thousandths) in [("99.9", 99_900), ("50", 50_000), ("99.999", 99_999), ("95.25", 95_250)] {
            assert_eq!(objective(text), Some(thousandths), "{text}");
        }
        for wrong in ["", "100", "49.999", "99.9999", "99.", ".5", "-99", "99,9", "1e2", "99.9%"] {
            assert_eq!(objective(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn circles_are_found_and_what_hangs_from_them_is_not_blamed() {
        let name = |text: &str| text.parse::<CheckName>().unwrap();
        let names: Vec<CheckName> = ["a", "b", "c", "d", "e"].map(name).into();
        // a → b → c → a; d hangs from a; c hangs from e, which is free.
        let above = [vec![name("b")], vec![name("c")], vec![name("a"), name("e")], vec![name("a")], vec![]];
        let parents: BTreeMap<_, _> = names.iter().zip(above.iter().map(Vec::as_slice)).collect();
        assert_eq!(in_circles(&parents).into_iter().cloned().collect::<Vec<_>>(), [name("a"), name("b"), name("c")]);
    }
}
