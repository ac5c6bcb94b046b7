//! Second factors of a sign-in: codes of an authenticator app, and recovery codes; and proving once more who one is.

use aaa::{Created, Done, Fields, Operation, Password, Route, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;

use super::{SERVICE, get, post};
use crate::roles::Recently;

/// What the caller has besides their password.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SecondFactor {
    /// Since when an authenticator app gives codes; absent when none does.
    pub totp_since: Option<Timestamp>,
    /// How many passkeys there are.
    pub passkeys: u32,
    /// How many recovery codes are left.
    pub recovery_codes_left: u32,
    /// A lost second factor was removed and no new one is set up: to be done soon.
    pub enrol_again: bool,
}

/// What the caller has besides their password.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetSecondFactor {}
impl Operation for GetSecondFactor {
    const ROUTE: Route = get("/api/auth/second-factor");
    type Policy = Signed;
    type Reply = SecondFactor;
}

/// What an authenticator app is given. Shown this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct TotpSetup {
    /// The secret in base32, to be typed.
    pub secret: String,
    /// The same as an `otpauth:` address.
    pub url: String,
    /// The same as a QR code: an SVG image.
    pub qr_svg: String,
}

/// Begins to set up an authenticator app (RFC 6238); another begin replaces the secret. Nothing is asked at sign-in
/// until it is confirmed.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct BeginTotp {}
impl Operation for BeginTotp {
    const ROUTE: Route = post("/api/auth/totp");
    type Policy = Recently;
    type Reply = Created<TotpSetup>;
}

/// Codes for the day when the second factor is lost. Shown this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryCodes {
    /// Each stands in for the second factor once.
    pub recovery_codes: Vec<String>,
}

/// Proves that the authenticator app works, and asks for its codes at every sign-in from now on.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ConfirmTotp {
    /// What the app shows now.
    #[schemars(length(max = 64))]
    pub code: String,
}
impl Operation for ConfirmTotp {
    const ROUTE: Route = post("/api/auth/totp/confirm");
    type Policy = Signed;
    type Reply = RecoveryCodes;
}

/// Asks for codes of the authenticator app no more.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct RemoveTotp {}
impl Operation for RemoveTotp {
    const ROUTE: Route = Route::delete(SERVICE, "/api/auth/totp");
    type Policy = Recently;
    type Reply = Done;
}

/// Makes new recovery codes; the old ones work no more.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct MakeRecoveryCodes {}
impl Operation for MakeRecoveryCodes {
    const ROUTE: Route = post("/api/auth/recovery-codes");
    type Policy = Recently;
    type Reply = RecoveryCodes;
}

/// A fresh access token of the same session.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct AccessToken {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u32,
    /// When the caller proved who they are: now.
    pub authenticated_at: Timestamp,
    /// Whether that proof had a second factor.
    pub second_factor: bool,
}

/// Proves once more who the caller is, before something grave: what asks for a recent proof refuses otherwise with
/// `insufficient_user_authentication` (401). Refresh and resume give tokens that say so too.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ProveAgain {
    /// The password.
    pub password: Password,
    /// The code of the authenticator app, or a recovery code, from those who have a second factor.
    #[schemars(length(max = 64))]
    pub otp: Option<String>,
}
impl Operation for ProveAgain {
    const ROUTE: Route = post("/api/auth/step-up");
    type Policy = Signed;
    type Reply = AccessToken;
}
