//! What a link between services costs: handshakes a second, and requests a second beside plain HTTP in the same run.
//!
//! `cargo xtask bench link`, or `cargo bench -p chassis --bench link`. Client and server share this process and its cores.
//! A handshake is a whole one, certificates on both sides, and counts when both sides are through with it. Requests go over
//! connections that are kept alive: plain, over mutual TLS, and by the way that services call each other. Rounds are
//! interleaved and the median is told: compare ratios of one run, not numbers of two. `-- --quick` is a smoke test.
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]
#![expect(clippy::arithmetic_side_effects, clippy::cast_precision_loss, reason = "a measurement counts small numbers")]
#![expect(clippy::disallowed_methods, reason = "a measurement follows the machine's clock")]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use aaa::Transport;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use chassis::{Listener, Shutdown, elsewhere};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki::{Authority, Link, Negotiated, Trust};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vocabulary::{Chance, Clock};

/// Connections at once.
const CONNECTIONS: usize = 32;
/// What the bank's small answers are like, and its longest lists.
const BODIES: [(&str, usize); 2] = [("/small", 300), ("/list", 16 * 1024)];

type Sender = http1::SendRequest<Empty<Bytes>>;

/// How requests travel.
#[derive(Clone, Copy, PartialEq)]
enum Travel {
    Plain,
    Mutual,
    Called,
}

const TRAVELS: [(Travel, &str); 3] = [
    (Travel::Plain, "plain HTTP"),
    (Travel::Mutual, "mutual TLS"),
    (Travel::Called, "mutual TLS, as services call each other"),
];

struct Bed {
    plain: SocketAddr,
    mutual: SocketAddr,
    tls: TlsConnector,
    way: Transport,
}

impl Bed {
    async fn new() -> Self {
        let (clock, chance) = (Clock::system(), Chance::system());
        let folder = tempfile::tempdir().unwrap();
        let (authority, _) = Authority::open_or_create(folder.path(), "Bench", &clock, &chance).unwrap();
        let link = |name: &str| {
            let issued = authority.issue(&pki::Request::service(name, [name]), &clock, &chance).unwrap();
            Link::new(issued.identity().unwrap(), Trust::of(authority.certificate_pem()).unwrap(), &clock).unwrap()
        };
        let router = BODIES.iter().fold(Router::new(), |router, (path, length)| {
            let body = Bytes::from(vec![b'7'; *length]);
            router.route(path, get(move || std::future::ready(body.clone())))
        });
        // The way asks whether the other side lives.
        let router = router.route("/health/live", get(|| async { "{}" }));
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let plain = listener.address();
        tokio::spawn(listener.serve_plain(router.clone(), Shutdown::default()));
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let mutual = listener.address();
        tokio::spawn(listener.serve_mutual(router, link("back"), Shutdown::default()).unwrap());
        let front = link("front");
        let tls = TlsConnector::from(Arc::new(front.client_config().unwrap()));
        let way = elsewhere("back", &[format!("https://{mutual}")], &front, chance).unwrap().transport();
        Self { plain, mutual, tls, way }
    }

    async fn shake(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.mutual).await.unwrap();
        stream.set_nodelay(true).unwrap();
        self.tls.connect(ServerName::try_from("back").unwrap(), stream).await.unwrap()
    }

    /// Handshakes a second.
    async fn handshakes(self: &Arc<Self>, count: usize) -> f64 {
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let bed = Arc::clone(self);
            clients.spawn(async move {
                for _ in 0..count / CONNECTIONS {
                    let mut stream = bed.shake().await;
                    // The server says good-bye when it has believed our certificate and read ours.
                    stream.shutdown().await.unwrap();
                    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
                }
            });
        }
        clients.join_all().await;
        (count / CONNECTIONS * CONNECTIONS) as f64 / begun.elapsed().as_secs_f64()
    }

    /// Requests a second, on connections that stand when the watch starts.
    async fn requests(self: &Arc<Self>, travel: Travel, path: &'static str, count: usize) -> f64 {
        let mut senders = Vec::new();
        for _ in 0..CONNECTIONS {
            senders.push(match travel {
                Travel::Plain => {
                    let stream = TcpStream::connect(self.plain).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    Some(converse(stream).await)
                }
                Travel::Mutual => Some(converse(self.shake().await).await),
                Travel::Called => None,
            });
        }
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for mut sender in senders {
            let way = self.way.clone();
            clients.spawn(async move {
                for _ in 0..count / CONNECTIONS {
                    let request = Request::get(path).header("host", "back");
                    let status = if let Some(sender) = &mut sender {
                        sender.ready().await.unwrap();
                        let answer = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
                        let (parts, body) = answer.into_parts();
                        body.collect().await.unwrap();
                        parts.status
                    } else {
                        let (parts, body) = way.send(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
                        body.collect().await.unwrap();
                        parts.status
                    };
                    assert!(status.is_success(), "{status}");
                }
            });
        }
        clients.join_all().await;
        (count / CONNECTIONS * CONNECTIONS) as f64 / begun.elapsed().as_secs_f64()
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, handshakes, requests) = if quick { (1, 320, 3_200) } else { (7, 4_000, 40_000) };
    let bed = Arc::new(Bed::new().await);
    let agreed = Negotiated::of(bed.shake().await.get_ref().1).unwrap();
    let cores = std::thread::available_parallelism().unwrap();
    say(&format!("\n{} {} {}, client and server on {cores} cores", agreed.protocol, agreed.group, agreed.cipher));

    let mut shaken = Vec::new();
    let mut rates = vec![Vec::new(); TRAVELS.len() * BODIES.len()];
    for _ in 0..rounds {
        shaken.push(bed.handshakes(handshakes).await);
        let cases = BODIES.iter().flat_map(|(path, _)| TRAVELS.iter().map(move |(travel, _)| (*path, *travel)));
        for ((path, travel), rates) in cases.zip(&mut rates) {
            rates.push(bed.requests(travel, path, requests).await);
        }
    }
    say(&format!("\nfull handshakes a second, {CONNECTIONS} at once (median of {rounds} interleaved rounds)"));
    say(&format!("  {:8.0}", median(shaken)));
    let rates: Vec<f64> = rates.into_iter().map(median).collect();
    for ((_, length), rates) in BODIES.iter().zip(rates.chunks(TRAVELS.len())) {
        say(&format!(
            "\nrequests a second with answers of {length} bytes, {CONNECTIONS} connections kept alive, and the ratio to plain"
        ));
        for ((_, name), rate) in TRAVELS.iter().zip(rates) {
            say(&format!("  {name:40} {rate:8.0}  {:5.2} ×", rate / rates[0]));
        }
    }
}
