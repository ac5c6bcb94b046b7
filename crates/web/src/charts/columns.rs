//! Columns over time, each a stack of series.

use askama::Template;

use super::scale::{Scale, Thousandths};
use super::time::Shown;
use super::{Series, sum, told};
use crate::texts::T;

/// Height of the highest column, in pixels.
const PLOT: u128 = 180;
/// Room above it.
const ABOVE: u128 = 12;
/// A series that counted anything is at least that high.
const LEAST: Thousandths = Thousandths::whole(2);
/// Most of the width that one column takes, in percent.
const WIDEST: Thousandths = Thousandths::whole(10);

/// A chart of columns over time.
#[derive(Template)]
#[template(path = "chart_columns.html")]
pub(crate) struct Columns {
    pub(crate) t: T,
    /// Tells its parts from those of other charts of the page.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    /// What it shows, for those who do not see it.
    pub(crate) words: String,
    /// What the first column of the table holds.
    pub(crate) heading: &'static str,
    /// From the bottom up.
    pub(crate) series: Vec<Series>,
    pub(crate) stacks: Vec<Column>,
}

/// A column.
pub(crate) struct Column {
    /// In full.
    pub(crate) name: String,
    /// Below the column, where there is room.
    pub(crate) tick: Option<(Shown, String)>,
    /// As many as there are series.
    pub(crate) values: Vec<u64>,
    /// What was counted.
    pub(crate) href: String,
}

/// A word beside the axis.
struct Mark {
    y: Thousandths,
    word: String,
}

/// A drawn column.
struct Drawn<'a> {
    column: &'a Column,
    /// Where its part of the width begins, and how wide that is, in percent.
    x: Thousandths,
    width: Thousandths,
    middle: Thousandths,
    parts: Vec<Part>,
}

/// One series of a column.
struct Part {
    class: &'static str,
    pattern: bool,
    x: Thousandths,
    width: Thousandths,
    y: Thousandths,
    height: Thousandths,
}

impl Columns {
    fn is_empty(&self) -> bool {
        self.stacks.iter().all(|column| sum(&column.values) == 0)
    }

    fn scale(&self) -> Scale {
        Scale::reaching(self.stacks.iter().map(|column| sum(&column.values)).max().unwrap_or(0))
    }

    fn bottom() -> Thousandths {
        Thousandths::whole(ABOVE + PLOT)
    }

    fn marks(&self) -> Vec<Mark> {
        let scale = self.scale();
        let y = |tick| Self::bottom().minus(scale.place(tick, Thousandths::whole(PLOT)));
        scale.ticks().map(|tick| Mark { y: y(tick), word: self.t.short(&tick) }).collect()
    }

    fn drawn(&self) -> Vec<Drawn<'_>> {
        let (scale, all, of) = (self.scale(), Thousandths::whole(100), self.stacks.len());
        let width = all.part(1, of);
        let thick = width.part(4, 5).min(WIDEST);
        let draw = |(n, column)| {
            let x = all.part(n, of);
            let middle = x.plus(width.part(1, 2));
            let parts = self.stack(column, scale, middle.minus(thick.part(1, 2)), thick);
            Drawn { column, x, width, middle, parts }
        };
        self.stacks.iter().enumerate().map(draw).collect()
    }

    fn stack(&self, column: &Column, scale: Scale, x: Thousandths, width: Thousandths) -> Vec<Part> {
        let mut y = Self::bottom();
        let mut parts = Vec::new();
        for (series, value) in self.series.iter().zip(&column.values).filter(|(_, value)| **value > 0) {
            let height = scale.place(u128::from(*value), Thousandths::whole(PLOT)).at_least(LEAST, *value);
            y = y.minus(height);
            parts.push(Part { class: series.look.class(), pattern: series.look.is_striped(), x, width, y, height });
        }
        parts
    }

    fn told(&self, column: &Column) -> String {
        told(self.t, &column.name, &self.series, &column.values)
    }

    fn total(column: &Column) -> u128 {
        sum(&column.values)
    }
}
