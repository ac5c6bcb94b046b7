//! Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037), verified without asking anybody.
//!
//! One algorithm per key: the header's `alg` chooses nothing. A verdict is cached, so that a token in use costs one
//! signature check; expiry and revocation are looked at on every use.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vocabulary::{Clock, SessionId, Timestamp, UserId};

use crate::principal::Principal;

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For which services.
    pub aud: String,
    /// The person: their id.
    pub sub: String,
    /// End, in seconds since the epoch.
    pub exp: i64,
    /// Beginning, in seconds since the epoch.
    pub nbf: i64,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// Identifies the token.
    pub jti: String,
    /// The session it belongs to.
    pub sid: SessionId,
    /// The name the person signs in with.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// What the token is good for, separated by spaces; absent: the person's whole authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the person last proved who they are, in seconds since the epoch.
    pub auth_time: i64,
    /// How they proved it (RFC 8176); `mfa` when by more than one factor.
    pub amr: Vec<String>,
    /// The key that the token is bound to, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// The key that a bound token is good with, and only with it (RFC 7800, RFC 9449).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of the client's public key (RFC 7638).
    pub jkt: String,
}

/// The method that [`Claims::amr`] names when there was more than one factor (RFC 8176).
const MORE_THAN_ONE_FACTOR: &str = "mfa";

/// A public key as JWKS publishes it (RFC 7517, RFC 8037).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The public key, base64url.
    pub x: String,
    /// Which key it is; tokens name it.
    pub kid: String,
    /// `EdDSA`.
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

/// Signs access tokens.
pub struct Signer {
    key: EncodingKey,
    jwk: Jwk,
    issuer: String,
    audience: String,
}

/// The key material is unusable.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is unusable: {0}")]
pub struct KeyError(String);

impl Signer {
    /// From the 32 secret bytes of an Ed25519 key (RFC 8032).
    pub fn from_seed(seed: &[u8; 32], issuer: &str, audience: &str) -> Result<Self, KeyError> {
        let failed = |error: &dyn std::fmt::Display| KeyError(error.to_string());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|e| failed(&e))?;
        let pkcs8 = pair.to_pkcs8().map_err(|e| failed(&e))?;
        let public = pair.public_key().as_ref();
        let kid = hex::encode(Sha256::digest(public)).chars().take(16).collect();
        let jwk = Jwk {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: BASE64_URL_SAFE_NO_PAD.encode(public),
            kid,
            alg: "EdDSA".into(),
            usage: "sig".into(),
        };
        Ok(Self {
            key: EncodingKey::from_ed_der(pkcs8.as_ref()),
            jwk,
            issuer: issuer.into(),
            audience: audience.into(),
        })
    }

    /// The public keys to publish.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: vec![self.jwk.clone()] }
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
        Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: who.id.to_string(),
            exp: who.expires.seconds(),
            nbf: who.issued.seconds(),
            iat: who.issued.seconds(),
            jti: who.token.clone().unwrap_or_default(),
            sid: who.session,
            login: who.login.clone(),
            name: who.name.clone(),
            groups: who.groups.clone(),
            scope: who.scopes.as_ref().map(|scopes| scopes.join(" ")),
            auth_time: who.authenticated.seconds(),
            amr: if who.second_factor { vec![MORE_THAN_ONE_FACTOR.into()] } else { Vec::new() },
            cnf: who.bound_to.clone().map(|jkt| Confirmation { jkt }),
        }
    }

    /// The token for these claims, as they are.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.jwk.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|error| KeyError(error.to_string()))
    }
}

/// Tokens that end before their time; told to every verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Verifies access tokens. Clones share keys, cache and revocations.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    issuer: String,
    audience: String,
    clock: Clock,
    keys: RwLock<HashMap<String, DecodingKey>>,
    verdicts: moka::sync::Cache<[u8; 32], Arc<Principal>>,
    revoked: RwLock<Revoked>,
}

#[derive(Default)]
struct Revoked {
    sessions: HashMap<SessionId, Timestamp>,
    users: HashMap<UserId, (Timestamp, Timestamp)>,
}

/// How far clocks of two machines may differ.
const LEEWAY: Duration = Duration::from_secs(5);
/// No token is longer; nor is anything longer looked at.
const MAX_TOKEN: usize = 4096;
/// Verdicts kept at a time; each is well under a kilobyte.
const VERDICTS: u64 = 20_000;

/// Why a token is refused: for the audit record only, never for the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No `Authorization: Bearer …`.
    #[error("no access token")]
    Missing,
    /// Not a JWT of ours: broken, wrong algorithm, unknown key, missing claim, wrong issuer or audience, bad signature.
    #[error("not a token of this bank")]
    Invalid,
    /// Before `nbf`.
    #[error("token not valid yet")]
    Early,
    /// After `exp`.
    #[error("token expired")]
    Expired,
    /// Its session was ended.
    #[error("token revoked")]
    Revoked,
}

impl Verifier {
    /// A verifier for tokens of `issuer` meant for `audience`; it knows no key until [`Verifier::trust`].
    pub fn new(issuer: &str, audience: &str, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.into(),
            audience: audience.into(),
            clock,
            keys: RwLock::default(),
            verdicts: moka::sync::Cache::builder().max_capacity(VERDICTS).time_to_live(Duration::from_mins(15)).build(),
            revoked: RwLock::default(),
        }))
    }

    /// Trusts exactly these keys from now on; cached verdicts are dropped.
    pub fn trust(&self, jwks: &Jwks) {
        let known = jwks.keys.iter().filter(|jwk| jwk.kty == "OKP" && jwk.crv == "Ed25519" && jwk.alg == "EdDSA");
        let keys =
            known.filter_map(|jwk| Some((jwk.kid.clone(), DecodingKey::from_ed_components(&jwk.x).ok()?))).collect();
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.0.verdicts.invalidate_all();
    }

    /// Refuses what `revocation` names, from now on.
    pub fn revoke(&self, revocation: &Revocation) {
        let now = self.0.clock.now();
        let mut revoked = self.0.revoked.write().unwrap_or_else(PoisonError::into_inner);
        revoked.sessions.retain(|_, until| *until > now);
        revoked.users.retain(|_, (_, until)| *until > now);
        match revocation {
            Revocation::Session { id, until } => {
                revoked.sessions.insert(*id, *until);
            }
            Revocation::User { id, before, until } => {
                revoked.users.insert(*id, (*before, *until));
            }
        }
    }

    /// Who the token stands for, if it holds now.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Invalid);
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let principal = if let Some(principal) = self.0.verdicts.get(&digest) {
            principal
        } else {
            let principal = Arc::new(self.read(token)?);
            self.0.verdicts.insert(digest, Arc::clone(&principal));
            principal
        };
        self.still_holds(&principal)?;
        Ok(principal)
    }

    fn still_holds(&self, principal: &Principal) -> Result<(), Refusal> {
        if self.0.clock.now() >= principal.expires {
            return Err(Refusal::Expired);
        }
        let revoked = self.0.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let person = revoked.users.get(&principal.id).is_some_and(|(before, _)| principal.issued <= *before);
        if person || revoked.sessions.contains_key(&principal.session) { Err(Refusal::Revoked) } else { Ok(()) }
    }

    fn read(&self, token: &str) -> Result<Principal, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Invalid)?;
        let kid = header.kid.ok_or(Refusal::Invalid)?;
        if header.alg != Algorithm::EdDSA
            || header.typ.as_deref().is_some_and(|typ| typ != "JWT")
            || header.crit.is_some()
        {
            return Err(Refusal::Invalid);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.set_audience(&[&self.0.audience]);
        validation.set_issuer(&[&self.0.issuer]);
        // Time is ours to check: the clock is handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims: Claims = {
            let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
            let key = keys.get(&kid).ok_or(Refusal::Invalid)?;
            jsonwebtoken::decode(token, key, &validation).map_err(|_| Refusal::Invalid)?.claims
        };
        if self.0.clock.now().plus(LEEWAY) < Timestamp::from_seconds(claims.nbf) {
            return Err(Refusal::Early);
        }
        Ok(Principal {
            id: claims.sub.parse().map_err(|_| Refusal::Invalid)?,
            login: claims.login,
            name: claims.name,
            groups: claims.groups,
            scopes: claims.scope.map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect()),
            session: claims.sid,
            issued: Timestamp::from_seconds(claims.iat),
            expires: Timestamp::from_seconds(claims.exp),
            authenticated: Timestamp::from_seconds(claims.auth_time),
            second_factor: claims.amr.iter().any(|method| method == MORE_THAN_ONE_FACTOR),
            token: Some(claims.jti),
            bound_to: claims.cnf.map(|confirmation| confirmation.jkt),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claire(clock: &Clock) -> Principal {
        let claire = Principal::named("claire", ["member"]).during(clock.now(), clock.now().plus(TEN_MINUTES));
        Principal { token: Some("1".into()), session: SessionId(uuid::Uuid::from_u128(2)), ..claire }
    }

    fn claims(clock: &Clock) -> Claims {
        Signer::from_seed(&[7; 32], "us", "them").unwrap().claims(&claire(clock))
    }

    const TEN_MINUTES: Duration = Duration::from_mins(10);

    fn setup() -> (Clock, Signer, Verifier) {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let signer = Signer::from_seed(&[7; 32], "us", "them").unwrap();
        let verifier = Verifier::new("us", "them", clock.clone());
        verifier.trust(&signer.jwks());
        (clock, signer, verifier)
    }

    #[test]
    fn a_token_holds_until_it_expires_even_when_its_verdict_is_cached() {
        let (clock, signer, verifier) = setup();
        let token = signer.sign(&claims(&clock)).unwrap();
        assert_eq!(verifier.verify(&token).unwrap().login, "claire");
        clock.advance(Duration::from_secs(599));
        assert!(verifier.verify(&token).is_ok());
        clock.advance(Duration::from_secs(1));
        assert_eq!(verifier.verify(&token), Err(Refusal::Expired));
    }

    #[test]
    fn a_token_tells_the_whole_principal() {
        let (clock, signer, verifier) = setup();
        let (scopes, bound_to) = (Some(vec!["read".to_owned(), "pay".to_owned()]), Some("thumbprint".to_owned()));
        let restricted = Principal { scopes, bound_to, second_factor: true, ..claire(&clock) };
        for who in [claire(&clock), restricted, Principal { scopes: Some(Vec::new()), ..claire(&clock) }] {
            assert_eq!(*verifier.verify(&signer.sign(&signer.claims(&who)).unwrap()).unwrap(), who);
        }
    }

    #[test]
    fn wrong_issuer_audience_key_time_and_signature_are_refused() {
        let (clock, signer, verifier) = setup();
        let good = claims(&clock);
        let refused = |claims: &Claims, signer: &Signer| verifier.verify(&signer.sign(claims).unwrap()).unwrap_err();
        assert_eq!(refused(&Claims { iss: "x".into(), ..good.clone() }, &signer), Refusal::Invalid);
        assert_eq!(refused(&Claims { aud: "x".into(), ..good.clone() }, &signer), Refusal::Invalid);
        assert_eq!(refused(&Claims { nbf: good.nbf + 60, ..good.clone() }, &signer), Refusal::Early);
        let stranger = Signer::from_seed(&[8; 32], "us", "them").unwrap();
        assert_eq!(refused(&good, &stranger), Refusal::Invalid);
        let token = signer.sign(&good).unwrap();
        let (body, signature) = token.rsplit_once('.').unwrap();
        let other = signer.sign(&Claims { login: "mallory".into(), ..good }).unwrap();
        assert_eq!(
            verifier.verify(&format!("{}.{signature}", other.rsplit_once('.').unwrap().0)),
            Err(Refusal::Invalid)
        );
        assert_eq!(verifier.verify(&format!("{body}.")), Err(Refusal::Invalid));
        assert_eq!(verifier.verify(""), Err(Refusal::Invalid));
    }

    #[test]
    fn unsigned_and_symmetric_tokens_are_refused() {
        let (clock, signer, verifier) = setup();
        let body = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims(&clock)).unwrap());
        let kid = &signer.jwks().keys[0].kid;
        let none = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","typ":"JWT","kid":"{kid}"}}"#));
        assert_eq!(verifier.verify(&format!("{none}.{body}.")), Err(Refusal::Invalid));
        // The classic confusion: the public key used as an HMAC secret.
        let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(signer.jwks().keys[0].x.as_bytes());
        let forged = jsonwebtoken::encode(&header, &claims(&clock), &key).unwrap();
        assert_eq!(verifier.verify(&forged), Err(Refusal::Invalid));
    }

    #[test]
    fn a_revoked_session_or_person_is_refused_at_once_and_later_tokens_are_not() {
        let (clock, signer, verifier) = setup();
        let (one, until) = (claims(&clock), clock.now().plus(Duration::from_hours(1)));
        let token = signer.sign(&one).unwrap();
        assert!(verifier.verify(&token).is_ok());
        verifier.revoke(&Revocation::Session { id: one.sid, until });
        assert_eq!(verifier.verify(&token), Err(Refusal::Revoked));
        let other = Claims { sid: SessionId(uuid::Uuid::from_u128(3)), ..one.clone() };
        let token = signer.sign(&other).unwrap();
        verifier.revoke(&Revocation::User { id: one.sub.parse().unwrap(), before: clock.now(), until });
        assert_eq!(verifier.verify(&token), Err(Refusal::Revoked));
        clock.advance(Duration::from_secs(1));
        let later = Claims { sid: other.sid, ..claims(&clock) };
        assert!(verifier.verify(&signer.sign(&later).unwrap()).is_ok());
    }
}
