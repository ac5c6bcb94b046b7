//! The pages of what is checked: what everybody sees, what superusers see, and the forms for checks, incidents and work.

use aaa::{Operation, Problem};
use axum::response::{IntoResponse, Response};
use contracts::monitor::{
    AcknowledgeIncident, AnnounceMaintenance, GetBoard, GetHistory, GetStatus, GetWholeBoard, GetWholeHistory,
    ListChecks, ListIncidents, ListMaintenances, TryCheck,
};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use crate::stage::*;

/// What the monitor answers, once it remembers something.
pub(crate) fn play(script: &mut Script, parts: &Parts, body: &Value) -> Option<Response> {
    let asked = script.monitor.as_mut()?;
    let path = parts.uri.path();
    let is = |route: aaa::Route| parts.method == route.method() && path == route.path();
    let under = |route: aaa::Route, rest: &str| {
        let start = route.path().split('{').next().unwrap();
        parts.method == route.method() && path.starts_with(start) && path.ends_with(rest)
    };
    if path.starts_with("/api/monitor") || path.starts_with("/api/status") {
        asked.push(format!("{} {} {body}", parts.method, parts.uri));
    }
    let json = |value: Value| Some(Json(value).into_response());
    let made = |value: Value| Some((StatusCode::CREATED, Json(value)).into_response());
    if is(GetStatus::ROUTE) {
        return json(json!({"health": "up", "at": NOW, "services": [{"name": "bank", "health": "up", "since": NOW,
            "checked_at": NOW, "version": "0.1.0", "truths": []}]}));
    }
    if is(GetBoard::ROUTE) || is(GetWholeBoard::ROUTE) {
        let refused = script.monitor_problem.clone().map(IntoResponse::into_response);
        return refused.or_else(|| json(board(is(GetWholeBoard::ROUTE))));
    }
    if is(TryCheck::ROUTE) {
        return json(json!({"state": "down", "message": "status == 200: it is 503", "latency_micros": 12_500}));
    }
    if is(ListChecks::ROUTE) {
        return json(json!([listed("shop", "api"), listed("dns", "settings")]));
    }
    if is(ListIncidents::ROUTE) {
        return json(json!({"items": [incident(true)], "next": "abc"}));
    }
    if under(AcknowledgeIncident::ROUTE, "/acknowledgement") {
        return json(incident(true));
    }
    if path.starts_with("/api/monitor/incidents/") {
        return if path.ends_with("/notes") { made(incident(true)) } else { json(incident(true)) };
    }
    if is(ListMaintenances::ROUTE) {
        return json(json!([work()]));
    }
    if is(AnnounceMaintenance::ROUTE) {
        return made(work());
    }
    if path == "/api/status/checks/shop" || under(GetWholeHistory::ROUTE, "/history") {
        return json(history(path.starts_with("/api/monitor")));
    }
    if parts.method == http::Method::PUT && path.starts_with("/api/monitor/checks/") {
        let refused = script.monitor_problem.clone().map(IntoResponse::into_response);
        return refused.or_else(|| json(listed("shop", "api")));
    }
    let removes = parts.method == http::Method::DELETE && path.starts_with("/api/monitor/");
    removes.then(|| StatusCode::NO_CONTENT.into_response())
}

fn spent(down: u64) -> Value {
    json!({"up": 86_400_000 - down, "degraded": 0, "down": down, "maintenance": 0})
}

fn check(name: &str, title: &str, public: bool, whole: bool) -> Value {
    let day = |n: u32| {
        let day = vocabulary::Timestamp::from_seconds(1_795_000_000 + i64::from(n) * 86_400).day().to_string();
        json!({"day": day, "spent": spent(if n == 70 { 5_400_000 } else { 0 })})
    };
    let days: Vec<Value> = (0..90).map(day).collect();
    json!({"name": name, "title": title, "group": "Partenaires", "origin": "settings", "public": public, "state": "degraded",
        "since": NOW, "flapping": false, "message": whole.then_some("latency < 800ms: it is 1.2s"),
        "latency_micros": 35_400, "days": days, "uptime_ppm": 999_305, "certificate": null, "agreed": null})
}

fn incident(whole: bool) -> Value {
    json!({"id": REQUEST, "check": "shop", "title": "Boutique", "state": "down", "since": NOW, "until": null,
        "cause": whole.then_some("no answer within 10s"), "behind": null, "acknowledged_by": null,
        "notes": [{"at": NOW, "by": whole.then_some("root"), "text": "Nous cherchons.", "public": true}]})
}

fn work() -> Value {
    json!({"id": OTHER, "title": "Nouvelle base", "text": null, "from": "2026-11-22T02:00:00Z", "to": "2026-11-22T04:00:00Z",
        "checks": ["shop"], "public": true, "by": null})
}

fn board(whole: bool) -> Value {
    let mut checks = vec![check("shop", "Boutique", true, whole)];
    if whole {
        checks.push(check("vault", "Coffre", false, true));
    }
    json!({"state": "degraded", "at": NOW, "checks": checks, "incidents": [incident(whole)], "maintenances": [work()]})
}

fn history(whole: bool) -> Value {
    let latency = json!({"p50": 12_000, "p90": 20_000, "p95": 40_000, "p99": 50_000, "max": 90_000});
    let point = |n: u32| json!({"from": format!("2026-11-21T0{n}:00:00Z"), "spent": spent(0), "latency": latency});
    let points: Vec<Value> = (0..9).map(point).collect();
    json!({"check": check("shop", "Boutique", true, whole), "from": "2026-11-20T09:00:00Z", "to": NOW, "spent": spent(60_000),
        "uptime_ppm": 999_305, "good": 1_439, "counted": 1_440, "latency": latency, "points": points, "step_millis": 3_600_000,
        "objective": {"target_ppm": 999_000, "days": 30, "budget_millis": 2_592_000, "used_millis": 3_000_000,
            "burn_permille": [0, 2_500, null]},
        "incidents": []})
}

fn listed(name: &str, origin: &str) -> Value {
    json!({"name": name, "origin": origin, "state": "down", "checked_at": NOW, "message": "status == 200: it is 503",
        "spec": {"title": "Boutique", "kind": "http", "target": "https://shop.example/health", "must": ["status == 200"],
            "every": "30s", "public": true}})
}

fn remembering(role: &'static str) -> Bank {
    let bank = Bank::of(role);
    bank.script(|script| script.monitor = Some(Vec::new()));
    bank
}

/// What the monitor was asked, of what begins so.
fn asked(bank: &Bank, what: &str) -> Vec<String> {
    let mut found = Vec::new();
    bank.script(|script| found = script.monitor.iter().flatten().filter(|it| it.starts_with(what)).cloned().collect());
    found
}

#[tokio::test]
async fn everybody_sees_how_it_is_and_how_it_was_and_nothing_that_is_not_for_everybody() {
    let bank = remembering("member");
    for page in [bank.get("/status").await, bank.get_signed("/status").await] {
        assert_eq!(page.status, StatusCode::OK);
        for shown in
            ["Tout répond, mais pas tout comme il faut.", "Boutique", "Dégradé", "Nous cherchons.", "Nouvelle base"]
        {
            assert!(page.body.contains(shown), "{shown}");
        }
        assert!(page.body.contains("99,93\u{a0}% sur 90 jours"), "never rounded up");
        let strip = page.body.split("class=\"strip\"").nth(1).unwrap().split("</svg>").next().unwrap();
        assert_eq!(strip.matches("<title>").count(), 90, "each day is told of");
        assert!(strip.contains("dont 1\u{a0}h 30\u{a0}min en panne") && strip.contains("class=\"down\""), "{strip}");
        for hidden in ["Coffre", "latency &#60;", "no answer within", "/monitor", "root"] {
            assert!(!page.body.contains(hidden), "{hidden}");
        }
    }
    assert!(asked(&bank, "GET /api/monitor").is_empty(), "what is for superusers was not even asked for");
}

#[tokio::test]
async fn superusers_see_the_rest_too() {
    let page = remembering("superuser").get_signed("/status").await;
    for shown in ["Coffre", "latency &#60; 800ms: it is 1.2s", "no answer within 10s", "Réservé aux administrateurs"]
    {
        assert!(page.body.contains(shown), "{shown}");
    }
    assert!(page.body.contains(&format!("/monitor/incidents/{REQUEST}")) && page.body.contains("href=\"/monitor\""));
}

#[tokio::test]
async fn one_check_is_shown_over_any_time_with_what_it_is_to_keep_and_its_badge() {
    let bank = remembering("member");
    let page = bank.get("/status/checks/shop").await;
    assert_eq!(page.status, StatusCode::OK);
    for shown in [
        "99,93\u{a0}%",
        "Épuisé",
        "2,5\u{a0}×",
        "À ce rythme, le budget sera épuisé",
        "<path class=\"band\"",
        "trop peu de mesures",
    ] {
        assert!(page.body.contains(shown), "{shown}");
    }
    let markdown = "[![shop](https://bank.example/api/status/checks/shop/badge?of=uptime&amp;language=fr)](https://bank.example/status/checks/shop)";
    assert!(page.body.contains(markdown), "{}", page.body);
    assert!(!page.body.contains("1.2s"), "what it said is not for everybody");
    let periods = asked(&bank, "GET /api/status/checks/shop?");
    assert_eq!(periods.len(), 5, "the day, and the uptime of the others: {periods:?}");
    bank.get("/status/checks/shop?from=2026-10-01&to=2026-10-31").await;
    let own = "from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z".replace(':', "%3A");
    let last = asked(&bank, "GET /api/status/checks/shop?");
    assert!(last.iter().any(|it| it.contains(&own)), "{last:?}");
    for path in ["/status/checks/vault", "/status/checks/..%2f", "/status/checks/A%20B"] {
        assert_eq!(bank.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(asked(&bank, &format!("GET {}", GetHistory::ROUTE.path().replace("{name}", "..%2f"))).is_empty());
}

#[tokio::test]
async fn without_a_memory_the_state_of_the_services_is_still_told() {
    let bank = remembering("member");
    bank.script(|script| script.monitor_problem = Some(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable")));
    let page = bank.get("/status").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("Tout fonctionne.") && page.body.contains("En marche") && !page.body.contains("Boutique")
    );
}

#[tokio::test]
async fn what_is_managed_is_for_superusers() {
    for role in ["member", "agent"] {
        let bank = remembering(role);
        let incident = format!("/monitor/incidents/{REQUEST}");
        for path in [
            "/monitor",
            "/monitor/checks/new",
            "/monitor/checks/shop",
            "/monitor/incidents",
            &incident,
            "/monitor/maintenances",
        ] {
            assert_eq!(bank.get_signed(path).await.status, StatusCode::FORBIDDEN, "{role} at {path}");
        }
        assert_eq!(bank.post_signed("/monitor/checks/shop/remove", "").await.status, StatusCode::FORBIDDEN);
        assert!(asked(&bank, "").is_empty(), "{role}");
    }
    let bank = remembering("superuser");
    for (path, shown) in [
        ("/monitor", "status == 200: it is 503"),
        ("/monitor/checks/shop", "https://shop.example/health"),
        ("/monitor/checks/shop/remove", "tout son historique"),
        ("/monitor/incidents?state=open", "cursor=abc"),
        ("/monitor/maintenances", "Nouvelle base"),
    ] {
        let page = bank.get_signed(path).await;
        assert!(page.status == StatusCode::OK && page.body.contains(shown), "{path}: {}", page.body);
    }
    assert!(asked(&bank, "GET /api/monitor/incidents").iter().all(|it| it.contains("open=true")));
    let elsewhere = bank.get_signed("/monitor/checks/dns").await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "what is written down elsewhere is changed there");
}

const SHOP: &str = "kind=http&target=https%3A%2F%2Fshop.example%2Fhealth&must=status+%3D%3D+200%0D%0A%0D%0Alatency+%3C+2s\
    &every=30s&timeout=5s&alarm_after=3&well_after=2&parents=dns&public=yes&objective=99.9&title=Boutique";

#[tokio::test]
async fn a_check_is_written_down_as_it_was_typed() {
    let bank = remembering("superuser");
    let answer = bank.post_signed("/monitor/checks/new", &format!("name=store&do=keep&{SHOP}")).await;
    assert_eq!(answer.location(), "/monitor?done=check-kept");
    let sent = asked(&bank, "PUT /api/monitor/checks/store ").pop().unwrap();
    let body: Value = serde_json::from_str(sent.split_once("/store ").unwrap().1).unwrap();
    let spec = &body["spec"];
    assert_eq!(spec["must"], json!(["status == 200", "latency < 2s"]), "a condition for each line");
    assert_eq!((&spec["every"], &spec["timeout"], &spec["public"]), (&json!("30s"), &json!("5s"), &json!(true)));
    assert_eq!(
        (&spec["parents"], &spec["objective"], &spec["private"]),
        (&json!(["dns"]), &json!("99.9"), &json!(false))
    );
    let taken = bank.post_signed("/monitor/checks/new", &format!("name=shop&do=keep&{SHOP}")).await;
    assert!(
        taken.status == StatusCode::UNPROCESSABLE_ENTITY && taken.body.contains("exists already"),
        "{}",
        taken.body
    );
    let changed = bank.post_signed("/monitor/checks/shop", &format!("do=keep&{SHOP}")).await;
    assert_eq!(changed.location(), "/monitor?done=check-kept");
    assert_eq!(asked(&bank, "PUT /api/monitor/checks/").len(), 2);
}

#[tokio::test]
async fn what_does_not_fit_is_told_at_its_field_by_the_pages_or_by_the_service() {
    let bank = remembering("superuser");
    let typed = "name=Shop&kind=pigeon&target=&every=often&timeout=&alarm_after=11&well_after=2&do=keep&title=Kept";
    let page = bank.post_signed("/monitor/checks/new", typed).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "kind", "target", "every", "timeout", "alarm_after"] {
        assert!(
            page.body.contains(&format!("id=\"{field}-error\"")) && page.body.contains(&format!("href=\"#{field}\"")),
            "{field}"
        );
    }
    assert!(page.body.contains("value=\"Kept\""), "what was typed stays");
    assert!(asked(&bank, "PUT").is_empty());
    let wrong = Problem::fault("spec.must", "holds a condition, number 2, that has no operator")
        .about("spec.target", "surprises");
    bank.script(|script| script.monitor_problem = Some(wrong));
    let page = bank.post_signed("/monitor/checks/shop", &format!("do=keep&{SHOP}")).await;
    assert!(
        page.body.contains("Condition 2 does not work: has no operator") && page.body.contains("id=\"target-error\""),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_try_keeps_nothing_and_what_was_typed_stays() {
    let bank = remembering("superuser");
    for path in ["/monitor/checks/new", "/monitor/checks/shop"] {
        let page = bank.post_signed(path, &format!("do=try&{SHOP}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        for shown in [
            "status == 200: it is 503",
            "12\u{a0}ms",
            "Down",
            "value=\"https://shop.example/health\"",
            "latency &#60; 2s",
        ] {
            assert!(page.body.contains(shown), "{path}: {shown}");
        }
    }
    assert_eq!(asked(&bank, "POST /api/monitor/checks/try").len(), 2);
    assert!(asked(&bank, "PUT").is_empty());
}

#[tokio::test]
async fn a_check_is_removed_by_a_form_alone() {
    let bank = remembering("superuser");
    bank.get_signed("/monitor/checks/shop/remove").await;
    assert!(asked(&bank, "DELETE").is_empty(), "looking changes nothing");
    let answer = bank.post_signed("/monitor/checks/shop/remove", "").await;
    assert_eq!(answer.location(), "/monitor?done=check-removed");
    assert_eq!(asked(&bank, "DELETE /api/monitor/checks/shop").len(), 1);
}

#[tokio::test]
async fn incidents_are_looked_after_and_talked_about_once() {
    let bank = remembering("superuser");
    let path = format!("/monitor/incidents/{REQUEST}");
    let page = bank.get_signed(&path).await;
    assert!(page.body.contains("no answer within 10s") && page.body.contains("Nous cherchons."));
    let answer = bank.post_signed(&format!("{path}/acknowledge"), "").await;
    assert_eq!(answer.location(), format!("{path}?done=acknowledged"));
    let empty = bank.post_signed(&format!("{path}/notes"), "text=&key=k1").await;
    assert!(empty.status == StatusCode::UNPROCESSABLE_ENTITY && empty.field("key") == "k1", "{}", empty.body);
    let answer = bank.post_signed(&format!("{path}/notes"), "text=Found+it&public=yes&key=k1").await;
    assert_eq!(answer.location(), format!("{path}?done=noted"));
    let calls = bank.asked(&format!("POST /api/monitor/incidents/{REQUEST}/notes"));
    assert!(calls.len() == 1 && calls[0].contains(" k1 ") && calls[0].contains("\"public\":true"), "{calls:?}");
}

#[tokio::test]
async fn work_is_announced_in_utc_and_ended() {
    let bank = remembering("superuser");
    let typed = "title=New+disks&from=2026-11-22T02:00&to=2026-11-22T04:30&checks=shop%0D%0Adns&public=yes&key=k2";
    let answer = bank.post_signed("/monitor/maintenances", typed).await;
    assert_eq!(answer.location(), "/monitor/maintenances?done=announced");
    let call = bank.asked("POST /api/monitor/maintenances").pop().unwrap();
    for part in [" k2 ", "2026-11-22T02:00:00Z", "2026-11-22T04:30:00Z", "[\"shop\",\"dns\"]"] {
        assert!(call.contains(part), "{part} in {call}");
    }
    for (typed, field) in [
        ("title=x&from=2026-11-22T04:00&to=2026-11-22T02:00", "to"),
        ("title=x&from=soon&to=2026-11-22T02:00", "from"),
        ("title=x&to=", "to"),
        ("title=&to=2026-11-22T02:00", "title"),
        ("title=x&to=2026-11-22T02:00&checks=No+Name", "checks"),
    ] {
        let page = bank.post_signed("/monitor/maintenances", typed).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        assert!(page.body.contains(&format!("id=\"{field}-error\"")), "{typed}: {}", page.body);
    }
    assert_eq!(bank.asked("POST /api/monitor/maintenances").len(), 1);
    let answer = bank.post_signed(&format!("/monitor/maintenances/{OTHER}/end"), "").await;
    assert_eq!(answer.location(), "/monitor/maintenances?done=work-ended");
    assert_eq!(asked(&bank, &format!("DELETE /api/monitor/maintenances/{OTHER}")).len(), 1);
}
