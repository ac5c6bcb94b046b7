//! Which entries of the journal are asked for: the same filters for lists, counts, exports and what is followed.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};
use vocabulary::{Day, Text, Timestamp};

use crate::events::{Action, Audience, Level};

/// What is looked for in messages and details.
pub type SearchText = Text<1, 200>;
/// A word that names something: a source, a trace id.
pub type Name = Text<1, 64>;

/// One end of a period: a day (UTC), or a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Edge {
    /// The whole day.
    Day(Day),
    /// From this moment on, or up to it and without it.
    Moment(Timestamp),
}

impl Edge {
    /// Where a period begins that begins with it.
    pub fn start(self) -> Timestamp {
        match self {
            Self::Day(day) => day.start(),
            Self::Moment(at) => at,
        }
    }

    /// The first moment after a period that ends with it.
    pub fn end(self) -> Timestamp {
        match self {
            Self::Day(day) => day.end(),
            Self::Moment(at) => at,
        }
    }
}

impl From<Day> for Edge {
    fn from(day: Day) -> Self {
        Self::Day(day)
    }
}

impl From<Timestamp> for Edge {
    fn from(at: Timestamp) -> Self {
        Self::Moment(at)
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Moment(at) => at.fmt(f),
        }
    }
}

impl FromStr for Edge {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = || text.parse().map(Self::Moment);
        text.parse()
            .map(Self::Day)
            .or_else(|_: &str| moment())
            .map_err(|_: &str| "is neither a day nor a time: write 2026-11-21 or 2026-11-21T09:30:00Z")
    }
}

impl TryFrom<String> for Edge {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Edge> for String {
    fn from(edge: Edge) -> Self {
        edge.to_string()
    }
}

impl JsonSchema for Edge {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Edge".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "maxLength": 40, "examples": ["2026-11-21", "2026-11-21T09:30:00Z"] })
    }
}

/// Which entries are asked for. Every filter narrows further; one that may be given several times takes any of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogFilter {
    /// What this person did or what concerns them: an id or a login.
    pub user: Option<String>,
    /// Any of these actions.
    pub action: Vec<Action>,
    /// Any of these levels.
    pub level: Vec<Level>,
    /// This level or a graver one.
    pub least: Option<Level>,
    /// Whom it is for.
    pub audience: Option<Audience>,
    /// Any of these services told it.
    pub source: Vec<Name>,
    /// The beginning of the period.
    pub from: Option<Edge>,
    /// Its end.
    pub to: Option<Edge>,
    /// Words of the message or of the details.
    pub text: Option<SearchText>,
    /// The call that caused it.
    pub trace_id: Option<Name>,
    /// Only what concerns the caller.
    pub mine: bool,
}

/// Declares a request with all the filters and some fields more.
macro_rules! filtered {
    ($(#[$doc:meta])* pub struct $name:ident { $($more:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, aaa::Fields, Default)]
        pub struct $name {
            /// Only what this person did or what concerns them: an id or a login (staff).
            #[schemars(length(max = 64))]
            pub user: Option<String>,
            /// Only this action; given several times, any of them.
            #[serde(default)]
            pub action: Vec<$crate::events::Action>,
            /// Only this level; given several times, any of them.
            #[serde(default)]
            pub level: Vec<$crate::events::Level>,
            /// Only this level and graver ones.
            pub least: Option<$crate::events::Level>,
            /// Only what is for members, or only what is for staff alone.
            pub audience: Option<$crate::events::Audience>,
            /// Only what this service told; given several times, any of them.
            #[serde(default)]
            pub source: Vec<$crate::journal::Name>,
            /// From this day or moment on.
            pub from: Option<$crate::journal::Edge>,
            /// Up to this day, included, or up to this moment.
            pub to: Option<$crate::journal::Edge>,
            /// Only where words of the message or of the details begin with each of these words, whatever their capitals
            /// and accents.
            pub text: Option<$crate::journal::SearchText>,
            /// Only what this call caused.
            pub trace_id: Option<$crate::journal::Name>,
            /// Only what concerns the caller, for staff too.
            #[serde(default)]
            pub mine: bool,
            $($more)*
        }

        impl $name {
            /// Which entries it asks for.
            pub fn filter(&self) -> $crate::journal::LogFilter {
                $crate::journal::LogFilter {
                    user: self.user.clone(),
                    action: self.action.clone(),
                    level: self.level.clone(),
                    least: self.least,
                    audience: self.audience,
                    source: self.source.clone(),
                    from: self.from,
                    to: self.to,
                    text: self.text.clone(),
                    trace_id: self.trace_id.clone(),
                    mine: self.mine,
                }
            }
        }

        impl From<$crate::journal::LogFilter> for $name {
            fn from(filter: $crate::journal::LogFilter) -> Self {
                let $crate::journal::LogFilter {
                    user, action, level, least, audience, source, from, to, text, trace_id, mine,
                } = filter;
                Self {
                    user, action, level, least, audience, source, from, to, text, trace_id, mine,
                    ..Self::default()
                }
            }
        }
    };
}
pub(crate) use filtered;
