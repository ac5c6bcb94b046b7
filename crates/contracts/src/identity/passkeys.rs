//! Passkeys (WebAuthn Level 3). Each ceremony has two halves: the first gives the options for the browser, the second
//! takes what the browser made of them, within five minutes and once. All bytes are base64url without padding.

use aaa::{Created, Done, Fields, Open, Operation, Route, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Label, Timestamp};

use super::{AccessToken, BrowserSession, SERVICE, get, post};
use crate::Page;
use crate::roles::Recently;

/// A passkey of the caller.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Passkey {
    /// The credential's id.
    pub id: String,
    /// What the person calls it.
    pub name: Label,
    /// Whether a provider keeps it on several devices.
    pub synced: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// Something of a kind: `{"type":"public-key"}` and what it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CredentialDescriptor {
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credential's id.
    pub id: String,
}

/// An algorithm that is taken.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CredentialParameter {
    /// Always `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As COSE numbers it.
    pub alg: i32,
}

/// The bank, as the browser shows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CredentialParty {
    /// The host.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The person, as the browser shows them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialUser {
    /// Identifies the person.
    pub id: String,
    /// Their login.
    pub name: String,
    /// Their name.
    pub display_name: String,
}

/// Which authenticators do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelection {
    /// `required`: it is found without a login.
    pub resident_key: String,
    /// The same, for older browsers.
    pub require_resident_key: bool,
    /// `required`: a finger, a face or a PIN.
    pub user_verification: String,
}

/// `PublicKeyCredentialCreationOptionsJSON`, for `PublicKeyCredential.parseCreationOptionsFromJSON`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the standard names and explains them")]
pub struct CreationOptions {
    pub rp: CredentialParty,
    pub user: CredentialUser,
    pub challenge: String,
    pub pub_key_cred_params: Vec<CredentialParameter>,
    pub timeout: u32,
    pub exclude_credentials: Vec<CredentialDescriptor>,
    pub authenticator_selection: AuthenticatorSelection,
    pub attestation: String,
}

/// `PublicKeyCredentialRequestOptionsJSON`, for `PublicKeyCredential.parseRequestOptionsFromJSON`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the standard names and explains them")]
pub struct RequestOptions {
    pub challenge: String,
    pub timeout: u32,
    pub rp_id: String,
    pub user_verification: String,
}

/// Begins to add a passkey.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct BeginPasskey {}
impl Operation for BeginPasskey {
    const ROUTE: Route = post("/api/auth/passkeys/begin");
    type Policy = Recently;
    type Reply = CreationOptions;
}

/// A passkey that was added.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct AddedPasskey {
    /// The passkey.
    pub passkey: Passkey,
    /// With the first second factor: codes for the day when it is lost, shown this once. Otherwise none.
    pub recovery_codes: Vec<String>,
}

/// Adds the passkey that the browser made. From now on the password alone signs in no more.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct AddPasskey {
    /// What the person calls it.
    pub name: Label,
    /// `response.clientDataJSON`.
    #[schemars(length(max = 4096))]
    pub client_data: String,
    /// `response.attestationObject`.
    #[schemars(length(max = 16384))]
    pub attestation: String,
}
impl Operation for AddPasskey {
    const ROUTE: Route = post("/api/auth/passkeys");
    type Policy = Recently;
    type Reply = Created<AddedPasskey>;
}

/// The caller's passkeys, newest first.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListPasskeys {}
impl Operation for ListPasskeys {
    const ROUTE: Route = get("/api/auth/passkeys");
    type Policy = Signed;
    type Reply = Page<Passkey>;
}

/// Calls a passkey of the caller something else.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct RenamePasskey {
    /// The passkey; one of somebody else answers 404.
    #[schemars(length(max = 1400))]
    pub id: String,
    /// What the person calls it.
    pub name: Label,
}
impl Operation for RenamePasskey {
    const ROUTE: Route = Route::patch(SERVICE, "/api/auth/passkeys/{id}");
    type Policy = Signed;
    type Reply = Passkey;
}

/// Removes a passkey of the caller.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct RemovePasskey {
    /// The passkey; one of somebody else answers 404.
    #[schemars(length(max = 1400))]
    pub id: String,
}
impl Operation for RemovePasskey {
    const ROUTE: Route = Route::delete(SERVICE, "/api/auth/passkeys/{id}");
    type Policy = Recently;
    type Reply = Done;
}

/// Begins to use a passkey: to sign in, or to prove once more who one is. No login is asked, so none is told.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct AskForPasskey {}
impl Operation for AskForPasskey {
    const ROUTE: Route = post("/api/auth/passkeys/ask");
    type Policy = Open;
    type Reply = RequestOptions;
}

/// Signs a browser in with a passkey. Refused like a wrong password, whatever the reason.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct SignInWithPasskey {
    /// The credential's `id`.
    #[schemars(length(max = 1400))]
    pub id: String,
    /// `response.clientDataJSON`.
    #[schemars(length(max = 4096))]
    pub client_data: String,
    /// `response.authenticatorData`.
    #[schemars(length(max = 4096))]
    pub authenticator_data: String,
    /// `response.signature`.
    #[schemars(length(max = 2048))]
    pub signature: String,
    /// What this browser was given when the person signed in with it before.
    #[schemars(length(max = 256))]
    pub device: Option<String>,
    /// What the browser calls itself, for the list of sessions.
    #[schemars(length(max = 400))]
    pub agent: Option<String>,
}
impl Operation for SignInWithPasskey {
    const ROUTE: Route = post("/api/auth/passkeys/sign-in");
    type Policy = Open;
    type Reply = Created<BrowserSession>;
}

/// Proves once more who the caller is, with a passkey instead of password and code.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ProveWithPasskey {
    /// The credential's `id`.
    #[schemars(length(max = 1400))]
    pub id: String,
    /// `response.clientDataJSON`.
    #[schemars(length(max = 4096))]
    pub client_data: String,
    /// `response.authenticatorData`.
    #[schemars(length(max = 4096))]
    pub authenticator_data: String,
    /// `response.signature`.
    #[schemars(length(max = 2048))]
    pub signature: String,
}
impl Operation for ProveWithPasskey {
    const ROUTE: Route = post("/api/auth/step-up/passkey");
    type Policy = Signed;
    type Reply = AccessToken;
}
