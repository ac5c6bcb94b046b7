//! What the bank itself is checked for: its services, what must hold in them, their certificates. Pure.

use std::time::Duration;

use contracts::monitor::{Certificate, CheckKind, CheckName, CheckSpec, Lists, Outlook, Span};
use sha2::{Digest, Sha256};
use vocabulary::Timestamp;

use crate::outcome::{Outcome, Verdict};
use crate::watching::Told;

/// Each second a service is asked, so this is three seconds.
const SERVICE_ALARM_AFTER: u32 = 3;
/// By how much clocks may be apart: first times in journals mislead, then tokens and codes are refused.
const SKEW_POOR: Duration = Duration::from_secs(4);
const SKEW_BAD: Duration = Duration::from_secs(30);

/// Whether a service can serve: everybody sees it.
pub(crate) fn service(name: &str) -> Option<Told> {
    let spec = CheckSpec { public: true, alarm_after: SERVICE_ALARM_AFTER, well_after: 2, ..spec(name) };
    Some(Told { name: named(&format!("service.{name}"))?, spec })
}

/// Whether something holds that must. A service that is down cannot say so.
pub(crate) fn truth(service: &str, truth: &str) -> Option<Told> {
    let parents = named(&format!("service.{service}")).into_iter().collect();
    let spec = CheckSpec { parents, alarm_after: 2, ..spec(truth) };
    Some(Told { name: named(&format!("truth.{service}.{truth}"))?, spec })
}

/// How much of a certificate's life is left.
pub(crate) fn certificate(service: &str) -> Option<Told> {
    Some(Told { name: named(&format!("certificate.{service}"))?, spec: spec(service) })
}

/// How much is left of the life of the lists by which it judges others.
pub(crate) fn lists(service: &str) -> Option<Told> {
    Some(Told { name: named(&format!("lists.{service}"))?, spec: spec(service) })
}

/// Whether a clock goes as the monitor's does.
pub(crate) fn clock(service: &str) -> Option<Told> {
    let spec = CheckSpec { alarm_after: 3, well_after: 3, ..spec(service) };
    Some(Told { name: named(&format!("clock.{service}"))?, spec })
}

/// What it says that a clock is off by so much.
pub(crate) fn skewed(skew: Duration) -> Outcome {
    let words = || format!("its clock and the monitor's are {} seconds apart", skew.as_secs());
    match skew {
        skew if skew >= SKEW_BAD => Verdict::Bad(words()),
        skew if skew >= SKEW_POOR => Verdict::Poor(words()),
        _ => Verdict::Good,
    }
    .into()
}

/// What it says that a service can serve, or cannot.
pub(crate) fn readiness(ready: bool, after: Duration) -> Outcome {
    if ready {
        return Outcome { latency: Some(after), ..Verdict::Good.into() };
    }
    Verdict::Bad("it cannot serve, or does not answer within a second".to_owned()).into()
}

/// What it says that something holds that must.
pub(crate) fn holding(holds: bool) -> Outcome {
    if holds { Verdict::Good } else { Verdict::Bad("this does not hold, and must".to_owned()) }.into()
}

/// Nobody says anything.
pub(crate) fn silence() -> Outcome {
    Verdict::Unknown("its service does not say".to_owned()).into()
}

/// What a certificate's age says.
pub(crate) fn judged(certificate: &Certificate, now: Timestamp) -> Outcome {
    let left = 1000_u64.saturating_sub(certificate.spent_permille(now)).checked_div(10).unwrap_or(0);
    let verdict = match certificate.outlook(now) {
        Outlook::Good => Verdict::Good,
        Outlook::Late => Verdict::Poor(format!("it should have been renewed: {left} % of its life is left")),
        Outlook::Bad => Verdict::Bad(format!("it is about to end, or has ended: {left} % of its life is left")),
    };
    Outcome { certificate: Some(certificate.clone()), ..verdict.into() }
}

/// What the age of the lists of revoked certificates says.
pub(crate) fn aged(lists: Lists, now: Timestamp) -> Outcome {
    match lists.outlook(now) {
        Outlook::Good => Verdict::Good,
        Outlook::Late => {
            Verdict::Poor(format!("no newer list of revoked certificates came; this one ends at {}", lists.until))
        }
        Outlook::Bad => {
            Verdict::Bad(format!("once its list of revoked certificates ends, it believes nobody: at {}", lists.until))
        }
    }
    .into()
}

fn spec(title: &str) -> CheckSpec {
    let title: String = title.chars().take(60).collect();
    CheckSpec {
        title: title.parse().ok(),
        group: "Guichet".parse().ok(),
        kind: CheckKind::Told,
        target: String::new(),
        must: Vec::new(),
        should: Vec::new(),
        every: Span::seconds(10),
        timeout: Span::seconds(5),
        alarm_after: 1,
        well_after: 1,
        parents: Vec::new(),
        public: false,
        private: false,
        objective: None,
        server: None,
        record: None,
        ca_file: None,
        certificate_file: None,
        key_file: None,
        token_file: None,
    }
}

/// A name out of words: those of a truth are a sentence.
fn named(words: &str) -> Option<CheckName> {
    let mut name = String::with_capacity(words.len());
    for c in words.chars() {
        if c.is_ascii_alphanumeric() || c == '.' {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with(['-', '.']) {
            name.push('-');
        }
    }
    let mut name = name.trim_matches(['-', '.']).to_owned();
    if name.len() > CheckName::LONGEST {
        // Long sentences often begin alike.
        let digest = Sha256::digest(words.as_bytes());
        let [first, second, third] = [0, 1, 2].map(|at| digest.get(at).copied().unwrap_or(0));
        let tail = format!("{first:02x}{second:02x}{third:02x}");
        name.truncate(CheckName::LONGEST.saturating_sub(tail.len()).saturating_sub(1));
        name = format!("{}-{tail}", name.trim_end_matches(['-', '.']));
    }
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_become_names_that_differ() {
        let name = |words: &str| truth("bank", words).unwrap().name.to_string();
        assert_eq!(name("entries sum to zero"), "truth.bank.entries-sum-to-zero");
        assert_eq!(name("the journal's history, never"), "truth.bank.the-journal-s-history-never");
        let long = "every balance is the sum of its entries, and every hold is that of an open request";
        let other = format!("{long} of this year");
        assert!(name(long).len() <= CheckName::LONGEST && name(long) != name(&other));
        assert!(named("…").is_none());
    }
}
