//! Double entry: what may happen to balances, and an engine that makes it happen fast and durably.
//!
//! Promises: every transfer's entries sum to zero; a limited balance never goes below its floor, held funds included; a
//! command happens whole or not at all; the history is append-only, in the database too; what was answered is on disk.
//! Three parts: the rules, pure ([`Book`], [`Command`], [`Refusal`]); the only SQL ([`Book::load`], [`Book::save`],
//! [`balances`], [`entries`], [`verify`]); and the [`Engine`], which gathers concurrent commands into one transaction.
//! Must not know requests, people or protocols: the service that owns the ledger gives the engine its [`Desk`].
#![warn(missing_docs)]
#![deny(clippy::arithmetic_side_effects)]

mod book;
mod engine;
mod rules;
mod store;

pub use self::store::{Line, MIGRATIONS, QUERIES, balance_at, balances, entries, verify};
pub use book::{Book, decide};
pub use engine::{Desk, Engine, Limits, Results, SubmitError};
pub use rules::{Balance, Command, HeldFunds, HoldState, Refusal};
