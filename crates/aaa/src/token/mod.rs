//! Tokens: JWT (RFC 7519) verified without asking anybody, revocations, proofs of possession, and a readable kind.
//!
//! One algorithm per key: what a token's header says about itself chooses a key by name and nothing else. Every time is
//! the clock's that was handed in.

mod claims;
mod dpop;
mod jwk;
mod readable;
mod revocation;
mod signer;
mod verifier;

#[cfg(test)]
mod tests;

pub use claims::{Claims, Confirmation};
pub use dpop::Dpop;
pub use jwk::{Jwk, Jwks, KeyError};
pub use readable::{Readable, Unreadable};
pub use revocation::Revocation;
pub use signer::Signer;
pub use verifier::Verifier;

/// No token is longer; nor is anything longer looked at.
const MAX_TOKEN: usize = 4096;

/// How far clocks of two machines may differ.
const LEEWAY: std::time::Duration = std::time::Duration::from_secs(5);

/// Why a token is refused: for the audit record only, never for the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not a token of ours: broken, wrong algorithm, unknown key, missing claim, wrong issuer or audience, bad signature.
    #[error("not a token of this issuer")]
    Invalid,
    /// Before its beginning.
    #[error("token not valid yet")]
    Early,
    /// After its end.
    #[error("token expired")]
    Expired,
    /// It, its session or its person's older tokens were revoked.
    #[error("token revoked")]
    Revoked,
    /// Nothing has been heard of revocations for so long that it might be revoked: not the caller's fault.
    #[error("revocations have not been heard of for too long")]
    Unheard,
    /// The proof that the caller holds the token's key is missing or wrong (RFC 9449).
    #[error("no good proof of the token's key")]
    Unproved,
    /// The proof was used before.
    #[error("proof used before")]
    Replayed,
}

/// What the header of a JWT says. Whatever would let a token bring its own key, or change how it is to be read, is
/// refused (RFC 8725).
struct Header {
    alg: jsonwebtoken::Algorithm,
    kid: Option<String>,
    jwk: Option<jsonwebtoken::jwk::Jwk>,
}

impl Header {
    /// The header of `token`, if its type is one of `types`; `None` stands for no type at all.
    fn of(token: &str, types: &[Option<&str>]) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Invalid)?;
        let typed = types.iter().any(|known| match (known, &header.typ) {
            (Some(known), Some(typ)) => typ.eq_ignore_ascii_case(known),
            (None, None) => true,
            _ => false,
        });
        let foreign = header.jku.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some()
            || header.x5t.is_some()
            || header.x5t_s256.is_some()
            || header.crit.is_some()
            || header.zip.is_some()
            || header.enc.is_some()
            || header.cty.is_some();
        if !typed || foreign {
            return Err(Refusal::Invalid);
        }
        Ok(Self { alg: header.alg, kid: header.kid, jwk: header.jwk })
    }
}

/// The claims that `key` signed with `alg`; which of them hold is for the caller to say.
fn signed<T: serde::de::DeserializeOwned>(
    token: &str,
    alg: jsonwebtoken::Algorithm,
    key: &jsonwebtoken::DecodingKey,
) -> Result<T, Refusal> {
    let mut validation = jsonwebtoken::Validation::new(alg);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    Ok(jsonwebtoken::decode(token, key, &validation).map_err(|_| Refusal::Invalid)?.claims)
}
