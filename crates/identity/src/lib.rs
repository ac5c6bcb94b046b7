//! `identity`: people, how they sign in, and their sessions.
//!
//! Promises: a sign-in is refused with one answer and one amount of work, whatever the reason; of a secret only a hash
//! is stored; whoever may sign in no more has no session and no access token that holds; every change tells the journal
//! in the transaction that makes it; several instances on one database are as one. It asks the bank whether a person has accounts before removing them, through the
//! bank's contract; it must not know anything else of money.
#![warn(missing_docs)]

mod attempts;
mod cbor;
mod challenge;
mod error;
mod events;
mod factor_reset;
mod factors;
mod import;
mod key_file;
mod links;
mod mails;
mod management;
mod passkeys;
mod person;
mod profile;
mod proof;
mod registration;
mod service;
mod session;
mod shared_secret;
mod sign_in;
mod signing_key;
mod store;
mod strength;
mod tokens;
mod totp;
mod webauthn;

pub use error::{Error, LinkFault};
pub use factor_reset::Lost;
pub use import::{Given, Import};
pub use key_file::KeyFileError;
pub use mails::{Encryption, MailError, Mailing, MailingSettings, Notices};
pub use registration::NewPerson;
pub use service::{Delivered, Identity, delivered_at_once, operations};
pub use shared_secret::{SharedSecret, SharedSecretError};
pub use signing_key::{SigningKey, SigningKeyError};
pub use store::{MIGRATIONS, QUERIES};
pub use strength::RefusedPasswords;

/// Who signs access tokens, and for whom: every service of the bank.
pub const ISSUER: &str = "guichet";
