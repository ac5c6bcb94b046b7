//! Public keys as JSON (RFC 7517): what is published, what is trusted, and thumbprints.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A public key as JWKS publishes it (RFC 7517, RFC 7518, RFC 8037).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Jwk {
    /// `OKP` or `EC`.
    pub kty: String,
    /// `Ed25519` or `P-256`.
    pub crv: String,
    /// The public key, or its first coordinate, base64url.
    pub x: String,
    /// The second coordinate, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Which key it is; tokens name it.
    pub kid: String,
    /// `EdDSA` or `ES256`: the only algorithm that this key is used with.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The keys that verify access tokens.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Jwks {
    /// The keys, the signing one first.
    pub keys: Vec<Jwk>,
}

/// The key material is unusable.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is unusable: {0}")]
pub struct KeyError(pub(super) String);

/// A public key and the one algorithm it is used with.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) alg: Algorithm,
    pub(super) key: DecodingKey,
}

/// Bytes of an Ed25519 key, and of a coordinate on P-256.
const COORDINATE: usize = 32;

impl Jwk {
    /// An Ed25519 key.
    pub(super) fn ed25519(public: &[u8]) -> Self {
        Self::named("OKP", "Ed25519", "EdDSA", BASE64_URL_SAFE_NO_PAD.encode(public), None)
    }

    /// A key on P-256, from its uncompressed point.
    pub(super) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let coordinates = point.strip_prefix(&[4]).filter(|it| it.len() == COORDINATE * 2);
        let (x, y) = coordinates.ok_or_else(|| KeyError("not a point on P-256".into()))?.split_at(COORDINATE);
        let [x, y] = [x, y].map(|coordinate| BASE64_URL_SAFE_NO_PAD.encode(coordinate));
        Ok(Self::named("EC", "P-256", "ES256", x, Some(y)))
    }

    fn named(kty: &str, crv: &str, alg: &str, x: String, y: Option<String>) -> Self {
        let (kty, crv, alg, usage) = (kty.into(), crv.into(), alg.into(), "sig".into());
        let unnamed = Self { kty, crv, x, y, kid: String::new(), alg, usage };
        let kid = unnamed.thumbprint().chars().take(16).collect();
        Self { kid, ..unnamed }
    }

    /// What identifies the key whoever names it: SHA-256 over its required members (RFC 7638).
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.kty, &self.crv, &self.x, self.y.as_deref())
    }

    /// To verify with, if it is of a kind that is known here.
    pub(super) fn verifying(&self) -> Option<VerifyingKey> {
        let alg = match (self.kty.as_str(), self.crv.as_str(), self.alg.as_str(), &self.y) {
            ("OKP", "Ed25519", "EdDSA", None) => Algorithm::EdDSA,
            ("EC", "P-256", "ES256", Some(_)) => Algorithm::ES256,
            _ => return None,
        };
        if self.usage != "sig" {
            return None;
        }
        verifying(alg, &self.x, self.y.as_deref())
    }
}

/// The key with these coordinates, each of the right length.
pub(super) fn verifying(alg: Algorithm, x: &str, y: Option<&str>) -> Option<VerifyingKey> {
    let coordinates = [Some(x), y];
    for coordinate in coordinates.into_iter().flatten() {
        BASE64_URL_SAFE_NO_PAD.decode(coordinate).ok().filter(|bytes| bytes.len() == COORDINATE)?;
    }
    let key = match y {
        None => DecodingKey::from_ed_components(x),
        Some(y) => DecodingKey::from_ec_components(x, y),
    };
    Some(VerifyingKey { alg, key: key.ok()? })
}

/// RFC 7638: SHA-256 over the required members, in the order of their names, without spaces.
pub(super) fn thumbprint(kty: &str, crv: &str, x: &str, y: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Required<'a> {
        crv: &'a str,
        kty: &'a str,
        x: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        y: Option<&'a str>,
    }
    let required = serde_json::to_vec(&Required { crv, kty, x, y }).unwrap_or_default();
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(required))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        // RFC 8037, appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(thumbprint("OKP", "Ed25519", x, None), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_of_another_kind_use_or_length_is_not_trusted() {
        let good = Jwk::ed25519(&[7; 32]);
        assert!(good.verifying().is_some());
        let not = |change: fn(&mut Jwk)| {
            let mut jwk = good.clone();
            change(&mut jwk);
            assert!(jwk.verifying().is_none(), "{jwk:?}");
        };
        not(|jwk| jwk.alg = "HS256".into());
        not(|jwk| jwk.alg = "ES256".into());
        not(|jwk| jwk.kty = "oct".into());
        not(|jwk| jwk.usage = "enc".into());
        not(|jwk| jwk.x = "AAAA".into());
        not(|jwk| jwk.y = Some(jwk.x.clone()));
    }
}
