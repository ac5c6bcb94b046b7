//! A map: names on a ring, and lines from one to another.
//!
//! On a ring no line passes through a third name; places across are percentages, so that letters keep their size.

use askama::Template;

use super::scale::Thousandths;

/// Most names that a ring holds.
const MOST: usize = 12;
/// Cosines in thousandths, from 0 to 90 degrees in steps of 15.
const COSINES: [i32; 7] = [1000, 966, 866, 707, 500, 259, 0];
/// Steps of the whole turn.
const TURN: usize = 24;
/// Middle and radius: across in thousandths of the width, down in pixels.
const ACROSS: (i32, i32) = (500, 345);
const DOWN: (i32, i32) = (165, 130);

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stroke {
    /// As it should be: solid.
    Solid,
    /// Spared: in dashes.
    Dashed,
    /// Broken: in dots.
    Dotted,
}

impl Stroke {
    fn class(self) -> &'static str {
        match self {
            Self::Solid => "solid",
            Self::Dashed => "dashed",
            Self::Dotted => "dotted",
        }
    }
}

/// A line from one name to another, by their numbers.
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) stroke: Stroke,
    /// What it is, in words.
    pub(crate) words: String,
    /// Where more of it is told.
    pub(crate) href: String,
}

/// A map.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<svg class="map" width="100%" height="330" role="group" aria-labelledby="map-t map-d"><title id="map-t">{{ title }}</title><desc id="map-d">{{ words }}</desc><defs><marker id="map-arrow" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="12" markerHeight="12" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 1l9 4-9 4z"/></marker></defs>
{% for l in self.lines() %}<a href="{{ l.edge.href }}" tabindex="-1" class="{{ l.edge.stroke.class() }}"><title>{{ l.edge.words }}</title><line class="reach" x1="{{ l.from.0 }}%" y1="{{ l.from.1 }}" x2="{{ l.to.0 }}%" y2="{{ l.to.1 }}"/><line x1="{{ l.from.0 }}%" y1="{{ l.from.1 }}" x2="{{ l.half.0 }}%" y2="{{ l.half.1 }}" marker-end="url(#map-arrow)"/><line x1="{{ l.half.0 }}%" y1="{{ l.half.1 }}" x2="{{ l.to.0 }}%" y2="{{ l.to.1 }}"/></a>
{% endfor %}{% for n in self.nodes() %}<svg x="{{ n.0.0 }}%" y="{{ n.0.1 }}" class="node"><rect x="-54" y="-17" width="108" height="34" rx="8"/><text text-anchor="middle" dominant-baseline="central"{% if n.1.chars().count() > Self::LONG %} textLength="98" lengthAdjust="spacingAndGlyphs"{% endif %}>{{ n.1 }}</text></svg>
{% endfor %}</svg>"#
)]
pub(crate) struct Map {
    title: &'static str,
    /// What it shows, for those who do not see it.
    words: &'static str,
    names: Vec<String>,
    edges: Vec<Edge>,
}

type Place = (Thousandths, i32);

/// A drawn line: from, to, and where its arrow stands.
struct Drawn<'a> {
    edge: &'a Edge,
    from: Place,
    half: Place,
    to: Place,
}

impl Map {
    /// Letters of a name from which on it is drawn narrower, so that its frame holds it.
    const LONG: usize = 12;

    /// A map of these; nothing where there are more names than fit, or none.
    pub(crate) fn of(title: &'static str, words: &'static str, names: Vec<String>, edges: Vec<Edge>) -> Option<Self> {
        let fits = (2..=MOST).contains(&names.len()) && !edges.is_empty();
        fits.then_some(Self { title, words, names, edges })
    }

    /// Where a name stands, in thousandths of the width and pixels; the first one at the top.
    fn raw(&self, n: usize) -> (i32, i32) {
        let step = (n * TURN + self.names.len() / 2) / self.names.len().max(1) % TURN;
        let (sine, cosine) = (cosine(step + TURN * 3 / 4), cosine(step));
        (ACROSS.0 + ACROSS.1 * sine / 1000, DOWN.0 - DOWN.1 * cosine / 1000)
    }

    fn place((x, y): (i32, i32)) -> Place {
        // A thousandth of the width is a hundred thousandths of a percent.
        (Thousandths::of_thousandths(u128::try_from(x).unwrap_or(0) * 100), y)
    }

    fn nodes(&self) -> Vec<(Place, &str)> {
        self.names.iter().enumerate().map(|(n, name)| (Self::place(self.raw(n)), name.as_str())).collect()
    }

    fn lines(&self) -> Vec<Drawn<'_>> {
        let draw = |edge: &'_ Edge| {
            let ((x1, y1), (x2, y2)) = (self.raw(edge.from), self.raw(edge.to));
            // Nearer to the beginning, so that the arrows of both directions stand apart.
            let half = (x1 + (x2 - x1) * 42 / 100, y1 + (y2 - y1) * 42 / 100);
            (Self::place((x1, y1)), Self::place(half), Self::place((x2, y2)))
        };
        let mut lines = Vec::new();
        for edge in &self.edges {
            let (from, half, to) = draw(edge);
            lines.push(Drawn { edge, from, half, to });
        }
        lines
    }
}

/// Of so many steps of the turn, in thousandths.
fn cosine(step: usize) -> i32 {
    let step = step % TURN;
    let of = |n: usize| COSINES.get(n).copied().unwrap_or(0);
    match step {
        0..=6 => of(step),
        7..=12 => -of(12 - step),
        13..=18 => -of(step - 12),
        _ => of(24 - step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(names: usize) -> Option<Map> {
        let edge = |to| Edge { from: 0, to, stroke: Stroke::Dotted, words: "a & b".to_owned(), href: "#x".to_owned() };
        Map::of("Map", "Words", (0..names).map(|n| format!("<{n}>")).collect(), (1..names).map(edge).collect())
    }

    #[test]
    fn no_two_names_stand_on_one_another_and_all_within_the_drawing() {
        for names in 2..=MOST {
            let map = map(names).unwrap();
            let places: Vec<_> = (0..names).map(|n| map.raw(n)).collect();
            for (n, (x, y)) in places.iter().enumerate() {
                assert!((150..=850).contains(x) && (20..=310).contains(y), "{names}: {x} {y}");
                let apart = |(a, b): &(i32, i32)| (a - x).abs() > 160 || (b - y).abs() >= 34;
                assert!(places.iter().skip(n + 1).all(apart), "{names}: {places:?}");
            }
        }
        assert!(map(1).is_none() && map(MOST + 1).is_none());
    }

    #[test]
    fn a_line_is_told_in_words_leads_to_more_and_is_no_colour_alone() {
        let svg = map(4).unwrap().to_string();
        assert!(
            svg.contains("<title>a &#38; b</title>") && svg.contains("class=\"dotted\"") && svg.contains("&#60;3&#62;")
        );
        let long = Map { names: vec!["short".to_owned(), "Base de données".to_owned()], ..map(2).unwrap() }.to_string();
        assert_eq!(long.matches("textLength").count(), 1, "a long name stays in its frame");
        assert!(svg.contains("x1=\"50%\" y1=\"35\"") && svg.contains("x2=\"84.500%\" y2=\"165\""), "{svg}");
    }
}
