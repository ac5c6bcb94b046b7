//! Signing in: one refusal for every reason.

use axum::body::Body;
use contracts::events::{Action, Audience};
use contracts::identity::{GetJwks, OpenBrowserSession, UserState};
use contracts::roles::Role;
use http::{Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::*;

/// The whole answer as bytes, but for the trace id.
async fn answer(world: &World, login: &str, typed: &str) -> String {
    let body = serde_json::json!({ "login": login, "password": typed }).to_string();
    let request = Request::post("/api/auth/login").header(header::CONTENT_TYPE, "application/json");
    let response = world.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let trace_id = parts.headers.get("x-trace-id").unwrap().to_str().unwrap().to_owned();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    format!("{} {:?} {body}", parts.status, parts.headers).replace(&trace_id, "TRACE")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refused_sign_in_gives_the_same_bytes_and_changes_nothing_but_the_journal() {
    for world in worlds().await {
        world.person("active", Role::Member).await;
        world.person_in("waiting", Role::Member, UserState::Pending).await;
        world.person_in("disabled", Role::Member, UserState::Disabled).await;
        world.person_in("rejected", Role::Member, UserState::Rejected).await;
        let before = world.tables().await;
        let long = "x".repeat(10_000);
        let tries = [
            ("active", OTHER_PASSWORD, "wrong-password"),
            ("waiting", PASSWORD, "pending"),
            ("disabled", PASSWORD, "disabled"),
            ("rejected", PASSWORD, "rejected"),
            ("disabled", OTHER_PASSWORD, "wrong-password"),
            ("nobody", PASSWORD, "unknown-login"),
            ("not a login\u{7}", PASSWORD, "unknown-login"),
            (&long, PASSWORD, "unknown-login"),
            ("", PASSWORD, "unknown-login"),
            // A password typed one field too high.
            ("molufu-foramo-7469", PASSWORD, "unknown-login"),
        ];
        let mut answers = Vec::new();
        for (login, typed, reason) in tries {
            answers.push(answer(&world, login, typed).await);
            let event = world.last(Action::LoginFailed).await;
            assert_eq!(event.details.get("reason").unwrap(), reason, "{login}");
            let known = reason != "unknown-login";
            assert_eq!(event.audience, if known { Audience::Members } else { Audience::Agents });
            assert_eq!(event.subject.is_some(), known);
        }
        assert!(answers[0].starts_with("401"), "{}", answers[0]);
        for other in &answers {
            assert_eq!(*other, answers[0]);
        }
        let browser = OpenBrowserSession::new("waiting", password(PASSWORD));
        assert!(is(&refused(&world.anyone(), browser).await, 401, "sign-in-refused"));
        assert_eq!(world.tables().await, before);
        assert_eq!(world.journal().await.iter().filter(|it| it.action == Action::LoginFailed).count(), 11);
        let journal = serde_json::to_string(&world.journal().await).unwrap();
        assert!(!journal.contains(PASSWORD) && !journal.contains(OTHER_PASSWORD));
        assert!(!journal.contains("xxxxx") && !journal.contains("molufu"), "what nobody is called is told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_credentials_sign_in_too() {
    use base64::Engine;
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("camille:{PASSWORD}"));
        let request = Request::post("/api/auth/login").header(header::AUTHORIZATION, format!("Basic {pair}"));
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_stored_readable() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let tokens = world.sign_in("camille").await;
        let browser = OpenBrowserSession::new("camille", password(PASSWORD));
        let browser = world.anyone().call(browser).await.unwrap().0;
        world.anyone().keyed("key").call(registration("other")).await.unwrap();
        let stored = format!("{:?} {:?}", world.store.dump().await.unwrap(), world.journal().await);
        for secret in [PASSWORD, &tokens.refresh_token, &tokens.access_token, &browser.secret, &browser.access_token] {
            assert!(!stored.contains(secret));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_are_verified_with_the_published_keys_and_last_ten_minutes() {
    for world in worlds().await {
        let user = world.person("agathe", Role::Agent).await;
        let tokens = world.sign_in("agathe").await;
        assert_eq!((tokens.token_type.as_str(), tokens.expires_in), ("Bearer", 600));
        let elsewhere = Verifier::new(ISSUER, ISSUER, world.clock.clone());
        elsewhere.trust(&world.anyone().call(GetJwks {}).await.unwrap());
        let principal = elsewhere.verify(&tokens.access_token).unwrap();
        assert_eq!((principal.id, &principal.groups[..]), (user.id, &["agent".to_owned()][..]));
        world.clock.advance(Duration::from_mins(10));
        assert!(elsewhere.verify(&tokens.access_token).is_err());
    }
}
