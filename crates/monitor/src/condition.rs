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
