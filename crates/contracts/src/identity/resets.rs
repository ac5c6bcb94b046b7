//! The way back for those who lost their second factor: one agent proposes, another one decides.

use aaa::{Created, Done, Fields, FourEyes, May, On, Open, Operation, Parties, Password, Right, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Login, Reason, RequestId, Timestamp, UserId};

use super::{ManageUser, get, post};
use crate::Page;
use crate::roles::Staff;

/// Where a reset stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ResetState {
    /// The person asked; no agent has looked at it yet.
    Asked,
    /// An agent made sure who asks; another one decides.
    Proposed,
    /// Done: the second factors are gone.
    Approved,
    /// Refused.
    Rejected,
    /// Not decided in time.
    Expired,
}

/// Somebody lost their second factor, and asks that it be removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FactorReset {
    /// Identifies it.
    pub id: RequestId,
    /// Whose second factor it is.
    pub person: UserId,
    /// Their login.
    pub login: Login,
    /// Their name.
    pub name: String,
    /// Where it stands.
    pub state: ResetState,
    /// The agent who proposed it.
    pub proposer: Option<UserId>,
    /// Their login.
    pub proposer_login: Option<String>,
    /// How the proposer made sure who asks; of a refused one, why it was refused.
    pub reason: Option<String>,
    /// When it was asked for, or proposed unasked.
    pub created_at: Timestamp,
    /// When it ends undecided.
    pub expires_at: Timestamp,
}

impl Parties for FactorReset {
    fn parties(&self) -> impl Iterator<Item = UserId> {
        std::iter::once(self.person).chain(self.proposer)
    }
}

/// Asks for the removal of a lost second factor. The answer never tells whether the login and the password are right;
/// an agent of the bank gets in touch.
#[derive(Fields, Serialize, Deserialize, JsonSchema)]
pub struct AskFactorReset {
    /// The login as typed.
    #[schemars(length(max = 256))]
    pub login: String,
    /// The password.
    pub password: Password,
}
impl Operation for AskFactorReset {
    const ROUTE: Route = post("/api/auth/factor-reset");
    type Policy = Open;
    type Reply = Done;
}

/// Proposes to remove somebody's second factors, once it is sure who asks. Another agent decides.
#[derive(Fields, Serialize, Deserialize, JsonSchema)]
pub struct ProposeFactorReset {
    /// The person.
    pub id: UserId,
    /// How it was made sure that it is they who ask.
    pub reason: Reason,
}
impl On<UserId> for ProposeFactorReset {
    fn on(&self) -> UserId {
        self.id
    }
}
impl Operation for ProposeFactorReset {
    const ROUTE: Route = post("/api/auth/users/{id}/factor-reset");
    type Policy = May<Staff, ManageUser>;
    type Reply = Created<FactorReset>;
}

/// The resets that wait, oldest first. Agents see those of members and agents; superusers all.
#[derive(Fields, Serialize, Deserialize, JsonSchema)]
pub struct ListFactorResets {}
impl Operation for ListFactorResets {
    const ROUTE: Route = get("/api/auth/factor-resets");
    type Policy = Staff;
    type Reply = Page<FactorReset>;
}

/// May decide a reset: whoever may act on the person, and neither proposed it nor is the person.
pub struct DecideFactorReset;
impl Right for DecideFactorReset {
    const NAME: &'static str = "decide factor reset";
    type Id = RequestId;
}

/// Removes the person's second factors and ends all their sessions: they sign in by password alone, and set up a new
/// second factor.
#[derive(Fields, Serialize, Deserialize, JsonSchema)]
pub struct ApproveFactorReset {
    /// The reset.
    pub id: RequestId,
}
impl On<RequestId> for ApproveFactorReset {
    fn on(&self) -> RequestId {
        self.id
    }
}
impl Operation for ApproveFactorReset {
    const ROUTE: Route = post("/api/auth/factor-resets/{id}/approve");
    type Policy = FourEyes<Staff, DecideFactorReset>;
    type Reply = FactorReset;
}

/// Refuses a reset: nothing changes for the person.
#[derive(Fields, Serialize, Deserialize, JsonSchema)]
pub struct RejectFactorReset {
    /// The reset.
    pub id: RequestId,
    /// Why.
    pub reason: Reason,
}
impl On<RequestId> for RejectFactorReset {
    fn on(&self) -> RequestId {
        self.id
    }
}
impl Operation for RejectFactorReset {
    const ROUTE: Route = post("/api/auth/factor-resets/{id}/reject");
    type Policy = FourEyes<Staff, DecideFactorReset>;
    type Reply = FactorReset;
}
