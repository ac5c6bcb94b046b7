//! Personal tokens: what they are good for, how they end, and what other verifiers are told of them.

use std::time::Duration;

use aaa::{Revocation, Verifier};
use contracts::events::Action;
use contracts::identity::*;
use contracts::roles::Role;
use contracts::scopes::TokenScope;
use identity::ISSUER;

use crate::{World, is, refused, worlds};

const JKT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn wish(scopes: &[TokenScope]) -> CreateToken {
    CreateToken { name: "Accounting".parse().unwrap(), scopes: scopes.to_vec(), days: 30, jkt: None }
}

async fn introspected(world: &World, token: &str) -> Introspection {
    let (_, agent) = world.signed_in(&format!("agent{}", world.clock.now().micros()), Role::Agent).await;
    agent.call(Introspect { token: token.into(), token_type_hint: None }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_it_was_made_for_and_nothing_else() {
    for world in worlds().await {
        let (camille, caller) = world.signed_in("camille", Role::Member).await;
        let made = caller.call(wish(&[TokenScope::Read])).await.unwrap().0;
        let program = world.anyone().with_token(&made.token);
        assert_eq!(program.call(WhoAmI {}).await.unwrap().id, camille.id);
        let more = wish(&[TokenScope::Pay]);
        assert_eq!(refused(&program, more).await.0, 403, "no token makes another one");
        assert_eq!(refused(&program, ListTokens {}).await.0, 403);
        assert_eq!(refused(&program, ListSessions {}).await.0, 403);
        world.clock.advance(Duration::from_millis(1));
        let paying = caller.call(wish(&[TokenScope::Pay])).await.unwrap().0;
        assert_eq!(refused(&world.anyone().with_token(&paying.token), WhoAmI {}).await.0, 403);
        assert!(!format!("{:?}", world.store.dump().await.unwrap()).contains(&made.token), "the token is not stored");
        let listed = caller.call(ListTokens {}).await.unwrap().items;
        assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), [paying.details.id, made.details.id]);
        assert_eq!((listed[1].name.as_str(), &listed[1].scopes[..]), ("Accounting", &[TokenScope::Read][..]));
        world.last(Action::TokenMade).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_when_it_says_when_it_is_revoked_and_when_its_owner_may_no_more() {
    for world in worlds().await {
        let (camille, caller) = world.signed_in("camille", Role::Member).await;
        let tokens = [caller.call(wish(&[TokenScope::Read])).await.unwrap().0, {
            world.clock.advance(Duration::from_millis(1));
            caller.call(wish(&[TokenScope::Read])).await.unwrap().0
        }];
        let [revoked, kept] = tokens.each_ref().map(|made| world.anyone().with_token(&made.token));
        let (_, stranger) = world.signed_in("dominique", Role::Member).await;
        let id = tokens[0].details.id;
        assert!(is(&refused(&stranger, RevokeToken { id }).await, 404, "not-found"));
        caller.call(RevokeToken { id }).await.unwrap();
        assert!(is(&refused(&revoked, WhoAmI {}).await, 401, "unauthorized"));
        assert!(is(&refused(&caller, RevokeToken { id }).await, 404, "not-found"));
        kept.call(WhoAmI {}).await.unwrap();

        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        agent.call(DisableUser { id: camille.id, reason: None }).await.unwrap();
        assert!(is(&refused(&kept, WhoAmI {}).await, 401, "unauthorized"));
        agent.call(ActivateUser { id: camille.id }).await.unwrap();
        assert!(is(&refused(&kept, WhoAmI {}).await, 401, "unauthorized"), "it does not come back");

        let again = world.as_holder(&world.sign_in("camille").await);
        let short = again.call(wish(&[TokenScope::Read])).await.unwrap().0;
        let program = world.anyone().with_token(&short.token);
        world.clock.advance(Duration::from_hours(30 * 24).saturating_sub(Duration::from_secs(1)));
        program.call(WhoAmI {}).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        assert!(is(&refused(&program, WhoAmI {}).await, 401, "unauthorized"));
        world.identity.forget_ended().await.unwrap();
        let left = world.store.dump().await.unwrap();
        assert!(left.iter().filter(|(name, _)| name.as_str() == "personal_tokens").all(|(_, rows)| rows.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_must_not_be_is_refused() {
    for world in worlds().await {
        let (_, caller) = world.signed_in("camille", Role::Member).await;
        let read = || wish(&[TokenScope::Read]);
        for bad in [
            wish(&[]),
            wish(&[TokenScope::Introspect]),
            CreateToken { days: 0, ..read() },
            CreateToken { days: 366, ..read() },
            CreateToken { jkt: Some("short".into()), ..read() },
            CreateToken { jkt: Some("+".repeat(43)), ..read() },
        ] {
            assert_eq!(refused(&caller, bad).await.0, 400);
        }
        world.clock.advance(Duration::from_mins(9));
        caller.call(read()).await.unwrap();
        for _ in 1..50 {
            caller.call(read()).await.unwrap();
        }
        assert!(is(&refused(&caller, read()).await, 409, "too-many-tokens"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_says_so_and_is_useless_alone() {
    for world in worlds().await {
        let (_, caller) = world.signed_in("camille", Role::Member).await;
        let bound = CreateToken { jkt: Some(JKT.into()), ..wish(&[TokenScope::Read]) };
        let made = caller.call(bound).await.unwrap().0;
        assert_eq!(refused(&world.anyone().with_token(&made.token), WhoAmI {}).await.0, 401);
        assert_eq!(introspected(&world, &made.token).await.token_type.as_deref(), Some("DPoP"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_and_their_tokens_can_ask_whether_a_token_holds_and_members_cannot() {
    for world in worlds().await {
        let (camille, caller) = world.signed_in("camille", Role::Member).await;
        let tokens = world.sign_in("camille").await;
        let made = caller.call(wish(&[TokenScope::Read, TokenScope::Pay])).await.unwrap().0;
        let known = introspected(&world, &made.token).await;
        assert_eq!((known.active, known.scope.as_deref()), (true, Some("read pay")));
        assert_eq!((known.sub, known.username.as_deref()), (Some(camille.id.to_string()), Some("camille")));
        assert_eq!((known.jti, known.token_type.as_deref()), (Some(made.details.id.to_string()), Some("Bearer")));
        let session = introspected(&world, &tokens.access_token).await;
        assert_eq!((session.active, session.scope), (true, None));
        for nothing in ["", "junk", &tokens.refresh_token, &made.token[..made.token.len() - 2]] {
            assert_eq!(introspected(&world, nothing).await, Introspection::default(), "{nothing}");
        }
        caller.call(RevokeToken { id: made.details.id }).await.unwrap();
        world.as_holder(&tokens).call(SignOut {}).await.unwrap();
        for ended in [&made.token, &tokens.access_token] {
            assert_eq!(introspected(&world, ended).await, Introspection::default());
        }

        let ask = || Introspect { token: made.token.clone(), token_type_hint: None };
        assert_eq!(refused(&caller, ask()).await.0, 403);
        assert_eq!(refused(&caller, ListRevocations {}).await.0, 403);
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        let service = agent.call(wish(&[TokenScope::Introspect])).await.unwrap().0;
        let service = world.anyone().with_token(&service.token);
        service.call(ask()).await.unwrap();
        let told = service.call(ListRevocations {}).await.unwrap().items;
        assert!(
            told.iter().any(|it| matches!(it, Revocation::Token { jti, .. } if *jti == made.details.id.to_string()))
        );
        assert!(told.iter().any(|it| matches!(it, Revocation::Session { .. })), "{told:?}");
        assert_eq!(refused(&service, WhoAmI {}).await.0, 403, "good for nothing else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_starts_months_later_still_knows_a_revoked_token() {
    for world in worlds().await {
        let (_, caller) = world.signed_in("camille", Role::Member).await;
        let made = caller.call(CreateToken { days: 365, ..wish(&[TokenScope::Read]) }).await.unwrap().0;
        caller.call(RevokeToken { id: made.details.id }).await.unwrap();
        world.clock.advance(Duration::from_hours(24 * 300));
        world.identity.forget_ended().await.unwrap();
        let late = Verifier::new(ISSUER, ISSUER, world.clock.clone());
        late.trust(&world.identity.trusted_keys().await.unwrap());
        assert!(late.verify(&made.token).is_ok());
        for revocation in world.identity.recent_revocations().await.unwrap() {
            late.revoke(&revocation);
        }
        assert!(late.verify(&made.token).is_err());
    }
}
