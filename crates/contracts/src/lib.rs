//! What the services offer one another and the world: one file per service, one declaration per operation.
//!
//! Promises: everything that crosses a service's border is declared here, and only here. It knows no database, no
//! transport and no rule beyond the shape of requests.
#![warn(missing_docs)]

pub mod authority;
pub mod bank;
pub mod events;
pub mod identity;
pub mod journal;
pub mod monitor;
pub mod notices;
mod page;
pub mod peers;
pub mod roles;
pub mod scopes;

pub use page::{Cursor, Limit, Page};
