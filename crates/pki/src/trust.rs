//! Whom a link believes: the authorities, and their lists of certificates taken back.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::PkiError;
use crate::lists::Seen;
use crate::tls::provider;

/// A list of 20,000 revoked certificates has about 800 KB.
const MOST_BYTES: usize = 2 * 1024 * 1024;
const MOST_ROOTS: usize = 20;

/// One or more authorities, and, once given, their revocation lists.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    lists: Option<Vec<CertificateRevocationListDer<'static>>>,
    /// What tells those lists from older and newer ones.
    pub(crate) heads: Vec<Seen>,
    /// Lists that are missing or have ended are no reason to refuse a server.
    whoever_brings_lists: bool,
}

impl Trust {
    /// The authorities in `ca_pem`, no other, and no check for revocation.
    pub fn of(ca_pem: &str) -> Result<Self, PkiError> {
        let wrong = |why: &str| PkiError::Crypto { action: "trust the authority", why: why.into() };
        let mut roots = RootCertStore::empty();
        for ca in CertificateDer::pem_slice_iter(ca_pem.as_bytes()).take(MOST_ROOTS) {
            roots
                .add(ca.map_err(|_| wrong("it is not valid PEM"))?)
                .map_err(|_| wrong("its certificate cannot be decoded"))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate in it"));
        }
        Ok(Self { roots: Arc::new(roots), lists: None, heads: Vec::new(), whoever_brings_lists: false })
    }

    /// One authority, by its certificate.
    pub(crate) fn of_root(root: &CertificateDer<'_>) -> Result<Self, PkiError> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned()).map_err(PkiError::tls("trust the authority"))?;
        Ok(Self { roots: Arc::new(roots), lists: None, heads: Vec::new(), whoever_brings_lists: false })
    }

    /// For the way to the one who hands out the lists: a server that the present ones do not cover, or that comes when they
    /// have ended, is believed, or nobody could ever fetch others. One that they name is refused as ever.
    #[must_use]
    pub fn toward_lists(self) -> Self {
        Self { whoever_brings_lists: true, ..self }
    }

    /// From now on a certificate is believed only if a list in `crl_pem` covers its issuer, has not ended, and does not
    /// name it, and so for those between it and the root: whoever keeps the lists away from us gains nothing. Replaces
    /// earlier lists.
    pub fn with_lists(self, crl_pem: &str) -> Result<Self, PkiError> {
        let wrong = |why: &str| PkiError::Crypto { action: "read the revocation list", why: why.into() };
        if crl_pem.len() > MOST_BYTES {
            return Err(wrong("it is longer than 2 MiB"));
        }
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(crl_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("it is not valid PEM"))?;
        if lists.is_empty() {
            return Err(wrong("there is none in the text: it should have a line `-----BEGIN X509 CRL-----`"));
        }
        let heads = lists.iter().filter_map(|list| Seen::of(list)).collect();
        let trust = Self { lists: Some(lists), heads, ..self };
        trust.of_clients()?;
        Ok(trust)
    }

    /// Whether it asks for lists at all.
    pub(crate) const fn has_lists(&self) -> bool {
        self.lists.is_some()
    }

    /// Whether `other` believes the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.roots.roots == other.roots.roots
            && self.lists == other.lists
            && self.whoever_brings_lists == other.whoever_brings_lists
    }

    /// Judges callers.
    pub(crate) fn of_clients(&self) -> Result<Arc<dyn ClientCertVerifier>, PkiError> {
        let mut builder = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider());
        if let Some(lists) = &self.lists {
            builder = builder.with_crls(lists.iter().cloned()).enforce_revocation_expiration();
        }
        // No hints of what we trust: they would have to outlive every replacement.
        let built = builder.clear_root_hint_subjects().build();
        built.map_err(|e| PkiError::Crypto { action: "check client certificates", why: e.to_string() })
    }

    /// Judges servers.
    pub(crate) fn of_servers(&self) -> Result<Arc<dyn ServerCertVerifier>, PkiError> {
        let mut builder = WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider());
        if let Some(lists) = &self.lists {
            builder = builder.with_crls(lists.iter().cloned());
            builder = if self.whoever_brings_lists {
                builder.allow_unknown_revocation_status()
            } else {
                builder.enforce_revocation_expiration()
            };
        }
        let built = builder.build();
        Ok(built.map_err(|e| PkiError::Crypto { action: "check server certificates", why: e.to_string() })?)
    }
}
