//! Tokens that end before their time: told to every verifier, and remembered only as long as they could still be used.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use vocabulary::{SessionId, Timestamp, UserId};

use crate::principal::Principal;

/// Tokens that end before their time; told to every verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Revocation {
    /// Every token of a session. `until` is when the last of them would have ended by itself.
    Session {
        /// The session.
        id: SessionId,
        /// When this may be forgotten.
        until: Timestamp,
    },
    /// Every token of a person issued up to and including `before`.
    User {
        /// The person.
        id: UserId,
        /// Tokens issued later are good.
        before: Timestamp,
        /// When this may be forgotten.
        until: Timestamp,
    },
    /// One token.
    Token {
        /// Its `jti`.
        jti: String,
        /// When this may be forgotten.
        until: Timestamp,
    },
}

/// Most revocations of each kind that are kept one by one: some 20 MB in all. Beyond that the verifier stays right and
/// becomes blunt: every token issued until then is refused, and whoever still may signs in again.
const MOST: usize = 100_000;

/// What is revoked now.
#[derive(Default)]
pub(super) struct Revoked {
    sessions: Remembered<SessionId, Timestamp>,
    tokens: Remembered<String, Timestamp>,
    users: Remembered<UserId, (Timestamp, Timestamp)>,
    /// Everything issued up to here.
    all_before: Option<Timestamp>,
}

impl Revoked {
    pub(super) fn add(&mut self, revocation: &Revocation, now: Timestamp) {
        let kept = match revocation {
            Revocation::Session { id, until } => self.sessions.keep(*id, *until, now),
            Revocation::Token { jti, until } => self.tokens.keep(jti.clone(), *until, now),
            Revocation::User { id, before, until } => self.users.keep(*id, (*before, *until), now),
        };
        if !kept {
            tracing::warn!("more than {MOST} revocations: every token issued until now is refused");
            self.all_before = Some(now);
        }
    }

    /// Whether the token that said this is revoked.
    pub(super) fn names(&self, who: &Principal) -> bool {
        self.all_before.is_some_and(|before| who.issued <= before)
            || self.sessions.entries.contains_key(&who.session)
            || self.users.entries.get(&who.id).is_some_and(|(before, _)| who.issued <= *before)
            || who.token.as_ref().is_some_and(|jti| self.tokens.entries.contains_key(jti))
    }
}

/// What can be told twice, in any order: the later word counts.
trait Word: Copy {
    fn until(self) -> Timestamp;
    fn and(self, other: Self) -> Self;
}

impl Word for Timestamp {
    fn until(self) -> Timestamp {
        self
    }
    fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Word for (Timestamp, Timestamp) {
    fn until(self) -> Timestamp {
        self.1
    }
    fn and(self, other: Self) -> Self {
        (self.0.max(other.0), self.1.max(other.1))
    }
}

struct Remembered<K, V> {
    entries: HashMap<K, V>,
    /// How many there may be before those that are over are looked for: twice as many as were left the last time.
    sweep_at: usize,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: 1024 }
    }
}

impl<K: Eq + Hash, V: Word> Remembered<K, V> {
    /// Keeps it unless there is no room.
    fn keep(&mut self, key: K, value: V, now: Timestamp) -> bool {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, value| value.until() > now);
            self.sweep_at = self.entries.len().saturating_mul(2).clamp(1024, MOST);
        }
        if let Some(known) = self.entries.get_mut(&key) {
            *known = known.and(value);
            return true;
        }
        let room = self.entries.len() < MOST;
        if room {
            self.entries.insert(key, value);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn token(number: usize, until: Timestamp) -> Revocation {
        Revocation::Token { jti: number.to_string(), until }
    }

    #[test]
    fn what_could_no_longer_be_used_is_forgotten() {
        let (start, mut revoked) = (Timestamp::from_seconds(1_800_000_000), Revoked::default());
        let later = start.plus(Duration::from_mins(1));
        (0..1024).for_each(|number| revoked.add(&token(number, later), start));
        revoked.add(&token(5000, later.plus(Duration::from_mins(1))), later);
        assert_eq!(revoked.tokens.entries.len(), 1);
    }

    #[test]
    fn more_than_can_be_kept_refuses_every_older_token_and_forgets_none() {
        let (now, mut revoked) = (Timestamp::from_seconds(1_800_000_000), Revoked::default());
        let until = now.plus(Duration::from_hours(1));
        (0..=MOST).for_each(|number| revoked.add(&token(number, until), now));
        assert_eq!(revoked.tokens.entries.len(), MOST);
        let holder = |jti: usize, issued| Principal {
            token: Some(jti.to_string()),
            ..Principal::named("calvin", [""; 0]).during(issued, until)
        };
        assert!(revoked.names(&holder(0, now)) && revoked.names(&holder(MOST, now)));
        assert!(revoked.names(&holder(MOST + 1, now)), "an innocent one of the same time");
        assert!(!revoked.names(&holder(MOST + 1, now.plus(Duration::from_secs(1)))));
    }

    #[test]
    fn an_older_word_about_a_person_does_not_undo_a_newer_one() {
        let (now, mut revoked) = (Timestamp::from_seconds(1_800_000_000), Revoked::default());
        let calvin = Principal::named("calvin", [""; 0]).during(now, now.plus(Duration::from_hours(1)));
        let until = calvin.expires;
        revoked.add(&Revocation::User { id: calvin.id, before: now, until }, now);
        revoked.add(&Revocation::User { id: calvin.id, before: now.minus(Duration::from_secs(9)), until }, now);
        assert!(revoked.names(&calvin));
    }
}
