//! What a personal token can be reduced to. What declares none of these is out of reach of every reduced token.

use aaa::{Scope, Scoped, Signed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::roles::Staff;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What a personal token is good for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[schemars(inline)]
        pub enum TokenScope {
            $($(#[$doc])* $name,)+
        }

        impl TokenScope {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As tokens carry it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }

        $(
            $(#[$doc])*
            pub struct $name;
            impl Scope for $name {
                const NAME: &'static str = $text;
            }
        )+
    };
}

scopes! {
    /// See one's accounts, requests, history and profile.
    Read = "read",
    /// Ask for deposits, withdrawals and transfers.
    Pay = "pay",
    /// Ask whether tokens hold, as another service does. Staff only.
    Introspect = "introspect",
}

/// Anyone who signed in, and tokens that may read.
pub type Readers = Scoped<Signed, Read>;
/// Anyone who signed in, and tokens that may ask for money to move.
pub type Payers = Scoped<Signed, Pay>;
/// Staff, and their tokens that may ask whether tokens hold.
pub type Inspectors = Scoped<Staff, Introspect>;
