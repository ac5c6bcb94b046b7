//! Events over NATS JetStream: from a source's outbox, sealed, to the one who keeps them, who says so to the source.
//!
//! Promises what the bus promises, whatever the broker loses: a source gives up a row only when the keeper has committed
//! it and said so. The broker is a relay that may forget, repeat and reorder; it can read no event. Every link is TLS 1.3 with
//! a certificate on both sides, whose common name decides what it may ([`Rights`]). A broker that is away stops nobody:
//! events wait in the outboxes. Must not know what the events mean, nor where they are kept.

mod admin;
mod connection;
mod receiver;
mod rights;
mod sender;
mod wire;

pub use admin::{Layout, prepare};
pub use connection::Connection;
pub use receiver::{Counts, Keeper, Poison, Receiver};
pub use rights::{Rights, RightsError};
pub use sender::Sender;

/// The stream that holds what is on its way.
const STREAM: &str = "JOURNAL";
/// The keeper's place in the stream.
const CONSUMER: &str = "journal";

/// Publications of one source that wait for the broker's acknowledgement.
const UNACKNOWLEDGED: usize = 256;

/// What can go wrong with a broker, in words for the person who has to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The settings name something that cannot be a broker.
    #[error("`{0}` is no address of a broker: it should look like `tls://nats.example.org:4222`")]
    Address(String),
    /// The link has no usable certificate.
    #[error(transparent)]
    Link(#[from] pki::PkiError),
    /// The broker could not be reached, or refused.
    #[error("cannot {action} at the broker: {why}")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// What was answered.
        why: String,
    },
    /// What stands at the broker is not what is needed, and cannot be changed into it.
    #[error("the stream {STREAM} at the broker {0}: empty it (every outbox confirmed), delete it, and run this again")]
    Differs(String),
}

impl BrokerError {
    fn of<E: std::fmt::Display>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Refused { action, why: error.to_string() }
    }
}
