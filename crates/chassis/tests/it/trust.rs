//! Connections that stand while certificates are renewed, revoked, or end.

use std::sync::Arc;
use std::time::Duration;

use aaa::ClientCertificate;
use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use chassis::State;
use http::StatusCode;
use pki::Link;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vocabulary::Clock;

use crate::bed::{Back, Bed, ask, eventually, named, request, until, way};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: back\r\n\r\n";

async fn connect(link: &Link, back: &Back) -> TlsStream<TcpStream> {
    let config = Arc::new(link.client_config().unwrap());
    let stream = TcpStream::connect(back.at).await.unwrap();
    TlsConnector::from(config).connect("back".try_into().unwrap(), stream).await.unwrap()
}

async fn rest(stream: &mut TlsStream<TcpStream>) -> String {
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(8), stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8(said).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_caller_loses_its_connections_and_what_is_under_way_is_answered() {
    let mut bed = Bed::new();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = get(move || async move {
        tell.notify_one();
        wait.notified().await;
        "at last"
    });
    let back = bed.back(Router::new().route("/", slow)).await;
    let (good, bad) = (bed.link("good"), bed.link("bad"));
    let (mut idle, mut busy) = (connect(&bad, &back).await, connect(&bad, &back).await);
    let mut other = connect(&good, &back).await;
    busy.write_all(ASK).await.unwrap();
    begun.notified().await;
    bed.revoke("bad");
    back.link.replace_trust(bed.trust()).unwrap();
    assert_eq!(rest(&mut idle).await, "", "it was only left");
    go_on.notify_one();
    let said = rest(&mut busy).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("at last"), "{said}");
    other.write_all(ASK).await.unwrap();
    begun.notified().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_certificate_has_ended_loses_its_connections() {
    let clock = Clock::manual("2026-11-21T09:30:00Z".parse().unwrap());
    let mut bed = Bed::at(clock.clone());
    let (back, front) = (bed.back(named("back")).await, bed.link("front"));
    let mut stream = connect(&front, &back).await;
    stream.write_all(ASK).await.unwrap();
    assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
    clock.advance(Duration::from_hours(25));
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_service_is_called_no_more_even_where_a_connection_stands() {
    let mut bed = Bed::new();
    let (back, front) = (bed.back(named("back")).await, bed.link("front"));
    let way = way(&front, "back", &[back.at]);
    assert_eq!(ask(&way.transport(), request("GET", "/")).await.0, StatusCode::OK);
    bed.revoke("back");
    front.replace_trust(bed.trust()).unwrap();
    let why = way.transport().send(request("GET", "/")).await.unwrap_err().to_string();
    assert!(why.contains("evoked"), "{why}");
    until(&way, back.at, State::Dead).await;
    assert!(way.standings()[0].why.as_ref().unwrap().contains("evoked"), "{:?}", way.standings());
    // Renewed it is called again, without anybody's help.
    back.link.replace_identity(bed.identity("back")).unwrap();
    until(&way, back.at, State::Alive).await;
    assert_eq!(ask(&way.transport(), request("GET", "/")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_caller_that_wants_to_resume_is_refused() {
    let mut bed = Bed::new();
    let (back, front) = (bed.back(named("back")).await, bed.link("front"));
    let mut config = front.client_config().unwrap();
    config.resumption = rustls::client::Resumption::in_memory_sessions(16);
    let config = TlsConnector::from(Arc::new(config));
    let ask = async || {
        let stream = TcpStream::connect(back.at).await?;
        let mut stream = config.connect("back".try_into().unwrap(), stream).await?;
        stream.write_all(ASK).await?;
        let read = stream.read(&mut [0; 512]).await?;
        std::io::Result::Ok(read > 0)
    };
    for _ in 0..2 {
        assert!(ask().await.unwrap());
    }
    bed.revoke("front");
    back.link.replace_trust(bed.trust()).unwrap();
    let refused = ask().await.unwrap_err().to_string();
    assert!(refused.contains("Revoked"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_replaced_is_shown_on_the_next_request() {
    let mut bed = Bed::new();
    let who = Router::new().fallback(|request: Request| async move {
        request.extensions().get::<ClientCertificate>().map(|it| it.name.clone()).unwrap_or_default()
    });
    let (back, front) = (bed.back(who).await, bed.link("front"));
    let way = way(&front, "back", &[back.at]);
    assert_eq!(ask(&way.transport(), request("POST", "/")).await.1, "front");
    let serial = || way.standings()[0].peer.as_ref().map(|peer| peer.serial.clone());
    let before = serial();
    front.replace_identity(bed.identity("other")).unwrap();
    back.link.replace_identity(bed.identity("back")).unwrap();
    assert_eq!(ask(&way.transport(), request("POST", "/")).await.1, "other");
    eventually("the caller sees the service's new certificate", async || serial() != before).await;
}
