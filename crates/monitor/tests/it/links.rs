//! What processes say of their links reaches those who run the bank, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use aaa::{Caller, Credentials, Directory, Gate, Principal, Signer, Transport, Verifier};
use axum::Router;
use axum::routing::get;
use contracts::monitor::{
    Certificate, GetLinks, GetMetrics, Links, ListChecks, Lists, Outlook, Report, SERVICE, State,
};
use http::StatusCode;
use monitor::Monitor;
use store::testing::TestDatabase;
use vocabulary::{Chance, Clock, Timestamp};

const DAY: Duration = Duration::from_hours(24);

/// Counts one thing, whose name needs care.
const COUNTED: &str = r#"[{"name":"shelf_oldest_seconds","help":"The \"oldest\"","value":1.5}]"#;
const TRUTHS: &str = r#"[{"name":"doors are \"shut\"","holds":false}]"#;

/// A depot that is well and says of itself what `report` gives.
fn depot(report: impl Fn() -> Report + Clone + Send + Sync + 'static) -> Router {
    let ready = get(|| async { r#"{"ok":true}"# });
    let links = get(move || async move { serde_json::to_string(&report()).unwrap() });
    let (truths, counted) = (get(|| async { TRUTHS }), get(|| async { COUNTED }));
    let about = Router::new().route("/health/truths", truths).route("/health/measures", counted);
    about.route("/health/ready", ready).route("/inner/links", links)
}

struct World {
    monitor: Monitor,
    _own: TestDatabase,
    directory: Directory,
    clock: Clock,
    signer: Signer,
}

impl World {
    async fn new(apart: bool) -> Self {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let signer = Signer::from_seed(&[1; 32], "guichet", "guichet").unwrap();
        let verifier = Verifier::new("guichet", "guichet", clock.clone());
        verifier.trust(&signer.jwks());
        let credentials = Credentials::new("guichet").bearer(verifier);
        let gate = Gate::new(credentials, Arc::new(()), clock.clone(), Chance::seeded(1));
        let directory = Directory::default();
        let (monitor, own) = crate::open(&directory, &clock, &["depot"], apart).await;
        directory.set(SERVICE, Transport::in_process(monitor.clone().module(gate).unwrap().router));
        Self { monitor, _own: own, directory, clock, signer }
    }

    fn as_a(&self, role: &'static str) -> Caller {
        let now = self.clock.now();
        let who = Principal::named("somebody", [role]).during(now, now.plus(DAY));
        self.directory.caller().with_token(self.signer.sign(&self.signer.claims(&who)).unwrap())
    }

    async fn links(&self) -> Links {
        self.as_a("superuser").call(GetLinks {}).await.unwrap()
    }
}

/// Of a certificate that began to be valid at `from`.
fn report(instance: &str, from: Timestamp) -> Report {
    let certificate = Certificate { name: "depot".into(), serial: "01".into(), from, until: from.plus(DAY) };
    let (service, instance) = ("depot".into(), instance.into());
    Report { service, instance, at: None, certificate, public: None, lists: None, links: Vec::new() }
}

#[tokio::test]
async fn what_a_process_says_of_its_links_is_for_superusers_alone() {
    let world = World::new(true).await;
    for role in ["member", "agent"] {
        let refused = world.as_a(role).call(GetLinks {}).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{role}");
    }
    assert_eq!(world.directory.caller().call(GetLinks {}).await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    assert!(world.links().await.processes.is_empty());
}

#[tokio::test]
async fn what_is_known_can_be_scraped_by_superusers_alone() {
    let world = World::new(true).await;
    let from = world.clock.now();
    world.directory.set("depot", Transport::in_process(depot(move || report("a", from))));
    let scraped = async || {
        let document = world.as_a("superuser").call(GetMetrics {}).await.unwrap();
        assert!(document.content_type.starts_with("application/openmetrics-text"));
        String::from_utf8(document.bytes.into()).unwrap()
    };
    assert!(scraped().await.contains("guichet_up{service=\"depot\"} 0.0\n"));
    world.monitor.check_now().await;
    let text = scraped().await;
    let ends = 1_800_000_000 + 24 * 3600;
    for line in [
        "# HELP guichet_shelf_oldest_seconds The \"oldest\"".to_owned(),
        "# TYPE guichet_shelf_oldest_seconds gauge".to_owned(),
        "guichet_shelf_oldest_seconds{service=\"depot\"} 1.5".to_owned(),
        "guichet_up{service=\"depot\"} 1.0".to_owned(),
        r#"guichet_truth_holds{service="depot",truth="doors are \"shut\""} 0.0"#.to_owned(),
        format!(
            r#"guichet_certificate_ends_timestamp_seconds{{service="depot",instance="a",shown_to="services"}} {ends}.0"#
        ),
        "# EOF".to_owned(),
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
    world.directory.set("depot", Transport::in_process(Router::new()));
    world.monitor.check_now().await;
    assert!(!scraped().await.contains("shelf"), "what one that is down counted before says nothing now");
    let refused = world.as_a("agent").call(GetMetrics {}).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_certificate_that_nobody_renews_is_late_and_then_bad() {
    let world = World::new(true).await;
    let from = world.clock.now();
    world.directory.set("depot", Transport::in_process(depot(move || report("a", from))));
    for (hours, spent, outlook) in [(0, 0, Outlook::Good), (21, 875, Outlook::Late), (2, 958, Outlook::Bad)] {
        world.clock.advance(Duration::from_hours(hours));
        world.monitor.check_now().await;
        let links = world.links().await;
        let [process] = links.processes.as_slice() else { panic!("{links:?}") };
        assert_eq!((process.service.as_str(), process.told_at), ("depot", world.clock.now()));
        assert_eq!((process.certificate.spent_permille, process.certificate.outlook), (spent, outlook));
    }
}

#[tokio::test]
async fn each_instance_is_known_by_itself_and_forgotten_when_it_says_no_more() {
    let world = World::new(true).await;
    let now = world.clock.now();
    for instance in ["a", "b", "a"] {
        world.monitor.note("depot", report(instance, now));
    }
    let known: Vec<_> = world.links().await.processes.into_iter().map(|it| it.instance).collect();
    assert_eq!(known, ["a", "b"]);
    world.clock.advance(Duration::from_secs(20));
    world.monitor.note("depot", report("b", now));
    world.clock.advance(Duration::from_secs(20));
    let known: Vec<_> = world.links().await.processes.into_iter().map(|it| it.instance).collect();
    assert_eq!(known, ["b"]);
}

#[tokio::test]
async fn services_that_share_a_process_are_not_asked_about_links() {
    let world = World::new(false).await;
    let from = world.clock.now();
    world.directory.set("depot", Transport::in_process(depot(move || report("a", from))));
    world.monitor.check_now().await;
    assert!(world.links().await.processes.is_empty());
}

#[tokio::test]
async fn a_late_certificate_old_lists_and_a_clock_that_is_off_are_checks_that_are_not_well() {
    let world = World::new(true).await;
    let (from, clock) = (world.clock.now(), world.clock.clone());
    let behind = Arc::new(std::sync::Mutex::new(Duration::ZERO));
    let by = behind.clone();
    let lists = Some(Lists { from, until: from.plus(Duration::from_hours(27)) });
    let said = move || Report { at: Some(clock.now().minus(*by.lock().unwrap())), lists, ..report("a", from) };
    world.directory.set("depot", Transport::in_process(depot(said)));
    let after = async |hours, off, rounds| {
        world.clock.advance(Duration::from_hours(hours));
        *behind.lock().unwrap() = Duration::from_secs(off);
        for _ in 0..rounds {
            world.clock.advance(Duration::from_secs(2));
            world.monitor.check_now().await;
        }
        let checks = world.as_a("superuser").call(ListChecks {}).await.unwrap();
        ["certificate.depot", "lists.depot", "clock.depot"]
            .map(|name| checks.iter().find(|it| it.name.as_str() == name).unwrap().state)
    };
    assert_eq!(after(0, 1, 1).await, [State::Up, State::Up, State::Up]);
    assert_eq!(after(21, 1, 1).await, [State::Degraded, State::Up, State::Up]);
    assert_eq!(after(2, 5, 3).await, [State::Down, State::Degraded, State::Degraded]);
    assert_eq!(after(0, 40, 3).await, [State::Down, State::Degraded, State::Down]);
    assert_eq!(after(2, 0, 3).await, [State::Down, State::Down, State::Up]);
    world.directory.set("depot", Transport::in_process(Router::new()));
    let since_then = after(0, 0, 20).await;
    assert_eq!(since_then, [State::Down, State::Down, State::Unknown], "an alarm stands, and of the rest nobody knows");
}
