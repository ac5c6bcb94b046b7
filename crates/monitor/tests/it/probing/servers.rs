//! The real servers: PostgreSQL, nats-server, a mail relay, a name server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use hickory_proto::rr::rdata::{A, CNAME, MX, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record};
use hickory_server::Server;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use store::Database;
use store::testing::databases;
use tokio::net::UdpSocket;

use super::*;
use crate::relay::{Keys, Relay};

/// Ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_signed_in_to_over_tls_with_a_certificate() {
    let bench = Bench::new();
    let Some(database) = databases().await.unwrap().into_iter().find(|it| it.kind() == store::Kind::Postgres) else {
        return;
    };
    let Database::Postgres(config) = &database.database else { panic!("no PostgreSQL") };
    let (user, host, port) = (&config.user, &config.host, config.port);
    let files = format!(
        "ca_file = '{}'\ncertificate_file = '{}'\nkey_file = '{}'",
        config.root_certificate.display(),
        config.certificate.display(),
        config.key.display()
    );
    let ca_alone = format!("ca_file = '{}'", config.root_certificate.display());
    let at = |role: &str, name: &str| format!("kind = 'postgres'\ntarget = 'postgresql://{role}@{host}:{port}/{name}'");
    let must = "must = ['tls.version == TLSv1.3', 'latency < 8s', 'certificate.left > 1%']";
    let seen = bench.tried(&format!("{}\n{files}\n{must}", at(user, &config.database))).await;
    is(&seen, State::Up, "");
    assert_eq!(seen.certificate.unwrap().name, "postgresql");
    let name = &config.database;
    is(&bench.tried(&format!("{}\n{files}", at("somebody", name))).await, State::Down, "refuses the role (28000)");
    is(&bench.tried(&format!("{}\n{files}", at(user, "nothing"))).await, State::Down, "no such database");
    is(&bench.tried(&format!("{}\n{ca_alone}", at(user, name))).await, State::Down, "asked for a certificate");
    is(
        &bench.tried(&format!("{}\nca_file = 'ca.pem'", at(user, name))).await,
        State::Down,
        "no authority that is trusted",
    );
    // PostgreSQL asks for TLS after some bytes of its own: who expects it at once is told nothing useful, in time.
    let tls = format!("kind = 'tls'\ntarget = '{host}:{port}'\n{ca_alone}\ntimeout = '5s'");
    assert_eq!(bench.tried(&tls).await.tried.state, State::Down);
}

/// A broker with the lines of its configuration.
fn broker(bench: &Bench, lines: &str) -> Option<(Running, u16)> {
    let program = ["/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"];
    let program = program.into_iter().find(|path| Path::new(path).is_file());
    let wanted = std::env::var("GUICHET_TEST_REQUIRE_NATS").is_ok_and(|value| value == "1");
    assert!(program.is_some() || !wanted, "nats-server is not installed, and GUICHET_TEST_REQUIRE_NATS asks for it");
    let conf = bench.path("nats.conf");
    std::fs::write(&conf, format!("{lines}\n")).unwrap();
    let mut command = Command::new(program?);
    command.arg("-c").arg(conf).args(["-a", "127.0.0.1", "-p", "-1"]).current_dir(bench.folder.path());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    let mut says = BufReader::new(running.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut port = None;
    for line in says.by_ref() {
        if let Some((_, rest)) = line.split_once("Listening for client connections on 127.0.0.1:") {
            port = rest.trim().parse().ok();
        }
        if line.contains("Server is ready") {
            break;
        }
    }
    // Heard to its end: a server whose log nobody reads stops.
    std::thread::spawn(move || says.count());
    Some((running, port.unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_is_signed_in_to_though_tls_follows_a_line_in_the_open() {
    let bench = Bench::new();
    let server = bench.issued(&["localhost"], Duration::from_hours(24), Duration::from_hours(2160));
    std::fs::write(bench.path("server.pem"), &server.cert_pem).unwrap();
    bench.secret("server-key.pem", &server.key_pem);
    let own =
        bench.authority.issue(&Request::service("monitor", ["monitor"]), &Clock::system(), &Chance::system()).unwrap();
    std::fs::write(bench.path("own.pem"), &own.cert_pem).unwrap();
    bench.secret("own-key.pem", &own.key_pem);
    let tls = "tls { cert_file: \"server.pem\", key_file: \"server-key.pem\", ca_file: \"ca.pem\", verify: true }";
    let Some((running, port)) = broker(&bench, tls) else { return };
    let own = "ca_file = 'ca.pem'\ncertificate_file = 'own.pem'\nkey_file = 'own-key.pem'\ntimeout = '5s'";
    let at = |scheme: &str| format!("kind = 'nats'\ntarget = '{scheme}://localhost:{port}'");
    let seen = bench.tried(&format!("{}\n{own}\nmust = ['tls.version == TLSv1.3']", at("tls"))).await;
    is(&seen, State::Up, "");
    assert!(seen.certificate.is_some() && seen.agreed.is_some());
    is(&bench.tried(&format!("{}\nca_file = 'ca.pem'", at("tls"))).await, State::Down, "asked for a certificate");
    is(&bench.tried(&at("nats")).await, State::Down, "asks for TLS");
    drop(running);
    is(&bench.tried(&format!("{}\n{own}", at("tls"))).await, State::Down, "nobody listens there");

    let (_running, port) = broker(&bench, "authorization { user: a, password: b }").unwrap();
    let at = |scheme: &str| format!("kind = 'nats'\ntarget = '{scheme}://localhost:{port}'");
    is(&bench.tried(&at("nats")).await, State::Down, "refuses the sign-in");
    is(&bench.tried(&format!("{}\nca_file = 'ca.pem'", at("tls"))).await, State::Down, "does not offer TLS");
    let (_running, port) = broker(&bench, "").unwrap();
    is(&bench.tried(&format!("kind = 'nats'\ntarget = 'nats://localhost:{port}'")).await, State::Up, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_relay_is_greeted_with_starttls_where_it_is_offered() {
    let (bench, keys) = (Bench::new(), Keys::of("localhost"));
    std::fs::write(bench.path("relay.pem"), keys.authority()).unwrap();
    let at = |relay: &Relay| format!("kind = 'smtp'\ntarget = 'localhost:{}'\ntimeout = '5s'", relay.port);
    let relay = Relay::start(&keys);
    let must = "must = ['certificate.left > 10d', 'tls.version >= TLSv1.2']";
    let seen = bench.tried(&format!("{}\nca_file = 'relay.pem'\n{must}", at(&relay))).await;
    is(&seen, State::Up, "");
    assert!(seen.certificate.is_some() && seen.agreed.is_some());
    is(&bench.tried(&at(&relay)).await, State::Down, "no authority that is trusted here");
    let relay = Relay::with(None, &["--encryption", "none"]);
    is(&bench.tried(&at(&relay)).await, State::Up, "");
    for lines in ["ca_file = 'relay.pem'", "must = ['tls.version == TLSv1.3']"] {
        is(&bench.tried(&format!("{}\n{lines}", at(&relay))).await, State::Down, "does not offer STARTTLS");
    }
}

/// A name server that knows `bank.example`.
async fn name_server() -> u16 {
    let name = |text: &str| Name::from_ascii(text).unwrap();
    let origin = name("bank.example.");
    let mut zone = InMemoryZoneHandler::<hickory_server::net::runtime::TokioRuntimeProvider>::empty(
        origin.clone(),
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let soa = SOA::new(name("ns.bank.example."), name("root.bank.example."), 1, 60, 60, 60, 60);
    let text =
        |size: usize| RData::TXT(TXT::new((0..size).map(|number| format!("v={number}-{}", "x".repeat(200))).collect()));
    let records = [
        ("bank.example.", RData::SOA(soa)),
        ("www.bank.example.", RData::A(A::new(192, 0, 2, 10))),
        ("www.bank.example.", RData::A(A::new(192, 0, 2, 20))),
        ("web.bank.example.", RData::CNAME(CNAME(name("www.bank.example.")))),
        ("bank.example.", RData::MX(MX::new(10, name("Mail.bank.example.")))),
        ("bank.example.", text(1)),
        ("much.bank.example.", text(12)),
    ];
    for (owner, data) in records {
        assert!(zone.upsert_mut(Record::from_rdata(name(owner), 60, data), 1));
    }
    let mut catalog = Catalog::new();
    catalog.upsert(origin.into(), vec![Arc::new(zone)]);
    let mut server = Server::new(catalog);
    let (listener, port) = bound().await;
    server.register_socket(UdpSocket::bind(("127.0.0.1", port)).await.unwrap());
    server.register_listener(listener, Duration::from_secs(5), 64);
    tokio::spawn(async move { server.block_until_done().await });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_is_asked_and_its_answers_judged() {
    let (bench, port) = (Bench::new(), name_server().await);
    let asks = |name: &str, lines: &str| {
        format!("kind = 'dns'\ntarget = '{name}'\nserver = '127.0.0.1:{port}'\ntimeout = '5s'\n{lines}")
    };
    for (name, lines) in [
        ("www.bank.example", ""),
        (
            "WWW.Bank.example.",
            "must = ['answer == 192.0.2.10', 'answers == 2', 'answer contains 192.0.2.20', 'latency < 4s']",
        ),
        ("www.bank.example", "record = 'AAAA'\nmust = ['answers == 0']"),
        ("nothing.bank.example", "must = ['answers == 0']"),
        ("web.bank.example", "record = 'CNAME'\nmust = ['answer == WWW.bank.example.']"),
        ("bank.example", "record = 'MX'\nmust = ['answer == \"10 mail.bank.example\"']"),
        ("bank.example", "record = 'TXT'\nmust = ['answer contains v=0']"),
        // Too large for a packet: asked again over TCP.
        ("much.bank.example", "record = 'TXT'\nmust = ['answer contains v=11']"),
    ] {
        is(&bench.tried(&asks(name, lines)).await, State::Up, "");
    }
    for (name, lines, words) in [
        ("nothing.bank.example", "", "no such record"),
        ("www.bank.example", "record = 'MX'", "no such record"),
        ("www.bank.example", "must = ['answer == 192.0.2.1']", "no answer is like that"),
        ("www.bank.example", "must = ['answer contains 192.0.2.1']", "no answer is like that"),
        ("www.bank.example", "must = ['answer != 192.0.2.10']", "no answer is like that"),
        ("www.bank.example", "must = ['answers > 2']", "it is 2"),
        ("www.other.example", "", "refuses to answer"),
    ] {
        is(&bench.tried(&asks(name, lines)).await, State::Down, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_the_question_is_not_heard() {
    let bench = Bench::new();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    // Whoever cannot read the question cannot repeat its number; and noise is no answer at all.
    tokio::spawn(async move {
        let mut heard = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut heard).await {
            let mut forged = heard[..size].to_vec();
            forged[0] ^= 1;
            forged[2] |= 0x80;
            for said in [b"LEAKED".to_vec(), vec![0; 12], heard[..size].to_vec(), forged] {
                _ = socket.send_to(&said, from).await;
            }
        }
    });
    let lines = format!("kind = 'dns'\ntarget = 'a.example'\nserver = '127.0.0.1:{port}'\ntimeout = '300ms'");
    is(&bench.tried(&lines).await, State::Down, "no answer within 300ms");
    let (closed, port) = bound().await;
    drop(closed);
    let lines = format!("kind = 'dns'\ntarget = 'a.example'\nserver = '127.0.0.1:{port}'\ntimeout = '5s'");
    is(&bench.tried(&lines).await, State::Down, "nobody listens there");
}
