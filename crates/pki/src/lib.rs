//! The bank's own certificate authority: a root whose key is kept elsewhere, an intermediate that signs, what it signed
//! and took back, and the TLS configurations made from all that.
//!
//! Promises: a TLS configuration made here trusts the authorities it was given, never the public roots; inner links speak
//! TLS 1.3, ask both sides for a certificate and never resume a session (a resumed session would skip the check of
//! the client's certificate); nothing in a certificate is copied from a stranger's request but the public key; private
//! keys lie in files that only their owner can read, and a key that others can read is refused; files are replaced whole
//! or not at all. Time comes from a [`vocabulary::Clock`], also inside the handshake.
//!
//! Must not know: listeners, sockets, HTTP, or who asks for a certificate. Whoever accepts connections sets
//! `TCP_NODELAY`, and runs each handshake in its own task under a time limit.
#![warn(missing_docs)]

mod authority;
mod bounds;
mod events;
pub mod files;
mod folder;
mod identity;
mod index;
mod joining;
mod keys;
mod life;
mod link;
mod lists;
mod members;
mod names;
mod negotiated;
mod pinned;
mod request;
mod root;
mod show;
mod tiers;
mod tls;
mod trust;
mod verify;

pub use authority::{Authority, Created, Issued, Profile, Request, Usage, fingerprint_of};
pub use bounds::{Bound, Bounds};
pub use events::{Deed, Event};
pub use folder::Folder;
pub use identity::Identity;
pub use index::{Entry, Reason, Revoked};
pub use joining::{Grant, Token, Wish};
pub use keys::{Algorithm, Passphrase, PrivateKey, Warning};
pub use life::Life;
pub use link::Link;
pub use lists::revoked_in;
pub use members::{Member, Said};
pub use negotiated::{Negotiated, Peer};
pub use pinned::pinned_config;
pub use request::SigningRequest;
pub use root::Root;
pub use show::{Shown, show};
pub use tiers::Plan;
pub use tls::{client_config, server_config};
pub use trust::Trust;
pub use verify::{Check, reason, verify};

use std::io;
use std::path::PathBuf;

/// What can go wrong, in words for the person who has to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A private key lies open.
    #[error(
        "the private key {} can be read by other users of this machine (mode {mode:04o}): close it with `chmod 600 {}`. \
         If someone may have copied it, replace it instead",
        path.display(), path.display()
    )]
    OpenKey {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {why}. {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The authority's certificate is outside its validity.
    #[error(
        "the authority's certificate {} is valid from {from} until {until}, and now it is {now}: set the clock of this \
         machine, or, if the certificate has truly expired, move the files away so that a new authority is made",
        path.display()
    )]
    OutOfTime {
        /// The certificate file.
        path: PathBuf,
        /// First moment of validity.
        from: vocabulary::Timestamp,
        /// Last moment of validity.
        until: vocabulary::Timestamp,
        /// The moment it was looked at.
        now: vocabulary::Timestamp,
    },
    /// A private key cannot be read.
    #[error("cannot read the private key: {0}")]
    Key(String),
    /// The authority does not sign such a certificate.
    #[error("cannot issue this certificate: {0}")]
    Refused(String),
    /// A certificate is not believed; why.
    #[error("{0}")]
    Unfit(String),
    /// The key, the certificate or the TLS settings do not work together.
    #[error("cannot {action}: {why}")]
    Crypto {
        /// What was tried.
        action: &'static str,
        /// What the library answered.
        why: String,
    },
}

impl PkiError {
    fn crypto(action: &'static str) -> impl Fn(rcgen::Error) -> Self {
        move |e| Self::Crypto { action, why: e.to_string() }
    }

    fn tls(action: &'static str) -> impl Fn(rustls::Error) -> Self {
        move |e| Self::Crypto { action, why: e.to_string() }
    }
}
