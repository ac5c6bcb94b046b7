//! Conditions on what a check saw: `subject operator value`. Pure.
//!
//! Promises: a condition that makes no sense is refused where it is written down, in words that say what to write; judging
//! never fails, whatever the other side says; what is not there fulfils nothing; a message names the condition and, for
//! numbers, what was seen, never the words of the other side.

mod judge;
mod reader;

use std::time::Duration;

use bytes::Bytes;
use contracts::monitor::{Agreement, Certificate, CheckKind};
use http::HeaderMap;
use http::header::HeaderName;

pub(crate) use judge::judge;

/// What was seen, as far as there was anything.
#[derive(Default)]
pub(crate) struct Facts {
    /// From the first step to the last of the answer.
    pub(crate) latency: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// That there was more of it than is read.
    pub(crate) cut: bool,
    pub(crate) answers: Option<Vec<String>>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) agreed: Option<Agreement>,
    /// That a certificate was asked for, and there was none to show.
    pub(crate) showed_nothing: bool,
}

/// Where a condition is to stand: what there is to judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) kind: CheckKind,
    /// Whether there is TLS at all.
    pub(crate) encrypted: bool,
}

/// One condition, understood.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// As it was written.
    text: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Status(Operator, u64),
    Answers(Operator, u64),
    Latency(Operator, Duration),
    Left(Operator, Left),
    Version(Operator, Version),
    Group(Operator, String),
    Body(Operator, String),
    Header(HeaderName, Operator, String),
    Answer(Operator, String),
    Json(Vec<String>, Operator, serde_json::Value),
}

/// How much of a certificate's life.
#[derive(Clone, Copy, Debug)]
enum Left {
    Percent(f64),
    Time(Duration),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Version {
    Tls12,
    Tls13,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Contains,
}

impl Condition {
    /// Reads what somebody wrote.
    pub(crate) fn parse(text: &str, place: Place) -> Result<Self, String> {
        reader::read(text, place).map(|test| Self { text: text.trim().to_owned(), test })
    }

    /// Whether the body of an answer has to be read for it.
    pub(crate) const fn needs_body(&self) -> bool {
        matches!(self.test, Test::Body(..) | Test::Json(..))
    }

    /// Whether it is about TLS.
    pub(crate) const fn needs_tls(&self) -> bool {
        matches!(self.test, Test::Left(..) | Test::Version(..) | Test::Group(..))
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::{Chance, Timestamp};

    use super::*;

    /// Pieces of conditions and of answers, and what breaks readers.
    const PIECES: [&str; 40] = [
        "status",
        "latency",
        "body",
        "json",
        "json.a",
        "header.x",
        "certificate.left",
        "tls.version",
        "tls.group",
        "answer",
        "answers",
        " ",
        " == ",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        " contains ",
        "\"",
        "\\",
        "[0]",
        "[",
        "]",
        ".",
        "..",
        "{\"a\":",
        "}",
        "1",
        "-1",
        "1e400",
        "99999999999999999999",
        "25%",
        "10d",
        "TLSv1.3",
        "null",
        "\u{e9}",
        "\u{1f600}",
        "\0",
        "\n",
    ];

    fn drawn(chance: &Chance) -> String {
        let length = chance.below(12);
        (0..length).map(|_| PIECES[usize::try_from(chance.below(40)).unwrap()]).collect()
    }

    #[test]
    fn whatever_is_written_and_whatever_is_said_there_is_an_end_to_it() {
        let mut understood = 0;
        for seed in 0..20_000 {
            let chance = Chance::seeded(seed);
            let kind = CheckKind::CONFIGURABLE[usize::try_from(chance.below(7)).unwrap()];
            let place = Place { kind, encrypted: chance.below(2) == 0 };
            // Half of them begin as they should.
            let piece = |from: usize, many| PIECES[from + usize::try_from(chance.below(many)).unwrap()];
            let begun = if chance.below(2) == 0 { [piece(0, 11), piece(12, 7)].concat() } else { String::new() };
            let Ok(condition) = Condition::parse(&(begun + &drawn(&chance)), place) else { continue };
            understood += 1;
            let mut facts = Facts { body: Some(drawn(&chance).into()), status: Some(200), ..Facts::default() };
            facts.answers = Some(vec![drawn(&chance)]);
            if let Ok(value) = drawn(&chance).parse() {
                facts.headers.insert("x", value);
            }
            // In the same words for the same answer, and none of the answer's.
            let both = [0, 1].map(|_| judge(std::slice::from_ref(&condition), &[], &facts, Timestamp::from_seconds(0)));
            assert_eq!(both[0], both[1], "{seed}");
        }
        assert!(understood > 100, "{understood}");
    }

    #[test]
    fn what_is_left_of_a_certificate_is_judged_at_its_ends_too() {
        let place = Place { kind: CheckKind::Tls, encrypted: true };
        let at = Timestamp::from_seconds;
        let certificate =
            |from, until| Certificate { name: String::new(), serial: String::new(), from: at(from), until: at(until) };
        for (from, until, now, condition, holds) in [
            (0, 100, 75, "certificate.left >= 25%", true),
            (0, 100, 75, "certificate.left > 25%", false),
            (0, 100, 76, "certificate.left >= 25%", false),
            (0, 100, 200, "certificate.left <= 0%", true),
            (100, 100, 100, "certificate.left > 0%", false),
            (100, 0, 50, "certificate.left > 0%", false),
            (0, 100, 40, "certificate.left >= 60s", true),
            (0, 100, 41, "certificate.left >= 60s", false),
        ] {
            let facts = Facts { certificate: Some(certificate(from, until)), ..Facts::default() };
            let condition = Condition::parse(condition, place).unwrap();
            let verdict = judge(&[condition], &[], &facts, at(now));
            assert_eq!(verdict == crate::outcome::Verdict::Good, holds, "{from} {until} {now} {verdict:?}");
        }
    }
}
