//! The secret message of a club, at four steps: over plain HTTP, sealed with a shared key, over HTTPS under the club's
//! own authority, and for members with certificates alone.
//!
//! Knows no bank, and decides nothing about cryptography but Fernet's format: TLS comes from `pki` and `chassis`.
#![warn(missing_docs)]

pub mod club;
pub mod fernet;
pub mod fetch;
pub mod keys;
pub mod mistake;
pub mod serve;
