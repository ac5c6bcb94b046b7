//! States over time: a bar for each day, or for each piece of a shorter time, side by side on one line.

use askama::Template;

/// Height of a bar, and by how much the share in which something was down stands out above, in pixels.
const HEIGHT: u64 = 28;
const ABOVE: u64 = 5;
/// Width of a bar with the gap beside it; the style sheet draws three of the four.
const STEP: usize = 4;
/// What was down for a moment only is still seen.
const LEAST: u64 = 9;

/// How a piece of time was. Each is a shape of its own: full, low, standing out, half, a stub.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// It worked.
    Up,
    /// It worked less well.
    Degraded,
    /// It was down for so many thousandths of the time that counts.
    Down(u64),
    /// It was being worked on.
    Maintenance,
    /// Nobody knows.
    Unknown,
}

impl Mark {
    fn class(self) -> &'static str {
        match self {
            Self::Up | Self::Down(_) => "up",
            Self::Degraded => "degraded",
            Self::Maintenance => "maintenance",
            Self::Unknown => "unknown",
        }
    }
}

/// A piece of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// When it was.
    pub(crate) name: String,
    /// How it was, in words.
    pub(crate) words: String,
    /// How it was.
    pub(crate) mark: Mark,
}

/// Pieces of time in a row.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<svg class="strip" viewBox="0 -5 {{ self.width() }} 34" preserveAspectRatio="none" width="100%" height="34" role="img" aria-label="{{ words }}">{% for d in self.drawn() %}<g><title>{{ d.title }}</title><path class="{{ d.class }}" d="{{ d.base }}"/>{% if let Some((line, thick)) = d.down %}<path class="down" d="{{ line }}" stroke-width="{{ thick }}"/>{% endif %}</g>{% endfor %}</svg>"#
)]
pub(crate) struct Strip {
    /// What it shows, for those who do not see it.
    words: String,
    pieces: Vec<Piece>,
    /// Whether neighbours that are alike are told of together: where many strips stand on one page.
    joined: bool,
}

/// Neighbours that are alike, as one drawing.
struct Drawn {
    title: String,
    class: &'static str,
    base: String,
    down: Option<(String, u64)>,
}

impl Strip {
    pub(crate) fn new(words: String, pieces: Vec<Piece>, joined: bool) -> Self {
        Self { words, pieces, joined }
    }

    fn width(&self) -> usize {
        (self.pieces.len() * STEP).saturating_sub(1).max(1)
    }

    fn drawn(&self) -> Vec<Drawn> {
        let alike = |one: &Piece, other: &Piece| self.joined && one.mark == other.mark && one.words == other.words;
        let mut at = 0;
        let draw = |run: &[Piece]| {
            let (from, length) = (at, run.len());
            at += length;
            Self::draw(from, length, run)
        };
        self.pieces.chunk_by(alike).filter_map(draw).collect()
    }

    fn draw(from: usize, length: usize, run: &[Piece]) -> Option<Drawn> {
        let (first, last) = (run.first()?, run.last()?);
        let title = if length > 1 {
            format!("{} – {}: {}", first.name, last.name, first.words)
        } else {
            format!("{}: {}", first.name, first.words)
        };
        let (x, long) = (from * STEP, length * STEP - 1);
        let base = format!("M{x} {}h{long}", middle(first.mark));
        let down = match first.mark {
            Mark::Down(permille) => {
                let thick = (permille.min(1000) * HEIGHT).div_ceil(1000).max(LEAST) + ABOVE;
                // From above the others downwards; the line runs through the middle of what it draws.
                let half = if thick.is_multiple_of(2) { "" } else { ".5" };
                let y = i128::from(thick / 2) - i128::from(ABOVE);
                Some((format!("M{x} {y}{half}h{long}").replace("-0.5", "-.5"), thick))
            }
            _ => None,
        };
        Some(Drawn { title, class: first.mark.class(), base, down })
    }
}

/// Where the line runs whose thickness the style sheet knows: all stand on the same ground.
fn middle(mark: Mark) -> u64 {
    match mark {
        Mark::Up | Mark::Down(_) => HEIGHT / 2,
        Mark::Degraded => HEIGHT - 9,
        Mark::Maintenance => HEIGHT - 6,
        Mark::Unknown => HEIGHT - 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(marks: &[Mark], joined: bool) -> String {
        let piece =
            |(n, mark): (usize, &Mark)| Piece { name: format!("<day {n}>"), words: "how".to_owned(), mark: *mark };
        Strip::new("All & all".to_owned(), marks.iter().enumerate().map(piece).collect(), joined).to_string()
    }

    #[test]
    fn each_piece_is_told_of_and_neighbours_that_are_alike_together_where_room_is_short() {
        let marks = [Mark::Up, Mark::Up, Mark::Degraded, Mark::Up];
        let apart = strip(&marks, false);
        assert_eq!(apart.matches("<title>").count(), 4);
        assert!(
            apart.contains("viewBox=\"0 -5 15 34\"") && apart.contains("<title>&#60;day 2&#62;: how</title>"),
            "{apart}"
        );
        let joined = strip(&marks, true);
        assert_eq!(joined.matches("<title>").count(), 3);
        assert!(
            joined.contains("&#60;day 0&#62; – &#60;day 1&#62;: how") && joined.contains("d=\"M0 14h7\""),
            "{joined}"
        );
    }

    #[test]
    fn a_moment_down_is_seen_and_stands_out_above_the_others() {
        let thick = |permille| {
            let drawn = strip(&[Mark::Down(permille)], false);
            drawn.split("stroke-width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<u64>().unwrap()
        };
        assert_eq!((thick(0), thick(1), thick(500), thick(1000), thick(9999)), (14, 14, 19, 33, 33));
        assert!(strip(&[Mark::Down(1)], false).contains("d=\"M0 2h3\""), "from -5 to 9");
    }

    #[test]
    fn nothing_is_a_drawing_too() {
        assert!(strip(&[], true).contains("viewBox=\"0 -5 1 34\""));
    }
}
