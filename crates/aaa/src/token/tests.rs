//! What a verifier takes and refuses.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use vocabulary::{Clock, SessionId, Timestamp};

use super::*;
use crate::principal::Principal;

const TEN_MINUTES: Duration = Duration::from_mins(10);
const SECRET: &[u8] = b"a secret of forty bytes, as others make.";

fn claire(clock: &Clock) -> Principal {
    let claire = Principal::named("claire", ["member"]).during(clock.now(), clock.now().plus(TEN_MINUTES));
    Principal { token: Some("1".into()), session: SessionId(uuid::Uuid::from_u128(2)), ..claire }
}

fn signer() -> Signer {
    Signer::from_seed(&[7; 32], "us", "them").unwrap()
}

fn claims(clock: &Clock) -> Claims {
    signer().claims(&claire(clock))
}

fn setup() -> (Clock, Signer, Verifier) {
    let (clock, signer) = (Clock::manual(Timestamp::from_seconds(1_800_000_000)), signer());
    let verifier = Verifier::new("us", "them", clock.clone());
    verifier.trust(&signer.jwks());
    (clock, signer, verifier)
}

/// A token that is well signed, whatever its header and payload say.
fn well_signed(header: &Value, payload: &Value) -> String {
    use aws_lc_rs::signature::Ed25519KeyPair;
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(payload));
    let signature = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap().sign(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn kid() -> String {
    signer().jwks().keys[0].kid.clone()
}

#[test]
fn a_token_tells_the_whole_principal_whatever_signs_it() {
    let (clock, _, _) = setup();
    let (scopes, bound_to) = (Some(vec!["read".to_owned(), "pay".to_owned()]), Some("thumbprint".to_owned()));
    let restricted = Principal { scopes, bound_to, second_factor: true, ..claire(&clock) };
    for signer in
        [signer(), Signer::es256(&[7; 32], "us", "them").unwrap(), Signer::shared(SECRET, "us", "them").unwrap()]
    {
        let verifier = Verifier::new("us", "them", clock.clone());
        verifier.trust(&signer.jwks());
        verifier.trust_shared(SECRET).unwrap();
        for who in [claire(&clock), restricted.clone(), Principal { scopes: Some(Vec::new()), ..claire(&clock) }] {
            assert_eq!(*verifier.verify(&signer.sign(&signer.claims(&who)).unwrap()).unwrap(), who);
        }
    }
}

#[test]
fn a_shared_secret_is_never_published_and_never_short() {
    assert!(Signer::shared(SECRET, "us", "them").unwrap().jwks().keys.is_empty());
    assert!(Signer::shared(b"thirty-one bytes are not enough", "us", "them").is_err());
    assert!(setup().2.trust_shared(b"thirty-one bytes are not enough").is_err());
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
fn wrong_issuer_audience_key_time_and_signature_are_refused() {
    let (clock, signer, verifier) = setup();
    let good = claims(&clock);
    let refused = |claims: &Claims, signer: &Signer| verifier.verify(&signer.sign(claims).unwrap()).unwrap_err();
    assert_eq!(refused(&Claims { iss: "x".into(), ..good.clone() }, &signer), Refusal::Invalid);
    assert_eq!(refused(&Claims { aud: "x".into(), ..good.clone() }, &signer), Refusal::Invalid);
    assert_eq!(refused(&Claims { sub: "claire".into(), ..good.clone() }, &signer), Refusal::Invalid);
    assert_eq!(refused(&Claims { nbf: good.nbf + 60, ..good.clone() }, &signer), Refusal::Early);
    assert_eq!(refused(&Claims { iat: good.iat + 60, ..good.clone() }, &signer), Refusal::Early);
    assert_eq!(refused(&Claims { exp: -1, ..good.clone() }, &signer), Refusal::Expired);
    let stranger = Signer::from_seed(&[8; 32], "us", "them").unwrap();
    assert_eq!(refused(&good, &stranger), Refusal::Invalid);
    let token = signer.sign(&good).unwrap();
    let (body, signature) = token.rsplit_once('.').unwrap();
    let other = signer.sign(&Claims { login: "mallory".into(), ..good }).unwrap();
    assert_eq!(verifier.verify(&format!("{}.{signature}", other.rsplit_once('.').unwrap().0)), Err(Refusal::Invalid));
    assert_eq!(verifier.verify(&format!("{body}.")), Err(Refusal::Invalid));
    assert_eq!(verifier.verify(""), Err(Refusal::Invalid));
    assert_eq!(verifier.verify(&"x".repeat(1 << 20)), Err(Refusal::Invalid));
}

#[test]
fn a_header_that_brings_a_key_or_changes_the_reading_is_refused_though_well_signed() {
    let (clock, signer, verifier) = setup();
    let payload = serde_json::to_value(claims(&clock)).unwrap();
    let refused = |member: &str, value: Value| {
        let mut header = json!({ "alg": "EdDSA", "kid": kid() });
        header[member] = value;
        assert_eq!(verifier.verify(&well_signed(&header, &payload)), Err(Refusal::Invalid), "{header}");
    };
    for typ in [json!("JWT"), json!("jwt"), json!("at+jwt")] {
        assert!(verifier.verify(&well_signed(&json!({ "alg": "EdDSA", "kid": kid(), "typ": typ }), &payload)).is_ok());
    }
    for typ in ["dpop+jwt", "JWE", ""] {
        refused("typ", json!(typ));
    }
    for other in ["none", "None", "", "HS256", "ES256", "RS256"] {
        refused("alg", json!(other));
    }
    for other in [json!("../../dev/null"), json!("' UNION SELECT 1"), json!(["x"]), json!(null), json!(7)] {
        refused("kid", other);
    }
    let ours = serde_json::to_value(&signer.jwks().keys[0]).unwrap();
    refused("jwk", ours);
    refused("jku", json!("https://keys.example/jwks.json"));
    refused("x5u", json!("https://keys.example/chain.pem"));
    refused("x5c", json!(["MIIB"]));
    refused("crit", json!(["exp"]));
    refused("zip", json!("DEF"));
}

#[test]
fn claims_of_the_wrong_type_are_refused_though_well_signed() {
    let (clock, _, verifier) = setup();
    let (good, header) = (serde_json::to_value(claims(&clock)).unwrap(), json!({ "alg": "EdDSA", "kid": kid() }));
    assert!(verifier.verify(&well_signed(&header, &good)).is_ok());
    for (claim, value) in [
        ("exp", json!("1900000000")),
        ("exp", json!(1_900_000_000.5)),
        ("exp", json!(18_446_744_073_709_551_616_f64)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(null)),
        ("exp", json!([1_900_000_000])),
        ("nbf", json!("0")),
        ("iat", json!(true)),
        ("aud", json!(["them"])),
        ("aud", json!(null)),
        ("iss", json!(["us"])),
        ("sub", json!(1)),
        ("groups", json!("superuser")),
        ("scope", json!(["read"])),
        ("cnf", json!({ "jkt": "x", "x5t#S256": "y" })),
    ] {
        let mut payload = good.clone();
        payload[claim] = value;
        assert_eq!(verifier.verify(&well_signed(&header, &payload)), Err(Refusal::Invalid), "{claim}: {payload}");
    }
    for claim in ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "sid", "login", "groups", "auth_time", "amr"] {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(claim);
        assert_eq!(verifier.verify(&well_signed(&header, &payload)), Err(Refusal::Invalid), "without {claim}");
    }
    for payload in [json!([good]), json!("x"), json!(null)] {
        assert_eq!(verifier.verify(&well_signed(&header, &payload)), Err(Refusal::Invalid), "{payload}");
    }
}

#[test]
fn a_public_key_is_no_secret_and_an_unsigned_token_no_token() {
    let (clock, signer, verifier) = setup();
    let body = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims(&clock)).unwrap());
    let none = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","typ":"JWT","kid":"{}"}}"#, kid()));
    assert_eq!(verifier.verify(&format!("{none}.{body}.")), Err(Refusal::Invalid));
    // The classic confusion: the public key used as an HMAC secret, with and without its name.
    for kid in [Some(kid()), None] {
        let header = jsonwebtoken::Header { kid, ..jsonwebtoken::Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(signer.jwks().keys[0].x.as_bytes());
        let forged = jsonwebtoken::encode(&header, &claims(&clock), &key).unwrap();
        assert_eq!(verifier.verify(&forged), Err(Refusal::Invalid));
    }
}

#[test]
fn another_programs_token_needs_little_and_gives_little() {
    let (clock, _, strict) = setup();
    let verifier = Verifier::of_others("us", "them", clock.clone());
    verifier.trust(&signer().jwks());
    let header = json!({ "alg": "EdDSA", "kid": kid() });
    let exp = clock.now().plus(TEN_MINUTES).seconds();
    let little = well_signed(&header, &json!({ "iss": "us", "aud": "them", "sub": "calvin", "exp": exp }));
    let calvin = verifier.verify(&little).unwrap();
    assert_eq!((calvin.login.as_str(), calvin.id), ("calvin", Principal::named("calvin", [""; 0]).id));
    assert_eq!((calvin.authenticated.micros(), calvin.second_factor), (0, false));
    assert_eq!(strict.verify(&little), Err(Refusal::Invalid), "the bank's own verifier is strict");
    verifier.revoke(&Revocation::User { id: calvin.id, before: clock.now(), until: calvin.expires });
    assert_eq!(verifier.verify(&little), Err(Refusal::Revoked), "of unknown age: old");
    let id = Principal::named("susie", [""; 0]).id.to_string();
    let posing = well_signed(&header, &json!({ "iss": "us", "aud": "them", "sub": id, "exp": exp }));
    assert_ne!(
        verifier.verify(&posing).unwrap().id.to_string(),
        id,
        "a login that looks like an id is not that person"
    );
    for claim in ["iss", "aud", "sub", "exp"] {
        let mut payload = json!({ "iss": "us", "aud": "them", "sub": "calvin", "exp": exp });
        payload.as_object_mut().unwrap().remove(claim);
        assert_eq!(verifier.verify(&well_signed(&header, &payload)), Err(Refusal::Invalid), "without {claim}");
    }
}

#[test]
fn a_revoked_token_session_or_person_is_refused_at_once_and_later_tokens_are_not() {
    let (clock, signer, verifier) = setup();
    let (one, until) = (claims(&clock), clock.now().plus(Duration::from_hours(1)));
    let token = signer.sign(&one).unwrap();
    assert!(verifier.verify(&token).is_ok());
    verifier.revoke(&Revocation::Token { jti: one.jti.clone(), until });
    assert_eq!(verifier.verify(&token), Err(Refusal::Revoked));
    let token = signer.sign(&Claims { jti: "2".into(), ..one.clone() }).unwrap();
    assert!(verifier.verify(&token).is_ok(), "another of the same session");
    verifier.revoke(&Revocation::Session { id: one.sid, until });
    assert_eq!(verifier.verify(&token), Err(Refusal::Revoked));
    let sid = SessionId(uuid::Uuid::from_u128(3));
    let token = signer.sign(&Claims { sid, jti: "3".into(), ..one.clone() }).unwrap();
    assert!(verifier.verify(&token).is_ok(), "another of the same person");
    verifier.revoke(&Revocation::User { id: one.sub.parse().unwrap(), before: clock.now(), until });
    assert_eq!(verifier.verify(&token), Err(Refusal::Revoked));
    clock.advance(Duration::from_secs(1));
    let later = Claims { sid, jti: "4".into(), ..claims(&clock) };
    assert!(verifier.verify(&signer.sign(&later).unwrap()).is_ok());
}

#[test]
fn a_key_that_is_trusted_no_more_takes_its_cached_verdicts_along() {
    let (clock, signer, verifier) = setup();
    let token = signer.sign(&claims(&clock)).unwrap();
    assert!(verifier.verify(&token).is_ok());
    verifier.trust(&Signer::from_seed(&[8; 32], "us", "them").unwrap().jwks());
    assert_eq!(verifier.verify(&token), Err(Refusal::Invalid));
    verifier.trust(&signer.jwks());
    assert!(verifier.verify(&token).is_ok());
}

#[test]
fn a_verifier_that_hears_nothing_for_too_long_refuses_until_it_hears_again() {
    let (clock, signer, verifier) = setup();
    let token = signer.sign(&claims(&clock)).unwrap();
    clock.advance(Duration::from_mins(1));
    assert!(verifier.verify(&token).is_ok(), "off unless configured");
    verifier.fails_closed_after(Duration::from_secs(30));
    clock.advance(Duration::from_secs(30));
    assert!(verifier.verify(&token).is_ok());
    clock.advance(Duration::from_micros(1));
    assert_eq!(verifier.verify(&token), Err(Refusal::Unheard));
    verifier.heard();
    assert!(verifier.verify(&token).is_ok());
}
