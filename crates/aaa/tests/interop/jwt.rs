//! PyJWT verifies what is signed here, through the published keys, and signs what is verified here.

use std::time::Duration;

use aaa::{Jwk, Jwks, Principal, Refusal, Signer, Verifier};
use serde_json::{Value, json};
use vocabulary::Clock;

use crate::python;

const SECRET: &[u8] = b"a secret that two programs share, long enough";

const VERIFY: &str = r#"
import jwt
def read(token):
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWKSet.from_dict(ask["jwks"])[kid]
    try:
        return jwt.decode(token, key, algorithms=[ask["alg"]], audience="them", issuer="us")
    except jwt.InvalidTokenError as error:
        return type(error).__name__
say([read(token) for token in ask["tokens"]])
"#;

#[test]
fn pyjwt_verifies_a_token_made_here_through_the_published_keys() {
    for (alg, signer) in
        [("EdDSA", Signer::from_seed(&[7; 32], "us", "them")), ("ES256", Signer::es256(&[7; 32], "us", "them"))]
    {
        let (signer, now) = (signer.unwrap(), Clock::system().now());
        let claire = Principal { token: Some("1".into()), ..Principal::named("claire", ["member"]) };
        let good = claire.clone().during(now, now.plus(Duration::from_mins(10)));
        let past = claire.during(now.minus(Duration::from_mins(10)), now.minus(Duration::from_mins(1)));
        let [good, past] = [good, past].map(|who| signer.sign(&signer.claims(&who)).unwrap());
        let (body, _) = good.rsplit_once('.').unwrap();
        let forged = format!("{body}.{}", past.rsplit_once('.').unwrap().1);
        let answer = python(VERIFY, &json!({ "alg": alg, "jwks": signer.jwks(), "tokens": [good, past, forged] }));
        assert_eq!(answer[0]["login"], "claire", "{alg}: {answer}");
        assert_eq!(
            (&answer[1], &answer[2]),
            (&json!("ExpiredSignatureError"), &json!("InvalidSignatureError")),
            "{alg}"
        );
    }
}

const SIGN: &str = r#"
import jwt, time, json
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
jwk.update(kid="theirs", alg="ES256", use="sig")
now = int(time.time())
good = {"iss": "them", "aud": "us", "sub": "calvin", "exp": now + 600, "scope": "read pay"}
past = dict(good, exp=now - 1)
named = {"kid": "theirs"}
say({"jwk": jwk,
    "es256": [jwt.encode(claims, key, algorithm="ES256", headers=named) for claims in (good, past)],
    "hs256": [jwt.encode(claims, ask["secret"], algorithm="HS256") for claims in (good, past)],
    "none": jwt.encode(good, None, algorithm="none", headers=named),
    "weak": jwt.encode(good, jwk["x"], algorithm="HS256", headers=named)})
"#;

#[test]
fn a_token_of_pyjwt_is_verified_here_and_an_unsigned_or_confused_one_is_not() {
    let answer = python(SIGN, &json!({ "secret": String::from_utf8_lossy(SECRET) }));
    let jwk: Jwk = serde_json::from_value(answer["jwk"].clone()).unwrap();
    let verifier = Verifier::of_others("them", "us", Clock::system());
    verifier.trust(&Jwks { keys: vec![jwk] });
    verifier.trust_shared(SECRET).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for alg in ["es256", "hs256"] {
        let calvin = verifier.verify(&text(&answer[alg][0])).unwrap();
        assert_eq!(calvin.login, "calvin", "{alg}");
        assert_eq!(calvin.scopes.as_deref(), Some(&["read".to_owned(), "pay".to_owned()][..]), "{alg}");
        assert_eq!(verifier.verify(&text(&answer[alg][1])), Err(Refusal::Expired), "{alg}");
    }
    for forged in ["none", "weak"] {
        assert_eq!(verifier.verify(&text(&answer[forged])), Err(Refusal::Invalid), "{forged}");
    }
}
