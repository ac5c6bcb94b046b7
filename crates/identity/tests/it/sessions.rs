//! Sessions: rotation, limits, and the ends of them.

use contracts::events::{Action, Level};
use contracts::identity::{
    BrowserSession, ChangePassword, EditProfile, EndSession, GetProfile, ListSessions, OpenBrowserSession, Refresh,
    ResumeBrowserSession, SignOut, WhoAmI,
};
use contracts::roles::Role;

use crate::*;

fn refresh(tokens: &Tokens) -> Refresh {
    Refresh { refresh_token: tokens.refresh_token.clone() }
}

async fn browse(world: &World, login: &str) -> BrowserSession {
    let open = OpenBrowserSession { agent: Some("Lynx".into()), ..OpenBrowserSession::new(login, password(PASSWORD)) };
    world.anyone().call(open).await.unwrap().0
}

fn resume(session: &BrowserSession) -> ResumeBrowserSession {
    ResumeBrowserSession { secret: session.secret.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_works_once_and_a_second_use_ends_the_session() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let first = world.sign_in("camille").await;
        let apart = world.sign_in("camille").await;
        let second = world.anyone().call(refresh(&first)).await.unwrap();
        assert_ne!(first.refresh_token, second.refresh_token);
        let holder = world.as_holder(&second);
        holder.call(WhoAmI {}).await.unwrap();

        assert!(is(&refused(&world.anyone(), refresh(&first)).await, 401, "unauthorized"));
        assert!(is(&refused(&holder, WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&world.as_holder(&first), WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&world.anyone(), refresh(&second)).await, 401, "unauthorized"));
        assert_eq!(world.last(Action::RefreshReused).await.level, Level::Warning);
        world.as_holder(&apart).call(WhoAmI {}).await.unwrap();
        world.anyone().call(refresh(&apart)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_refresh_with_one_token_at_once_at_most_one_succeeds_and_the_session_ends() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let tokens = world.sign_in("camille").await;
        let anyone = world.anyone();
        let (a, b, c) =
            tokio::join!(anyone.call(refresh(&tokens)), anyone.call(refresh(&tokens)), anyone.call(refresh(&tokens)));
        let won: Vec<Tokens> = [a, b, c].into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert!(is(&refused(&world.as_holder(&won[0]), WhoAmI {}).await, 401, "unauthorized"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_and_the_secret_of_another_kind_of_session_refresh_nothing() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let tokens = world.sign_in("camille").await;
        let browser = browse(&world, "camille").await;
        for junk in ["", "x", &"y".repeat(300), &browser.secret, &tokens.access_token] {
            let junk = Refresh { refresh_token: junk.into() };
            assert!(is(&refused(&world.anyone(), junk).await, 401, "unauthorized"));
        }
        let swapped = ResumeBrowserSession { secret: tokens.refresh_token.clone() };
        assert!(is(&refused(&world.anyone(), swapped).await, 401, "unauthorized"));
        world.anyone().call(resume(&browser)).await.unwrap();
        world.anyone().call(refresh(&tokens)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_end_after_two_idle_weeks_and_after_a_month_in_any_case() {
    const DAY: Duration = Duration::from_hours(24);
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let idle = world.sign_in("camille").await;
        let mut busy = world.sign_in("camille").await;
        for _ in 0..2 {
            world.clock.advance(DAY * 13);
            busy = world.anyone().call(refresh(&busy)).await.unwrap();
        }
        assert!(is(&refused(&world.anyone(), refresh(&idle)).await, 401, "unauthorized"));
        world.clock.advance(DAY * 4);
        assert!(is(&refused(&world.anyone(), refresh(&busy)).await, 401, "unauthorized"));
        world.identity.forget_ended().await.unwrap();
        let left: usize = world
            .tables()
            .await
            .iter()
            .filter(|(name, _)| name == "sessions" || name == "secrets")
            .map(|it| it.1.len())
            .sum();
        assert_eq!(left, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_session_ends_after_half_an_idle_hour_and_after_twelve_hours() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        world.sign_in("camille").await;
        let before = world.clock.now();
        world.clock.advance(Duration::from_mins(5));
        let session = browse(&world, "camille").await;
        assert_eq!(session.previous_login_at, Some(before));
        assert_eq!(session.user.last_login_at, Some(world.clock.now()));
        let idle = browse(&world, "camille").await;
        for _ in 0..24 {
            world.clock.advance(Duration::from_mins(29));
            let resumed = world.anyone().call(resume(&session)).await.unwrap();
            assert_eq!((resumed.previous_login_at, resumed.ends_at), (Some(before), session.ends_at));
            world.anyone().with_token(resumed.access_token).call(WhoAmI {}).await.unwrap();
        }
        assert!(is(&refused(&world.anyone(), resume(&idle)).await, 401, "unauthorized"));
        world.clock.set(session.ends_at.minus(Duration::from_mins(2)));
        assert_eq!(world.anyone().call(resume(&session)).await.unwrap().expires_in, 120);
        world.clock.set(session.ends_at);
        assert!(is(&refused(&world.anyone(), resume(&session)).await, 401, "unauthorized"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_every_token_of_the_session_at_once() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let (tokens, other) = (world.sign_in("camille").await, world.sign_in("camille").await);
        let browser = browse(&world, "camille").await;
        world.as_holder(&tokens).call(SignOut {}).await.unwrap();
        assert!(is(&refused(&world.as_holder(&tokens), WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&world.anyone(), refresh(&tokens)).await, 401, "unauthorized"));
        world.anyone().with_token(&browser.access_token).call(SignOut {}).await.unwrap();
        assert!(is(&refused(&world.anyone(), resume(&browser)).await, 401, "unauthorized"));
        world.as_holder(&other).call(WhoAmI {}).await.unwrap();
        assert_eq!(world.journal().await.iter().filter(|event| event.action == Action::Logout).count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_starts_learns_what_was_ended_shortly_before() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let tokens = world.sign_in("camille").await;
        world.as_holder(&tokens).call(SignOut {}).await.unwrap();
        let late = Verifier::new(ISSUER, ISSUER, world.clock.clone());
        late.trust(&world.identity.trusted_keys().await.unwrap());
        assert!(late.verify(&tokens.access_token).is_ok());
        for revocation in world.identity.recent_revocations().await.unwrap() {
            late.revoke(&revocation);
        }
        assert!(late.verify(&tokens.access_token).is_err());
        world.clock.advance(Duration::from_mins(11));
        assert!(world.identity.recent_revocations().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_end_their_own_sessions_only() {
    for world in worlds().await {
        let (_, camille) = world.signed_in("camille", Role::Member).await;
        world.clock.advance(Duration::from_secs(1));
        let browser = browse(&world, "camille").await;
        let (_, other) = world.signed_in("other", Role::Member).await;
        let sessions = camille.call(ListSessions {}).await.unwrap().items;
        assert_eq!(sessions.iter().map(|it| it.current).collect::<Vec<_>>(), [false, true]);
        assert_eq!(sessions[0].agent.as_deref(), Some("Lynx"));
        assert!(is(&refused(&other, EndSession { id: sessions[0].id }).await, 404, "not-found"));
        camille.call(EndSession { id: sessions[0].id }).await.unwrap();
        let ended = world.anyone().with_token(&browser.access_token);
        assert!(is(&refused(&ended, WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&camille, EndSession { id: sessions[0].id }).await, 404, "not-found"));
        assert_eq!(camille.call(ListSessions {}).await.unwrap().items.len(), 1);
        world.last(Action::SessionEnded).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_the_other_sessions_and_the_old_one_fits_no_more() {
    for world in worlds().await {
        world.person("camille", Role::Member).await;
        let (here, there) = (world.sign_in("camille").await, world.sign_in("camille").await);
        let caller = world.as_holder(&here);
        let change = |old: &str, new: &str| ChangePassword { old_password: password(old), new_password: password(new) };
        let wrong = refusal(&caller, change("something else entirely", OTHER_PASSWORD)).await;
        assert_eq!((wrong.code(), wrong.faults()[0].field.as_str()), ("wrong-password", "old_password"));
        assert_eq!(world.last(Action::PasswordChangeFailed).await.level, Level::Warning);
        for weak in ["durand camille", PASSWORD] {
            let problem = refusal(&caller, change(PASSWORD, weak)).await;
            assert_eq!((problem.code(), problem.faults()[0].field.as_str()), ("weak-password", "new_password"));
        }
        world.as_holder(&there).call(WhoAmI {}).await.unwrap();

        caller.call(change(PASSWORD, OTHER_PASSWORD)).await.unwrap();
        caller.call(WhoAmI {}).await.unwrap();
        assert!(is(&refused(&world.as_holder(&there), WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&world.anyone(), refresh(&there)).await, 401, "unauthorized"));
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "sign-in-refused"));
        world.anyone().call(credential("camille", OTHER_PASSWORD)).await.unwrap();
        assert_eq!(world.last(Action::PasswordChanged).await.details["sessions_ended"], "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_changes_only_in_the_fields_that_are_given() {
    for world in worlds().await {
        let (user, caller) = world.signed_in("camille", Role::Member).await;
        let edit = EditProfile {
            email: Some("new@example.org".parse().unwrap()),
            first_name: None,
            last_name: Some("Durand".parse().unwrap()),
            language: Some(Language::Fr),
        };
        let edited = caller.call(edit).await.unwrap();
        assert_eq!((edited.email.as_str(), edited.language), ("new@example.org", Language::Fr));
        assert_eq!(edited.first_name, user.first_name);
        assert_eq!(caller.call(GetProfile {}).await.unwrap().email, edited.email);
        let event = world.last(Action::ProfileChanged).await;
        assert_eq!(event.details["fields"], "email, language");
        assert!(!serde_json::to_string(&event).unwrap().contains("new@example.org"));
    }
}
