//! Who is it, may it, and note that it did: a declarative security layer for HTTP services.
//!
//! An [`Operation`] declares a route, a policy and a reply; the request type *is* the route. From that one declaration
//! come the typed parameters, the enforcement, the OpenAPI entry, the authorization matrix and the typed [`Caller`].
//!
//! Promises: a route without a policy does not compile; a handler cannot ask for a caller that its policy does not
//! identify; the order of answers is 401, 403 (group), 400, 404/403 (object), handler; every refusal is noted.
//! It knows no bank, no database and no network: callers and audit sinks are handed in.
#![warn(missing_docs)]

#[cfg(all(feature = "fake-auth", not(debug_assertions)))]
compile_error!("the feature `fake-auth` believes any login: it is for debug builds only");

mod api;
mod audit;
mod cache;
mod call;
mod caller;
mod credentials;
mod digest;
mod gate;
mod matrix;
mod openapi;
mod operation;
mod parameters;
mod password;
mod policy;
mod principal;
mod problem;
mod reply;
#[cfg(feature = "testing")]
pub mod testing;
mod throttle;
mod token;

pub use aaa_derive::Fields;
pub use api::{Api, Misconfigured, Module, closed};
pub use audit::{Audit, Decided, Decision};
pub use cache::Cache;
pub use call::{Call, Context, IdempotencyKey};
pub use caller::{Caller, Directory, OnBehalf, Transport, TransportError};
pub use credentials::{ClientCertificate, Credentials, People, Scheme, Tokens};
pub use digest::{Digest, DigestSecret};
pub use gate::{Extension, Gate, client_address};
pub use matrix::{Entry, table};
pub use openapi::document as openapi_document;
pub use operation::{Fields, Operation, Route};
pub use password::{Fit, HashError, Hasher, Password, PasswordHash, UnknownHash};
pub use policy::{
    AllOf, AnyOf, Closed, Demands, Enforce, FourEyes, Fresh, Freshness, Group, Groups, Guard, Identifies, In, May, On,
    Open, Parties, Policy, Right, Scope, Scoped, Signed, StepUp, Touches, Unseen, Verdict, Who,
};
pub use principal::Principal;
pub use problem::{Fault, Faults, Problem};
pub use reply::{Created, Document, Done, Reply, Streamed};
pub use throttle::Throttle;
pub use token::{
    Claims, Confirmation, Dpop, Jwk, Jwks, KeyError, Readable, Refusal, Revocation, Signer, Unreadable, Verifier,
};
