//! What every service is bolted to: the listener, health, the audit log, the way to stop.
//!
//! It knows no bank: the examples stand on it too.
#![warn(missing_docs)]

mod audit;
mod health;
mod listener;
mod patience;
mod shutdown;

pub use audit::AuditLog;
pub use health::{GetTruths, GetVersion, Health, Live, Ready, Truth, Version, common};
pub use listener::{Limits, Listener, ListenerError};
pub use shutdown::Shutdown;

use aaa::Problem;
use store::StoreError;

/// What a caller is answered when the store fails: 503 for what passes by itself, 500 for the rest.
pub fn store_problem(error: &StoreError) -> Problem {
    if error.is_passing() { Problem::unavailable(1, error) } else { Problem::internal(error) }
}
