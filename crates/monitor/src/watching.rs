//! Makes every check when it is due, and knows how each stands.

use std::sync::Arc;
use std::time::Duration;

use contracts::monitor::{Agreement, Certificate, State};
use vocabulary::Timestamp;

use crate::check::Check;

/// How a check stands.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its number in the database.
    pub(crate) id: i64,
    pub(crate) check: Arc<Check>,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) flapping: bool,
    pub(crate) checked_at: Option<Timestamp>,
    pub(crate) message: Option<String>,
    pub(crate) latency: Option<Duration>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) agreed: Option<Agreement>,
}
