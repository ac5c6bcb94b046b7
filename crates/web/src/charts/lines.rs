//! Two lines over time with what lies between them: how long half took, and how long nearly all.

use std::fmt::Write as _;

use askama::Template;

use super::scale::{Scale, Thousandths};
use super::time::Shown;
use crate::texts::T;

/// Height of the drawing, and room above it, in pixels.
const PLOT: u128 = 180;
const ABOVE: u128 = 12;
/// Width of a moment within the drawing, which is then stretched to the page.
const STEP: usize = 10;
/// Most moments that are told of one by one.
const MOST: usize = 96;

/// A chart of two lines.
#[derive(Template)]
#[template(path = "chart_lines.html")]
pub(crate) struct Lines {
    pub(crate) t: T,
    /// Tells its parts from those of other charts of the page.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    /// What it shows, for those who do not see it.
    pub(crate) words: &'static str,
    /// What the first column of the table holds.
    pub(crate) heading: &'static str,
    /// The lower line and the upper one.
    pub(crate) names: [&'static str; 2],
    pub(crate) moments: Vec<Moment>,
}

/// One place on the lines.
pub(crate) struct Moment {
    pub(crate) name: String,
    /// Below it, where there is room.
    pub(crate) tick: Option<(Shown, String)>,
    /// In microseconds, the lower and the upper; nothing where nothing answered.
    pub(crate) values: Option<[u64; 2]>,
}

/// A word beside the axis, or below it.
struct Mark {
    y: Thousandths,
    word: String,
}
struct Tick<'a> {
    x: Thousandths,
    class: &'static str,
    word: &'a str,
}

/// Moments that are told of together, by the slowest of them.
struct Slice<'a> {
    name: &'a str,
    lower: String,
    upper: String,
    x: Thousandths,
    width: Thousandths,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.moments.iter().all(|moment| moment.values.is_none())
    }

    fn width(&self) -> usize {
        self.moments.len() * STEP
    }

    fn scale(&self) -> Scale {
        let highest = self.moments.iter().filter_map(|moment| moment.values).flatten().max();
        Scale::reaching(u128::from(highest.unwrap_or(0)))
    }

    fn y(scale: Scale, value: u128) -> Thousandths {
        Thousandths::whole(ABOVE + PLOT).minus(scale.place(value, Thousandths::whole(PLOT)))
    }

    fn marks(&self) -> Vec<Mark> {
        let scale = self.scale();
        let word = |tick| match tick {
            0 => "0".to_owned(),
            _ => self.t.latency(&u64::try_from(tick).unwrap_or(u64::MAX)),
        };
        scale.ticks().map(|tick| Mark { y: Self::y(scale, tick), word: word(tick) }).collect()
    }

    fn ticks(&self) -> Vec<Tick<'_>> {
        let (all, of) = (Thousandths::whole(100), self.moments.len());
        let mut ticks = Vec::new();
        for (n, moment) in self.moments.iter().enumerate() {
            if let Some((shown, word)) = &moment.tick {
                ticks.push(Tick { x: all.part(n, of), class: shown.class(), word });
            }
        }
        ticks
    }

    /// The stretches in which something answered: where each begins, and what was measured.
    fn stretches(&self) -> Vec<(usize, Vec<[u64; 2]>)> {
        let mut stretches: Vec<(usize, Vec<[u64; 2]>)> = Vec::new();
        let mut open = false;
        for (n, moment) in self.moments.iter().enumerate() {
            match (moment.values, stretches.last_mut()) {
                (Some(values), Some((_, stretch))) if open => stretch.push(values),
                (Some(values), _) => stretches.push((n, vec![values])),
                (None, _) => {}
            }
            open = moment.values.is_some();
        }
        stretches
    }

    /// One of the lines, broken where nothing answered. Each piece is as long as its moments, so that one alone is seen.
    fn line(&self, which: usize) -> String {
        let scale = self.scale();
        let mut path = String::new();
        for (from, stretch) in self.stretches() {
            let value = |values: &[u64; 2]| values.get(which).copied().unwrap_or(0);
            for (n, values) in stretch.iter().enumerate() {
                let (x, y) = ((from + n) * STEP + STEP / 2, Self::y(scale, u128::from(value(values))));
                let first = if n == 0 { format!("M{} {y}", x - STEP / 2) } else { String::new() };
                let _ = write!(path, "{first}L{x} {y}");
                if n + 1 == stretch.len() {
                    let _ = write!(path, "h{}", STEP / 2);
                }
            }
        }
        path
    }

    /// What lies between the lines.
    fn band(&self) -> String {
        let scale = self.scale();
        let mut path = String::new();
        for (from, stretch) in self.stretches() {
            let middle = |n: usize| (from + n) * STEP + STEP / 2;
            for (n, [_, upper]) in stretch.iter().enumerate() {
                let letter = if n == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{letter}{} {}", middle(n), Self::y(scale, u128::from(*upper)));
            }
            for (n, [lower, _]) in stretch.iter().enumerate().rev() {
                let _ = write!(path, "L{} {}", middle(n), Self::y(scale, u128::from(*lower)));
            }
            path.push('Z');
        }
        path
    }

    /// How many moments stand in one slice.
    fn together(&self) -> usize {
        self.moments.len().div_ceil(MOST).max(1)
    }

    fn slices(&self) -> Vec<Slice<'_>> {
        let (all, of, size) = (Thousandths::whole(100), self.moments.len(), self.together());
        let mut slices = Vec::new();
        for (n, moments) in self.moments.chunks(size).enumerate() {
            let slowest = moments.iter().max_by_key(|moment| moment.values.map(|[_, upper]| upper));
            let Some(told) = slowest else { continue };
            let word = |which: usize| {
                let value = told.values.as_ref().and_then(|values| values.get(which));
                value.map_or_else(|| "–".to_owned(), |value| self.t.latency(value))
            };
            let (x, width) = (all.part(n * size, of), all.part(moments.len(), of));
            slices.push(Slice { name: &told.name, lower: word(0), upper: word(1), x, width });
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use contracts::identity::Language;

    use super::*;

    fn lines(values: &[Option<[u64; 2]>]) -> Lines {
        let moment = |(n, values): (usize, &Option<[u64; 2]>)| Moment {
            name: format!("<{n}>"),
            tick: (n == 0).then(|| (Shown::Everywhere, "<tick>".to_owned())),
            values: *values,
        };
        Lines {
            t: T(Language::En),
            id: "l",
            title: "Times".to_owned(),
            words: "How long",
            heading: "When",
            names: ["p50", "p95"],
            moments: values.iter().enumerate().map(moment).collect(),
        }
    }

    #[test]
    fn lines_stand_at_their_share_of_a_round_axis_and_break_where_nothing_answered() {
        let chart = lines(&[Some([10_000, 40_000]), Some([20_000, 20_000]), None, Some([0, 40_000])]);
        assert_eq!(chart.line(0), "M0 147L5 147L15 102h5M30 192L35 192h5");
        assert_eq!(chart.line(1), "M0 12L5 12L15 102h5M30 12L35 12h5");
        assert_eq!(chart.band(), "M5 12L15 102L15 102L5 147ZM35 12L35 192Z");
        let svg = chart.to_string();
        assert!(svg.contains(">40\u{a0}ms<") && svg.contains("viewBox=\"0 0 40 192\""), "{svg}");
        assert!(svg.contains("&#60;tick&#62;") && svg.contains("&#60;3&#62;: p50 0\u{a0}µs, p95 40\u{a0}ms"), "{svg}");
    }

    #[test]
    fn a_chart_of_nothing_says_so_and_draws_nothing() {
        for chart in [lines(&[]), lines(&[None, None])] {
            let svg = chart.to_string();
            assert!(svg.contains("Nothing in this period.") && !svg.contains("<svg"), "{svg}");
        }
    }

    #[test]
    fn many_moments_are_told_of_by_the_slowest_of_each_slice() {
        let mut values = vec![Some([1_000, 2_000]); 400];
        values[7] = Some([1_000, 900_000]);
        let svg = lines(&values).to_string();
        assert!(svg.matches("<title>").count() <= MOST && svg.matches("<th scope=\"row\">").count() <= MOST);
        assert_eq!(svg.matches("&#60;7&#62;").count(), 2, "in the drawing and in the table");
        assert!(svg.contains("Each line is the slowest moment of its slice."));
        assert!(svg.len() < 40_000, "{} bytes", svg.len());
    }
}
