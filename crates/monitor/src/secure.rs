//! TLS as a check speaks it: what is believed, what is shown, and what the other side showed and agreed to.
//!
//! Promises: nothing is said over a connection whose other side is not believed, but its certificate is noted all the same,
//! so that it can be said what is wrong with it; no session is resumed, so that each handshake is a whole one; made once for
//! a check, and anew when one of its files was replaced.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use contracts::monitor::{Agreement, Certificate, CheckSpec};
use pki::{Negotiated, Peer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vocabulary::Timestamp;

use crate::check::Fault;
use crate::condition::Facts;
use crate::outgoing::{Silence, distrust};

/// Longest name that a certificate is shown by.
const LONGEST_NAME: usize = 100;

/// Makes handshakes. Clones share what it is made of.
#[derive(Clone)]
pub(crate) struct Secure(Arc<Kept>);

struct Kept {
    files: Files,
    made: Mutex<Made>,
}

#[derive(Clone, Default)]
struct Files {
    ca: Option<PathBuf>,
    own: Option<(PathBuf, PathBuf)>,
}

/// When each file was written.
type Stamps = Vec<Option<SystemTime>>;

#[derive(Clone)]
struct Made {
    stamps: Stamps,
    judge: Arc<WebPkiServerVerifier>,
    config: ClientConfig,
}

impl Secure {
    /// As a check is written down.
    pub(crate) fn new(spec: &CheckSpec) -> Result<Self, Vec<Fault>> {
        let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
        let own = path(&spec.certificate_file).zip(path(&spec.key_file));
        let files = Files { ca: path(&spec.ca_file), own };
        let made = files.make().map_err(|fault| vec![fault])?;
        Ok(Self(Arc::new(Kept { files, made: Mutex::new(made) })))
    }

    /// What is in force now.
    fn made(&self) -> Made {
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        // A certificate and its key are replaced one after the other: until both fit, the former pair stands.
        if self.0.files.stamps() != made.stamps
            && let Ok(anew) = self.0.files.make()
        {
            *made = anew;
        }
        made.clone()
    }

    /// One handshake with `host`; what is seen on the way goes into `facts`, whatever comes of it.
    pub(crate) async fn handshake<S>(
        &self,
        host: &str,
        stream: S,
        facts: &mut Facts,
        now: Timestamp,
    ) -> Result<TlsStream<S>, Silence>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Silence::Name)?;
        let Made { judge, mut config, .. } = self.made();
        let witness = Arc::new(Witness { judge, leaf: OnceLock::new() });
        // Not a weaker judge, but the same one, with somebody who looks on.
        config.dangerous().set_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>);
        let shows =
            Arc::new(Shows { what: Arc::clone(&config.client_auth_cert_resolver), nothing: AtomicBool::new(false) });
        config.client_auth_cert_resolver = Arc::clone(&shows) as Arc<dyn ResolvesClientCert>;
        let done = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        facts.showed_nothing = shows.nothing.load(Ordering::Relaxed);
        facts.certificate = witness.leaf.get().and_then(|leaf| described(leaf));
        match done {
            Ok(stream) => {
                facts.agreed = Negotiated::of(stream.get_ref().1).map(agreement);
                Ok(stream)
            }
            Err(error) => Err(Silence::Tls(why(&error, facts, now))),
        }
    }
}

/// With the date, where it is a matter of dates.
fn why(error: &std::io::Error, facts: &Facts, now: Timestamp) -> String {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match (tls, &facts.certificate) {
        (Some(Error::InvalidCertificate(Expired | ExpiredContext { .. })), Some(leaf)) if leaf.until < now => {
            format!("its certificate expired on {}", leaf.until)
        }
        (Some(Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })), Some(leaf)) if leaf.from > now => {
            format!("its certificate is not valid before {}", leaf.from)
        }
        (Some(Error::InvalidCertificate(_)), _) => format!("its certificate is not believed: {}", distrust(error)),
        _ => distrust(error),
    }
}

fn agreement(negotiated: Negotiated) -> Agreement {
    let withstands_quantum = negotiated.withstands_quantum();
    let Negotiated { protocol, group, cipher } = negotiated;
    Agreement { protocol, group, cipher, withstands_quantum }
}

/// What stands in a certificate that may be anybody's: shortened, and without what cannot be shown.
fn described(leaf: &CertificateDer<'_>) -> Option<Certificate> {
    let Peer { name, serial, life } = Peer::described(leaf)?;
    let short = |text: String| text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    Some(Certificate { name: short(name), serial: short(serial), from: life.from, until: life.until })
}

impl Files {
    fn stamps(&self) -> Stamps {
        let written = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        let own = self.own.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.ca.iter().chain(own).map(|path| written(path)).collect()
    }

    fn make(&self) -> Result<Made, Fault> {
        // Before they are read: what is replaced meanwhile is read once too often.
        let stamps = self.stamps();
        let judge = match &self.ca {
            Some(path) => judge_of(path)?,
            None => {
                of_this_machine().ok_or_else(|| ("ca_file", "is needed: this machine trusts no authority".into()))?
            }
        };
        let failed = |error: Error| ("ca_file", format!("does not do for TLS: {error}"));
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config = config.map_err(failed)?.with_webpki_verifier(Arc::clone(&judge));
        let mut config = match &self.own {
            Some((certificate, key)) => {
                let (chain, key) = (certificates("certificate_file", certificate)?, private("key_file", key)?);
                let fits = config.with_client_auth_cert(chain, key);
                fits.map_err(|_| ("certificate_file", "does not fit the key in `key_file`".to_owned()))?
            }
            None => config.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(Made { stamps, judge, config })
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

fn judge(roots: RootCertStore) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok()
}

/// The authorities of this machine, read once: there are hundreds.
fn of_this_machine() -> Option<Arc<WebPkiServerVerifier>> {
    static JUDGE: OnceLock<Option<Arc<WebPkiServerVerifier>>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        judge(roots)
    };
    JUDGE.get_or_init(read).clone()
}

fn judge_of(path: &Path) -> Result<Arc<WebPkiServerVerifier>, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", path)? {
        let added = roots.add(certificate);
        added.map_err(|_| ("ca_file", format!("names {}, in which a certificate is damaged", path.display())))?;
    }
    judge(roots).ok_or_else(|| ("ca_file", format!("names {}, which does not do for TLS", path.display())))
}

fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err((field, format!("names {}, which holds no certificate in PEM", path.display()))),
        Err(error) => Err((field, format!("cannot be used: {}: {error}", path.display()))),
    }
}

fn private(field: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let text = pki::files::secret(path).map_err(|error| (field, format!("cannot be used: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes());
    key.map_err(|_| (field, format!("names {}, which holds no private key in PEM", path.display())))
}

/// Judges as `judge` does, and remembers what was shown.
#[derive(Debug)]
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    leaf: OnceLock<CertificateDer<'static>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        _ = self.leaf.set(leaf.clone().into_owned());
        self.judge.verify_server_cert(leaf, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// Shows what the check has, and remembers whether it was asked for something and had nothing: under TLS 1.3 a server that
/// minds hangs up only later, and not always with a word.
#[derive(Debug)]
struct Shows {
    what: Arc<dyn ResolvesClientCert>,
    nothing: AtomicBool,
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.what.resolve(issuers, schemes);
        self.nothing.store(shown.is_none(), Ordering::Relaxed);
        shown
    }

    fn has_certs(&self) -> bool {
        self.what.has_certs()
    }
}
