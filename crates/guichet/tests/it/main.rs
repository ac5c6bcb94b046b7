//! Proves the bank as a whole: the built binary as a newcomer meets it, every route against every credential, bad
//! input, and `kill -9` in the middle of everything.
//!
//! Knows the API alone, and what the command line prints; only `matrix` looks into the tables, to say "nothing changed".
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod apart;
mod attacks;
mod bad_input;
mod broker;
mod client;
mod deploy;
mod doctor;
mod hosts;
mod import;
mod joining;
mod keys;
mod kill;
mod log;
mod mails;
mod matrix;
mod monitor_tool;
mod namespace;
mod newcomer;
mod openapi;
mod oracle;
mod outside;
mod people;
mod pki;
mod process;
mod soak;
mod startup;
mod timing;
mod twins;
mod unlock;
mod watching;
mod why;
mod wire;
