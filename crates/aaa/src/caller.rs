//! The typed caller: calls an operation of any service, wherever it runs.
//!
//! The calling code does not know whether a service is in this process or across a network: a [`Transport`] takes an
//! HTTP request and gives an HTTP answer, and the [`Directory`] knows one for each service.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::api::IDEMPOTENCY_KEY;
use crate::gate::TRACEPARENT;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::{Reply, Streamed};

/// Whatever went wrong on the way.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

/// Carries one request to a service and its answer back.
#[derive(Clone)]
pub struct Transport(BoxCloneSyncService<Request<Body>, Response<Body>, TransportError>);

impl Transport {
    /// Anything that answers HTTP requests.
    pub fn new<S>(service: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        self.0.clone().oneshot(request).await
    }

    /// A service in this process: no socket, the same requests.
    pub fn in_process(router: Router) -> Self {
        Self::new(router)
    }
}

/// Where each service is. Filled while the program is wired; clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<RwLock<HashMap<&'static str, Transport>>>);

impl Directory {
    /// Says how to reach `service`.
    pub fn set(&self, service: &'static str, transport: Transport) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(service, transport);
    }

    /// Forgets every way. A service that calls others through here is held by its own way until then.
    pub fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A caller without a token.
    pub fn caller(&self) -> Caller {
        Caller {
            directory: self.clone(),
            token: None,
            trace_id: None,
            key: None,
            at: None,
            deadline: DEADLINE,
            credential: None,
            client: None,
        }
    }

    fn find(&self, service: &str) -> Option<Transport> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }
}

/// Longest wait for an answer, unless [`Caller::within`] says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// RFC 3986 unreserved characters stay.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Calls operations, as somebody.
#[derive(Clone)]
pub struct Caller {
    directory: Directory,
    token: Option<String>,
    trace_id: Option<String>,
    key: Option<String>,
    at: Option<&'static str>,
    deadline: Duration,
    credential: Option<(HeaderName, HeaderValue)>,
    client: Option<OnBehalf>,
}

/// The address for which a service of ours calls another: among the request's extensions, where no client can put it.
/// A listener that believes its peer puts it there; see [`crate::client_address`] for the public's listeners.
#[derive(Clone, Debug)]
pub struct OnBehalf(pub String);

impl Caller {
    /// The same caller, with an access token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same caller, with a credential that is no access token: a header as it is sent.
    #[must_use]
    pub fn carrying(&self, credential: Option<(HeaderName, HeaderValue)>) -> Self {
        Self { credential, ..self.clone() }
    }

    /// The same caller, for a client at this address: limits and records count it there.
    #[must_use]
    pub fn on_behalf_of(&self, client: Option<String>) -> Self {
        Self { client: client.map(OnBehalf), ..self.clone() }
    }

    /// The same caller, within a trace.
    #[must_use]
    pub fn traced(&self, trace_id: impl Into<String>) -> Self {
        Self { trace_id: Some(trace_id.into()), ..self.clone() }
    }

    /// The same caller, with an `Idempotency-Key`.
    #[must_use]
    pub fn keyed(&self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }

    /// The same caller, for operations that every service has (health, version): asks this one.
    #[must_use]
    pub fn at(&self, service: &'static str) -> Self {
        Self { at: Some(service), ..self.clone() }
    }

    /// The same caller, with another longest wait.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Calls the operation. A problem of the service comes back as it is; a service out of reach is a 503.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Reply, Problem> {
        let exchange = async {
            let (parts, body) = self.exchange::<O>(self.request(&operation)?).await?;
            Ok::<_, Problem>((parts, whole(body).await?))
        };
        let (parts, body) = self.in_time::<O, _>(exchange).await?;
        if parts.status.is_success() { O::Reply::read(&parts.headers, body) } else { Err(problem_of(&parts, &body)) }
    }

    /// The same, of what is answered bit by bit: it comes as soon as its first part does, and its parts have no limit in
    /// number or time.
    pub async fn stream<O: Operation<Reply = Streamed>>(&self, operation: O) -> Result<Streamed, Problem> {
        let mut request = self.request(&operation)?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream, */*;q=0.1"));
        let (parts, body) = self.in_time::<O, _>(self.exchange::<O>(request)).await?;
        if parts.status.is_success() {
            return Ok(Streamed::received(&parts.headers, body));
        }
        Err(problem_of(&parts, &self.in_time::<O, _>(whole(body)).await?))
    }

    async fn in_time<O: Operation, T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let late = || Problem::unavailable(1, format_args!("{} did not answer in time", O::ROUTE.service));
        tokio::time::timeout(self.deadline, work).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange<O: Operation>(&self, request: Request<Body>) -> Result<(Parts, Body), Problem> {
        let service = self.at.unwrap_or(O::ROUTE.service);
        let transport =
            self.directory.find(service).ok_or_else(|| Problem::internal(format_args!("no way to reach {service}")))?;
        let response = transport.0.oneshot(request).await.map_err(|error| Problem::unavailable(1, error))?;
        Ok(response.into_parts())
    }

    fn request<O: Operation>(&self, operation: &O) -> Result<Request<Body>, Problem> {
        let Value::Object(mut fields) = serde_json::to_value(operation).map_err(Problem::internal)? else {
            return Err(Problem::internal("an operation serializes to an object"));
        };
        fields.retain(|_, value| !value.is_null());
        let mut uri = path_of::<O>(&mut fields);
        let body = if O::ROUTE.method.has_body() {
            Body::from(serde_json::to_vec(&fields).map_err(Problem::internal)?)
        } else {
            let query = query_of(&fields);
            if !query.is_empty() {
                uri = format!("{uri}?{query}");
            }
            Body::empty()
        };
        let mut request =
            Request::builder().method(O::ROUTE.method()).uri(uri).body(body).map_err(Problem::internal)?;
        if let Some(client) = &self.client {
            request.extensions_mut().insert(client.clone());
        }
        let headers = request.headers_mut();
        if O::ROUTE.method.has_body() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let mut set = |name: HeaderName, value: Option<String>| set_header(headers, name, value);
        set(header::AUTHORIZATION, self.token.as_ref().map(|token| format!("Bearer {token}")))?;
        set(
            TRACEPARENT,
            self.trace_id.as_ref().map(|id| format!("00-{id}-{}-01", id.get(..16).unwrap_or("0000000000000001"))),
        )?;
        set(IDEMPOTENCY_KEY, self.key.clone())?;
        if let Some((name, value)) = &self.credential {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }
}

async fn whole(body: Body) -> Result<Bytes, Problem> {
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| Problem::unavailable(1, error))?;
    Ok(body.to_bytes())
}

fn problem_of(parts: &Parts, body: &[u8]) -> Problem {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_else(|_| Problem::new(parts.status, "unknown"));
    // The wait is told by a header alone.
    let wait = parts.headers.get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    match wait {
        Some(seconds) => problem.retry_after(seconds),
        None => problem,
    }
}

fn set_header(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) -> Result<(), Problem> {
    if let Some(value) = value {
        headers.insert(name, HeaderValue::try_from(value).map_err(Problem::internal)?);
    }
    Ok(())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// The path with its names filled in; fields that went there are taken out.
fn path_of<O: Operation>(fields: &mut Map<String, Value>) -> String {
    let mut path = String::with_capacity(O::ROUTE.path.len() + 36);
    for part in O::ROUTE.path.split('/').skip(1) {
        path.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => {
                let value = fields.remove(name).map(|value| text_of(&value)).unwrap_or_default();
                path.extend(utf8_percent_encode(&value, SEGMENT));
            }
            None => path.push_str(part),
        }
    }
    path
}

fn query_of(fields: &Map<String, Value>) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in fields {
        match value {
            Value::Array(values) => values.iter().for_each(|value| {
                query.append_pair(name, &text_of(value));
            }),
            value => {
                query.append_pair(name, &text_of(value));
            }
        }
    }
    query.finish()
}
