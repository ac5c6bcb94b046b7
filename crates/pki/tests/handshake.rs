//! Handshakes in memory: who is believed, who is refused, and what the two sides agree on.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use pki::{Authority, Identity, Request, Usage, client_config, server_config};
use rustls::pki_types::ServerName;
use rustls::version::TLS12;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore, ServerConfig};
use rustls::{ServerConnection, crypto::aws_lc_rs, pki_types::CertificateDer, pki_types::pem::PemObject};
use vocabulary::{Chance, Clock};

struct House {
    ca: Authority,
    clock: Clock,
    _dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-11-21T09:30:00Z".parse().unwrap());
        let (ca, _) = Authority::open_or_create(dir.path(), "One name for all", &clock, &Chance::system()).unwrap();
        Self { ca, clock, _dir: dir }
    }

    fn identity(&self, request: &Request) -> Identity {
        self.ca.issue(request, &self.clock, &Chance::system()).unwrap().identity().unwrap()
    }

    fn service(&self) -> Identity {
        self.identity(&Request::service("bank", ["localhost"]))
    }

    fn public_server(&self) -> Arc<ServerConfig> {
        let identity = self.identity(&Request::https(["localhost"]));
        Arc::new(server_config(&identity, None, &self.clock).unwrap())
    }

    fn inner_server(&self) -> Arc<ServerConfig> {
        Arc::new(server_config(&self.service(), Some(self.ca.certificate_pem()), &self.clock).unwrap())
    }

    fn client(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        Arc::new(client_config(self.ca.certificate_pem(), identity, &self.clock).unwrap())
    }
}

/// Plays a handshake to its end; the error of the side that refused.
fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((server, client))
}

#[test]
fn a_client_of_the_authority_reaches_the_public_listener() {
    let house = House::new();
    let (server, client) = shake(&house.public_server(), &house.client(None), "localhost").unwrap();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert!(server.peer_certificates().is_none());
    let group = client.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768, "the key exchange should withstand a quantum computer");
}

#[test]
fn a_server_of_another_authority_with_the_same_name_is_refused() {
    let (house, other) = (House::new(), House::new());
    let refused = shake(&other.public_server(), &house.client(None), "localhost").unwrap_err();
    assert!(matches!(refused, rustls::Error::InvalidCertificate(_)), "{refused}");
}

#[test]
fn a_wrong_name_is_refused() {
    let house = House::new();
    for name in ["bank.example", "127.0.0.1"] {
        let refused = shake(&house.public_server(), &house.client(None), name).unwrap_err();
        assert!(refused.to_string().contains("not valid for name"), "{refused}");
    }
}

#[test]
fn an_expired_certificate_is_refused_by_our_clock() {
    let house = House::new();
    let (server, client) = (house.inner_server(), house.client(Some(&house.service())));
    shake(&server, &client, "localhost").unwrap();
    house.clock.advance(Duration::from_hours(24) + Duration::from_secs(1));
    let refused = shake(&server, &client, "localhost").unwrap_err();
    assert!(refused.to_string().contains("expired"), "{refused}");
}

#[test]
fn an_inner_link_asks_for_a_client_certificate_of_the_same_authority() {
    let (house, other) = (House::new(), House::new());
    let server = house.inner_server();
    let refused = shake(&server, &house.client(None), "localhost").unwrap_err();
    assert!(matches!(refused, rustls::Error::NoCertificatesPresented), "{refused}");

    let refused = shake(&server, &house.client(Some(&other.service())), "localhost").unwrap_err();
    assert!(matches!(refused, rustls::Error::InvalidCertificate(_)), "{refused}");

    let server_only = house.identity(&Request { usage: Usage::Server, ..Request::service("bank", ["localhost"]) });
    let refused = shake(&server, &house.client(Some(&server_only)), "localhost").unwrap_err();
    assert!(matches!(refused, rustls::Error::InvalidCertificate(_)), "{refused}");

    let (server, _) = shake(&server, &house.client(Some(&house.service())), "localhost").unwrap();
    assert_eq!(server.peer_certificates().unwrap().len(), 1);
}

#[test]
fn an_inner_link_never_resumes_a_session_and_the_public_listener_does() {
    let house = House::new();
    let mut eager = client_config(house.ca.certificate_pem(), Some(&house.service()), &house.clock).unwrap();
    eager.resumption = rustls::client::Resumption::in_memory_sessions(8);
    let eager = Arc::new(eager);
    let (inner, public) = (house.inner_server(), house.public_server());
    for (server, second) in [(&inner, HandshakeKind::Full), (&public, HandshakeKind::Resumed)] {
        shake(server, &eager, "localhost").unwrap();
        let (_, client) = shake(server, &eager, "localhost").unwrap();
        assert_eq!(client.handshake_kind(), Some(second));
    }
}

#[test]
fn the_public_listener_still_speaks_tls_1_2_and_an_inner_link_does_not() {
    let house = House::new();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(house.ca.certificate_pem().as_bytes()).unwrap()).unwrap();
    let mut old = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    old.time_provider = house.client(None).time_provider.clone();
    let old = Arc::new(old);
    let (_, client) = shake(&house.public_server(), &old, "localhost").unwrap();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let refused = shake(&house.inner_server(), &old, "localhost").unwrap_err();
    assert!(matches!(refused, rustls::Error::PeerIncompatible(_)), "{refused}");
}

#[test]
fn both_listeners_offer_http_2_first() {
    let house = House::new();
    let mut http = client_config(house.ca.certificate_pem(), Some(&house.service()), &house.clock).unwrap();
    http.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let http = Arc::new(http);
    for server in [house.public_server(), house.inner_server()] {
        let (_, client) = shake(&server, &http, "localhost").unwrap();
        assert_eq!(client.alpn_protocol(), Some(b"h2".as_slice()));
    }
}
