//! TLS configurations: the public listener, the inner listener and the caller, from an identity and one authority.
//!
//! The provider is named in each configuration, so no process-wide default has to be installed and none can interfere.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use vocabulary::Clock;

use crate::{Identity, PkiError};

/// How a server answers.
///
/// Without `clients` it is the public listener: TLS 1.2 and 1.3 for any browser, sessions resumed by rotating tickets.
/// With `clients` (the PEM of an authority) it is an inner link: TLS 1.3 only, every caller shows a certificate of that
/// authority, and sessions are never resumed. Both offer HTTP/2 and HTTP/1.1; clear `alpn_protocols` for anything else.
pub fn server_config(identity: &Identity, clients: Option<&str>, clock: &Clock) -> Result<ServerConfig, PkiError> {
    let key = Arc::new(SingleCertAndKey::from(identity.certified_key()?));
    let versions: &[_] = if clients.is_some() { &[&TLS13] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_details(provider(), time(clock))
        .with_protocol_versions(versions)
        .map_err(PkiError::tls("set up TLS"))?;
    let mut config = match clients {
        None => {
            let mut config = builder.with_no_client_auth().with_cert_resolver(key);
            config.ticketer = aws_lc_rs::Ticketer::new().map_err(PkiError::tls("set up session tickets"))?;
            config
        }
        Some(ca_pem) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(only(ca_pem)?), provider())
                .build()
                .map_err(|e| PkiError::Crypto { action: "check client certificates", why: e.to_string() })?;
            let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(key);
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// How a caller trusts: the authority in `ca_pem` and no other, TLS 1.3, showing `identity` when the server asks.
///
/// `alpn_protocols` is empty; whoever speaks HTTP sets it.
pub fn client_config(ca_pem: &str, identity: Option<&Identity>, clock: &Clock) -> Result<ClientConfig, PkiError> {
    let builder = ClientConfig::builder_with_details(provider(), time(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(PkiError::tls("set up TLS"))?
        .with_root_certificates(only(ca_pem)?);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key()?)))
        }
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn only(ca_pem: &str) -> Result<RootCertStore, PkiError> {
    let wrong = |why: &str| PkiError::Crypto { action: "trust the authority", why: why.into() };
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|_| wrong("there is no certificate in it"))?;
    let mut roots = RootCertStore::empty();
    roots.add(ca).map_err(|_| wrong("its certificate cannot be decoded"))?;
    Ok(roots)
}

fn time(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(OurTime(clock.clone()))
}

#[derive(Debug)]
struct OurTime(Clock);

impl TimeProvider for OurTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
