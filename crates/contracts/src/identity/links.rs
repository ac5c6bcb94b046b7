//! Links that come by mail: for a forgotten password, and for another address.

use aaa::{Done, Fields, Open, Operation, Password, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::Email;

use super::{get, post};
use crate::roles::Recently;

/// How a forgotten password is replaced here.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetPasswordResets {}
impl Operation for GetPasswordResets {
    const ROUTE: Route = get("/api/auth/password-reset");
    type Policy = Open;
    type Reply = PasswordResets;
}

/// What the bank does for those who forgot their password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PasswordResets {
    /// It sends links by mail. If not, only its staff can help.
    pub by_mail: bool,
    /// For how many minutes a link works.
    pub minutes: u64,
}

/// Sends a link for a new password to whoever is called so, or has this address. The answer comes before anybody looks:
/// neither it nor its time tells whether there is such a person.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct AskPasswordReset {
    /// An e-mail address, or a login.
    #[schemars(length(max = 256))]
    pub who: String,
}
impl Operation for AskPasswordReset {
    const ROUTE: Route = post("/api/auth/password-reset");
    type Policy = Open;
    type Reply = Done;
}

/// Chooses a new password with the code of a link, which works once. It is no sign-in: every session and token ends, and a
/// second factor is asked for as before.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ResetPassword {
    /// The code of the link.
    #[schemars(length(max = 64))]
    pub token: String,
    /// The one to use from now on.
    pub new_password: Password,
}
impl Operation for ResetPassword {
    const ROUTE: Route = post("/api/auth/password-reset/confirm");
    type Policy = Open;
    type Reply = Done;
}

/// Sends a link to another address of the caller's; the old one is told, and holds until the link is followed.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct AskEmailChange {
    /// The address to use from then on.
    pub email: Email,
}
impl Operation for AskEmailChange {
    const ROUTE: Route = post("/api/auth/email");
    type Policy = Recently;
    type Reply = Done;
}

/// Takes another address into use, with the code of the link that was sent there.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ConfirmEmail {
    /// The code of the link.
    #[schemars(length(max = 64))]
    pub token: String,
}
impl Operation for ConfirmEmail {
    const ROUTE: Route = post("/api/auth/email/confirm");
    type Policy = Open;
    type Reply = Done;
}
