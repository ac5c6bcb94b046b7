//! Badges: a small picture with a name and a word, for pages elsewhere. Pure.
//!
//! Promises: the picture needs nothing from anywhere, runs nothing, and holds no text but escaped; who cannot see it is read
//! its title; its letters have a contrast of at least 4.5 to 1.

use std::time::Duration;

use contracts::identity::Language;
use contracts::monitor::State;

pub(crate) const CONTENT_TYPE: &str = "image/svg+xml; charset=utf-8";
/// Of the letters, in pixels, and the room beside a text.
const MARGIN: u32 = 6;
const LABEL: &str = "#424a53";

/// What stands on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Face<'a> {
    pub(crate) label: &'a str,
    pub(crate) value: String,
    pub(crate) colour: &'static str,
}

const GREEN: &str = "#1a7f37";
const AMBER: &str = "#8a5a00";
const RED: &str = "#b42318";
const BLUE: &str = "#0b5cad";
const GREY: &str = "#57606a";

/// The words of a language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words(pub(crate) Language);

impl Words {
    fn pick(self, french: &'static str, english: &'static str) -> &'static str {
        match self.0 {
            Language::Fr => french,
            Language::En => english,
        }
    }

    fn unknown(self) -> &'static str {
        self.pick("inconnu", "unknown")
    }

    fn over(self, value: &str, days: u32) -> String {
        format!("{value}, {days} {}", self.pick("j", "d"))
    }

    /// How it does.
    pub(crate) fn state(self, label: &str, state: State) -> Face<'_> {
        let (value, colour) = match state {
            State::Up => (self.pick("en marche", "up"), GREEN),
            State::Degraded => (self.pick("dégradé", "degraded"), AMBER),
            State::Down => (self.pick("en panne", "down"), RED),
            State::Maintenance => (self.pick("maintenance", "maintenance"), BLUE),
            State::Unknown => (self.unknown(), GREY),
        };
        Face { label, value: value.to_owned(), colour }
    }

    /// The share of time in which it worked.
    pub(crate) fn uptime(self, label: &str, ppm: Option<u32>, days: u32) -> Face<'_> {
        let colour = match ppm {
            Some(999_000..) => GREEN,
            Some(990_000..) => AMBER,
            Some(_) => RED,
            None => GREY,
        };
        // Cut, not rounded: 100 % is said of nothing that was ever down.
        let share = ppm.map_or_else(
            || self.unknown().to_owned(),
            |ppm| match (ppm / 10_000, ppm % 10_000 / 100) {
                (whole, 0) if ppm % 10_000 == 0 => format!("{whole} %"),
                (whole, part) => format!("{whole}{}{part:02} %", self.pick(",", ".")),
            },
        );
        Face { label, value: self.over(&share, days), colour }
    }

    /// How quick half of the answers were.
    pub(crate) fn latency(self, label: &str, median_micros: Option<u64>, days: u32) -> Face<'_> {
        let Some(micros) = median_micros else {
            return Face { label, value: self.over(self.unknown(), days), colour: GREY };
        };
        let took = Duration::from_micros(micros);
        let words = match took.as_millis() {
            0 => self.pick("moins de 1 ms", "under 1 ms").to_owned(),
            millis @ 1..=9_999 => format!("{millis} ms"),
            _ => format!("{} s", took.as_secs()),
        };
        Face { label, value: self.over(&words, days), colour: BLUE }
    }
}

/// About how wide a text is in Verdana at 11 pixels, in pixels. The picture stretches it to exactly that, whatever letters a
/// reader has.
fn width(text: &str) -> u32 {
    let tenths = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 38_u32,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' | 'J' => 48,
        's' | 'c' | 'z' | 'v' | 'x' | 'y' | 'k' => 62,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 108,
        'A'..='Z' => 78,
        'a'..='z' | '0'..='9' => 69,
        c if c.is_ascii() => 70,
        // Letters with accents are as wide as without; ideographs are square.
        '\u{80}'..='\u{24f}' => 69,
        _ => 110,
    };
    text.chars().map(tenths).fold(0_u32, u32::saturating_add).div_ceil(10)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no way to write them.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

impl Face<'_> {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let (label, value) = (escaped(self.label), escaped(&self.value));
        let (label_width, value_width) = (width(self.label), width(&self.value));
        let room = MARGIN.saturating_mul(2);
        let left = label_width.saturating_add(room);
        let right = value_width.saturating_add(room);
        let whole = left.saturating_add(right);
        let middle = |from: u32, length: u32| f64::from(from) + f64::from(length) / 2.0;
        let text = |at: f64, width: u32, words: &str| {
            format!(
                r#"<text x="{at}" y="14" text-anchor="middle" textLength="{width}" lengthAdjust="spacingAndGlyphs">{words}</text>"#
            )
        };
        let (label_text, value_text) =
            (text(middle(0, left), label_width, &label), text(middle(left, right), value_width, &value));
        let colour = self.colour;
        format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" viewBox="0 0 {whole} 20" "#,
                r#"role="img" aria-labelledby="t"><title id="t">{label}: {value}</title>"#,
                r#"<clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>"#,
                r##"<g clip-path="url(#r)"><rect width="{left}" height="20" fill="{LABEL}"/>"##,
                r#"<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>"#,
                r##"<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" "##,
                r#"aria-hidden="true">{label_text}{value_text}</g></svg>"#
            ),
            whole = whole,
            label = label,
            value = value,
            left = left,
            right = right,
            LABEL = LABEL,
            colour = colour,
            label_text = label_text,
            value_text = value_text,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_out_from_every_colour() {
        let channel = |hex: &str| {
            let value = f64::from(u8::from_str_radix(hex, 16).unwrap()) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        for colour in [LABEL, GREEN, AMBER, RED, BLUE, GREY] {
            let luminance =
                0.2126 * channel(&colour[1..3]) + 0.7152 * channel(&colour[3..5]) + 0.0722 * channel(&colour[5..7]);
            assert!(1.05 / (luminance + 0.05) >= 4.5, "{colour}");
        }
    }

    #[test]
    fn nothing_in_a_name_becomes_markup() {
        let svg = Words(Language::En).state("<script>alert('1')</script>&\"\u{7}", State::Up).svg();
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;") && svg.contains("&amp;&quot;\u{fffd}"));
        assert!(svg.contains("<title id=\"t\">"));
    }

    #[test]
    fn a_share_of_time_is_cut_and_never_rounded_up() {
        let (english, french) = (Words(Language::En), Words(Language::Fr));
        let value = |ppm| english.uptime("x", ppm, 30).value;
        assert_eq!(value(Some(1_000_000)), "100 %, 30 d");
        assert_eq!(value(Some(999_999)), "99.99 %, 30 d");
        assert_eq!((value(Some(50_000)), value(None)), ("5 %, 30 d".to_owned(), "unknown, 30 d".to_owned()));
        assert_eq!(english.latency("x", Some(123_456), 7).value, "123 ms, 7 d");
        assert_eq!(french.uptime("x", Some(999_999), 30).value, "99,99 %, 30 j");
        assert_eq!(french.latency("x", Some(12), 7).value, "moins de 1 ms, 7 j");
    }
}
