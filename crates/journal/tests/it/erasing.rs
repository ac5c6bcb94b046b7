//! What entries say can be erased, for one person or after a while; the log holds, and tells how much was.

use contracts::journal::{LogFilter, SummarizeLogs};
use journal::{AuditError, Erased, Erasure};
use store::{Affected, Query};

use super::*;

const SQL: &str = "\
-- name: write_again!
update entries set message = 'nothing of the kind happened' where erased;
";
const WRITE_AGAIN: Query<Affected> = Query::find(SQL, "write_again");

fn of(person: &Person, acted_on_others: bool) -> Erasure {
    Erasure { user: person.id, acted_on_others, reason: "asked for it".into() }
}

/// What claire did and what concerns her, with a word that stands nowhere else; and what is others'.
async fn stories(world: &World) -> Vec<LogEvent> {
    let by = |actor: Person, subject: Option<Person>, message: &str| LogEvent {
        actor: Some(actor),
        subject,
        details: [("word".to_owned(), format!("zanzibar {message}"))].into(),
        trace_id: Some("trace of zanzibar".into()),
        ..world.event(message)
    };
    let events = vec![
        by(claire(), Some(claire()), "she changed her profile"),
        by(agent(), Some(claire()), "her deposit was approved"),
        by(claire(), None, "she looked around"),
        LogEvent { details: BTreeMap::new(), trace_id: None, ..by(claire(), Some(marc()), "marc got money") },
        LogEvent { details: BTreeMap::new(), trace_id: None, ..by(agent(), Some(marc()), "his deposit was approved") },
    ];
    world.deliver(1, &events).await;
    world.journal.seal().await.unwrap();
    events
}

async fn found(world: &World, asked: LogFilter) -> Vec<String> {
    world.read(&agent(), "agent", asked.into()).await
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_a_person_is_gone_everywhere_and_the_log_holds() {
    for world in worlds().await {
        let events = stories(&world).await;
        let before = world.proof(&claire(), "member", events[1].id).await.unwrap();
        assert_eq!(world.journal.people_called("claire").await.unwrap(), [claire().id]);
        assert_eq!(world.journal.would_erase(&of(&claire(), false)).await.unwrap(), 3);
        let kept = |text: &'static str| LogFilter { text: Some(text.parse().unwrap()), ..LogFilter::default() };
        // Asked by herself: what staff look for is told, in their words.
        let own = async || world.read(&claire(), "member", kept("zanzibar").into()).await.len();
        assert_eq!(own().await, 2);
        let erased = world.journal.erase(&of(&claire(), false)).await.unwrap();
        assert_eq!(erased, Erased { entries: 3, left: 0 });

        assert_eq!(own().await, 0);
        assert_eq!(found(&world, kept("money")).await, ["marc got money"]);
        let hers = LogFilter { user: Some(claire().id.to_string()), ..LogFilter::default() };
        assert_eq!(found(&world, hers).await, ["marc got money"], "what others are concerned by stays");
        assert!(world.read(&claire(), "member", ListLogs::default()).await.is_empty());
        for rows in world.store.dump().await.unwrap().values() {
            let names = |row: &&String| row.contains("zanz") || row.contains(&hexadecimal("zanz"));
            assert_eq!(rows.iter().filter(names).count(), 0, "{rows:?}");
        }
        let whole = world.everything().await;
        let gone: Vec<_> = whole.iter().filter(|entry| entry.erased).collect();
        assert_eq!(gone.len(), 3);
        assert!(gone.iter().all(|entry| entry.actor.is_none() && entry.subject.is_none() && entry.message.is_empty()));
        let told = whole.iter().find(|entry| entry.action == Action::LogContentsErased).unwrap();
        assert_eq!((told.details["entries"].as_str(), told.details["reason"].as_str()), ("3", "asked for it"));

        let changes = SummarizeLogs { action: vec![Action::ProfileChanged], ..SummarizeLogs::default() };
        let counted = world.caller_of(&agent(), "agent").call(changes).await.unwrap();
        let acted: Vec<_> = counted.users.iter().map(|user| (user.login.as_str(), user.count)).collect();
        assert_eq!(acted, [("agathe", 1), ("claire", 1)], "what they did to marc is all that is left to be counted");

        let audited = world.audit().await.unwrap();
        assert_eq!((audited.erased, audited.sealed), (3, 5));
        tlog::Document::read(&before).unwrap().check(&world.trust()).unwrap();
        let after = world.proof(&agent(), "agent", events[1].id).await.unwrap();
        assert!(!after.contains("deposit was"));
        tlog::Document::read(&after).unwrap().check(&world.trust()).unwrap();
        // That staff looked for her came after the last signed head.
        assert_eq!(world.journal.erase(&of(&claire(), false)).await.unwrap(), Erased { entries: 0, left: 1 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_a_person_did_can_go_too_and_what_is_not_sealed_waits() {
    for world in worlds().await {
        stories(&world).await;
        world.deliver(6, &[LogEvent { subject: Some(claire()), ..world.event("a moment ago") }]).await;
        assert_eq!(world.journal.erase(&of(&claire(), true)).await.unwrap(), Erased { entries: 4, left: 1 });
        world.journal.seal().await.unwrap();
        assert_eq!(world.journal.erase(&of(&claire(), true)).await.unwrap(), Erased { entries: 1, left: 0 });
        assert!(world.journal.people_called("claire").await.unwrap().is_empty());
        let whoever: Vec<_> = world.store.dump().await.unwrap().into_values().flatten().collect();
        assert!(whoever.iter().all(|row| !row.contains("claire")), "no table names her: {whoever:?}");
        // What staff look for is told in their words, so only now.
        let hers = LogFilter { user: Some("claire".into()), ..LogFilter::default() };
        assert!(found(&world, hers).await.is_empty());
        let asked = SummarizeLogs::default();
        let counted = world.caller_of(&agent(), "agent").call(asked).await.unwrap();
        assert!(counted.users.iter().all(|user| user.login != "claire"), "{counted:?}");
        let profiles = counted.actions.iter().find(|it| it.action == Action::ProfileChanged).unwrap();
        assert_eq!(profiles.count, 6, "that something happened stays counted");
        assert_eq!(world.audit().await.unwrap().erased, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_into_an_erased_entry_is_found_out() {
    for world in worlds().await {
        stories(&world).await;
        world.journal.erase(&of(&claire(), false)).await.unwrap();
        let mut tx = world.store.begin().await.unwrap();
        assert_eq!(tx.run(&WRITE_AGAIN, &[]).await.unwrap(), 3);
        tx.commit().await.unwrap();
        assert!(matches!(world.audit().await, Err(AuditError::Written(0))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_kept_for_ever_unless_somebody_says_for_how_long() {
    for world in worlds().await {
        stories(&world).await;
        world.clock.advance(Duration::from_hours(31 * 24));
        world.deliver(6, &[world.event("late, but new")]).await;
        world.journal.seal().await.unwrap();
        assert_eq!((world.journal.kept_days().await.unwrap(), world.journal.erase_due().await.unwrap()), (None, 0));
        world.journal.keep_days(Some(30)).await.unwrap();
        assert_eq!(world.journal.erase_due().await.unwrap(), 5);
        assert_eq!(world.journal.erase_due().await.unwrap(), 0);
        let left: Vec<_> = world.everything().await.into_iter().filter(|entry| !entry.message.is_empty()).collect();
        let bank: Vec<_> = left.iter().filter(|entry| entry.source == "bank").map(|entry| &*entry.message).collect();
        assert_eq!(bank, ["late, but new"]);
        let told = left.iter().filter(|entry| entry.action == Action::LogContentsErased).count();
        assert_eq!(told, 2, "how long, and how many");
        assert_eq!(world.audit().await.unwrap().erased, 5);
        world.journal.keep_days(None).await.unwrap();
        world.clock.advance(Duration::from_hours(60 * 24));
        assert_eq!(world.journal.erase_due().await.unwrap(), 0);
    }
}
