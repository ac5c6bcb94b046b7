//! Slows down guessing: every refused sign-in makes the next wait longer, for the login and for the address it came from.
//!
//! Kept in memory and bounded: a restart forgets, and under a flood of names the rarest are forgotten first. A success
//! clears its own login, never the address: somebody with one account of their own must not buy further guesses with it.
//! A login that nobody has is counted like any other, so that waiting tells nothing.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use vocabulary::{Clock, Timestamp};

use crate::problem::Problem;

/// Refusals before the first wait: people mistype.
const FREE_FOR_LOGIN: u32 = 5;
/// More for an address: offices and schools share one.
const FREE_FOR_ADDRESS: u32 = 30;
/// Refusals are forgotten when none was added for so long.
const MEMORY: Duration = Duration::from_hours(1);
/// Logins and addresses remembered at a time; each takes about a hundred bytes.
const REMEMBERED: u64 = 200_000;

/// Growing delays per key. Clones share what they remember.
#[derive(Clone)]
pub struct Throttle {
    clock: Clock,
    seen: moka::sync::Cache<String, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    refusals: u32,
    last: Timestamp,
}

impl Throttle {
    /// The longest wait.
    pub const LONGEST: Duration = Duration::from_mins(15);

    /// The wait after so many refusals: 1, 2, 4, … seconds once the `free` ones are used up, never more than
    /// [`Throttle::LONGEST`].
    pub fn delay(refusals: u32, free: u32) -> Duration {
        match refusals.checked_sub(free) {
            Some(over) => Duration::from_secs(1_u64.checked_shl(over).unwrap_or(u64::MAX)).min(Self::LONGEST),
            None => Duration::ZERO,
        }
    }

    /// Nobody waits yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, seen: moka::sync::Cache::builder().max_capacity(REMEMBERED).build() }
    }

    /// 429 while the login or the address has to wait. Nothing may be hashed before this was asked.
    pub fn admit(&self, login: &str, client: Option<&str>) -> Result<(), Problem> {
        let by_login = self.wait(&login_key(login), FREE_FOR_LOGIN);
        let by_address = client.and_then(|client| self.wait(&address_key(client), FREE_FOR_ADDRESS));
        match by_login.max(by_address) {
            Some(wait) => Err(Problem::too_many(wait).because("too many refused sign-ins")),
            None => Ok(()),
        }
    }

    /// Counts a refusal.
    pub fn failed(&self, login: &str, client: Option<&str>) {
        self.add(login_key(login));
        if let Some(client) = client {
            self.add(address_key(client));
        }
    }

    /// Clears the login's refusals; those of the address stay.
    pub fn succeeded(&self, login: &str) {
        self.seen.invalidate(&login_key(login));
    }

    /// How long an address has to wait, for work that is not about one login, such as registering.
    pub fn admit_address(&self, client: Option<&str>) -> Result<(), Problem> {
        match client.and_then(|client| self.wait(&address_key(client), FREE_FOR_ADDRESS)) {
            Some(wait) => Err(Problem::too_many(wait).because("too many tries from this address")),
            None => Ok(()),
        }
    }

    /// Counts such work against the address.
    pub fn count_address(&self, client: Option<&str>) {
        if let Some(client) = client {
            self.add(address_key(client));
        }
    }

    fn wait(&self, key: &str, free: u32) -> Option<Duration> {
        let seen = self.seen.get(key)?;
        let (now, until) = (self.clock.now(), seen.last.plus(Self::delay(seen.refusals, free)));
        (until > now).then(|| until.since(now))
    }

    fn add(&self, key: String) {
        let now = self.clock.now();
        self.seen.entry(key).and_upsert_with(|entry| {
            let before = entry.map(moka::Entry::into_value).filter(|seen| seen.last.plus(MEMORY) > now);
            Seen { refusals: before.map_or(1, |seen| seen.refusals.saturating_add(1)), last: now }
        });
    }
}

fn login_key(login: &str) -> String {
    // Longer ones are nobody's, and must not take memory.
    format!("login {}", login.trim().to_lowercase().chars().take(64).collect::<String>())
}

/// One key for all addresses that one client has: a household's IPv6 network is a /64.
fn address_key(client: &str) -> String {
    match client.parse() {
        Ok(address @ IpAddr::V4(_)) => format!("address {address}"),
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().map_or_else(
            || format!("address {}/64", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
            |mapped| format!("address {mapped}"),
        ),
        Err(_) => "address unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup() -> (Clock, Throttle) {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        (clock.clone(), Throttle::new(clock))
    }

    #[test]
    fn waits_grow_and_a_success_clears_the_login_but_not_the_address() {
        let (clock, throttle) = setup();
        for _ in 0..FREE_FOR_LOGIN {
            assert!(throttle.admit("claire", Some("192.0.2.1")).is_ok());
            throttle.failed("claire", Some("192.0.2.1"));
        }
        assert!(throttle.admit("Claire ", Some("192.0.2.9")).is_err(), "the login waits wherever it comes from");
        assert!(throttle.admit("hugo", Some("192.0.2.1")).is_ok());
        clock.advance(Duration::from_secs(1));
        assert!(throttle.admit("claire", None).is_ok());
        throttle.failed("claire", None);
        clock.advance(Duration::from_secs(1));
        assert!(throttle.admit("claire", None).is_err(), "the second wait is longer");
        throttle.succeeded("claire");
        assert!(throttle.admit("claire", None).is_ok());
        for number in 0..FREE_FOR_ADDRESS {
            throttle.failed(&format!("person {number}"), Some("192.0.2.1"));
            throttle.succeeded(&format!("person {number}"));
        }
        assert!(throttle.admit("somebody else", Some("192.0.2.1")).is_err(), "spraying");
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let (_, throttle) = setup();
        for number in 0..FREE_FOR_ADDRESS {
            throttle.failed(&format!("person {number}"), Some(&format!("2001:db8::{number:x}")));
        }
        assert!(throttle.admit("another", Some("2001:db8::ffff")).is_err());
        assert!(throttle.admit("another", Some("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn no_wait_is_longer_than_the_longest() {
        assert_eq!(Throttle::delay(u32::MAX, 5), Throttle::LONGEST);
        assert_eq!(Throttle::delay(5, 5), Duration::from_secs(1));
        assert_eq!(Throttle::delay(4, 5), Duration::ZERO);
    }
}
