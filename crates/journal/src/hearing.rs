//! How far a source has been heard, and what is missing in between. Pure.

/// A run of numbers, both ends included.
pub(crate) type Gap = (i64, i64);

/// What has been heard of one source: every number up to `up_to`, except for the gaps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hearing {
    pub(crate) up_to: i64,
    /// In order, apart from one another.
    pub(crate) gaps: Vec<Gap>,
}

/// What a number is to what was heard before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// The next one.
    Next,
    /// A later one: these are missing now.
    Beyond(Gap),
    /// One that was missing.
    Late,
    /// One that was heard before.
    Again,
}

impl Hearing {
    /// Takes note of `seq`.
    pub(crate) fn hear(&mut self, seq: i64) -> Heard {
        let next = self.up_to.saturating_add(1);
        if seq >= next {
            self.up_to = seq;
            if seq == next {
                return Heard::Next;
            }
            let gap = (next, seq.saturating_sub(1));
            self.gaps.push(gap);
            return Heard::Beyond(gap);
        }
        let Some(place) = self.gaps.iter().position(|(first, last)| (*first..=*last).contains(&seq)) else {
            return Heard::Again;
        };
        let (first, last) = self.gaps.remove(place);
        let remaining = [(first, seq.saturating_sub(1)), (seq.saturating_add(1), last)];
        self.gaps.splice(place..place, remaining.into_iter().filter(|(first, last)| first <= last));
        Heard::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_a_gap_until_it_comes_late() {
        let mut hearing = Hearing { up_to: 0, gaps: vec![] };
        assert_eq!(hearing.hear(1), Heard::Next);
        assert_eq!(hearing.hear(1), Heard::Again);
        assert_eq!(hearing.hear(6), Heard::Beyond((2, 5)));
        assert_eq!(hearing.hear(8), Heard::Beyond((7, 7)));
        assert_eq!(hearing.hear(3), Heard::Late);
        assert_eq!(hearing, Hearing { up_to: 8, gaps: vec![(2, 2), (4, 5), (7, 7)] });
        assert_eq!(hearing.hear(3), Heard::Again);
        for seq in [7, 5, 2, 4] {
            assert_eq!(hearing.hear(seq), Heard::Late);
        }
        assert_eq!(hearing, Hearing { up_to: 8, gaps: vec![] });
    }

    #[test]
    fn a_source_that_is_first_heard_in_its_middle_has_a_gap() {
        let mut hearing = Hearing { up_to: 0, gaps: vec![] };
        assert_eq!(hearing.hear(10), Heard::Beyond((1, 9)));
    }
}
