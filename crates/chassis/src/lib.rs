//! What every service is bolted to: the listener, health, the audit log, its secret, the way to stop.
//!
//! It knows no bank: the examples stand on it too.
#![warn(missing_docs)]

mod audit;
mod connection;
mod door;
mod elsewhere;
mod failure;
mod front;
mod health;
mod listener;
mod lobby;
mod patience;
mod reach;
mod secret;
mod shutdown;

pub use audit::AuditLog;
pub use door::{Rules, behind_door};
pub use elsewhere::{Names, Standing, State, SystemNames, Way, elsewhere, elsewhere_by};
pub use failure::{Failure, store_problem};
pub use front::{Front, FrontError};
pub use health::{
    Further, GetMeasures, GetTruths, GetVersion, Health, Live, Measure, Ready, Truth, Version, common, counted,
};
pub use listener::{Limits, Listener, ListenerError};
pub use lobby::Lobby;
pub use reach::{ReachError, reach, reach_as};
pub use secret::{SecretError, secret};
pub use shutdown::Shutdown;
