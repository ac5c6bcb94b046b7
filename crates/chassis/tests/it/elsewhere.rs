//! Services that call each other over mutual TLS: who is let in, who is believed, and what happens when one is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aaa::{ClientCertificate, OnBehalf, Transport};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use chassis::{Listener, Lobby, Rules, Shutdown, behind_door, elsewhere};
use http::StatusCode;
use http_body_util::BodyExt;
use pki::{Authority, Identity};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use vocabulary::{Chance, Clock};

/// An authority, and what its services are.
struct Bed {
    authority: Authority,
    clock: Clock,
    chance: Chance,
    _folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, chance) = (Clock::system(), Chance::seeded(7));
        let (authority, _) = Authority::open_or_create(folder.path(), "Test", &clock, &chance).unwrap();
        Self { authority, clock, chance, _folder: folder }
    }

    fn identity(&self, service: &str) -> Identity {
        let request = pki::Request::service(service, [service]);
        self.authority.issue(&request, &self.clock, &self.chance).unwrap().identity().unwrap()
    }

    fn tls(&self, service: &str) -> Arc<rustls::ServerConfig> {
        let ca = self.authority.certificate_pem();
        Arc::new(pki::server_config(&self.identity(service), Some(ca), &self.clock).unwrap())
    }

    /// An instance of the service `back`.
    async fn back(&self, router: Router) -> (String, Shutdown) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, shutdown) = (format!("https://{}", listener.address()), Shutdown::default());
        tokio::spawn(listener.serve(router, self.tls("back"), shutdown.clone()));
        (address, shutdown)
    }

    fn way(&self, own: &str, service: &str, addresses: &[String]) -> Transport {
        let (ca, own) = (self.authority.certificate_pem(), self.identity(own));
        let tls = pki::client_config(ca, Some(&own), &self.clock).unwrap();
        elsewhere(service, addresses, tls, self.chance.clone()).unwrap()
    }
}

/// Says who calls, and for whom.
fn who() -> Router {
    Router::new().fallback(|request: Request| async move {
        let peer = request.extensions().get::<ClientCertificate>().map(|it| it.name.clone());
        let client = request.extensions().get::<OnBehalf>().map(|OnBehalf(client)| client.clone());
        format!("{peer:?} {client:?} {:?}", request.headers().get("x-on-behalf-of"))
    })
}

fn request(method: &str, path: &str) -> Request {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

async fn ask(way: &Transport, request: Request) -> (StatusCode, String) {
    let (parts, body) = way.send(request).await.unwrap().into_parts();
    (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_comes_in_by_the_rules_and_only_some_speak_for_clients() {
    let bed = Bed::new();
    let rules = Rules {
        service: "back",
        admits: |peer, service, path| service == "back" && (peer == Some("front") || path == "/health"),
        believes: |peer| peer == "front",
    };
    let (address, _shutdown) = bed.back(behind_door(who(), rules)).await;
    let (front, other) =
        (bed.way("front", "back", std::slice::from_ref(&address)), bed.way("other", "back", &[address]));
    let mut asked = request("GET", "/");
    asked.extensions_mut().insert(OnBehalf("192.0.2.7".into()));
    let heard = ask(&front, asked).await;
    assert_eq!(heard, (StatusCode::OK, r#"Some("front") Some("192.0.2.7") None"#.into()));
    // What a client wrote into the header is not what the front says of it.
    let mut asked = request("GET", "/");
    asked.headers_mut().insert("x-on-behalf-of", "192.0.2.9".parse().unwrap());
    assert_eq!(ask(&front, asked).await.1, r#"Some("front") None None"#);
    let mut asked = request("GET", "/health");
    asked.extensions_mut().insert(OnBehalf("192.0.2.7".into()));
    assert_eq!(ask(&other, asked).await.1, r#"Some("other") None None"#);
    let (status, said) = ask(&other, request("GET", "/")).await;
    assert!(status == StatusCode::FORBIDDEN && said.contains("peer-refused") && said.contains("`other`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_called_by_its_name_wherever_it_stands() {
    let bed = Bed::new();
    let (address, _shutdown) = bed.back(who()).await;
    let mistaken = bed.way("front", "vault", &[address]).send(request("GET", "/")).await;
    let why = mistaken.map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("vault") && why.contains("certificate"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_gone_or_cannot_serve_is_passed_over() {
    let bed = Bed::new();
    let (here, _here) = bed.back(who()).await;
    let (gone, shutdown) = bed.back(who()).await;
    let (waiting, _waiting) = bed.back(Lobby::waiting_for("its database").router()).await;
    shutdown.begin();
    let way = bed.way("front", "back", &[gone, here, waiting.clone()]);
    for _ in 0..20 {
        assert_eq!(ask(&way, request("GET", "/")).await.0, StatusCode::OK);
    }
    let (status, said) =
        ask(&bed.way("front", "back", std::slice::from_ref(&waiting)), request("GET", "/health/ready")).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && said.contains("waits for its database"), "{said}");
    let (status, _) = ask(&bed.way("front", "back", &[waiting]), request("GET", "/health/live")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_done_is_not_asked_twice_unless_that_does_no_harm() {
    let bed = Bed::new();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", socket.local_addr().unwrap());
    let (tls, heard) = (TlsAcceptor::from(bed.tls("back")), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&heard);
    // Takes a request, and dies over it.
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let Ok(mut stream) = tls.accept(stream).await else { continue };
            if stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let way = bed.way("front", "back", &[address]);
    let mut keyed = request("POST", "/");
    keyed.headers_mut().insert("idempotency-key", "one".parse().unwrap());
    for (asked, times) in [(request("POST", "/"), 1), (request("GET", "/"), 4), (keyed, 4)] {
        let before = heard.load(Ordering::SeqCst);
        assert!(way.send(asked).await.is_err());
        assert_eq!(heard.load(Ordering::SeqCst) - before, times);
    }
}
