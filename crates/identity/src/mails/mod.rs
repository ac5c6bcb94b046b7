//! What people are told of, in the pages and by mail.
//!
//! Promises: driven by events alone, so that no request waits for a mail; each event tells a person once, however often it
//! comes; a relay that is away loses nothing; a mail carries no balance, no amount, and no secret but a single-use link
//! where that is its point; what is about security is always told. A mail leaves twice only when this process dies
//! between the relay's acceptance and our commit, and then under the same Message-ID. Must not know of money.

pub(crate) mod choices;
mod letter;
mod mailer;
mod networks;
mod notices;
pub(crate) mod reading;
mod words;

pub use ::mail::{Encryption, MailError, Mailing, MailingSettings};
pub(crate) use letter::Letter;
pub(crate) use mailer::{Mail, Rest};
pub(crate) use notices::NEW;
pub use notices::Notices;
