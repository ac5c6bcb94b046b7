//! Verifying access tokens.
//!
//! A verdict is cached, so that a token in use costs one signature check; expiry and revocation are looked at on every
//! use. A verifier may be told to refuse everything when it has not heard of revocations for too long.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use vocabulary::{Clock, Timestamp};

use super::claims::{Claims, OthersClaims};
use super::jwk::{Jwk, Jwks, KeyError, VerifyingKey};
use super::revocation::{Revocation, Revoked};
use super::signer::{SHORTEST_SECRET, too_short};
use super::{Header, LEEWAY, Refusal, signed};
use crate::principal::Principal;

/// Verifies access tokens. Clones share keys, cache and revocations.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    issuer: String,
    audience: String,
    clock: Clock,
    /// Whether the tokens are made by this layer, and say everything it says.
    ours: bool,
    keys: RwLock<Keys>,
    /// By the token itself: a digest of it would cost more than all the rest.
    verdicts: moka::sync::Cache<Box<str>, Verdict>,
    revoked: RwLock<Revoked>,
    /// When revocations were last heard of, and how long that may be ago, in microseconds; zero: for ever.
    heard: AtomicI64,
    patience: AtomicU64,
}

#[derive(Default)]
struct Keys {
    /// Counts the changes: a verdict of older keys does not count.
    generation: u64,
    named: HashMap<String, VerifyingKey>,
    /// A secret shared with the issuer: for tokens that name no key.
    shared: Option<DecodingKey>,
}

#[derive(Clone)]
struct Verdict {
    generation: u64,
    principal: Arc<Principal>,
}

/// Verdicts kept at a time; each is about a kilobyte.
const VERDICTS: u64 = 20_000;

/// What the header of an access token may say it is (RFC 7519, RFC 9068).
const TYPES: &[Option<&str>] = &[None, Some("JWT"), Some("at+jwt")];

impl Verifier {
    /// A verifier for tokens of `issuer` meant for `audience`, as this layer's [`super::Signer`] makes them; it knows no
    /// key until [`Verifier::trust`].
    pub fn new(issuer: &str, audience: &str, clock: Clock) -> Self {
        Self::with(issuer, audience, clock, true)
    }

    /// The same for tokens of another program: only `iss`, `aud`, `sub` and `exp` have to be there, and `sub` is the
    /// login.
    pub fn of_others(issuer: &str, audience: &str, clock: Clock) -> Self {
        Self::with(issuer, audience, clock, false)
    }

    fn with(issuer: &str, audience: &str, clock: Clock, ours: bool) -> Self {
        let verdicts = moka::sync::Cache::builder().max_capacity(VERDICTS).time_to_live(Duration::from_mins(15));
        Self(Arc::new(Inner {
            issuer: issuer.into(),
            audience: audience.into(),
            clock,
            ours,
            keys: RwLock::default(),
            verdicts: verdicts.build(),
            revoked: RwLock::default(),
            heard: AtomicI64::new(0),
            patience: AtomicU64::new(0),
        }))
    }

    /// Trusts exactly these public keys from now on, each with its own algorithm; those of unknown kinds are left out.
    pub fn trust(&self, jwks: &Jwks) {
        let known = jwks.keys.iter().filter_map(|jwk: &Jwk| Some((jwk.kid.clone(), jwk.verifying()?)));
        self.change_keys(|keys| keys.named = known.collect());
    }

    /// Trusts tokens that name no key and are signed with this secret (HS256): for programs that know nothing better.
    pub fn trust_shared(&self, secret: &[u8]) -> Result<(), KeyError> {
        if secret.len() < SHORTEST_SECRET {
            return Err(too_short(secret));
        }
        self.change_keys(|keys| keys.shared = Some(DecodingKey::from_secret(secret)));
        Ok(())
    }

    fn change_keys(&self, change: impl FnOnce(&mut Keys)) {
        let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut keys);
        keys.generation = keys.generation.wrapping_add(1);
    }

    /// Refuses what `revocation` names, from now on. At most 100 000 of each kind are told apart; if there are more,
    /// every token that was issued before is refused.
    pub fn revoke(&self, revocation: &Revocation) {
        self.heard();
        self.0.revoked.write().unwrap_or_else(PoisonError::into_inner).add(revocation, self.0.clock.now());
    }

    /// Notes that revocations would reach this verifier now.
    pub fn heard(&self) {
        self.0.heard.store(self.0.clock.now().micros(), Ordering::Relaxed);
    }

    /// From now on refuses every token when nothing was [heard](Self::heard) for longer than `bound`.
    pub fn fails_closed_after(&self, bound: Duration) {
        self.heard();
        self.0.patience.store(u64::try_from(bound.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Who the token stands for, if it holds now. One that is bound to a key ([`Principal::bound_to`]) still needs the
    /// proof that the caller holds that key.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        let generation = self.0.keys.read().unwrap_or_else(PoisonError::into_inner).generation;
        let cached = self.0.verdicts.get(token).filter(|verdict| verdict.generation == generation);
        let principal = if let Some(verdict) = cached {
            verdict.principal
        } else {
            let principal = Arc::new(self.read(token)?);
            self.0.verdicts.insert(token.into(), Verdict { generation, principal: Arc::clone(&principal) });
            principal
        };
        self.still_holds(&principal)?;
        Ok(principal)
    }

    pub(crate) fn still_holds(&self, principal: &Principal) -> Result<(), Refusal> {
        let now = self.0.clock.now();
        if now >= principal.expires {
            return Err(Refusal::Expired);
        }
        if self.0.revoked.read().unwrap_or_else(PoisonError::into_inner).names(principal) {
            return Err(Refusal::Revoked);
        }
        let heard = Timestamp::from_micros(self.0.heard.load(Ordering::Relaxed));
        match self.0.patience.load(Ordering::Relaxed) {
            0 => Ok(()),
            patience if now.since(heard) > Duration::from_micros(patience) => Err(Refusal::Unheard),
            _ => Ok(()),
        }
    }

    fn read(&self, token: &str) -> Result<Principal, Refusal> {
        let header = Header::of(token, TYPES)?;
        if header.jwk.is_some() {
            return Err(Refusal::Invalid);
        }
        let VerifyingKey { alg, key } = self.key(header.kid.as_deref()).ok_or(Refusal::Invalid)?;
        if header.alg != alg {
            return Err(Refusal::Invalid);
        }
        let claims: Claims = if self.0.ours {
            signed(token, alg, &key)?
        } else {
            signed::<OthersClaims>(token, alg, &key)?.completed()?
        };
        if claims.iss != self.0.issuer || claims.aud != self.0.audience {
            return Err(Refusal::Invalid);
        }
        let latest = self.0.clock.now().plus(LEEWAY);
        if latest < Timestamp::from_seconds(claims.nbf.max(claims.iat)) {
            return Err(Refusal::Early);
        }
        claims.try_into()
    }

    fn key(&self, kid: Option<&str>) -> Option<VerifyingKey> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        match kid {
            Some(kid) => keys.named.get(kid).cloned(),
            None => keys.shared.clone().map(|key| VerifyingKey { alg: Algorithm::HS256, key }),
        }
    }
}
