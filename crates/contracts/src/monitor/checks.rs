//! What the monitor checks beside the services of the bank: how a check is written down, in the settings and by API alike.

use std::fmt;
use std::str::FromStr;

use aaa::{Done, Fields, Operation, Route, Scoped};
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};
use vocabulary::{Label, Text, Timestamp};

use super::span::Span;
use super::{SERVICE, State};
use crate::roles::Superusers;
use crate::scopes::Read;

/// What a check is called, in addresses too: 1 to 60 of `a-z 0-9 . -`, a letter or digit at both ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckName(String);

/// What is no name of a check. The words complete "`field` …".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is no name of a check: 1 to 60 of a-z, 0-9, '.' and '-', with a letter or a digit at both ends")]
pub struct NoCheckName;

impl CheckName {
    /// Longest name.
    pub const LONGEST: usize = 60;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CheckName {
    type Err = NoCheckName;
    fn from_str(text: &str) -> Result<Self, NoCheckName> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
        let fits = text.len() <= Self::LONGEST && text.bytes().all(|c| plain(c) || matches!(c, b'.' | b'-'));
        if ends && fits { Ok(Self(text.to_owned())) } else { Err(NoCheckName) }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CheckName {
    type Error = NoCheckName;
    fn try_from(text: String) -> Result<Self, NoCheckName> {
        text.parse()
    }
}

impl From<CheckName> for String {
    fn from(name: CheckName) -> Self {
        name.0
    }
}

impl JsonSchema for CheckName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CheckName".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "maxLength": Self::LONGEST })
    }
}

/// What is done to see whether something works.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum CheckKind {
    /// One GET; `target` is `https://…` or `http://…`.
    Http,
    /// A connection; `target` is `host:port`.
    Tcp,
    /// A handshake; `target` is `host:port`.
    Tls,
    /// A sign-in over TLS and `select 1`; `target` is `postgresql://role@host:port/database`.
    Postgres,
    /// A sign-in and a ping; `target` is `tls://host:port`, or `nats://host:port` in the open.
    Nats,
    /// A greeting up to EHLO, with STARTTLS where it is offered; `target` is `host:port`.
    Smtp,
    /// A question to a name server; `target` is the name, `server` whom to ask.
    Dns,
    /// Nothing: somebody else says how it does. Such are the bank's own services and truths; it cannot be configured.
    Told,
}

impl CheckKind {
    /// All that can be configured.
    pub const CONFIGURABLE: [Self; 7] =
        [Self::Http, Self::Tcp, Self::Tls, Self::Postgres, Self::Nats, Self::Smtp, Self::Dns];

    /// As settings write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::Smtp => "smtp",
            Self::Dns => "dns",
            Self::Told => "told",
        }
    }

    /// From its name, if it can be configured.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::CONFIGURABLE.into_iter().find(|kind| kind.name() == name)
    }
}

const fn usual_every() -> Span {
    Span::seconds(60)
}
const fn usual_timeout() -> Span {
    Span::seconds(10)
}
const fn usual_alarm_after() -> u32 {
    3
}
const fn usual_well_after() -> u32 {
    2
}

/// A check as it is written down: one `[checks.NAME]` of the settings, or the body of [`SetCheck`].
///
/// `must` and `should` hold conditions, each `subject operator value`: `status == 200`, `latency < 800ms`,
/// `body contains "ready"`, `json.db.state == "ok"`, `header.content-type contains json`, `certificate.left > 25%`,
/// `certificate.left > 10d`, `tls.group == X25519MLKEM768`, `answer contains 192.0.2.1`. The operators are
/// `== != < <= > >= contains`. What `must` hold and does not makes it down, what `should` hold makes it degraded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// For people; the name if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Label>,
    /// Under what it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Label>,
    /// What is done.
    pub kind: CheckKind,
    /// To what.
    #[schemars(length(max = 500))]
    pub target: String,
    /// What makes it down when it does not hold. For HTTP without any: the status is 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub must: Vec<String>,
    /// What makes it degraded when it does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub should: Vec<String>,
    /// How often; at least each second.
    #[serde(default = "usual_every")]
    pub every: Span,
    /// How long it may take; at most as long as `every`, and a minute.
    #[serde(default = "usual_timeout")]
    pub timeout: Span,
    /// How many results in a row say that it is down before it is: 1 to 10. The further ones follow quickly.
    #[serde(default = "usual_alarm_after")]
    #[schemars(range(min = 1, max = 10))]
    pub alarm_after: u32,
    /// How many in a row say that it is well again: 1 to 10.
    #[serde(default = "usual_well_after")]
    #[schemars(range(min = 1, max = 10))]
    pub well_after: u32,
    /// Checks without which this one cannot be well: while one of them is down, nobody is alarmed about this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub parents: Vec<CheckName>,
    /// Whether everybody sees it on the status page; otherwise superusers alone.
    #[serde(default)]
    pub public: bool,
    /// Whether it may lead to addresses that are not public ones: this machine, private networks.
    #[serde(default)]
    pub private: bool,
    /// The share of time in which it is to be up, such as `99.9`, over 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<Text<1, 8>>,
    /// For `dns`: the name server, `192.0.2.53` or `192.0.2.53:53`; those of the machine if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub server: Option<String>,
    /// For `dns`: which records: A (the usual), AAAA, CNAME, MX, NS, TXT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10))]
    pub record: Option<String>,
    /// In the settings only: a file with the authorities that the other side is believed by; those of the machine if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub ca_file: Option<String>,
    /// In the settings only: the certificate to show, with `key_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub certificate_file: Option<String>,
    /// In the settings only: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub key_file: Option<String>,
    /// In the settings only: a file with the token that HTTP shows as a bearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub token_file: Option<String>,
}

/// Who wrote a check down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Origin {
    /// The bank itself: its services, and what must hold in them.
    Bank,
    /// The settings of the monitor: changed there.
    Settings,
    /// A superuser, by API or page.
    Api,
}

/// A check that is made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What it is called.
    pub name: CheckName,
    /// Who wrote it down.
    pub origin: Origin,
    /// As it is written down.
    pub spec: CheckSpec,
    /// How it does.
    pub state: State,
    /// When it was made last.
    pub checked_at: Option<Timestamp>,
    /// What it said last, in words.
    pub message: Option<String>,
}

/// Every check.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListChecks {}
impl Operation for ListChecks {
    const ROUTE: Route = Route::get(SERVICE, "/api/monitor/checks");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Vec<Check>;
}

/// Makes a check, or writes it down anew. Those of the bank and of the settings cannot be changed this way.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct SetCheck {
    /// Which one.
    pub name: CheckName,
    /// As it is to be.
    pub spec: CheckSpec,
}
impl Operation for SetCheck {
    const ROUTE: Route = Route::put(SERVICE, "/api/monitor/checks/{name}");
    type Policy = Superusers;
    type Reply = Check;
}

/// Makes a check no more; its history goes with it.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct RemoveCheck {
    /// Which one.
    pub name: CheckName,
}
impl Operation for RemoveCheck {
    const ROUTE: Route = Route::delete(SERVICE, "/api/monitor/checks/{name}");
    type Policy = Superusers;
    type Reply = Done;
}

/// Makes a check once, now, without keeping anything: what it would say.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct TryCheck {
    /// As it is written down.
    pub spec: CheckSpec,
}
impl Operation for TryCheck {
    const ROUTE: Route = Route::post(SERVICE, "/api/monitor/checks/try");
    type Policy = Superusers;
    type Reply = Tried;
}

/// What a check said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// Up, degraded, down or unknown.
    pub state: State,
    /// In words: what did not hold, or why there was no answer.
    pub message: Option<String>,
    /// How long it took, in microseconds, if there was an answer.
    pub latency_micros: Option<u64>,
}
