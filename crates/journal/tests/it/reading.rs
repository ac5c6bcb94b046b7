//! Who sees what, and how it is found.

use contracts::Limit;

use super::*;

/// One entry for each way an event may be about claire.
async fn stories(world: &World) {
    let by = |actor: Option<Person>, subject: Option<Person>, event: LogEvent| LogEvent { actor, subject, ..event };
    let profile = world.event("she changed her profile");
    let approved = LogEvent { action: Action::DepositApproved, ..world.event("her deposit was approved") };
    let suspicious = LogEvent {
        audience: Audience::Agents,
        level: Level::Warning,
        action: Action::LoginFailed,
        ..world.event("staff only")
    };
    let events = [
        by(Some(claire()), Some(claire()), profile),
        by(Some(agent()), Some(claire()), approved),
        by(Some(claire()), Some(claire()), suspicious),
        by(
            Some(claire()),
            Some(marc()),
            LogEvent { action: Action::TransferReceived, ..world.event("marc got money") },
        ),
        by(Some(agent()), Some(agent()), LogEvent { action: Action::Login, ..world.event("the agent signed in") }),
    ];
    world.deliver(1, &events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_what_concerns_them_and_is_meant_for_them() {
    for world in worlds().await {
        stories(&world).await;
        let page = world.list(&claire(), "member", ListLogs::default()).await.unwrap();
        let seen: Vec<_> = page.items.iter().map(|it| (it.message.as_str(), it.actor.as_deref())).collect();
        let expected = [("her deposit was approved", None), ("she changed her profile", Some("claire"))];
        assert_eq!(seen, expected, "who else acted is not shown");
        assert_eq!(world.read(&marc(), "member", ListLogs::default()).await, ["marc got money"]);
        assert!(world.read(&person(9, "nobody"), "member", ListLogs::default()).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_get_nothing_by_naming_somebody_else() {
    for world in worlds().await {
        stories(&world).await;
        for user in ["marc", "agathe", &marc().id.to_string()] {
            let asked = ListLogs { user: Some(user.into()), ..ListLogs::default() };
            assert!(world.read(&claire(), "member", asked).await.is_empty(), "{user}");
        }
        let asked =
            ListLogs { user: Some("claire".into()), action: vec![Action::DepositApproved], ..ListLogs::default() };
        assert_eq!(world.read(&claire(), "member", asked).await, ["her deposit was approved"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_there_is_nothing_to_see() {
    for world in worlds().await {
        let refused = world.caller.call(ListLogs::default()).await.unwrap_err();
        assert_eq!(refused.status(), http::StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_everything_and_what_concerns_themselves_on_request() {
    for world in worlds().await {
        stories(&world).await;
        for role in ["agent", "superuser"] {
            let page = world.list(&agent(), role, ListLogs::default()).await.unwrap();
            assert_eq!(page.items.len(), 5);
            assert_eq!(page.items[3].actor.as_deref(), Some("agathe"));
            let mine = ListLogs { mine: true, ..ListLogs::default() };
            assert_eq!(world.read(&agent(), role, mine).await, ["the agent signed in"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_alone_and_together() {
    for world in worlds().await {
        stories(&world).await;
        let none = ListLogs::default;
        let user = |user: &str| ListLogs { user: Some(user.into()), ..none() };
        let (day, next) = ("2026-11-21".parse().ok(), "2026-11-22".parse().ok());
        let cases: Vec<(ListLogs, &[&str])> = vec![
            (ListLogs { action: vec![Action::Login], ..none() }, &["the agent signed in"]),
            (ListLogs { level: vec![Level::Warning], ..none() }, &["staff only"]),
            (ListLogs { level: vec![Level::Error], ..none() }, &[]),
            (ListLogs { level: vec![Level::Warning], action: vec![Action::Login], ..none() }, &[]),
            (user("MARC"), &["marc got money"]),
            (user("agathe"), &["the agent signed in", "her deposit was approved"]),
            (user(&agent().id.to_string()), &["the agent signed in", "her deposit was approved"]),
            (ListLogs { action: vec![Action::LoginFailed], ..user("claire") }, &["staff only"]),
            (ListLogs { level: vec![Level::Warning], from: day, to: day, ..user("claire") }, &["staff only"]),
            (user("nobody"), &[]),
            (user("not a login\0"), &[]),
            (ListLogs { from: next, ..none() }, &[]),
            (ListLogs { to: "2026-11-20".parse().ok(), ..none() }, &[]),
            (
                ListLogs { from: day, to: next, action: vec![Action::DepositApproved], ..none() },
                &["her deposit was approved"],
            ),
        ];
        for (asked, expected) in cases {
            let case = format!("{:?}", serde_json::to_string(&asked).unwrap());
            assert_eq!(world.read(&agent(), "agent", asked).await, expected, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_holds_its_last_moment_and_not_the_next_day() {
    for world in worlds().await {
        let day: vocabulary::Day = "2026-11-20".parse().unwrap();
        let whole = Some(day.into());
        let last = day.end().minus(Duration::from_micros(1));
        let times = [day.start().minus(Duration::from_micros(1)), day.start(), last, day.end()];
        let events = times.map(|at: Timestamp| LogEvent { at, ..world.event(&at.to_string()) });
        world.deliver(1, &events).await;
        let asked = ListLogs { from: whole, to: whole, ..ListLogs::default() };
        assert_eq!(world.read(&agent(), "agent", asked).await, [times[2].to_string(), times[1].to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_everything_once_while_new_entries_arrive() {
    for world in worlds().await {
        let at = world.clock.now();
        let events: Vec<LogEvent> = (0..100)
            // Several entries share a moment.
            .map(|number| LogEvent {
                at: at.plus(Duration::from_secs(number / 10)),
                subject: Some(claire()),
                ..world.event(&number.to_string())
            })
            .collect();
        world.deliver(1, &events).await;
        let mut expected: Vec<_> = events.iter().map(|event| (event.at, event.id)).collect();
        expected.sort_unstable();
        expected.reverse();
        let mut next = 101;
        for filter in [None, Some("claire"), Some("mine")] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let asked = ListLogs {
                    user: filter.filter(|it| *it != "mine").map(Into::into),
                    mine: filter == Some("mine"),
                    limit: Limit::try_from(7).unwrap(),
                    cursor,
                    ..ListLogs::default()
                };
                let reader = if filter == Some("mine") { claire() } else { agent() };
                let page = world.list(&reader, "agent", asked).await.unwrap();
                assert!(page.items.len() <= 7);
                seen.extend(page.items.into_iter().map(|entry| (entry.at, entry.id)));
                world.deliver(next, &[LogEvent { subject: None, ..world.event("newer") }]).await;
                next += 1;
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            seen.retain(|place| expected.contains(place));
            assert_eq!(seen, expected, "{filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_cursor_and_a_backward_period_are_refused_in_words() {
    for world in worlds().await {
        let cursor = contracts::Cursor::at("elsewhere");
        let refused = world.list(&agent(), "agent", ListLogs { cursor: Some(cursor), ..ListLogs::default() }).await;
        assert_eq!(refused.unwrap_err().faults()[0].field, "cursor");
        let asked = ListLogs { from: "2026-11-22".parse().ok(), to: "2026-11-21".parse().ok(), ..ListLogs::default() };
        let refused = world.list(&agent(), "agent", asked).await.unwrap_err();
        assert_eq!((refused.status(), refused.faults()[0].field.as_str()), (http::StatusCode::BAD_REQUEST, "to"));
    }
}
