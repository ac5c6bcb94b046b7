//! What happened, as every service told it.
//!
//! Promises: every event that reaches the journal is kept once, however often it comes and whether or not it can be
//! read; what a source has numbered and never delivered is noticed and said; a person sees only what concerns them, and
//! staff see everything. Must not know how events travel, nor what any other service holds.
#![warn(missing_docs)]

mod entry;
mod erasing;
mod error;
mod export;
mod following;
mod hearing;
mod keys;
mod log;
mod patrol;
mod proving;
mod quarantine;
mod receiving;
mod search;
mod service;
mod store;
mod summary;
mod words;

use aaa::{Api, Entry, Gate, Misconfigured, Module};

pub use crate::erasing::{Erased, Erasure};
pub use crate::keys::{EventKeys, EventKeysError};
pub use crate::proving::{AuditError, Audited, ForeignKey, audit, cosigned, log_key};
pub use crate::quarantine::{SetAside, forget_set_aside, set_aside};
pub use crate::receiving::Receiving;
pub use crate::service::Journal;
pub use crate::store::{MIGRATIONS, QUERIES};

/// What the journal offers.
pub fn operations() -> Vec<Entry> {
    mount(Api::listing()).entries()
}

impl Journal {
    /// The journal as a module that answers requests.
    pub fn module(self, gate: Gate) -> Result<Module, Misconfigured> {
        self.following.admitted_by(&gate);
        mount(chassis::counted(chassis::common(Api::new(self, gate)))).finish()
    }

    /// What other services alone may ask, each known by its certificate.
    pub fn inner(self, gate: Gate) -> Result<Module, Misconfigured> {
        Api::new(self, gate)
            .serve(service::take_events)
            .serve(receiving::get_events_key)
            .serve(proving::get_extension)
            .serve(proving::take_cosignature)
            .finish()
    }
}

fn mount(api: Api<Journal>) -> Api<Journal> {
    api.serve(search::list_logs)
        .serve(summary::summarize_logs)
        .serve(export::export_logs)
        .serve(following::tail_logs)
        .serve(proving::get_log)
        .serve(proving::get_log_head)
        .serve(proving::get_log_proof)
}
