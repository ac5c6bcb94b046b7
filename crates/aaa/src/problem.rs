//! Errors as RFC 9457 problem details: what every refused request is answered with.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

/// What the `type` of every problem begins with; the code follows.
const TYPE_PREFIX: &str = "urn:problem:";

/// What a sign-in route asks for (RFC 7617).
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"guichet\", charset=\"UTF-8\"");

/// One thing wrong with one field of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// The field, as a path (`amount`, `owner.name`), or `body` for the request as a whole.
    pub field: String,
    /// What is wrong; a sentence that begins with the field reads well.
    pub detail: String,
}

/// Collects the faults of a request, so that all are reported at once.
#[derive(Default, Debug)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault of `field`.
    pub fn add(&mut self, field: impl Into<String>, detail: impl fmt::Display) {
        self.0.push(Fault { field: field.into(), detail: detail.to_string() });
    }

    /// Notes the error, if it is one; gives the value otherwise.
    pub fn take<T, E: fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problem to answer with, unless nothing is wrong.
    pub fn into_problem(self) -> Option<Problem> {
        (!self.0.is_empty()).then(|| Problem::bad_request(self.0))
    }
}

/// A problem in the sense of RFC 9457, served as `application/problem+json`.
///
/// `detail` is written for the person who asked; nothing internal belongs in it. What an operator should know is
/// attached with [`Problem::because`] and only logged.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Details {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(flatten)]
    members: serde_json::Map<String, serde_json::Value>,
    #[serde(skip)]
    retry_after: Option<u32>,
    #[serde(skip)]
    authenticate: Vec<HeaderValue>,
    #[serde(skip)]
    cause: Option<String>,
}

impl Problem {
    /// A problem with a stable `code` that programs may branch on, such as `insufficient-funds`.
    pub fn new(status: StatusCode, code: &str) -> Self {
        Self(Box::new(Details {
            kind: format!("{TYPE_PREFIX}{code}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: None,
            errors: Vec::new(),
            trace_id: None,
            members: serde_json::Map::new(),
            retry_after: None,
            authenticate: Vec::new(),
            cause: None,
        }))
    }

    /// 400: the request is malformed; `faults` say where.
    pub fn bad_request(faults: Vec<Fault>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-request")
            .detail("The request has mistakes; each is named in `errors`.");
        problem.0.errors = faults;
        problem
    }

    /// 400 for a single field.
    pub fn fault(field: &str, detail: impl fmt::Display) -> Self {
        Self::bad_request(vec![Fault { field: field.into(), detail: detail.to_string() }])
    }

    /// 401: who is asking is not known. The same answer whatever the reason.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized").detail("Sign in and send a valid access token.")
    }

    /// 401 of a sign-in: login or password is wrong, or the person may not sign in. Never tells which.
    pub fn sign_in_refused() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "sign-in-refused")
            .detail("The login or the password is wrong, or this person may not sign in (yet).")
            .challenged(vec![BASIC])
    }

    /// 401 of a sign-in: login and password are right, and the person's second factor is missing.
    pub fn second_factor_required() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "second-factor-required")
            .detail("Give the code of your authenticator app, or a recovery code, as well.")
            .challenged(vec![BASIC])
    }

    /// 403: known, and not allowed.
    pub fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden").detail(detail)
    }

    /// 404: does not exist, or may not be seen by this caller: the same answer.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found").detail("There is no such thing here, or you may not see it.")
    }

    /// 409: the state does not allow it (any more).
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code).detail(detail)
    }

    /// 422: understood, and against a rule.
    pub fn refused(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code).detail(detail)
    }

    /// 503: cannot serve now; worth trying again after `seconds`.
    pub fn unavailable(seconds: u32, cause: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            .detail("This cannot be done right now; please try again in a moment.")
            .because(cause)
            .retry_after(seconds)
    }

    /// 500: our fault. `cause` is logged, never shown.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            .detail("Something went wrong on our side. Nothing was done; please try again.")
            .because(cause)
    }

    /// 429: too many tries; worth trying again after `wait`.
    pub fn too_many(wait: std::time::Duration) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries")
            .detail(format!("There were too many tries. Please wait {seconds} s before the next one."))
            .retry_after(seconds)
    }

    /// How to prove who one is: one `WWW-Authenticate` line each. Those that a problem already has stay.
    pub(crate) fn challenged(mut self, challenges: Vec<HeaderValue>) -> Self {
        if self.0.authenticate.is_empty() {
            self.0.authenticate = challenges;
        }
        self
    }

    /// A further member (RFC 9457 §3.2); the standard ones cannot be replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        if !["type", "title", "status", "detail", "errors", "trace_id"].contains(&name) {
            self.0.members.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Says what is wrong and what to do, to the person who asked.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a fault of one field, e.g. to a 422 that concerns it.
    #[must_use]
    pub fn about(mut self, field: &str, detail: impl fmt::Display) -> Self {
        self.0.errors.push(Fault { field: field.into(), detail: detail.to_string() });
        self
    }

    /// Attaches what an operator should know; it goes to the log and the audit record only.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// Asks the caller to wait this many seconds (`Retry-After`).
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The trace id under which an operator finds this refusal.
    #[must_use]
    pub fn traced(mut self, trace_id: &str) -> Self {
        self.0.trace_id = Some(trace_id.to_owned());
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable code, such as `insufficient-funds`.
    pub fn code(&self) -> &str {
        self.0.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.0.kind)
    }

    /// What is wrong with which field.
    pub fn faults(&self) -> &[Fault] {
        &self.0.errors
    }

    /// The sentence for the person who asked.
    pub fn sentence(&self) -> &str {
        self.0.detail.as_deref().unwrap_or(&self.0.title)
    }

    /// How long to wait before asking again, if that is known (`Retry-After`).
    pub fn wait(&self) -> Option<std::time::Duration> {
        self.0.retry_after.map(|seconds| std::time::Duration::from_secs(seconds.into()))
    }

    /// What was attached for the operator.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status, self.code(), self.sentence())?;
        for fault in &self.0.errors {
            write!(f, "; {} {}", fault.field, fault.detail)?;
        }
        match &self.0.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for challenge in self.0.authenticate {
            headers.append(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
