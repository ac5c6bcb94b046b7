//! The member's side: a connection, TLS over it or not, and one question in HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::mistake::Mistake;

const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 64 * 1024;

/// What the server at `url` answers. With `trust` it has to speak TLS and show a certificate that `trust` accepts;
/// without, it is asked in plain HTTP, on this machine alone.
pub async fn fetch(url: &str, trust: Option<ClientConfig>) -> Result<String, Mistake> {
    let wrong = || Mistake::Address(url.into());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    match (uri.scheme_str(), &trust) {
        (Some("http"), None) | (Some("https"), Some(_)) => {}
        (Some("http"), Some(_)) => return Err(Mistake::Plain(url.into())),
        (Some("https"), None) => return Err(Mistake::Https(url.into())),
        _ => return Err(wrong()),
    }
    // An IPv6 address stands in brackets.
    let host = host.trim_matches(['[', ']']).to_owned();
    tokio::time::timeout(PATIENCE, converse(&uri, host, trust)).await.map_err(|_| Mistake::Slow(PATIENCE.as_secs()))?
}

async fn converse(uri: &Uri, host: String, trust: Option<ClientConfig>) -> Result<String, Mistake> {
    let port = uri.port_u16().unwrap_or(if trust.is_some() { 443 } else { 80 });
    let nobody = |error| Mistake::Nobody(format!("{host}:{port}"), error);
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(nobody)?;
    let Some(trust) = trust else {
        if !stream.peer_addr().map_err(nobody)?.ip().is_loopback() {
            return Err(Mistake::Abroad(host));
        }
        return ask(stream, uri)
            .await
            .map_err(|error| if let Mistake::Broken(_) = error { Mistake::NotHttp } else { error });
    };
    let name = ServerName::try_from(host).map_err(|_| Mistake::Address(uri.to_string()))?;
    let tls = TlsConnector::from(Arc::new(trust)).connect(name, stream).await;
    ask(tls.map_err(|error| Mistake::behind(&error))?, uri).await
}

/// GET, and the body of the answer.
async fn ask(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, uri: &Uri) -> Result<String, Mistake> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path).header(header::HOST, host).header(header::USER_AGENT, "squirrel");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| Mistake::behind(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Mistake::behind(&error))?;
    let connection = tokio::spawn(connection);
    let answer = match sender.send_request(request).await {
        Ok(answer) => answer,
        // The server may have refused before it was asked: then it is the connection that knows why.
        Err(error) => {
            let mistake = Mistake::behind(&error);
            let Mistake::Broken(_) = mistake else { return Err(mistake) };
            drop(sender);
            return Err(connection.await.ok().and_then(Result::err).map_or(mistake, |error| Mistake::behind(&error)));
        }
    };
    if answer.status() != StatusCode::OK {
        return Err(Mistake::Status(answer.status()));
    }
    let body =
        Limited::new(answer.into_body(), MOST_BYTES).collect().await.map_err(|error| Mistake::behind(&*error))?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}
