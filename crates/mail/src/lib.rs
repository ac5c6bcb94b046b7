//! The way to a mail relay: what an operator says about it, SMTP, and the form in which a mail travels.
//!
//! Promises: no mail leaves unencrypted or to a relay that is not who it should be; whoever sends is told whether a mail was
//! taken, is wanted later, or never; a mail that is made again has the same Message-ID. Must not know what a mail says, nor
//! who is told of what.
#![warn(missing_docs)]

mod file;
mod post;

pub use file::{FileError, MailFile, MailSettings};
pub use post::{Carrier, Encryption, Letter, MailError, Mailing, MailingSettings, Message, Undelivered};
