//! What the two sides of a connection really agreed on.

use rustls::CommonState;
use serde::Serialize;

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
