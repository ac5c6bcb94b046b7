//! How long to wait before trying again: longer each time, never too long, and never all at once.

use std::time::Duration;

use vocabulary::Chance;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits between attempts, from half to the whole of a time that doubles up to five seconds.
#[derive(Debug)]
pub(crate) struct Backoff {
    chance: Chance,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(chance: Chance) -> Self {
        Self { chance, failures: 0 }
    }

    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and gives how long to wait after it.
    pub(crate) fn fail(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        half.saturating_add(Duration::from_micros(self.chance.below(micros.saturating_add(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_bounded_differ_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Chance::seeded(1));
        let waits: Vec<Duration> = (0..100).map(|_| backoff.fail()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2);
        assert!(waits[3] > waits[0] && waits[6] > waits[3]);
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        assert!(waits[20..].iter().all(|wait| *wait >= LONGEST / 2));
        assert_ne!(waits[30], waits[31], "without jitter all retry at once");
        backoff.reset();
        assert!(backoff.fail() <= FIRST);
    }
}
