//! FlaskSimpleAuth takes readable tokens made here, and makes tokens that are taken here.

use std::time::Duration;

use aaa::{Readable, Refusal, Verifier};
use serde_json::{Value, json};
use vocabulary::Clock;

use crate::python;

const SECRET: &str = "a secret that two programs share, long enough";

/// An application as its users write it: asked who calls with each token, and to make a token itself.
const APPLICATION: &str = r#"
import FlaskSimpleAuth as fsa
app = fsa.Flask("stuff", FSA_AUTH=["token"], FSA_SECURE=False, FSA_TOKEN_CARRIER="bearer", FSA_REALM="stuff",
    FSA_TOKEN_TYPE=ask["type"], FSA_TOKEN_ALGO=ask["algo"], FSA_TOKEN_SECRET=ask["secret"],
    FSA_TOKEN_SIGN=ask["secret"] if ask["type"] == "jwt" else None, FSA_TOKEN_ISSUER=ask["issuer"])

@app.get("/whoami", authz="AUTH")
def get_whoami(user: fsa.CurrentUser):
    return fsa.jsonify(user), 200

with app.test_client() as client:
    def who(token):
        answer = client.get("/whoami", headers={"Authorization": f"Bearer {token}"})
        return answer.json if answer.status_code == 200 else answer.status_code
    said = [who(token) for token in ask["tokens"]]
with app.app_context():
    made = app.create_token("calvin", realm="stuff", delay=10.0)
    past = app.create_token("calvin", realm="stuff", delay=-1.0)
say({"said": said, "made": made, "past": past})
"#;

fn application(kind: &str, algo: &str, issuer: Option<&str>, tokens: &[String]) -> Value {
    python(APPLICATION, &json!({ "type": kind, "algo": algo, "issuer": issuer, "secret": SECRET, "tokens": tokens }))
}

#[test]
fn a_readable_token_made_on_either_side_is_taken_on_the_other() {
    for issuer in [None, Some("here")] {
        let readable = Readable::new("stuff", issuer, SECRET, Clock::system()).unwrap();
        let good = readable.make("calvin", Duration::from_mins(10)).unwrap();
        let accented = readable.make("zoé", Duration::from_mins(10)).unwrap();
        let elsewhere = Readable::new("other", issuer, SECRET, Clock::system()).unwrap();
        let stranger = Readable::new("stuff", issuer, "a secret that nobody shares", Clock::system()).unwrap();
        let past = readable.make("calvin", Duration::ZERO).unwrap().replacen(":20", ":19", 1);
        let tokens = [
            good.clone(),
            elsewhere.make("calvin", Duration::from_mins(10)).unwrap(),
            stranger.make("calvin", Duration::from_mins(10)).unwrap(),
            good.replacen("calvin", "hobbes", 1),
            past,
        ];
        let answer = application("fsa", "blake2s", issuer, &tokens);
        assert_eq!(answer["said"], json!(["calvin", 401, 401, 401, 401]), "{issuer:?}");
        let made = answer["made"].as_str().unwrap();
        assert_eq!(readable.read(made).as_deref(), Ok("calvin"), "{made}");
        assert_eq!(elsewhere.read(made), Err(Refusal::Invalid));
        assert_eq!(readable.read(answer["past"].as_str().unwrap()), Err(Refusal::Expired));
        assert_eq!(readable.read(&accented).as_deref(), Ok("zoé"));
    }
}

#[test]
fn a_jwt_of_flasksimpleauth_is_taken_by_a_verifier_for_others() {
    let answer = application("jwt", "HS256", Some("flask"), &[]);
    let verifier = Verifier::of_others("flask", "stuff", Clock::system());
    verifier.trust_shared(SECRET.as_bytes()).unwrap();
    let calvin = verifier.verify(answer["made"].as_str().unwrap()).unwrap();
    assert_eq!((calvin.login.as_str(), calvin.scopes.as_ref()), ("calvin", None));
    assert_eq!(verifier.verify(answer["past"].as_str().unwrap()), Err(Refusal::Expired));
    let elsewhere = Verifier::of_others("flask", "other", Clock::system());
    elsewhere.trust_shared(SECRET.as_bytes()).unwrap();
    assert_eq!(elsewhere.verify(answer["made"].as_str().unwrap()), Err(Refusal::Invalid));
}
