//! Lost second factors are removed by two of the staff, never by one, and never by the person.

use contracts::events::{Action, Level};
use contracts::identity::{
    ApproveFactorReset, AskFactorReset, FactorReset, GetSecondFactor, ListFactorResets, ProposeFactorReset,
    RejectFactorReset, ResetState, WhoAmI,
};
use contracts::roles::Role;
use store::{Affected, Query};
use vocabulary::{Reason, UserId};

use crate::factors::{enrol, with_otp};
use crate::*;

/// Past every rule but those of the table.
const SQL: &str = "-- name: force!\nupdate factor_resets set state = 'approved', decider = $2 where id = $1;\n";
const FORCE: Query<Affected> = Query::find(SQL, "force");

fn reason() -> Reason {
    "Came to the counter with her passport.".parse().unwrap()
}

fn propose(id: UserId) -> ProposeFactorReset {
    ProposeFactorReset { id, reason: reason() }
}

fn ask(login: &str, typed: &str) -> AskFactorReset {
    AskFactorReset { login: login.into(), password: password(typed) }
}

async fn open(agent: &Caller) -> Vec<FactorReset> {
    agent.call(ListFactorResets {}).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_proposes_and_another_one_removes_what_was_lost() {
    for world in worlds().await {
        let (camille, hers) = world.signed_in("camille", Role::Member).await;
        let (first, agathe) = world.signed_in("agathe", Role::Agent).await;
        let (_, albert) = world.signed_in("albert", Role::Agent).await;
        let (_, codes) = enrol(&world, &hers).await;
        world.anyone().call(ask("camille", PASSWORD)).await.unwrap();
        assert_eq!(world.last(Action::FactorResetAsked).await.level, Level::Warning);
        let waiting = open(&agathe).await;
        assert_eq!((waiting.len(), waiting[0].state, waiting[0].person), (1, ResetState::Asked, camille.id));
        // Nobody has made sure who asks: it cannot be approved yet.
        let early = ApproveFactorReset { id: waiting[0].id };
        assert!(is(&refused(&agathe, early).await, 409, "wrong-state"));

        let proposed = agathe.call(propose(camille.id)).await.unwrap().0;
        assert_eq!((proposed.id, proposed.state), (waiting[0].id, ResetState::Proposed));
        assert_eq!((proposed.proposer, proposed.reason.as_deref()), (Some(first.id), Some(reason().as_str())));
        assert!(is(&refused(&albert, propose(camille.id)).await, 409, "reset-open"));
        let id = proposed.id;
        assert!(is(&refused(&agathe, ApproveFactorReset { id }).await, 403, "forbidden"));
        assert!(is(&refused(&agathe, RejectFactorReset { id, reason: reason() }).await, 403, "forbidden"));
        assert!(is(&refused(&hers, ApproveFactorReset { id }).await, 403, "forbidden"));
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "second-factor-required"));

        assert_eq!(albert.call(ApproveFactorReset { id }).await.unwrap().state, ResetState::Approved);
        assert!(is(&refused(&albert, ApproveFactorReset { id }).await, 409, "wrong-state"));
        assert!(is(&refused(&hers, WhoAmI {}).await, 401, "unauthorized"), "every session ended");
        let again = world.as_holder(&world.sign_in("camille").await);
        let state = again.call(GetSecondFactor {}).await.unwrap();
        assert!(state.enrol_again && state.totp_since.is_none() && state.recovery_codes_left == 0);
        let event = world.last(Action::FactorResetApproved).await;
        assert_eq!((event.subject.unwrap().login.as_str(), event.actor.unwrap().login.as_str()), ("camille", "albert"));
        assert!(open(&albert).await.is_empty());
        enrol(&world, &again).await;
        assert!(!again.call(GetSecondFactor {}).await.unwrap().enrol_again);
        assert!(is(&refused(&world.anyone(), with_otp("camille", &codes[0])).await, 401, "sign-in-refused"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_tells_nobody_whether_the_login_or_the_password_is_right() {
    for world in worlds().await {
        let (_, hers) = world.signed_in("camille", Role::Member).await;
        world.person("without", Role::Member).await;
        let (_, agent) = world.signed_in("agathe", Role::Agent).await;
        enrol(&world, &hers).await;
        for (login, typed) in [("camille", OTHER_PASSWORD), ("nobody", PASSWORD), ("without", PASSWORD), ("", PASSWORD)]
        {
            world.anyone().call(ask(login, typed)).await.unwrap();
            assert!(open(&agent).await.is_empty(), "{login}");
        }
        for _ in 0..2 {
            world.anyone().call(ask("camille", PASSWORD)).await.unwrap();
            assert_eq!(open(&agent).await.len(), 1, "asked twice is asked once");
        }
        // It is no way around the limits of a sign-in, and does not clear them.
        for name in ["camille", "nobody"] {
            for _ in 0..4 {
                world.anyone().call(ask(name, OTHER_PASSWORD)).await.unwrap();
            }
            assert!(is(&refused(&world.anyone(), ask(name, PASSWORD)).await, 429, "too-many-tries"));
            assert!(is(&refused(&world.anyone(), credential(name, PASSWORD)).await, 429, "too-many-tries"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_rejected_or_runs_out_and_then_changes_nothing() {
    for world in worlds().await {
        let (camille, hers) = world.signed_in("camille", Role::Member).await;
        let (_, agathe) = world.signed_in("agathe", Role::Agent).await;
        world.person("albert", Role::Agent).await;
        assert!(is(&refused(&agathe, propose(camille.id)).await, 409, "no-second-factor"));
        enrol(&world, &hers).await;
        let id = agathe.call(propose(camille.id)).await.unwrap().0.id;
        let albert = world.as_holder(&world.sign_in("albert").await);
        let words: Reason = "The passport was somebody else's.".parse().unwrap();
        let rejected = albert.call(RejectFactorReset { id, reason: words.clone() }).await.unwrap();
        assert_eq!((rejected.state, rejected.reason.as_deref()), (ResetState::Rejected, Some(words.as_str())));
        assert!(is(&refused(&albert, ApproveFactorReset { id }).await, 409, "wrong-state"));

        let agathe = world.as_holder(&world.sign_in("agathe").await);
        let late = agathe.call(propose(camille.id)).await.unwrap().0;
        world.clock.set(late.expires_at);
        let albert = world.as_holder(&world.sign_in("albert").await);
        assert!(open(&albert).await.is_empty());
        assert!(is(&refused(&albert, ApproveFactorReset { id: late.id }).await, 409, "wrong-state"));
        world.identity.forget_ended().await.unwrap();
        let agathe = world.as_holder(&world.sign_in("agathe").await);
        assert_ne!(agathe.call(propose(camille.id)).await.unwrap().0.id, late.id);
        assert!(is(&refused(&world.anyone(), credential("camille", PASSWORD)).await, 401, "second-factor-required"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_reset_only_whom_they_may_act_on_and_the_table_itself_wants_two() {
    for world in worlds().await {
        let (agathe_id, agathe) = world.signed_in("agathe", Role::Agent).await;
        let (albert_id, albert) = world.signed_in("albert", Role::Agent).await;
        let (boss_id, boss) = world.signed_in("boss", Role::Superuser).await;
        enrol(&world, &agathe).await;
        assert!(is(&refused(&albert, propose(agathe_id.id)).await, 403, "forbidden"));
        assert!(is(&refused(&agathe, propose(agathe_id.id)).await, 403, "forbidden"));
        let id = boss.call(propose(agathe_id.id)).await.unwrap().0.id;
        assert!(is(&refused(&albert, ApproveFactorReset { id }).await, 403, "forbidden"));
        assert!(is(&refused(&boss, ApproveFactorReset { id }).await, 403, "forbidden"));
        for decider in [boss_id.id, agathe_id.id] {
            let mut tx = world.store.begin().await.unwrap();
            let forced = tx.run(&FORCE, store::params![id, decider]).await;
            assert!(forced.unwrap_err().is_constraint("factor_resets_four_eyes"));
        }
        let mut tx = world.store.begin().await.unwrap();
        assert_eq!(tx.run(&FORCE, store::params![id, albert_id.id]).await, Ok(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_who_approve_at_once_one_does() {
    for world in worlds().await {
        let (camille, hers) = world.signed_in("camille", Role::Member).await;
        let (_, agathe) = world.signed_in("agathe", Role::Agent).await;
        let (_, albert) = world.signed_in("albert", Role::Agent).await;
        enrol(&world, &hers).await;
        let id = agathe.call(propose(camille.id)).await.unwrap().0.id;
        let tries: Vec<_> = (0..10)
            .map(|_| {
                let albert = albert.clone();
                tokio::spawn(async move { albert.call(ApproveFactorReset { id }).await.is_ok() })
            })
            .collect();
        let mut approved = 0;
        for one in tries {
            approved += usize::from(one.await.unwrap());
        }
        assert_eq!(approved, 1);
        assert_eq!(world.journal().await.iter().filter(|event| event.action == Action::FactorResetApproved).count(), 1);
    }
}
