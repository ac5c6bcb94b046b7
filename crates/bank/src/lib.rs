//! `bank`: accounts, and the requests by which money moves under four eyes.
//!
//! Promises: money moves only by a request that somebody else, who gains nothing by it, approved; funds asked for are
//! set aside at once, so that what is available can never be spent twice; accounts, requests, holds, entries and events
//! change together in one transaction or not at all; an account number is given once and never again. Keeps the
//! `ledger`; knows no other service.
#![warn(missing_docs)]

mod account;
mod command;
mod config;
mod counter;
mod desk;
mod error;
mod events;
mod request;
mod service;
mod store;
mod view;

pub use config::{BankConfig, ConfigError};
pub use error::Error;
pub use service::{Bank, operations};
pub use store::{MIGRATIONS, QUERIES};
