//! Each credential proves who somebody is, in its own place only; a wrong one is never skipped for another.

use std::net::SocketAddr;
use std::time::Duration;

use aaa::testing::{Answer, Ask, Credential};
use aaa::{Api, ClientCertificate, Credentials, Gate, Principal, Verifier};
use axum::body::Body;
use axum::extract::ConnectInfo;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{COOKIE, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderName, Request};
use http_body_util::BodyExt;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tower::ServiceExt;
use vocabulary::{Chance, Clock};

use crate::desk::{Desk, REMOTE, TOKENS, World, mount};

fn challenges(answer: &Answer) -> Vec<String> {
    answer.headers.get_all(WWW_AUTHENTICATE).iter().map(|it| it.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_credential_says_who_it_is() {
    let world = World::new();
    let readable = world.readable.make("ann", Duration::from_mins(1)).unwrap();
    let token = world.token(&world.ann());
    let credentials = [
        Credential::Bearer(token.clone()),
        Credential::Header(TOKENS, token),
        Credential::Cookie("auth".into(), readable.clone()),
        Credential::Prefix("Token".into(), readable.clone()),
        Credential::Prefix("token".into(), readable),
        Credential::basic("ann", "annann"),
        Credential::fields(("USER", "ann"), ("PASS", "annann")),
    ];
    for credential in credentials {
        let client = world.tester.with(credential.clone());
        assert_eq!(client.get("/me").gives(200).await.json(), "ann", "{credential:?}");
        let answer = client.post("/me").json(serde_json::json!({ "word": "x" })).gives(200).await;
        assert_eq!(answer.json(), "ann", "{credential:?}");
    }
    let schemes: Vec<_> = world.notes.0.lock().unwrap().iter().filter_map(|it| it.scheme.clone()).collect();
    assert_eq!(
        schemes.iter().step_by(2).map(String::as_str).collect::<Vec<_>>(),
        ["bearer", "header", "cookie", "prefix", "prefix", "basic", "parameters"]
    );
}

#[tokio::test]
async fn a_wrong_credential_is_not_skipped_for_a_right_one() {
    let world = World::new();
    let good = world.token(&world.ann());
    let client = world.tester.with(Credential::Bearer("wrong".into()));
    client.get("/me").header(TOKENS, &good).gives(401).await;
    world.tester.with(Credential::basic("ann", "wrong")).get("/me").header(TOKENS, &good).gives(200).await;
    let anyone = world.tester.anyone();
    anyone.get("/me").header(TOKENS, "").gives(401).await;
    anyone.get("/me").header(TOKENS, &good).gives(200).await;
}

#[tokio::test]
async fn a_401_names_every_scheme_and_only_a_shown_token_is_called_invalid() {
    let world = World::new();
    let nobody = world.tester.anyone().get("/me").gives(401).await;
    let told = challenges(&nobody);
    assert_eq!(
        told[..3],
        [r#"Bearer realm="desk""#, r#"Token realm="desk""#, r#"Basic realm="desk", charset="UTF-8""#]
    );
    assert!(told[3].starts_with(r#"Digest realm="desk", qop="auth", algorithm=SHA-256, nonce=""#), "{}", told[3]);
    let wrong = world.tester.with(Credential::Bearer("x".into())).get("/me").gives(401).await;
    assert_eq!(challenges(&wrong)[0], r#"Bearer realm="desk", error="invalid_token""#);
    let only = world.tester.anyone().get("/enter").gives(401).await;
    assert_eq!(challenges(&only)[0], r#"Basic realm="desk", charset="UTF-8""#);
}

#[tokio::test]
async fn a_route_may_accept_less_than_its_service() {
    let world = World::new();
    let token = Credential::Bearer(world.token(&world.ann()));
    world.tester.with(token).get("/enter").gives(401).await;
    world.tester.with(Credential::basic("ann", "annann")).get("/enter").gives(200).await;
}

#[tokio::test]
async fn a_password_in_the_address_is_refused() {
    let world = World::new();
    let answer = world.tester.anyone().get("/me?USER=ann&PASS=annann").gives(400).await;
    assert_eq!(answer.json()["errors"][0]["field"], "USER");
}

#[tokio::test]
async fn a_cookie_is_not_taken_from_another_sites_page() {
    let world = World::new();
    let token = world.readable.make("ann", Duration::from_mins(1)).unwrap();
    let post = || {
        let ask = world.tester.anyone().post("/me").form("word", "x").header(COOKIE, &format!("a=b; auth={token}"));
        ask.header(HOST, "desk.example")
    };
    let site = |ask: Ask, site: &str| ask.header(HeaderName::from_static("sec-fetch-site"), site);
    post().gives(200).await;
    site(post(), "same-origin").gives(200).await;
    post().header(ORIGIN, "https://desk.example").gives(200).await;
    for wrong in ["cross-site", "same-site", "?"] {
        site(post(), wrong).gives(403).await;
    }
    for wrong in ["https://evil.example", "null", "https://desk.example.evil.example"] {
        post().header(ORIGIN, wrong).gives(403).await;
    }
    // A header is set by the page's own script only: no other site's page can.
    let bearer = world.tester.with(Credential::Prefix("Token".into(), token.clone()));
    site(bearer.post("/me").form("word", "x"), "cross-site").gives(200).await;
}

/// The digest that a client computes for `GET path` (RFC 7616 §3.4.1).
fn digest(challenge: &str, login: &str, password: &str, path: &str, count: &str) -> String {
    let hash = |text: String| hex::encode(Sha256::digest(text));
    let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
    let (ha1, ha2) = (hash(format!("{login}:desk:{password}")), hash(format!("GET:{path}")));
    let response = hash(format!("{ha1}:{nonce}:{count}:abc:auth:{ha2}"));
    format!(
        "Digest username=\"{login}\", realm=\"desk\", nonce=\"{nonce}\", uri=\"{path}\", algorithm=SHA-256, qop=auth, \
         nc={count}, cnonce=\"abc\", response=\"{response}\""
    )
}

#[tokio::test]
async fn a_digest_proves_the_password_for_one_request_once() {
    let world = World::new();
    let challenge = challenges(&world.tester.anyone().get("/enter").gives(401).await)[1].clone();
    let send = async |credential: &str, path: &str| {
        world.tester.anyone().get(path).header(http::header::AUTHORIZATION, credential).send().await.status.as_u16()
    };
    let good = digest(&challenge, "ann", "annann", "/enter", "00000001");
    assert_eq!(send(&good, "/me").await, 401, "for another address");
    assert_eq!(send(&digest(&challenge, "ann", "wrong", "/enter", "00000001"), "/enter").await, 401);
    assert_eq!(send(&digest(&challenge, "eve", "eveeve", "/enter", "00000001"), "/enter").await, 401);
    assert_eq!(send(&good, "/enter").await, 200);
    assert_eq!(send(&good, "/enter").await, 401, "a second time");
    assert_eq!(send(&digest(&challenge, "ann", "annann", "/enter", "00000002"), "/enter").await, 200);
    assert_eq!(send(&good.replace("SHA-256", "MD5"), "/enter").await, 401);
    assert_eq!(send("Digest username=\"ann", "/enter").await, 401);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(send(&digest(&challenge, "ann", "annann", "/enter", "00000003"), "/enter").await, 401, "an old nonce");
}

/// Sends `GET /me` as the listener hands it on: with the connection's address, perhaps with a certificate.
async fn arrives(world: &World, peer: &str, header: Option<(HeaderName, &str)>, name: Option<&str>) -> (u16, String) {
    let mut request = Request::get("/me").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
    if let Some((header, value)) = header {
        request.headers_mut().insert(header, value.parse().unwrap());
    }
    if let Some(name) = name {
        request.extensions_mut().insert(ClientCertificate { name: name.into(), serial: "4f".into() });
    }
    let response = world.module.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn a_remote_user_is_believed_from_the_trusted_front_only() {
    let world = World::new();
    assert_eq!(arrives(&world, "192.0.2.80", Some((REMOTE, "ann")), None).await, (200, "\"ann\"".into()));
    assert_eq!(arrives(&world, "192.0.2.81", Some((REMOTE, "ann")), None).await.0, 401);
    assert_eq!(arrives(&world, "127.0.0.1", Some((REMOTE, "ann")), None).await.0, 401);
    assert_eq!(arrives(&world, "192.0.2.80", Some((REMOTE, "eve")), None).await.0, 401);
    assert_eq!(arrives(&world, "192.0.2.80", None, None).await.0, 401);
}

#[tokio::test]
async fn a_certificate_names_somebody() {
    let world = World::new();
    assert_eq!(arrives(&world, "192.0.2.1", None, Some("bob")).await, (200, "\"bob\"".into()));
    assert_eq!(arrives(&world, "192.0.2.1", None, Some("eve")).await.0, 401);
}

#[tokio::test]
async fn guessing_is_slowed_down_by_login_and_by_true_address() {
    let world = World::new();
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let guess = async |login: &str, password: &str, claimed: &str| {
        let mut request = Request::get("/me").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new("192.0.2.1".parse().unwrap(), 1)));
        // The one proxy appends what it saw; the client made up the rest.
        let line = format!("{claimed}, 198.51.100.7");
        request.headers_mut().insert(forwarded.clone(), line.parse().unwrap());
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{login}:{password}")));
        request.headers_mut().insert(http::header::AUTHORIZATION, basic.parse().unwrap());
        let response = world.module.router.clone().oneshot(request).await.unwrap();
        let wait = response.headers().get(http::header::RETRY_AFTER).map(|it| it.to_str().unwrap().to_owned());
        (response.status().as_u16(), wait)
    };
    for number in 0..5 {
        assert_eq!(guess("ann", "wrong", &format!("203.0.113.{number}")).await.0, 401);
    }
    assert_eq!(guess("ann", "annann", "203.0.113.9").await, (429, Some("1".into())));
    assert_eq!(guess("nobody at all", "wrong", "203.0.113.9").await.0, 401);
    for number in 0..25 {
        let (status, _) = guess(&format!("person {number}"), "wrong", &format!("203.0.113.{number}")).await;
        assert!(status == 401 || status == 429);
    }
    assert_eq!(guess("bob", "bobbob", "203.0.113.200").await.0, 429, "whatever address is claimed");
    world.clock.advance(Duration::from_mins(15));
    assert_eq!(guess("bob", "bobbob", "203.0.113.200").await.0, 200);
    let client = world.notes.0.lock().unwrap().last().unwrap().client.clone();
    assert_eq!(client.as_deref(), Some("198.51.100.7"));
}

#[tokio::test]
async fn a_service_that_cannot_know_who_calls_refuses_to_start() {
    let clock = Clock::manual(vocabulary::Timestamp::from_seconds(1_800_000_000));
    let start = |credentials: Credentials| {
        let gate = Gate::new(credentials, Arc::new(()), clock.clone(), Chance::seeded(1));
        mount(Api::new(Desk, gate)).finish().map(drop).map_err(|error| error.to_string())
    };
    let nothing = start(Credentials::new("desk")).unwrap_err();
    assert!(nothing.starts_with("GET /me has to know who is calling"), "{nothing}");
    let bearer = start(Credentials::new("desk").bearer(Verifier::new("desk", "desk", clock.clone()))).unwrap_err();
    assert!(bearer.starts_with("GET /enter has to know"), "{bearer}");
    let nobody = start(Credentials::new("desk").basic()).unwrap_err();
    assert!(nobody.contains("add Credentials::people"), "{nobody}");
}

#[tokio::test]
async fn a_bound_token_is_worth_nothing_without_its_key() {
    let world = World::new();
    let bound = Principal { bound_to: Some("thumbprint".into()), ..world.ann() };
    let token = world.token(&bound);
    world.tester.with(Credential::Bearer(token.clone())).get("/me").gives(401).await;
    world.tester.with(Credential::Prefix("DPoP".into(), token.clone())).get("/me").gives(401).await;
    world.tester.with(Credential::Header(TOKENS, token)).get("/me").gives(401).await;
    let free = Credential::Prefix("DPoP".into(), world.token(&world.ann()));
    world.tester.with(free).get("/me").gives(401).await;
}
