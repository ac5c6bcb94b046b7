//! Each policy grants what it says, and refuses the rest with the answer its standard names.

use std::time::Duration;

use aaa::Principal;
use aaa::testing::{Answer, Credential};
use http::header::WWW_AUTHENTICATE;

use crate::desk::{Me, World};

async fn get(world: &World, path: &str, principal: &Principal) -> Answer {
    world.tester.with(Credential::Bearer(world.token(principal))).get(path).send().await
}

fn challenge(answer: &Answer) -> String {
    answer.headers.get_all(WWW_AUTHENTICATE).iter().map(|it| it.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn what_is_closed_answers_403_to_everyone_and_looks_at_nothing() {
    let world = World::new();
    for credential in [Credential::None, Credential::Bearer("x".into()), Credential::Bearer(world.token(&world.ann()))]
    {
        let client = world.tester.with(credential);
        client.post("/shut/1").send().await.is_problem(403, "forbidden");
        client.post("/shut/not-a-number").send().await.is_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_token_reduced_in_scope_reaches_only_what_names_its_scope() {
    let world = World::new();
    let reduced =
        |scopes: &[&str]| Principal { scopes: Some(scopes.iter().map(ToString::to_string).collect()), ..world.ann() };
    get(&world, "/papers", &reduced(&["write", "read"])).await.is(200);
    let refused = get(&world, "/papers", &reduced(&["write"])).await.is_problem(403, "insufficient-scope");
    assert!(challenge(&refused).starts_with(r#"Bearer realm="desk", error="insufficient_scope", scope="read""#));
    get(&world, "/papers", &reduced(&[])).await.is(403);
    get(&world, "/me", &reduced(&["read"])).await.is_problem(403, "insufficient-scope");
    get(&world, "/papers", &world.ann()).await.is(200);
}

#[tokio::test]
async fn step_up_asks_for_a_recent_proof_or_a_second_factor() {
    let world = World::new();
    let ann = world.ann();
    get(&world, "/keys", &ann).await.is(200);
    get(&world, "/vault", &ann).await.is_problem(401, "step-up-required");
    get(&world, "/vault", &Principal { second_factor: true, ..ann.clone() }).await.is(200);
    world.clock.advance(Duration::from_mins(5));
    get(&world, "/keys", &ann).await.is(200);
    world.clock.advance(Duration::from_secs(1));
    let late = get(&world, "/keys", &ann).await.is_problem(401, "step-up-required");
    assert!(
        challenge(&late).contains(r#"error="insufficient_user_authentication", max_age=300"#),
        "{}",
        challenge(&late)
    );
    get(&world, "/me", &ann).await.is(200);
}

#[tokio::test]
async fn an_unseen_object_is_403_where_the_right_says_so_and_a_missing_one_404() {
    let world = World::new();
    let bob = Principal { id: Principal::named("bob", [""; 0]).id, ..world.ann() };
    get(&world, "/papers/1", &world.ann()).await.is(200);
    get(&world, "/papers/1", &bob).await.is(403);
    get(&world, "/papers/2", &bob).await.is(404);
}

#[tokio::test]
async fn nobody_passes_four_eyes_on_what_concerns_them_even_if_the_guard_forgets() {
    let world = World::new();
    let clerk = |login: &str| {
        let now = world.clock.now();
        let clerk = Principal::named(login, ["clerk"]).during(now, now.plus(Duration::from_mins(1)));
        world.tester.with(Credential::Bearer(world.token(&clerk)))
    };
    let refused = clerk("ann").post("/papers/1/sign").send().await.is(403);
    assert_eq!(refused.json()["detail"], "Nobody decides what they made or benefit from.");
    assert_eq!(world.notes.0.lock().unwrap().last().unwrap().cause.as_deref(), Some("four eyes"));
    clerk("bob").post("/papers/1/sign").gives(204).await;
}

#[tokio::test]
async fn the_typed_caller_carries_any_credential() {
    let mut world = World::new();
    let token = world.readable.make("ann", Duration::from_mins(1)).unwrap();
    world.tester.knows("ann", Credential::Prefix("Token".into(), token));
    assert_eq!(world.tester.person("ann").call(Me {}).await.unwrap(), "ann");
}

#[tokio::test]
async fn every_declared_operation_answers_as_declared() {
    let mut world = World::new();
    let ann = Credential::Bearer(world.token(&world.ann()));
    world.tester.knows("ann", ann).knows("bob", Credential::basic("bob", "bobbob"));
    let wrong = world.tester.systematic(&world.module.entries, &[("ann", &[]), ("bob", &["clerk"])]).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
