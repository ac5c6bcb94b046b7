//! The authority: one key that signs, one certificate that others trust, and the rules of what it signs.
//!
//! Everything in a certificate comes from the authority's own rules and the caller's [`Request`]; nothing is copied
//! from a signing request of a stranger.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, DnsName};
use sha2::{Digest, Sha256};
use vocabulary::{Chance, Clock, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::files::{self, Readers};
use crate::{Identity, PkiError};

const DAY: Duration = Duration::from_hours(24);
const LIFE_OF_AUTHORITY: Duration = DAY.saturating_mul(3650);
/// Two machines' clocks rarely agree to the second: a certificate is valid a little before it was made.
const BACKDATE: Duration = Duration::from_mins(5);
const MOST_NAMES: usize = 100;
/// RFC 5280's upper bound for a common name.
const MOST_COMMON_NAME: usize = 64;

/// A private certificate authority: an EC P-256 key and its self-signed certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    until: Timestamp,
}

/// Whether [`Authority::open_or_create`] found an authority or made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was made just now: nobody trusts it yet.
    New,
    /// It was there.
    Existing,
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// To answer as a server.
    Server,
    /// To sign in as a client.
    Client,
    /// Both: the certificate of a service.
    Both,
}

impl Usage {
    pub(crate) const fn serves(self) -> bool {
        matches!(self, Self::Server | Self::Both)
    }

    pub(crate) const fn calls(self) -> bool {
        matches!(self, Self::Client | Self::Both)
    }
}

/// What is asked of the authority.
#[derive(Clone, Debug)]
pub struct Request {
    /// DNS names and IP addresses at which a server is reached. A client may have none.
    pub names: Vec<String>,
    /// The subject's common name. PostgreSQL compares it with the role.
    pub common_name: String,
    /// What the certificate is good for.
    pub usage: Usage,
    /// How long it is valid; never longer than the authority itself.
    pub life: Duration,
}

impl Request {
    /// The certificate of a public listener: 90 days, server only.
    pub fn https<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            common_name: "Guichet".into(),
            usage: Usage::Server,
            life: DAY.saturating_mul(90),
        }
    }

    /// The certificate of a service on the inner links: 24 hours, server and client.
    pub fn service<N: Into<String>>(name: &str, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            common_name: name.into(),
            usage: Usage::Both,
            life: DAY,
        }
    }
}

/// A fresh certificate with its private key.
pub struct Issued {
    /// The chain below the authority, leaf first, in PEM.
    pub cert_pem: String,
    /// The private key (PKCS#8) in PEM.
    pub key_pem: Zeroizing<String>,
}

impl Issued {
    /// The identity that lives in memory only.
    pub fn identity(&self) -> Result<Identity, PkiError> {
        Identity::from_pem(&self.cert_pem, &self.key_pem)
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority kept in `dir` (`ca.pem` and `ca-key.pem`), or makes one named `name`.
    ///
    /// The key is written first, so a start that was cut off in between leaves a key alone: it is taken up again.
    /// A certificate without its key is an error, because someone may trust it already.
    pub fn open_or_create(dir: &Path, name: &str, clock: &Clock, chance: &Chance) -> Result<(Self, Created), PkiError> {
        files::make_folder(dir)?;
        let (cert_path, key_path) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        let key = files::read(&key_path, Readers::Owner)?;
        let cert = files::read(&cert_path, Readers::Everyone)?;
        let key = match (&key, &cert) {
            (Some(key), _) => KeyPair::from_pem(key).map_err(|_| damaged(&key_path, "it holds no private key"))?,
            (None, Some(_)) => return Err(damaged(&key_path, "it is missing, while ca.pem beside it is there")),
            (None, None) => {
                let key = new_key()?;
                files::write(&key_path, &Zeroizing::new(key.serialize_pem()), Readers::Owner)?;
                key
            }
        };
        let Some(pem) = cert else {
            let pem = self_signed(name, &key, clock, chance)?;
            files::write(&cert_path, &pem, Readers::Everyone)?;
            return Ok((Self::load(&cert_path, pem, key, clock)?, Created::New));
        };
        Ok((Self::load(&cert_path, pem.to_string(), key, clock)?, Created::Existing))
    }

    fn load(path: &Path, pem: String, key: KeyPair, clock: &Clock) -> Result<Self, PkiError> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| damaged(path, "it holds no certificate (cut off, or overwritten?)"))?;
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|_| damaged(path, "its certificate cannot be decoded (cut off, or overwritten?)"))?;
        if !parsed.is_ca() {
            return Err(damaged(path, "its certificate is not that of an authority"));
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(damaged(path, "its certificate belongs to another key than ca-key.pem"));
        }
        let validity = parsed.validity();
        let from = Timestamp::from_seconds(validity.not_before.timestamp());
        let until = Timestamp::from_seconds(validity.not_after.timestamp());
        let now = clock.now();
        if now < from || now > until {
            return Err(PkiError::OutOfTime { path: path.into(), from, until, now });
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(PkiError::crypto("use the authority's certificate"))?;
        Ok(Self { issuer, certificate: certificate.clone(), pem, until })
    }

    /// The certificate that others must trust, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The certificate's SHA-256, as `openssl x509 -fingerprint -sha256` and browsers show it.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(&self.certificate).iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
    }

    /// When the authority's certificate ends.
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Makes a key and signs its certificate.
    pub fn issue(&self, request: &Request, clock: &Clock, chance: &Chance) -> Result<Issued, PkiError> {
        let mut params = leaf_params(request)?;
        let now = clock.now();
        params.not_before = now.minus(BACKDATE).utc();
        params.not_after = now.plus(request.life).min(self.until).utc();
        params.serial_number = Some(serial(chance));
        let key = new_key()?;
        let cert = params.signed_by(&key, &self.issuer).map_err(PkiError::crypto("sign the certificate"))?;
        Ok(Issued { cert_pem: cert.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
    }
}

fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::crypto("make a private key"))
}

/// 128 random bits, positive and never zero, as RFC 5280 asks.
fn serial(chance: &Chance) -> SerialNumber {
    let mut bytes: [u8; 16] = chance.bytes();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn self_signed(name: &str, key: &KeyPair, clock: &Clock, chance: &Chance) -> Result<String, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial(chance));
    params.use_authority_key_identifier_extension = true;
    params.not_before = clock.now().minus(BACKDATE).utc();
    params.not_after = clock.now().plus(LIFE_OF_AUTHORITY).utc();
    Ok(params.self_signed(key).map_err(PkiError::crypto("sign the authority's certificate"))?.pem())
}

fn leaf_params(request: &Request) -> Result<CertificateParams, PkiError> {
    if request.names.is_empty() && request.usage.serves() {
        return Err(PkiError::Refused("a server needs at least one DNS name or IP address".into()));
    }
    if request.names.len() > MOST_NAMES {
        return Err(PkiError::Refused(format!("{} names; at most {MOST_NAMES} fit", request.names.len())));
    }
    if let Some(name) = request.names.iter().find(|n| !is_name(n)) {
        return Err(PkiError::Refused(format!(
            "`{}` is neither a DNS name nor an IP address",
            name.chars().take(80).collect::<String>().escape_debug()
        )));
    }
    let mut params = CertificateParams::new(request.names.clone()).map_err(PkiError::crypto("name the certificate"))?;
    params.distinguished_name = subject(&request.common_name)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    if request.usage.serves() {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    if request.usage.calls() {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    }
    Ok(params)
}

/// An IP address or a plain DNS name: no wildcard, no scheme, no port.
fn is_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || DnsName::try_from(name).is_ok()
}

fn subject(common_name: &str) -> Result<rcgen::DistinguishedName, PkiError> {
    let length = common_name.chars().count();
    if length == 0 || length > MOST_COMMON_NAME || common_name.chars().any(char::is_control) {
        return Err(PkiError::Refused(format!("a common name has 1 to {MOST_COMMON_NAME} printable characters")));
    }
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    Ok(name)
}

fn damaged(path: &Path, why: &str) -> PkiError {
    let dir: PathBuf = path.parent().unwrap_or(Path::new(".")).into();
    PkiError::Damaged {
        path: path.into(),
        why: why.into(),
        remedy: format!(
            "Restore ca.pem and ca-key.pem in {} from a backup. If nothing trusts this authority yet, remove both \
             files and a new authority is made at the next start",
            dir.display()
        ),
    }
}
