//! The board, histories and badges: who sees what of them, and how much of it.

use std::time::Duration;

use aaa::Document;
use contracts::identity::Language;
use contracts::monitor::{
    Agreement, Badge, Certificate, GetBadge, GetBoard, GetHistory, GetMetrics, GetWholeBoard, GetWholeHistory, Outlook,
    Span, State,
};
use http::StatusCode;
use monitor::testing::{Said, Told};
use store::{Affected, Kind, Query, Store, StoreError, Uuid, params};
use vocabulary::{IncidentId, MaintenanceId, Timestamp};

use crate::remembering::{DAY, HOUR, World, name, spec, worlds};

/// As incidents and maintenances are written, whoever does.
const SQL: &str = "\
-- name: incident!
insert into incidents (id, check_name, title, public, state, since, opened_at, until, cause, behind, acknowledged_by)
values ($1, $2, $3, $4, 'down', $5, $5, $6, $7, $8, 'secret-anna');
-- name: note!
insert into notes (id, incident_id, at, by_login, text, public) values ($1, $2, $3, 'secret-otto', $4, $5);
-- name: maintenance!
insert into maintenances (id, title, text, start_at, end_at, checks, public, by_login)
values ($1, $2, null, $3, $4, $5, $6, 'secret-otto');
";
const INCIDENT: Query<Affected> = Query::find(SQL, "incident");
const NOTE: Query<Affected> = Query::find(SQL, "note");
const MAINTENANCE: Query<Affected> = Query::find(SQL, "maintenance");

fn up(at: Timestamp) -> Told {
    Told { at, state: State::Up, covers: HOUR, latency: Some(Duration::from_millis(120)) }
}

/// Two checks that everybody sees and one that superusers do, with results of two days, incidents and maintenances.
async fn furnish(world: &World) -> Result<(), StoreError> {
    let begin = world.clock.now();
    let public = |title: &str| {
        let mut public = spec(true);
        public.title = Some(title.parse().unwrap());
        public.group = Some("Outside".parse().unwrap());
        public.objective = Some("99.9".parse().unwrap());
        public
    };
    let shop = world.past.check(&name("shop"), public("The <shop> & co")).await?;
    let till = world.past.check(&name("till"), public("A till")).await?;
    let hidden = world.past.check(&name("secret-vault"), spec(false)).await?;
    for hour in 1..=48_u32 {
        world.clock.set(begin.plus(HOUR * hour));
        let at = world.clock.now();
        world.past.note(shop, up(at));
        let state = match hour {
            10..=14 => State::Maintenance,
            20 => State::Down,
            30..=33 => State::Unknown,
            _ => State::Degraded,
        };
        world.past.note(till, Told { state, ..up(at) });
        world.past.note(hidden, Told { state: State::Down, ..up(at) });
    }
    world.past.flush().await?;
    world.past.put_together().await?;
    let now = world.clock.now();
    let certificate = Certificate {
        name: "secret-name.example".into(),
        serial: "5ec2e7".into(),
        from: now.minus(DAY * 80),
        until: now.plus(DAY * 10),
    };
    let agreed = Agreement {
        protocol: "TLSv1.3".into(),
        group: "X25519MLKEM768".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        withstands_quantum: true,
    };
    let said = Said { message: Some("secret-words".into()), certificate: Some(certificate), agreed: Some(agreed) };
    world.past.stand(shop, &up(now), said.clone());
    world.past.stand(till, &Told { state: State::Degraded, ..up(now) }, said.clone());
    world.past.stand(hidden, &Told { state: State::Down, ..up(now) }, said);
    world.clock.advance(Duration::from_millis(1));
    events(world, now).await
}

async fn events(world: &World, now: Timestamp) -> Result<(), StoreError> {
    let chance = vocabulary::Chance::seeded(9);
    let store = Store::open(&world.database.database, monitor::MIGRATIONS, world.clock.clone()).await?;
    let mut tx = store.begin().await?;
    let id = || Uuid::from(IncidentId::new(&world.clock, &chance));
    let shown = id();
    let open: Option<Timestamp> = None;
    let old = Some(now.minus(DAY * 15));
    let behind = Some("secret-vault");
    for (id, check, title, public, since, until, behind) in [
        (shown, "till", "A till", true, now.minus(HOUR), open, behind),
        (id(), "secret-vault", "secret-title", false, now.minus(HOUR), open, None),
        (id(), "shop", "Long ago", true, now.minus(DAY * 16), old, None),
    ] {
        tx.run(&INCIDENT, params![id, check, title, public, since, until, "secret-cause", behind]).await?;
    }
    for (text, public) in [("It is being looked at.", true), ("secret-note", false)] {
        tx.run(&NOTE, params![id(), shown, now, text, public]).await?;
    }
    let id = || Uuid::from(MaintenanceId::new(&world.clock, &chance));
    for (title, checks, public, end) in [
        ("All of it", "[]", true, now.plus(HOUR)),
        ("Some of it", r#"["till","secret-vault"]"#, true, now.plus(DAY)),
        ("secret-work", r#"["secret-vault"]"#, true, now.plus(DAY)),
        ("secret-rest", "[]", false, now.plus(DAY)),
        ("Over", "[]", true, now),
    ] {
        tx.run(&MAINTENANCE, params![id(), title, end.minus(DAY * 2), end, checks, public]).await?;
    }
    tx.commit().await
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_public_checks_and_nothing_of_the_others() {
    for world in worlds().await {
        furnish(&world).await.unwrap();
        let board = world.caller.call(GetBoard {}).await.unwrap();
        let titles: Vec<&str> = board.checks.iter().map(|check| check.title.as_str()).collect();
        assert_eq!(titles, ["A till", "The <shop> & co"]);
        assert_eq!(board.state, State::Degraded, "what is down is not shown");
        let history = world.caller.call(GetHistory { name: name("till"), from: None, to: None }).await.unwrap();
        assert_eq!((history.to.since(history.from), history.incidents.len()), (DAY, 1));
        for told in [serde_json::to_string(&board).unwrap(), serde_json::to_string(&history).unwrap()] {
            for hidden in ["secret", "5ec2e7", "TLSv1.3", "vault"] {
                assert!(!told.contains(hidden), "{hidden} is told to everybody: {told}");
            }
        }
        let titles: Vec<_> = board.incidents.iter().map(|it| (it.title.as_str(), it.notes.len())).collect();
        assert_eq!(titles, [("A till", 1)]);
        let announced: Vec<_> = board.maintenances.iter().map(|it| (it.title.as_str(), it.checks.len())).collect();
        assert_eq!(announced, [("All of it", 0), ("Some of it", 1)]);
        let ask = async |name: &str| {
            let history = world.caller.call(GetHistory { name: name.parse().unwrap(), from: None, to: None }).await;
            let badge = GetBadge { name: name.parse().unwrap(), of: Badge::State, days: None, language: None };
            let badge = world.caller.call(badge).await;
            (history.unwrap_err().status(), badge.unwrap_err().status())
        };
        // One that is hidden cannot be told from one that is not there.
        assert_eq!(ask("secret-vault").await, ask("nothing").await);
        assert_eq!(ask("nothing").await, (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn superusers_alone_see_everything() {
    for world in worlds().await {
        furnish(&world).await.unwrap();
        let board = world.as_a("superuser").call(GetWholeBoard {}).await.unwrap();
        assert_eq!((board.state, board.checks.len()), (State::Down, 3));
        let hidden = board.checks.iter().find(|check| check.name == name("secret-vault")).unwrap();
        assert_eq!(hidden.message.as_deref(), Some("secret-words"));
        let certificate = hidden.certificate.clone().unwrap();
        assert_eq!((certificate.spent_permille, certificate.outlook), (888, Outlook::Late));
        assert!(hidden.agreed.as_ref().unwrap().withstands_quantum);
        assert_eq!((board.incidents.len(), board.maintenances.len()), (2, 4));
        let told = serde_json::to_string(&board).unwrap();
        for seen in ["secret-cause", "secret-anna", "secret-otto", "secret-note", "secret-work"] {
            assert!(told.contains(seen), "{seen}");
        }
        let asked = || GetWholeHistory { name: name("secret-vault"), from: None, to: None };
        world.as_a("superuser").call(asked()).await.unwrap();
        for role in ["member", "agent"] {
            let refused = world.as_a(role).call(GetWholeBoard {}).await.unwrap_err().status();
            let also = world.as_a(role).call(asked()).await.unwrap_err().status();
            assert_eq!((refused, also), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN), "{role}");
        }
        assert_eq!(world.caller.call(GetWholeBoard {}).await.unwrap_err().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_show_ninety_days_with_the_last_hours_and_neither_maintenance_nor_the_unknown_counts() {
    for world in worlds().await {
        let begin = world.clock.now();
        furnish(&world).await.unwrap();
        let check = async |at: usize| world.caller.call(GetBoard {}).await.unwrap().checks.remove(at);
        let till = check(0).await;
        assert_eq!((till.days.len(), till.days[89].day), (90, world.clock.now().day()));
        assert!(till.days.windows(2).all(|pair| pair[0].day.end() == pair[1].day.start()));
        let hours = |spent: u64| spent / 3_600_000;
        let sums = till.days.iter().fold([0; 4], |[up, degraded, down, maintenance], day| {
            let it = day.spent;
            [up + it.up, degraded + it.degraded, down + it.down, maintenance + it.maintenance]
        });
        assert_eq!(sums.map(hours), [0, 48 - 5 - 1 - 4, 1, 5]);
        assert_eq!(till.uptime_ppm, Some(38 * 1_000_000 / 39));
        // It began in the middle of a day, and today is not over: what stands in no hour yet is in the bars too.
        let first = begin.day().end().since(begin);
        assert_eq!(u128::from(till.days[87].spent.degraded + till.days[87].spent.maintenance), first.as_millis());
        let history = world.history("till", begin, world.clock.now()).await;
        assert_eq!((history.uptime_ppm, history.counted, history.good), (till.uptime_ppm, 39, 38));
        assert_eq!(history.latency.unwrap().p50.abs_diff(120_000) / 1200, 0);
        let objective = history.objective.unwrap();
        assert_eq!((objective.target_ppm, objective.days), (999_000, 30));
        assert_eq!((objective.budget_millis, objective.used_millis), (2_592_000, 3_600_000));
        assert_eq!(objective.burn_permille[..2], [None, None], "too few results");
        assert_eq!(objective.burn_permille[2], Some(1_000_000 / 39));
        // Bars may be half a minute old.
        world.clock.advance(Duration::from_secs(29));
        let id = 2;
        world.past.note(id, Told { covers: Duration::from_secs(29), ..up(world.clock.now()) });
        world.past.flush().await.unwrap();
        assert_eq!(check(0).await.days, till.days);
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(check(0).await.days[89].spent.up, 29_000, "on {}", world.database.kind());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_badge_is_a_picture_that_needs_and_runs_nothing() {
    for world in worlds().await {
        furnish(&world).await.unwrap();
        let badge = async |of, days, language| {
            let Document { content_type, bytes, .. } =
                world.caller.call(GetBadge { name: name("shop"), of, days, language }).await.unwrap();
            assert_eq!(content_type, "image/svg+xml; charset=utf-8");
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        for (of, days, language, says) in [
            (Badge::State, None, None, ": up</title>"),
            (Badge::State, None, Some(Language::Fr), ": en marche</title>"),
            (Badge::Uptime, None, Some(Language::En), ": 100 %, 30 d</title>"),
            (Badge::Uptime, Some(365), None, ": 100 %, 365 d</title>"),
            (Badge::Latency, Some(1), Some(Language::Fr), ": 120 ms, 1 j</title>"),
        ] {
            let svg = badge(of, days, language).await;
            assert!(svg.contains(&format!("<title id=\"t\">The &lt;shop&gt; &amp; co{says}")), "{svg}");
            let others = svg.replace("http://www.w3.org/2000/svg", "");
            assert!(["<script", "href", "http", "<style", "@import"].iter().all(|it| !others.contains(it)), "{svg}");
        }
        for days in [0, 366] {
            let refused = GetBadge { name: name("shop"), of: Badge::Uptime, days: Some(days), language: None };
            let refused = world.caller.call(refused).await;
            assert_eq!(refused.unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_that_is_none_is_refused() {
    for world in worlds().await {
        furnish(&world).await.unwrap();
        let now = world.clock.now();
        let ask = async |from: Timestamp, to: Timestamp| {
            let asked = GetHistory { name: name("shop"), from: Some(from), to: Some(to) };
            world.caller.call(asked).await.map_err(|problem| problem.status())
        };
        for (from, to) in
            [(now, now), (now, now.minus(HOUR)), (now.plus(DAY), now.plus(DAY * 2)), (now.minus(DAY * 4000), now)]
        {
            assert_eq!(ask(from, to).await.unwrap_err(), StatusCode::BAD_REQUEST, "{from} {to}");
        }
        let history = ask(now.minus(DAY), now.plus(DAY)).await.unwrap();
        assert_eq!(history.to, Timestamp::from_micros(now.micros() / 1000 * 1000), "the future is not told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_counted_for_prometheus() {
    for world in worlds().await {
        furnish(&world).await.unwrap();
        let text = world.as_a("superuser").call(GetMetrics {}).await.unwrap().bytes;
        let text = String::from_utf8(text.to_vec()).unwrap();
        for line in [
            r#"guichet_check_state{check="secret-vault",state="down"} 1"#,
            r#"guichet_check_state{check="secret-vault",state="up"} 0"#,
            r#"guichet_check_latency_seconds{check="shop"} 0.12"#,
            "guichet_check_results_dropped 0",
            "guichet_check_results_waiting 0",
            "guichet_incidents_open 2",
            "guichet_check_certificate_ends_timestamp_seconds{check=\"shop\"} ",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_made_each_second_is_told_by_the_hour() {
    for world in worlds().await {
        let mut often = spec(true);
        often.every = Span::seconds(1);
        world.past.check(&name("often"), often).await.unwrap();
        let history = world.caller.call(GetHistory { name: name("often"), from: None, to: None }).await.unwrap();
        assert_eq!((history.step_millis, history.points.len()), (3_600_000, 25));
        assert_eq!((history.uptime_ppm, history.latency, history.objective), (None, None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_stands_while_the_database_is_away() {
    for world in worlds().await {
        furnish(&world).await.unwrap();
        let before = world.caller.call(GetBoard {}).await.unwrap();
        let World { database, caller, clock, monitor: _monitor, .. } = world;
        if database.kind() == Kind::Sqlite {
            // An open file stays readable when its name is gone.
            continue;
        }
        drop(database);
        clock.advance(Duration::from_mins(1));
        let after = caller.call(GetBoard {}).await.unwrap();
        assert_eq!((after.state, after.checks.len()), (before.state, 2));
        assert_eq!((&after.checks[0].days, after.incidents.len()), (&before.checks[0].days, before.incidents.len()));
        let refused = caller.call(GetHistory { name: name("shop"), from: None, to: None }).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
