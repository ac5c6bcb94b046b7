//! Randomness that is handed in: the system's for real, a seed's for tests.

use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// A source of random bytes. Cheap to clone; clones share one stream.
#[derive(Clone)]
pub struct Chance(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<ChaCha20Rng>>),
}

impl Chance {
    /// The operating system's generator, fit for keys.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A repeatable stream for tests and demonstrations. Never for keys that guard anything.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))))
    }

    /// `N` random bytes.
    ///
    /// Aborts the process when the operating system has no randomness to give: no safe way on exists from there.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the one door to system randomness")]
            Source::System => {
                if getrandom::fill(&mut bytes).is_err() {
                    std::process::abort();
                }
            }
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes),
        }
        bytes
    }

    /// A number in `0..bound`, near enough to uniform for everything but keys (0 when `bound` is 0).
    pub fn below(&self, bound: u64) -> u64 {
        u64::from_le_bytes(self.bytes()).checked_rem(bound).unwrap_or(0)
    }
}

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Chance(system)",
            Source::Seeded(_) => "Chance(seeded)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn a_seed_repeats_and_two_seeds_differ() {
        let (a, b, c) = (Chance::seeded(1), Chance::seeded(1), Chance::seeded(2));
        let first: [u8; 16] = a.bytes();
        assert_eq!(first, b.bytes());
        assert_ne!(first, c.bytes());
        assert_ne!(Chance::system().bytes::<16>(), Chance::system().bytes::<16>());
    }
}
