//! Reaching a service at an address: the transport for callers and tests that are not in its process.

use std::time::Duration;

use aaa::{Transport, TransportError};
use axum::body::Body;
use hyper::Request;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::http::{HeaderValue, Uri, header};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tower::ServiceExt;
use vocabulary::Clock;

use crate::elsewhere::whole;

/// Longest wait for a connection.
const CONNECTING: Duration = Duration::from_secs(5);

/// Why an address cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// It is no address.
    #[error("`{0}` is not an address such as https://bank.example.org:8443")]
    Address(String),
    /// The authority's certificate cannot be used.
    #[error(transparent)]
    Trust(#[from] pki::PkiError),
    /// A service without any address.
    #[error("no address is known for {0}")]
    Nowhere(String),
    /// HTTPS without a certificate to trust.
    #[error("{0} is reached by HTTPS: name the certificate of its authority")]
    NoAuthority(String),
}

/// The service at `url`, trusting only the authority whose certificate is `ca_pem`. Plain HTTP needs none, and is for
/// tests and for this machine alone.
pub fn reach(url: &str, ca_pem: Option<&str>, clock: &Clock) -> Result<Transport, ReachError> {
    let wrong = || ReachError::Address(url.to_owned());
    let base: Uri = url.parse().map_err(|_| wrong())?;
    let (scheme, authority) = match (base.scheme(), base.authority()) {
        (Some(scheme), Some(authority)) => (scheme.clone(), authority.clone()),
        _ => return Err(wrong()),
    };
    match (scheme == Scheme::HTTP, ca_pem) {
        (true, _) => Ok(over(HttpConnector::new(), scheme, authority)),
        (false, None) => Err(ReachError::NoAuthority(url.to_owned())),
        (false, Some(ca)) => {
            let tls = pki::client_config(ca, None, clock)?;
            let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
            Ok(over(connector, scheme, authority))
        }
    }
}

/// The service at `url` that proves to be `name`, as `tls` trusts: for one whose certificate names the service, wherever it
/// stands.
pub fn reach_as(name: &str, url: &str, tls: ClientConfig) -> Result<Transport, ReachError> {
    let wrong = || ReachError::Address(url.to_owned());
    let base: Uri = url.parse().map_err(|_| wrong())?;
    let authority = base.authority().filter(|_| base.scheme() == Some(&Scheme::HTTPS)).ok_or_else(wrong)?;
    let name = ServerName::try_from(name.to_owned()).map_err(|_| wrong())?;
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECTING));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .with_server_name_resolver(FixedServerNameResolver::new(name))
        .enable_http1()
        .wrap_connector(tcp);
    Ok(over(connector, Scheme::HTTPS, authority.clone()))
}

fn over<C>(connector: C, scheme: Scheme, authority: Authority) -> Transport
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client: Client<C, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let service = client.map_request(move |request: Request<Body>| addressed(request, &scheme, &authority));
    let service = service.map_response(|response| response.map(Body::new));
    Transport::new(service.map_err(|error| TransportError::from(whole(&error))))
}

/// What a caller wrote without knowing where it goes.
pub(crate) fn addressed(mut request: Request<Body>, scheme: &Scheme, authority: &Authority) -> Request<Body> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    (parts.scheme, parts.authority) = (Some(scheme.clone()), Some(authority.clone()));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    request
}
