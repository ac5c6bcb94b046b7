//! Registering, and the people that others create.

use aaa::Created;
use contracts::events::{Action, Audience};
use contracts::identity::{ActivateUser, CreateAgent, Register, UserState, WhoAmI};
use contracts::roles::Role;

use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_registers_signs_in_once_an_agent_activated_them() {
    for world in worlds().await {
        let Created(user) = world.anyone().call(registration("Camille")).await.unwrap();
        assert_eq!((user.login.as_str(), user.role, user.state), ("camille", Role::Member, UserState::Pending));
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "sign-in-refused"));

        let (agent, counter) = world.signed_in("agathe", Role::Agent).await;
        let activated = counter.call(ActivateUser { id: user.id }).await.unwrap();
        assert_eq!(activated.state, UserState::Active);
        let tokens = world.sign_in("CAMILLE").await;
        let me = world.as_holder(&tokens).call(WhoAmI {}).await.unwrap();
        assert_eq!((me.id, me.last_login_at), (user.id, Some(world.clock.now())));

        let event = world.last(Action::UserActivated).await;
        assert_eq!(event.actor.unwrap().id, agent.id);
        assert_eq!(event.subject.unwrap().id, user.id);
        assert_eq!(world.last(Action::Registered).await.audience, Audience::Members);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_one_persons_whatever_the_capitals_and_an_address_is_anyones() {
    for world in worlds().await {
        world.anyone().call(registration("camille")).await.unwrap();
        assert!(is(&refused(&world.anyone(), registration("CaMille")).await, 409, "login-taken"));
        world.anyone().call(registration("other")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_password_is_refused_with_words_that_help_and_leaves_nothing() {
    for world in worlds().await {
        let before = world.tables().await;
        for weak in ["k9x-pq7", "passwordpassword", "camille.durand"] {
            let problem =
                refusal(&world.anyone(), Register { password: password(weak), ..registration("camille") }).await;
            assert_eq!((problem.status().as_u16(), problem.code()), (422, "weak-password"), "{weak}");
            assert_eq!(problem.faults().len(), 1);
            assert_eq!(problem.faults()[0].field, "password");
            assert!(!problem.to_string().contains(weak), "{problem}");
        }
        assert_eq!(world.tables().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_twice_under_one_key_registers_once() {
    for world in worlds().await {
        let keyed = world.anyone().keyed("registration-1");
        let Created(first) = keyed.call(registration("camille")).await.unwrap();
        let Created(again) = keyed.call(registration("camille")).await.unwrap();
        assert_eq!(first.id, again.id);
        assert!(is(&refused(&keyed, registration("other")).await, 422, "idempotency-key-reused"));
        let tables = world.tables().await;
        let people = &tables.iter().find(|(table, _)| table == "people").unwrap().1;
        assert_eq!(people.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_creates_agents_who_may_sign_in_at_once() {
    for world in worlds().await {
        let create = || CreateAgent {
            login: "agathe".parse().unwrap(),
            password: password(PASSWORD),
            email: "agathe@example.org".parse().unwrap(),
            first_name: "Agathe".parse().unwrap(),
            last_name: "Petit".parse().unwrap(),
        };
        let (_, superuser) = world.signed_in("root", Role::Superuser).await;
        let keyed = superuser.keyed("agent-1");
        let Created(agent) = keyed.call(create()).await.unwrap();
        assert_eq!((agent.role, agent.state), (Role::Agent, UserState::Active));
        assert_eq!(keyed.call(create()).await.unwrap().0.id, agent.id);
        let agathe = world.as_holder(&world.sign_in("agathe").await);
        assert!(is(&refused(&agathe, create()).await, 403, "forbidden"));
        assert_eq!(world.last(Action::AgentCreated).await.audience, Audience::Agents);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_superuser_is_made_once_with_a_password_of_chance() {
    for world in worlds().await {
        let (login, chosen) = world.identity.ensure_first_superuser().await.unwrap().unwrap();
        assert!(world.identity.ensure_first_superuser().await.unwrap().is_none());
        let tokens = world.anyone().call(credential(login.as_str(), chosen.expose())).await.unwrap();
        let me = world.as_holder(&tokens).call(WhoAmI {}).await.unwrap();
        assert_eq!(me.role, Role::Superuser);
        assert!(world.last(Action::SuperuserCreated).await.actor.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_superuser_is_made_even_when_a_member_has_the_usual_login() {
    for world in worlds().await {
        world.person("admin", Role::Member).await;
        let (login, _) = world.identity.ensure_first_superuser().await.unwrap().unwrap();
        assert_ne!(login.as_str(), "admin");
    }
}
