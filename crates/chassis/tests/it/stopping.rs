//! Stopping while clients have connections: what is on its way is answered, and nobody is kept waiting.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use rustls::ClientConnection;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;
use vocabulary::Clock;

use crate::bed::{Bed, ask, named, request};
use crate::{Served, serve};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A client that does one thing at a time.
struct Client {
    stream: TcpStream,
    tls: ClientConnection,
}

impl Client {
    fn new(served: &Served) -> Self {
        let config = pki::client_config(&served.ca, None, &Clock::system()).unwrap();
        let stream = TcpStream::connect(served.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, tls: ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap() }
    }

    fn greet(&mut self) {
        self.tls.write_tls(&mut self.stream).unwrap();
    }

    fn hear_the_answer(&mut self) {
        while self.tls.is_handshaking() {
            self.tls.read_tls(&mut self.stream).unwrap();
            self.tls.process_new_packets().unwrap();
        }
    }

    fn ask(&mut self) {
        self.tls.writer().write_all(ASK).unwrap();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream).unwrap();
        }
    }

    /// The next piece of what is said, or the end.
    fn hear(&mut self) -> String {
        let mut said = [0; 4096];
        let read = rustls::Stream::new(&mut self.tls, &mut self.stream).read(&mut said).unwrap_or(0);
        String::from_utf8(said[..read].to_vec()).unwrap()
    }
}

async fn here() -> Served {
    serve(Router::new().route("/", get(|| async { "here" }))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_on_its_way_when_it_is_time_to_stop_is_answered() {
    let served = here().await;
    let (address, mut client) = (served.address, Client::new(&served));
    client.greet();
    client.hear_the_answer();
    client.ask();
    let said = client.hear();
    assert!(said.ends_with("here") && !said.contains("connection: close"), "{said}");
    served.shutdown.begin();
    crate::bed::eventually("nobody else is let in", async || TcpStream::connect(address).is_err()).await;
    client.ask();
    let said = client.hear();
    assert!(said.ends_with("here") && said.contains("connection: close"), "{said}");
    assert_eq!(client.hear(), "");
    served.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_heard_the_greeting_when_it_is_time_to_stop_is_answered() {
    let served = here().await;
    let (address, mut client) = (served.address, Client::new(&served));
    client.greet();
    client.hear_the_answer();
    // For the client the handshake is over; the server waits for its last message.
    served.shutdown.begin();
    crate::bed::eventually("nobody else is let in", async || TcpStream::connect(address).is_err()).await;
    client.ask();
    let said = client.hear();
    assert!(said.ends_with("here") && said.contains("connection: close"), "{said}");
    served.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_leave_a_service_that_stops_so_that_it_need_not_wait_for_them() {
    let mut bed = Bed::new();
    let together = Arc::new(Barrier::new(12));
    let meet = get(move || {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
        }
    });
    let back = bed.back(named("back").route("/meet", meet)).await;
    let way = bed.way("front", "back", &[back.at]);
    let calls = (0..12).map(|_| way.transport()).map(async |way| ask(&way, request("GET", "/meet")).await.0);
    let calls: JoinSet<_> = calls.collect();
    assert_eq!(calls.join_all().await, [StatusCode::OK; 12], "on a connection each");
    let begun = Instant::now();
    back.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
