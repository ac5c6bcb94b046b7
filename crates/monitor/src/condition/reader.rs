//! Reads conditions. What is wrong with one is said in words that tell what there is. Pure.

use contracts::monitor::{CheckKind, Span};
use http::header::HeaderName;
use serde_json::Value;

use super::{Left, Operator, Place, Test, Version};

/// Longest condition.
const LONGEST: usize = 300;
/// Longest way through a JSON text.
const MOST_STEPS: usize = 20;

/// The value of a condition as it was written.
struct Written {
    text: String,
    quoted: bool,
}

pub(super) fn read(text: &str, place: Place) -> Result<Test, String> {
    if text.chars().count() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a character that cannot be shown".into());
    }
    let text = text.trim();
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>')).unwrap_or(text.len());
    let (subject, rest) = text.split_at(end);
    known(subject, place)?;
    let (operator, value) = operator(rest.trim_start())?;
    let value = written(value.trim())?;
    test(subject, operator, &value)
}

/// What there is to judge at that place.
fn subjects(place: Place) -> Vec<&'static str> {
    let of_kind: &[_] = match place.kind {
        CheckKind::Http => &["status", "body", "json.PATH", "header.NAME"],
        CheckKind::Dns => &["answer", "answers"],
        _ => &[],
    };
    let of_tls: &[_] = if place.encrypted { &["certificate.left", "tls.version", "tls.group"] } else { &[] };
    ["latency"].iter().chain(of_kind).chain(of_tls).copied().collect()
}

fn known(subject: &str, place: Place) -> Result<(), String> {
    let there = subjects(place);
    let is = |name: &&str| match *name {
        "json.PATH" => subject == "json" || subject.starts_with("json.") || subject.starts_with("json["),
        "header.NAME" => subject.starts_with("header."),
        name => subject == name,
    };
    if there.iter().any(is) {
        return Ok(());
    }
    let tls = matches!(subject, "certificate.left" | "tls.version" | "tls.group");
    let why =
        if tls && !place.encrypted && place.kind != CheckKind::Dns { ", as there is no TLS to judge" } else { "" };
    Err(format!("begins with nothing that this check sees{why}; there are {}", there.join(", ")))
}

fn operator(rest: &str) -> Result<(Operator, &str), String> {
    const SIGNS: [(&str, Operator); 7] = [
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::More),
        ("contains ", Operator::Contains),
    ];
    let found = SIGNS.iter().find_map(|(sign, it)| rest.strip_prefix(sign).map(|value| (*it, value)));
    found.ok_or_else(|| "has no operator after its subject: write ==, !=, <, <=, >, >= or contains, and a value".into())
}

fn written(value: &str) -> Result<Written, String> {
    if value.is_empty() {
        return Err("has no value after its operator".into());
    }
    if value.starts_with('"') {
        let text = serde_json::from_str(value);
        let text =
            text.map_err(|_| "has a value whose quotation marks do not end at its end: write \"…\" (and \\\" within)")?;
        return Ok(Written { text, quoted: true });
    }
    if value.contains(char::is_whitespace) || value.contains('"') {
        return Err("has a value of several words without quotation marks: write \"…\" around it".into());
    }
    Ok(Written { text: value.to_owned(), quoted: false })
}

fn test(subject: &str, operator: Operator, value: &Written) -> Result<Test, String> {
    match subject {
        "status" | "answers" => {
            operator.orders(subject)?;
            let number = value.text.parse().map_err(|_| format!("compares {subject} with no whole number"))?;
            Ok(if subject == "status" { Test::Status(operator, number) } else { Test::Answers(operator, number) })
        }
        "latency" => {
            operator.compares(subject)?;
            let span: Span = value.text.parse().map_err(|_| "compares latency with no time: write 800ms or 2s")?;
            Ok(Test::Latency(operator, span.duration()))
        }
        "certificate.left" => {
            operator.compares(subject)?;
            Ok(Test::Left(operator, left(&value.text)?))
        }
        "tls.version" => {
            operator.orders(subject)?;
            let version = match value.text.as_str() {
                "TLSv1.2" => Version::Tls12,
                "TLSv1.3" => Version::Tls13,
                _ => return Err("compares tls.version with something else than TLSv1.2 or TLSv1.3".into()),
            };
            Ok(Test::Version(operator, version))
        }
        "tls.group" => operator.is_of_text(subject).map(|()| Test::Group(operator, value.text.clone())),
        "body" => operator.is_of_text(subject).map(|()| Test::Body(operator, value.text.clone())),
        "answer" => {
            operator.is_of_text(subject)?;
            Ok(Test::Answer(operator, value.text.trim_end_matches('.').to_ascii_lowercase()))
        }
        _ => named(subject, operator, value),
    }
}

fn named(subject: &str, operator: Operator, value: &Written) -> Result<Test, String> {
    if let Some(name) = subject.strip_prefix("header.") {
        operator.is_of_text("header")?;
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| "names no header: write header.content-type, for example")?;
        return Ok(Test::Header(name, operator, value.text.clone()));
    }
    let path = path(subject.strip_prefix("json").unwrap_or(subject))?;
    let wanted = match serde_json::from_str(&value.text) {
        Ok(plain @ (Value::Number(_) | Value::Bool(_) | Value::Null)) if !value.quoted => plain,
        _ => Value::String(value.text.clone()),
    };
    let orders = !matches!(operator, Operator::Equal | Operator::Unequal | Operator::Contains);
    if orders && !wanted.is_number() {
        return Err("can ask for more or less than a number only".into());
    }
    Ok(Test::Json(path, operator, wanted))
}

/// `.db.nodes[0].state`, `.db.nodes.0.state`.
fn path(text: &str) -> Result<Vec<String>, String> {
    const WRONG: &str = "has no good way through JSON: write json.db.nodes[0].state, for example";
    let text = text.replace('[', ".").replace(']', "");
    let steps: Vec<String> = text.split('.').skip(1).map(str::to_owned).collect();
    if steps.iter().any(String::is_empty) || steps.len() > MOST_STEPS { Err(WRONG.into()) } else { Ok(steps) }
}

fn left(text: &str) -> Result<Left, String> {
    const WRONG: &str =
        "compares certificate.left with neither a part of its life, such as 25%, nor a time, such as 10d";
    match text.strip_suffix('%') {
        Some(number) => {
            let percent = number.trim_end().parse().ok().filter(|it| (0.0..=100.0).contains(it));
            percent.map(Left::Percent).ok_or_else(|| WRONG.into())
        }
        None => text.parse::<Span>().map(|span| Left::Time(span.duration())).map_err(|_| WRONG.into()),
    }
}

impl Operator {
    /// For what has an order and is whole.
    fn orders(self, subject: &str) -> Result<(), String> {
        if self == Self::Contains {
            return Err(format!("asks what {subject} contains: write ==, !=, <, <=, > or >="));
        }
        Ok(())
    }

    /// For what is measured, and never exactly something.
    fn compares(self, subject: &str) -> Result<(), String> {
        if matches!(self, Self::Less | Self::AtMost | Self::More | Self::AtLeast) {
            return Ok(());
        }
        Err(format!("asks for an exact {subject}: write <, <=, > or >="))
    }

    fn is_of_text(self, subject: &str) -> Result<(), String> {
        if matches!(self, Self::Equal | Self::Unequal | Self::Contains) {
            return Ok(());
        }
        Err(format!("asks for more or less than a text: for {subject} write ==, != or contains"))
    }
}
