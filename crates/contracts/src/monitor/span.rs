//! Spans of time as people write them: `500ms`, `30s`, `5m`, `4h`, `30d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

/// A span of time, from a millisecond to a year: a whole number and its unit (`ms`, `s`, `m`, `h`, `d`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

/// What is no span of time. The words complete "`field` …".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is no span of time: write a whole number and ms, s, m, h or d, such as 30s, up to 366d")]
pub struct NoSpan;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const LONGEST: u64 = 366 * 86_400_000;

impl Span {
    /// So many milliseconds, if that is within the bounds.
    pub fn millis(millis: u64) -> Option<Self> {
        (1..=LONGEST).contains(&millis).then_some(Self(millis))
    }

    /// So many seconds; what is out of bounds is brought to the nearest bound.
    pub const fn seconds(seconds: u32) -> Self {
        let millis = seconds as u64 * 1000;
        Self(if millis == 0 {
            1
        } else if millis > LONGEST {
            LONGEST
        } else {
            millis
        })
    }

    /// As programs measure it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl FromStr for Span {
    type Err = NoSpan;
    fn from_str(text: &str) -> Result<Self, NoSpan> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(NoSpan)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| NoSpan)?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(NoSpan)?;
        number.checked_mul(*factor).and_then(Self::millis).ok_or(NoSpan)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, factor)| self.0.is_multiple_of(*factor));
        let (unit, factor) = whole.copied().unwrap_or(("ms", 1));
        write!(f, "{}{unit}", self.0.checked_div(factor).unwrap_or(self.0))
    }
}

impl TryFrom<String> for Span {
    type Error = NoSpan;
    fn try_from(text: String) -> Result<Self, NoSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "maxLength": 14 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_in_its_largest_unit() {
        for (written, shown) in [("500ms", "500ms"), ("60s", "1m"), ("90s", "90s"), ("24h", "1d"), (" 5m ", "5m")] {
            assert_eq!(written.parse::<Span>().unwrap().to_string(), shown);
        }
        for wrong in ["", "5", "s", "0s", "-1s", "1.5s", "1w", "367d", "99999999999999999999d", "5 s"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
