//! Services played by a router that answers the declared operations from a few values and notes what it was asked,
//! and a browser in front of the pages.

use std::sync::{Arc, Mutex};

use aaa::{Directory, Operation, Problem, Transport};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use contracts::bank::{GetBank, ListAccounts, ListRequests, RequestTransfer};
use contracts::identity::{
    AskFactorReset, BeginTotp, ChooseMails, ConfirmTotp, EditProfile, GetSecondFactor, ListNotices, MakeRecoveryCodes,
    OpenBrowserSession, ProveAgain, ReadNotices, ResumeBrowserSession, SignOut,
};
use contracts::journal::ListLogs;
use contracts::{bank, identity, journal, monitor};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use vocabulary::{Chance, Clock, Timestamp};
use web::Web;

pub(crate) const NOW: &str = "2026-11-21T09:00:00Z";
pub(crate) const SECRET: &str = "s3cret-of-claire";
pub(crate) const MINE: &str = "0193a0b0-7c00-7000-8000-000000000011";
pub(crate) const OTHER: &str = "0193a0b0-7c00-7000-8000-000000000012";
pub(crate) const REQUEST: &str = "0193a0b0-7c00-7000-8000-000000000300";

/// What the services were asked, and how they answer.
#[derive(Default)]
pub(crate) struct Script {
    /// `METHOD path key body`, in order.
    pub(crate) asked: Vec<String>,
    pub(crate) role: &'static str,
    /// The browser session ended.
    pub(crate) ended: bool,
    /// The next call with a token answers 401, once.
    pub(crate) revoke_once: bool,
    /// What the visitor is told of, newest first.
    pub(crate) notices: Vec<Value>,
    /// The journal, newest first.
    pub(crate) logs: Vec<Value>,
    /// What the journal was asked, and how it answers what was asked badly.
    pub(crate) asked_journal: Vec<String>,
    pub(crate) journal_problem: Option<Problem>,
    pub(crate) transfer_problem: Option<Problem>,
    /// What the monitor was asked, where it remembers anything, and how it refuses to show or to take something.
    pub(crate) monitor: Option<Vec<String>>,
    pub(crate) monitor_problem: Option<Problem>,
    /// The visitor's last proof of who they are is too old for what is grave.
    pub(crate) stale: bool,
}

#[derive(Clone)]
pub(crate) struct Bank {
    router: Router,
    directory: Directory,
    script: Arc<Mutex<Script>>,
}

impl Bank {
    pub(crate) fn new() -> Self {
        Self::of("member")
    }

    pub(crate) fn of(role: &'static str) -> Self {
        let script = Arc::new(Mutex::new(Script { role, ..Script::default() }));
        let directory = Directory::default();
        for service in [identity::SERVICE, bank::SERVICE, journal::SERVICE, monitor::SERVICE] {
            let script = Arc::clone(&script);
            let played = Router::new().fallback(move |request: Request| {
                let script = Arc::clone(&script);
                async move { play(&script, request).await }
            });
            directory.set(service, Transport::in_process(played));
        }
        Self { router: pages(&directory, 1), directory, script }
    }

    /// The same bank, through another process of the pages.
    pub(crate) fn through_another(&self) -> Self {
        Self { router: pages(&self.directory, 2), ..self.clone() }
    }

    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(crate) fn asked(&self, what: &str) -> Vec<String> {
        self.script.lock().unwrap().asked.iter().filter(|call| call.starts_with(what)).cloned().collect()
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: String) -> Page {
        let request = request.header(header::HOST, "bank.example").body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Page { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(http::Request::get(path), String::new()).await
    }

    pub(crate) async fn get_signed(&self, path: &str) -> Page {
        self.send(http::Request::get(path).header(header::COOKIE, session()), String::new()).await
    }

    /// As a browser posts a form of this site.
    pub(crate) async fn post(&self, path: &str, fields: &str) -> Page {
        self.send(http::Request::post(path).header("sec-fetch-site", "same-origin"), fields.to_owned()).await
    }

    /// As a browser posts a form of a page of this session.
    pub(crate) async fn post_signed(&self, path: &str, fields: &str) -> Page {
        let token = self.get_signed("/profile/password").await.field("csrf");
        let request = http::Request::post(path)
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, format!("{}; __Host-language=en", session()));
        self.send(request, format!("csrf={token}&{fields}")).await
    }
}

fn pages(directory: &Directory, chance: u64) -> Router {
    let clock = Clock::manual(NOW.parse::<Timestamp>().unwrap());
    Web::new(directory.clone(), clock, Chance::seeded(chance)).sealing_with(&[9; 32]).router()
}

pub(crate) fn session() -> String {
    format!("__Host-guichet={SECRET}")
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter();
        cookies.map(|cookie| cookie.to_str().unwrap()).find(|cookie| cookie.starts_with(&format!("{name}=")))
    }

    /// The value of a hidden field of the page's own form, which comes after those of the frame.
    pub(crate) fn field(&self, name: &str) -> String {
        let field = format!("name=\"{name}\" value=\"");
        let before_footer = self.body.split("<footer").next().unwrap();
        let (_, rest) = before_footer.rsplit_once(&field).unwrap_or_else(|| panic!("{name} in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

pub(crate) async fn play(script: &Mutex<Script>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let path = parts.uri.path().to_owned();
    let key = parts.headers.get("idempotency-key").map_or("-", |key| key.to_str().unwrap()).to_owned();
    let mut script = script.lock().unwrap();
    let call = format!("{} {path} {key} {body}", parts.method);
    let is = |method: http::Method, of: &str| parts.method == method && path == of;
    let route = |route: aaa::Route| is(route.method(), route.path());
    let signed = parts.headers.contains_key(header::AUTHORIZATION);
    let decoration = route(ListNotices::ROUTE) || route(ListLogs::ROUTE) || route(GetBank::ROUTE);
    if !decoration {
        script.asked.push(call);
    }
    if signed && !decoration && std::mem::take(&mut script.revoke_once) {
        return Problem::unauthorized().into_response();
    }
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    if let Some(answer) = crate::monitor::play(&mut script, &parts, &body) {
        return answer;
    }
    if route(ResumeBrowserSession::ROUTE) {
        if script.ended || body["secret"] != SECRET {
            return Problem::unauthorized().into_response();
        }
        return Json(browser_session(script.role)).into_response();
    }
    if route(OpenBrowserSession::ROUTE) {
        if body["password"] != "right horse battery" {
            return Problem::sign_in_refused().into_response();
        }
        match (body["login"].as_str(), body["otp"].as_str()) {
            (Some("slow"), _) => return Problem::too_many(std::time::Duration::from_secs(90)).into_response(),
            (Some("tara"), None) => return Problem::second_factor_required().into_response(),
            (Some("tara"), Some(code)) if code != "123456" => return Problem::sign_in_refused().into_response(),
            _ => {}
        }
        return (StatusCode::CREATED, Json(browser_session(script.role))).into_response();
    }
    if let Some(answer) = play_factors(&mut script, &parts.method, &path, &body) {
        return answer;
    }
    if route(SignOut::ROUTE) {
        return StatusCode::NO_CONTENT.into_response();
    }
    if route(EditProfile::ROUTE) {
        return Json(user(script.role)).into_response();
    }
    if route(ChooseMails::ROUTE) {
        return Json(body).into_response();
    }
    if route(ListNotices::ROUTE) {
        let unread = script.notices.iter().filter(|notice| notice["read"] == false).count();
        return Json(json!({"items": script.notices, "next": null, "unread": unread})).into_response();
    }
    if route(ReadNotices::ROUTE) {
        script.notices.iter_mut().for_each(|notice| notice["read"] = true.into());
        return StatusCode::NO_CONTENT.into_response();
    }
    if route(GetBank::ROUTE) {
        let bank = json!({"name": "Banque du Guichet", "bank": "17569", "branch": "00001", "bic": "GUICFRPP", "currencies": ["EUR"]});
        return Json(bank).into_response();
    }
    if route(ListAccounts::ROUTE) {
        return Json(json!({"items": [account(MINE, "Courant", 11), account(OTHER, "Épargne", 12)], "next": null}))
            .into_response();
    }
    if path.starts_with(ListLogs::ROUTE.path()) {
        script.asked_journal.push(parts.uri.to_string());
        return play_journal(&script, &path);
    }
    if route(ListRequests::ROUTE) || path.ends_with("/transactions") {
        return Json(json!({"items": [], "next": null})).into_response();
    }
    if route(RequestTransfer::ROUTE) {
        return match script.transfer_problem.clone() {
            Some(problem) => problem.into_response(),
            None => (StatusCode::CREATED, Json(transfer())).into_response(),
        };
    }
    Problem::not_found().into_response()
}

/// What identity answers about second factors, and about proving once more who one is.
pub(crate) fn play_factors(script: &mut Script, method: &http::Method, path: &str, body: &Value) -> Option<Response> {
    let is = |route: aaa::Route| *method == route.method() && path == route.path();
    let codes = || Json(json!({"recovery_codes": ["aaaa-bbbb", "cccc-dddd"]})).into_response();
    if is(GetSecondFactor::ROUTE) {
        let second = json!({"totp_since": null, "recovery_codes_left": 0, "enrol_again": false, "passkeys": 0});
        return Some(Json(second).into_response());
    }
    if is(ProveAgain::ROUTE) {
        if body["password"] != "right horse battery" {
            return Some(Problem::refused("proof-refused", "Wrong.").into_response());
        }
        script.stale = false;
        let proven = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 600, "authenticated_at": NOW,
            "second_factor": false});
        return Some(Json(proven).into_response());
    }
    if is(MakeRecoveryCodes::ROUTE) {
        let stale = || Problem::new(StatusCode::UNAUTHORIZED, "step-up-required").into_response();
        return Some(if script.stale { stale() } else { codes() });
    }
    if is(BeginTotp::ROUTE) {
        let setup = json!({"secret": "GEZDGNBVGY3TQOJQ", "url": "otpauth://totp/x", "qr_svg": "<svg></svg>"});
        return Some((StatusCode::CREATED, Json(setup)).into_response());
    }
    if is(ConfirmTotp::ROUTE) {
        let wrong = || Problem::refused("wrong-code", "Wrong.").about("code", "is wrong").into_response();
        return Some(if body["code"] == "123456" { codes() } else { wrong() });
    }
    is(AskFactorReset::ROUTE).then(|| StatusCode::NO_CONTENT.into_response())
}

/// What the journal answers.
fn play_journal(script: &Script, path: &str) -> Response {
    let entry = || script.logs.first().cloned();
    let file = |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    match path.rsplit('/').next() {
        Some("export") => return file("text/csv", "id\r\n".to_owned()),
        Some("tail") => {
            let events = entry().map(|entry| format!("id: 8\nevent: entry\ndata: {entry}\n\n"));
            return file("text/event-stream", events.unwrap_or_default());
        }
        _ => {}
    }
    let answer = match path.strip_prefix(ListLogs::ROUTE.path()).unwrap_or_default() {
        "" if script.journal_problem.is_some() => None,
        "" => Some(json!({"items": script.logs, "next": null})),
        "/summary" => Some(json!({"from": "2026-11-20T00:00:00Z", "to": "2026-11-22T00:00:00Z", "per": "day",
            "total": 7, "complete": true, "levels": [{"level": "warning", "count": 7}],
            "actions": [{"action": "LOGIN_FAILED", "count": 7}], "users": [{"login": "agathe", "count": 7}],
            "series": [{"at": "2026-11-20T00:00:00Z", "info": 0, "warning": 3, "error": 0},
                {"at": "2026-11-21T00:00:00Z", "info": 0, "warning": 4, "error": 0}]})),
        it if it.ends_with("/proof") => entry().map(|_| json!({"proof": "of it"})),
        _ => entry().map(|entry| json!({"entry": entry, "index": 41})),
    };
    let problem = || script.journal_problem.clone().unwrap_or_else(Problem::not_found).into_response();
    answer.map_or_else(problem, |answer| Json(answer).into_response())
}

pub(crate) struct Json(pub(crate) Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0.to_string()).into_response()
    }
}

pub(crate) fn user(role: &str) -> Value {
    json!({"id": MINE, "login": "claire", "email": "claire@example.org", "first_name": "Claire", "last_name": "Fontaine",
        "role": role, "state": "active", "language": "fr", "created_at": NOW, "last_login_at": NOW})
}

pub(crate) fn browser_session(role: &str) -> Value {
    json!({"secret": SECRET, "access_token": "t0ken", "expires_in": 600, "ends_at": "2026-11-22T09:00:00Z",
        "user": user(role), "previous_login_at": null, "device": "d3vice"})
}

pub(crate) fn iban(n: u32) -> String {
    vocabulary::Rib::new("17569", "00001", &format!("{n:011}")).unwrap().iban().to_string()
}

pub(crate) fn account(id: &str, label: &str, n: u32) -> Value {
    json!({"id": id, "label": label, "currency": "EUR", "state": "open", "iban": iban(n), "owner": MINE, "holder": "Claire Fontaine",
        "booked": "100.00", "pending": "0.00", "available": "100.00", "created_at": NOW, "request": null})
}

pub(crate) fn transfer() -> Value {
    json!({"id": REQUEST, "kind": "transfer", "state": "pending", "maker": MINE, "maker_name": "Claire Fontaine", "checker": null,
        "checker_name": null, "reason": null, "account": MINE, "account_label": "Courant", "from": MINE, "to": OTHER,
        "to_iban": null, "to_name": null, "amount": "30.00", "currency": "EUR", "reference": "", "created_at": NOW,
        "decided_at": null, "expires_at": NOW, "digest": "d", "decidable": false})
}
