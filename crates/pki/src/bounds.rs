//! The names that an authority may sign at all, written into its own certificate as name constraints.
//!
//! Whoever trusts the root checks them too, so a stolen intermediate key forges nothing outside. Must not know: keys.

use std::net::IpAddr;
use std::str::FromStr;

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use rustls::pki_types::DnsName;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::PkiError;

const MOST: usize = 50;

/// Domains and networks. None at all: any name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    domains: Vec<String>,
    networks: Vec<(IpAddr, u8)>,
}

/// One domain (with everything below it) or one network, such as `bank.internal` or `10.0.0.0/8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A domain and every name below it.
    Domain(String),
    /// A network: an address and the length of its prefix.
    Network(IpAddr, u8),
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').unwrap_or((text, ""));
        if let Ok(address) = address.parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length = if length.is_empty() { Some(most) } else { length.parse().ok() };
            return match length {
                Some(length) if length <= most => Ok(Self::Network(address, length)),
                _ => Err(format!("the prefix of a network of this kind is a number from 0 to {most}")),
            };
        }
        let domain = text.trim_start_matches('.').to_ascii_lowercase();
        match DnsName::try_from(domain.as_str()) {
            Ok(_) => Ok(Self::Domain(domain)),
            Err(_) => Err("neither a domain such as bank.internal nor a network such as 10.0.0.0/8".into()),
        }
    }
}

impl Bounds {
    /// From a list, 50 at most.
    pub fn new(bounds: impl IntoIterator<Item = Bound>) -> Result<Self, PkiError> {
        let mut within = Self::default();
        for bound in bounds {
            match bound {
                Bound::Domain(domain) => within.domains.push(domain),
                Bound::Network(address, length) => within.networks.push((address, length)),
            }
        }
        if within.domains.len().saturating_add(within.networks.len()) > MOST {
            return Err(PkiError::Refused(format!("an authority is bounded by {MOST} domains and networks at most")));
        }
        Ok(within)
    }

    /// The first of `names` that lies outside.
    pub fn outside<'a>(&self, names: &'a [String]) -> Option<&'a str> {
        names.iter().map(String::as_str).find(|name| !self.hold(name))
    }

    /// As they are written on the command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let networks = self.networks.iter().map(|(address, length)| format!("{address}/{length}"));
        self.domains.iter().cloned().chain(networks).collect()
    }

    fn hold(&self, name: &str) -> bool {
        if self.domains.is_empty() && self.networks.is_empty() {
            return true;
        }
        if let Ok(address) = name.parse::<IpAddr>() {
            return self.networks.iter().any(|(network, length)| masked(address, *length) == masked(*network, *length));
        }
        let name = name.to_ascii_lowercase();
        self.domains
            .iter()
            .any(|domain| name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    /// As the extension of a certificate. Of a kind that is not named at all nothing is permitted: without an
    /// exclusion, RFC 5280 would permit everything of it.
    pub(crate) fn constraints(&self) -> Option<NameConstraints> {
        if self.domains.is_empty() && self.networks.is_empty() {
            return None;
        }
        let mut constraints = NameConstraints { permitted_subtrees: Vec::new(), excluded_subtrees: Vec::new() };
        constraints.permitted_subtrees.extend(self.domains.iter().cloned().map(GeneralSubtree::DnsName));
        for (network, length) in &self.networks {
            let subnet = match network {
                IpAddr::V4(v4) => {
                    CidrSubnet::V4(v4.octets(), mask(*length, 32).to_be_bytes()[12..].try_into().unwrap_or_default())
                }
                IpAddr::V6(v6) => CidrSubnet::V6(v6.octets(), mask(*length, 128).to_be_bytes()),
            };
            constraints.permitted_subtrees.push(GeneralSubtree::IpAddress(subnet));
        }
        if self.domains.is_empty() {
            constraints.excluded_subtrees.push(GeneralSubtree::DnsName(String::new()));
        }
        if self.networks.is_empty() {
            constraints.excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])));
            constraints.excluded_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])));
        }
        Some(constraints)
    }

    /// What a certificate of an authority permits.
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut bounds = Self::default();
        let Ok(Some(constraints)) = certificate.name_constraints() else { return bounds };
        for tree in constraints.value.permitted_subtrees.iter().flatten() {
            match tree.base {
                GeneralName::DNSName(domain) => {
                    bounds.domains.push(domain.trim_start_matches('.').to_ascii_lowercase());
                }
                GeneralName::IPAddress(bytes) => bounds.networks.extend(network(bytes)),
                _ => {}
            }
        }
        bounds
    }
}

fn network(bytes: &[u8]) -> Option<(IpAddr, u8)> {
    let (address, mask) = bytes.split_at_checked(bytes.len().checked_div(2)?)?;
    let length: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let address = match address.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
    };
    Some((address, u8::try_from(length).ok()?))
}

/// `length` ones at the left of the last `width` bits.
fn mask(length: u8, width: u32) -> u128 {
    let all = u128::MAX.checked_shr(128_u32.saturating_sub(width)).unwrap_or(0);
    all & !all.checked_shr(u32::from(length)).unwrap_or(0)
}

/// The network part of an address, and which kind of address it is.
fn masked(address: IpAddr, length: u8) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (true, u128::from(u32::from(v4)) & mask(length, 32)),
        IpAddr::V6(v6) => (false, u128::from(v6) & mask(length, 128)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_a_domain_and_addresses_in_a_network_are_inside_and_nothing_else() {
        let bounds = Bounds::new(["bank.internal", "10.1.0.0/16", "fd00::/8"].map(|b| b.parse().unwrap())).unwrap();
        for name in ["bank.internal", "a.B.Bank.Internal", "10.1.255.3", "fdab::1"] {
            assert!(bounds.hold(name), "{name}");
        }
        for name in ["internal", "notbank.internal", "bank.internal.example", "10.2.0.1", "fe80::1", "::10.1.0.1"] {
            assert!(!bounds.hold(name), "{name}");
        }
        assert!(Bounds::default().hold("anything.example"));
        for bad in ["10.0.0.0/33", "a b", "", "https://a.example"] {
            assert!(bad.parse::<Bound>().is_err(), "{bad}");
        }
    }
}
