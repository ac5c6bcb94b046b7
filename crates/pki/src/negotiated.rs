//! What the two sides of a connection really agreed on, and who the other side is.

use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Life, folder, names};

/// Version, key exchange and cipher of one connection, by their registered names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Negotiated {
    /// Such as `TLSv1.3`.
    pub protocol: String,
    /// The group of the key exchange, such as `X25519MLKEM768`.
    pub group: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
}

impl Negotiated {
    /// Of a connection whose handshake is over; nothing before that.
    pub fn of(connection: &CommonState) -> Option<Self> {
        Some(Self {
            protocol: connection.protocol_version()?.as_str()?.replace('_', "."),
            group: connection.negotiated_key_exchange_group()?.name().as_str()?.to_owned(),
            cipher: connection.negotiated_cipher_suite()?.suite().as_str()?.to_owned(),
        })
    }

    /// Whether what was recorded today stays secret from a quantum computer of tomorrow.
    pub fn withstands_quantum(&self) -> bool {
        self.group.contains("MLKEM")
    }
}

/// Who is at the other end, by the certificate that the handshake verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// The common name: a service's or a person's.
    pub name: String,
    /// The certificate's serial number, as revocation lists and the index of what was issued have it.
    pub serial: String,
    /// How long the certificate is valid: no connection should outlive it.
    pub life: Life,
}

impl Peer {
    /// Of a connection whose handshake is over; nobody, where no certificate was asked for, or it names nobody.
    pub fn of(connection: &CommonState) -> Option<Self> {
        Self::shown(connection.peer_certificates()?.first()?)
    }

    /// As a certificate describes its owner, believed or not: by common name, or else by the first of its other names. To be
    /// shown, never to decide by.
    pub fn described(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(certificate).ok()?;
        Some(Self {
            name: names::common_name(&leaf).or_else(|| names::of(&leaf).into_iter().next())?,
            serial: folder::digits(leaf.raw_serial()),
            life: Life::of(leaf.validity()),
        })
    }

    /// As whoever is shown this certificate sees its owner.
    pub(crate) fn shown(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(certificate).ok()?;
        Some(Self {
            name: names::common_name(&leaf)?,
            serial: folder::digits(leaf.raw_serial()),
            life: Life::of(leaf.validity()),
        })
    }
}
