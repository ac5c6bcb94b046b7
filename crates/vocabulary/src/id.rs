//! Identifiers: UUID version 7 (RFC 9562), each kind its own type, so that an account is never taken for a request.

use uuid::{Builder, Uuid};

use crate::{Chance, Clock};

/// A new UUIDv7: sorts by the time it was made.
pub fn new_uuid(clock: &Clock, chance: &Chance) -> Uuid {
    let millis = u64::try_from(clock.now().micros().div_euclid(1000)).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &chance.bytes()).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
                 schemars::JsonSchema)]
        #[serde(transparent)]
        #[schemars(transparent, inline)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one, that sorts after those made before.
            pub fn new(clock: &Clock, chance: &Chance) -> Self {
                Self(new_uuid(clock, chance))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// A person: member, agent or superuser.
    UserId,
    /// A sign-in that can be ended.
    SessionId,
    /// An account.
    AccountId,
    /// Something a maker asked and a checker decides.
    RequestId,
    /// A booked movement: entries that sum to zero.
    TransferId,
    /// Funds set aside until a request is decided.
    HoldId,
    /// An event told to the journal.
    EventId,
    /// Something that went wrong, from the alarm to the recovery.
    IncidentId,
    /// Announced work.
    MaintenanceId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn ids_are_version_7_and_sort_by_time() {
        let (clock, chance) = (Clock::manual(Timestamp::from_seconds(1_700_000_000)), Chance::seeded(7));
        let first = AccountId::new(&clock, &chance);
        clock.advance(std::time::Duration::from_millis(1));
        let second = AccountId::new(&clock, &chance);
        assert_eq!(first.0.get_version_num(), 7);
        assert!(first < second);
    }
}
