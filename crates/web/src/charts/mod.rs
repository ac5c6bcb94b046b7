//! Charts, drawn on the server: numbers in, SVG out, with the table of the same numbers beside it.
//!
//! Promises: nothing is told by colour alone (each series has a texture of its own, and the table says everything);
//! what counted is seen, however small beside the rest; axes end at round numbers; any number fits. Widths are
//! percentages and heights pixels, so that one drawing serves every screen with letters of one size, and print.
//! Links in the drawings are outside the tab order: the tables carry the same ones.
//! Knows no page and no service; whole numbers only, so that a drawing is the same everywhere.

mod bars;
mod columns;
mod lines;
mod map;
mod scale;
mod strip;
mod time;

pub(crate) use self::bars::{Bars, Row};
pub(crate) use self::columns::{Column, Columns};
pub(crate) use self::lines::{Lines, Moment};
pub(crate) use self::map::{Edge, Map, Stroke};
pub(crate) use self::strip::{Mark, Piece, Strip};
pub(crate) use self::time::{Shown, Slot, Unit, slots, ticks};

use crate::texts::T;

/// How a series looks, from calm to grave: plain, striped, solid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// As it should be.
    Calm,
    /// Worth a look.
    Notable,
    /// Bad.
    Grave,
}

impl Look {
    /// The class of the style sheet.
    fn class(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Notable => "notable",
            Self::Grave => "grave",
        }
    }

    /// Whether it is drawn in stripes: the second thing beside colour that tells it from the others.
    fn is_striped(self) -> bool {
        self == Self::Notable
    }
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) look: Look,
}

/// `21/11/2026: 12 Info, 3 Warning`.
fn told(t: T, name: &str, series: &[Series], values: &[u64]) -> String {
    let counted = series.iter().zip(values).filter(|(_, value)| **value > 0);
    let words: Vec<_> = counted
        .map(|(one, value)| match series.len() {
            1 => t.whole(value),
            _ => format!("{}\u{a0}{}", t.whole(value), one.name),
        })
        .collect();
    t.named_fault(name, if words.is_empty() { "0".to_owned() } else { words.join(", ") }.as_str())
}

fn sum(values: &[u64]) -> u128 {
    values.iter().copied().map(u128::from).sum()
}

#[cfg(test)]
mod tests {
    use contracts::identity::Language;

    use super::*;

    const T_EN: T = T(Language::En);
    const LEVELS: [Series; 3] = [
        Series { name: "Error", look: Look::Grave },
        Series { name: "Warning", look: Look::Notable },
        Series { name: "Info", look: Look::Calm },
    ];

    fn columns(values: &[[u64; 3]]) -> String {
        let column = |(n, values): (usize, &[u64; 3])| Column {
            name: format!("Day {n}"),
            tick: (n == 0).then(|| (Shown::Everywhere, "day <0>".to_owned())),
            values: values.to_vec(),
            href: format!("/logs?day={n}&level=x"),
        };
        let stacks = values.iter().enumerate().map(column).collect();
        let (title, words) = ("Events".to_owned(), "What happened".to_owned());
        let chart = Columns { t: T_EN, id: "e", title, words, heading: "Day", series: LEVELS.into(), stacks };
        chart.to_string()
    }

    fn bars(rows: Vec<(&str, [u64; 3])>) -> String {
        let row = |(name, values): (&str, [u64; 3])| Row {
            name: name.to_owned(),
            values: values.to_vec(),
            href: format!("/logs?user={}", name.len()),
        };
        let chart = Bars::new(T_EN, "b", "Actions".to_owned(), "Most frequent first".to_owned(), "Action");
        chart.of(LEVELS.into(), rows.into_iter().map(row).collect()).to_string()
    }

    /// The attribute of every mark of a class.
    fn attributes<'a>(svg: &'a str, class: &str, name: &str) -> Vec<&'a str> {
        let start = format!("<rect class=\"{class}\"");
        let drawing = svg.split("columns-chart").last().unwrap();
        let marks = drawing.split(start.as_str()).skip(1).map(|mark| mark.split("/>").next().unwrap());
        let value = |mark: &'a str| mark.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        marks.map(value).collect()
    }

    #[test]
    fn a_chart_of_nothing_says_so_and_draws_nothing() {
        for chart in [columns(&[]), columns(&[[0, 0, 0], [0, 0, 0]]), bars(vec![]), bars(vec![("none", [0, 0, 0])])] {
            assert!(chart.contains("Nothing in this period.") && !chart.contains("<svg"), "{chart}");
        }
    }

    #[test]
    fn heights_are_shares_of_a_round_axis_and_stacks_stand_on_one_another() {
        let chart = columns(&[[10, 0, 30], [0, 20, 0]]);
        assert_eq!(attributes(&chart, "grave", "height"), ["45"], "10 of 40 on 180 pixels");
        assert_eq!((attributes(&chart, "grave", "y"), attributes(&chart, "calm", "y")), (vec!["147"], vec!["12"]));
        assert_eq!(attributes(&chart, "notable", "height"), ["90"]);
        for tick in [">0<", ">10<", ">20<", ">30<", ">40<"] {
            assert!(chart.contains(tick), "{tick}");
        }
    }

    #[test]
    fn one_event_beside_the_largest_number_is_still_seen() {
        let chart = columns(&[[1, 0, u64::MAX], [0, 1, 0]]);
        assert_eq!(attributes(&chart, "grave", "height"), ["2"]);
        assert_eq!(attributes(&chart, "notable", "height"), ["2"]);
        assert!(chart.contains("2×10¹⁹") && chart.contains("18,446,744,073,709,551,615"), "axis and table");
        assert!(bars(vec![("one", [1, 0, 0]), ("many", [0, 0, u64::MAX])]).contains("x=\"0%\" y=\"21\" width=\"1%\""));
    }

    #[test]
    fn each_column_is_a_link_named_in_words_and_stands_in_the_table_too() {
        let chart = columns(&[[1, 0, 2], [0, 1_500, 0]]);
        assert_eq!(chart.matches("href=\"/logs?day=1&#38;level=x\"").count(), 2, "in the drawing and in the table");
        assert!(chart.contains("<title>Day 0: 1\u{a0}Error, 2\u{a0}Info</title>"), "{chart}");
        assert!(chart.contains("<title>Day 1: 1,500\u{a0}Warning</title>"));
        assert!(chart.contains("day &#60;0&#62;") && !chart.contains("<0>"), "words are escaped");
        assert!(chart.contains("<title id=\"e-t\">Events</title><desc id=\"e-d\">What happened</desc>"));
        assert_eq!(chart.matches("<th scope=\"row\">").count(), 2);
    }

    #[test]
    fn a_series_differs_from_the_others_by_more_than_its_colour() {
        let chart = columns(&[[1, 1, 1]]);
        let striped = chart.matches("fill=\"url(#e-stripes)\"").count();
        assert_eq!(striped, 2, "the notable part, and its place in the legend");
        assert!(chart.contains("<ul class=\"legend\">") && chart.contains("<pattern id=\"e-stripes\""));
    }

    #[test]
    fn bars_are_the_longest_first_and_long_names_are_cut_but_told_in_full() {
        let long = "a very long action that does not fit beside its number";
        let chart = bars(vec![("small", [0, 0, 1]), (long, [0, 0, 7])]);
        assert!(chart.contains(">a very long action that does no…<"), "{chart}");
        assert!(chart.contains(&format!("<title>{long}: 7\u{a0}Info</title>")));
        assert!(chart.find(long).unwrap() < chart.find(">small<").unwrap());
        let names: Vec<String> = (0..25).map(|n| format!("n{n}")).collect();
        let many = bars(names.iter().map(|name| (name.as_str(), [0, 0, 3])).collect());
        assert_eq!(many.matches("<text class=\"name\"").count(), 10);
        assert!(many.contains("And 15 more in the table.") && many.matches("<th scope=\"row\">").count() == 25);
    }
}
