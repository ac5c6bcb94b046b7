//! The first connection of whoever joins: of the authority, only the fingerprint of its root is known.
//!
//! Promises: a server is believed only if its chain leads to the one certificate that has this fingerprint, and is
//! otherwise judged as any server is. Must not know: what is said over the connection.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};
use vocabulary::Clock;

use crate::{PkiError, Trust, tls};

/// A caller that has no certificate yet, and trusts the root with this SHA-256. The server has to send the root along.
pub fn pinned_config(root: [u8; 32], clock: &Clock) -> Result<ClientConfig, PkiError> {
    tls::calling(None, Arc::new(Pinned { root }), clock)
}

#[derive(Debug)]
struct Pinned {
    root: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned = between.iter().find(|one| Sha256::digest(one).as_slice() == self.root);
        let root = pinned.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let judge = Trust::of_root(root).and_then(|trust| trust.of_servers());
        let judge = judge.map_err(|error| Error::General(error.to_string()))?;
        judge.verify_server_cert(leaf, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            signed,
            &tls::provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            signed,
            &tls::provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        tls::provider().signature_verification_algorithms.supported_schemes()
    }
}
