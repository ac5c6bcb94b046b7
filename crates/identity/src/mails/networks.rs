//! Networks that a person signed in from before, so that a sign-in from another one can be told.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};
use store::{StoreError, Transaction};
use vocabulary::{Timestamp, UserId};

use crate::service::Identity;
use crate::store as rows;

impl Identity {
    /// Whether the person never signed in from there; from now on they did. Kept as a keyed hash: nobody needs to read
    /// where people are.
    pub(crate) async fn is_new_network(
        &self,
        tx: &mut Transaction,
        person: UserId,
        client: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(network) = client.and_then(network) else { return Ok(false) };
        let keyed = Sha256::new().chain_update(self.networks_pepper).chain_update(network.to_string());
        let digest: [u8; 32] = keyed.finalize().into();
        let known = rows::network_seen(tx, person, digest).await?;
        rows::see_network(tx, person, digest, now).await?;
        Ok(!known)
    }
}

/// An address of IPv4, or the /64 of IPv6, which is one household.
fn network(client: &str) -> Option<IpAddr> {
    match client.parse::<IpAddr>().ok()?.to_canonical() {
        address @ IpAddr::V4(_) => Some(address),
        IpAddr::V6(address) => Some(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_one_network_and_junk_is_none() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("proxy"), None);
    }
}
