//! What the status page shows: how each check does, how it did, and what was agreed on.

use aaa::{Document, Fields, Open, Operation, Route, Scoped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Day, Timestamp};

use super::checks::{CheckName, Origin};
use super::incidents::{Incident, Maintenance};
use super::{Agreement, Judged, SERVICE};
use crate::identity::Language;
use crate::roles::Superusers;
use crate::scopes::Read;

/// How something does. From good to grave, but for the last two, which say that nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum State {
    /// It works.
    Up,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Down,
    /// It is being worked on, as was announced. Counts neither way.
    Maintenance,
    /// Nobody looked, or nobody could. Counts neither way.
    Unknown,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Up, Self::Degraded, Self::Down, Self::Maintenance, Self::Unknown];

    /// As databases and JSON carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Maintenance => "maintenance",
            Self::Unknown => "unknown",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// For how long something was in each state, in milliseconds. What is missing to the whole span was unknown.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// Up.
    pub up: u64,
    /// Degraded: counts as up.
    pub degraded: u64,
    /// Down.
    pub down: u64,
    /// In maintenance.
    pub maintenance: u64,
}

impl Spent {
    /// The share of the time that counts in which it worked, in millionths; nothing when no time counts.
    pub fn uptime_ppm(&self) -> Option<u32> {
        let well = u128::from(self.up).saturating_add(u128::from(self.degraded));
        let counts = well.saturating_add(u128::from(self.down));
        let ppm = well.saturating_mul(1_000_000).checked_div(counts)?;
        u32::try_from(ppm).ok()
    }
}

/// A day of the bars.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DayBar {
    /// Which one (UTC).
    pub day: Day,
    /// How it was spent; nothing before the first result.
    pub spent: Spent,
}

/// A check on the status page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BoardCheck {
    /// What it is called.
    pub name: CheckName,
    /// For people.
    pub title: String,
    /// Under what it is shown.
    pub group: Option<String>,
    /// Who wrote it down.
    pub origin: Origin,
    /// Whether everybody sees it.
    pub public: bool,
    /// How it does.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Whether it changes so often that nobody is alarmed about it for now.
    pub flapping: bool,
    /// What it said last, in words; for superusers alone.
    pub message: Option<String>,
    /// How long the last answer took, in microseconds.
    pub latency_micros: Option<u64>,
    /// The last 90 days, oldest first, today last.
    pub days: Vec<DayBar>,
    /// The share of those days in which it worked, in millionths.
    pub uptime_ppm: Option<u32>,
    /// The certificate that it showed last, where it shows one; for superusers alone.
    pub certificate: Option<Judged>,
    /// What its last connection agreed on, where it is TLS; for superusers alone.
    pub agreed: Option<Agreement>,
}

/// Everything that the status page shows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Board {
    /// The gravest of the states that are shown, maintenance and unknown aside.
    pub state: State,
    /// When it was put together.
    pub at: Timestamp,
    /// Every check, by group and title.
    pub checks: Vec<BoardCheck>,
    /// What is wrong, and what was in the last 14 days, newest first; at most 50.
    pub incidents: Vec<Incident>,
    /// What is announced or going on, soonest first.
    pub maintenances: Vec<Maintenance>,
}

/// The status page, as everybody sees it.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetBoard {}
impl Operation for GetBoard {
    const ROUTE: Route = Route::get(SERVICE, "/api/status/board");
    type Policy = Open;
    type Reply = Board;
}

/// The status page with everything on it.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetWholeBoard {}
impl Operation for GetWholeBoard {
    const ROUTE: Route = Route::get(SERVICE, "/api/monitor/board");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Board;
}

/// What took longest is what people feel: of all answers in a span, so many in a hundred were at least as quick.
/// In microseconds, exact to one in a hundred.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Half of them.
    pub p50: u64,
    /// 90 in a hundred.
    pub p90: u64,
    /// 95 in a hundred.
    pub p95: u64,
    /// 99 in a hundred.
    pub p99: u64,
    /// All of them.
    pub max: u64,
}

/// A piece of a history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// From when on.
    pub from: Timestamp,
    /// How it was spent.
    pub spent: Spent,
    /// How quick it was; nothing without an answer.
    pub latency: Option<Latency>,
}

/// How far a check is from what it is to keep.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// The share of time in which it is to work, in millionths.
    pub target_ppm: u32,
    /// Over how many days.
    pub days: u32,
    /// The time that it may be down within them, in milliseconds.
    pub budget_millis: u64,
    /// How much of that is used, in milliseconds; more than the budget when the objective is missed.
    pub used_millis: u64,
    /// How fast the budget is used: at 1000 it is just enough. Over the last hour, six hours and three days; nothing where
    /// too little is known.
    pub burn_permille: [Option<u64>; 3],
}

/// How a check did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The check.
    pub check: BoardCheck,
    /// From when on.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// How the whole was spent.
    pub spent: Spent,
    /// The share of the time that counts in which it worked, in millionths.
    pub uptime_ppm: Option<u32>,
    /// Results that say that it works, and all that count.
    pub good: u64,
    /// All results that count.
    pub counted: u64,
    /// How quick it was.
    pub latency: Option<Latency>,
    /// Piece by piece, oldest first: at most 400, each of [`History::step_millis`].
    pub points: Vec<Point>,
    /// How long a piece is.
    pub step_millis: u64,
    /// What it is to keep, if anything.
    pub objective: Option<Objective>,
    /// What was wrong in that time, newest first; at most 50.
    pub incidents: Vec<Incident>,
}

/// How a check that everybody sees did.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetHistory {
    /// Which one.
    pub name: CheckName,
    /// From when on; a day before `to` if it is missing.
    pub from: Option<Timestamp>,
    /// Up to when; now if it is missing.
    pub to: Option<Timestamp>,
}
impl Operation for GetHistory {
    const ROUTE: Route = Route::get(SERVICE, "/api/status/checks/{name}");
    type Policy = Open;
    type Reply = History;
}

/// How any check did.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetWholeHistory {
    /// Which one.
    pub name: CheckName,
    /// From when on; a day before `to` if it is missing.
    pub from: Option<Timestamp>,
    /// Up to when; now if it is missing.
    pub to: Option<Timestamp>,
}
impl Operation for GetWholeHistory {
    const ROUTE: Route = Route::get(SERVICE, "/api/monitor/checks/{name}/history");
    type Policy = Scoped<Superusers, Read>;
    type Reply = History;
}

/// What a badge says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Badge {
    /// How it does.
    #[default]
    State,
    /// The share of time in which it worked.
    Uptime,
    /// How quick half of the answers were.
    Latency,
}

/// A badge of a check that everybody sees, as SVG: for pages elsewhere.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetBadge {
    /// Which one.
    pub name: CheckName,
    /// What it says.
    #[serde(default)]
    pub of: Badge,
    /// Over how many days: 1 to 365; 30 if it is missing.
    #[schemars(range(min = 1, max = 365))]
    pub days: Option<u32>,
    /// In which language; English if it is missing.
    pub language: Option<Language>,
}
impl Operation for GetBadge {
    const ROUTE: Route = Route::get(SERVICE, "/api/status/checks/{name}/badge");
    type Policy = Open;
    type Reply = Document;
}
