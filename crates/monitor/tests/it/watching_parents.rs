//! Checks that need others: whose fault a failure is, and that only that one alarms.

use contracts::monitor::{CheckSpec, SetCheck, Span, State};
use http::StatusCode;

use crate::watching::{Bench, Target};
use crate::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_behind_another_opens_in_silence() {
    for bench in Bench::all(&[], "").await {
        let (mut router, mut shop) = (Target::new(), Target::new());
        bench.set("router", router.spec()).await;
        let parents = vec!["router".parse().unwrap()];
        bench.set("shop", CheckSpec { parents: parents.clone(), ..shop.spec() }).await;
        bench.rounds(2).await;
        router.fall();
        shop.fall();
        bench.rounds(6).await;
        let open = bench.incidents().await;
        let of = |name: &str| open.iter().find(|it| it.check.as_str() == name).unwrap().clone();
        assert_eq!((of("router").behind, of("shop").behind), (None, Some(parents[0].clone())));
        assert_eq!(bench.told().await.iter().filter(|it| *it == "INCIDENT_OPENED").count(), 1);
        router.rise();
        bench.rounds(6).await;
        let open = bench.incidents().await;
        assert_eq!(open.iter().find(|it| it.check.as_str() == "shop").unwrap().behind, None);
        assert_eq!(bench.told().await.iter().filter(|it| *it == "INCIDENT_OPENED").count(), 2, "now it is alone");
        let circle = SetCheck {
            name: "router".parse().unwrap(),
            spec: CheckSpec { parents: vec!["shop".parse().unwrap()], ..router.spec() },
        };
        let refused = bench.superuser().call(circle).await.unwrap_err();
        assert_eq!((refused.status(), refused.faults()[0].field.as_str()), (StatusCode::BAD_REQUEST, "spec.parents"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_sooner_than_what_it_needs_waits_until_it_is_known_whose_fault_it_is() {
    let bench = Bench::on(TestDatabase::sqlite().unwrap(), &[], "").await;
    // What it needs takes its time to fail: it answers no more, and the check waits for as long as it may.
    let (answers, answering) = tokio::sync::watch::channel(true);
    let answer = axum::routing::get(move || {
        let mut answering = answering.clone();
        async move { _ = answering.wait_for(|answers| *answers).await }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", answer)).await });
    let router = serde_json::json!({
        "kind": "http", "target": format!("http://{address}/"), "private": true, "every": "10s", "timeout": "5s",
        "alarm_after": 1,
    });
    bench.set("router", serde_json::from_value(router).unwrap()).await;
    let mut target = Target::new();
    let parents = vec!["router".parse().unwrap()];
    let each_second = Span::seconds(1);
    let spec = CheckSpec {
        parents: parents.clone(),
        every: each_second,
        timeout: each_second,
        alarm_after: 1,
        ..target.spec()
    };
    bench.set("shop", spec).await;
    let shutdown = Shutdown::default();
    let watching = tokio::spawn(bench.monitor.clone().watch(shutdown.clone()));
    let until = async |so: &(dyn Fn(&[State], usize) -> bool + Sync)| {
        let so = async {
            loop {
                let states = [bench.state("router").await, bench.state("shop").await];
                if so(&states, bench.incidents().await.len()) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(40), so).await.unwrap();
    };
    until(&|states, _| states == [State::Up, State::Up]).await;
    answers.send_replace(false);
    target.fall();
    until(&|_, incidents| incidents == 2).await;
    let shop = bench.incidents().await.into_iter().find(|it| it.check.as_str() == "shop").unwrap();
    assert_eq!(shop.behind, Some(parents[0].clone()));
    shutdown.begin();
    watching.await.unwrap();
}
