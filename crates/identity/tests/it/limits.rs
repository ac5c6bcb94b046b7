//! Guessing is slowed down, for names that somebody has and names that nobody has alike, and shuts nobody out whose
//! browser is known.

use axum::body::Body;
use axum::extract::ConnectInfo;
use contracts::events::{Action, Audience};
use contracts::identity::{
    BrowserSession, ChangePassword, DisableUser, OpenBrowserSession, ProveAgain, UnlockUser, WhoAmI,
};
use contracts::roles::Role;
use http::{Request, header};
use http_body_util::BodyExt;
use identity::Lost;
use tower::ServiceExt;

use crate::factors::{app, enrol, with_otp};
use crate::*;

fn wrong(login: &str) -> SignIn {
    credential(login, OTHER_PASSWORD)
}

async fn fail(world: &World, login: &str, times: usize) {
    for _ in 0..times {
        assert!(is(&refused(&world.anyone(), wrong(login)).await, 401, "sign-in-refused"));
    }
}

async fn waits(world: &World, sign_in: SignIn) -> bool {
    is(&refused(&world.anyone(), sign_in).await, 429, "too-many-tries")
}

/// The status of an answer to a call from this address.
async fn from(world: &World, address: &str, path: &str, body: serde_json::Value) -> u16 {
    let peer: std::net::SocketAddr = (address.parse::<std::net::IpAddr>().unwrap(), 4000).into();
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").extension(ConnectInfo(peer));
    let response = world.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    response.status().as_u16()
}

/// The whole answer but for the trace id.
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
async fn after_five_failures_waits_double_the_same_for_known_and_unknown_names() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        world.person_in("disabled", Role::Member, UserState::Disabled).await;
        let names = ["camille", "disabled", "nobody", "not a login\u{7}"];
        for round in 0..4_u32 {
            let mut answers = Vec::new();
            for name in names {
                fail(&world, name, if round == 0 { 5 } else { 1 }).await;
                // The right password too: whoever guesses it learns nothing.
                answers.push(answer(&world, name, PASSWORD).await);
                answers.push(answer(&world, name, OTHER_PASSWORD).await);
            }
            let seconds = 2_u64.pow(round);
            assert!(answers[0].starts_with("429") && answers[0].contains(&format!("\"retry-after\": \"{seconds}\"")));
            assert!(answers.iter().all(|it| *it == answers[0]), "{answers:#?}");
            world.clock.advance(Duration::from_secs(seconds));
        }
        let told: Vec<LogEvent> =
            world.journal().await.into_iter().filter(|it| it.action == Action::SignInBlocked).collect();
        assert_eq!(told.len(), names.len(), "told when waiting begins, not each time");
        assert_eq!(told.iter().filter(|it| it.audience == Audience::Members).count(), 2);
        let stored = format!("{:?}", world.store.dump().await.unwrap()["attempts"]);
        assert!(!stored.contains("nobody"), "what was typed is not kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_clears_its_own_login_only() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        world.person("mallory", Role::Member).await;
        fail(&world, "camille", 4).await;
        world.sign_in("mallory").await;
        fail(&world, "camille", 1).await;
        assert!(waits(&world, wrong("camille")).await);
        world.sign_in("mallory").await;
        assert!(waits(&world, credential("Camille ", PASSWORD)).await);
        world.clock.advance(Duration::from_secs(1));
        world.sign_in("camille").await;
        fail(&world, "camille", 5).await;
        assert!(waits(&world, wrong("camille")).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_guesses_at_once_five_are_answered() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let guesses: Vec<_> = (0..50)
            .map(|_| {
                let anyone = world.anyone();
                tokio::spawn(async move { anyone.call(wrong("camille")).await.err().unwrap().status().as_u16() })
            })
            .collect();
        let mut answered = 0;
        for guess in guesses {
            let status = guess.await.unwrap();
            assert!(matches!(status, 401 | 429), "{status}");
            answered += usize::from(status == 401);
        }
        assert_eq!(answered, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_hundred_failures_only_staff_help_or_a_browser_that_is_known() {
    for world in worlds().await {
        let member = world.person("camille", Role::Member).await;
        world.person("agathe", Role::Agent).await;
        let open = || OpenBrowserSession::new("camille", password(PASSWORD));
        let known = world.anyone().call(open()).await.unwrap().0.device;
        assert!(known.is_some());
        for _ in 0..100 {
            fail(&world, "camille", 1).await;
            world.clock.advance(Duration::from_mins(15));
        }
        world.clock.advance(Duration::from_hours(24 * 100));
        assert!(waits(&world, credential("camille", PASSWORD)).await);
        assert_eq!(world.last(Action::SignInBlocked).await.details["failures"], "100");
        world.anyone().call(OpenBrowserSession { device: known, ..open() }).await.unwrap();
        assert!(waits(&world, credential("camille", PASSWORD)).await, "strangers stay out");
        let agent = world.as_holder(&world.sign_in("agathe").await);
        agent.call(UnlockUser { id: member.id }).await.unwrap();
        assert_eq!(world.last(Action::Unlocked).await.subject.unwrap().id, member.id);
        world.sign_in("camille").await;
        let own = world.signed_in("other", Role::Member).await.1;
        assert!(is(&refused(&own, UnlockUser { id: member.id }).await, 403, "forbidden"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_browser_has_its_own_counter_and_is_known_for_its_person_only() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        world.person("mallory", Role::Member).await;
        let open = |login: &str, device: &Option<String>, typed: &str| OpenBrowserSession {
            device: device.clone(),
            ..OpenBrowserSession::new(login, password(typed))
        };
        let opened: BrowserSession = world.anyone().call(open("camille", &None, PASSWORD)).await.unwrap().0;
        let (hers, its) =
            (opened.device, world.anyone().call(open("mallory", &None, PASSWORD)).await.unwrap().0.device);
        assert_ne!(hers, its);
        fail(&world, "camille", 5).await;
        // Mallory's browser is a stranger to Camille's account; so is one that was made up.
        for stranger in [&its, &Some("made up".into()), &Some(String::new())] {
            let refused = refused(&world.anyone(), open("camille", stranger, PASSWORD)).await;
            assert!(is(&refused, 429, "too-many-tries"), "{refused:?}");
        }
        let again = world.anyone().call(open("camille", &hers, PASSWORD)).await.unwrap().0;
        assert!(again.device.is_none(), "it keeps what it has");
        for _ in 0..5 {
            assert!(is(
                &refused(&world.anyone(), open("camille", &hers, OTHER_PASSWORD)).await,
                401,
                "sign-in-refused"
            ));
        }
        assert!(is(&refused(&world.anyone(), open("camille", &hers, PASSWORD)).await, 429, "too-many-tries"));
        world.sign_in("camille").await;
        let stored = format!("{:?} {:?}", world.store.dump().await.unwrap(), world.journal().await);
        assert!(!stored.contains(&hers.unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_count_like_wrong_passwords_and_a_missing_one_does_not_clear_them() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        let (setup, _) = enrol(&world, &camille).await;
        for _ in 0..5 {
            assert!(is(&refused(&world.anyone(), with_otp("camille", "no-code")).await, 401, "sign-in-refused"));
            let without = refused(&world.anyone(), credential("camille", PASSWORD)).await;
            assert!(without.0 == 429 || is(&without, 401, "second-factor-required"), "{without:?}");
        }
        assert!(waits(&world, with_otp("camille", &app(&setup, world.clock.now()))).await);
        world.clock.advance(Duration::from_secs(30));
        world.anyone().call(with_otp("camille", &app(&setup, world.clock.now()))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proving_again_renews_the_proof_in_the_token_and_in_those_that_follow() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let opened = world.anyone().call(OpenBrowserSession::new("camille", password(PASSWORD))).await.unwrap().0;
        let camille = world.anyone().with_token(&opened.access_token);
        let proof = |token: &str| {
            let principal = world.verifier.verify(token).unwrap();
            (principal.authenticated.seconds(), principal.second_factor)
        };
        let began = world.clock.now().seconds();
        assert_eq!(proof(&opened.access_token), (began, false));
        let (setup, _) = enrol(&world, &camille).await;
        world.clock.advance(Duration::from_mins(9));
        let prove = |typed: &str, otp: Option<String>| ProveAgain { password: password(typed), otp };
        assert!(is(&refused(&camille, prove(PASSWORD, None)).await, 422, "second-factor-required"));
        assert!(is(&refused(&camille, prove(PASSWORD, Some("000000".into()))).await, 422, "proof-refused"));
        world.last(Action::StepUpFailed).await;
        let code = app(&setup, world.clock.now());
        let fresh = camille.call(prove(PASSWORD, Some(code))).await.unwrap();
        assert_eq!((fresh.authenticated_at, fresh.second_factor), (world.clock.now(), true));
        assert_eq!(proof(&fresh.access_token), (world.clock.now().seconds(), true));
        assert_eq!(world.last(Action::SteppedUp).await.details["by"], "code");
        world.anyone().with_token(&fresh.access_token).call(WhoAmI {}).await.unwrap();
        let resume = contracts::identity::ResumeBrowserSession { secret: opened.secret };
        assert_eq!(
            proof(&world.anyone().call(resume).await.unwrap().access_token),
            (world.clock.now().seconds(), true)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_session_cannot_guess_its_password_nor_shut_its_person_out() {
    for world in worlds().await {
        let (_, thief) = world.signed_in("camille", Role::Member).await;
        for _ in 0..5 {
            let guess = ProveAgain { password: password(OTHER_PASSWORD), otp: None };
            assert!(is(&refused(&thief, guess).await, 422, "proof-refused"));
        }
        let guess = ProveAgain { password: password(PASSWORD), otp: None };
        assert!(is(&refused(&thief, guess).await, 429, "too-many-tries"));
        let change = ChangePassword { old_password: password(PASSWORD), new_password: password(OTHER_PASSWORD) };
        assert!(is(&refused(&thief, change).await, 429, "too-many-tries"));
        world.sign_in("camille").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_tries_many_names_waits_and_an_own_account_buys_no_further_tries() {
    for world in worlds().await {
        world.person("mallory", Role::Member).await;
        let sign_in = |login: &str, typed: &str| serde_json::json!({ "login": login, "password": typed });
        let (mut refused, mut waited) = (0, false);
        for number in 0..40 {
            let name = format!("person{number}");
            match from(&world, &format!("2001:db8::{number:x}"), "/api/auth/login", sign_in(&name, PASSWORD)).await {
                401 => refused += 1,
                429 => waited = true,
                other => panic!("{other}"),
            }
            if !waited && number % 10 == 0 {
                let own = from(&world, "2001:db8::1", "/api/auth/login", sign_in("mallory", PASSWORD)).await;
                assert_eq!(own, 200, "their own account");
            }
        }
        assert_eq!((refused, waited), (30, true), "one IPv6 network is one address");
        assert_eq!(from(&world, "192.0.2.7", "/api/auth/login", sign_in("mallory", PASSWORD)).await, 200);
        // Nor does it find out there which logins are taken.
        let registration = serde_json::to_value(registration("mallory")).unwrap();
        assert_eq!(from(&world, "2001:db8::2", "/api/auth/register", registration.clone()).await, 429);
        assert_eq!(from(&world, "192.0.2.7", "/api/auth/register", registration).await, 409);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thief_of_a_session_must_not_do_asks_for_a_recent_proof() {
    use contracts::identity::{BeginTotp, MakeRecoveryCodes, RemoveTotp};
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let first = world.sign_in("camille").await;
        world.clock.advance(Duration::from_mins(16));
        let refresh = contracts::identity::Refresh { refresh_token: first.refresh_token };
        let old = world.as_holder(&world.anyone().call(refresh).await.unwrap());
        let change = || ChangePassword { old_password: password(PASSWORD), new_password: password(OTHER_PASSWORD) };
        for refused in [
            refused(&old, BeginTotp {}).await,
            refused(&old, RemoveTotp {}).await,
            refused(&old, MakeRecoveryCodes {}).await,
            refused(&old, change()).await,
        ] {
            assert!(is(&refused, 401, "step-up-required"), "{refused:?}");
        }
        old.call(WhoAmI {}).await.unwrap();
        let again = old.call(ProveAgain { password: password(PASSWORD), otp: None }).await.unwrap();
        let fresh = world.anyone().with_token(&again.access_token);
        fresh.call(BeginTotp {}).await.unwrap();
        fresh.call(change()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lets_somebody_in_whom_nobody_else_can_help() {
    for world in worlds().await {
        let (_, boss) = world.signed_in("boss", Role::Superuser).await;
        enrol(&world, &boss).await;
        fail(&world, "boss", 5).await;
        assert!(waits(&world, credential("boss", PASSWORD)).await);
        let login = "boss".parse().unwrap();
        world.identity.unlock_by_hand(&login, Lost::default()).await.unwrap();
        assert!(is(&refused(&world.anyone(), credential("boss", PASSWORD)).await, 401, "second-factor-required"));
        let factors = || Lost { factors: true, password: None };
        world.identity.unlock_by_hand(&login, factors()).await.unwrap();
        assert!(is(&refused(&boss, WhoAmI {}).await, 401, "unauthorized"), "every session ended");
        let boss = world.anyone().with_token(&world.sign_in("boss").await.access_token);
        assert!(world.last(Action::FactorResetApproved).await.actor.is_none());
        assert!(world.identity.unlock_by_hand(&"nobody".parse().unwrap(), factors()).await.is_err());

        let forgotten = |new: &str| Lost { factors: false, password: Some(password(new)) };
        assert!(world.identity.unlock_by_hand(&login, forgotten("password")).await.is_err(), "as weak as anybody's");
        boss.call(WhoAmI {}).await.unwrap();
        world.identity.unlock_by_hand(&login, forgotten("another harbour at dusk")).await.unwrap();
        assert!(is(&refused(&boss, WhoAmI {}).await, 401, "unauthorized"), "every session ended");
        assert!(is(&refused(&world.anyone(), credential("boss", PASSWORD)).await, 401, "sign-in-refused"));
        world.anyone().call(credential("boss", "another harbour at dusk")).await.unwrap();
        assert!(world.last(Action::PasswordReset).await.actor.is_none());

        world.signed_in("away", Role::Agent).await;
        let both = || Lost { factors: true, ..forgotten("a lantern over wet slate") };
        world.identity.unlock_by_hand(&"away".parse().unwrap(), both()).await.unwrap();
        let told = world.last(Action::PasswordReset).await;
        assert_eq!(told.details["sessions_ended"], "1", "by whatever they ended");
        let tokens = world.anyone().call(credential("boss", "another harbour at dusk")).await.unwrap();
        let boss = world.anyone().with_token(&tokens.access_token);
        let away = told.subject.unwrap().id;
        boss.call(DisableUser { id: away, reason: None }).await.unwrap();
        assert!(world.identity.unlock_by_hand(&"away".parse().unwrap(), both()).await.is_err());
    }
}
