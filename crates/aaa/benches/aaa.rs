//! What the layer costs, as a ratio to a bare route served beside it in the same run.
//!
//! `cargo xtask bench aaa`, or `cargo bench -p aaa --bench aaa`. First each call over HTTP on loopback, with many
//! connections at once; then the same calls inside the process, where nothing hides the layer; then how many sign-ins a
//! second leave the other requests' 99th percentile where it was. Every request carries a token of the same length, to the
//! bare route too: what differs is the layer. Rounds are interleaved and the median is told: compare ratios of one run,
//! not numbers of two. `-- --quick` shortens it to a smoke test.
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]
#![expect(clippy::arithmetic_side_effects, clippy::cast_precision_loss, reason = "a measurement counts small numbers")]
#![expect(clippy::disallowed_methods, reason = "a measurement follows the machine's clock")]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aaa::{
    Api, Audit, Call, Credentials, Decided, Fields, Gate, Group, Guard, Hasher, In, May, On, Open, Operation, Password,
    PasswordHash, People, Principal, Problem, Right, Route, Scheme, Signed, Signer, Verdict, Verifier,
};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use base64::Engine;
use futures_util::future::{BoxFuture, join_all};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use vocabulary::{Chance, Clock};

const CONNECTIONS: usize = 32;
/// More than a verifier remembers, so that none of them is.
const TOKENS: usize = 40_000;
const PASSWORD: &str = "velvet anchor tumbles south";

struct Clerk;
impl Group for Clerk {
    const NAME: &'static str = "clerk";
}
struct SeePaper;
impl Right for SeePaper {
    const NAME: &'static str = "see paper";
    type Id = u32;
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Paper {
    id: u32,
    title: String,
}

fn paper(id: u32) -> Paper {
    Paper { id, title: "On the cost of asking who it is".into() }
}

macro_rules! operations {
    ($($name:ident $path:literal $policy:ty;)+) => {$(
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        struct $name { id: u32 }
        impl Operation for $name {
            const ROUTE: Route = Route::get("desk", $path);
            type Policy = $policy;
            type Reply = Paper;
        }
        impl $name {
            async fn answer(_: Desk, call: Call<Self, Desk>) -> Result<Paper, Problem> {
                Ok(paper(call.request.id))
            }
        }
    )+};
}
operations! {
    OpenPaper "/open/{id}" Open;
    SignedPaper "/signed/{id}" Signed;
    GroupPaper "/group/{id}" In<Clerk>;
    ObjectPaper "/object/{id}" May<In<Clerk>, SeePaper>;
}
impl On<u32> for ObjectPaper {
    fn on(&self) -> u32 {
        self.id
    }
}

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Enter {}
impl Operation for Enter {
    const ROUTE: Route = Route::get("desk", "/enter").accepts(&[Scheme::Basic]);
    type Policy = Signed;
    type Reply = String;
}

#[derive(Clone)]
struct Desk;
impl Guard<SeePaper> for Desk {
    type Row = u32;
    async fn check(&self, _: &Principal, id: u32) -> Result<Verdict<u32>, Problem> {
        Ok(Verdict::Granted(id))
    }
}

struct Staff(Hasher, PasswordHash);
impl People for Staff {
    fn sign_in<'a>(&'a self, login: &'a str, password: Password) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(async move {
            let fits = self.0.verify(password, Some(self.1.clone())).await?.is_right();
            Ok(fits.then(|| Principal::named(login, ["clerk"])))
        })
    }
    fn known<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(std::future::ready(Ok(Some(Principal::named(login, ["clerk"])))))
    }
}

/// Counts, so that nothing is left out, and writes nowhere: what a record costs to write is its sink's.
struct Counted(AtomicUsize);
impl Audit for Counted {
    fn note(&self, _: Decided) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    router: Router,
    /// Ready to be sent: making them is no part of a call.
    bearers: Vec<HeaderValue>,
    next: AtomicUsize,
}

/// One kind of request.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    path: &'static str,
    /// Whether each request shows another token.
    fresh: bool,
}

const CASES: [Case; 6] = [
    Case { name: "bare route", path: "/bare/7", fresh: false },
    Case { name: "open operation", path: "/open/7", fresh: false },
    Case { name: "token, cached", path: "/signed/7", fresh: false },
    Case { name: "token, cached + group", path: "/group/7", fresh: false },
    Case { name: "token, cached + group + object", path: "/object/7", fresh: false },
    Case { name: "token, not cached + group", path: "/group/7", fresh: true },
];

impl World {
    async fn new() -> Self {
        let (clock, chance) = (Clock::system(), Chance::system());
        let signer = Signer::from_seed(&[1; 32], "desk", "desk").unwrap();
        let verifier = Verifier::new("desk", "desk", clock.clone());
        verifier.trust(&signer.jwks());
        let now = clock.now();
        let token = |number: usize| {
            let clerk = Principal::named(&format!("clerk {number:05}"), ["clerk"]);
            let token = signer.sign(&signer.claims(&clerk.during(now, now.plus(Duration::from_hours(1))))).unwrap();
            HeaderValue::try_from(format!("Bearer {token}")).unwrap()
        };
        let cores = std::thread::available_parallelism().unwrap().get();
        let hasher = Hasher::new((cores / 2).max(1), chance.clone()).unwrap();
        let hash = hasher.hash(Password::try_from(PASSWORD.to_owned()).unwrap()).await.unwrap();
        let credentials = Credentials::new("desk").people(Staff(hasher, hash)).bearer(verifier).basic();
        let gate = Gate::new(credentials, Arc::new(Counted(AtomicUsize::new(0))), clock, chance);
        let module = Api::new(Desk, gate)
            .serve(OpenPaper::answer)
            .serve(SignedPaper::answer)
            .serve(GroupPaper::answer)
            .serve(ObjectPaper::answer)
            .serve(|_: Desk, call: Call<Enter, Desk>| async move { Ok::<_, Problem>(call.by().login.clone()) })
            .finish()
            .unwrap();
        let bare = get(|path: axum::extract::Path<u32>| async move {
            let body = serde_json::to_vec(&paper(path.0)).unwrap();
            ([(http::header::CONTENT_TYPE, "application/json")], body)
        });
        let router = module.router.route("/bare/{id}", bare);
        Self { router, bearers: (0..TOKENS).map(token).collect(), next: AtomicUsize::new(1) }
    }

    fn request<B>(&self, case: Case, body: B) -> Request<B> {
        let which = if case.fresh { self.next.fetch_add(1, Ordering::Relaxed) % TOKENS } else { 0 };
        let bearer = self.bearers[which].clone();
        Request::get(case.path).header("host", "desk").header("authorization", bearer).body(body).unwrap()
    }

    /// Seconds of each request inside the process, one after the other.
    async fn inside(&self, case: Case, requests: usize) -> f64 {
        let begun = Instant::now();
        for _ in 0..requests {
            let response = self.router.clone().oneshot(self.request(case, Body::empty())).await.unwrap();
            assert!(response.status().is_success());
            response.into_body().collect().await.unwrap();
        }
        begun.elapsed().as_secs_f64() / requests as f64
    }

    /// Seconds of each request over HTTP, many connections at once.
    async fn over_http(self: &Arc<Self>, address: SocketAddr, case: Case, requests: usize) -> f64 {
        let begun = Instant::now();
        let clients = (0..CONNECTIONS).map(|_| {
            let world = Arc::clone(self);
            tokio::spawn(async move {
                let mut sender = connect(address).await;
                for _ in 0..requests / CONNECTIONS {
                    send(&mut sender, world.request(case, Empty::new())).await;
                }
            })
        });
        for client in join_all(clients).await {
            client.unwrap();
        }
        begun.elapsed().as_secs_f64() / requests as f64
    }
}

type Sender = http1::SendRequest<Empty<bytes::Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(sender: &mut Sender, request: Request<Empty<bytes::Bytes>>) {
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    response.into_body().collect().await.unwrap();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// The 99th percentile of a signed request, in seconds, while `rate` sign-ins a second are asked for.
async fn p99(world: &Arc<World>, address: SocketAddr, rate: u32, requests: usize) -> (f64, f64) {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let flood = tokio::spawn({
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        async move {
            if rate == 0 {
                return;
            }
            let basic = base64::prelude::BASE64_STANDARD.encode(format!("clerk:{PASSWORD}"));
            let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
            while !stop.load(Ordering::Relaxed) {
                beat.tick().await;
                let (basic, done) = (basic.clone(), Arc::clone(&done));
                tokio::spawn(async move {
                    let mut sender = connect(address).await;
                    let request = Request::get("/enter").header("authorization", format!("Basic {basic}"));
                    sender.ready().await.unwrap();
                    let response = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
                    done.fetch_add(usize::from(response.status().is_success()), Ordering::Relaxed);
                });
            }
        }
    });
    let begun = Instant::now();
    let mut sender = connect(address).await;
    let mut times = Vec::with_capacity(requests);
    let mut pause = tokio::time::interval(Duration::from_millis(1));
    for _ in 0..requests {
        let begun = Instant::now();
        send(&mut sender, world.request(CASES[3], Empty::new())).await;
        times.push(begun.elapsed().as_secs_f64());
        // A client that thinks: what is measured is the wait of one person, not how much one connection can carry.
        pause.tick().await;
    }
    stop.store(true, Ordering::Relaxed);
    let served = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    flood.await.unwrap();
    times.sort_by(f64::total_cmp);
    (times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN), served)
}

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, requests) = if quick { (1, 2_000) } else { (7, 40_000) };
    let world = Arc::new(World::new().await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = world.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });

    for (title, http) in [("over HTTP, 32 connections at once", true), ("inside the process", false)] {
        let mut seconds = vec![Vec::new(); CASES.len()];
        for _ in 0..rounds {
            for (case, seconds) in CASES.iter().zip(&mut seconds) {
                let time = if http {
                    world.over_http(address, *case, requests).await
                } else {
                    world.inside(*case, requests).await
                };
                seconds.push(time);
            }
        }
        let medians: Vec<f64> = seconds.into_iter().map(median).collect();
        say(&format!(
            "\n{title}: µs a request, and the ratio to the bare route (median of {rounds} interleaved rounds)"
        ));
        for (case, time) in CASES.iter().zip(&medians) {
            say(&format!("  {:32} {:8.2}  {:5.2} ×", case.name, time * 1e6, time / medians[0]));
        }
    }

    let samples = if quick { 300 } else { 4_000 };
    say("\nsign-ins a second, and the 99th percentile of a signed request beside them");
    let (calm, _) = p99(&world, address, 0, samples).await;
    for rate in [0, 5, 10, 20, 40, 80, 160] {
        let (time, served) = p99(&world, address, rate, samples).await;
        say(&format!("  asked {rate:4}  served {served:6.1}  p99 {:8.2} ms  {:5.2} × calm", time * 1e3, time / calm));
    }
}
