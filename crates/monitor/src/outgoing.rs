//! One question over HTTP or HTTPS to an address that somebody configured.
//!
//! Promises: a fresh connection for each question, so that what is seen is what is there now; bounded in time and size; no
//! redirect is ever followed, since a token would follow it; an error never repeats what the other side said. Where it is
//! held to public addresses it goes to no other. It judges nothing: a status and a body are given as they came.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::addresses::{Reach, connected};

/// What the lines before a body may weigh.
const MOST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;

/// How much of an answer is read, and how long may all of it take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is asked.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What becomes of an answer that is larger than what is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Overflow {
    /// It is no answer.
    Refused,
    /// The rest is left unread.
    Cut,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody knows where that is.
    #[error("the name of its machine is not known here")]
    Name,
    /// It is not to be gone to.
    #[error(
        "that leads to an address that is not a public one, and this may go to public ones only (`private = true` changes that)"
    )]
    Private,
    /// Nobody listens there, or nothing gets there.
    #[error("no connection: {0}")]
    Connection(String),
    /// It is this machine that cannot.
    #[error("this machine has no connection to give: {0}")]
    Here(String),
    /// It is not who it should be, or does not speak TLS.
    #[error("no trustworthy TLS: {0}")]
    Tls(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// It says more than is read.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// It speaks something else, or breaks off.
    #[error("{0}")]
    NoHttp(&'static str),
}

impl Silence {
    /// Why there is no connection.
    pub(crate) fn connecting(error: &io::Error) -> Self {
        /// Too many open files, in the system or in this process.
        const EXHAUSTED: [i32; 2] = [23, 24];
        let here = matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory | io::ErrorKind::NetworkDown
        );
        if here || error.raw_os_error().is_some_and(|code| EXHAUSTED.contains(&code)) {
            return Self::Here(error.to_string());
        }
        Self::Connection(match error.kind() {
            io::ErrorKind::ConnectionRefused => "nobody listens there".into(),
            _ => error.to_string(),
        })
    }
}

/// The certificates that servers are believed by cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoTrust(String);

/// Asks. Clones share what is trusted.
#[derive(Clone)]
pub(crate) struct Outgoing {
    tls: Option<TlsConnector>,
    reach: Reach,
}

impl Outgoing {
    /// That can ask `scheme`, anywhere: over HTTPS it believes the authorities in `authority` (PEM), or else those of this
    /// machine.
    pub(crate) fn over(scheme: Option<&Scheme>, authority: Option<&[u8]>) -> Result<Self, NoTrust> {
        let reach = Reach::Anywhere;
        if scheme == Some(&Scheme::HTTP) {
            return Ok(Self { tls: None, reach });
        }
        let mut roots = RootCertStore::empty();
        match authority {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|error| NoTrust(format!("it holds no PEM: {error}")))?;
                    roots.add(certificate).map_err(|error| NoTrust(format!("a certificate in it is bad: {error}")))?;
                }
            }
            None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        }
        if roots.is_empty() {
            return Err(NoTrust("no certificate of an authority is in it".into()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| NoTrust(error.to_string()))?.with_root_certificates(roots);
        Ok(Self { tls: Some(TlsConnector::from(Arc::new(config.with_no_client_auth()))), reach })
    }

    /// The same, held to where it may go.
    pub(crate) const fn within(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Asks for what is at `uri`, once.
    pub(crate) async fn get(&self, uri: &Uri, headers: HeaderMap, limits: Limits) -> Result<Answer, Silence> {
        self.ask(uri, Question { headers, ..Question::default() }, limits).await
    }

    /// Hands over something at `uri`, once.
    pub(crate) async fn post(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Answer, Silence> {
        self.ask(uri, Question { method: Method::POST, headers, body }, limits).await
    }

    async fn ask(&self, uri: &Uri, question: Question, limits: Limits) -> Result<Answer, Silence> {
        let answered = timeout(limits.time, self.exchange(uri, question, limits.bytes)).await;
        answered.unwrap_or(Err(Silence::Late(limits.time)))
    }

    async fn exchange(&self, uri: &Uri, question: Question, most: usize) -> Result<Answer, Silence> {
        let (host, port) = place(uri);
        let stream = connected(host, port, self.reach).await?;
        if !is_encrypted(uri) {
            return spoken(stream, uri, question, most, Overflow::Refused).await;
        }
        let tls = self.tls.as_ref().ok_or_else(|| Silence::Tls("no authority is trusted here".into()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Silence::Name)?;
        let stream = tls.connect(name, stream).await.map_err(|error| Silence::Tls(distrust(&error)))?;
        spoken(stream, uri, question, most, Overflow::Refused).await
    }
}

pub(crate) fn is_encrypted(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

/// The machine and the port that it names.
pub(crate) fn place(uri: &Uri) -> (&str, u16) {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    (host, uri.port_u16().unwrap_or(if is_encrypted(uri) { 443 } else { 80 }))
}

/// One question and its answer, over a connection that is not used again.
pub(crate) async fn spoken<S>(
    stream: S,
    uri: &Uri,
    question: Question,
    most: usize,
    overflow: Overflow,
) -> Result<Answer, Silence>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    const BROKEN: Silence = Silence::NoHttp("the answer breaks off");
    let foreign = || Silence::NoHttp("what answers does not speak HTTP, or hangs up");
    let builder = http1::Builder::new().max_buf_size(MOST_HEAD).max_headers(MOST_HEADERS).to_owned();
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| foreign())?;
    // Dropped with this question, and the connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let Question { method, headers, body } = question;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.path_and_query().map_or("/", |it| it.as_str()).parse().map_err(|_| foreign())?;
    *request.headers_mut() = headers;
    let host = uri.authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok()).ok_or(Silence::Name)?;
    request.headers_mut().insert(header::HOST, host);
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| refusal(&error).unwrap_or_else(foreign))?;
    let (parts, mut coming) = response.into_parts();
    if overflow == Overflow::Refused && usize::try_from(coming.size_hint().lower()).map_or(true, |size| size > most) {
        return Err(Silence::TooLarge(most));
    }
    let mut body = Vec::new();
    while let Some(frame) = coming.frame().await {
        let Ok(data) = frame.map_err(|_| BROKEN)?.into_data() else { continue };
        let room = most.saturating_sub(body.len());
        body.extend(data.iter().take(room));
        if data.len() > room {
            match overflow {
                Overflow::Refused => return Err(Silence::TooLarge(most)),
                Overflow::Cut => break,
            }
        }
    }
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.into() })
}

/// Under TLS 1.3 a server refuses a certificate, or the lack of one, only after the handshake.
fn refusal(error: &hyper::Error) -> Option<Silence> {
    let io = error.source()?.downcast_ref::<io::Error>()?;
    io.get_ref()?.downcast_ref::<rustls::Error>().map(|error| Silence::Tls(pki::reason(error)))
}

/// Why a handshake failed.
pub(crate) fn distrust(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls.map_or_else(|| error.to_string(), pki::reason)
}
