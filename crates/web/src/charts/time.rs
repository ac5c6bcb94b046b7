//! A series over time, gathered into as many columns as an eye can tell apart.

use vocabulary::Timestamp;

/// Most columns of a chart.
const MOST: usize = 62;
/// Most words below the columns on a wide screen.
const WIDE: usize = 10;
/// Most words below them on a phone.
const NARROW: usize = 4;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// What one column stands for, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// An hour.
    Hour,
    /// A quarter of a day.
    SixHours,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Unit {
    const ALL: [Self; 6] = [Self::Hour, Self::SixHours, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Which one of all hours, days … a moment falls in.
    fn number(self, at: Timestamp) -> i64 {
        let (seconds, date) = (at.seconds(), at.utc().date());
        match self {
            Self::Hour => seconds.div_euclid(HOUR),
            Self::SixHours => seconds.div_euclid(6 * HOUR),
            Self::Day => seconds.div_euclid(DAY),
            // The first of January 1970 was a Thursday.
            Self::Week => (seconds.div_euclid(DAY) + 3).div_euclid(7),
            Self::Month => i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1,
            Self::Year => i64::from(date.year()),
        }
    }

    /// How many columns may lie between two words, so that these stand at midnights, quarters of a year …
    fn strides(self) -> &'static [i64] {
        match self {
            Self::Hour => &[1, 2, 3, 6, 12, 24, 48],
            Self::SixHours => &[4, 8, 16, 28],
            Self::Day => &[1, 2, 4, 8, 7, 14, 28],
            Self::Week => &[1, 2, 4, 8, 16, 32],
            Self::Month => &[1, 2, 3, 6, 12, 24],
            Self::Year => &[1, 2, 5, 10, 20, 50],
        }
    }
}

/// One column: from a moment up to another, and what was counted between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Slot<const N: usize> {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) values: [u64; N],
}

/// Gathers the points of a series, in order and without holes, into the finest units that leave few enough columns.
/// Every point is at or after the beginning of its hour or day; the last one ends at `end`. The first and the last
/// column may be shorter than the others.
pub(crate) fn slots<const N: usize>(
    points: &[(Timestamp, [u64; N])],
    finest: Unit,
    end: Timestamp,
) -> (Unit, Vec<Slot<N>>) {
    let first = points.first().map_or(end, |(at, _)| *at);
    let last = points.last().map_or(end, |(at, _)| *at);
    let fits = |unit: &Unit| unit.number(last) - unit.number(first) < i64::try_from(MOST).unwrap_or(i64::MAX);
    let rough = Unit::ALL.into_iter().skip_while(|unit| *unit != finest);
    let unit = rough.clone().find(fits).unwrap_or(Unit::Year);
    let mut slots: Vec<Slot<N>> = Vec::new();
    for (at, values) in points {
        match slots.last_mut() {
            Some(slot) if unit.number(slot.from) == unit.number(*at) => {
                for (sum, value) in slot.values.iter_mut().zip(values) {
                    *sum = sum.saturating_add(*value);
                }
            }
            open => {
                if let Some(before) = open {
                    before.to = *at;
                }
                slots.push(Slot { from: *at, to: end, values: *values });
            }
        }
    }
    (unit, slots)
}

/// Which columns get a word below them, and whether on a phone too.
pub(crate) fn ticks<const N: usize>(unit: Unit, slots: &[Slot<N>]) -> Vec<Option<Shown>> {
    let numbers: Vec<i64> = slots.iter().map(|slot| unit.number(slot.from)).collect();
    let at = |stride: i64| numbers.iter().filter(|number| number.rem_euclid(stride) == 0).count();
    // Those of a phone are some of those of a wide screen.
    let strides = |of: i64, most| unit.strides().iter().copied().find(|it| it % of == 0 && at(*it) <= most);
    let wide = strides(1, WIDE).unwrap_or(i64::MAX);
    let narrow = strides(wide, NARROW).unwrap_or(i64::MAX);
    let shown = |number: &i64| match (number.rem_euclid(wide), number.rem_euclid(narrow)) {
        (_, 0) => Some(Shown::Everywhere),
        (0, _) => Some(Shown::Wide),
        _ => None,
    };
    let mut ticks: Vec<_> = numbers.iter().map(shown).collect();
    // Few columns between two round places: the first one says where they are.
    if !ticks.contains(&Some(Shown::Everywhere))
        && let Some(first) = ticks.first_mut()
    {
        *first = Some(Shown::Everywhere);
    }
    ticks
}

/// On which screens a word is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// On every screen.
    Everywhere,
    /// Not on a phone.
    Wide,
}

impl Shown {
    /// The classes of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Everywhere => "tick",
            Self::Wide => "tick roomy",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// `n` hours or days from a moment, each with one event.
    fn series(from: &str, n: u32, unit: Unit) -> (Vec<(Timestamp, [u64; 1])>, Timestamp) {
        let from: Timestamp = from.parse().unwrap();
        let length = Duration::from_hours(if unit == Unit::Hour { 1 } else { 24 });
        ((0..n).map(|i| (from.plus(length * i), [1])).collect(), from.plus(length * n))
    }

    fn gathered(from: &str, n: u32, finest: Unit) -> (Unit, Vec<Slot<1>>) {
        let (points, end) = series(from, n, finest);
        let (unit, slots) = slots(&points, finest, end);
        assert_eq!(slots.iter().map(|slot| slot.values[0]).sum::<u64>(), u64::from(n), "every event is in one column");
        for pair in slots.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "columns follow one another");
        }
        assert_eq!(slots.last().map(|slot| slot.to), (n > 0).then_some(end));
        assert!(slots.len() <= MOST);
        (unit, slots)
    }

    #[test]
    fn a_period_is_gathered_into_the_finest_units_that_an_eye_tells_apart() {
        let day = |n| gathered("2026-01-05T00:00:00Z", n, Unit::Day);
        assert_eq!((day(0).1.len(), day(1).1.len()), (0, 1));
        assert_eq!((day(62).0, day(62).1.len()), (Unit::Day, 62));
        assert_eq!((day(63).0, day(63).1.len()), (Unit::Week, 9));
        assert_eq!((day(400).0, day(400).1.len()), (Unit::Week, 58));
        assert_eq!((day(1_000).0, day(1_000).1.len()), (Unit::Month, 33));
        assert_eq!(day(20_000).0, Unit::Year);
        let hour = |n| gathered("2026-11-14T10:00:00Z", n, Unit::Hour);
        assert_eq!((hour(24).0, hour(24).1.len()), (Unit::Hour, 24));
        assert_eq!((hour(168).0, hour(168).1.len()), (Unit::SixHours, 29));
    }

    #[test]
    fn weeks_begin_on_monday_and_a_shorter_one_stands_at_either_end() {
        // A Thursday.
        let (unit, slots) = gathered("2026-01-01T00:00:00Z", 100, Unit::Day);
        assert_eq!(unit, Unit::Week);
        let days: Vec<_> = slots.iter().map(|slot| slot.from.day().to_string()).take(3).collect();
        assert_eq!(days, ["2026-01-01", "2026-01-05", "2026-01-12"]);
        assert_eq!((slots[0].values, slots[1].values), ([4], [7]));
    }

    fn weeks_told(days: u32) -> usize {
        let (unit, slots) = gathered("2025-10-18T00:00:00Z", days, Unit::Day);
        ticks(unit, &slots).into_iter().filter(|tick| *tick == Some(Shown::Everywhere)).count()
    }

    #[test]
    fn words_below_the_columns_are_few_and_stand_at_round_places() {
        for (from, n, finest) in [
            ("2026-11-14T10:00:00Z", 24, Unit::Hour),
            ("2026-11-14T10:00:00Z", 168, Unit::Hour),
            ("2026-11-14T00:00:00Z", 30, Unit::Day),
            ("2026-11-14T00:00:00Z", 90, Unit::Day),
            ("2026-11-14T00:00:00Z", 400, Unit::Day),
            ("2026-11-14T00:00:00Z", 1_000, Unit::Day),
            ("2026-11-14T00:00:00Z", 1, Unit::Day),
        ] {
            let (unit, slots) = gathered(from, n, finest);
            let ticks = ticks(unit, &slots);
            let everywhere = ticks.iter().filter(|tick| **tick == Some(Shown::Everywhere)).count();
            let all = ticks.iter().flatten().count();
            assert!((1..=NARROW).contains(&everywhere) && all <= WIDE + 1, "{n} of {finest:?}: {everywhere} of {all}");
        }
        assert_eq!(weeks_told(400), 4, "a phone shows some of more than a year's weeks");
        let (unit, day) = gathered("2026-11-14T10:00:00Z", 24, Unit::Hour);
        let hours = day.iter().zip(ticks(unit, &day)).filter(|(_, tick)| tick.is_some());
        let hours: Vec<_> = hours.map(|(slot, _)| slot.from.utc().hour()).collect();
        assert_eq!(hours, [12, 15, 18, 21, 0, 3, 6, 9]);
    }
}
