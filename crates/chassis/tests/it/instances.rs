//! Several instances of a service: which are called, and what happens to a call while one is dead, frozen or moving.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use chassis::{Limits, Listener, Lobby, Names, State, Way, elsewhere_by};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use vocabulary::Chance;

use crate::bed::{Bed, Wire, ask, eventually, named, request, until};

/// Who answers, of many calls.
async fn answerers(way: &Way) -> HashSet<String> {
    let mut names = HashSet::new();
    for _ in 0..10 {
        names.insert(ask(&way.transport(), request("POST", "/")).await.1);
    }
    names
}

fn those(names: &[&str]) -> HashSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_called_in_turn_and_a_dead_one_is_left_out_until_it_is_back() {
    let mut bed = Bed::new();
    let (one, two) = (bed.back(named("one")).await, bed.back(named("two")).await);
    let way = bed.way("front", "back", &[one.at, two.at]);
    assert_eq!(answerers(&way).await, those(&["one", "two"]));
    let standing = way.standings().remove(0);
    assert_eq!((standing.service.as_str(), standing.state, standing.why), ("back", State::Alive, None));
    assert_eq!(standing.peer.unwrap().name, "back");
    assert!(standing.negotiated.unwrap().withstands_quantum());
    let at = one.at;
    one.stop().await;
    until(&way, at, State::Dead).await;
    let standing = way.standings().remove(0);
    assert!(standing.why.unwrap().contains("refused"));
    assert_eq!(answerers(&way).await, those(&["two"]));
    let _one = bed.back_at(at, named("one")).await;
    until(&way, at, State::Alive).await;
    assert_eq!(answerers(&way).await, those(&["one", "two"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_connections_and_never_answers_delays_calls_for_a_moment_only() {
    let mut bed = Bed::new();
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, back) = (deaf.local_addr().unwrap(), bed.back(named("back")).await);
    let (way, begun) = (bed.way("front", "back", &[at, back.at]), Instant::now());
    for method in ["POST", "GET", "POST", "GET"] {
        assert_eq!(ask(&way.transport(), request(method, "/")).await.0, StatusCode::OK);
    }
    until(&way, at, State::Dead).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_freezes_is_left_out_within_a_second_and_back_when_it_thaws() {
    let mut bed = Bed::new();
    let (one, two) = (bed.back(named("one")).await, bed.back(named("two")).await);
    let wire = Wire::to(one.at).await;
    let way = bed.way("front", "back", &[wire.at, two.at]);
    assert_eq!(answerers(&way).await, those(&["one", "two"]));
    wire.freeze(true);
    let frozen = Instant::now();
    // These meet the frozen one on connections that stand, and go on to the other.
    for _ in 0..4 {
        assert_eq!(ask(&way.transport(), request("GET", "/")).await, (StatusCode::OK, "two".into()));
    }
    eventually("it is left out", async || way.standings()[0].state != State::Alive).await;
    assert!(frozen.elapsed() < Duration::from_secs(2), "{:?}", frozen.elapsed());
    assert_eq!(answerers(&way).await, those(&["two"]));
    until(&way, wire.at, State::Dead).await;
    wire.freeze(false);
    until(&way, wire.at, State::Alive).await;
    assert_eq!(answerers(&way).await, those(&["one", "two"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_are_dead_a_call_fails_at_once_and_says_why() {
    let mut bed = Bed::new();
    let back = bed.back(named("back")).await;
    let wire = Wire::to(back.at).await;
    let way = bed.way("front", "back", &[wire.at]);
    assert_eq!(answerers(&way).await, those(&["back"]));
    wire.freeze(true);
    // Nor is what is under way waited for longer than there is hope, if it may be repeated.
    let begun = Instant::now();
    let why = way.transport().send(request("GET", "/")).await.unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(8) && why.contains("does not answer"), "{why}");
    until(&way, wire.at, State::Dead).await;
    let begun = Instant::now();
    let why = way.transport().send(request("GET", "/")).await.unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
    assert!(why.contains("no instance of back lives") && why.contains("does not answer"), "{why}");
    wire.freeze(false);
    until(&way, wire.at, State::Alive).await;
    assert_eq!(answerers(&way).await, those(&["back"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_on_once_the_way_is_gone() {
    let mut bed = Bed::new();
    let back = bed.back(named("back")).await;
    let wire = Wire::to(back.at).await;
    let way = bed.way("front", "back", &[wire.at]);
    let transport = way.transport();
    drop(way);
    assert_eq!(ask(&transport, request("GET", "/")).await.0, StatusCode::OK);
    assert!(wire.open() > 0);
    drop(transport);
    eventually("every connection has ended", async || wire.open() == 0).await;
}

/// Names of our own making.
#[derive(Clone)]
struct Book(Arc<Mutex<Option<Vec<IpAddr>>>>, Arc<AtomicUsize>);

impl Names for Book {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        assert_eq!(host, "back.test");
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.lock().unwrap().clone().ok_or_else(|| io::Error::other("the book is shut"))
    }
}

/// The same port, free at two addresses.
async fn twins() -> [SocketAddr; 2] {
    loop {
        let one = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().address();
        let two = SocketAddr::new("127.0.0.2".parse().unwrap(), one.port());
        if Listener::bind(two).await.is_ok() {
            return [one, two];
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_a_name_is_an_instance_and_a_lookup_that_fails_changes_nothing() {
    let mut bed = Bed::new();
    let [first, second] = twins().await;
    let (_one, _two) = (bed.back_at(first, named("one")).await, bed.back_at(second, named("two")).await);
    let book = Book(Arc::new(Mutex::new(None)), Arc::default());
    let (link, address) = (bed.link("front"), format!("https://back.test:{}", first.port()));
    let way = elsewhere_by("back", &[address], &link, Chance::seeded(1), book.clone()).unwrap();
    let why = way.transport().send(request("GET", "/")).await.unwrap_err().to_string();
    assert!(why.contains("back.test") && why.contains("the book is shut"), "{why}");

    *book.0.lock().unwrap() = Some(vec![first.ip(), second.ip()]);
    until(&way, second, State::Alive).await;
    assert_eq!(answerers(&way).await, those(&["one", "two"]));
    *book.0.lock().unwrap() = Some(vec![second.ip()]);
    eventually("the first has left the book", async || way.standings().len() == 1).await;
    assert_eq!(answerers(&way).await, those(&["two"]));
    *book.0.lock().unwrap() = None;
    let looked = book.1.load(Ordering::SeqCst);
    eventually("it was looked up in vain", async || book.1.load(Ordering::SeqCst) >= looked + 2).await;
    assert_eq!(answerers(&way).await, those(&["two"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_call_even_of_those_that_may_not_be_repeated() {
    let mut bed = Bed::new();
    let done = Arc::new(AtomicUsize::new(0));
    let shop = || {
        let done = Arc::clone(&done);
        let sell = post(move || async move {
            tokio::task::yield_now().await;
            done.fetch_add(1, Ordering::SeqCst);
        });
        Router::new().route("/", sell).route("/health/live", get(|| async { "{}" }))
    };
    let mut backs = [bed.back(shop()).await, bed.back(shop()).await];
    let way = bed.way("front", "back", &[backs[0].at, backs[1].at]);
    let (stop, mut callers) = (chassis::Shutdown::default(), tokio::task::JoinSet::new());
    for _ in 0..8 {
        let (transport, stop) = (way.transport(), stop.clone());
        callers.spawn(async move {
            let mut calls = 0;
            while !stop.has_begun() {
                assert_eq!(ask(&transport, request("POST", "/")).await.0, StatusCode::OK);
                calls += 1;
            }
            calls
        });
    }
    for round in 0..6 {
        let at = backs[round % 2].at;
        let before = done.load(Ordering::SeqCst);
        eventually("calls are under way", async || done.load(Ordering::SeqCst) > before + 50).await;
        backs[round % 2].shutdown.begin();
        (&mut backs[round % 2].task).await.unwrap();
        backs[round % 2] = bed.back_at(at, shop()).await;
        until(&way, at, State::Alive).await;
    }
    stop.begin();
    let calls: usize = callers.join_all().await.into_iter().sum();
    assert_eq!(calls, done.load(Ordering::SeqCst), "each was done once");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_failed_a_moment_ago_is_asked_again_before_one_that_is_starting_has_the_last_word() {
    let mut bed = Bed::new();
    let first = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&first);
    let stumbles = get(move || async move {
        let once = count.fetch_add(1, Ordering::SeqCst) == 0;
        if once { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    });
    let router = Router::new().route("/", stumbles).route("/health/live", get(|| async { "{}" }));
    let (able, starting) = (bed.back(router).await, bed.back(Lobby::waiting_for("its database").router()).await);
    let way = bed.way("front", "back", &[able.at, starting.at]);
    until(&way, starting.at, State::LeftOut).await;
    assert_eq!(ask(&way.transport(), request("GET", "/")).await.0, StatusCode::OK);
    assert_eq!(first.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_one_is_turned_away_at_once_and_taken_by_another() {
    let mut bed = Bed::new();
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = post(move || async move {
        tell.notify_one();
        wait.notified().await;
    });
    let router = named("busy").route("/slow", slow);
    let few = Limits { under_way: 1, ..Limits::between_services() };
    let busy = bed.back_within("127.0.0.1:0".parse().unwrap(), router, few).await;
    let idle = bed.back(named("idle")).await;
    let alone = bed.way("front", "back", &[busy.at]).transport();
    let held = {
        let alone = alone.clone();
        tokio::spawn(async move { ask(&alone, request("POST", "/slow")).await.0 })
    };
    begun.notified().await;
    let answer = alone.send(request("POST", "/")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&answer.headers()["retry-after"], &answer.headers()["content-type"]),
        (&"1".parse().unwrap(), &"application/problem+json".parse().unwrap())
    );
    assert!(answer.headers().get("x-not-taken").is_none(), "that is between the two of them");
    assert_eq!(ask(&alone, request("GET", "/health/live")).await.0, StatusCode::OK);
    let way = bed.way("front", "back", &[busy.at, idle.at]);
    assert_eq!(answerers(&way).await, those(&["idle"]));
    go_on.notify_one();
    assert_eq!(held.await.unwrap(), StatusCode::OK);
    assert_eq!(ask(&alone, request("POST", "/")).await, (StatusCode::OK, "busy".into()));
}
