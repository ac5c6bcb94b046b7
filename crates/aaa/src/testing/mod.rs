//! Tests that run inside a process or against a running service, unchanged: the feature `testing`.
//!
//! A [`Tester`] holds a transport (a router of this process, or a network address) and the credentials of the people a
//! test speaks of. What it sends is plain HTTP, so what it proves holds for any client. [`Tester::systematic`] makes the
//! tests that nobody should have to write: every declared operation, each method, each role, each broken credential.
#![expect(clippy::panic, reason = "a test stops at the first surprise")]

mod systematic;

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use crate::caller::{Directory, Transport};
use crate::operation::Operation;
use crate::problem::Problem;

/// How somebody proves who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Not at all.
    None,
    /// `Authorization: Basic …`.
    Basic {
        /// The login.
        login: String,
        /// The password.
        password: String,
    },
    /// `Authorization: Bearer …`.
    Bearer(String),
    /// `Authorization` with another word, such as `Token …`.
    Prefix(String, String),
    /// A header of its own.
    Header(HeaderName, String),
    /// A cookie.
    Cookie(String, String),
    /// Fields of the body.
    Fields(Vec<(String, String)>),
}

impl Credential {
    /// Login and password.
    pub fn basic(login: &str, password: &str) -> Self {
        Self::Basic { login: login.into(), password: password.into() }
    }

    /// Login and password as fields of the body.
    pub fn fields(login: (&str, &str), password: (&str, &str)) -> Self {
        Self::Fields([login, password].map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    fn header(&self) -> Option<(HeaderName, String)> {
        match self {
            Self::None | Self::Fields(_) => None,
            Self::Basic { login, password } => {
                let encoded = BASE64_STANDARD.encode(format!("{login}:{password}"));
                Some((header::AUTHORIZATION, format!("Basic {encoded}")))
            }
            Self::Bearer(token) => Some((header::AUTHORIZATION, format!("Bearer {token}"))),
            Self::Prefix(word, token) => Some((header::AUTHORIZATION, format!("{word} {token}"))),
            Self::Header(name, token) => Some((name.clone(), token.clone())),
            Self::Cookie(name, token) => Some((header::COOKIE, format!("{name}={token}"))),
        }
    }
}

/// The service to be tested instead of one's own: its address in `GUICHET_TEST_URL`, and for HTTPS, in `GUICHET_TEST_CA`,
/// the file with the certificate of its authority.
pub fn elsewhere() -> Option<(String, Option<PathBuf>)> {
    let url = std::env::var("GUICHET_TEST_URL").ok().filter(|url| !url.is_empty())?;
    Some((url, std::env::var_os("GUICHET_TEST_CA").map(PathBuf::from)))
}

/// A service to be tested, and the people who use it.
#[derive(Clone)]
pub struct Tester {
    transport: Transport,
    people: BTreeMap<String, Credential>,
}

impl Tester {
    /// Of the service that `transport` reaches.
    pub fn new(transport: Transport) -> Self {
        Self { transport, people: BTreeMap::new() }
    }

    /// Who somebody is, and how they prove it. Said again, it replaces what was known.
    pub fn knows(&mut self, name: &str, credential: Credential) -> &mut Self {
        self.people.insert(name.to_owned(), credential);
        self
    }

    /// Forgets somebody.
    pub fn forgets(&mut self, name: &str) -> &mut Self {
        self.people.remove(name);
        self
    }

    /// A client without any credential.
    pub fn anyone(&self) -> Client {
        self.with(Credential::None)
    }

    /// A client of somebody whom the tester knows.
    pub fn person(&self, name: &str) -> Client {
        match self.people.get(name) {
            Some(credential) => self.with(credential.clone()),
            None => panic!("this test knows no {name}: say Tester::knows first"),
        }
    }

    /// A client with any credential.
    pub fn with(&self, credential: Credential) -> Client {
        Client { transport: self.transport.clone(), credential }
    }
}

/// Sends requests, as somebody.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    credential: Credential,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name(&self, path: impl Into<String>) -> Ask {
            self.ask(Method::$method, path)
        }
    )+};
}

impl Client {
    methods! {
        /// `GET path`.
        get GET;
        /// `POST path`.
        post POST;
        /// `PUT path`.
        put PUT;
        /// `PATCH path`.
        patch PATCH;
        /// `DELETE path`.
        delete DELETE;
    }

    /// A request, not yet sent.
    pub fn ask(&self, method: Method, path: impl Into<String>) -> Ask {
        Ask { client: self.clone(), method, path: path.into(), headers: HeaderMap::new(), fields: Fields::None }
    }

    /// Calls a declared operation and reads its typed reply.
    pub async fn call<O: Operation>(&self, operation: O) -> Result<O::Reply, Problem> {
        const HERE: &str = "tested";
        let directory = Directory::default();
        directory.set(HERE, self.transport.clone());
        let credential = self.credential.header().map(|(name, value)| (name, sendable(&value)));
        directory.caller().at(HERE).carrying(credential).call(operation).await
    }
}

#[derive(Clone)]
enum Fields {
    None,
    Form(Vec<(String, String)>),
    Json(Value),
    Raw(Bytes),
}

/// A request, not yet sent.
#[derive(Clone)]
#[must_use = "a request that is not sent tests nothing"]
pub struct Ask {
    client: Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    fields: Fields,
}

impl Ask {
    /// With a parameter in the query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        let pair = Serializer::new(String::new()).append_pair(name, value).finish();
        self.path = format!("{}{separator}{pair}", self.path);
        self
    }

    /// With a field of a form.
    pub fn form(mut self, name: &str, value: &str) -> Self {
        let pair = (name.to_owned(), value.to_owned());
        match &mut self.fields {
            Fields::Form(pairs) => pairs.push(pair),
            fields => *fields = Fields::Form(vec![pair]),
        }
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: impl Into<Value>) -> Self {
        self.fields = Fields::Json(body.into());
        self
    }

    /// With any body.
    pub fn raw(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.fields = Fields::Raw(body.into());
        self.header(header::CONTENT_TYPE, content_type)
    }

    /// With a header.
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.append(name, sendable(value));
        self
    }

    /// Sends it. A service that cannot be reached ends the test.
    pub async fn send(self) -> Answer {
        let asked = format!("{} {}", self.method, self.path);
        let Self { client, method, path, mut headers, mut fields } = self;
        if let Some((name, value)) = client.credential.header() {
            headers.append(name, sendable(&value));
        }
        if let Credential::Fields(credential) = &client.credential {
            fields = fields.and(credential);
        }
        let (content_type, body) = fields.written();
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_else(|error| panic!("{asked}: {error}"));
        *request.headers_mut() = headers;
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let response =
            client.transport.send(request).await.unwrap_or_else(|error| panic!("{asked} was not answered: {error}"));
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap_or_else(|error| panic!("{asked}: the answer broke off: {error}"));
        Answer { status: parts.status, headers: parts.headers, body: body.to_bytes(), asked }
    }

    /// Sends it and expects this status.
    pub async fn gives(self, status: u16) -> Answer {
        self.send().await.is(status)
    }
}

impl Fields {
    /// The same with further fields: a credential that travels among them.
    fn and(self, more: &[(String, String)]) -> Self {
        match self {
            Self::None => Self::Form(more.to_vec()),
            Self::Form(mut pairs) => {
                pairs.extend_from_slice(more);
                Self::Form(pairs)
            }
            Self::Json(Value::Object(mut members)) => {
                members.extend(more.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
                Self::Json(Value::Object(members))
            }
            other => other,
        }
    }

    fn written(self) -> (Option<&'static str>, Bytes) {
        match self {
            Self::None => (None, Bytes::new()),
            Self::Form(pairs) => {
                let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
                (Some("application/x-www-form-urlencoded"), body.into())
            }
            Self::Json(value) => (Some("application/json"), value.to_string().into()),
            Self::Raw(body) => (None, body),
        }
    }
}

fn sendable(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| panic!("{value:?} cannot stand in a header"))
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub body: Bytes,
    asked: String,
}

impl Answer {
    /// Expects this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert!(self.status == status, "{} answered {} instead of {status}: {}", self.asked, self.status, self.text());
        self
    }

    /// Expects a problem with this code.
    #[track_caller]
    pub fn is_problem(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        let kind = answer.json()["type"].as_str().unwrap_or("").to_owned();
        assert!(kind == format!("urn:problem:{code}"), "{} is {kind:?} instead of {code}", answer.asked);
        answer
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, when it is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What a stranger can tell answers apart by: status, headers and body, but for what differs each time.
    pub fn visible(&self) -> (StatusCode, Vec<(String, String)>, Value) {
        let each_time = ["x-trace-id", "date"];
        let headers = self.headers.iter().filter(|(name, _)| !each_time.contains(&name.as_str()));
        let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
        let mut body = self.json();
        if let Some(members) = body.as_object_mut() {
            let _: Option<Value> = Map::remove(members, "trace_id");
        }
        (self.status, headers, body)
    }
}
