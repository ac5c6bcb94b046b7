//! Applications by name, what the API answers for one, and how that is judged. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use super::secret::Mask;
use crate::outgoing::{Answer, Silence};

/// Longest name.
const LONGEST: usize = 64;
/// Longest response time that is believed, in seconds: a day.
const SLOWEST: f64 = 86_400.0;
/// Latest time that is believed, in seconds since 1970: the end of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// The name of an application: also part of a file's name, so it holds nothing that means something there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct App(String);

impl App {
    /// Reads a name.
    pub(crate) fn new(name: &str) -> Result<Self, &'static str> {
        let harmless = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.chars().count() > LONGEST {
            return Err("is longer than 64 characters");
        }
        if !name.starts_with(char::is_alphanumeric) || !name.chars().all(harmless) || name.contains("..") {
            return Err("is no name: letters, digits, `-`, `_` and single `.`, beginning with a letter or digit");
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// All well.
    Ok,
    /// It works, not as it should.
    Degraded,
    /// It does not work.
    Down,
    /// Nobody knows: the API gave no answer that can be used.
    Unknown,
}

impl Status {
    /// As it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Degraded => "DEGRADED",
            Self::Down => "DOWN",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Why nothing is known, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No connection, or none that can be trusted.
    Unreachable,
    /// No whole answer in time.
    Timeout,
    /// 401 or 403.
    TokenRefused,
    /// 3xx: not followed, since the token would follow.
    Redirect,
    /// Any other status than 200.
    HttpStatus,
    /// Larger than is read.
    TooLarge,
    /// It breaks off, or is no HTTP.
    NotHttp,
    /// No JSON.
    NotJson,
    /// JSON without what is expected in it.
    Malformed,
    /// Neither OK nor DEGRADED nor DOWN.
    UnknownStatus,
    /// About another application.
    WrongApp,
}

/// What was found out about one application at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// When it was asked about.
    pub at: Timestamp,
    /// Which.
    pub app: App,
    /// How it does.
    pub status: Status,
    /// Its response time as the API told it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_time: Option<f64>,
    /// When the API says that was, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<f64>,
    /// How long the API took to answer, in milliseconds.
    pub took_ms: u64,
    /// Why its status is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The answer as it is written.
#[derive(Deserialize)]
struct Written {
    app: String,
    status: String,
    response_time: f64,
    timestamp: f64,
}

/// What can be used of an answer.
pub(crate) struct Told {
    pub(crate) status: Status,
    pub(crate) response_time: f64,
    pub(crate) timestamp: f64,
}

/// Why an answer cannot be used: never in the words of the answer, which may hold anything.
pub(crate) struct Useless {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

impl Useless {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Silence> for Useless {
    fn from(silence: Silence) -> Self {
        let reason = match silence {
            Silence::Name | Silence::Private | Silence::Connection(_) | Silence::Here(_) | Silence::Tls(_) => {
                Reason::Unreachable
            }
            Silence::Late(_) => Reason::Timeout,
            Silence::TooLarge(_) => Reason::TooLarge,
            Silence::NoHttp(_) => Reason::NotHttp,
        };
        Self::new(reason, silence.to_string())
    }
}

/// What an answer says about `app`.
pub(crate) fn judge(app: &App, answer: &Answer, mask: &Mask) -> Result<Told, Useless> {
    match answer.status.as_u16() {
        200 => {}
        code @ (401 | 403) => {
            let words = format!("the API refuses the token ({code}): look at API_TOKEN");
            return Err(Useless::new(Reason::TokenRefused, words));
        }
        code @ 300..=399 => {
            let words = format!("the API sends elsewhere ({code}), and a token is taken nowhere else: look at API_URL");
            return Err(Useless::new(Reason::Redirect, words));
        }
        code => return Err(Useless::new(Reason::HttpStatus, format!("the API answers with status {code}"))),
    }
    let written: Written = serde_json::from_slice(&answer.body).map_err(|error| {
        if error.is_data() {
            let words = "the answer lacks app, status, response_time or timestamp, or one of them is of another kind";
            Useless::new(Reason::Malformed, words)
        } else {
            Useless::new(Reason::NotJson, "the answer is no JSON")
        }
    })?;
    if written.app != app.as_str() {
        return Err(Useless::new(Reason::WrongApp, "the answer is about another application"));
    }
    let status = match written.status.as_str() {
        "OK" => Status::Ok,
        "DEGRADED" => Status::Degraded,
        "DOWN" => Status::Down,
        other => {
            let plain = other.len() <= 16 && other.chars().all(|c| c.is_ascii_alphabetic()) && !mask.shows(other);
            let said = if plain { format!(" (`{other}`)") } else { String::new() };
            let words = format!("the status{said} is none of OK, DEGRADED and DOWN");
            return Err(Useless::new(Reason::UnknownStatus, words));
        }
    };
    let (response_time, timestamp) = (written.response_time, written.timestamp);
    if !(0.0..=SLOWEST).contains(&response_time) || !(0.0..=LATEST).contains(&timestamp) {
        return Err(Useless::new(Reason::Malformed, "the answer's response_time or timestamp cannot be"));
    }
    Ok(Told { status, response_time, timestamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for good in ["App", "shop-2", "a.b_c", "Trésorerie"] {
            assert!(App::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "-a", ".a", "a..b", "a b", "a\0", "a\nb", "a?b", "a%2fb"] {
            assert!(App::new(bad).is_err(), "{bad:?}");
        }
        assert!(App::new(&"é".repeat(64)).is_ok() && App::new(&"a".repeat(65)).is_err());
    }
}
