//! When checks are made, what follows, and what people may do about it: through the door, with something real to check.

use std::net::TcpListener;

use aaa::{Principal, Problem, Signer};
use contracts::Limit;
use contracts::monitor::{
    AcknowledgeIncident, AnnounceMaintenance, Check, CheckKind, CheckSpec, EndMaintenance, GetBoard, GetIncident,
    GetWholeHistory, Incident, ListChecks, ListIncidents, ListMaintenances, NoteIncident, RemoveCheck, SetCheck, Span,
    State, TryCheck,
};
use http::StatusCode;
use tempfile::TempDir;

use crate::*;

const EVERY: Duration = Duration::from_secs(10);

/// A monitor that can be restarted, and somebody who may call it.
pub(crate) struct Bench {
    /// Dropped last of all.
    database: TestDatabase,
    pub(crate) folder: TempDir,
    pub(crate) directory: Directory,
    pub(crate) clock: Clock,
    signer: Signer,
    pub(crate) monitor: Monitor,
    pub(crate) store: Store,
    services: Vec<&'static str>,
}

/// Something that listens, until it is told not to.
pub(crate) struct Target {
    pub(crate) port: u16,
    listener: Option<TcpListener>,
}

impl Target {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { port: listener.local_addr().unwrap().port(), listener: Some(listener) }
    }

    pub(crate) fn fall(&mut self) {
        self.listener = None;
    }

    pub(crate) fn rise(&mut self) {
        self.listener = Some(TcpListener::bind(("127.0.0.1", self.port)).unwrap());
    }

    pub(crate) fn spec(&self) -> CheckSpec {
        let written = serde_json::json!({
            "kind": "tcp", "target": format!("127.0.0.1:{}", self.port), "private": true, "every": "10s",
            "timeout": "5s", "public": true,
        });
        serde_json::from_value(written).unwrap()
    }
}

impl Bench {
    pub(crate) async fn all(services: &[&'static str], settings: &str) -> Vec<Self> {
        let mut benches = Vec::new();
        for database in databases().await.unwrap() {
            benches.push(Self::on(database, services, settings).await);
        }
        benches
    }

    pub(crate) async fn on(database: TestDatabase, services: &[&'static str], settings: &str) -> Self {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let (folder, directory) = (tempfile::tempdir().unwrap(), Directory::default());
        let signer = Signer::from_seed(&[1; 32], "guichet", "guichet").unwrap();
        std::fs::write(folder.path().join("monitor.toml"), settings).unwrap();
        let (monitor, store) = started(&database, &clock, &directory, &folder, &signer, services).await;
        let services = services.to_vec();
        Self { database, folder, directory, clock, signer, monitor, store, services }
    }

    /// The same bank, another process.
    pub(crate) async fn restart(&mut self) {
        let started = started(&self.database, &self.clock, &self.directory, &self.folder, &self.signer, &self.services);
        (self.monitor, self.store) = started.await;
    }

    pub(crate) async fn set_settings(&mut self, settings: &str) {
        std::fs::write(self.folder.path().join("monitor.toml"), settings).unwrap();
        self.restart().await;
    }

    fn as_a(&self, role: &'static str) -> Caller {
        let now = self.clock.now();
        let who = Principal::named("sophie", [role]).during(now, now.plus(Duration::from_hours(1)));
        self.directory.caller().with_token(self.signer.sign(&self.signer.claims(&who)).unwrap())
    }

    pub(crate) fn superuser(&self) -> Caller {
        self.as_a("superuser")
    }

    /// Makes every check so many times, ten seconds apart.
    pub(crate) async fn rounds(&self, count: u32) {
        for _ in 0..count {
            self.clock.advance(EVERY);
            self.monitor.check_now().await;
        }
    }

    pub(crate) async fn set(&self, name: &str, spec: CheckSpec) -> Check {
        self.superuser().call(SetCheck { name: name.parse().unwrap(), spec }).await.unwrap()
    }

    pub(crate) async fn state(&self, name: &str) -> State {
        let checks = self.superuser().call(ListChecks {}).await.unwrap();
        checks.iter().find(|check| check.name.as_str() == name).unwrap().state
    }

    pub(crate) async fn incidents(&self) -> Vec<Incident> {
        let all = ListIncidents { check: None, open: None, cursor: None, limit: Limit::default() };
        self.superuser().call(all).await.unwrap().items
    }

    pub(crate) async fn told(&self) -> Vec<String> {
        let dump = self.store.dump().await.unwrap();
        let outbox = dump.iter().find(|(table, _)| table.contains("outbox") && !table.contains("head")).unwrap().1;
        let known = contracts::events::Action::ALL.iter().map(|action| action.name());
        let told = |row: &String| {
            // How a row is written is up to the database.
            let row = row.replace(['"', '\\', ' '], "");
            known.clone().find(|name| row.contains(&format!("action:{name},")))
        };
        let mut told: Vec<String> = outbox.iter().filter_map(told).map(ToOwned::to_owned).collect();
        told.sort();
        told
    }
}

async fn started(
    database: &TestDatabase,
    clock: &Clock,
    directory: &Directory,
    folder: &TempDir,
    signer: &Signer,
    services: &[&'static str],
) -> (Monitor, Store) {
    let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
    let settings = Settings::read(&folder.path().join("monitor.toml")).unwrap();
    let (directory, services) = (directory.clone(), services.to_vec());
    let chance = Chance::system();
    let plan = Plan { directory: directory.clone(), services, apart: false, store: store.clone(), chance, settings };
    let monitor = Monitor::open(plan).await.unwrap();
    let verifier = Verifier::new("guichet", "guichet", clock.clone());
    verifier.trust(&signer.jwks());
    let gate = Gate::new(Credentials::new("guichet").bearer(verifier), Arc::new(()), clock.clone(), Chance::system());
    directory.set(SERVICE, Transport::in_process(monitor.clone().module(gate).unwrap().router));
    (monitor, store)
}

fn status<T>(answer: Result<T, Problem>) -> StatusCode {
    answer.map_or_else(|problem| problem.status(), |_| StatusCode::OK)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_valid_on_both_databases() {
    for bench in Bench::all(&[], "").await {
        assert_eq!(store::check::prepare_all(&bench.store, monitor::QUERIES).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_opens_after_three_failures_and_ends_after_two_successes_across_a_restart() {
    for mut bench in Bench::all(&[], "").await {
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        bench.rounds(2).await;
        assert_eq!(bench.state("shop").await, State::Up);
        target.fall();
        let since = bench.clock.now().plus(EVERY);
        bench.rounds(2).await;
        assert_eq!((bench.state("shop").await, bench.incidents().await.len()), (State::Up, 0));
        bench.rounds(1).await;
        assert_eq!(bench.state("shop").await, State::Down);
        let opened = bench.incidents().await.remove(0);
        assert_eq!((opened.state, opened.since, opened.until), (State::Down, since, None));
        assert!(opened.cause.unwrap().contains("no connection"));
        bench.restart().await;
        assert_eq!(bench.state("shop").await, State::Down, "known before anybody looked again");
        bench.rounds(5).await;
        assert_eq!(bench.incidents().await.len(), 1, "a restart opens nothing twice");
        target.rise();
        bench.rounds(2).await;
        let over = bench.incidents().await.remove(0);
        assert_eq!((over.id, over.until), (opened.id, Some(bench.clock.now())));
        assert_eq!(bench.told().await, ["CHECK_ADDED", "INCIDENT_CLOSED", "INCIDENT_OPENED"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_opens_nothing_and_what_is_bad_afterwards_alarms() {
    for bench in Bench::all(&[], "").await {
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        bench.rounds(1).await;
        let to = bench.clock.now().plus(Duration::from_hours(1));
        let announce = |checks: Vec<&str>| AnnounceMaintenance {
            title: "New disks".parse().unwrap(),
            text: None,
            from: None,
            to,
            checks: checks.into_iter().map(|name| name.parse().unwrap()).collect(),
            public: true,
        };
        let caller = bench.superuser();
        assert_eq!(status(caller.call(announce(vec!["shop"])).await), StatusCode::OK);
        let unknown = caller.call(announce(vec!["nothing"])).await.unwrap_err();
        assert_eq!(unknown.faults()[0].field, "checks");
        let keyed = caller.keyed("once");
        let first = keyed.call(announce(Vec::new())).await.unwrap().0;
        assert_eq!(keyed.call(announce(Vec::new())).await.unwrap().0, first, "twice is once");
        let listed = caller.call(ListMaintenances {}).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(bench.state("shop").await, State::Maintenance);
        target.fall();
        bench.rounds(5).await;
        assert!(bench.incidents().await.is_empty());
        for it in listed {
            caller.call(EndMaintenance { id: it.id }).await.unwrap();
            assert_eq!(status(caller.call(EndMaintenance { id: it.id }).await), StatusCode::NOT_FOUND);
        }
        bench.rounds(1).await;
        assert_eq!((bench.state("shop").await, bench.incidents().await.len()), (State::Down, 1));
        let past =
            AnnounceMaintenance { from: Some(bench.clock.now().minus(Duration::from_hours(2))), ..announce(vec![]) };
        assert_eq!(status(caller.call(past).await), StatusCode::BAD_REQUEST);
        let long = bench.clock.now().plus(Duration::from_hours(24 * 40));
        assert_eq!(
            status(caller.call(AnnounceMaintenance { to: long, ..announce(vec![]) }).await),
            StatusCode::BAD_REQUEST
        );
        let told = bench.told().await;
        let count = |name: &str| told.iter().filter(|it| *it == name).count();
        assert_eq!((count("MAINTENANCE_ANNOUNCED"), count("MAINTENANCE_ENDED")), (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_note_and_acknowledge_and_the_journal_is_told() {
    for bench in Bench::all(&[], "").await {
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        bench.rounds(3).await;
        let id = bench.incidents().await.remove(0).id;
        let caller = bench.superuser();
        let note = || NoteIncident { id, text: "The cable is cut.".parse().unwrap(), public: true };
        let keyed = caller.keyed("note-1");
        let noted = keyed.call(note()).await.unwrap().0;
        assert_eq!(keyed.call(note()).await.unwrap().0, noted, "twice is once");
        assert_eq!((noted.notes.len(), noted.notes[0].by.as_deref()), (1, Some("sophie")));
        let looked_after = caller.call(AcknowledgeIncident { id }).await.unwrap();
        assert_eq!(looked_after.acknowledged_by.as_deref(), Some("sophie"));
        caller.call(AcknowledgeIncident { id }).await.unwrap();
        target.rise();
        bench.rounds(2).await;
        assert_eq!(status(caller.call(AcknowledgeIncident { id }).await), StatusCode::CONFLICT);
        assert_eq!(caller.call(GetIncident { id }).await.unwrap().notes, noted.notes);
        let told = bench.told().await;
        let count = |name: &str| told.iter().filter(|it| *it == name).count();
        assert_eq!((count("INCIDENT_NOTED"), count("INCIDENT_ACKNOWLEDGED")), (1, 1));
        for number in 1..100 {
            caller.keyed(format!("more-{number}")).call(note()).await.unwrap();
        }
        assert_eq!(status(caller.keyed("too-many").call(note()).await), StatusCode::CONFLICT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_listed_page_by_page_newest_first() {
    for bench in Bench::all(&[], "").await {
        let mut targets: Vec<Target> = (0..3).map(|_| Target::new()).collect();
        for (number, target) in targets.iter().enumerate() {
            bench.set(&format!("shop{number}"), target.spec()).await;
        }
        for target in &mut targets {
            target.fall();
            bench.rounds(3).await;
        }
        let page = |cursor| ListIncidents { check: None, open: Some(true), cursor, limit: 2.try_into().unwrap() };
        let first = bench.superuser().call(page(None)).await.unwrap();
        let second = bench.superuser().call(page(first.next.clone())).await.unwrap();
        let names: Vec<_> = first.items.iter().chain(&second.items).map(|it| it.check.to_string()).collect();
        assert_eq!(names, ["shop2", "shop1", "shop0"]);
        assert!(second.next.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_any_check_in_the_settings_takes_no_history_along() {
    let target = Target::new();
    let written = |name: &str| {
        format!(
            "[checks.{name}]\nkind = \"tcp\"\ntarget = \"127.0.0.1:{}\"\nprivate = true\nevery = \"10s\"\ntimeout = \"5s\"\n",
            target.port
        )
    };
    for mut bench in Bench::all(&[], &written("shop")).await {
        let counted = async |bench: &Bench| {
            let ask = GetWholeHistory { name: "shop".parse().unwrap(), from: None, to: None };
            bench.superuser().call(ask).await.unwrap().counted
        };
        bench.rounds(3).await;
        // The newest result is of a moment that is not over.
        assert_eq!(counted(&bench).await, 2);
        bench.set_settings("").await;
        bench.rounds(1).await;
        assert!(bench.superuser().call(ListChecks {}).await.unwrap().is_empty(), "nothing says that it is to be made");
        bench.set_settings(&written("shop")).await;
        assert_eq!(counted(&bench).await, 3);
        bench.set_settings(&written("other")).await;
        bench.set_settings(&written("shop")).await;
        assert_eq!(counted(&bench).await, 0, "one that is left out for others is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_check_is_gone_with_its_open_incident_closed() {
    for bench in Bench::all(&[], "").await {
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        bench.rounds(3).await;
        let remove = || RemoveCheck { name: "shop".parse().unwrap() };
        bench.superuser().call(remove()).await.unwrap();
        assert_eq!(status(bench.superuser().call(remove()).await), StatusCode::NOT_FOUND);
        assert!(bench.superuser().call(ListChecks {}).await.unwrap().is_empty());
        assert_eq!(bench.incidents().await[0].until, Some(bench.clock.now()));
        bench.rounds(1).await;
        assert_eq!(bench.incidents().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_the_place_of_one_that_is_kept_and_not_made_begins_anew() {
    let mut target = Target::new();
    let written = format!(
        "[checks.shop]\nkind = \"tcp\"\ntarget = \"127.0.0.1:{}\"\nprivate = true\nevery = \"10s\"\n",
        target.port
    );
    for mut bench in Bench::all(&[], &written).await {
        target.fall();
        bench.rounds(3).await;
        bench.set_settings("").await;
        assert_eq!(bench.incidents().await[0].until, None);
        target.rise();
        bench.set("shop", target.spec()).await;
        assert_eq!(bench.incidents().await[0].until, Some(bench.clock.now()), "nobody would ever say that it is over");
        bench.rounds(2).await;
        let ask = GetWholeHistory { name: "shop".parse().unwrap(), from: None, to: None };
        assert_eq!(bench.superuser().call(ask).await.unwrap().spent.down, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_of_a_check_that_was_private_at_last_are_not_for_everybody() {
    for bench in Bench::all(&[], "").await {
        let mut target = Target::new();
        bench.set("shop", target.spec()).await;
        target.fall();
        bench.rounds(3).await;
        let public = async || bench.directory.caller().call(GetBoard {}).await.unwrap().incidents.len();
        assert_eq!(public().await, 1);
        bench.set("shop", CheckSpec { public: false, ..target.spec() }).await;
        bench.clock.advance(Duration::from_mins(1));
        assert_eq!(public().await, 0);
        bench.superuser().call(RemoveCheck { name: "shop".parse().unwrap() }).await.unwrap();
        bench.clock.advance(Duration::from_mins(1));
        assert_eq!((public().await, bench.incidents().await.len()), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_superusers_may_and_only_what_is_theirs() {
    for bench in
        Bench::all(&["depot"], "[checks.site]\nkind = \"tcp\"\ntarget = \"127.0.0.1:1\"\nprivate = true\n").await
    {
        let target = Target::new();
        bench.rounds(1).await;
        for role in ["member", "agent"] {
            let caller = bench.as_a(role);
            let set = SetCheck { name: "shop".parse().unwrap(), spec: target.spec() };
            assert_eq!(status(caller.call(set).await), StatusCode::FORBIDDEN);
            assert_eq!(status(caller.call(TryCheck { spec: target.spec() }).await), StatusCode::FORBIDDEN);
            assert_eq!(status(caller.call(ListChecks {}).await), StatusCode::FORBIDDEN);
            assert_eq!(status(caller.call(ListMaintenances {}).await), StatusCode::FORBIDDEN);
        }
        let caller = bench.superuser();
        for name in ["service.depot", "service.other", "site"] {
            let set = SetCheck { name: name.parse().unwrap(), spec: target.spec() };
            assert!(status(caller.call(set).await).is_client_error(), "{name}");
        }
        for name in ["service.depot", "site"] {
            let remove = RemoveCheck { name: name.parse().unwrap() };
            assert_eq!(status(caller.call(remove).await), StatusCode::CONFLICT, "{name}");
        }
        let told = CheckSpec { kind: CheckKind::Told, ..target.spec() };
        let wrong = [
            told,
            CheckSpec { every: Span::millis(10).unwrap(), ..target.spec() },
            CheckSpec { ca_file: Some("/etc/passwd".into()), ..target.spec() },
            CheckSpec { parents: vec!["nothing".parse().unwrap()], ..target.spec() },
        ];
        for spec in wrong {
            let set = SetCheck { name: "shop".parse().unwrap(), spec };
            let refused = caller.call(set).await.unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            assert!(refused.faults()[0].field.starts_with("spec."), "{refused}");
        }
        let tried = caller.call(TryCheck { spec: target.spec() }).await.unwrap();
        assert_eq!(tried.state, State::Up);
        assert!(caller.call(ListChecks {}).await.unwrap().iter().all(|it| it.name.as_str() != "try"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banks_own_services_and_truths_are_checks_that_a_restart_knows_again() {
    for mut bench in Bench::all(&["depot", SERVICE], "").await {
        let own = TestDatabase::sqlite().unwrap();
        let depot = Depot(Store::open(&own.database, &[], bench.clock.clone()).await.unwrap());
        let depot = common(Api::new(depot, gate(&bench.clock))).finish().unwrap();
        bench.directory.set("depot", Transport::in_process(depot.router.clone()));
        bench.rounds(3).await;
        assert_eq!(bench.state("service.depot").await, State::Up);
        assert_eq!(bench.state("truth.depot.shelves-are-full").await, State::Up);
        assert_eq!(bench.state("truth.depot.doors-are-shut").await, State::Down);
        let open: Vec<_> = bench.incidents().await.iter().map(|it| it.check.to_string()).collect();
        assert_eq!(open, ["truth.depot.doors-are-shut"]);
        bench.restart().await;
        bench.directory.set("depot", Transport::in_process(axum::Router::new()));
        bench.rounds(3).await;
        assert_eq!(bench.state("service.depot").await, State::Down);
        assert_eq!(bench.incidents().await.len(), 2);
        bench.directory.set("depot", Transport::in_process(depot.router));
        bench.rounds(2).await;
        assert_eq!(bench.state("service.depot").await, State::Up);
        let open: Vec<_> = bench.incidents().await.into_iter().filter(|it| it.until.is_none()).collect();
        assert_eq!(open.len(), 1, "{open:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wrong_with_a_truth_that_its_service_tells_of_no_more_is_over_after_an_hour() {
    for restarted in [true, false] {
        for mut bench in Bench::all(&["depot", SERVICE], "").await {
            let own = TestDatabase::sqlite().unwrap();
            let depot = Depot(Store::open(&own.database, &[], bench.clock.clone()).await.unwrap());
            let depot = common(Api::new(depot, gate(&bench.clock))).finish().unwrap();
            bench.directory.set("depot", Transport::in_process(depot.router));
            bench.rounds(3).await;
            if restarted {
                bench.restart().await;
            }
            bench.directory.set("depot", Transport::in_process(axum::Router::new()));
            bench.rounds(1).await;
            bench.clock.advance(Duration::from_hours(2));
            bench.rounds(1).await;
            let open = async || bench.incidents().await.into_iter().filter(|it| it.until.is_none()).count();
            assert!(open().await >= 1, "one that is down has not changed its mind");
            let ready = axum::routing::get(async || r#"{"ok":true}"#);
            let truths = axum::routing::get(async || r#"[{"name":"the roof is on","holds":true}]"#);
            let newer = axum::Router::new().route("/health/ready", ready).route("/health/truths", truths);
            bench.directory.set("depot", Transport::in_process(newer));
            bench.rounds(3).await;
            bench.clock.advance(Duration::from_mins(50));
            bench.rounds(1).await;
            assert_eq!(open().await, 1, "it may have been left out by mistake");
            bench.clock.advance(Duration::from_mins(10));
            bench.rounds(1).await;
            assert_eq!(open().await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_states_are_right_and_the_incident_is_written_when_it_is_back() {
    let bench = Bench::on(TestDatabase::sqlite().unwrap(), &[], "").await;
    let Database::Sqlite { path } = bench.database.database.clone() else { panic!("a file") };
    let mut target = Target::new();
    bench.set("shop", target.spec()).await;
    bench.rounds(1).await;
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::fs::write(&path, "").unwrap();
    target.fall();
    bench.rounds(4).await;
    assert_eq!(bench.state("shop").await, State::Down);
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    bench.rounds(1).await;
    let incidents = bench.incidents().await;
    assert_eq!((incidents.len(), incidents[0].state), (1, State::Down));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_made_by_themselves_and_a_failure_is_confirmed_within_seconds() {
    let bench = Bench::on(TestDatabase::sqlite().unwrap(), &[], "").await;
    let shutdown = Shutdown::default();
    let watching = tokio::spawn(bench.monitor.clone().watch(shutdown.clone()));
    let mut target = Target::new();
    // Its second result would come after ten seconds, and its third after twenty.
    target.fall();
    bench.set("shop", target.spec()).await;
    let down = async {
        while bench.incidents().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(9), down).await.unwrap();
    shutdown.begin();
    watching.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_checks_and_maintenances() {
    let check = |number| format!("[checks.c{number}]\nkind = \"tcp\"\ntarget = \"shop.invalid:1\"\nevery = \"1h\"\n");
    let settings = (0..5000).map(check).collect::<Vec<_>>().concat();
    let bench = Bench::on(TestDatabase::sqlite().unwrap(), &[], &settings).await;
    let caller = bench.superuser();
    let one_more = SetCheck { name: "shop".parse().unwrap(), spec: Target::new().spec() };
    assert_eq!(status(caller.call(one_more).await), StatusCode::CONFLICT);
    let announce = || AnnounceMaintenance {
        title: "Work".parse().unwrap(),
        text: None,
        from: None,
        to: bench.clock.now().plus(Duration::from_hours(1)),
        checks: Vec::new(),
        public: false,
    };
    for _ in 0..1000 {
        caller.call(announce()).await.unwrap();
    }
    assert_eq!(status(caller.call(announce()).await), StatusCode::CONFLICT);
    bench.clock.advance(Duration::from_mins(61));
    assert_eq!(status(bench.superuser().call(announce()).await), StatusCode::OK);
}
