//! A client as a stranger would write one: trusts the printed authority alone, sends what it is told, repeats nothing.
//!
//! It speaks HTTPS to a running bank, or to the router of a bank in this process; the tests need not know which.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tower::ServiceExt;
use vocabulary::Clock;

/// Longest wait for an answer: whoever waits longer has found a bug.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// Calls one bank, perhaps as somebody. Clones share one connection, on which requests go one after the other.
#[derive(Clone)]
pub(crate) struct Client {
    wire: Wire,
    token: Option<String>,
}

#[derive(Clone)]
enum Wire {
    Https(Arc<Https>),
    Router(Router),
}

struct Https {
    host: String,
    /// The address of this machine that it calls from, if it matters.
    from: Option<Ipv4Addr>,
    tls: TlsConnector,
    open: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

/// The connection broke before the answer was complete: nobody knows whether the call was done.
#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
pub(crate) struct Lost(String);

/// One request, before it is sent.
#[derive(Clone)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// `null` when the body is empty or not JSON.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
    asked: String,
}

impl Ask {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path).json(body)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn raw(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With an `Idempotency-Key`.
    pub(crate) fn once(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn basic(self, login: &str, password: &str) -> Self {
        self.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{login}:{password}"))))
    }
}

impl std::fmt::Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Client {
    /// To the bank at `url`, trusting only the authority whose certificate is `ca_pem`.
    pub(crate) fn https(url: &str, ca_pem: &str) -> Self {
        let host = url.strip_prefix("https://").unwrap().trim_end_matches('/').to_owned();
        let mut config = pki::client_config(ca_pem, None, &Clock::system()).unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tls = TlsConnector::from(Arc::new(config));
        Self { wire: Wire::Https(Arc::new(Https { host, from: None, tls, open: Mutex::default() })), token: None }
    }

    /// To a bank in this process.
    pub(crate) fn in_process(router: Router) -> Self {
        Self { wire: Wire::Router(router), token: None }
    }

    /// The same with another access token, on a connection of its own.
    pub(crate) fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.stranger() }
    }

    /// What it shows, if anything.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same without a token, on a connection of its own.
    pub(crate) fn stranger(&self) -> Self {
        match &self.wire {
            Wire::Https(https) => self.on(https.from),
            Wire::Router(_) => Self { token: None, ..self.clone() },
        }
    }

    /// The same, token and all, on a connection of its own from another address: this machine has all of 127.0.0.0/8.
    pub(crate) fn from(&self, address: [u8; 4]) -> Self {
        Self { token: self.token.clone(), ..self.on(Some(address.into())) }
    }

    fn on(&self, from: Option<Ipv4Addr>) -> Self {
        let Wire::Https(https) = &self.wire else { panic!("a call within this process comes from no address") };
        let (host, tls) = (https.host.clone(), https.tls.clone());
        Self { wire: Wire::Https(Arc::new(Https { host, from, tls, open: Mutex::default() })), token: None }
    }

    /// The same client of a bank that was started again, elsewhere.
    pub(crate) fn moved(&self, to: &Self) -> Self {
        Self { token: self.token.clone(), ..to.stranger() }
    }

    pub(crate) async fn get(&self, path: impl Into<String>) -> Answer {
        self.call(Ask::new("GET", path)).await
    }

    pub(crate) async fn post(&self, path: impl Into<String>, body: &Value) -> Answer {
        self.call(Ask::post(path, body)).await
    }

    pub(crate) async fn call(&self, ask: Ask) -> Answer {
        let asked = format!("{} {}", ask.method, ask.path);
        self.send(ask).await.unwrap_or_else(|lost| panic!("{asked}: {lost:?}"))
    }

    /// All items of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(format!("{path}{joint}limit=200{cursor}")).await.expect(200);
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    pub(crate) async fn send(&self, ask: Ask) -> Result<Answer, Lost> {
        let asked = format!("{} {}", ask.method, ask.path);
        let mut request = Request::builder().method(ask.method).uri(&ask.path);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let exchange = async {
            match &self.wire {
                Wire::Https(https) => https.send(request, ask.body).await,
                Wire::Router(router) => {
                    let answer = router.clone().oneshot(request.body(Body::from(ask.body)).unwrap()).await;
                    let (parts, body) = answer.unwrap().into_parts();
                    Ok((parts, body.collect().await.map_err(lost)?.to_bytes()))
                }
            }
        };
        let answered = tokio::time::timeout(PATIENCE, exchange).await;
        let (parts, body) = answered.unwrap_or_else(|_| panic!("{asked}: no answer within {PATIENCE:?}"))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, text, asked })
    }
}

fn lost(error: impl std::fmt::Display) -> Lost {
    Lost(error.to_string())
}

impl Https {
    async fn send(
        &self,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<(http::response::Parts, Bytes), Lost> {
        let request = request.header("host", &self.host).body(Full::from(body)).unwrap();
        let mut open = self.open.lock().await;
        // Taken out: a connection on which something went wrong is not put back.
        let mut sender = match open.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await.map_err(lost)?;
        let answer = sender.send_request(request).await.map_err(lost)?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(lost)?.to_bytes();
        *open = Some(sender);
        Ok((parts, body))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Lost> {
        let stream = match self.from {
            None => TcpStream::connect(&self.host).await.map_err(lost)?,
            Some(from) => {
                let mut found = tokio::net::lookup_host(&self.host).await.map_err(lost)?;
                let socket = TcpSocket::new_v4().map_err(lost)?;
                socket.bind((from, 0).into()).map_err(lost)?;
                socket.connect(found.find(SocketAddr::is_ipv4).unwrap()).await.map_err(lost)?
            }
        };
        stream.set_nodelay(true).map_err(lost)?;
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = self.tls.connect(name, stream).await.map_err(lost)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} answered {}", self.asked, self.body);
        self.body
    }

    /// The problem, if it is one with this status and code.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}: {}", self.asked, self.body);
        let body = self.expect(status);
        assert_eq!(body["type"], format!("urn:problem:{code}"), "{body}");
        body
    }

    /// In few words, for lists of complaints.
    pub(crate) fn brief(&self) -> String {
        let words: String = self.body.to_string().chars().take(160).collect();
        format!("{} {words}", self.status)
    }

    /// What a stranger can tell apart: everything but what names this one call.
    pub(crate) fn visible(&self) -> (u16, Vec<(String, String)>, Value) {
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-trace-id"))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        headers.sort();
        let mut body = self.body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("trace_id");
        }
        (self.status, headers, body)
    }
}
