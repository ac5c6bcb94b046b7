//! Tokens that are forged, confused, substituted, stolen, shared, spent or ended: none opens anything, at any service.

use std::net::TcpListener;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};

use super::{NOTHING, Town, enrol, next_code, now};
use crate::client::{Answer, Ask, Client};
use crate::people::{PASSWORD, sign_in, text};

/// A place at every service where a token is asked for.
const PLACES: [&str; 4] = ["/api/auth/users", "/api/auth/whoami", "/api/accounts", "/api/logs"];

fn part(value: &Value) -> String {
    BASE64URL.encode(value.to_string())
}

fn signed(head: &Value, body: &Value, pair: &Ed25519KeyPair) -> String {
    let message = format!("{}.{}", part(head), part(body));
    format!("{message}.{}", BASE64URL.encode(pair.sign(message.as_bytes())))
}

fn keyed(head: &Value, body: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(head), part(body));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(tag))
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&BASE64URL.decode(part).unwrap()).unwrap()
}

/// What the bank's own key would have to sign, and what an attacker would sign instead.
struct Forger {
    /// The bank's own key: to say what is wrong with a token and nothing else.
    own: Ed25519KeyPair,
    stranger: Ed25519KeyPair,
    public: Value,
    head: Value,
    claims: Value,
}

impl Forger {
    async fn new(town: &Town, token: &str) -> Self {
        let keys = if crate::process::apart() { "identity/signing.key" } else { "signing.key" };
        let key = std::fs::read(town.bank.line.data_dir.join(keys)).unwrap();
        let keys = town.anyone.get("/.well-known/jwks.json").await.expect(200);
        let mut parts = token.split('.');
        let (head, claims) = (read(parts.next().unwrap()), read(parts.next().unwrap()));
        let own = Ed25519KeyPair::from_seed_unchecked(&key[..32]).unwrap();
        let stranger = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Self { own, stranger, public: keys["keys"][0].clone(), head, claims }
    }

    fn head(&self, name: &str, value: Value) -> Value {
        let mut head = self.head.clone();
        head[name] = value;
        head
    }

    fn with_head(&self, name: &str, value: Value) -> String {
        signed(&self.head(name, value), &self.claims, &self.own)
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        if value == json!("absent") {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        signed(&self.head, &claims, &self.own)
    }

    /// Tokens whose header says how they are to be checked.
    fn confused(&self) -> Vec<(String, String)> {
        let mut tokens = Vec::new();
        let good = signed(&self.head, &self.claims, &self.own);
        let mark = good.rsplit_once('.').unwrap().1;
        for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS256", "PS256", "ES256", "EdDSA "] {
            let message = format!("{}.{}", part(&self.head("alg", json!(alg))), part(&self.claims));
            tokens.push((format!("alg {alg:?} without a signature"), format!("{message}.")));
            tokens.push((format!("alg {alg:?} with the good one's signature"), format!("{message}.{mark}")));
        }
        let x = BASE64URL.decode(text(&self.public["x"])).unwrap();
        let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        der.extend_from_slice(&x);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(&der));
        let jwk = self.public.to_string();
        let secrets: [(&str, &[u8]); 6] = [
            ("the public key", &x),
            ("the public key in DER", &der),
            ("the public key in PEM", pem.as_bytes()),
            ("the public key as JWK", jwk.as_bytes()),
            ("the public key in base64url", self.public["x"].as_str().unwrap().as_bytes()),
            ("nothing", b""),
        ];
        for (what, secret) in secrets {
            let mut head = self.head("alg", json!("HS256"));
            tokens.push((format!("HS256 with {what} as its secret"), keyed(&head, &self.claims, secret)));
            head.as_object_mut().unwrap().remove("kid");
            tokens.push((format!("HS256 with {what}, naming no key"), keyed(&head, &self.claims, secret)));
        }
        tokens
    }

    /// Tokens that bring or name a key of the attacker's choice.
    fn injected(&self, url: &str) -> Vec<(String, String)> {
        let mut jwk = self.public.clone();
        jwk["x"] = json!(BASE64URL.encode(self.stranger.public_key()));
        let own_key = [
            ("jwk", jwk.clone()),
            ("jku", json!(format!("{url}/keys"))),
            ("x5u", json!(format!("{url}/chain"))),
            ("x5c", json!(["MIIB"])),
            ("kid", json!("../../dev/null")),
        ];
        let mut tokens: Vec<_> = own_key
            .iter()
            .map(|(name, value)| {
                let token = signed(&self.head(name, value.clone()), &self.claims, &self.stranger);
                (format!("another key, and {name}"), token)
            })
            .collect();
        tokens.push(("another key".into(), signed(&self.head, &self.claims, &self.stranger)));
        let own = [
            ("kid", json!("../../../../dev/null")),
            ("kid", json!("' UNION SELECT 'x' --")),
            ("kid", json!("k".repeat(2000))),
            ("kid", json!([self.public["kid"]])),
            ("kid", json!(7)),
            ("kid", json!("unknown")),
            ("kid", json!("")),
            ("kid", json!(null)),
            ("jku", json!(format!("{url}/keys"))),
            ("x5u", json!(format!("{url}/chain"))),
            ("jwk", jwk),
            ("jwk", self.public.clone()),
            ("crit", json!(["exp"])),
            ("crit", json!(["unknown"])),
            ("typ", json!("dpop+jwt")),
            ("typ", json!("logout+jwt")),
            ("cty", json!("JWT")),
            ("enc", json!("A256GCM")),
            ("zip", json!("DEF")),
        ];
        tokens.extend(own.map(|(name, value)| (format!("{name} {value:.40}"), self.with_head(name, value))));
        tokens
    }

    /// Tokens that our own key signed, and that say what no token of ours says.
    fn misclaimed(&self) -> Vec<(String, String)> {
        let now = now().seconds();
        let mut tokens: Vec<_> = [
            ("exp", json!(format!("{}", now + 600))),
            ("exp", json!(1.5)),
            ("exp", json!(-1)),
            ("exp", json!(18_446_744_073_709_551_615_u64)),
            ("exp", json!(1e30)),
            ("exp", json!(null)),
            ("exp", json!("absent")),
            ("exp", json!(now - 60)),
            ("nbf", json!("now")),
            ("nbf", json!(now + 3600)),
            ("iat", json!(now + 3600)),
            ("aud", json!([self.claims["aud"]])),
            ("aud", json!("library")),
            ("aud", json!("")),
            ("aud", json!("absent")),
            ("iss", json!("https://evil.example")),
            ("iss", json!("absent")),
            ("sub", json!(1)),
            ("sub", json!("superuser")),
            ("groups", json!("superuser")),
            ("cnf", json!({ "jkt": "x", "jwk": {} })),
            ("cnf", json!({ "x5t#S256": "x" })),
            ("cnf", json!({ "jkt": "x" })),
        ]
        .map(|(name, value)| (format!("{name} {value:.40}"), self.with_claim(name, value)))
        .into();
        tokens.push(("a list for claims".into(), signed(&self.head, &json!([self.claims]), &self.own)));
        tokens.push(("a text for claims".into(), signed(&self.head, &json!("superuser"), &self.own)));
        tokens
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_but_one_that_the_bank_signed_for_itself_opens_anything() {
    let town = Town::new().await;
    let first = &town.bank.line.people[0];
    let tokens = town.anyone.call(Ask::new("POST", "/api/auth/login").basic(&first.login, &first.password)).await;
    let tokens = tokens.expect(200);
    let forger = Forger::new(&town, &text(&tokens["access_token"])).await;
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    outside.set_nonblocking(true).unwrap();

    let mut forged = forger.confused();
    forged.extend(forger.injected(&format!("http://{}", outside.local_addr().unwrap())));
    forged.extend(forger.misclaimed());
    forged.push(("what renews a sign-in".into(), text(&tokens["refresh_token"])));
    let (good, refused) = (signed(&forger.head, &forger.claims, &forger.own), town.anyone.with_token("junk"));
    let client = town.anyone.stranger();
    let mut wrong = Vec::new();
    for place in PLACES {
        // As it should be, it opens: what is refused below is refused for what is wrong with it.
        client.call(Ask::new("GET", place).header("authorization", format!("Bearer {good}"))).await.expect(200);
        let refused = refused.get(place).await.visible();
        for (what, token) in &forged {
            let answer = client.call(Ask::new("GET", place).header("authorization", format!("Bearer {token}"))).await;
            if answer.status != 401 || answer.visible() != refused {
                wrong.push(format!("{place} with {what}: {}", answer.brief()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} forged tokens are not refused alike:\n{}", wrong.len(), wrong.join("\n"));
    assert!(outside.accept().is_err(), "the bank fetched what a token named");
}

/// What has ended opens nothing, at any service.
async fn ended(client: &Client, place: &str) {
    let refused = async || Some(client.get(place).await).filter(|answer| answer.status == 401);
    let answer = crate::process::heard("what has ended opens nothing", refused).await;
    answer.unwrap_or_else(|| panic!("{place} is open still")).problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_no_more_may_no_more_at_every_service_at_once() {
    let town = Town::new().await;
    let refused_everywhere = async |what: &str, client: &Client| {
        for place in ["/api/auth/whoami", "/api/accounts", "/api/requests", "/api/logs"] {
            ended(client, place).await;
        }
        let wish = json!({ "account": town.account["id"], "amount": "1.00", "currency": "EUR", "reference": what });
        client.post("/api/withdrawals", &wish).await.problem(401, "unauthorized");
    };
    let again = async || sign_in(&town.anyone, "basile", PASSWORD).await.client;

    let out = again().await;
    out.post("/api/auth/logout", &json!({})).await.expect(204);
    refused_everywhere("after signing out", &out).await;

    let (kept, stolen) = (again().await, again().await);
    let sessions = kept.get("/api/auth/sessions").await.expect(200);
    for session in sessions["items"].as_array().unwrap().iter().filter(|session| session["current"] == false) {
        kept.call(Ask::new("DELETE", format!("/api/auth/sessions/{}", text(&session["id"])))).await.expect(204);
    }
    refused_everywhere("after the session was ended from another", &stolen).await;

    let token = json!({ "name": "Program", "scopes": ["read"], "days": 30 });
    let made = kept.post("/api/auth/tokens", &token).await.expect(201);
    let program = town.anyone.with_token(text(&made["token"]));
    program.get("/api/accounts").await.expect(200);
    kept.call(Ask::new("DELETE", format!("/api/auth/tokens/{}", text(&made["details"]["id"])))).await.expect(204);
    for place in ["/api/auth/whoami", "/api/accounts", "/api/logs"] {
        ended(&program, place).await;
    }

    let stolen = again().await;
    let change = json!({ "old_password": PASSWORD, "new_password": "another anchor tumbles north" });
    kept.post("/api/auth/password", &change).await.expect(204);
    refused_everywhere("after another password", &stolen).await;

    let disable = format!("/api/auth/users/{}/disable", town.member.id);
    town.agent.client.post(disable, &json!({})).await.expect(200);
    refused_everywhere("after being disabled", &kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_once_works_once_and_a_password_alone_is_half_of_a_second_factor() {
    let town = Town::new().await;
    let login = |otp: Option<&str>| town.anyone.call(super::login("basile", PASSWORD, otp));
    let refresh = |token: &Value| town.anyone.call(Ask::post("/api/auth/refresh", &json!({ "refresh_token": token })));

    let first = login(None).await.expect(200);
    let second = refresh(&first["refresh_token"]).await.expect(200);
    refresh(&first["refresh_token"]).await.expect(401);
    refresh(&second["refresh_token"]).await.expect(401);
    for tokens in [&first, &second] {
        ended(&town.anyone.with_token(text(&tokens["access_token"])), "/api/accounts").await;
    }

    let (secret, recovery) = enrol(&town.member).await;
    let half = login(None).await;
    half.clone().problem(401, "second-factor-required");
    assert!(!half.text.contains("token") && half.headers.get("set-cookie").is_none(), "{}", half.text);
    let browser = Ask::post("/api/auth/browser-sessions", &json!({ "login": "basile", "password": PASSWORD }));
    town.anyone.call(browser).await.problem(401, "second-factor-required");
    for otp in [next_code(&secret), recovery[0].clone()] {
        login(Some(&otp)).await.expect(200);
        login(Some(&otp)).await.problem(401, "sign-in-refused");
    }
    // Another password takes no factor away.
    let proven = sign_in_with(&town, &recovery[1]).await;
    let change = json!({ "old_password": PASSWORD, "new_password": "another anchor tumbles north" });
    proven.post("/api/auth/password", &change).await.expect(204);
    let changed = super::login("basile", "another anchor tumbles north", None);
    town.anyone.call(changed).await.problem(401, "second-factor-required");
    // Nor does whoever stole a session: removing the factor asks for a proof that is recent.
    let asked = proven.call(Ask::new("DELETE", "/api/auth/totp")).await;
    assert!(matches!(asked.status, 204 | 401), "{}", asked.brief());
}

async fn sign_in_with(town: &Town, otp: &str) -> Client {
    let tokens = town.anyone.call(super::login("basile", PASSWORD, Some(otp))).await.expect(200);
    town.anyone.with_token(text(&tokens["access_token"]))
}

fn challenge(answer: &Answer) -> String {
    answer.headers.get("www-authenticate").map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_told_as_bearer_tokens_are() {
    let town = Town::new().await;
    let nothing = town.anyone.get("/api/accounts").await;
    assert_eq!((nothing.status, challenge(&nothing).as_str()), (401, "Bearer realm=\"guichet\""));
    let junk = town.anyone.with_token("junk").get("/api/accounts").await;
    assert_eq!((junk.status, challenge(&junk).as_str()), (401, "Bearer realm=\"guichet\", error=\"invalid_token\""));
    let token = json!({ "name": "Program", "scopes": ["read"], "days": 30 });
    let made = text(&town.member.client.post("/api/auth/tokens", &token).await.expect(201)["token"]);
    let program = town.anyone.with_token(&made);
    let wish = json!({ "account": town.account["id"], "amount": "1.00", "currency": "EUR" });
    let less = program.post("/api/withdrawals", &wish).await;
    assert_eq!(less.status, 403);
    assert!(challenge(&less).ends_with("error=\"insufficient_scope\", scope=\"pay\""), "{}", challenge(&less));
    for path in ["/api/auth/sessions", "/api/auth/tokens", "/api/auth/users"] {
        assert_eq!(program.get(path).await.status, 403, "{path}");
    }
    // In the address, in a cookie, in another header, behind another word: it is no credential there.
    for (ask, what) in [
        (Ask::new("GET", format!("/api/accounts?access_token={made}")), "query"),
        (Ask::new("GET", "/api/accounts").header("cookie", format!("__Host-guichet={made}")), "cookie"),
        (Ask::new("GET", "/api/accounts").header("x-access-tokens", made.clone()), "header"),
        (Ask::new("GET", "/api/accounts").header("authorization", format!("Token {made}")), "Token"),
        (Ask::new("GET", "/api/accounts").header("authorization", format!("Basic {made}")), "Basic"),
        (Ask::new("GET", "/api/accounts?LOGIN=superuser"), "a login that is believed"),
        (Ask::new("GET", "/api/accounts").header("remote-user", "superuser"), "the name of a front server"),
    ] {
        assert_eq!(town.anyone.call(ask).await.status, 401, "{what}");
    }
    town.anyone
        .call(Ask::new("GET", "/api/accounts").header("authorization", format!("bEARER {made}")))
        .await
        .expect(200);
}

/// A program that holds a key, and proves it (RFC 9449).
struct Holder(Ed25519KeyPair);

impl Holder {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(self.0.public_key()) })
    }

    /// RFC 7638: the members in order, without spaces.
    fn thumbprint(&self) -> String {
        let x = text(&self.jwk()["x"]);
        BASE64URL.encode(digest(&SHA256, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()))
    }

    fn proof(&self, token: &str, jti: &str, change: impl FnOnce(&mut Value)) -> String {
        let head = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.jwk() });
        let ath = BASE64URL.encode(digest(&SHA256, token.as_bytes()));
        let mut claims = json!({ "jti": jti, "htm": "GET", "iat": now().seconds(), "ath": ath });
        change(&mut claims);
        signed(&head, &claims, &self.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_opens_nothing_without_a_fresh_proof_of_its_key_for_this_very_request() {
    let town = Town::new().await;
    let (holder, thief) = (Holder::new(5), Holder::new(6));
    let wish = json!({ "name": "Program", "scopes": ["read", "pay"], "days": 30, "jkt": holder.thumbprint() });
    let token = text(&town.member.client.post("/api/auth/tokens", &wish).await.expect(201)["token"]);
    let path = format!("/api/accounts/{}", text(&town.account["id"]));
    let here = format!("{}{path}", town.bank.line.url.trim_end_matches('/'));
    let ask = async |word: &str, proof: Option<&str>| {
        let ask = Ask::new("GET", &path).header("authorization", format!("{word} {token}"));
        let ask = match proof {
            Some(proof) => ask.header("dpop", proof),
            None => ask,
        };
        town.anyone.call(ask).await
    };
    let good = |jti: &str| holder.proof(&token, jti, |claims| claims["htu"] = json!(here));

    let first = good("1");
    assert_eq!(ask("DPoP", Some(&first)).await.expect(200)["id"], town.account["id"]);
    ask("DPoP", Some(&good("2"))).await.expect(200);
    for (what, proof) in [
        ("without a proof", None),
        ("with a proof that was used", Some(first)),
        ("with a proof by another key", Some(thief.proof(&token, "3", |claims| claims["htu"] = json!(here)))),
        (
            "with a proof for another path",
            Some(holder.proof(&token, "4", |claims| {
                claims["htu"] = json!(here.replace(&text(&town.account["id"]), NOTHING));
            })),
        ),
        (
            "with a proof for another site",
            Some(holder.proof(&token, "5", |claims| claims["htu"] = json!(format!("https://evil.example{path}")))),
        ),
        (
            "with a proof for another method",
            Some(holder.proof(&token, "6", |claims| {
                (claims["htu"], claims["htm"]) = (json!(here), json!("POST"));
            })),
        ),
        ("with a proof for another token", Some(holder.proof("another", "7", |claims| claims["htu"] = json!(here)))),
        (
            "with a proof of yesterday",
            Some(holder.proof(&token, "8", |claims| {
                (claims["htu"], claims["iat"]) = (json!(here), json!(now().seconds() - 86_400));
            })),
        ),
        ("with junk for a proof", Some("junk".into())),
    ] {
        for word in ["DPoP", "Bearer"] {
            let answer = ask(word, proof.as_deref()).await;
            assert_eq!(answer.status, 401, "{what}, as {word}: {}", answer.brief());
        }
    }
    ask("DPoP", Some(&good("9"))).await.expect(200);
    // A token that is bound to no key proves nothing by being called one that is.
    let loose = json!({ "name": "Other", "scopes": ["read"], "days": 30 });
    let loose = text(&town.member.client.post("/api/auth/tokens", &loose).await.expect(201)["token"]);
    let called = Ask::new("GET", "/api/accounts").header("authorization", format!("DPoP {loose}"));
    town.anyone.call(called).await.expect(401);
}
