//! Proofs that the caller holds the key that a token is bound to (DPoP, RFC 9449).
//!
//! A proof is for one request: its method, its path, its token, its minute; and it works once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{Method, Uri};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use vocabulary::Timestamp;

use super::jwk::{VerifyingKey, thumbprint, verifying};
use super::{Header, Refusal, signed};

/// Checks proofs, and remembers those that were used. Clones share what is remembered.
#[derive(Clone, Default)]
pub struct Dpop {
    origin: Option<Arc<str>>,
    used: Arc<Mutex<HashMap<[u8; 32], Timestamp>>>,
}

/// How far from now a proof may have been made, either way.
const WINDOW: Duration = Duration::from_mins(1);
/// Most proofs that are remembered: 800 requests a second for two minutes. If there were more, further ones are refused.
const MOST: usize = 100_000;
/// Longest name of a proof.
const LONGEST_JTI: usize = 256;

/// What the header brings besides what every header does.
#[derive(Deserialize)]
struct KeyHeader {
    jwk: ProofKey,
}

#[derive(Deserialize)]
struct ProofKey {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
    /// The secret half: whoever sends it away has lost it.
    d: Option<IgnoredAny>,
}

/// What a proof says.
#[derive(Deserialize)]
struct Proof {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: String,
}

impl Dpop {
    /// Proofs may name any host: for services that do not know by which name they are reached.
    pub fn new() -> Self {
        Self::default()
    }

    /// Proofs must be made for this origin, such as `https://bank.example.org`.
    pub fn at(origin: &str) -> Self {
        // What is no origin matches none: closed, not open.
        let normal = origin.parse().ok().as_ref().and_then(origin_of).unwrap_or_else(|| origin.to_owned());
        Self { origin: Some(normal.into()), ..Self::default() }
    }

    /// Whether `proof` shows that whoever sends this request with `token` holds the key with the thumbprint
    /// `expected_jkt` ([`crate::Principal::bound_to`]).
    pub fn check(
        &self,
        proof: &str,
        method: &Method,
        uri: &Uri,
        token: &str,
        expected_jkt: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let unproved = |_| Refusal::Unproved;
        let header = Header::of(proof, &[Some("dpop+jwt")]).map_err(unproved)?;
        let (key, jkt) = key(proof).filter(|(key, _)| key.alg == header.alg).ok_or(Refusal::Unproved)?;
        let said: Proof = signed(proof, key.alg, &key.key).map_err(unproved)?;
        let ath = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token));
        let made = Timestamp::from_seconds(said.iat);
        let fits = jkt == expected_jkt
            && said.ath == ath
            && said.htm == method.as_str()
            && self.is_for(&said.htu, uri)
            && now.since(made) <= WINDOW
            && made.since(now) <= WINDOW
            && (1..=LONGEST_JTI).contains(&said.jti.len());
        if !fits {
            return Err(Refusal::Unproved);
        }
        self.use_up(&jkt, &said.jti, made.plus(WINDOW), now)
    }

    /// Scheme, host and path are compared; query and fragment are not part of it (RFC 9449, section 4.3).
    fn is_for(&self, htu: &str, uri: &Uri) -> bool {
        let Ok(named) = htu.parse::<Uri>() else { return false };
        let Some(origin) = origin_of(&named) else { return false };
        self.origin.as_ref().is_none_or(|known| **known == *origin) && named.path() == uri.path()
    }

    fn use_up(&self, jkt: &str, jti: &str, until: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        let digest = Sha256::new().chain_update(jkt).chain_update([0]).chain_update(jti).finalize().into();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST {
            used.retain(|_, until| *until >= now);
        }
        if used.len() >= MOST || used.insert(digest, until).is_some() {
            return Err(Refusal::Replayed);
        }
        Ok(())
    }
}

/// The public key that the proof brings, and its thumbprint.
fn key(proof: &str) -> Option<(VerifyingKey, String)> {
    let header = BASE64_URL_SAFE_NO_PAD.decode(proof.split('.').next()?).ok()?;
    let KeyHeader { jwk: ProofKey { kty, crv, x, y, d } } = serde_json::from_slice(&header).ok()?;
    let alg = match (kty.as_str(), crv.as_str(), &y) {
        ("OKP", "Ed25519", None) => Algorithm::EdDSA,
        ("EC", "P-256", Some(_)) => Algorithm::ES256,
        _ => return None,
    };
    let key = verifying(alg, &x, y.as_deref()).filter(|_| d.is_none())?;
    Some((key, thumbprint(&kty, &crv, &x, y.as_deref())))
}

/// `scheme://host[:port]`, in small letters and without the port that goes without saying.
fn origin_of(uri: &Uri) -> Option<String> {
    let (scheme, host) = (uri.scheme_str()?.to_ascii_lowercase(), uri.host()?.to_ascii_lowercase());
    let usual = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let port = uri.port_u16().filter(|port| *port != usual).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const TOKEN: &str = "an access token";
    const HERE: &str = "https://bank.example.org";

    fn jwk() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(pair().public_key()) })
    }

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap()
    }

    fn jkt() -> String {
        thumbprint("OKP", "Ed25519", jwk()["x"].as_str().unwrap(), None)
    }

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    fn claims(jti: &str) -> Value {
        let ath = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(TOKEN));
        json!({ "jti": jti, "htm": "POST", "htu": format!("{HERE}/api/transfers"), "iat": now().seconds(), "ath": ath })
    }

    fn made(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(pair().sign(message.as_bytes())))
    }

    fn header() -> Value {
        json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk() })
    }

    fn check(dpop: &Dpop, proof: &str) -> Result<(), Refusal> {
        dpop.check(proof, &Method::POST, &"/api/transfers?x=1".parse().unwrap(), TOKEN, &jkt(), now())
    }

    #[test]
    fn a_proof_works_once() {
        let dpop = Dpop::at("HTTPS://Bank.example.org:443/");
        let proof = made(&header(), &claims("1"));
        assert_eq!(check(&dpop, &proof), Ok(()));
        assert_eq!(check(&dpop, &proof), Err(Refusal::Replayed));
        let mut later = claims("1");
        later["iat"] = json!(now().seconds() + 1);
        assert_eq!(check(&dpop, &made(&header(), &later)), Err(Refusal::Replayed), "the same name once more");
        assert_eq!(check(&dpop, &made(&header(), &claims("2"))), Ok(()));
        assert_eq!(check(&Dpop::new(), &proof), Ok(()), "any host where none is configured");
    }

    #[test]
    fn a_proof_for_another_request_token_key_or_time_is_refused() {
        let dpop = Dpop::at(HERE);
        let with = |claim: &str, value: Value| {
            let mut claims = claims("1");
            claims[claim] = value;
            made(&header(), &claims)
        };
        for (claim, value) in [
            ("htm", json!("GET")),
            ("htm", json!("post")),
            ("htu", json!("https://bank.example.org/api/accounts")),
            ("htu", json!("https://evil.example.org/api/transfers")),
            ("htu", json!("http://bank.example.org/api/transfers")),
            ("htu", json!("https://bank.example.org:8443/api/transfers")),
            ("htu", json!("/api/transfers")),
            ("ath", json!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest("another token")))),
            ("ath", json!(null)),
            ("iat", json!(now().seconds() - 61)),
            ("iat", json!(now().seconds() + 61)),
            ("iat", json!(now().seconds().to_string())),
            ("jti", json!("")),
            ("jti", json!("x".repeat(257))),
        ] {
            assert_eq!(check(&dpop, &with(claim, value.clone())), Err(Refusal::Unproved), "{claim} {value}");
        }
        for good in
            [with("iat", json!(now().seconds() - 60)), with("htu", json!(format!("{HERE}/api/transfers?y=2#z")))]
        {
            assert_eq!(check(&Dpop::at(HERE), &good), Ok(()));
        }
        let proof = made(&header(), &claims("1"));
        let uri = "/api/transfers".parse().unwrap();
        assert_eq!(dpop.check(&proof, &Method::POST, &uri, TOKEN, "another key", now()), Err(Refusal::Unproved));
        assert_eq!(check(&dpop, ""), Err(Refusal::Unproved));
        assert_eq!(check(&dpop, &proof[..proof.len() - 4]), Err(Refusal::Unproved));
    }

    #[test]
    fn a_header_that_is_not_that_of_a_proof_is_refused() {
        let with = |member: &str, value: Value| {
            let mut header = header();
            header[member] = value;
            made(&header, &claims("1"))
        };
        let mut secret = jwk();
        secret["d"] = json!("AAAA");
        let other = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode([9; 32]) });
        for (member, value) in [
            ("typ", json!("JWT")),
            ("typ", json!(null)),
            ("alg", json!("HS256")),
            ("alg", json!("ES256")),
            ("alg", json!("none")),
            ("jwk", json!(null)),
            ("jwk", secret),
            ("jwk", other),
            ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
            ("crit", json!(["x"])),
            ("jku", json!("https://keys.example")),
        ] {
            assert_eq!(check(&Dpop::new(), &with(member, value.clone())), Err(Refusal::Unproved), "{member} {value}");
        }
    }

    #[test]
    fn proofs_that_are_too_old_to_be_used_again_make_room() {
        let dpop = Dpop::new();
        (0..MOST).for_each(|number| dpop.use_up("key", &number.to_string(), now(), now()).unwrap());
        assert_eq!(dpop.use_up("key", "one more", now(), now()), Err(Refusal::Replayed), "full: closed");
        let later = now().plus(Duration::from_secs(1));
        assert_eq!(dpop.use_up("key", "one more", later.plus(WINDOW), later), Ok(()));
        assert_eq!(dpop.used.lock().unwrap().len(), 1);
    }
}
