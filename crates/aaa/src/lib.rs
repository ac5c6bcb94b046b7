//! Who is it, may it, and note that it did: a declarative security layer for HTTP services.
//!
//! An [`Operation`] declares a route, a policy and a reply; the request type *is* the route. From that one declaration
//! come the typed parameters, the enforcement, the OpenAPI entry, the authorization matrix and the typed [`Caller`].
//!
//! Promises: a route without a policy does not compile; a handler cannot ask for a caller that its policy does not
//! identify; the order of answers is 401, 403 (group), 400, 404/403 (object), handler; every refusal is noted.
//! It knows no bank, no database and no network: callers and audit sinks are handed in.
#![warn(missing_docs)]

mod api;
mod audit;
mod call;
mod caller;
mod matrix;
mod openapi;
mod operation;
mod parameters;
mod password;
mod policy;
mod principal;
mod problem;
mod reply;
mod token;

pub use api::{Api, Gate, Module, closed};
pub use audit::{Audit, Decision};
pub use call::{Call, Context, IdempotencyKey};
pub use caller::{Caller, Directory, Transport};
pub use matrix::{Entry, table};
pub use openapi::document as openapi_document;
pub use operation::{Operation, Route};
pub use password::{Fit, HashError, Hasher, Password, PasswordHash, UnknownHash};
pub use policy::{
    AllOf, AnyOf, Enforce, Group, Groups, Guard, Identifies, In, May, On, Open, Policy, Right, Signed, Touches,
    Verdict, Who,
};
pub use principal::Principal;
pub use problem::{Fault, Faults, Problem};
pub use reply::{Created, Document, Done, Reply};
pub use token::{
    Claims, Confirmation, Dpop, Jwk, Jwks, KeyError, Readable, Refusal, Revocation, Signer, Unreadable, Verifier,
};
