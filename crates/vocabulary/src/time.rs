//! Moments in UTC, and the clock that gives them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use schemars::json_schema;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, UtcOffset};

/// A moment, in microseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC; stored as a 64-bit integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch, as databases store it.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as tokens carry it.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// From whole seconds since the epoch; saturates far outside any calendar.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Later by `by` (saturating).
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(by)))
    }

    /// Earlier by `by` (saturating).
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(by)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The UTC day it falls in.
    pub fn day(self) -> Day {
        Day(self.utc().date())
    }

    /// As a calendar time in UTC.
    pub fn utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0).saturating_mul(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "is not a time: write RFC 3339, such as 2026-11-21T09:30:00Z";
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| WANTED)?;
        let micros = parsed.to_offset(UtcOffset::UTC).unix_timestamp_nanos().checked_div(1000).ok_or(WANTED)?;
        i64::try_from(micros).map(Self).map_err(|_| WANTED)
    }
}

crate::written_as_text!(
    Timestamp,
    "Timestamp",
    "an RFC 3339 time",
    json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-11-21T09:30:00Z"] })
);

/// A calendar day in UTC, written `2026-11-21`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The first moment of the day.
    pub fn start(self) -> Timestamp {
        Timestamp::from_seconds(self.0.midnight().assume_utc().unix_timestamp())
    }

    /// The first moment of the following day, so that `start()..end()` is the whole day.
    pub fn end(self) -> Timestamp {
        self.start().plus(Duration::from_hours(24))
    }

    /// As a calendar date.
    pub const fn date(self) -> Date {
        self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Date::parse(text, time::macros::format_description!("[year]-[month]-[day]"))
            .map(Self)
            .map_err(|_| "is not a day: write it as 2026-11-21")
    }
}

crate::written_as_text!(
    Day,
    "Day",
    "a day written as 2026-11-21",
    json_schema!({ "type": "string", "format": "date", "examples": ["2026-11-21"] })
);

/// Tells the time: the system's, or one that a test or a demonstration moves by hand. Clones share one hand.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's wall clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `at` until [`Clock::advance`] or [`Clock::set`] moves it.
    pub fn manual(at: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.micros()))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(hand) => Timestamp(hand.load(Ordering::SeqCst)),
            #[expect(clippy::disallowed_methods, reason = "this is the one door to system time")]
            None => Timestamp(
                i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos().checked_div(1000).unwrap_or(0))
                    .unwrap_or(i64::MAX),
            ),
        }
    }

    /// Moves a manual clock forward. A system clock cannot be moved: nothing happens.
    pub fn advance(&self, by: Duration) {
        if let Some(hand) = &self.0 {
            hand.fetch_add(micros_of(by), Ordering::SeqCst);
        }
    }

    /// Sets a manual clock. A system clock cannot be set: nothing happens.
    pub fn set(&self, at: Timestamp) {
        if let Some(hand) = &self.0 {
            hand.store(at.micros(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_read_from_any_offset() {
        let at: Timestamp = "2026-11-21T10:30:00.250+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-21T09:30:00.25Z");
        assert_eq!(at.day().to_string(), "2026-11-21");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-21T09:30:00.25Z\"").unwrap(), at);
        assert!("21/11/2026".parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_day_holds_its_last_microsecond_and_not_the_next_day() {
        let day: Day = "2024-02-29".parse().unwrap();
        assert_eq!(day.end().minus(Duration::from_micros(1)).day(), day);
        assert_ne!(day.end().day(), day);
        assert!("2023-02-29".parse::<Day>().is_err());
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_all_its_clones() {
        let clock = Clock::manual(Timestamp::from_seconds(10));
        let other = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.now().seconds(), 15);
    }
}
