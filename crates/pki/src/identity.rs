//! An identity: a certificate that an authority issued, with its private key, in memory or kept in two files.
//!
//! Kept in files it looks after itself: what is damaged, foreign, out of date or asked differently is issued anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vocabulary::{Chance, Clock, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::files::{self, Readers};
use crate::{Authority, Life, Peer, PkiError, Request, keys, names};

/// A certificate chain with its private key.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    life: Life,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key(), life: self.life }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Identity {
    /// From PEM: a chain, leaf first, and the leaf's private key.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        const ACTION: &str = "read the certificate";
        let wrong = |why: &str| PkiError::Crypto { action: ACTION, why: why.into() };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("it is not valid PEM"))?;
        let leaf = chain.first().ok_or_else(|| wrong("there is none in the text"))?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| wrong("its private key is not PEM"))?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| wrong("it cannot be decoded"))?;
        let identity = Self { life: Life::of(parsed.validity()), chain, key };
        identity.certified_key()?;
        Ok(identity)
    }

    /// The identity kept as `NAME.pem` and `NAME-key.pem` in `dir`, as it is. A key that others can read is refused.
    pub fn open(dir: &Path, name: &str) -> Result<Self, PkiError> {
        // Somebody may be replacing both: then the second look finds the new pair.
        Self::look(dir, name).or_else(|_| Self::look(dir, name))
    }

    fn look(dir: &Path, name: &str) -> Result<Self, PkiError> {
        let (cert_path, key_path) = places(dir, name);
        let there = |path: &Path, readers| files::read(path, readers)?.ok_or_else(|| files::missing(path));
        let cert = there(&cert_path, Readers::Everyone)?;
        let found = there(&key_path, Readers::Owner).and_then(|key| Self::from_pem(&cert, &key));
        let next = files::coming(&key_path);
        match (found, files::read(&next, Readers::Owner)) {
            // A renewal was cut off between certificate and key.
            (Err(error), Ok(Some(key))) => match Self::from_pem(&cert, &key) {
                Ok(identity) => {
                    files::rename(&next, &key_path)?;
                    Ok(identity)
                }
                Err(_) => Err(error),
            },
            (found, _) => found,
        }
    }

    /// Keeps another certificate and its key there, as one step: whoever opens them finds the former pair or this one.
    pub fn keep(dir: &Path, name: &str, cert_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        let identity = Self::from_pem(cert_pem, key_pem)?;
        files::make_folder(dir)?;
        let (cert_path, key_path) = places(dir, name);
        let next = files::coming(&key_path);
        files::write(&next, key_pem, Readers::Owner)?;
        files::write(&cert_path, cert_pem, Readers::Everyone)?;
        files::rename(&next, &key_path)?;
        Ok(identity)
    }

    /// The identity kept as `NAME.pem` and `NAME-key.pem` in `dir`; issued when it is not there, and issued anew when
    /// it asks for other names or usages, has passed two thirds of its life, does not come from `authority`, or is
    /// damaged. A key that others can read is refused, as the authority's is.
    pub fn open_or_issue(
        dir: &Path,
        name: &str,
        authority: &Authority,
        request: &Request,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Self, PkiError> {
        files::make_folder(dir)?;
        let (cert_path, key_path) = places(dir, name);
        let key = files::read(&key_path, Readers::Owner)?;
        let cert = files::read(&cert_path, Readers::Everyone)?;
        if let (Some(cert), Some(key)) = (cert, key)
            && let Ok(identity) = Self::from_pem(&cert, &key)
            && !identity.due(clock)
            && identity.answers(authority, request)
        {
            return Ok(identity);
        }
        let issued = authority.issue(request, clock, chance)?;
        // Cut off between the two, key and certificate do not fit, and the next start issues anew.
        files::write(&key_path, &issued.key_pem, Readers::Owner)?;
        files::write(&cert_path, &issued.cert_pem, Readers::Everyone)?;
        issued.identity()
    }

    /// The chain in PEM, leaf first.
    pub fn cert_pem(&self) -> String {
        self.chain.iter().map(|one| keys::encode("CERTIFICATE", one.to_vec())).collect()
    }

    /// The private key (PKCS#8) in PEM.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(keys::encode("PRIVATE KEY", self.key.secret_der().to_vec()))
    }

    /// From when until when it is valid.
    pub const fn life(&self) -> Life {
        self.life
    }

    /// When it should be replaced: after two thirds of its life.
    pub fn renew_at(&self) -> Timestamp {
        self.life.renew_at()
    }

    /// Whether `authority` is the one between it and the root.
    pub fn comes_from(&self, authority: &Authority) -> bool {
        self.chain.get(1) == Some(authority.certificate())
    }

    /// The common name of its subject.
    pub fn name(&self) -> Option<String> {
        let (_, leaf) = X509Certificate::from_der(self.chain.first()?).ok()?;
        names::common_name(&leaf)
    }

    /// As those see it to whom it is shown; nothing where it names nobody.
    pub fn seen(&self) -> Option<Peer> {
        Peer::shown(self.chain.first()?)
    }

    /// The last moment at which it is valid.
    pub const fn until(&self) -> Timestamp {
        self.life.until
    }

    /// Whether it should be replaced now.
    pub fn due(&self, clock: &Clock) -> bool {
        self.life.is_due(clock.now())
    }

    /// Key and certificate as rustls wants them; refused when they do not belong together.
    pub(crate) fn certified_key(&self) -> Result<rustls::sign::CertifiedKey, PkiError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        rustls::sign::CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &provider)
            .map_err(PkiError::tls("use the certificate with its private key"))
    }

    /// Whether it is what `authority` would issue for `request`, apart from key, serial and time.
    fn answers(&self, authority: &Authority, request: &Request) -> bool {
        let Some(Ok((_, leaf))) = self.chain.first().map(|der| X509Certificate::from_der(der)) else { return false };
        let Ok((_, issuer)) = X509Certificate::from_der(authority.certificate()) else { return false };
        leaf.issuer() == issuer.subject()
            && leaf.verify_signature(Some(issuer.public_key())).is_ok()
            && names::common_name(&leaf).as_deref() == Some(request.common_name.as_str())
            && usage_is(&leaf, request)
            && names::of(&leaf).into_iter().collect::<BTreeSet<_>>()
                == request.names.iter().map(|n| names::plain(n)).collect()
    }
}

/// Where an identity's certificate and key are.
fn places(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.pem")), dir.join(format!("{name}-key.pem")))
}

fn usage_is(cert: &X509Certificate<'_>, request: &Request) -> bool {
    cert.extended_key_usage().ok().flatten().is_some_and(|eku| {
        eku.value.server_auth == request.usage.serves() && eku.value.client_auth == request.usage.calls()
    })
}
