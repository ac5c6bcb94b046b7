//! Mounts declared operations on a service and enforces their policies, in one order for all:
//! 401, group 403, 400, object 404/403, then the handler.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use axum::{RequestPartsExt, Router};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use sha2::{Digest, Sha256};
use vocabulary::Timestamp;

use crate::audit::{Decided, Decision};
use crate::call::{Call, Context, IdempotencyKey};
use crate::credentials::{Denied, Presented, authorization, basic_pair};
use crate::gate::{Gate, TRACE_ID, crosses_sites, peer};
use crate::matrix::Entry;
use crate::operation::{Operation, Verb, check_path};
use crate::parameters::{self, Raw, Shape, Source};
use crate::policy::{Closed, Demands, Enforce, Policy, Who};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::reply::Reply;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How much of a body that is too large is taken before its sender is cut off, in bytes.
const DRAINED: usize = 32 * 1024 * 1024;

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
    gate: Option<Gate>,
}

/// A service cannot start: what was declared and what was configured do not fit.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

impl From<Misconfigured> for Problem {
    fn from(error: Misconfigured) -> Self {
        Self::internal(error)
    }
}

/// Answers what no operation matches with 404 and 405 problems.
pub fn closed(router: Router) -> Router {
    closed_saying(router, |problem| problem)
}

fn closed_saying(router: Router, say: impl Fn(Problem) -> Problem + Clone + Send + Sync + 'static) -> Router {
    let other = say.clone();
    let nothing = move || async move { say(Problem::not_found()) };
    let wrong_method = move || async move {
        other(
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
                .detail("This path exists, with other methods."),
        )
    };
    router.fallback(nothing).method_not_allowed_fallback(wrong_method)
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
        const { check_path::<O>() };
        self.entries.push(Entry::of::<O>());
        if let Some((service, gate)) = &self.live {
            let mounted = Arc::new(Mounted::of::<O>(service.clone(), gate.clone()));
            let filter = match O::ROUTE.method {
                Verb::Get => MethodFilter::GET,
                Verb::Post => MethodFilter::POST,
                Verb::Patch => MethodFilter::PATCH,
                Verb::Put => MethodFilter::PUT,
                Verb::Delete => MethodFilter::DELETE,
            };
            let route = MethodRouter::new().on(filter, move |request: Request| {
                let (mounted, handler) = (Arc::clone(&mounted), handler.clone());
                async move { answer::<O, S, F, Fut, E>(&mounted, handler, request).await }
            });
            // What every service has (health, version) names no service.
            let router = if O::ROUTE.service.is_empty() { &mut self.shared } else { &mut self.own };
            *router = std::mem::take(router).route(O::ROUTE.path, route);
        }
        self
    }

    /// Mounts an operation that is closed to everyone: it needs no handler.
    #[must_use]
    pub fn close<O>(self) -> Self
    where
        O: Operation<Policy = Closed>,
    {
        self.serve(|_: S, _: Call<O, S>| async { Err::<O::Reply, _>(closed_to_all()) })
    }

    /// What was mounted so far.
    pub fn entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Closes the list: everything else is 404 or 405. Refuses what could never be granted, or was never configured.
    pub fn finish(self) -> Result<Module, Misconfigured> {
        let gate = self.live.map(|(_, gate)| gate);
        if let Some(gate) = &gate {
            fits(&self.entries, gate)?;
        }
        let router = whole(&self.own, &self.shared, gate.as_ref());
        Ok(Module { router, own: self.own, shared: self.shared, entries: self.entries, gate })
    }
}

impl Module {
    /// The same module below `prefix`, such as `/cmp`.
    pub fn under(mut self, prefix: &'static str) -> Self {
        for entry in &mut self.entries {
            entry.prefix = prefix;
        }
        let nest = |router: Router| Router::new().nest(prefix, router);
        let (own, shared) = (nest(self.own), nest(self.shared));
        Self { router: nest(self.router), own, shared, entries: self.entries, gate: self.gate }
    }

    /// Both as one service: what `other` offers by itself, with the rest of this one.
    pub fn and(mut self, other: Self) -> Self {
        self.own = self.own.merge(other.own);
        self.entries.extend(other.entries);
        self.router = whole(&self.own, &self.shared, self.gate.as_ref());
        self
    }
}

/// Everything a service answers, what it does not offer included.
fn whole(own: &Router, shared: &Router, gate: Option<&Gate>) -> Router {
    let router = own.clone().merge(shared.clone());
    match gate.cloned() {
        Some(gate) => closed_saying(router, move |problem| gate.extended(problem)),
        None => router,
    }
}

/// Whether every operation can be granted with the credentials configured.
fn fits(entries: &[Entry], gate: &Gate) -> Result<(), Misconfigured> {
    if let Some(fault) = gate.credentials.fault() {
        return Err(Misconfigured(fault));
    }
    for entry in entries {
        let identifies = !matches!(entry.demands.who, Who::Open | Who::Nobody);
        if identifies && gate.credentials.schemes(entry.route.accepts).next().is_none() {
            return Err(Misconfigured(format!(
                "{} {} has to know who is calling, and none of the credentials that it accepts is configured: add one \
                 to the service's Credentials, or change what the route accepts",
                entry.route.method(),
                entry.path(),
            )));
        }
    }
    Ok(())
}

fn closed_to_all() -> Problem {
    Problem::forbidden("This is closed to everyone.").because("closed route")
}

/// One operation where it is served.
struct Mounted<S> {
    service: S,
    gate: Gate,
    shape: Shape,
    /// How audit records name it, and its policy.
    operation: Arc<str>,
    policy: Arc<str>,
}

impl<S> Mounted<S> {
    fn of<O: Operation>(service: S, gate: Gate) -> Self {
        let shape = Shape::of::<O>(&gate);
        let operation = format!("{} {}", O::ROUTE.method(), O::ROUTE.path).into();
        let policy = <O::Policy as Policy<O>>::DEMANDS.to_string().into();
        Self { service, gate, shape, operation, policy }
    }
}

/// One call, from the socket to the answer.
async fn answer<O, S, F, Fut, E>(mounted: &Mounted<S>, handler: F, request: Request) -> Response
where
    O: Operation,
    O::Policy: Enforce<O, S>,
    S: Clone + Sync,
    F: Fn(S, Call<O, S>) -> Fut,
    Fut: Future<Output = Result<O::Reply, E>> + Send,
    E: Into<Problem>,
{
    let demands = const { <O::Policy as Policy<O>>::DEMANDS };
    let (gate, (parts, body)) = (&mounted.gate, request.into_parts());
    let mut visit = Visit { context: gate.context(&parts), parts, now: gate.clock.now(), by: None, object: None };
    let work = grant::<O, S, F, Fut, E>(mounted, handler, &mut visit, body);
    let outcome = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => Err(Problem::internal(format_args!("panic: {}", words(panic.as_ref())))),
    };
    let (status, problem) = match &outcome {
        Ok(response) => (response.status(), None),
        Err(problem) => (problem.status(), Some(problem)),
    };
    let trace_id = visit.context.trace_id.clone();
    // A granted read that is open to anyone: nothing was decided.
    if problem.is_some() || O::ROUTE.is_mutation() || demands.who != Who::Open {
        gate.audit.note(visit.decided::<O, S>(mounted, status, problem));
    }
    let mut response = outcome.unwrap_or_else(|problem| gate.extended(problem.traced(&trace_id)).into_response());
    finish_headers(response.headers_mut(), trace_id);
    response
}

/// One request under way.
struct Visit {
    parts: Parts,
    context: Context,
    now: Timestamp,
    by: Option<Arc<Principal>>,
    object: Option<String>,
}

impl Visit {
    fn decided<O: Operation, S>(self, mounted: &Mounted<S>, status: StatusCode, problem: Option<&Problem>) -> Decided {
        let Self { parts, context, now, by, object } = self;
        let (operation, policy) = (Arc::clone(&mounted.operation), Arc::clone(&mounted.policy));
        let code = problem.map(|problem| problem.code().to_owned());
        let cause = problem.and_then(Problem::cause).map(ToOwned::to_owned);
        if status.is_server_error() {
            tracing::error!(%operation, trace_id = context.trace_id, cause, "call failed");
        }
        Decided::new(move || {
            // The path as it was called, once its names were read and are ids: before that it may hold anything, a token too.
            let unread = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
            Decision {
                at: now,
                operation: operation.to_string(),
                path: if unread { O::ROUTE.path.into() } else { parts.uri.path().chars().take(300).collect() },
                by: by.as_ref().map(|by| by.id),
                login: by.as_ref().map(|by| by.login.clone()),
                object,
                groups: by.map(|by| by.groups.clone()).unwrap_or_default(),
                scheme: context.scheme.map(|scheme| scheme.name().to_owned()),
                policy: policy.to_string(),
                status: status.as_u16(),
                code,
                cause,
                trace_id: context.trace_id,
                client: context.client,
            }
        })
    }
}

async fn grant<O, S, F, Fut, E>(
    mounted: &Mounted<S>,
    handler: F,
    visit: &mut Visit,
    body: Body,
) -> Result<Response, Problem>
where
    O: Operation,
    O::Policy: Enforce<O, S>,
    S: Clone + Sync,
    F: Fn(S, Call<O, S>) -> Fut,
    Fut: Future<Output = Result<O::Reply, E>> + Send,
    E: Into<Problem>,
{
    let Mounted { service, gate, shape, .. } = mounted;
    let demands = const { <O::Policy as Policy<O>>::DEMANDS };
    if demands.who == Who::Nobody {
        return Err(closed_to_all());
    }
    let mut body = Unread::Coming(body);
    if demands.who != Who::Open {
        // Only credentials that travel as fields have the body read before it is known who sends it.
        let fields = if shape.credentials.is_empty() {
            Vec::new()
        } else {
            let bytes = body.read::<O>().await?;
            parameters::credential_fields(&shape.credentials, visit.parts.uri.query(), &visit.parts.headers, &bytes)?
        };
        admit::<O>(gate, demands, fields, visit).await?;
    }
    let bytes = body.read::<O>().await?;
    let request = read::<O>(shape, &mut visit.parts, &bytes).await?;
    let mut context = visit.context.clone();
    context.idempotency = if O::ROUTE.idempotent { idempotency_key(&visit.parts.headers, &request)? } else { None };
    visit.object = <O::Policy as Enforce<O, S>>::named(&request);
    let proof = <O::Policy as Enforce<O, S>>::prove(service, visit.by.as_deref(), &request).await?;
    let call = Call { request, context, by: visit.by.clone(), proof };
    handler(service.clone(), call).await.map_err(Into::into)?.write()
}

/// Who is calling, and whether they pass what can be said before the request is read: 401, then 403.
async fn admit<O: Operation>(
    gate: &Gate,
    demands: Demands,
    fields: Vec<(String, String)>,
    visit: &mut Visit,
) -> Result<(), Problem> {
    let only = O::ROUTE.accepts;
    let challenged = |problem: Problem, why: &str| problem.challenged(gate.credentials.challenges(only, why));
    let presented = Presented {
        parts: &visit.parts,
        fields,
        client: visit.context.client.as_deref(),
        peer: peer(&visit.parts),
        now: visit.now,
        throttle: &gate.throttle,
    };
    let (principal, scheme) = match gate.credentials.identify(only, presented).await {
        Ok(known) => known,
        Err(Denied { problem, why }) if problem.status() == StatusCode::UNAUTHORIZED => {
            return Err(challenged(problem, why));
        }
        Err(Denied { problem, .. }) => return Err(problem),
    };
    visit.context.scheme = Some(scheme);
    let by = visit.by.insert(principal);
    if crosses_sites(scheme, &visit.parts) {
        return Err(Problem::forbidden("This request comes from another site's page.").because("cross-site request"));
    }
    if !demands.who.admits(&by.groups) {
        let cause = format!("needs {}, is in {}", demands.who, by.groups.join(", "));
        return Err(Problem::forbidden("This is for others: your role does not include it.").because(cause));
    }
    if let Some(held) = &by.scopes
        && !demands.scope.is_some_and(|scope| held.iter().any(|held| held == scope))
    {
        let why = match demands.scope {
            Some(scope) => format!(", error=\"insufficient_scope\", scope=\"{scope}\""),
            None => ", error=\"insufficient_scope\"".to_owned(),
        };
        let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient-scope")
            .detail("This token is not for that: it was made for less.")
            .because(format_args!(
                "needs scope {}, has {}",
                demands.scope.unwrap_or("none: whole sign-ins only"),
                held.join(" ")
            ));
        return Err(challenged(problem, &why));
    }
    if let Some(fresh) = demands.fresh {
        let late = fresh.within.is_some_and(|within| by.authenticated.plus(within) < visit.now);
        if late || (fresh.second_factor && !by.second_factor) {
            let age = fresh.within.map(|within| format!(", max_age={}", within.as_secs())).unwrap_or_default();
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "step-up-required")
                .detail(if late {
                    "Prove once more who you are, then repeat this."
                } else {
                    "Sign in with your second factor, then repeat this."
                })
                .because(format_args!("needs {fresh}"));
            return Err(challenged(problem, &format!(", error=\"insufficient_user_authentication\"{age}")));
        }
    }
    Ok(())
}

/// A request's body, read at most once.
enum Unread {
    Coming(Body),
    Read(Bytes),
}

impl Unread {
    async fn read<O: Operation>(&mut self) -> Result<Bytes, Problem> {
        let body = match self {
            Self::Read(bytes) => return Ok(bytes.clone()),
            Self::Coming(body) => body,
        };
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = O::ROUTE.body_limit;
        let bytes = match Limited::new(&mut *body, limit).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                drain(std::mem::take(body)).await;
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large")
                    .detail(format!("The body is larger than {limit} bytes."))
                    .about("body", format_args!("is larger than {limit} bytes")));
            }
            Err(error) => return Err(Problem::fault("body", "could not be read to its end").because(error)),
        };
        *self = Self::Read(bytes.clone());
        Ok(bytes)
    }
}

async fn read<O: Operation>(shape: &Shape, parts: &mut Parts, body: &[u8]) -> Result<O, Problem> {
    let path: RawPathParams = parts.extract().await.map_err(|_| Problem::fault("path", "is not valid UTF-8"))?;
    let path = path.iter().map(|(name, value)| (name.into(), Source::Texts(vec![value.into()]))).collect();
    let basic = if O::ROUTE.basic { basic_credential(&parts.headers, body)? } else { None };
    let query = parts.uri.query().unwrap_or("");
    parameters::read(shape, Raw { path, query, headers: &parts.headers, body, basic })
}

/// Takes what is still being sent, and drops it: most clients look for the answer only once they have sent everything.
async fn drain(body: Body) {
    let mut rest = Limited::new(body, DRAINED);
    while let Some(Ok(_)) = rest.frame().await {}
}

/// Login and password for a route that signs in by HTTP Basic. Neither header nor body is a sign-in without
/// credentials: 401.
fn basic_credential(headers: &HeaderMap, body: &[u8]) -> Result<Option<(String, String)>, Problem> {
    match authorization(headers, "basic") {
        Some(encoded) => basic_pair(encoded).map(Some).map_err(|why| Problem::sign_in_refused().because(why)),
        None if body.is_empty() => Err(Problem::sign_in_refused().because("no credential")),
        None => Ok(None),
    }
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

fn finish_headers(headers: &mut HeaderMap, trace_id: String) {
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::try_from(trace_id) {
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
