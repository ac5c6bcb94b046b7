//! Several instances on one database are as one: what one signed, began, counted or revoked holds at every other.

use contracts::identity::{
    AskForPasskey, BeginPasskey, BeginTotp, ConfirmTotp, CreateToken, GetJwks, Introspect, RevokeToken, SignOut, WhoAmI,
};
use contracts::scopes::TokenScope;
use identity::SharedSecretError;

use crate::factors::{app, with_otp};
use crate::passkeys::{Authenticator, add, ask};
use crate::*;

/// Two instances that have heard of each other.
struct Twins {
    one: World,
    other: World,
}

async fn twins() -> Vec<Twins> {
    let mut all = Vec::new();
    for one in worlds().await {
        one.identity.publish_keys().await.unwrap();
        let other = one.twin(&SigningKey::from_seed([4; 32]).unwrap()).await;
        other.identity.publish_keys().await.unwrap();
        for world in [&one, &other] {
            world.hear().await;
        }
        all.push(Twins { one, other });
    }
    all
}

impl World {
    /// What each verifier does every second.
    async fn hear(&self) {
        self.verifier.trust(&self.identity.trusted_keys().await.unwrap());
        for revocation in self.identity.recent_revocations().await.unwrap() {
            self.verifier.revoke(&revocation);
        }
    }

    async fn kids(&self) -> Vec<String> {
        self.anyone().call(GetJwks {}).await.unwrap().keys.into_iter().map(|key| key.kid).collect()
    }
}

fn personal() -> CreateToken {
    CreateToken { name: "A program".parse().unwrap(), scopes: vec![TokenScope::Read], days: 30, jkt: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_signed_is_believed_by_all_and_what_one_revoked_by_none() {
    for Twins { one, other } in twins().await {
        let (_, camille) = one.signed_in("camille", Role::Member).await;
        let tokens = one.sign_in("camille").await;
        other.as_holder(&tokens).call(WhoAmI {}).await.unwrap();
        let (mut kids, mut others) = (one.kids().await, other.kids().await);
        assert_ne!(kids[0], others[0], "each puts its own first");
        kids.sort();
        others.sort();
        assert_eq!((kids.len(), &kids), (2, &others));

        let (_, agent) = other.signed_in("agathe", Role::Agent).await;
        let introspecting = CreateToken { scopes: vec![TokenScope::Introspect], ..personal() };
        let service = agent.call(introspecting).await.unwrap().0;
        let service = other.anyone().with_token(&service.token);
        let active = async || {
            let question = Introspect { token: tokens.access_token.clone(), token_type_hint: None };
            service.call(question).await.unwrap().active
        };
        assert!(active().await);
        one.as_holder(&tokens).call(SignOut {}).await.unwrap();
        other.hear().await;
        assert!(is(&refused(&other.as_holder(&tokens), WhoAmI {}).await, 401, "unauthorized"));
        assert!(!active().await);
        camille.call(WhoAmI {}).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_waits_until_every_verifier_knows_its_key() {
    for one in worlds().await {
        assert_eq!(one.identity.publish_keys().await.unwrap(), Duration::ZERO, "nobody has asked before the first");
        let other = one.twin(&SigningKey::from_seed([4; 32]).unwrap()).await;
        let wait = other.identity.publish_keys().await.unwrap();
        assert!(wait > Duration::from_secs(2), "verifiers ask each second: {wait:?}");
        one.clock.advance(wait / 2);
        assert_eq!(other.identity.publish_keys().await.unwrap(), wait / 2);
        one.clock.advance(wait / 2);
        assert_eq!(other.identity.publish_keys().await.unwrap(), Duration::ZERO, "and never again with that key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_instance_that_is_gone_is_believed_as_long_as_tokens_of_its() {
    for Twins { one, other } in twins().await {
        let (own, gone) = (one.kids().await[0].clone(), other.kids().await[0].clone());
        let (_, camille) = other.signed_in("camille", Role::Member).await;
        let kept = camille.call(personal()).await.unwrap().0;
        let ages = async |kids: &[&String]| {
            one.identity.publish_keys().await.unwrap();
            one.identity.forget_ended().await.unwrap();
            one.clock.advance(Duration::from_mins(61));
            one.identity.publish_keys().await.unwrap();
            one.identity.forget_ended().await.unwrap();
            assert_eq!(one.kids().await.iter().collect::<Vec<_>>(), kids);
        };
        ages(&[&own, &gone]).await;
        one.hear().await;
        one.anyone().with_token(&kept.token).call(WhoAmI {}).await.unwrap();
        let back = one.sign_in("camille").await;
        one.as_holder(&back).call(RevokeToken { id: kept.details.id }).await.unwrap();
        ages(&[&own]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_be_known_is_taken_back_everywhere() {
    for one in worlds().await {
        one.identity.publish_keys().await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("signing.key");
        let mut key = SigningKey::open_or_create(&path, &one.clock, &Chance::seeded(5)).unwrap();
        one.twin(&key).await.identity.publish_keys().await.unwrap();
        let before = one.kids().await;
        key.replace_all(one.clock.now(), &Chance::seeded(6)).unwrap();
        let wait = one.twin(&key).await.identity.publish_keys().await.unwrap();
        assert!(wait > Duration::from_secs(2), "the next one has to be heard of: {wait:?}");
        let after = one.kids().await;
        assert_eq!((before.len(), after.len(), &before[0]), (2, 2, &after[0]), "another instance's stays");
        assert!(!after.contains(&before[1]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_ceremony_begins_at_one_and_ends_once_at_any() {
    for Twins { one, other } in twins().await {
        let tokens = {
            one.person("camille", Role::Member).await;
            one.sign_in("camille").await
        };
        let phone = Authenticator::p256("phone");
        let options = one.as_holder(&tokens).call(BeginPasskey {}).await.unwrap();
        other.as_holder(&tokens).call(phone.make(&options)).await.unwrap();
        let options = one.anyone().call(AskForPasskey {}).await.unwrap();
        other.anyone().call(phone.answer(&options)).await.unwrap();
        for world in [&one, &other] {
            let again = refused(&world.anyone(), phone.answer(&options)).await;
            assert!(is(&again, 401, "sign-in-refused"), "{again:?}");
        }
        let late = ask(&one).await;
        one.clock.advance(Duration::from_mins(5));
        assert!(is(&refused(&other.anyone(), phone.answer(&late)).await, 401, "sign-in-refused"));
        // What was answered is forgotten when it could not be answered again anyway.
        one.identity.forget_ended().await.unwrap();
        assert_eq!(one.store.dump().await.unwrap()["spent_challenges"], Vec::<String>::new());
        assert!(is(&refused(&other.anyone(), phone.answer(&options)).await, 401, "sign-in-refused"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_passkey_answer_sent_to_both_at_once_one_signs_in() {
    for Twins { one, other } in twins().await {
        let (_, camille) = one.signed_in("camille", Role::Member).await;
        let phone = Authenticator::p256("phone");
        add(&camille, &phone).await;
        for _ in 0..5 {
            let options = ask(&one).await;
            let (here, there) = (one.anyone(), other.anyone());
            let (here, there) = tokio::join!(here.call(phone.answer(&options)), there.call(phone.answer(&options)));
            assert!(here.is_ok() != there.is_ok(), "{:?} {:?}", here.is_ok(), there.is_ok());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_app_and_failures_count_at_every_instance() {
    for Twins { one, other } in twins().await {
        one.person("camille", Role::Member).await;
        let tokens = one.sign_in("camille").await;
        let setup = one.as_holder(&tokens).call(BeginTotp {}).await.unwrap().0;
        let code = app(&setup, one.clock.now());
        other.as_holder(&tokens).call(ConfirmTotp { code: code.clone() }).await.unwrap();
        // The step is spent, at both.
        for world in [&one, &other] {
            assert!(is(&refused(&world.anyone(), with_otp("camille", &code)).await, 401, "sign-in-refused"));
        }
        one.clock.advance(Duration::from_secs(30));
        let next = app(&setup, one.clock.now());
        one.anyone().call(with_otp("camille", &next)).await.unwrap();

        one.person("basile", Role::Member).await;
        for turn in 0..5 {
            let world = if turn % 2 == 0 { &one } else { &other };
            assert!(is(&refused(&world.anyone(), credential("basile", OTHER_PASSWORD)).await, 401, "sign-in-refused"));
        }
        for world in [&one, &other] {
            assert_eq!(refused(&world.anyone(), credential("basile", PASSWORD)).await.0, 429);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_repeated_at_another_instance_is_one() {
    for Twins { one, other } in twins().await {
        let (here, there) = (one.anyone().keyed("the-same"), other.anyone().keyed("the-same"));
        let (here, there) = tokio::join!(here.call(registration("camille")), there.call(registration("camille")));
        assert_eq!(here.unwrap().0.id, there.unwrap().0.id);
        let other_words = other.anyone().keyed("the-same");
        assert!(is(&refused(&other_words, registration("basile")).await, 422, "idempotency-key-reused"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_the_shared_secret_does_not_start() {
    for world in worlds().await {
        let home = tempfile::tempdir().unwrap();
        let place = |instance: &str| {
            let folder = home.path().join(instance);
            std::fs::create_dir_all(&folder).unwrap();
            let key = folder.join("signing.key");
            (SigningKey::open_or_create(&key, &world.clock, &Chance::system()).unwrap(), folder.join("shared.key"))
        };
        let (first, shared) = place("first");
        SharedSecret::open(&world.store, &shared, &first).await.unwrap();
        let (second, elsewhere) = place("second");
        let refusal = SharedSecret::open(&world.store, &elsewhere, &second).await.unwrap_err();
        assert!(matches!(refusal, SharedSecretError::Missing { .. }), "{refusal}");
        assert!(refusal.to_string().contains("shared.key is missing") && !elsewhere.exists(), "{refusal}");
        std::fs::copy(&shared, &elsewhere).unwrap();
        SharedSecret::open(&world.store, &elsewhere, &second).await.unwrap();
        std::fs::write(&elsewhere, [7; 32]).unwrap();
        let refusal = SharedSecret::open(&world.store, &elsewhere, &second).await.unwrap_err();
        assert!(matches!(refusal, SharedSecretError::Foreign { .. }), "{refusal}");
        // The one that made it can make it again.
        let made = std::fs::read(&shared).unwrap();
        std::fs::remove_file(&shared).unwrap();
        SharedSecret::open(&world.store, &shared, &first).await.unwrap();
        assert_eq!(std::fs::read(&shared).unwrap(), made);
    }
}
