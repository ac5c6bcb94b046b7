//! The chassis through its public door: a real listener with a real certificate, and a real store.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod bed;
mod elsewhere;
mod instances;
mod stopping;
mod trust;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aaa::{Audit, Decided, Decision};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use chassis::{AuditLog, Limits, Listener, ListenerError, Shutdown};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use store::{Database, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vocabulary::{Chance, Clock};

struct Served {
    address: SocketAddr,
    ca: String,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

async fn serve(router: Router) -> Served {
    serve_within(router, Limits::default()).await
}

async fn serve_within(router: Router, limits: Limits) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let (clock, chance) = (Clock::system(), Chance::system());
    let (authority, _) = pki::Authority::open_or_create(&folder.path().join("tls"), "Test", &clock, &chance).unwrap();
    let identity = authority.issue(&pki::Request::https(["localhost"]), &clock, &chance).unwrap().identity().unwrap();
    let tls = Arc::new(pki::server_config(&identity, None, &clock).unwrap());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with(limits);
    let (address, shutdown) = (listener.address(), Shutdown::default());
    let task = tokio::spawn(listener.serve(router, tls, shutdown.clone()));
    Served { address, ca: authority.certificate_pem().to_owned(), shutdown, task, _folder: folder }
}

/// A connection that speaks `protocol`.
async fn connect(served: &Served, protocol: &str) -> TlsStream<TcpStream> {
    let mut config = pki::client_config(&served.ca, None, &Clock::system()).unwrap();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(served.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

async fn ask(served: &Served, path: &str) -> (StatusCode, String) {
    let tls = connect(served, "http/1.1").await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_https_and_knows_who_connected() {
    let who = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() });
    let served = serve(Router::new().route("/", who)).await;
    assert_eq!(ask(&served, "/").await, (StatusCode::OK, "127.0.0.1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_is_given_before_it_stops() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = get(move || async move {
        tell.notify_one();
        wait.notified().await;
        "at last"
    });
    let served = serve(Router::new().route("/", slow)).await;
    let stop = async {
        begun.notified().await;
        served.shutdown.begin();
        go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(ask(&served, "/"), stop);
    assert_eq!(answer, (StatusCode::OK, "at last".into()));
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "the port is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_finishes_its_handshake_holds_up_nobody() {
    let served = serve(Router::new().route("/", get(|| async { "here" }))).await;
    let _silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(ask(&served, "/").await.1, "here");
    served.shutdown.begin();
    served.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_makes_room_for_others() {
    let soon = Duration::from_millis(100);
    let few = Limits { connections: 2, opening: soon, idle: soon, parting: soon, ..Limits::default() };
    let served = serve_within(Router::new().route("/", get(|| async { "here" })), few).await;
    for protocol in ["http/1.1", "h2"] {
        let (one, other) = tokio::join!(connect(&served, protocol), connect(&served, protocol));
        assert_eq!(ask(&served, "/").await.1, "here", "{protocol}: while two silent ones hold every place");
        drop((one, other));
    }
    // One that speaks HTTP/2, answers what it must, and asks nothing.
    let tls = connect(&served, "h2").await;
    let (_sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(TokioExecutor::new(), TokioIo::new(tls))
            .await
            .unwrap();
    connection.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let limits = Limits { body: Duration::from_millis(100), ..Limits::default() };
    let read = post(|body: axum::body::Body| async move { body.collect().await.err().unwrap().to_string() });
    let served = serve_within(Router::new().route("/", read), limits).await;
    let mut tls = connect(&served, "http/1.1").await;
    tls.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("the body did not arrive in time"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_ignores_the_farewell_does_not_delay_the_stop() {
    let limits = Limits { farewell: Duration::from_hours(1), parting: Duration::from_millis(50), ..Limits::default() };
    let served = serve_within(Router::new(), limits).await;
    let mut tls = connect(&served, "h2").await;
    // Preface and empty settings; nothing is ever answered.
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    assert_ne!(tls.read(&mut [0; 9]).await.unwrap(), 0, "it is being served");
    served.shutdown.begin();
    served.task.await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let first = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let second = Listener::bind(first.address()).await.err().unwrap();
    assert!(matches!(second, ListenerError::Taken(address) if address == first.address()));
    assert!(second.to_string().contains("--listen"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_stand_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, database) = (Clock::system(), Database::Sqlite { path: folder.path().join("a.sqlite") });
    let store = Store::open(&database, &[], clock.clone()).await.unwrap();
    let log = AuditLog::start(store.clone(), Chance::seeded(1));
    for status in [201, 403] {
        let at = clock.now();
        log.note(Decided::new(move || Decision {
            at,
            operation: "POST /things".into(),
            path: "/things".into(),
            by: None,
            login: None,
            object: None,
            groups: Vec::new(),
            scheme: None,
            policy: "open".into(),
            status,
            code: None,
            cause: None,
            trace_id: "t".into(),
            client: None,
        }));
    }
    log.flush().await;
    assert_eq!(store.dump().await.unwrap()["audit"].len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_served_to_this_machine_alone() {
    let router = || Router::new().route("/", get(|| async { "here" }));
    let (listener, shutdown) = (Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap(), Shutdown::default());
    let address = listener.address();
    let task = tokio::spawn(listener.serve_plain(router(), shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("here"), "{answer}");
    shutdown.begin();
    assert!(task.await.unwrap().is_ok());
    let open = Listener::bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    let refused = open.serve_plain(router(), Shutdown::default()).await;
    assert!(matches!(refused, Err(ListenerError::Exposed(_))));
}
