//! Bars beside one another by name, the longest first, each a row of series.

use askama::Template;

use super::scale::{Scale, Thousandths};
use super::{Series, sum, told};
use crate::texts::T;

/// Most bars that are drawn; the table has them all.
const MOST: usize = 10;
/// Height of a name and its bar, in pixels.
const ROW: usize = 44;
/// Most letters of a name in the drawing.
const LONGEST: usize = 32;
/// A series that counted anything is at least that long, in percent.
const LEAST: Thousandths = Thousandths::whole(1);

/// A chart of bars by name.
#[derive(Template)]
#[template(path = "chart_bars.html")]
pub(crate) struct Bars {
    pub(crate) t: T,
    /// Tells its parts from those of other charts of the page.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    /// What it shows, for those who do not see it.
    pub(crate) words: String,
    /// What the first column of the table holds.
    pub(crate) heading: &'static str,
    /// From the left.
    pub(crate) series: Vec<Series>,
    rows: Vec<Row>,
}

/// A bar.
pub(crate) struct Row {
    /// In full.
    pub(crate) name: String,
    /// As many as there are series.
    pub(crate) values: Vec<u64>,
    /// What was counted.
    pub(crate) href: String,
}

/// A drawn bar.
struct Drawn<'a> {
    row: &'a Row,
    y: usize,
    name: String,
    parts: Vec<Part>,
}

/// One series of a bar, in percent.
struct Part {
    class: &'static str,
    pattern: bool,
    x: Thousandths,
    width: Thousandths,
}

impl Bars {
    /// A chart without its bars.
    pub(crate) fn new(t: T, id: &'static str, title: String, words: String, heading: &'static str) -> Self {
        Self { t, id, title, words, heading, series: Vec::new(), rows: Vec::new() }
    }

    /// The same chart of these bars, the longest first; those of nothing are left out.
    pub(crate) fn of(mut self, series: Vec<Series>, mut rows: Vec<Row>) -> Self {
        rows.retain(|row| sum(&row.values) > 0);
        rows.sort_by(|one, other| sum(&other.values).cmp(&sum(&one.values)).then_with(|| one.name.cmp(&other.name)));
        (self.series, self.rows) = (series, rows);
        self
    }

    fn height(&self) -> usize {
        self.rows.len().min(MOST) * ROW
    }

    /// How many are in the table alone.
    fn left_out(&self) -> usize {
        self.rows.len().saturating_sub(MOST)
    }

    fn drawn(&self) -> Vec<Drawn<'_>> {
        let scale = Scale::exactly(self.rows.iter().map(Self::total).max().unwrap_or(0));
        let draw = |(n, row)| Drawn { row, y: n * ROW, name: cut(row), parts: self.parts(row, scale) };
        self.rows.iter().take(MOST).enumerate().map(draw).collect()
    }

    fn parts(&self, row: &Row, scale: Scale) -> Vec<Part> {
        let mut x = Thousandths::default();
        let mut parts = Vec::new();
        for (series, value) in self.series.iter().zip(&row.values).filter(|(_, value)| **value > 0) {
            let width = scale.place(u128::from(*value), Thousandths::whole(100)).at_least(LEAST, *value);
            parts.push(Part { class: series.look.class(), pattern: series.look.is_striped(), x, width });
            x = x.plus(width);
        }
        parts
    }

    fn total(row: &Row) -> u128 {
        sum(&row.values)
    }

    fn told(&self, row: &Row) -> String {
        told(self.t, &row.name, &self.series, &row.values)
    }
}

/// A name as long as there is room for.
fn cut(row: &Row) -> String {
    if row.name.chars().count() <= LONGEST {
        return row.name.clone();
    }
    let kept: String = row.name.chars().take(LONGEST - 1).collect();
    format!("{}…", kept.trim_end())
}
