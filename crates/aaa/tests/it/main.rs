//! The layer through its public door: a small service with one operation of each kind.

mod answers;
mod parameters;
mod shop;
mod wrong_use;
