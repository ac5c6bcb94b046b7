//! The one origin that the public sees: the services' operations, the health of the whole, the document, the pages.
//!
//! The services may stand in this process, or elsewhere: then their operations are carried to them, with the address of
//! the client and nothing of what only a link between two neighbours means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aaa::{Directory, Entry, Gate, Misconfigured, OnBehalf, Problem, Transport, closed};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use chassis::{Health, Ready, Truth};
use http::HeaderName;
use http_body_util::BodyExt;
use tokio::sync::Mutex;
use tokio::time::Instant;
use web::Web;

use crate::house::{SERVICES, openapi};

/// Longest wait for the head of an answer from elsewhere.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is said between two neighbours, not to whom they speak for (RFC 9110 §7.6.1); and who the client is, which only
/// this process says.
const BETWEEN_NEIGHBOURS: [HeaderName; 9] = [
    http::header::CONNECTION,
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    http::header::TE,
    http::header::TRAILER,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("x-forwarded-for"),
];

/// These operations, carried to the services that offer them.
pub(crate) fn carried(entries: &[Entry], ways: &[(&'static str, Transport)], proxies: u8) -> Router {
    let mut api = Router::new();
    let mut seen = std::collections::HashSet::new();
    for entry in entries.iter().filter(|entry| seen.insert(entry.route.path())) {
        let Some((_, way)) = ways.iter().find(|(service, _)| *service == entry.route.service()) else { continue };
        let way = way.clone();
        let carry = any(move |request: Request| {
            let way = way.clone();
            async move { carry(&way, proxies, request).await }
        });
        api = api.route(entry.route.path(), carry);
    }
    api
}

async fn carry(way: &Transport, proxies: u8, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let client = aaa::client_address(&parts, proxies);
    parts.extensions.clear();
    if let Some(client) = client {
        parts.extensions.insert(OnBehalf(client.to_string()));
    }
    parts.version = http::Version::HTTP_11;
    for name in &BETWEEN_NEIGHBOURS {
        parts.headers.remove(name);
    }
    let broken = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&broken);
    let body = Body::new(body.map_err(move |error| {
        noted.store(true, Ordering::Relaxed);
        error
    }));
    let answer = tokio::time::timeout(PATIENCE, way.send(Request::from_parts(parts, body))).await;
    let problem = match answer {
        // It is the client's body that ended badly, not the service.
        Ok(Err(_)) | Err(_) if broken.load(Ordering::Relaxed) => {
            return Problem::fault("body", "could not be read to its end: send the whole of it").into_response();
        }
        Ok(Ok(mut answer)) => {
            for name in &BETWEEN_NEIGHBOURS {
                answer.headers_mut().remove(name);
            }
            return answer.map(Body::new);
        }
        Ok(Err(error)) => Problem::unavailable(1, error),
        Err(_) => Problem::unavailable(1, "no answer in time"),
    };
    tracing::warn!(%problem, "a service cannot be reached");
    problem.into_response()
}

/// Everything under one origin: the API of each service, health of the whole, the document, and the pages.
pub(crate) fn origin(api: Router, directory: &Directory, gate: Gate, web: Web) -> Result<Router, Misconfigured> {
    let whole =
        chassis::common(aaa::Api::new(Whole { directory: directory.clone(), told: Arc::default() }, gate)).finish()?;
    let document = openapi().to_string();
    let document = move || async move { ([(http::header::CONTENT_TYPE, "application/json")], document) };
    let nowhere = any(|| async { Problem::not_found() });
    Ok(closed(whole.shared.merge(api).route("/api/openapi.json", get(document)).route("/api/{*rest}", nowhere))
        .fallback_service(web.router()))
}

/// How long what the services say of themselves is repeated: the question is open to anyone and reads whole tables.
const TRUTHS_KEPT: Duration = Duration::from_secs(2);

/// What was told, and when.
type Told = (Instant, Vec<Truth>);

/// The process as a whole: well when each of its services is.
#[derive(Clone)]
pub(crate) struct Whole {
    directory: Directory,
    told: Arc<Mutex<Option<Told>>>,
}

impl Health for Whole {
    async fn ready(&self) -> Result<(), String> {
        for service in SERVICES {
            self.directory
                .caller()
                .at(service)
                .call(Ready {})
                .await
                .map_err(|problem| format!("{service}: {problem}"))?;
        }
        Ok(())
    }

    async fn truths(&self) -> Vec<Truth> {
        // Whoever asks meanwhile waits for the same answer.
        let mut told = self.told.lock().await;
        if let Some((_, truths)) = told.as_ref().filter(|(at, _)| at.elapsed() < TRUTHS_KEPT) {
            return truths.clone();
        }
        let mut truths = Vec::new();
        for service in SERVICES {
            match self.directory.caller().at(service).call(chassis::GetTruths {}).await {
                Ok(told) => {
                    truths.extend(told.into_iter().map(|it| Truth::new(format!("{service}: {}", it.name), it.holds)));
                }
                Err(_) => truths.push(Truth::new(format!("{service}: answers"), false)),
            }
        }
        *told = Some((Instant::now(), truths.clone()));
        truths
    }
}
