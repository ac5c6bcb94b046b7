//! Whether everything works.
//!
//! Promises: every service is asked each second whether it can serve, and one that cannot, or does not answer within a
//! second, is shown as down; where services stand apart, what their links were agreed on and how their certificates stand is
//! known too; the answer comes from memory, so asking the monitor costs the services nothing; a journal whose history was
//! written anew is noticed. What else is checked, how it did, and who is told of it stands in a database of its own. It knows
//! nothing of what the services do.
//!
//! Beside the service stands [`tool`], which asks any API about applications from the command line.
#![warn(missing_docs)]

mod addresses;
mod alerts;
mod badge;
mod board;
mod check;
mod checks;
mod condition;
mod error;
mod events;
mod history;
mod incidents;
mod keeping;
mod latencies;
mod maintenance;
mod metrics;
mod opening;
mod outcome;
mod outgoing;
mod own;
mod probe;
mod recorder;
mod remembered;
mod reports;
mod secure;
mod service;
mod settings;
mod sight;
mod standing;
mod store;
pub mod testing;
pub mod tool;
mod trying;
mod watching;
mod witness;

use aaa::{Api, Entry, Gate, Misconfigured, Module};

pub use crate::service::{Monitor, Plan};
pub use crate::settings::{Settings, SettingsError};
pub use crate::store::{MIGRATIONS, QUERIES};
pub use crate::trying::{Attempt, NoSuchCheck, try_checks};
pub use crate::witness::witness_key;

/// What the monitor offers.
pub fn operations() -> Vec<Entry> {
    mount(Api::listing()).entries()
}

impl Monitor {
    /// The monitor as a module that answers requests.
    pub fn module(self, gate: Gate) -> Result<Module, Misconfigured> {
        mount(chassis::counted(chassis::common(Api::new(self, gate)))).finish()
    }

    /// What other services tell it, by their certificate.
    pub fn inner(self, gate: Gate) -> Result<Module, Misconfigured> {
        Api::new(self, gate).serve(service::take_report).finish()
    }
}

fn mount(api: Api<Monitor>) -> Api<Monitor> {
    api.serve(service::get_status)
        .serve(service::get_links)
        .serve(service::get_metrics)
        .serve(checks::list_checks)
        .serve(checks::set_check)
        .serve(checks::remove_check)
        .serve(checks::try_check)
        .serve(incidents::list_incidents)
        .serve(incidents::get_incident)
        .serve(incidents::note_incident)
        .serve(incidents::acknowledge_incident)
        .serve(maintenance::list_maintenances)
        .serve(maintenance::announce_maintenance)
        .serve(maintenance::end_maintenance)
        .serve(board::get_board)
        .serve(board::get_whole_board)
        .serve(board::get_history)
        .serve(board::get_whole_history)
        .serve(board::get_badge)
}
