//! Malformed input: a clear 4xx problem that names the field, and nothing changed.

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::people::{Somebody, fund, hire, join, open_account, registration, sign_in, text};
use crate::process::Up;

/// A request that is wrong, and what the answer has to say.
struct Case {
    what: String,
    ask: Ask,
    status: u16,
    field: &'static str,
}

fn case(what: impl Into<String>, ask: Ask, status: u16, field: &'static str) -> Case {
    Case { what: what.into(), ask, status, field }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_input_is_refused_by_name_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let bank = Up::in_any_way_on(&home.path().join("bank")).start();
    let anyone = bank.client();
    let first = &bank.people("superuser")[0];
    let superuser = sign_in(&anyone, &first.login, &first.password).await;
    let agent = hire(&anyone, &superuser, "agathe").await;
    let member = join(&anyone, &agent, "basile").await;
    let payee = join(&anyone, &agent, "carole").await;
    let account = open_account(&member, &agent, "Every day").await;
    let theirs = open_account(&payee, &agent, "Hers").await;
    fund(&member, &agent, &account, "100.00").await;

    let mut cases = registrations();
    cases.extend(transfers(&account, &theirs));
    cases.extend(cash("/api/deposits", &account));
    cases.extend(cash("/api/withdrawals", &account));
    cases.extend(openings());
    cases.extend(questions());
    let before = everything(&superuser, &agent).await;
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(complaint) = judged(&member.client, &case).await {
            wrong.push(format!("{}: {complaint}", case.what));
        }
    }
    for case in decisions(&agent, &member, &account).await {
        if let Err(complaint) = judged(&agent.client, &case).await {
            wrong.push(format!("{}: {complaint}", case.what));
        }
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    // The one request that the decisions were about still waits; nothing else is new.
    let mut after = everything(&superuser, &agent).await;
    let extra: Vec<Value> = after.1.extract_if(.., |request| request["reference"] == "Undecided").collect();
    assert_eq!(extra.len(), 1);
    assert_eq!(extra[0]["state"], "pending");
    assert_eq!(after, before);
    // The bank is as well as before.
    assert_eq!(anyone.get("/health/ready").await.expect(200)["ok"], true);
    assert!(!bank.log().contains("panic"), "{}", bank.log());
    assert!(bank.terminate().success());
}

/// All accounts with their balances, all requests, and all people, as the API shows them.
async fn everything(superuser: &Somebody, agent: &Somebody) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    (
        agent.client.all("/api/accounts").await,
        agent.client.all("/api/requests").await,
        superuser.client.all("/api/auth/users").await,
    )
}

async fn judged(client: &Client, case: &Case) -> Result<(), String> {
    let answer = client.send(case.ask.clone()).await.map_err(|lost| format!("{lost:?}"))?;
    let body = &answer.body;
    if answer.status != case.status {
        return Err(format!("answered {} instead of {}: {body}", answer.status, case.status));
    }
    if answer.headers["content-type"] != "application/problem+json" {
        return Err(format!("is no problem+json: {:?}", answer.headers));
    }
    let complete = ["type", "title", "detail", "trace_id"].iter().all(|part| body[*part].is_string());
    if !complete || body["status"] != json!(case.status) {
        return Err(format!("is no complete problem: {body}"));
    }
    let named = body["errors"].as_array().is_some_and(|errors| {
        errors.iter().any(|fault| {
            fault["field"] == case.field && fault["detail"].as_str().is_some_and(|it| !it.is_empty() && it.len() < 400)
        })
    });
    if named { Ok(()) } else { Err(format!("does not name `{}`: {body}", case.field)) }
}

/// `base` with one field changed, or taken away when the value is `null`.
fn but(base: &Value, field: &str, value: Value) -> Value {
    let mut body = base.clone();
    let fields = body.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.into(), value);
    }
    body
}

/// What is wrong with any body that should be a JSON object, whatever is in it.
fn bodies(path: &'static str, base: &Value) -> Vec<Case> {
    let raw = |body: Vec<u8>| Ask::new("POST", path).raw("application/json", body);
    let written = base.to_string();
    let mut invalid_utf8 = written.clone().into_bytes();
    let quote = written.find(":\"").unwrap() + 2;
    invalid_utf8.insert(quote, 0xff);
    let twice = written.replacen('{', "{\"reference\":\"one\",\"reference\":\"two\",", 1);
    vec![
        case("broken JSON", raw(written[..written.len() - 1].into()), 400, "body"),
        case("something after the JSON", raw(format!("{written} x").into()), 400, "body"),
        case("an array", raw(b"[]".to_vec()), 400, "body"),
        case("a bare number", raw(b"1".to_vec()), 400, "body"),
        case("invalid UTF-8", raw(invalid_utf8), 400, "body"),
        case(
            "a deep nest",
            raw(format!("{{\"reference\":{}{}}}", "[".repeat(5000), "]".repeat(5000)).into()),
            400,
            "body",
        ),
        case("10 MiB", raw(format!("{{\"reference\":\"{}\"}}", "x".repeat(10 << 20)).into()), 413, "body"),
        case("65 KiB", raw(format!("{{\"reference\":\"{}\"}}", "x".repeat(65 << 10)).into()), 413, "body"),
        case("another content type", Ask::new("POST", path).raw("text/plain", written.clone()), 415, "body"),
        case("XML", Ask::new("POST", path).raw("application/xml", "<amount>1</amount>"), 415, "body"),
        case("a field twice", raw(twice.into()), 400, "reference"),
        case("an unknown field", Ask::post(path, &but(base, "colour", json!("red"))), 400, "colour"),
        case("parameters in the query", Ask::post(format!("{path}?dry_run=true"), base), 400, "query"),
        case("an empty key", Ask::post(path, base).once(""), 400, "Idempotency-Key"),
        case("a key of 129 characters", Ask::post(path, base).once("k".repeat(129)), 400, "Idempotency-Key"),
        case("a key with a space", Ask::post(path, base).once("a b"), 400, "Idempotency-Key"),
        case("nothing at all", Ask::new("POST", path), 400, "amount"),
    ]
    .into_iter()
    .map(|it| Case { what: format!("{path}: {}", it.what), ..it })
    .collect()
}

/// What is wrong with any amount or currency.
fn amounts(path: &'static str, base: &Value) -> Vec<Case> {
    let mut cases = Vec::new();
    let wrong = [
        ("a float", json!(12.5)),
        ("an integer", json!(12)),
        ("10^30 as a number", json!(1e30)),
        ("10^30", json!(format!("1{}", "0".repeat(30)))),
        ("10^30 with an exponent", json!("1e30")),
        ("more than fits", json!("9999999999999.00")),
        ("negative", json!("-1.00")),
        ("zero", json!("0.00")),
        ("minus zero", json!("-0")),
        ("more decimals than the euro has", json!("1.001")),
        ("many decimals", json!("1.0000000000000000000000001")),
        ("a comma", json!("1,50")),
        ("NaN", json!("NaN")),
        ("infinity", json!("Infinity")),
        ("Arabic digits", json!("١٢")),
        ("hexadecimal", json!("0x10")),
        ("a thousands separator", json!("1_000")),
        ("a plus sign", json!("+1.00")),
        ("spaces", json!(" 1.00")),
        ("empty", json!("")),
        ("true", json!(true)),
        ("an object", json!({ "value": "1.00" })),
        ("an array", json!(["1.00"])),
        ("absent", Value::Null),
    ];
    for (what, value) in wrong {
        cases.push(case(
            format!("{path}: amount: {what}"),
            Ask::post(path, &but(base, "amount", value)),
            400,
            "amount",
        ));
    }
    for (what, value, status) in [
        ("another than the account's", json!("USD"), 422),
        ("unknown", json!("XXX"), 400),
        ("in small letters", json!("eur"), 400),
        ("a number", json!(978), 400),
        ("absent", Value::Null, 400),
    ] {
        let ask = Ask::post(path, &but(base, "currency", value));
        cases.push(case(format!("{path}: currency: {what}"), ask, status, "currency"));
    }
    for (what, value) in [
        ("141 characters", json!("x".repeat(141))),
        ("a line break", json!("one\ntwo")),
        ("a null character", json!("one\u{0}two")),
        ("reversed writing", json!("\u{202e}00.001")),
        ("a number", json!(5)),
    ] {
        let ask = Ask::post(path, &but(base, "reference", value));
        cases.push(case(format!("{path}: reference: {what}"), ask, 400, "reference"));
    }
    cases
}

fn cash(path: &'static str, account: &Value) -> Vec<Case> {
    let base = json!({ "account": account["id"], "amount": "1.00", "currency": "EUR", "reference": "Bad" });
    let mut cases = bodies(path, &base);
    cases.extend(amounts(path, &base));
    for (what, value) in [("no id", json!("mine")), ("a number", json!(1)), ("absent", Value::Null)] {
        let ask = Ask::post(path, &but(&base, "account", value));
        cases.push(case(format!("{path}: account: {what}"), ask, 400, "account"));
    }
    cases
}

fn transfers(account: &Value, theirs: &Value) -> Vec<Case> {
    let path = "/api/transfers";
    let iban = text(&theirs["iban"]);
    let base = json!({ "from": account["id"], "to": iban, "amount": "1.00", "currency": "EUR", "reference": "Bad" });
    let mut cases = bodies(path, &base);
    cases.extend(amounts(path, &base));
    let digit = iban.as_bytes()[15];
    let other = if digit == b'9' { '0' } else { char::from(digit + 1) };
    let mistyped = format!("{}{other}{}", &iban[..15], &iban[16..]);
    let to = |what: &str, value: Value, status| {
        case(format!("{path}: to: {what}"), Ask::post(path, &but(&base, "to", value)), status, "to")
    };
    cases.extend([
        to("an IBAN with a wrong digit", json!(mistyped), 400),
        to("an IBAN that is too short", json!(&iban[..26]), 400),
        to("an unknown country", json!(iban.replacen("FR", "ZZ", 1)), 400),
        to("no IBAN", json!("Carole"), 400),
        to("empty", json!(""), 400),
        to("a number", json!(1), 400),
        to("absent", Value::Null, 400),
        to("very long", json!("1".repeat(3000)), 400),
        to("an account of another bank", json!("FR1420041010050500013M02606"), 422),
        to("the same account", account["id"].clone(), 422),
        to("the same account's IBAN", account["iban"].clone(), 422),
        case(
            format!("{path}: more than there is"),
            Ask::post(path, &but(&base, "amount", json!("100.01"))),
            422,
            "amount",
        ),
    ]);
    // All that is wrong is said at once.
    let all = json!({ "from": "x", "to": "y", "amount": 1.5, "currency": "?", "reference": "a\nb", "colour": "red" });
    for field in ["from", "to", "amount", "currency", "reference", "colour"] {
        cases.push(case(format!("{path}: everything wrong"), Ask::post(path, &all), 400, field));
    }
    cases
}

fn registrations() -> Vec<Case> {
    let path = "/api/auth/register";
    let base = registration("dominique");
    let with = |what: &str, field: &'static str, value: Value, status| {
        case(format!("{path}: {what}"), Ask::post(path, &but(&base, field, value)), status, field)
    };
    vec![
        with("a short login", "login", json!("ab"), 400),
        with("a login with a space", "login", json!("do mi"), 400),
        with("a login that is a query", "login", json!("x'; drop table person; --"), 400),
        with("a login that is taken", "login", json!("basile"), 409),
        with("no login", "login", Value::Null, 400),
        with("a short password", "password", json!("short"), 422),
        with("a common password", "password", json!("passwordpassword"), 422),
        with("a password that is the login", "password", json!("dominiquedominique"), 422),
        with("an endless password", "password", json!("x".repeat(257)), 400),
        with("a password that is a number", "password", json!(123_456_789_012_u64), 400),
        with("no e-mail address", "email", json!("dominique"), 400),
        with("an e-mail address with a line break", "email", json!("a@example.org\nBcc: b@example.org"), 400),
        with("an empty name", "first_name", json!(""), 400),
        with("an endless name", "last_name", json!("x".repeat(81)), 400),
        with("a role of one's own choice", "role", json!("superuser"), 400),
        with("a state of one's own choice", "state", json!("active"), 400),
        with("an unknown language", "language", json!("tlh"), 400),
    ]
}

fn openings() -> Vec<Case> {
    let path = "/api/accounts";
    let base = json!({ "label": "Savings", "currency": "EUR" });
    let with = |what: &str, field: &'static str, value: Value, status| {
        case(format!("{path}: {what}"), Ask::post(path, &but(&base, field, value)), status, field)
    };
    vec![
        with("no label", "label", Value::Null, 400),
        with("an empty label", "label", json!("   "), 400),
        with("an endless label", "label", json!("x".repeat(61)), 400),
        with("an unknown currency", "currency", json!("ZZZ"), 400),
        with("a balance of one's own choice", "booked", json!("1000000.00"), 400),
    ]
}

fn questions() -> Vec<Case> {
    let get = |path: &str, status, field| case(path, Ask::new("GET", path), status, field);
    vec![
        get("/api/accounts?limit=0", 400, "limit"),
        get("/api/accounts?limit=201", 400, "limit"),
        get("/api/accounts?limit=many", 400, "limit"),
        get("/api/accounts?limit=1&limit=2", 400, "limit"),
        get("/api/accounts?cursor=%00", 400, "cursor"),
        get("/api/accounts?cursor=somewhere", 400, "cursor"),
        get("/api/accounts?owner=me", 400, "owner"),
        get("/api/accounts?colour=red", 400, "colour"),
        get("/api/accounts/mine", 400, "id"),
        get("/api/requests?state=lost", 400, "state"),
        get("/api/requests?kind=loan", 400, "kind"),
        get("/api/logs?level=loud", 400, "level"),
        get("/api/logs?from=yesterday", 400, "from"),
        get("/api/logs?action=login", 400, "action"),
    ]
}

/// Decisions that are malformed, about a request that waits.
async fn decisions(agent: &Somebody, member: &Somebody, account: &Value) -> Vec<Case> {
    let wish = json!({ "account": account["id"], "amount": "7.00", "currency": "EUR", "reference": "Undecided" });
    let request = member.client.post("/api/deposits", &wish).await.expect(201);
    assert_eq!(request["decidable"], false, "{request}");
    let path = format!("/api/requests/{}", text(&request["id"]));
    assert_eq!(agent.client.get(&path).await.expect(200)["decidable"], true);
    let post = |step: &str, body: Value| Ask::post(format!("{path}/{step}"), &body);
    vec![
        case("rejecting without a reason", post("reject", json!({})), 400, "reason"),
        case("rejecting with an empty reason", post("reject", json!({ "reason": " " })), 400, "reason"),
        case("rejecting with a number", post("reject", json!({ "reason": 5 })), 400, "reason"),
        case("approving another amount", post("approve", json!({ "amount": "8.00" })), 400, "amount"),
        case("approving with a number", post("approve", json!({ "digest": 5 })), 400, "digest"),
    ]
}
