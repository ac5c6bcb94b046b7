//! The three roles, as groups that policies name.

use std::time::Duration;

use aaa::{AnyOf, Freshness, Group, In, Signed, StepUp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person does here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Role {
    /// A client of the bank.
    Member,
    /// A clerk: decides requests, acts on members.
    Agent,
    /// Runs the bank: acts on agents and the system, decides no request.
    Superuser,
}

impl Role {
    /// As tokens and databases carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => Member::NAME,
            Self::Agent => Agent::NAME,
            Self::Superuser => Superuser::NAME,
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Member, Self::Agent, Self::Superuser].into_iter().find(|role| role.name() == name)
    }
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {$(
        $(#[$doc])*
        pub struct $name;
        impl Group for $name {
            const NAME: &'static str = $text;
        }
    )+};
}

roles! {
    /// The group of the members.
    Member = "member",
    /// The group of the agents.
    Agent = "agent",
    /// The group of the superusers.
    Superuser = "superuser",
}

/// Only agents.
pub type Agents = In<Agent>;
/// Only superusers.
pub type Superusers = In<Superuser>;
/// Proved who they are a short while ago: for what a thief of a session must not do.
pub struct Recent;
impl Freshness for Recent {
    const WITHIN: Option<Duration> = Some(Duration::from_mins(15));
}
/// Anyone who signed in, or proved once more who they are, a short while ago.
pub type Recently = StepUp<Signed, Recent>;
/// Agents and superusers.
pub type Staff = AnyOf<(Agent, Superuser)>;
