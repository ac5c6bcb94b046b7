//! Examples of everything that the monitor shows, and its pages filled in with them, for the tests that render pages.

use std::time::Duration;

use askama::Template;
use contracts::monitor::{
    Agreement, Board, BoardCheck, Certificate, Check, CheckKind, CheckSpec, DayBar, Health, History, Incident,
    IncidentNote, Judged, Latency, Maintenance, Objective, Origin, Point, ServiceStatus, Span, Spent, State, Status,
    Tried, Truth,
};
use contracts::roles::Role;
use vocabulary::Timestamp;

use super::check::CheckPage;
use super::checks::{CheckForm, MonitorPage, RemovePage, typed};
use super::incidents::{IncidentPage, IncidentsPage};
use super::maintenances::{MaintenancesPage, Work};
use super::samples::{at, faulty, frame, id, links};
use super::status::StatusPage;
use crate::forms::{Entries, Form};
use crate::frame::Place;
use crate::texts::T;

const DAY: u64 = 86_400_000;

fn now() -> Timestamp {
    at("2026-11-21T08:10:00Z")
}

/// A day of each kind now and then, otherwise a good one.
fn spent(n: u64, faults: u64) -> Spent {
    let up = Spent { up: DAY, ..Spent::default() };
    match (n * 7 + faults) % 61 {
        _ if n < faults * 3 => Spent::default(),
        0 if faults > 0 => Spent { up: DAY - 1_380_000, down: 1_380_000, ..Spent::default() },
        17 if faults > 1 => Spent { up: DAY / 3, down: DAY / 3 * 2, ..Spent::default() },
        29 if faults > 0 => Spent { up: DAY - 3_600_000, degraded: 3_600_000, ..Spent::default() },
        41 if faults > 1 => Spent { maintenance: DAY, ..Spent::default() },
        _ => up,
    }
}

fn check(
    name: &str,
    title: &str,
    group: Option<&str>,
    origin: Origin,
    public: bool,
    state: State,
    faults: u64,
) -> BoardCheck {
    let days: Vec<_> = (0..90_u64)
        .map(|n| DayBar { day: now().minus(Duration::from_hours(24 * (89 - n))).day(), spent: spent(n, faults) })
        .collect();
    let sum = |of: fn(&Spent) -> u64| days.iter().map(|day| of(&day.spent)).sum();
    let whole = Spent { up: sum(|it| it.up), degraded: sum(|it| it.degraded), down: sum(|it| it.down), maintenance: 0 };
    let from = at("2026-10-01T00:00:00Z");
    let certificate = Certificate {
        name: "shop.example.org".to_owned(),
        serial: "04a1bc22d9e0f3".to_owned(),
        from,
        until: from.plus(Duration::from_hours(24 * 60)),
    };
    let tls = origin == Origin::Api;
    BoardCheck {
        name: name.parse().unwrap(),
        title: title.to_owned(),
        group: group.map(ToOwned::to_owned),
        origin,
        public,
        state,
        since: at("2026-11-20T06:00:00Z"),
        flapping: state == State::Degraded,
        message: (state != State::Up && !public).then(|| "latency < 800ms: it is 1.2s".to_owned()),
        latency_micros: (origin != Origin::Bank).then_some(35_400),
        uptime_ppm: whole.uptime_ppm(),
        days,
        certificate: tls.then(|| Judged::at(certificate, now())),
        agreed: tls.then(|| Agreement {
            protocol: "TLSv1.3".to_owned(),
            group: "X25519MLKEM768".to_owned(),
            cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
            withstands_quantum: true,
        }),
    }
}

fn public_checks() -> Vec<BoardCheck> {
    let bank = |name: &str, state, faults| check(name, name, None, Origin::Bank, true, state, faults);
    vec![
        bank("service.identity", State::Up, 0),
        bank("service.bank", State::Down, 2),
        bank("service.journal", State::Up, 1),
        bank("service.monitor", State::Up, 0),
        check("shop", "Boutique en ligne <b>", Some("Partenaires"), Origin::Api, true, State::Degraded, 3),
        check("dns", "example.org", Some("Partenaires"), Origin::Settings, true, State::Maintenance, 10),
        check("young", "Mail", Some("Partenaires"), Origin::Settings, true, State::Unknown, 29),
    ]
}

fn all_checks() -> Vec<BoardCheck> {
    let mut checks = public_checks();
    checks.push(check("database", "PostgreSQL", None, Origin::Settings, false, State::Degraded, 2));
    let truth = "all entries of a currency sum to zero";
    for n in 0..12 {
        let state = if n == 3 { State::Down } else { State::Up };
        checks.push(check(&format!("truth.bank.zero{n}"), truth, None, Origin::Bank, false, state, n));
    }
    checks.push(check("certificate.bank", "bank", None, Origin::Bank, false, State::Up, 0));
    checks
}

fn incident(n: u32, until: Option<&str>, whole: bool) -> Incident {
    let note = |public, text: &str| IncidentNote {
        at: at("2026-11-20T06:20:00Z"),
        by: whole.then(|| "root".to_owned()),
        text: text.parse().unwrap(),
        public,
    };
    let mut notes = vec![note(true, "Nous avons trouvé la cause <b> et réparons.")];
    if whole {
        notes.push(note(false, "Disque plein."));
    }
    Incident {
        id: id(n),
        check: "service.bank".parse().unwrap(),
        title: "bank".to_owned(),
        state: if until.is_none() { State::Down } else { State::Degraded },
        since: at("2026-11-20T06:00:00Z"),
        until: until.map(at),
        cause: whole.then(|| "no answer within 10s".to_owned()),
        behind: (n == 903).then(|| "database".parse().unwrap()),
        acknowledged_by: (whole && n == 902).then(|| "root".to_owned()),
        notes,
    }
}

fn work(n: u32, whole: bool) -> Maintenance {
    Maintenance {
        id: id(n),
        title: "Nouvelle base <b>".parse().unwrap(),
        text: Some("Les virements attendront quelques minutes.".parse().unwrap()),
        from: at("2026-11-22T02:00:00Z"),
        to: at("2026-11-22T04:30:00Z"),
        checks: vec!["service.bank".parse().unwrap(), "shop".parse().unwrap()],
        public: n == 911,
        by: whole.then(|| "root".to_owned()),
    }
}

fn board(state: State, checks: Vec<BoardCheck>, whole: bool) -> Board {
    let incidents = match state {
        State::Up => Vec::new(),
        _ => vec![
            incident(901, None, whole),
            incident(902, Some("2026-11-20T07:12:00Z"), whole),
            incident(903, Some("2026-11-21T06:00:00Z"), whole),
        ],
    };
    Board { state, at: now(), checks, incidents, maintenances: vec![work(911, whole)] }
}

fn status(health: Health) -> Status {
    let service = |name: &str, health| ServiceStatus {
        name: name.to_owned(),
        health,
        since: at("2026-11-20T06:00:00Z"),
        checked_at: now(),
        version: Some("0.1.0".into()),
        truths: vec![Truth { name: "all entries of a currency sum to zero".into(), holds: health == Health::Up }],
    };
    let services = vec![service("identity", Health::Up), service("bank", health), service("journal", Health::Up)];
    Status { health, at: now(), services }
}

/// A history of so many pieces, each so many minutes long.
fn history(pieces: u64, minutes: u64, answers: bool) -> History {
    let check = check("shop", "Boutique en ligne <b>", Some("Partenaires"), Origin::Api, true, State::Up, 3);
    let from = now().minus(Duration::from_mins(pieces * minutes));
    let step = minutes * 60_000;
    let point = |n: u64| {
        let slow = 12_000 + n * 37 % 41 * 900;
        let silent = !answers || (n % 97) < 4;
        let p50 = slow;
        let p95 = slow * 3 + n * n % 29 * 2_000;
        Point {
            from: from.plus(Duration::from_mins(n * minutes)),
            spent: if silent {
                Spent { down: step, ..Spent::default() }
            } else {
                Spent { up: step, ..Spent::default() }
            },
            latency: (!silent).then_some(Latency { p50, p90: p95, p95, p99: p95, max: p95 }),
        }
    };
    History {
        uptime_ppm: Some(998_512),
        check,
        from,
        to: now(),
        spent: Spent { up: DAY, down: 128_000, ..Spent::default() },
        good: 1_438,
        counted: 1_440,
        latency: None,
        points: (0..pieces).map(point).collect(),
        step_millis: step,
        objective: Some(Objective {
            target_ppm: 999_000,
            days: 30,
            budget_millis: 2_592_000,
            used_millis: if answers { 780_000 } else { 4_000_000 },
            burn_permille: [Some(200), Some(1_400), None],
        }),
        incidents: vec![incident(902, Some("2026-11-20T07:12:00Z"), answers)],
    }
}

fn spec() -> CheckSpec {
    CheckSpec {
        title: Some("Boutique en ligne <b>".parse().unwrap()),
        group: Some("Partenaires".parse().unwrap()),
        kind: CheckKind::Http,
        target: "https://shop.example.org/health".to_owned(),
        must: vec!["status == 200".to_owned(), "json.db == \"ok\"".to_owned()],
        should: vec!["latency < 800ms".to_owned()],
        every: Span::seconds(60),
        timeout: Span::seconds(10),
        alarm_after: 3,
        well_after: 2,
        parents: vec!["dns".parse().unwrap()],
        public: true,
        private: false,
        objective: Some("99.9".parse().unwrap()),
        server: None,
        record: None,
        ca_file: None,
        certificate_file: None,
        key_file: None,
        token_file: None,
    }
}

fn listed(name: &str, origin: Origin, state: State) -> Check {
    let told = origin == Origin::Bank;
    let kind = if told { CheckKind::Told } else { CheckKind::Http };
    let target = if told { String::new() } else { spec().target };
    Check {
        name: name.parse().unwrap(),
        origin,
        spec: CheckSpec { kind, target, title: spec().title.filter(|_| !told), ..spec() },
        state,
        checked_at: (state != State::Unknown).then(now),
        message: (state == State::Down).then(|| "status == 200: it is 503".to_owned()),
    }
}

pub(super) fn monitor_pages(t: T, pages: &mut Vec<(&'static str, String)>) {
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let page = |role, status, board, links| {
        StatusPage::of(frame(t, role, Place::Status, t.system_status()), status, board, links).render()
    };
    let well = || status(Health::Up);
    let fine: Vec<_> = public_checks().into_iter().take(4).map(|it| BoardCheck { state: State::Up, ..it }).collect();
    add(
        "status",
        page(None, Some(status(Health::Down)), Some((board(State::Down, public_checks(), false), false)), None),
    );
    add("status_fine", page(None, Some(well()), Some((board(State::Up, fine, false), false)), None));
    add(
        "status_degraded",
        page(None, Some(well()), Some((board(State::Degraded, public_checks(), false), false)), None),
    );
    let whole = (board(State::Down, all_checks(), true), true);
    add("status_whole", page(Some(Role::Superuser), Some(status(Health::Down)), Some(whole), Some(links())));
    let many = (0..100).map(|n| {
        check(&format!("check-{n}"), &format!("Site {n}"), Some("Sites"), Origin::Settings, true, State::Up, n % 3)
    });
    add("status_many", page(None, Some(well()), Some((board(State::Up, many.collect(), false), false)), None));
    add("status_forgetful", page(None, Some(well()), None, None));
    add("status_silent", page(None, None, None, None));
    check_pages(t, &mut add);
    managing_pages(t, &mut add);
}

fn check_pages(t: T, add: &mut impl FnMut(&'static str, askama::Result<String>)) {
    let one = |role: Option<Role>, chosen, h: History| {
        let f = frame(t, role, Place::Status, "Boutique en ligne");
        let (whole, site) = (role.is_some(), "https://bank.example".to_owned());
        let others =
            [Some(t.ppm(&1_000_000)), Some(t.ppm(&998_512)), None, Some(t.ppm(&999_990)), Some(t.ppm(&971_000))];
        let (from, to) = (h.from, h.to);
        CheckPage::of(f, &Form::default(), (chosen, from, to), h, &others, whole, site).render()
    };
    let mut plain = history(288, 5, true);
    (plain.check.certificate, plain.check.agreed) = (None, None);
    add("check", one(None, Some("day"), plain));
    add("check_whole", one(Some(Role::Superuser), Some("month"), history(360, 120, true)));
    add("check_year", one(None, None, history(365, 24 * 60, true)));
    add("check_silent", one(None, Some("day"), history(96, 15, false)));
    let empty = History {
        uptime_ppm: None,
        spent: Spent::default(),
        objective: None,
        incidents: Vec::new(),
        good: 0,
        counted: 0,
        ..history(0, 5, true)
    };
    add("check_empty", one(None, Some("week"), empty));
}

fn managing_pages(t: T, add: &mut impl FnMut(&'static str, askama::Result<String>)) {
    let superuser = |title: &str| frame(t, Some(Role::Superuser), Place::Monitor, title);
    let checks = vec![
        listed("service.identity", Origin::Bank, State::Up),
        listed("shop", Origin::Api, State::Down),
        listed("dns", Origin::Settings, State::Unknown),
    ];
    add("monitor", MonitorPage { f: superuser(t.checks_title()), t, checks }.render());
    add("monitor_empty", MonitorPage { f: superuser(t.checks_title()), t, checks: Vec::new() }.render());
    add("check_new", CheckForm::of(superuser(t.check_add()), Entries::default(), None, None).render());
    let tried = Tried {
        state: State::Down,
        message: Some("status == 200: it is <b>".to_owned()),
        latency_micros: Some(35_400),
    };
    let name = "shop".parse().unwrap();
    add("check_tried", CheckForm::of(superuser(t.check_change()), typed(&spec()), Some(name), Some(tried)).render());
    let fields = b"name=Shop&target=&kind=http&every=often&must=status+is+200%0D%0Abody&private=yes";
    let faults = [
        ("name", t.check_name_form()),
        ("target", t.field_missing()),
        ("every", t.span_form()),
        ("must", t.unacceptable()),
    ];
    add("check_faults", CheckForm::of(superuser(t.check_add()), faulty(fields, &faults), None, None).render());
    let name = "shop".parse().unwrap();
    add("check_remove", RemovePage { f: superuser(t.check_remove_title()), t, name }.render());
    let incidents = vec![incident(901, None, true), incident(902, Some("2026-11-20T07:12:00Z"), true)];
    let q = Form::default();
    let next = Some("?cursor=x".to_owned());
    add("incidents", IncidentsPage::of(superuser(t.incidents()), &q, incidents, next).render());
    add("incidents_none", IncidentsPage::of(superuser(t.incidents()), &q, Vec::new(), None).render());
    let one = |i: Incident, e| {
        let (f, name) = (superuser(t.incident()), t.titled(&i.check, &i.title));
        IncidentPage { f, t, e, i, name, key: "k".into() }.render()
    };
    add("incident", one(incident(901, None, true), Entries::default()));
    let e = faulty(b"", &[("text", t.field_missing())]);
    add("incident_over", one(incident(902, Some("2026-11-20T07:12:00Z"), true), e));
    let list = |e, works: Vec<Work>| {
        MaintenancesPage { f: superuser(t.maintenances()), t, e, works, key: "k".into() }.render()
    };
    let works = vec![Work { w: work(911, true), begun: false }, Work { w: work(912, true), begun: true }];
    add("maintenances", list(Entries::default(), works));
    let e = faulty(
        b"from=2026-11-22T02:00&to=2026-11-22T01:00&public=yes",
        &[("title", t.field_missing()), ("to", t.moment_order())],
    );
    add("maintenances_faults", list(e, Vec::new()));
}
