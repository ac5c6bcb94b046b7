//! Holds conditions against what was seen. Pure.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Number, Value};
use vocabulary::Timestamp;

use super::{Condition, Facts, Left, Operator, Test, Version};
use crate::outcome::Verdict;

/// Conditions that are told of at once.
const MOST_TOLD: usize = 3;

/// What to think of it: what `must` hold and does not is bad, what `should` hold poor.
pub(crate) fn judge(must: &[Condition], should: &[Condition], facts: &Facts, now: Timestamp) -> Verdict {
    let seen = Seen { facts, now, json: OnceCell::new() };
    if let Some(words) = seen.broken(must) {
        return Verdict::Bad(words);
    }
    seen.broken(should).map_or(Verdict::Good, Verdict::Poor)
}

struct Seen<'a> {
    facts: &'a Facts,
    now: Timestamp,
    /// Read when the first condition asks for it.
    json: OnceCell<Option<Value>>,
}

/// Whether it holds, or what was there instead.
type Held = Result<(), String>;

fn held(holds: bool, instead: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(instead()) }
}

fn other() -> String {
    "it is something else".into()
}

impl Seen<'_> {
    fn broken(&self, conditions: &[Condition]) -> Option<String> {
        let words = |it: &Condition| self.held(&it.test).err().map(|instead| format!("{}: {instead}", it.text));
        let mut broken: Vec<String> = conditions.iter().filter_map(words).collect();
        let more = broken.len().saturating_sub(MOST_TOLD);
        broken.truncate(MOST_TOLD);
        if more > 0 {
            broken.push(format!("and {more} more"));
        }
        (!broken.is_empty()).then(|| broken.join("; "))
    }

    fn held(&self, test: &Test) -> Held {
        match test {
            Test::Status(operator, wanted) => number(*operator, self.facts.status.map(u64::from), *wanted),
            Test::Answers(operator, wanted) => {
                let count = self.facts.answers.as_ref().and_then(|it| u64::try_from(it.len()).ok());
                number(*operator, count, *wanted)
            }
            Test::Latency(operator, wanted) => {
                let seen = self.facts.latency;
                held(operator.admits(seen.cmp(wanted)), || format!("it is {}", Spoken(seen)))
            }
            Test::Left(operator, wanted) => self.left(*operator, *wanted),
            Test::Version(operator, wanted) => {
                let Some(agreed) = &self.facts.agreed else { return Err("there is no TLS".into()) };
                let version = if agreed.protocol == "TLSv1.3" { Version::Tls13 } else { Version::Tls12 };
                held(operator.admits(version.cmp(wanted)), || format!("it is {}", version.name()))
            }
            Test::Group(operator, wanted) => {
                let Some(agreed) = &self.facts.agreed else { return Err("there is no TLS".into()) };
                held(operator.fits(&agreed.group, wanted), || format!("it is {}", agreed.group))
            }
            Test::Body(operator, wanted) => self.body(*operator, wanted),
            Test::Header(name, operator, wanted) => {
                let values: Vec<_> = self.facts.headers.get_all(name).iter().collect();
                if values.is_empty() {
                    return Err("there is no such header".into());
                }
                let texts: Vec<_> = values.iter().map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
                held(operator.fits_one(texts.iter().map(AsRef::as_ref), |text| operator.fits(text, wanted)), other)
            }
            Test::Answer(operator, wanted) => {
                let answers = self.facts.answers.as_deref().unwrap_or_default();
                if answers.is_empty() {
                    return Err("there is none".into());
                }
                let fits = |text: &str| fits_answer(*operator, text, wanted);
                held(operator.fits_one(answers.iter().map(String::as_str), fits), || "no answer is like that".into())
            }
            Test::Json(path, operator, wanted) => self.json(path, *operator, wanted),
        }
    }

    fn left(&self, operator: Operator, wanted: Left) -> Held {
        let Some(certificate) = &self.facts.certificate else { return Err("there is no certificate".into()) };
        let left = certificate.until.since(self.now);
        match wanted {
            Left::Time(wanted) => held(operator.admits(left.cmp(&wanted)), || format!("it is {}", Spoken(left))),
            Left::Percent(wanted) => {
                let whole = certificate.until.since(certificate.from).as_secs_f64();
                let percent = if whole > 0.0 { left.as_secs_f64() / whole * 100.0 } else { 0.0 };
                let order = percent.partial_cmp(&wanted);
                held(order.is_some_and(|it| operator.admits(it)), || format!("it is {percent:.1}%"))
            }
        }
    }

    fn body(&self, operator: Operator, wanted: &str) -> Held {
        let Some(body) = &self.facts.body else { return Err("there is none".into()) };
        let text = String::from_utf8_lossy(body);
        // What was not read could hold it, or be what makes the difference.
        let cut = || if self.facts.cut { "the answer is larger than what is read of it".into() } else { other() };
        match operator {
            Operator::Contains => {
                let instead = || if self.facts.cut { cut() } else { "it does not contain that".into() };
                held(text.contains(wanted), instead)
            }
            _ => held(!self.facts.cut && operator.fits(text.trim(), wanted.trim()), cut),
        }
    }

    fn json(&self, path: &[String], operator: Operator, wanted: &Value) -> Held {
        if self.facts.cut {
            return Err("the answer is larger than what is read of it".into());
        }
        let read = || self.facts.body.as_ref().and_then(|body| serde_json::from_slice(body).ok());
        let Some(mut value) = self.json.get_or_init(read).as_ref() else { return Err("the answer is no JSON".into()) };
        for step in path {
            let inner = match value {
                Value::Object(fields) => fields.get(step),
                Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(inner) = inner else { return Err("there is nothing at that place".into()) };
            value = inner;
        }
        compared(value, operator, wanted)
    }
}

fn compared(value: &Value, operator: Operator, wanted: &Value) -> Held {
    match (value, wanted) {
        (Value::Number(seen), Value::Number(wanted)) if operator != Operator::Contains => {
            held(order(seen, wanted).is_some_and(|it| operator.admits(it)), || format!("it is {seen}"))
        }
        (Value::String(seen), Value::String(wanted)) => held(operator.fits(seen, wanted), other),
        (Value::Array(items), wanted) if operator == Operator::Contains => {
            let instead = || "it does not contain that".into();
            held(items.iter().any(|item| compared(item, Operator::Equal, wanted).is_ok()), instead)
        }
        (seen, wanted) => {
            let instead = || match seen {
                Value::Bool(it) => format!("it is {it}"),
                Value::Null => "it is null".into(),
                Value::Number(it) => format!("it is {it}"),
                Value::String(_) => "it is a text".into(),
                Value::Array(_) => "it is a list".into(),
                Value::Object(_) => "it is an object".into(),
            };
            held(
                (operator == Operator::Equal && seen == wanted) || (operator == Operator::Unequal && seen != wanted),
                instead,
            )
        }
    }
}

/// Whole numbers exactly, all others as nearly as they were read.
fn order(seen: &Number, wanted: &Number) -> Option<Ordering> {
    let whole = |it: &Number| it.as_i64().map(i128::from).or_else(|| it.as_u64().map(i128::from));
    match (whole(seen), whole(wanted)) {
        (Some(seen), Some(wanted)) => Some(seen.cmp(&wanted)),
        _ => seen.as_f64()?.partial_cmp(&wanted.as_f64()?),
    }
}

fn number(operator: Operator, seen: Option<u64>, wanted: u64) -> Held {
    let Some(seen) = seen else { return Err("there is none".into()) };
    held(operator.admits(seen.cmp(&wanted)), || format!("it is {seen}"))
}

/// An address is never part of another one, as `192.0.2.1` would be of `192.0.2.10`.
fn fits_answer(operator: Operator, seen: &str, wanted: &str) -> bool {
    match (seen.parse::<IpAddr>(), wanted.parse::<IpAddr>()) {
        (Ok(seen), Ok(wanted)) => (seen == wanted) != (operator == Operator::Unequal),
        _ => operator.fits(&seen.to_ascii_lowercase(), wanted),
    }
}

impl Operator {
    /// Whether something that stands so to what is wanted is what is asked for.
    const fn admits(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Contains => false,
        }
    }

    fn fits(self, seen: &str, wanted: &str) -> bool {
        match self {
            Self::Equal => seen == wanted,
            Self::Unequal => seen != wanted,
            Self::Contains => seen.contains(wanted),
            Self::Less | Self::AtMost | Self::More | Self::AtLeast => false,
        }
    }

    /// Of several, one has to fit; but none may be what is not wanted.
    fn fits_one<'a>(self, mut all: impl Iterator<Item = &'a str>, fits: impl Fn(&str) -> bool) -> bool {
        if self == Self::Unequal { all.all(fits) } else { all.any(fits) }
    }
}

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// A span of time, as exactly as anybody needs it.
pub(crate) struct Spoken(pub(crate) Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
        let seconds = self.0.as_secs();
        // From two on, so that nothing is rounded by more than a half.
        let unit = UNITS.iter().find(|(length, _)| seconds >= length.saturating_mul(2));
        match unit {
            Some((length, name)) => write!(f, "{} {name}", seconds.checked_div(*length).unwrap_or(seconds)),
            None if seconds >= 2 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            None => write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0),
        }
    }
}
