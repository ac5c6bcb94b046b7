//! The order of answers, and what is noted.

use http::StatusCode;
use serde_json::json;

use crate::shop::{Borrower, FindThings, Fixture, Greet, Lend};

const GOOD: &str = r#"{"thing":1,"days":3,"price":"1.50","borrower":{"name":"Ann","age":9}}"#;

#[tokio::test]
async fn answers_come_in_the_order_401_403_400_404_handler() {
    let shop = Fixture::new();
    let everything_wrong = r#"{"thing":9,"days":0}"#;
    let nobody = shop.send("POST", "/loans", &[], everything_wrong).await;
    assert_eq!((nobody.status, nobody.challenge.as_deref()), (StatusCode::UNAUTHORIZED, Some("Bearer realm=\"shop\"")));
    let visitor = format!("Bearer {}", shop.token(&["visitor"]));
    let visitor = shop.send("POST", "/loans", &[("authorization", &visitor)], everything_wrong).await;
    assert_eq!(visitor.status, StatusCode::FORBIDDEN);
    let post = async |body: String| shop.as_keeper("POST", "/loans", "application/json", body).await;
    assert_eq!(post(everything_wrong.into()).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post(GOOD.replace("\"thing\":1", "\"thing\":9")).await.status, StatusCode::NOT_FOUND);
    let refused = post(GOOD.replace("\"thing\":1", "\"thing\":2")).await;
    assert_eq!((refused.status, &refused.body["detail"]), (StatusCode::FORBIDDEN, &json!("It is being mended.")));
    assert_eq!(post(GOOD.into()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn every_bad_credential_is_the_same_401() {
    let shop = Fixture::new();
    let good = shop.token(&["keeper"]);
    let forged = format!("{}x", &good[..good.len() - 2]);
    let credentials =
        ["Bearer", "Bearer ", "Bearer nonsense", "Token x", "Basic a2V5OmtleQ==", &format!("Bearer {forged}")];
    for credential in credentials {
        let answer = shop.send("POST", "/breakage", &[("authorization", credential)], "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{credential}");
        assert_eq!(answer.body["type"], "urn:problem:unauthorized");
    }
    shop.clock.advance(std::time::Duration::from_secs(601));
    let late = shop.send("POST", "/breakage", &[("authorization", &format!("Bearer {good}"))], "").await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    let lower_case = format!("bearer {}", shop.token(&[]));
    let answer = shop.send("GET", "/shelves/a/things", &[("authorization", &lower_case)], "").await;
    assert_eq!(answer.status, StatusCode::OK, "schemes are case-insensitive");
}

#[tokio::test]
async fn a_panic_is_a_500_with_a_record_and_the_service_lives_on() {
    let shop = Fixture::new();
    let answer = shop.as_keeper("POST", "/breakage", "application/json", "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.to_string().contains("kim"), "the cause is not for the caller");
    let note = shop.notes.0.lock().unwrap().last().cloned().unwrap();
    assert_eq!((note.status, note.cause.as_deref()), (500, Some("panic: dropped by kim")));
    assert_eq!(answer.body["trace_id"], note.trace_id);
    assert_eq!(shop.send("GET", "/greeting", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_decision_is_noted_and_an_open_read_is_none() {
    let shop = Fixture::new();
    shop.send("GET", "/greeting", &[], "").await;
    shop.as_keeper("GET", "/shelves/a/things", "", "").await;
    shop.send("GET", "/shelves/a/things", &[("authorization", "Bearer x")], "").await;
    shop.as_keeper("POST", "/loans", "application/json", GOOD).await;
    let notes = shop.notes.0.lock().unwrap();
    let told: Vec<_> = notes.iter().map(|it| (it.operation.as_str(), it.status, it.by.is_some())).collect();
    let read = "GET /shelves/{shelf}/things";
    assert_eq!(told, [(read, 200, true), (read, 401, false), ("POST /loans", 201, true)]);
    assert_eq!((notes[0].scheme.as_deref(), notes[0].groups.as_slice()), (Some("bearer"), &["keeper".to_owned()][..]));
    assert_eq!(notes[2].policy, "keeper; may lend thing");
    assert_eq!(notes[1].cause.as_deref(), Some("not a token of this issuer"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let shop = Fixture::new();
    assert_eq!(shop.send("GET", "/nowhere", &[], "").await.status, StatusCode::NOT_FOUND);
    let wrong = shop.send("DELETE", "/loans", &[], "").await;
    assert_eq!(
        (wrong.status, &wrong.body["type"]),
        (StatusCode::METHOD_NOT_ALLOWED, &json!("urn:problem:method-not-allowed"))
    );
}

#[tokio::test]
async fn the_typed_caller_reaches_path_query_and_body_alike() {
    let shop = Fixture::new();
    let caller = shop.caller(&["keeper"]);
    assert_eq!(caller.call(Greet {}).await.unwrap(), "welcome");
    let find = FindThings { shelf: "a/b ?é".into(), most: Some(3), rare: true, tags: vec!["x&y".into(), "z".into()] };
    assert_eq!(caller.call(find.clone()).await.unwrap(), find);
    let loan = Lend {
        thing: 1,
        days: 2,
        price: "1.5".parse().unwrap(),
        borrower: Borrower { name: "Ann".into(), age: 9 },
        note: None,
    };
    assert_eq!(caller.call(loan.clone()).await.unwrap().0, loan);
    let problem = caller.call(Lend { thing: 9, ..loan }).await.unwrap_err();
    assert_eq!((problem.status(), problem.code()), (StatusCode::NOT_FOUND, "not-found"));
}

#[tokio::test]
async fn the_document_tells_what_the_declarations_say() {
    let shop = Fixture::new();
    let document = aaa::openapi_document("Shop", "1", &shop.module.entries);
    let lend = &document["paths"]["/loans"]["post"];
    assert_eq!(lend["x-who"], "keeper");
    assert_eq!(lend["x-right"], "lend thing");
    assert_eq!(lend["security"], json!([{ "bearer": [] }]));
    assert_eq!(
        lend["requestBody"]["content"]["application/json"]["schema"]["required"],
        json!(["thing", "days", "price", "borrower"])
    );
    let parameters = document["paths"]["/shelves/{shelf}/things"]["get"]["parameters"].as_array().unwrap();
    let places: Vec<_> =
        parameters.iter().map(|it| (it["name"].as_str().unwrap(), it["in"].as_str().unwrap())).collect();
    assert!(places.contains(&("shelf", "path")) && places.contains(&("most", "query")), "{places:?}");
    assert_eq!(aaa::table(&shop.module.entries).lines().count(), 4);
}
