//! Services that call each other over mutual TLS: who is let in, who is believed, and what happens when one is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aaa::{ClientCertificate, OnBehalf};
use axum::Router;
use axum::extract::Request;
use chassis::{Lobby, Rules, State, behind_door};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::bed::{Bed, ask, eventually, request, until};

/// Says who calls, and for whom.
fn who() -> Router {
    Router::new().fallback(|request: Request| async move {
        let peer = request.extensions().get::<ClientCertificate>().map(|it| it.name.clone());
        let client = request.extensions().get::<OnBehalf>().map(|OnBehalf(client)| client.clone());
        format!("{peer:?} {client:?} {:?}", request.headers().get("x-on-behalf-of"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_comes_in_by_the_rules_and_only_some_speak_for_clients() {
    let mut bed = Bed::new();
    let rules = Rules {
        service: "back",
        admits: |peer, service, path| service == "back" && (peer == Some("front") || path.starts_with("/health")),
        believes: |peer| peer == "front",
    };
    let back = bed.back(behind_door(who(), rules)).await;
    let (front, other) =
        (bed.way("front", "back", &[back.at]).transport(), bed.way("other", "back", &[back.at]).transport());
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
    let mut bed = Bed::new();
    let back = bed.back(who()).await;
    let way = bed.way("front", "vault", &[back.at]);
    let mistaken = way.transport().send(request("GET", "/")).await;
    let why = mistaken.map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("vault") && why.contains("certificate"), "{why}");
    until(&way, back.at, State::Dead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_gone_or_cannot_serve_is_passed_over() {
    let mut bed = Bed::new();
    let (here, gone) = (bed.back(who()).await, bed.back(who()).await);
    let waiting = bed.back(Lobby::waiting_for("its database").router()).await;
    let at = gone.at;
    gone.stop().await;
    let way = bed.way("front", "back", &[at, here.at, waiting.at]).transport();
    for _ in 0..20 {
        assert_eq!(ask(&way, request("GET", "/")).await.0, StatusCode::OK);
        // It was handed back, so it does no harm to ask another one.
        assert_eq!(ask(&way, request("POST", "/")).await.0, StatusCode::OK);
    }
    let alone = bed.way("front", "back", &[waiting.at]);
    until(&alone, waiting.at, State::LeftOut).await;
    let (status, said) = ask(&alone.transport(), request("GET", "/health/ready")).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && said.contains("waits for its database"), "{said}");
    assert_eq!(ask(&alone.transport(), request("GET", "/health/live")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_done_is_not_asked_twice_unless_that_does_no_harm() {
    let mut bed = Bed::new();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let tls = TlsAcceptor::from(Arc::new(bed.link("back").server_config().unwrap()));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    // Says that it lives, and dies over everything else.
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let (tls, count) = (tls.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let (mut stream, mut bytes) = (tls.accept(stream).await.unwrap(), [0; 512]);
                while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                    if !bytes[..read].starts_with(b"GET /health/live") {
                        count.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            });
        }
    });
    let way = bed.way("front", "back", &[at]);
    let mut keyed = request("POST", "/");
    keyed.headers_mut().insert("idempotency-key", "one".parse().unwrap());
    for (asked, times) in [(request("POST", "/"), 1), (request("GET", "/"), 4), (keyed, 4)] {
        let before = heard.load(Ordering::SeqCst);
        assert!(way.transport().send(asked).await.is_err());
        assert_eq!(heard.load(Ordering::SeqCst) - before, times);
    }
    eventually("it still lives", async || way.standings()[0].state == State::Alive).await;
}
