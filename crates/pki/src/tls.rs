//! TLS configurations: the public listener, the inner listener and the caller, from an identity and one authority.
//!
//! The provider is named in each configuration, so no process-wide default has to be installed and none can interfere.
//! These do not change any more; where identity and trust are replaced while a process runs, take a [`crate::Link`].

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig};
use vocabulary::{Clock, Timestamp};

use crate::{Identity, PkiError, Trust};

/// How a server answers.
///
/// Without `clients` it is the public listener: TLS 1.2 and 1.3 for any browser, sessions resumed by rotating tickets.
/// With `clients` (the PEM of an authority) it is an inner link: TLS 1.3 only, every caller shows a certificate of that
/// authority, and sessions are never resumed. Both offer HTTP/2 and HTTP/1.1; clear `alpn_protocols` for anything else.
pub fn server_config(identity: &Identity, clients: Option<&str>, clock: &Clock) -> Result<ServerConfig, PkiError> {
    let key = Arc::new(SingleCertAndKey::from(identity.certified_key()?));
    match clients {
        None => public(key, clock),
        Some(ca_pem) => mutual(key, Trust::of(ca_pem)?.of_clients()?, clock),
    }
}

/// How a caller trusts: the authority in `ca_pem` and no other, TLS 1.3, showing `identity` when the server asks.
///
/// `alpn_protocols` is empty; whoever speaks HTTP sets it.
pub fn client_config(ca_pem: &str, identity: Option<&Identity>, clock: &Clock) -> Result<ClientConfig, PkiError> {
    let key = identity.map(Identity::certified_key).transpose()?;
    let key = key.map(|key| Arc::new(SingleCertAndKey::from(key)) as Arc<dyn ResolvesClientCert>);
    calling(key, Trust::of(ca_pem)?.of_servers()?, clock)
}

/// The public listener.
pub(crate) fn public(key: Arc<dyn ResolvesServerCert>, clock: &Clock) -> Result<ServerConfig, PkiError> {
    let mut config = ServerConfig::builder_with_details(provider(), time(clock))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(PkiError::tls("set up TLS"))?
        .with_no_client_auth()
        .with_cert_resolver(key);
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(PkiError::tls("set up session tickets"))?;
    config.alpn_protocols = http();
    Ok(config)
}

/// An inner listener. No session is resumed, because rustls would take the client's certificate from the session and
/// not check it again.
pub(crate) fn mutual(
    key: Arc<dyn ResolvesServerCert>,
    clients: Arc<dyn ClientCertVerifier>,
    clock: &Clock,
) -> Result<ServerConfig, PkiError> {
    let mut config = ServerConfig::builder_with_details(provider(), time(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(PkiError::tls("set up TLS"))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(key);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = http();
    Ok(config)
}

/// A caller.
pub(crate) fn calling(
    key: Option<Arc<dyn ResolvesClientCert>>,
    servers: Arc<dyn ServerCertVerifier>,
    clock: &Clock,
) -> Result<ClientConfig, PkiError> {
    // "Dangerous" is the library's name for any verifier handed in: ours is webpki's with one authority.
    let builder = ClientConfig::builder_with_details(provider(), time(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(PkiError::tls("set up TLS"))?
        .dangerous()
        .with_custom_certificate_verifier(servers);
    let mut config = match key {
        None => builder.with_no_client_auth(),
        Some(key) => builder.with_client_cert_resolver(key),
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn http() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn time(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(OurTime(clock.clone()))
}

/// A moment as rustls counts it; nothing before 1970.
pub(crate) fn moment(at: Timestamp) -> Option<UnixTime> {
    u64::try_from(at.seconds()).ok().map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

#[derive(Debug)]
struct OurTime(Clock);

impl TimeProvider for OurTime {
    fn current_time(&self) -> Option<UnixTime> {
        moment(self.0.now())
    }
}
