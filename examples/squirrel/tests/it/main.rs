//! The program from outside: server and members are processes, and what they say is compared.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../../../stuff/tests/it/fenced.rs"]
mod fenced;
mod mistakes;
mod namespace;
mod program;
mod python;
mod readme;
mod wire;
