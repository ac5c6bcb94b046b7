//! The authority: one key that signs, one certificate that others trust, and the rules of what it signs.
//!
//! Everything in a certificate comes from the authority's own rules and the caller's [`Request`]; nothing is copied
//! from a signing request of a stranger.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, DnsName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vocabulary::{Chance, Clock, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::files::{self, Readers};
use crate::{Algorithm, Bounds, Identity, Life, PkiError, PrivateKey, SigningRequest, keys, root};

pub(crate) const DAY: Duration = Duration::from_hours(24);
pub(crate) const LIFE_OF_AUTHORITY: Duration = DAY.saturating_mul(3650);
/// Two machines' clocks rarely agree to the second: a certificate is valid a little before it was made.
pub(crate) const BACKDATE: Duration = Duration::from_mins(5);
const MOST_NAMES: usize = 100;
/// RFC 5280's upper bound for a common name.
const MOST_COMMON_NAME: usize = 64;

/// A private certificate authority that signs leaves: the intermediate under a [`crate::Root`], or, on a laptop, a
/// self-signed one whose key lies beside it ([`Authority::open_or_create`]).
pub struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    anchor: CertificateDer<'static>,
    anchor_pem: String,
    /// What stands between a leaf and the anchor, in PEM: its own certificate, or nothing when that is the anchor.
    between: String,
    life: Life,
    bounds: Bounds,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// The kinds of certificate that are signed by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// A service on the inner links: 24 hours, server and client.
    Service,
    /// A server for a club or a course: 30 days.
    Server,
    /// A person or a program that only calls: 30 days.
    Client,
}

impl Profile {
    /// What it is asked of the authority under this profile.
    pub fn request(self, common_name: &str, names: Vec<String>) -> Request {
        let (usage, life) = match self {
            Self::Service => (Usage::Both, DAY),
            Self::Server => (Usage::Server, DAY.saturating_mul(30)),
            Self::Client => (Usage::Client, DAY.saturating_mul(30)),
        };
        Request { names, common_name: common_name.into(), usage, life }
    }
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
        let loaded = Self::of(&certificate, key, certificate.clone(), pem).map_err(|why| damaged(path, why))?;
        loaded.in_time(path, clock)?;
        Ok(loaded)
    }

    /// The intermediate under a root: its own certificate and key, and the root's certificate, which everybody trusts.
    pub fn intermediate(cert_pem: &str, key: PrivateKey, root_pem: &str, clock: &Clock) -> Result<Self, PkiError> {
        let wrong = |why: &str| PkiError::Refused(format!("the intermediate cannot be used: {why}"));
        let read = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
        let own = read(cert_pem).map_err(|_| wrong("its file holds no certificate"))?;
        let root = read(root_pem).map_err(|_| wrong("the root's file holds no certificate"))?;
        let authority = Self::of(&own, key.into_pair(), root.clone(), root_pem.to_owned()).map_err(wrong)?;
        let parsed = X509Certificate::from_der(&own).and_then(|own| Ok((own.1, X509Certificate::from_der(&root)?.1)));
        let (own, root) = parsed.map_err(|_| wrong("the root's certificate cannot be decoded"))?;
        if own.issuer() != root.subject() || own.verify_signature(Some(root.public_key())).is_err() {
            return Err(wrong("it was not signed by this root"));
        }
        let now = clock.now();
        if !authority.life.holds(now) || !Life::of(root.validity()).holds(now) {
            return Err(wrong(&format!(
                "it is {now}, and it is valid from {} until {}: set the clock of this machine, or replace it with \
                 `guichet pki renew --intermediate`",
                authority.life.from, authority.life.until
            )));
        }
        Ok(authority)
    }

    fn of(
        own: &CertificateDer<'static>,
        key: KeyPair,
        anchor: CertificateDer<'static>,
        anchor_pem: String,
    ) -> Result<Self, &'static str> {
        let (_, parsed) = X509Certificate::from_der(own)
            .map_err(|_| "its certificate cannot be decoded (cut off, or overwritten?)")?;
        if !parsed.is_ca() {
            return Err("its certificate is not that of an authority");
        }
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err("its certificate belongs to another key than the one beside it");
        }
        Ok(Self {
            certificate: own.clone(),
            between: if *own == anchor { String::new() } else { keys::encode("CERTIFICATE", own.to_vec()) },
            life: Life::of(parsed.validity()),
            bounds: Bounds::of(&parsed),
            issuer: Issuer::from_ca_cert_der(own, key).map_err(|_| "its certificate cannot be used for signing")?,
            anchor,
            anchor_pem,
        })
    }

    fn in_time(&self, path: &Path, clock: &Clock) -> Result<(), PkiError> {
        let (Life { from, until }, now) = (self.life, clock.now());
        if self.life.holds(now) { Ok(()) } else { Err(PkiError::OutOfTime { path: path.into(), from, until, now }) }
    }

    /// The certificate that others must trust, in PEM: the root's.
    pub fn certificate_pem(&self) -> &str {
        &self.anchor_pem
    }

    /// The SHA-256 of the certificate that others must trust, as `openssl x509 -fingerprint -sha256` and browsers show it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.anchor)
    }

    /// From when until when it may sign.
    pub const fn life(&self) -> Life {
        self.life
    }

    /// When the authority's certificate ends.
    pub const fn until(&self) -> Timestamp {
        self.life.until
    }

    pub(crate) fn anchor(&self) -> &CertificateDer<'static> {
        &self.anchor
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Makes a key and signs its certificate.
    pub fn issue(&self, request: &Request, clock: &Clock, chance: &Chance) -> Result<Issued, PkiError> {
        self.issue_for(&PrivateKey::generate(Algorithm::P256)?, request, clock, chance)
    }

    /// Signs a certificate for a key that was made elsewhere in this process.
    pub fn issue_for(
        &self,
        key: &PrivateKey,
        request: &Request,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Issued, PkiError> {
        Ok(Issued { cert_pem: self.certify(key.pair(), request, clock, chance)?, key_pem: key.pem() })
    }

    /// Signs a stranger's request, in PEM, leaf first. Names, usage and life come from `request`; a stranger who asks for
    /// more is refused. Only their public key is taken.
    pub fn sign(
        &self,
        asked: &SigningRequest,
        request: &Request,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<String, PkiError> {
        asked.answers_to(request)?;
        self.certify(&asked.key, request, clock, chance)
    }

    /// Refuses names outside the bounds of this authority.
    pub(crate) fn may_name(&self, names: &[String]) -> Result<(), PkiError> {
        match self.bounds.outside(names) {
            None => Ok(()),
            Some(outside) => Err(PkiError::Refused(format!(
                "{outside} lies outside the names that this authority may sign; its certificate lists them"
            ))),
        }
    }

    fn certify(
        &self,
        key: &impl PublicKeyData,
        request: &Request,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<String, PkiError> {
        let mut params = leaf_params(request)?;
        self.may_name(&request.names)?;
        let now = clock.now();
        // A short life must not begin half spent.
        let back = request.life.checked_div(20).map_or(BACKDATE, |part| part.min(BACKDATE));
        params.not_before = now.minus(back).utc();
        params.not_after = now.plus(request.life).min(self.life.until).utc();
        params.serial_number = Some(serial(chance));
        let cert = params.signed_by(key, &self.issuer).map_err(PkiError::crypto("sign the certificate"))?;
        Ok(cert.pem() + &self.between)
    }
}

fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::crypto("make a private key"))
}

/// 128 random bits, positive and never zero, as RFC 5280 asks.
pub(crate) fn serial(chance: &Chance) -> SerialNumber {
    let mut bytes: [u8; 16] = chance.bytes();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn self_signed(name: &str, key: &KeyPair, clock: &Clock, chance: &Chance) -> Result<String, PkiError> {
    let params = root::authority(name, 0, clock.now(), clock.now().plus(LIFE_OF_AUTHORITY), chance)?;
    Ok(params.self_signed(key).map_err(PkiError::crypto("sign the authority's certificate"))?.pem())
}

/// A certificate's SHA-256, written as OpenSSL writes it.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

/// The SHA-256 of the first certificate in a text.
pub fn fingerprint_of(pem: &str) -> Result<[u8; 32], PkiError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| PkiError::Refused("there is no certificate in it".into()))?;
    Ok(Sha256::digest(&der).into())
}

fn leaf_params(request: &Request) -> Result<CertificateParams, PkiError> {
    if request.names.is_empty() && request.usage.serves() {
        return Err(PkiError::Refused("a server needs at least one DNS name or IP address".into()));
    }
    check_names(&request.names)?;
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

/// Refuses what is no name, and too many of them.
pub(crate) fn check_names(names: &[String]) -> Result<(), PkiError> {
    if names.len() > MOST_NAMES {
        return Err(PkiError::Refused(format!("{} names; at most {MOST_NAMES} fit", names.len())));
    }
    if let Some(name) = names.iter().find(|n| !is_name(n)) {
        return Err(PkiError::Refused(format!(
            "`{}` is neither a DNS name nor an IP address",
            name.chars().take(80).collect::<String>().escape_debug()
        )));
    }
    Ok(())
}

/// An IP address or a plain DNS name: no wildcard, no scheme, no port.
fn is_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || DnsName::try_from(name).is_ok()
}

pub(crate) fn subject(common_name: &str) -> Result<rcgen::DistinguishedName, PkiError> {
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
