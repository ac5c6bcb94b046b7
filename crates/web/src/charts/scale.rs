//! From numbers to places: round ends of axes, shares of a whole. Whole numbers only.

use std::fmt;

/// Most steps of an axis.
const MOST_STEPS: u128 = 4;

/// An axis from zero to a round number, in round steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Scale {
    step: u128,
    steps: u128,
}

impl Scale {
    /// The finest axis of few steps of 1, 2 or 5 times a power of ten that reaches `highest`.
    pub(super) fn reaching(highest: u128) -> Self {
        let highest = highest.max(1);
        let mut power: u128 = 1;
        loop {
            for step in [power, power.saturating_mul(2), power.saturating_mul(5)] {
                if step.saturating_mul(MOST_STEPS) >= highest {
                    return Self { step, steps: highest.div_ceil(step) };
                }
            }
            power = power.saturating_mul(10);
        }
    }

    /// From zero to exactly the highest value: where no axis is drawn.
    pub(super) fn exactly(highest: u128) -> Self {
        Self { step: highest.max(1), steps: 1 }
    }

    /// Where the axis ends.
    pub(super) fn top(self) -> u128 {
        self.step.saturating_mul(self.steps)
    }

    /// From zero to the end.
    pub(super) fn ticks(self) -> impl Iterator<Item = u128> {
        (0..=self.steps).map(move |n| self.step.saturating_mul(n))
    }

    /// How far along the axis a value stands, where its end is at `length`.
    pub(super) fn place(self, value: u128, length: Thousandths) -> Thousandths {
        Thousandths(value.saturating_mul(length.0) / self.top())
    }
}

/// A length in thousandths: of a pixel, or of a percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Thousandths(u128);

impl Thousandths {
    /// So many whole ones.
    pub(super) const fn whole(n: u128) -> Self {
        Self(n * 1000)
    }

    /// So many thousandths.
    pub(super) const fn of_thousandths(n: u128) -> Self {
        Self(n)
    }

    /// `n` parts of `of`, of this length.
    pub(super) fn part(self, n: usize, of: usize) -> Self {
        Self(self.0 * n as u128 / (of as u128).max(1))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// What counted is seen: a length that is not nothing is at least this one.
    pub(super) fn at_least(self, least: Self, value: u64) -> Self {
        if value == 0 { Self(0) } else { self.max(least) }
    }
}

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.0 / 1000),
            rest => write!(f, "{}.{rest:03}", self.0 / 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(highest: u128) -> Vec<u128> {
        Scale::reaching(highest).ticks().collect()
    }

    #[test]
    fn axes_end_at_round_numbers_that_reach_the_highest_value() {
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(1), [0, 1]);
        assert_eq!(ticks(3), [0, 1, 2, 3]);
        assert_eq!(ticks(4), [0, 1, 2, 3, 4]);
        assert_eq!(ticks(5), [0, 2, 4, 6]);
        assert_eq!(ticks(97), [0, 50, 100]);
        assert_eq!(ticks(1_234), [0, 500, 1_000, 1_500]);
        for highest in (1..2_000).chain([u128::from(u64::MAX), 3 * u128::from(u64::MAX)]) {
            let scale = Scale::reaching(highest);
            let (first, last) = (scale.step.to_string(), scale.top());
            assert!(last >= highest && last - scale.step < highest, "{highest}: {last}");
            assert!(["1", "2", "5"].contains(&first.trim_end_matches('0')), "{highest}: steps of {first}");
            assert!(scale.ticks().count() <= 5, "{highest}");
        }
    }

    #[test]
    fn a_value_stands_where_its_share_of_the_axis_is() {
        let scale = Scale::reaching(u128::from(u64::MAX));
        assert_eq!(scale.place(scale.top(), Thousandths::whole(100)).to_string(), "100");
        assert_eq!(Scale::reaching(8).place(3, Thousandths::whole(100)).to_string(), "37.500");
        assert_eq!(Scale::reaching(8).place(0, Thousandths::whole(100)).to_string(), "0");
    }

    #[test]
    fn what_counted_is_seen_and_what_did_not_is_not() {
        let least = Thousandths::whole(2);
        assert_eq!(Thousandths(0).at_least(least, 1), least);
        assert_eq!(Thousandths(0).at_least(least, 0), Thousandths(0));
        assert_eq!(Thousandths(9_000).at_least(least, 7), Thousandths(9_000));
    }
}
