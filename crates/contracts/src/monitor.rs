//! `monitor`: whether everything works.

use aaa::{Document, Fields, Open, Operation, Route, Scoped};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use crate::roles::Superusers;
use crate::scopes::Read;

mod board;
mod checks;
mod incidents;
mod links;
mod span;

pub use board::*;
pub use checks::*;
pub use incidents::*;
pub use span::{NoSpan, Span};

pub use links::{
    Agreement, Certificate, GetLinks, GetReport, Judged, Link, LinkState, Links, Lists, Outlook, Process, Report,
    TakeReport,
};

/// The service's name.
pub const SERVICE: &str = "monitor";

/// How a service does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Health {
    /// It answers, and so does what it needs.
    Up,
    /// It does not answer, or something it needs does not.
    Down,
}

/// A service, as the monitor last saw it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// How it does.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// When it was last asked.
    pub checked_at: Timestamp,
    /// Its version.
    pub version: Option<String>,
    /// What it says of itself.
    pub truths: Vec<Truth>,
}

/// Something that must hold, and whether it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Truth {
    /// What must hold: "entries sum to zero".
    pub name: String,
    /// Whether it does.
    pub holds: bool,
}

/// The state of the whole bank.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// `up` when every service is.
    pub health: Health,
    /// When it was put together.
    pub at: Timestamp,
    /// Each service.
    pub services: Vec<ServiceStatus>,
}

/// Whether everything works; open to anyone, and therefore without particulars.
#[derive(Serialize, Deserialize, JsonSchema, Fields, Default)]
pub struct GetStatus {
    /// Only this service.
    #[schemars(length(max = 40))]
    pub app: Option<String>,
}
impl Operation for GetStatus {
    const ROUTE: Route = Route::get(SERVICE, "/api/status");
    type Policy = Open;
    type Reply = Status;
}

/// Everything that can be counted, as OpenMetrics 1.0 text: for a Prometheus that shows a personal token.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetMetrics {}
impl Operation for GetMetrics {
    const ROUTE: Route = Route::get(SERVICE, "/api/metrics");
    type Policy = Scoped<Superusers, Read>;
    type Reply = Document;
}
