//! The layer through its public door: a small service with one operation of each kind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod answers;
mod credentials;
mod desk;
mod parameters;
mod policies;
mod shop;
mod wrong_use;
