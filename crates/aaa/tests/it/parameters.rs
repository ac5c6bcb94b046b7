//! Bad input: every fault at once, each naming its field.

use http::StatusCode;

use crate::shop::Fixture;

async fn faults(body: &str) -> Vec<String> {
    let answer = Fixture::new().as_keeper("POST", "/loans", "application/json", body.to_owned()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    answer.faults()
}

#[tokio::test]
async fn every_fault_is_told_at_once() {
    assert_eq!(
        faults(r#"{"thing":"x","days":-1,"price":1.5,"borrower":{"name":"A","age":300},"colour":"red","note":7}"#)
            .await,
        [
            "borrower.age: must be a whole number, neither negative nor too large",
            "colour: is not a parameter of this operation",
            "days: must be a whole number, neither negative nor too large",
            "note: must be a string",
            "price: must be a decimal string such as \"12.34\"",
            "thing: must be a whole number, neither negative nor too large",
        ]
    );
    assert_eq!(
        faults("{}").await,
        ["borrower: is missing", "days: is missing", "price: is missing", "thing: is missing"]
    );
}

#[tokio::test]
async fn nested_unknown_fields_and_rules_between_fields_are_told() {
    let nested = faults(r#"{"thing":1,"days":1,"price":"1","borrower":{"name":"A","age":3,"shoe":44}}"#).await;
    assert_eq!(nested, ["borrower.shoe: is not a parameter of this operation"]);
    assert_eq!(
        faults(r#"{"thing":1,"days":0,"price":"1","borrower":{"name":"A","age":3}}"#).await,
        ["days: must be at least one"]
    );
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    for body in ["", "[]", "null", "1", "{", r#"{"thing":1}{}"#, r#"{"thing":1,}"#] {
        let told = faults(body).await;
        assert!(
            told.iter().any(|fault| fault.starts_with("body: ") || fault.contains("is missing")),
            "{body}: {told:?}"
        );
    }
    assert_eq!(
        faults(r#"{"thing":1,"thing":1,"days":1,"price":"1","borrower":{"name":"A","age":3}}"#).await,
        ["thing: is given twice"]
    );
    let deep = format!(r#"{{"thing":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(faults(&deep).await, ["body: is nested deeper than 16 levels"]);
}

#[tokio::test]
async fn size_encoding_and_content_type_are_checked() {
    let shop = Fixture::new();
    let large = shop.as_keeper("POST", "/loans", "application/json", " ".repeat(2001)).await;
    assert_eq!(
        (large.status, large.faults()),
        (StatusCode::PAYLOAD_TOO_LARGE, vec!["body: is larger than 2000 bytes".into()])
    );
    let binary = shop.as_keeper("POST", "/loans", "application/json", vec![b'{', 0xff, b'}']).await;
    assert_eq!((binary.status, binary.faults()), (StatusCode::BAD_REQUEST, vec!["body: is not valid UTF-8".into()]));
    let xml = shop.as_keeper("POST", "/loans", "text/xml", "<a/>").await;
    assert_eq!(xml.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(xml.faults().len(), 1);
}

#[tokio::test]
async fn a_form_is_read_like_json() {
    let shop = Fixture::new();
    let form =
        shop.as_keeper("POST", "/loans", "application/x-www-form-urlencoded", "thing=1&days=x&days=2&colour=red").await;
    assert_eq!(
        form.faults(),
        [
            "borrower: is missing",
            "colour: is not a parameter of this operation",
            "days: is given more than once",
            "price: is missing"
        ]
    );
}

#[tokio::test]
async fn a_query_is_typed_and_left_out_fields_are_absent() {
    let shop = Fixture::new();
    let found = shop.as_keeper("GET", "/shelves/tools/things?most=&tags=a&tags=b&rare=1", "", "").await;
    assert_eq!(found.body, serde_json::json!({"shelf": "tools", "most": null, "rare": true, "tags": ["a", "b"]}));
    let wrong = shop.as_keeper("GET", "/shelves/tools/things?most=70000&shelf=other&rare=perhaps", "", "").await;
    assert_eq!(
        wrong.faults(),
        ["most: must be a whole number, not negative", "rare: must be true or false", "shelf: is given twice"]
    );
}

#[tokio::test]
async fn an_idempotency_key_must_be_one() {
    let shop = Fixture::new();
    let bearer = format!("Bearer {}", shop.token(&["keeper"]));
    let body = r#"{"thing":1,"days":1,"price":"1","borrower":{"name":"A","age":3}}"#;
    let long = "x".repeat(129);
    for key in ["", "with space", long.as_str()] {
        let answer = shop.send("POST", "/loans", &[("authorization", &bearer), ("idempotency-key", key)], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key:?}");
        assert!(answer.faults()[0].starts_with("Idempotency-Key: "));
    }
}
