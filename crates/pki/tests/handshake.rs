//! Handshakes in memory: who is believed, who is refused, and what the two sides agree on.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use pki::{
    Authority, Bounds, Folder, Identity, Link, Negotiated, Passphrase, Peer, Plan, PrivateKey, Profile, Reason,
    Request, SigningRequest, Trust, Usage, client_config, server_config,
};
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
fn a_certificate_that_is_not_valid_yet_is_refused_on_either_side() {
    let house = House::new();
    let (server, client) = (house.inner_server(), house.client(Some(&house.service())));
    house.clock.set("2026-11-21T09:20:00Z".parse().unwrap());
    let refused = shake(&server, &client, "localhost").unwrap_err();
    assert!(refused.to_string().contains("not valid yet"), "{refused}");
    house.clock.set("2026-11-21T09:30:00Z".parse().unwrap());
    let server = house.inner_server();
    house.clock.set("2026-11-22T00:00:00Z".parse().unwrap());
    let later = house.client(Some(&house.service()));
    house.clock.set("2026-11-21T09:30:00Z".parse().unwrap());
    let refused = shake(&server, &later, "localhost").unwrap_err();
    assert!(refused.to_string().contains("not valid yet"), "{refused}");
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

/// Two ends of a mutual link under an authority of two tiers, both kept fresh.
struct Linked {
    folder: Folder,
    clock: Clock,
    server: Link,
    client: Link,
    listening: Arc<ServerConfig>,
    calling: Arc<ClientConfig>,
    dir: tempfile::TempDir,
}

impl Linked {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-11-21T09:30:00Z".parse().unwrap());
        let plan = Plan {
            name: "Linked",
            root_key: PrivateKey::generate(pki::Algorithm::P256).unwrap(),
            intermediate_key: PrivateKey::generate(pki::Algorithm::P256).unwrap(),
            passphrase: &Passphrase::new("velvet anchor tumbles south".to_owned()).unwrap(),
            root_key_file: None,
            bounds: &Bounds::default(),
        };
        let mut folder = Folder::init(&dir.path().join("pki"), plan, &clock, &Chance::system()).unwrap();
        let mut side = |name: &str| {
            let identity = issue(&mut folder, name, &clock);
            let trust = Trust::of(&folder.root_pem().unwrap()).unwrap();
            Link::new(identity, trust.with_lists(&folder.list_pem().unwrap()).unwrap(), &clock).unwrap()
        };
        let (server, client) = (side("bank"), side("web"));
        let (listening, calling) = (server.server_config().unwrap(), client.client_config().unwrap());
        let (listening, calling) = (Arc::new(listening), Arc::new(calling));
        Self { folder, clock, server, client, listening, calling, dir }
    }

    fn shake(&self) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
        shake(&self.listening, &self.calling, "localhost")
    }

    /// The list as it is now, for both ends.
    fn tell(&self) {
        for link in [&self.server, &self.client] {
            let trust = Trust::of(&self.folder.root_pem().unwrap()).unwrap();
            link.replace_trust(trust.with_lists(&self.folder.list_pem().unwrap()).unwrap()).unwrap();
        }
    }

    fn revoke(&mut self, common_name: &str) {
        let entry = self.folder.issued().iter().rfind(|one| one.common_name == common_name).unwrap();
        let serial = entry.serial.clone();
        self.folder.revoke(&serial, Reason::KeyCompromise, &self.clock, &Chance::system()).unwrap();
    }
}

fn issue(folder: &mut Folder, name: &str, clock: &Clock) -> Identity {
    let key = PrivateKey::generate(pki::Algorithm::P256).unwrap();
    let asked = SigningRequest::read(&SigningRequest::make(&key, name, &[]).unwrap()).unwrap();
    let request = Profile::Service.request(name, vec!["localhost".into()]);
    let chain = folder.sign(&asked, &request, clock, &Chance::system()).unwrap();
    Identity::from_pem(&chain, &key.pem()).unwrap()
}

#[test]
fn a_link_tells_what_it_negotiated() {
    let linked = Linked::new();
    let (server, client) = linked.shake().unwrap();
    let told = Negotiated::of(&client).unwrap();
    assert_eq!(Negotiated::of(&server).unwrap(), told);
    assert_eq!((told.protocol.as_str(), told.group.as_str()), ("TLSv1.3", "X25519MLKEM768"));
    assert!(told.cipher.starts_with("TLS13_") && told.withstands_quantum());
    let fresh = ClientConnection::new(linked.calling.clone(), ServerName::try_from("localhost").unwrap()).unwrap();
    assert!(Negotiated::of(&fresh).is_none());
}

#[test]
fn each_side_knows_who_the_other_is_and_until_when() {
    let linked = Linked::new();
    let (server, client) = linked.shake().unwrap();
    let (web, bank) = (Peer::of(&server).unwrap(), Peer::of(&client).unwrap());
    assert_eq!((web.name.as_str(), bank.name.as_str()), ("web", "bank"));
    assert_eq!(web.life.until.since(linked.clock.now()), Duration::from_hours(24));
    let issued: Vec<_> = linked.folder.issued().iter().map(|entry| entry.serial.as_str()).collect();
    assert_eq!(issued, [bank.serial.as_str(), web.serial.as_str()]);
    let house = House::new();
    let (server, _client) = shake(&house.public_server(), &house.client(None), "localhost").unwrap();
    assert!(Peer::of(&server).is_none());
}

#[test]
fn a_revoked_client_is_refused_on_a_new_connection_and_found_out_on_a_standing_one() {
    let mut linked = Linked::new();
    let (standing, _client) = linked.shake().unwrap();
    let shown: Vec<_> = standing.peer_certificates().unwrap().to_vec();
    linked.server.still_admits(&shown).unwrap();
    linked.revoke("web");
    linked.shake().unwrap();
    linked.tell();
    let refused = linked.shake().unwrap_err();
    assert!(refused.to_string().contains("Revoked"), "{refused}");
    assert_eq!(
        linked.server.still_admits(&shown).unwrap_err().to_string(),
        "it, or an authority above it, was revoked"
    );
    // Renewed with a new key it comes in again, through the configurations that were there from the start.
    linked.client.replace_identity(issue(&mut linked.folder, "web", &linked.clock)).unwrap();
    linked.shake().unwrap();
}

#[test]
fn a_revoked_server_is_refused_by_its_callers() {
    let mut linked = Linked::new();
    let (_server, standing) = linked.shake().unwrap();
    let shown: Vec<_> = standing.peer_certificates().unwrap().to_vec();
    let name = ServerName::try_from("localhost").unwrap();
    linked.client.still_trusts(&shown, &name).unwrap();
    linked.revoke("bank");
    linked.tell();
    let refused = linked.shake().unwrap_err();
    assert!(refused.to_string().contains("Revoked"), "{refused}");
    assert_eq!(
        linked.client.still_trusts(&shown, &name).unwrap_err().to_string(),
        "it, or an authority above it, was revoked"
    );
}

#[test]
fn lists_that_have_ended_can_still_be_fetched_and_whom_they_name_is_refused_all_the_same() {
    let mut linked = Linked::new();
    linked.folder.list(Some(Duration::from_hours(1)), &linked.clock).unwrap();
    linked.tell();
    let old = linked.folder.list_pem().unwrap();
    let trust = |linked: &Linked, lists: &str| {
        Trust::of(&linked.folder.root_pem().unwrap()).unwrap().with_lists(lists).unwrap()
    };
    linked.clock.advance(Duration::from_hours(2));
    linked.folder.list(None, &linked.clock).unwrap();
    linked.server.replace_trust(trust(&linked, &linked.folder.list_pem().unwrap())).unwrap();
    let refused = linked.shake().unwrap_err();
    assert!(refused.to_string().contains("list expired"), "{refused}");
    linked.client.replace_trust(trust(&linked, &old).toward_lists()).unwrap();
    linked.shake().unwrap();
    linked.revoke("bank");
    linked.client.replace_trust(trust(&linked, &linked.folder.list_pem().unwrap()).toward_lists()).unwrap();
    let refused = linked.shake().unwrap_err();
    assert!(refused.to_string().contains("Revoked"), "{refused}");
}

#[test]
fn a_link_never_goes_back_to_an_older_list_or_to_none() {
    let mut linked = Linked::new();
    let (root, old) = (linked.folder.root_pem().unwrap(), linked.folder.list_pem().unwrap());
    let trust = |lists: &str| Trust::of(&root).unwrap().with_lists(lists).unwrap();
    let backup = std::fs::read(linked.dir.path().join("pki/index.json")).unwrap();
    linked.revoke("web");
    linked.revoke("bank");
    linked.tell();
    let server = linked.server.clone();
    let said = |link: &Link, trust: Trust| link.replace_trust(trust).unwrap_err().to_string();
    assert!(said(&server, trust(&old)).contains("older than one that was here"));
    assert!(said(&server, Trust::of(&root).unwrap()).contains("are missing"));
    // Nor by way of one of another authority, on which nobody is named.
    let foreign = Linked::new();
    let lists = foreign.folder.list_pem().unwrap();
    server.replace_trust(Trust::of(&foreign.folder.root_pem().unwrap()).unwrap().with_lists(&lists).unwrap()).unwrap();
    assert!(said(&server, trust(&old)).contains("older than one that was here"));
    linked.tell();
    assert!(linked.shake().unwrap_err().to_string().contains("Revoked"));
    // An authority that was restored from a backup begins with lower numbers again, and is heard.
    let Linked { folder, clock, dir, .. } = linked;
    drop(folder);
    std::fs::write(dir.path().join("pki/index.json"), backup).unwrap();
    clock.advance(Duration::from_secs(1));
    let mut folder = Folder::open(&dir.path().join("pki")).unwrap();
    let restored = folder.list(None, &clock).unwrap();
    server.replace_trust(trust(&restored)).unwrap();
}

#[test]
fn resumption_after_revocation_is_refused_because_nothing_is_ever_resumed() {
    let mut linked = Linked::new();
    let resuming = {
        let mut config = (*linked.calling).clone();
        config.resumption = rustls::client::Resumption::in_memory_sessions(16);
        Arc::new(config)
    };
    for _ in 0..3 {
        let (server, client) = shake(&linked.listening, &resuming, "localhost").unwrap();
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(client.tls13_tickets_received(), 0);
    }
    linked.revoke("web");
    linked.tell();
    let refused = shake(&linked.listening, &resuming, "localhost").unwrap_err();
    assert!(refused.to_string().contains("Revoked"), "{refused}");
}

#[test]
fn replacing_an_identity_keeps_standing_connections_and_client_authentication() {
    let mut linked = Linked::new();
    let (mut server, mut client) = linked.shake().unwrap();
    let before = client.peer_certificates().unwrap()[0].clone();
    linked.clock.advance(Duration::from_hours(16));
    linked.server.replace_identity(issue(&mut linked.folder, "bank", &linked.clock)).unwrap();
    let (_, anew) = linked.shake().unwrap();
    assert_ne!(anew.peer_certificates().unwrap()[0], before, "a new handshake shows the new certificate");
    std::io::Write::write_all(&mut client.writer(), b"still here").unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    server.read_tls(&mut wire.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    let mut heard = [0; 10];
    std::io::Read::read_exact(&mut server.reader(), &mut heard).unwrap();
    assert_eq!(&heard, b"still here");
    let anonymous = client_config(&linked.folder.root_pem().unwrap(), None, &linked.clock).unwrap();
    let refused = shake(&linked.listening, &Arc::new(anonymous), "localhost").unwrap_err();
    assert!(matches!(refused, rustls::Error::NoCertificatesPresented), "{refused}");
}

#[test]
fn only_a_replacement_by_something_else_makes_a_new_generation() {
    let mut linked = Linked::new();
    let (before, identity) = (linked.client.generation(), linked.client.identity());
    linked.client.replace_identity(identity).unwrap();
    linked.tell();
    assert_eq!(linked.client.generation(), before);
    linked.revoke("bank");
    linked.tell();
    let told = linked.client.generation();
    assert!(told > before);
    linked.client.replace_identity(issue(&mut linked.folder, "web", &linked.clock)).unwrap();
    assert!(linked.client.generation() > told);
}

#[test]
fn a_list_out_of_date_or_of_another_authority_lets_nobody_in() {
    let mut linked = Linked::new();
    linked.shake().unwrap();
    linked.clock.advance(Duration::from_hours(24 * 8));
    for (link, name) in [(linked.server.clone(), "bank"), (linked.client.clone(), "web")] {
        link.replace_identity(issue(&mut linked.folder, name, &linked.clock)).unwrap();
    }
    let refused = linked.shake().unwrap_err();
    assert!(refused.to_string().contains("revocation list expired"), "{refused}");
    linked.folder.list(None, &linked.clock).unwrap();
    linked.tell();
    linked.shake().unwrap();

    let foreign = Linked::new().folder.list_pem().unwrap();
    let trust = Trust::of(&linked.folder.root_pem().unwrap()).unwrap();
    linked.server.replace_trust(trust.with_lists(&foreign).unwrap()).unwrap();
    linked.shake().unwrap_err();
}

#[test]
fn what_is_no_list_and_no_authority_is_refused_before_it_is_used() {
    let linked = Linked::new();
    let root = linked.folder.root_pem().unwrap();
    let said = |crl: &str| Trust::of(&root).unwrap().with_lists(crl).unwrap_err().to_string();
    assert!(said("").contains("there is none"));
    assert!(said(&"x".repeat(3 * 1024 * 1024)).contains("2 MiB"));
    assert!(said("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").contains("check"));
    assert!(Trust::of("").unwrap_err().to_string().contains("no certificate"));
}
