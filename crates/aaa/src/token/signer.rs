//! Signing access tokens: one key, one algorithm.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::claims::Claims;
use super::jwk::{Jwk, Jwks, KeyError};
use crate::principal::Principal;

/// Signs access tokens.
pub struct Signer {
    alg: Algorithm,
    key: EncodingKey,
    /// None: the key is a shared secret, and never published.
    jwk: Option<Jwk>,
    issuer: String,
    audience: String,
}

/// Fewest bytes of a shared secret: as many as the hash has (RFC 7518, section 3.2).
pub(super) const SHORTEST_SECRET: usize = 32;

impl Signer {
    /// EdDSA, from the 32 secret bytes of an Ed25519 key (RFC 8032).
    pub fn from_seed(seed: &[u8; 32], issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|e| failed(&e))?;
        let pkcs8 = pair.to_pkcs8().map_err(|e| failed(&e))?;
        let key = EncodingKey::from_ed_der(pkcs8.as_ref());
        let jwk = Some(Jwk::ed25519(pair.public_key().as_ref()));
        Ok(Self { alg: Algorithm::EdDSA, key, jwk, issuer: issuer.into(), audience: audience.into() })
    }

    /// ES256, from the 32 secret bytes of a key on P-256: for verifiers that know no EdDSA.
    pub fn es256(secret: &[u8; 32], issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let private = PrivateKey::from_private_key(&ECDH_P256, secret).map_err(|e| failed(&e))?;
        let public = private.compute_public_key().map_err(|e| failed(&e))?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, secret, public.as_ref());
        let pkcs8 = pair.map_err(|e| failed(&e))?.to_pkcs8v1().map_err(|e| failed(&e))?;
        let (key, jwk) = (EncodingKey::from_ec_der(pkcs8.as_ref()), Some(Jwk::p256(public.as_ref())?));
        Ok(Self { alg: Algorithm::ES256, key, jwk, issuer: issuer.into(), audience: audience.into() })
    }

    /// HS256, for programs that know nothing better: whoever verifies can sign as well.
    pub fn shared(secret: &[u8], issuer: &str, audience: &str) -> Result<Self, KeyError> {
        if secret.len() < SHORTEST_SECRET {
            return Err(too_short(secret));
        }
        let key = EncodingKey::from_secret(secret);
        Ok(Self { alg: Algorithm::HS256, key, jwk: None, issuer: issuer.into(), audience: audience.into() })
    }

    /// The public keys to publish; none for a shared secret.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.jwk.iter().cloned().collect() }
    }

    /// Who signs.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// What a token for this principal says. It is named by [`Principal::token`].
    pub fn claims(&self, who: &Principal) -> Claims {
        Claims::of(who, &self.issuer, &self.audience)
    }

    /// The token for these claims, as they are.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let kid = self.jwk.as_ref().map(|jwk| jwk.kid.clone());
        let header = Header { kid, ..Header::new(self.alg) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|error| failed(&error))
    }
}

pub(super) fn too_short(secret: &[u8]) -> KeyError {
    KeyError(format!("a shared secret of {} bytes; at least {SHORTEST_SECRET}", secret.len()))
}

fn failed(error: &dyn std::fmt::Display) -> KeyError {
    KeyError(error.to_string())
}
