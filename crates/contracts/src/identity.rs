//! `identity`: people, how they sign in, and their sessions.

use aaa::{Created, Done, Fields, Jwks, May, On, Open, Operation, Password, Right, Route, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Email, Login, PersonName, Reason, SessionId, Timestamp, UserId};

use crate::roles::{Recently, Role, Staff, Superusers};
use crate::scopes::Readers;
use crate::{Cursor, Limit, Page};

mod factors;
mod links;
mod notices;
mod passkeys;
mod resets;
mod tokens;

pub use factors::*;
pub use links::*;
pub use notices::*;
pub use passkeys::*;
pub use resets::*;
pub use tokens::*;

/// The service's name.
pub const SERVICE: &str = "identity";

const fn get(path: &'static str) -> Route {
    Route::get(SERVICE, path)
}
const fn post(path: &'static str) -> Route {
    Route::post(SERVICE, path)
}

/// Where a person stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum UserState {
    /// Registered; an agent has not decided yet.
    Pending,
    /// May sign in.
    Active,
    /// May not sign in any more.
    Disabled,
    /// Refused by an agent.
    Rejected,
}

/// The language of pages and mails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Language {
    /// French.
    #[default]
    Fr,
    /// English.
    En,
}

/// A person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Identifies the person.
    pub id: UserId,
    /// The name they sign in with.
    pub login: Login,
    /// Their e-mail address.
    pub email: Email,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// What they do here.
    pub role: Role,
    /// Where they stand.
    pub state: UserState,
    /// Language of pages and mails.
    pub language: Language,
    /// When they registered.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_login_at: Option<Timestamp>,
}

/// Asks to become a member. An agent activates before the first sign-in.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct Register {
    /// The name to sign in with.
    pub login: Login,
    /// At least 12 characters; neither common nor made of the other fields.
    pub password: Password,
    /// Where the bank writes to.
    pub email: Email,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Language of pages and mails; French unless given.
    pub language: Option<Language>,
}
impl Operation for Register {
    const ROUTE: Route = post("/api/auth/register").idempotent();
    type Policy = Open;
    type Reply = Created<User>;
}

/// Tokens for a session.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token ends.
    pub expires_in: u32,
    /// Gives new tokens once, at `/api/auth/refresh`.
    pub refresh_token: String,
}

/// Signs in, by HTTP Basic or by fields. The refusal is the same whatever the reason, but for one: a right password
/// without the second factor that the person has is `second-factor-required` (401).
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct SignIn {
    /// The login; taken as typed, since a wrong one is refused like a wrong password.
    #[schemars(length(max = 256))]
    pub login: String,
    /// The password.
    pub password: Password,
    /// The code of the authenticator app, or a recovery code, from those who have a second factor.
    #[schemars(length(max = 64))]
    pub otp: Option<String>,
    /// What this browser was given when the person signed in with it before: strangers' failures do not slow it down.
    #[schemars(length(max = 256))]
    pub device: Option<String>,
}
impl SignIn {
    /// With a password alone.
    pub fn new(login: impl Into<String>, password: Password) -> Self {
        Self { login: login.into(), password, otp: None, device: None }
    }
}
impl Operation for SignIn {
    const ROUTE: Route = post("/api/auth/login").basic();
    type Policy = Open;
    type Reply = Tokens;
}

/// Exchanges a refresh token for new tokens. Each works once; a second use ends the session.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct Refresh {
    /// From the last sign-in or refresh.
    #[schemars(length(max = 256))]
    pub refresh_token: String,
}
impl Operation for Refresh {
    const ROUTE: Route = post("/api/auth/refresh");
    type Policy = Open;
    type Reply = Tokens;
}

/// Ends this session: its access and refresh tokens are refused everywhere at once.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct SignOut {}
impl Operation for SignOut {
    const ROUTE: Route = post("/api/auth/logout");
    type Policy = Signed;
    type Reply = Done;
}

/// Tells who the caller is.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct WhoAmI {}
impl Operation for WhoAmI {
    const ROUTE: Route = get("/api/auth/whoami");
    type Policy = Readers;
    type Reply = User;
}

/// The caller's own profile.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetProfile {}
impl Operation for GetProfile {
    const ROUTE: Route = get("/api/auth/profile");
    type Policy = Readers;
    type Reply = User;
}

/// Changes the caller's own profile; fields left out stay.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct EditProfile {
    /// Another e-mail address; refused where the bank sends mails: there a link to the new address changes it.
    pub email: Option<Email>,
    /// Another first name.
    pub first_name: Option<PersonName>,
    /// Another last name.
    pub last_name: Option<PersonName>,
    /// Another language.
    pub language: Option<Language>,
}
impl Operation for EditProfile {
    const ROUTE: Route = Route::patch(SERVICE, "/api/auth/profile");
    type Policy = Signed;
    type Reply = User;
}

/// Changes the caller's own password. Every other session of theirs ends, and every personal token.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ChangePassword {
    /// The password that is valid now.
    pub old_password: Password,
    /// The one to use from now on.
    pub new_password: Password,
}
impl Operation for ChangePassword {
    const ROUTE: Route = post("/api/auth/password");
    type Policy = Recently;
    type Reply = Done;
}

/// People, newest first. Agents see members and agents; superusers see everyone.
#[derive(Serialize, Deserialize, JsonSchema, Fields, Default)]
pub struct ListUsers {
    /// Only those in this state.
    pub state: Option<UserState>,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those whose login, name or e-mail contains this.
    #[schemars(length(max = 100))]
    pub search: Option<String>,
    /// From `next` of the page before.
    pub cursor: Option<Cursor>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
}
impl Operation for ListUsers {
    const ROUTE: Route = get("/api/auth/users");
    type Policy = Staff;
    type Reply = Page<User>;
}

/// Creates an agent, active at once.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct CreateAgent {
    /// The name to sign in with.
    pub login: Login,
    /// The first password; to be changed by the agent.
    pub password: Password,
    /// Where the bank writes to.
    pub email: Email,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
}
impl Operation for CreateAgent {
    const ROUTE: Route = post("/api/auth/users").idempotent();
    type Policy = Superusers;
    type Reply = Created<User>;
}

/// May see a person: themselves, an agent on members and agents, a superuser on all.
pub struct SeeUser;
impl Right for SeeUser {
    const NAME: &'static str = "see user";
    type Id = UserId;
}

/// May act on a person: agents on members, superusers on agents and superusers; nobody on themselves.
pub struct ManageUser;
impl Right for ManageUser {
    const NAME: &'static str = "manage user";
    type Id = UserId;
}

/// One person.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetUser {
    /// The person.
    pub id: UserId,
}
impl On<UserId> for GetUser {
    fn on(&self) -> UserId {
        self.id
    }
}
impl Operation for GetUser {
    const ROUTE: Route = get("/api/auth/users/{id}");
    type Policy = May<Signed, SeeUser>;
    type Reply = User;
}

macro_rules! managing {
    ($($(#[$doc:meta])* $name:ident $route:expr => $reply:ty, { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        pub struct $name {
            /// The person.
            pub id: UserId,
            $($(#[$fdoc])* pub $field: $type,)*
        }
        impl On<UserId> for $name {
            fn on(&self) -> UserId {
                self.id
            }
        }
        impl Operation for $name {
            const ROUTE: Route = $route;
            type Policy = May<Staff, ManageUser>;
            type Reply = $reply;
        }
    )+};
}

managing! {
    /// Lets a pending, rejected or disabled person sign in.
    ActivateUser post("/api/auth/users/{id}/activate") => User, {}
    /// Ends all sessions of a person and lets them sign in no more.
    DisableUser post("/api/auth/users/{id}/disable") => User, {
        /// Why; shown to staff.
        reason: Option<Reason>,
    }
    /// Refuses someone who registered.
    RejectUser post("/api/auth/users/{id}/reject") => User, {
        /// Why; shown to staff.
        reason: Option<Reason>,
    }
    /// Lets somebody sign in at once who had to wait after too many failures.
    UnlockUser post("/api/auth/users/{id}/unlock") => Done, {}
    /// Removes a person. Refused (409) while they have open accounts.
    DeleteUser Route::delete(SERVICE, "/api/auth/users/{id}") => Done, {}
}

/// A browser's sign-in: the web's cookie is the opaque secret of a session that identity keeps.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct BrowserSession {
    /// The cookie's value. Whoever holds it is signed in.
    pub secret: String,
    /// Signs the browser's calls until it ends; then resume again.
    pub access_token: String,
    /// Seconds until the access token ends.
    pub expires_in: u32,
    /// When the session ends at the latest, whatever is done.
    pub ends_at: Timestamp,
    /// Who signed in.
    pub user: User,
    /// Their sign-in before this one.
    pub previous_login_at: Option<Timestamp>,
    /// What this browser is known by from now on, to be kept for long and given at the next sign-in; only when the
    /// session was opened without one that is known.
    pub device: Option<String>,
}

/// Signs a browser in. Refused exactly like [`SignIn`].
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct OpenBrowserSession {
    /// The login as typed.
    #[schemars(length(max = 256))]
    pub login: String,
    /// The password.
    pub password: Password,
    /// The code of the authenticator app, or a recovery code, from those who have a second factor.
    #[schemars(length(max = 64))]
    pub otp: Option<String>,
    /// What this browser was given when the person signed in with it before: strangers' failures do not slow it down.
    #[schemars(length(max = 256))]
    pub device: Option<String>,
    /// What the browser calls itself, for the list of sessions.
    #[schemars(length(max = 400))]
    pub agent: Option<String>,
}
impl OpenBrowserSession {
    /// With a password alone.
    pub fn new(login: impl Into<String>, password: Password) -> Self {
        Self { login: login.into(), password, otp: None, device: None, agent: None }
    }
}
impl Operation for OpenBrowserSession {
    const ROUTE: Route = post("/api/auth/browser-sessions");
    type Policy = Open;
    type Reply = Created<BrowserSession>;
}

/// Exchanges a browser session's secret for an access token; counts as activity. 401 once it ended.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ResumeBrowserSession {
    /// The cookie's value.
    #[schemars(length(max = 256))]
    pub secret: String,
}
impl Operation for ResumeBrowserSession {
    const ROUTE: Route = post("/api/auth/browser-sessions/resume");
    type Policy = Open;
    type Reply = BrowserSession;
}

/// One sign-in of the caller.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Identifies it.
    pub id: SessionId,
    /// Whether this very call belongs to it.
    pub current: bool,
    /// What the client called itself.
    pub agent: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// Last activity.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// The caller's living sessions, latest activity first.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct ListSessions {}
impl Operation for ListSessions {
    const ROUTE: Route = get("/api/auth/sessions");
    type Policy = Signed;
    type Reply = Page<Session>;
}

/// Ends one of the caller's sessions.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct EndSession {
    /// The session; one of somebody else answers 404.
    pub id: SessionId,
}
impl Operation for EndSession {
    const ROUTE: Route = Route::delete(SERVICE, "/api/auth/sessions/{id}");
    type Policy = Signed;
    type Reply = Done;
}

/// The keys that verify access tokens (RFC 7517).
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub struct GetJwks {}
impl Operation for GetJwks {
    const ROUTE: Route = get("/.well-known/jwks.json");
    type Policy = Open;
    type Reply = Jwks;
}
