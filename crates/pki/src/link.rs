//! A link whose certificate, authorities and revocation lists are replaced while it runs.
//!
//! Promises: every handshake begun after a replacement sees the new material, none sees half of it, and connections that
//! stand are not touched; whoever holds those sees by the generation that there is something new. What was taken back is
//! not believed again because an older list comes, or none. A configuration is made once and handed out once; client
//! authentication cannot get lost by building it anew. Must not know: where material comes from, or when it is replaced.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use vocabulary::Clock;

use crate::lists::Seen;
use crate::{Identity, Life, PkiError, Trust, tls, verify};

/// Issuers whose newest list is remembered; a bank has one or two.
const MOST_SEEN: usize = 64;

/// One side of mutual TLS, kept fresh. Cheap to clone; clones share the material.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

struct Shared {
    clock: Clock,
    material: RwLock<Arc<Material>>,
}

struct Material {
    generation: u64,
    identity: Identity,
    trust: Trust,
    /// The newest list of each issuer that was ever here.
    seen: Vec<Seen>,
    key: Arc<CertifiedKey>,
    clients: Arc<dyn ClientCertVerifier>,
    servers: Arc<dyn ServerCertVerifier>,
}

impl Material {
    fn new(generation: u64, identity: Identity, trust: Trust, mut seen: Vec<Seen>) -> Result<Arc<Self>, PkiError> {
        let key = Arc::new(identity.certified_key()?);
        let (clients, servers) = (trust.of_clients()?, trust.of_servers()?);
        for head in &trust.heads {
            let known = seen.iter().any(|one| head == one || head.is_older_than(one));
            if !known {
                seen.retain(|one| !one.is_by_issuer_of(head));
                seen.push(head.clone());
            }
        }
        seen.drain(..seen.len().saturating_sub(MOST_SEEN));
        Ok(Arc::new(Self { generation, identity, trust, seen, key, clients, servers }))
    }

    fn may_believe(&self, trust: &Trust) -> Result<(), PkiError> {
        let unfit = |why: &str| Err(PkiError::Unfit(format!("{why}; what was believed before stays")));
        if self.trust.has_lists() && !trust.has_lists() {
            return unfit("the lists of revoked certificates are missing, which were there before");
        }
        if trust.heads.iter().any(|head| self.seen.iter().any(|seen| head.is_older_than(seen))) {
            return unfit(
                "a list of revoked certificates is older than one that was here already (if its authority was restored from a \
                 backup, `guichet pki crl` makes a newer one)",
            );
        }
        Ok(())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("identity", &self.now().identity).finish_non_exhaustive()
    }
}

impl Link {
    /// With what it begins.
    pub fn new(identity: Identity, trust: Trust, clock: &Clock) -> Result<Self, PkiError> {
        let material = RwLock::new(Material::new(0, identity, trust, Vec::new())?);
        Ok(Self(Arc::new(Shared { clock: clock.clone(), material })))
    }

    /// The inner listener: TLS 1.3, a client certificate always, no session resumed.
    pub fn server_config(&self) -> Result<ServerConfig, PkiError> {
        tls::mutual(Arc::new(self.clone()), Arc::new(self.clone()), &self.0.clock)
    }

    /// The same for a door at which some have no certificate yet: who shows one is checked as ever, who shows none is
    /// let in as nobody. Whoever serves has to ask who is there.
    pub fn inviting_config(&self) -> Result<ServerConfig, PkiError> {
        tls::mutual(Arc::new(self.clone()), Arc::new(Inviting(self.clone())), &self.0.clock)
    }

    /// The caller: TLS 1.3, no session resumed. `alpn_protocols` is empty; whoever speaks HTTP sets it.
    pub fn client_config(&self) -> Result<ClientConfig, PkiError> {
        tls::calling(Some(Arc::new(self.clone())), Arc::new(self.clone()), &self.0.clock)
    }

    /// A listener for browsers: the certificate is kept fresh, nobody is asked for one.
    pub fn public_config(&self) -> Result<ServerConfig, PkiError> {
        tls::public(Arc::new(self.clone()), &self.0.clock)
    }

    /// Shows another certificate from the next handshake on.
    pub fn replace_identity(&self, identity: Identity) -> Result<(), PkiError> {
        self.replace(|old| Ok((old.identity.chain != identity.chain).then(|| (identity, old.trust.clone()))))
    }

    /// Believes others from the next handshake on. Never goes back: see [`Link::may_believe`].
    pub fn replace_trust(&self, trust: Trust) -> Result<(), PkiError> {
        self.replace(|old| {
            old.may_believe(&trust)?;
            Ok((!old.trust.is(&trust)).then(|| (old.identity.clone(), trust)))
        })
    }

    /// Whether [`Link::replace_trust`] would take it: not where lists of revoked certificates are missing after there were
    /// some, nor where one is older than another of the same issuer that was here. Who was taken back would be believed
    /// again.
    pub fn may_believe(&self, trust: &Trust) -> Result<(), PkiError> {
        self.now().may_believe(trust)
    }

    /// Grows with every replacement by something else; the same again changes nothing. Connections that were made
    /// under another generation should be looked at again.
    pub fn generation(&self) -> u64 {
        self.now().generation
    }

    /// The clock by which its certificates live.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// From when until when the lists of revoked certificates are believed by which it judges; of several, of the one that
    /// ends first. Past that nobody is believed any more. Nothing where it has none.
    pub fn lists(&self) -> Option<Life> {
        self.now().trust.heads.iter().filter_map(Seen::life).min_by_key(|life| life.until)
    }

    /// What it shows now.
    pub fn identity(&self) -> Identity {
        self.now().identity.clone()
    }

    /// Whether a caller that was let in with `chain` would still be: for connections that stand while trust changes.
    pub fn still_admits(&self, chain: &[CertificateDer<'_>]) -> Result<(), PkiError> {
        let admitted = chain.split_first().ok_or(Error::NoCertificatesPresented).and_then(|(leaf, between)| {
            let now = tls::moment(self.0.clock.now()).ok_or(Error::FailedToGetCurrentTime)?;
            self.now().clients.verify_client_cert(leaf, between, now)
        });
        admitted.map(|_| ()).map_err(|error| PkiError::Unfit(verify::reason(&error)))
    }

    /// The same for a server that was called by `name`.
    pub fn still_trusts(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> Result<(), PkiError> {
        let trusted = chain.split_first().ok_or(Error::NoCertificatesPresented).and_then(|(leaf, between)| {
            let now = tls::moment(self.0.clock.now()).ok_or(Error::FailedToGetCurrentTime)?;
            self.now().servers.verify_server_cert(leaf, between, name, &[], now)
        });
        trusted.map(|_| ()).map_err(|error| PkiError::Unfit(verify::reason(&error)))
    }

    fn now(&self) -> Arc<Material> {
        self.0.material.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(
        &self,
        with: impl FnOnce(&Material) -> Result<Option<(Identity, Trust)>, PkiError>,
    ) -> Result<(), PkiError> {
        let mut material = self.0.material.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((identity, trust)) = with(&material)? {
            let (generation, seen) = (material.generation.saturating_add(1), material.seen.clone());
            *material = Material::new(generation, identity, trust, seen)?;
        }
        Ok(())
    }
}

impl ResolvesServerCert for Link {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now().key.clone())
    }
}

impl ResolvesClientCert for Link {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.now().key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Link {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.now().clients.verify_client_cert(leaf, between, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().clients.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().clients.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.now().clients.supported_verify_schemes()
    }
}

/// A link that lets in callers without a certificate too.
#[derive(Debug)]
struct Inviting(Link);

impl ClientCertVerifier for Inviting {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.verify_client_cert(leaf, between, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(&self.0, message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(&self.0, message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ClientCertVerifier::supported_verify_schemes(&self.0)
    }
}

impl ServerCertVerifier for Link {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.now().servers.verify_server_cert(leaf, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().servers.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.now().servers.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.now().servers.supported_verify_schemes()
    }
}
