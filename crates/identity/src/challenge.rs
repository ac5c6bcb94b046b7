//! Challenges for passkeys that need not be kept: each says until when and for whom it holds, under a tag that only
//! instances of this service can make. Pure rules: that one works once is for the store to see.

use aws_lc_rs::hmac;
use sha2::{Digest, Sha256};
use store::Uuid;
use vocabulary::{Chance, Timestamp, UserId};

/// A challenge is chance, its end, who it is for, and the tag.
const CHANCE: usize = 16;
const END: usize = 8;
const WHO: usize = 16;
const SAID: usize = CHANCE + END + WHO;
const TAG: usize = 32;
/// Nobody, in a challenge for anyone.
const NOBODY: Uuid = Uuid::nil();

/// Makes challenges, and knows its own again.
pub(crate) struct Challenger(hmac::Key);

/// What a challenge of ours said.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Challenge {
    /// Until when it can be answered.
    pub(crate) until: Timestamp,
    /// Who adds a passkey; nobody when one is used.
    pub(crate) adds: Option<UserId>,
    /// What is kept of one that was answered.
    pub(crate) digest: [u8; 32],
}

impl Challenger {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub(crate) fn challenge(&self, until: Timestamp, adds: Option<UserId>, chance: &Chance) -> Vec<u8> {
        let who = adds.map_or(NOBODY, Uuid::from);
        let said = [chance.bytes::<CHANCE>().as_slice(), &until.micros().to_be_bytes(), who.as_bytes()].concat();
        let tag = hmac::sign(&self.0, &said);
        [said.as_slice(), tag.as_ref()].concat()
    }

    /// Nothing, if it is not one of ours.
    pub(crate) fn read(&self, challenge: &[u8]) -> Option<Challenge> {
        let (said, tag) = challenge.split_at_checked(SAID).filter(|(_, tag)| tag.len() == TAG)?;
        hmac::verify(&self.0, said, tag).ok()?;
        let (end, who) = said.get(CHANCE..)?.split_first_chunk::<END>()?;
        let who = Uuid::from_slice(who).ok()?;
        Some(Challenge {
            until: Timestamp::from_micros(i64::from_be_bytes(*end)),
            adds: (who != NOBODY).then_some(UserId(who)),
            digest: Sha256::digest(challenge).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_what_was_put_in_and_nothing_else_passes_for_one() {
        let (ours, chance) = (Challenger::new(&[1; 32]), Chance::seeded(1));
        let until = Timestamp::from_seconds(1_800_000_000);
        for adds in [None, Some(UserId(Uuid::from_u128(7)))] {
            let made = ours.challenge(until, adds, &chance);
            let read = ours.read(&made).unwrap();
            assert_eq!((read.until, read.adds), (until, adds));
            assert!(Challenger::new(&[2; 32]).read(&made).is_none(), "another bank's");
            for at in 0..made.len() {
                let mut changed = made.clone();
                changed[at] ^= 1;
                assert!(ours.read(&changed).is_none(), "changed at {at}");
            }
            assert!(ours.read(&made[1..]).is_none() && ours.read(&[&made[..], &[0]].concat()).is_none());
            assert_ne!(made, ours.challenge(until, adds, &chance));
        }
        assert!(ours.read(&[]).is_none());
    }
}
