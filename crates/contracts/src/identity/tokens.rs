//! Personal tokens for programs, and what other verifiers ask: whether a token holds, and what is revoked.

use aaa::{Created, Done, Faults, Fields, Operation, Revocation, Route, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Label, SessionId, Timestamp};

use super::{SERVICE, get, post};
use crate::Page;
use crate::roles::Recently;
use crate::scopes::{Inspectors, TokenScope};

/// A personal token, without the token itself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PersonalToken {
    /// Identifies it.
    pub id: SessionId,
    /// What its owner calls it.
    pub name: Label,
    /// What it is good for.
    pub scopes: Vec<TokenScope>,
    /// The thumbprint of the key it is bound to, if it is.
    pub jkt: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A personal token with the token itself. Shown this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct NewPersonalToken {
    /// Send it as `Authorization: Bearer …`, or as `DPoP …` with a proof when it is bound to a key.
    pub token: String,
    /// All about it.
    pub details: PersonalToken,
}

/// Makes a token for a program: named, ending, and good only for what is listed. Bound to the program's key, it is
/// useless to whoever has not that key (RFC 9449).
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct CreateToken {
    /// What to call it.
    pub name: Label,
    /// What it is good for.
    #[schemars(length(min = 1, max = 8))]
    pub scopes: Vec<TokenScope>,
    /// When it ends: 1 to 365 days from now.
    #[schemars(range(min = 1, max = 365))]
    pub days: u16,
    /// The thumbprint of the program's public key (RFC 7638), to bind the token to it.
    #[serde(default)]
    #[schemars(length(equal = 43))]
    pub jkt: Option<String>,
}
impl Operation for CreateToken {
    const ROUTE: Route = post("/api/auth/tokens");
    type Policy = Recently;
    type Reply = Created<NewPersonalToken>;

    fn check(&self, faults: &mut Faults) {
        let url_safe = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        let thumbprint = |jkt: &String| jkt.len() == 43 && jkt.bytes().all(url_safe);
        let fault = |wrong: bool, words: &'static str| if wrong { Err(words) } else { Ok(()) };
        faults
            .take("scopes", fault(!(1..=8).contains(&self.scopes.len()), "name at least one of read, pay, introspect"));
        faults.take("days", fault(!(1..=365).contains(&self.days), "must be from 1 to 365"));
        let bound = self.jkt.as_ref().is_none_or(thumbprint);
        faults.take("jkt", fault(!bound, "is not a SHA-256 thumbprint (RFC 7638): 43 characters of base64url"));
    }
}

/// The caller's personal tokens that have not ended, newest first.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListTokens {}
impl Operation for ListTokens {
    const ROUTE: Route = get("/api/auth/tokens");
    type Policy = Signed;
    type Reply = Page<PersonalToken>;
}

/// Ends one of the caller's personal tokens, everywhere and at once.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct RevokeToken {
    /// The token; one of somebody else answers 404.
    pub id: SessionId,
}
impl Operation for RevokeToken {
    const ROUTE: Route = Route::delete(SERVICE, "/api/auth/tokens/{id}");
    type Policy = Signed;
    type Reply = Done;
}

/// What is known of a token (RFC 7662). Of one that does not hold only that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Introspection {
    /// Whether it holds now.
    pub active: bool,
    /// The person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Their login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What it is good for, separated by spaces; absent: the person's whole authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// End, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was issued, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Identifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// `Bearer`, or `DPoP` when it is bound to a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
}

/// Tells whether a token holds (RFC 7662): for services that cannot verify it themselves.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct Introspect {
    /// The token.
    #[schemars(length(max = 4096))]
    pub token: String,
    /// As the standard allows; it changes nothing.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub token_type_hint: Option<String>,
}
impl Operation for Introspect {
    const ROUTE: Route = post("/api/auth/introspect");
    type Policy = Inspectors;
    type Reply = Introspection;
}

/// What is revoked now and would hold otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Revocations {
    /// As of when.
    pub at: Timestamp,
    /// All of them.
    pub items: Vec<Revocation>,
}

/// What is revoked now: for verifiers that start, or that were not told for a while.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListRevocations {}
impl Operation for ListRevocations {
    const ROUTE: Route = get("/api/auth/revocations");
    type Policy = Inspectors;
    type Reply = Revocations;
}
