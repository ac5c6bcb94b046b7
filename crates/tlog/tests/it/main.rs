//! The log through its public door: trees held to the standards' vectors and to another implementation, notes to those of the
//! standards, and every way of altering what is stored or shown.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod audit;
mod bed;
mod document;
mod entry;
mod notes;
mod tree;
mod witness;
