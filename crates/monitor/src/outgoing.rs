//! One question over HTTP or HTTPS to an address that somebody configured.
//!
//! Promises: a fresh connection for each question, so that what is seen is what is there now; bounded in time and size; no
//! redirect is ever followed, since a token would follow it; an error never repeats what the other side said. It judges
//! nothing: a status and a body are given as they came.

use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

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
    pub(crate) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nobody knows where that is.
    #[error("the name of its machine is not known here")]
    Name,
    /// Nobody listens there, or nothing gets there.
    #[error("no connection: {0}")]
    Connection(String),
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

/// The certificates that servers are believed by cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoTrust(String);

/// Asks. Clones share what is trusted.
#[derive(Clone)]
pub(crate) struct Outgoing(Option<TlsConnector>);

impl Outgoing {
    /// That can ask `scheme`: over HTTPS it believes the authorities in `authority` (PEM), or else those of this machine.
    pub(crate) fn over(scheme: Option<&Scheme>, authority: Option<&[u8]>) -> Result<Self, NoTrust> {
        if scheme == Some(&Scheme::HTTP) {
            return Ok(Self(None));
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
        Ok(Self(Some(TlsConnector::from(Arc::new(config.with_no_client_auth())))))
    }

    /// Asks for what is at `uri`, once.
    pub(crate) async fn get(&self, uri: &Uri, headers: HeaderMap, limits: Limits) -> Result<Answer, Silence> {
        let answered = timeout(limits.time, self.exchange(uri, headers, limits.bytes)).await;
        answered.unwrap_or(Err(Silence::Late(limits.time)))
    }

    async fn exchange(&self, uri: &Uri, headers: HeaderMap, most: usize) -> Result<Answer, Silence> {
        let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let stream = connected(host, port).await?;
        if !encrypted {
            return spoken(stream, uri, headers, most).await;
        }
        let tls = self.0.as_ref().ok_or_else(|| Silence::Tls("no authority is trusted here".into()))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Silence::Name)?;
        let stream = tls.connect(name, stream).await.map_err(|error| Silence::Tls(distrust(&error)))?;
        spoken(stream, uri, headers, most).await
    }
}

async fn connected(host: &str, port: u16) -> Result<TcpStream, Silence> {
    let places = tokio::net::lookup_host((host, port)).await.map_err(|_| Silence::Name)?;
    let mut last = Silence::Name;
    for place in places {
        match TcpStream::connect(place).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                last = Silence::Connection(match error.kind() {
                    std::io::ErrorKind::ConnectionRefused => "nobody listens there".into(),
                    _ => error.to_string(),
                });
            }
        }
    }
    Err(last)
}

async fn spoken<S>(stream: S, uri: &Uri, headers: HeaderMap, most: usize) -> Result<Answer, Silence>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    const FOREIGN: Silence = Silence::NoHttp("what answers does not speak HTTP, or hangs up");
    const BROKEN: Silence = Silence::NoHttp("the answer breaks off");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| FOREIGN)?;
    // Dropped with this question, and the connection with it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri.path_and_query().map_or("/", |it| it.as_str()).parse().map_err(|_| FOREIGN)?;
    *request.headers_mut() = headers;
    let host = uri.authority().and_then(|it| HeaderValue::from_str(it.as_str()).ok()).ok_or(Silence::Name)?;
    request.headers_mut().insert(header::HOST, host);
    let response = sender.send_request(request).await.map_err(|_| FOREIGN)?;
    let status = response.status();
    if response.body().size_hint().lower() > most as u64 {
        return Err(Silence::TooLarge(most));
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    let body = body.map_err(|error| if error.is::<LengthLimitError>() { Silence::TooLarge(most) } else { BROKEN })?;
    Ok(Answer { status, body: body.to_bytes() })
}

fn distrust(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    tls.map_or_else(|| error.to_string(), pki::reason)
}
