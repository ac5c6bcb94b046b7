//! Mounts declared operations on a service and enforces their policies, in one order for all:
//! 401, group 403, 400, object 404/403, then the handler.

use std::any::Any;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use axum::{RequestPartsExt, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use sha2::{Digest, Sha256};
use vocabulary::{Chance, Clock};

use crate::audit::{Audit, Decision};
use crate::call::{Call, Context, IdempotencyKey};
use crate::matrix::Entry;
use crate::operation::{Operation, Verb};
use crate::parameters::{self, Fields, Raw};
use crate::policy::{Enforce, Policy, Who};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::token::Verifier;

/// Finds a call in logs: every answer carries it.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How much of a body that is too large is taken before its sender is cut off, in bytes.
const DRAINED: usize = 32 * 1024 * 1024;

/// What enforcement needs of the world.
#[derive(Clone)]
pub struct Gate {
    /// Tells who a token stands for.
    pub verifier: Verifier,
    /// Where decisions are noted.
    pub audit: Arc<dyn Audit>,
    /// The time of decisions.
    pub clock: Clock,
    /// Makes trace ids.
    pub chance: Chance,
}

/// The operations of one service, being mounted.
pub struct Api<S> {
    live: Option<(S, Gate)>,
    own: Router,
    shared: Router,
    entries: Vec<Entry>,
}

/// The mounted operations of one service: axum routers and the list of what it offers.
pub struct Module {
    /// The whole service: its operations, and 404 or 405 problems for everything else.
    pub router: Router,
    /// Only the operations that no other service has, without fallback: to be merged with those of others.
    pub own: Router,
    /// Only the operations that every service has, without fallback.
    pub shared: Router,
    /// What is offered, in the order it was mounted.
    pub entries: Vec<Entry>,
}

/// Answers what no operation matches with 404 and 405 problems.
pub fn closed(router: Router) -> Router {
    router.fallback(|| async { Problem::not_found() }).method_not_allowed_fallback(|| async {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
            .detail("This path exists, with other methods.")
    })
}

impl<S: Clone + Send + Sync + 'static> Api<S> {
    /// Begins to mount operations on `service`.
    pub fn new(service: S, gate: Gate) -> Self {
        Self { live: Some((service, gate)), own: Router::new(), shared: Router::new(), entries: Vec::new() }
    }

    /// Only lists what would be mounted: for the matrix and the OpenAPI document, without a running service.
    pub fn listing() -> Self {
        Self { live: None, own: Router::new(), shared: Router::new(), entries: Vec::new() }
    }

    /// Mounts the operation that `handler` takes.
    #[must_use]
    pub fn serve<O, F, Fut, E>(mut self, handler: F) -> Self
    where
        O: Operation,
        O::Policy: Enforce<O, S>,
        F: Fn(S, Call<O, S>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<O::Reply, E>> + Send,
        E: Into<Problem>,
    {
        self.entries.push(Entry::of::<O>());
        if let Some((service, gate)) = &self.live {
            let (service, gate, fields) = (service.clone(), gate.clone(), Arc::new(Fields::of::<O>()));
            let filter = match O::ROUTE.method {
                Verb::Get => MethodFilter::GET,
                Verb::Post => MethodFilter::POST,
                Verb::Patch => MethodFilter::PATCH,
                Verb::Put => MethodFilter::PUT,
                Verb::Delete => MethodFilter::DELETE,
            };
            let route = MethodRouter::new().on(filter, move |request: Request| {
                let (service, gate, fields, handler) =
                    (service.clone(), gate.clone(), Arc::clone(&fields), handler.clone());
                async move { answer::<O, S, F, Fut, E>(service, &gate, &fields, handler, request).await }
            });
            // What every service has (health, version) names no service.
            let router = if O::ROUTE.service.is_empty() { &mut self.shared } else { &mut self.own };
            *router = std::mem::take(router).route(O::ROUTE.path, route);
        }
        self
    }

    /// What was mounted so far.
    pub fn entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Closes the list: everything else is 404 or 405.
    pub fn finish(self) -> Module {
        let router = closed(self.own.clone().merge(self.shared.clone()));
        Module { router, own: self.own, shared: self.shared, entries: self.entries }
    }
}

/// One call, from the socket to the answer.
async fn answer<O, S, F, Fut, E>(service: S, gate: &Gate, fields: &Fields, handler: F, request: Request) -> Response
where
    O: Operation,
    O::Policy: Enforce<O, S>,
    S: Sync,
    F: Fn(S, Call<O, S>) -> Fut,
    Fut: Future<Output = Result<O::Reply, E>> + Send,
    E: Into<Problem>,
{
    let (mut parts, body) = request.into_parts();
    let context = context(&parts, gate);
    let mut by = None;
    let work = grant::<O, S, F, Fut, E>(service, gate, fields, handler, &mut parts, body, &context, &mut by);
    let outcome = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => Err(Problem::internal(format_args!("panic: {}", words(panic.as_ref())))),
    };
    let (status, problem) = match &outcome {
        Ok(response) => (response.status(), None),
        Err(problem) => (problem.status(), Some(problem)),
    };
    if problem.is_some() || O::ROUTE.is_mutation() {
        let decision = Decision {
            at: gate.clock.now(),
            operation: format!("{} {}", O::ROUTE.method(), O::ROUTE.path),
            path: shown_path::<O>(&parts, status),
            by: by.as_ref().map(|by: &Principal| by.id),
            status: status.as_u16(),
            code: problem.map(|problem| problem.code().to_owned()),
            cause: problem.and_then(Problem::cause).map(ToOwned::to_owned),
            trace_id: context.trace_id.clone(),
            client: context.client.clone(),
        };
        if status.is_server_error() {
            tracing::error!(
                operation = decision.operation,
                trace_id = decision.trace_id,
                cause = decision.cause,
                "call failed"
            );
        }
        gate.audit.note(decision);
    }
    let mut response = outcome.unwrap_or_else(|problem| problem.traced(&context.trace_id).into_response());
    finish_headers(response.headers_mut(), &context.trace_id);
    response
}

/// The path as it was called, once its names were read and are ids: before that it may hold anything, a token too.
fn shown_path<O: Operation>(parts: &Parts, status: StatusCode) -> String {
    let unread = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    if unread { O::ROUTE.path.to_owned() } else { parts.uri.path().chars().take(300).collect() }
}

#[expect(clippy::too_many_arguments, reason = "one call's whole state, passed once, to keep the order in one place")]
async fn grant<O, S, F, Fut, E>(
    service: S,
    gate: &Gate,
    fields: &Fields,
    handler: F,
    parts: &mut Parts,
    body: Body,
    context: &Context,
    by: &mut Option<Principal>,
) -> Result<Response, Problem>
where
    O: Operation,
    O::Policy: Enforce<O, S>,
    S: Sync,
    F: Fn(S, Call<O, S>) -> Fut,
    Fut: Future<Output = Result<O::Reply, E>> + Send,
    E: Into<Problem>,
{
    let who = <O::Policy as Policy<O>>::WHO;
    if who != Who::Open {
        let principal = identify(gate, context)?;
        let admitted = who.admits(&principal.groups);
        *by = Some(principal);
        if !admitted {
            return Err(Problem::forbidden("This is for others: your role does not include it."));
        }
    }
    let request = read::<O>(fields, parts, body).await?;
    let mut context = context.clone();
    context.idempotency = if O::ROUTE.idempotent { idempotency_key(&parts.headers, &request)? } else { None };
    let proof = <O::Policy as Enforce<O, S>>::prove(&service, by.as_ref(), &request).await?;
    let call = Call { request, context, by: by.clone(), proof };
    handler(service, call).await.map_err(Into::into)?.write()
}

fn identify(gate: &Gate, context: &Context) -> Result<Principal, Problem> {
    let token = context.token.as_deref().ok_or_else(|| Problem::unauthorized().because("no access token"))?;
    gate.verifier.verify(token).map(|it| (*it).clone()).map_err(|refusal| Problem::unauthorized().because(refusal))
}

async fn read<O: Operation>(fields: &Fields, parts: &mut Parts, mut body: Body) -> Result<O, Problem> {
    let path: RawPathParams = parts.extract().await.map_err(|_| Problem::fault("path", "is not valid UTF-8"))?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let limit = O::ROUTE.body_limit;
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large")
            .detail(format!("The body is larger than {limit} bytes."))
            .about("body", format_args!("is larger than {limit} bytes"))
    };
    let body = match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            drain(body).await;
            return Err(too_large());
        }
        Err(error) => return Err(Problem::fault("body", "could not be read to its end").because(error)),
    };
    let basic = if O::ROUTE.basic { basic_credential(&parts.headers, &body)? } else { None };
    let query = parts.uri.query().unwrap_or("");
    parameters::read(fields, Raw { path, query, headers: &parts.headers, body: &body, basic })
}

/// Takes what is still being sent, and drops it: most clients look for the answer only once they have sent everything.
async fn drain(body: Body) {
    let mut rest = Limited::new(body, DRAINED);
    while let Some(Ok(_)) = rest.frame().await {}
}

/// Login and password of HTTP Basic (RFC 7617). Neither header nor body is a sign-in without credentials: 401.
fn basic_credential(headers: &HeaderMap, body: &[u8]) -> Result<Option<(String, String)>, Problem> {
    match authorization(headers, "basic") {
        Some(encoded) => {
            let decoded = BASE64_STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
            let (login, password) =
                pair.ok_or_else(|| Problem::sign_in_refused().because("malformed Basic credential"))?;
            if password.is_empty() {
                return Err(Problem::sign_in_refused().because("empty password"));
            }
            Ok(Some((login.to_owned(), password.to_owned())))
        }
        None if body.is_empty() => Err(Problem::sign_in_refused().because("no credential")),
        None => Ok(None),
    }
}

/// The credential after `scheme`; schemes are case-insensitive (RFC 9110).
fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credential) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(credential.trim())
}

fn idempotency_key<O: Operation>(headers: &HeaderMap, request: &O) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or("");
    if key.is_empty() || key.len() > 128 || !key.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(Problem::fault(
            "Idempotency-Key",
            "must be 1 to 128 printable ASCII characters; a UUID is a good choice",
        ));
    }
    let mut digest = Sha256::new();
    digest.update(O::ROUTE.method.method().as_str());
    digest.update(O::ROUTE.path);
    digest.update(serde_json::to_vec(request).map_err(Problem::internal)?);
    Ok(Some(IdempotencyKey { key: key.to_owned(), digest: digest.finalize().into() }))
}

fn context(parts: &Parts, gate: &Gate) -> Context {
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let trace_id = text(&TRACEPARENT).and_then(trace_id_of).unwrap_or_else(|| hex::encode(gate.chance.bytes::<16>()));
    Context {
        trace_id,
        token: authorization(&parts.headers, "bearer").map(ToOwned::to_owned),
        idempotency: None,
        client: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_string()),
        agent: text(&header::USER_AGENT).map(|agent| agent.chars().take(200).collect()),
    }
}

/// The trace id of a W3C `traceparent` (version 00).
fn trace_id_of(traceparent: &str) -> Option<String> {
    let id = traceparent.strip_prefix("00-")?.get(..32)?;
    let valid = id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) && id.bytes().any(|c| c != b'0');
    valid.then(|| id.to_owned())
}

fn finish_headers(headers: &mut HeaderMap, trace_id: &str) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(trace_id) {
        headers.insert(TRACE_ID, value);
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
