//! How quick answers were, so that percentiles of any span are known without the answers. Pure.
//!
//! Promises: what is read from it is within one in a hundred of what was put in, also after it was written, read and added to
//! others. Written as an HdrHistogram (V2), which other programs read.

use std::time::Duration;

use contracts::monitor::Latency;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

/// Two significant digits.
const DIGITS: u8 = 2;
/// No check takes longer than an hour; what does counts as one.
const LONGEST: u64 = 3_600_000_000;

/// A histogram in microseconds; empty until something is noted.
#[derive(Clone, Default, Debug)]
pub(crate) struct Latencies(Option<Histogram<u32>>);

/// What was kept cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the latencies that were kept cannot be read: {0}")]
pub(crate) struct Unreadable(String);

impl Latencies {
    pub(crate) fn note(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST);
        if let Some(histogram) = self.histogram() {
            histogram.saturating_record(micros);
        }
    }

    fn histogram(&mut self) -> Option<&mut Histogram<u32>> {
        if self.0.is_none() {
            // Fails only for bounds that cannot be.
            self.0 = Histogram::new_with_max(LONGEST, DIGITS).ok();
        }
        self.0.as_mut()
    }

    /// Adds what was kept, as [`Latencies::written`] wrote it.
    pub(crate) fn add_written(&mut self, written: &[u8]) -> Result<(), Unreadable> {
        let unreadable = |error: String| Unreadable(error);
        let read: Histogram<u32> =
            Deserializer::new().deserialize(&mut &*written).map_err(|error| unreadable(error.to_string()))?;
        match &mut self.0 {
            Some(histogram) => histogram.add(&read).map_err(|error| unreadable(error.to_string())),
            empty @ None => {
                *empty = Some(read);
                Ok(())
            }
        }
    }

    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Unreadable> {
        match (&mut self.0, &other.0) {
            (_, None) => Ok(()),
            (Some(histogram), Some(other)) => histogram.add(other).map_err(|error| Unreadable(error.to_string())),
            (empty @ None, Some(other)) => {
                *empty = Some(other.clone());
                Ok(())
            }
        }
    }

    /// As it is kept; nothing when nothing was noted.
    pub(crate) fn written(&self) -> Result<Option<Vec<u8>>, Unreadable> {
        let Some(histogram) = &self.0 else { return Ok(None) };
        let mut written = Vec::with_capacity(256);
        V2Serializer::new().serialize(histogram, &mut written).map_err(|error| Unreadable(error.to_string()))?;
        Ok(Some(written))
    }

    /// What people are told of it; nothing when nothing was noted.
    pub(crate) fn told(&self) -> Option<Latency> {
        let histogram = self.0.as_ref().filter(|histogram| !histogram.is_empty())?;
        let at = |quantile| histogram.value_at_quantile(quantile);
        Some(Latency { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: histogram.max() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_read_and_added_is_within_one_in_a_hundred() {
        let (mut one, mut other, mut exact) = (Latencies::default(), Latencies::default(), Vec::new());
        for number in 1..=3000_u64 {
            let micros = number * number % 1_000_003 + 40;
            exact.push(micros);
            if number % 3 == 0 { &mut one } else { &mut other }.note(Duration::from_micros(micros));
        }
        exact.sort_unstable();
        let mut whole = Latencies::default();
        for part in [one, other] {
            let written = part.written().unwrap().unwrap();
            assert!(written.len() < 3000, "{}", written.len());
            whole.add_written(&written).unwrap();
        }
        let told = whole.told().unwrap();
        for (permille, told) in [(500, told.p50), (900, told.p90), (950, told.p95), (990, told.p99), (1000, told.max)] {
            let exact = exact[3 * permille - 1];
            assert!(told.abs_diff(exact) * 100 <= exact, "{permille}: {told} for {exact}");
        }
    }

    #[test]
    fn what_takes_for_ever_counts_as_an_hour_and_nothing_is_told_of_nothing() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.told(), latencies.written().unwrap()), (None, None));
        latencies.note(Duration::MAX);
        latencies.note(Duration::ZERO);
        assert!(latencies.told().unwrap().max.abs_diff(LONGEST) * 100 <= LONGEST);
        assert!(Latencies::default().add_written(b"nonsense").is_err());
    }
}
