//! From when until when something is valid, and how much of that is over.
//!
//! Judged by fraction, never by days: what is late for a certificate of a day is early for one of a year.

use std::time::Duration;

use serde::Serialize;
use vocabulary::{Chance, Timestamp};

/// A span of validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Life {
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub until: Timestamp,
}

impl Life {
    pub(crate) fn of(validity: &x509_parser::certificate::Validity) -> Self {
        Self {
            from: Timestamp::from_seconds(validity.not_before.timestamp()),
            until: Timestamp::from_seconds(validity.not_after.timestamp()),
        }
    }

    /// Whether `now` falls into it.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now <= self.until
    }

    /// When to renew: after two thirds.
    pub fn renew_at(&self) -> Timestamp {
        self.after(2, 3)
    }

    /// When to renew, moved by up to a twentieth to either side, so that what began together does not renew together.
    pub fn renew_around(&self, chance: &Chance) -> Timestamp {
        self.after(37, 60).plus(Duration::from_micros(chance.below(self.micros(10).saturating_add(1))))
    }

    /// Whether it should be renewed now. What has not begun yet should be too: the clock was wrong, then or now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now < self.from || now >= self.renew_at()
    }

    /// How much is over, in thousandths: 667 is the time to renew, 1000 the end.
    pub fn spent_permille(&self, now: Timestamp) -> u64 {
        let whole = self.until.since(self.from).as_micros();
        let spent = now.since(self.from).as_micros().saturating_mul(1000).checked_div(whole);
        spent.map_or(1000, |part| u64::try_from(part.min(1000)).unwrap_or(1000))
    }

    fn after(&self, part: u32, of: u32) -> Timestamp {
        let whole = self.until.since(self.from);
        let part = whole.checked_mul(part).and_then(|many| many.checked_div(of));
        self.from.plus(part.unwrap_or(Duration::ZERO))
    }

    fn micros(&self, part: u128) -> u64 {
        u64::try_from(self.until.since(self.from).as_micros().checked_div(part).unwrap_or(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_at_two_thirds_of_any_life_and_jitter_stays_within_a_twentieth() {
        for hours in [1_u64, 24, 24 * 365] {
            let from: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
            let life = Life { from, until: from.plus(Duration::from_hours(hours)) };
            let at = |permille: u32| from.plus(Duration::from_hours(hours) * permille / 1000);
            assert!(!life.is_due(at(666)) && life.is_due(at(667)) && life.is_due(from.minus(Duration::from_secs(1))));
            assert_eq!((life.spent_permille(at(500)), life.spent_permille(at(2000))), (500, 1000));
            let moments: Vec<_> = (0..200).map(|seed| life.renew_around(&Chance::seeded(seed))).collect();
            assert!(moments.iter().all(|m| at(616) <= *m && *m <= at(717)), "{moments:?}");
            assert!(moments.iter().any(|m| *m < at(640)) && moments.iter().any(|m| *m > at(690)));
        }
    }
}
