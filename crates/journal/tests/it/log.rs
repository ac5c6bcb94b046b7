//! The log under the journal: nothing in it is altered unseen.

use contracts::journal::{GetLog, GetLogHead, GetLogProof};
use journal::{AuditError, audit};
use store::{Affected, Query, Script, StoreError};
use tlog::{Finding, KeyKind, SigningKey, Trust};

use super::*;

const SQL: &str = "\
-- name: unlock# (sqlite)
drop trigger leaves_no_delete; drop trigger nodes_no_update; drop trigger nodes_no_delete; drop trigger leaves_only_erased;
drop trigger checkpoints_no_delete; drop trigger cosignatures_no_delete; drop trigger log_only_grows;
-- name: unlock# (postgres)
drop trigger leaves_append_only on leaves; drop trigger nodes_append_only on nodes;
drop trigger leaves_only_erased on leaves; drop trigger checkpoints_append_only on checkpoints;
drop trigger log_only_grows on log;
-- name: change_message!
update entries set message = 'nothing happened' where id = (select entry_id from leaves where place = 5);
-- name: restore_message!
update entries set message = 'entry 5' where id = (select entry_id from leaves where place = 5);
-- name: change_action!
update entries set action = 'NOTHING' where id = (select entry_id from leaves where place = 5);
-- name: remove_entry!
delete from entries where id = (select entry_id from leaves where place = 5);
-- name: remove_leaf!
delete from leaves where place = 5;
-- name: change_leaf!
update leaves set content = (select content from leaves where place = 6), salt = (select salt from leaves where place = 6)
where place = 5;
-- name: change_node!
update nodes set hash = (select hash from nodes where leaf = 6 and level = 0) where leaf = 5 and level = 1;
-- name: cut_entries!
delete from leaves where place >= 7;
-- name: cut_nodes!
delete from nodes where leaf >= 7;
-- name: cut_size!
update log set size = 7;
-- name: cut_heads!
delete from checkpoints where size > 7;
-- name: park!
update leaves set place = 100 where place = 5;
-- name: swap!
update leaves set place = 5 where place = 6;
-- name: unpark!
update leaves set place = 6 where place = 100;
-- name: erase!
update leaves set salt = null where place = 5;
-- name: erase_entry!
update entries set actor_id = null, actor_login = null, subject_id = null, subject_login = null, message = '', details = '{}'
where id = (select entry_id from leaves where place = 5);
-- name: all_leaves!
delete from leaves;
-- name: all_nodes!
delete from nodes;
-- name: all_heads!
delete from checkpoints;
-- name: no_size!
update log set size = 0;
-- name: delete_node!
delete from nodes where leaf = 0;
";

macro_rules! statement {
    ($name:ident = $query:literal) => {
        const $name: Query<Affected> = Query::find(SQL, $query);
    };
}

const UNLOCK: Query<Script> = Query::find(SQL, "unlock");
statement!(CHANGE_MESSAGE = "change_message");
statement!(RESTORE_MESSAGE = "restore_message");
statement!(CHANGE_ACTION = "change_action");
statement!(REMOVE_ENTRY = "remove_entry");
statement!(REMOVE_LEAF = "remove_leaf");
statement!(CHANGE_LEAF = "change_leaf");
statement!(CHANGE_NODE = "change_node");
statement!(CUT_ENTRIES = "cut_entries");
statement!(CUT_NODES = "cut_nodes");
statement!(CUT_SIZE = "cut_size");
statement!(CUT_HEADS = "cut_heads");
statement!(PARK = "park");
statement!(SWAP = "swap");
statement!(UNPARK = "unpark");
statement!(ERASE = "erase");
statement!(ERASE_ENTRY = "erase_entry");
statement!(ALL_LEAVES = "all_leaves");
statement!(ALL_NODES = "all_nodes");
statement!(ALL_HEADS = "all_heads");
statement!(NO_SIZE = "no_size");
statement!(DELETE_NODE = "delete_node");

impl World {
    /// Ten entries, the head signed after each third.
    async fn filled(&self) -> Vec<LogEvent> {
        let events: Vec<LogEvent> = (0..10).map(|number| self.event(&format!("entry {number}"))).collect();
        let mut first = 1;
        for part in events.chunks(3) {
            self.deliver(first, part).await;
            self.journal.seal().await.unwrap();
            first += i64::try_from(part.len()).unwrap();
        }
        events
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::new(self.journal.log_key().clone(), Vec::new(), 0).unwrap()
    }

    pub(super) async fn proof(&self, person: &Person, role: &str, id: EventId) -> Result<String, Problem> {
        let proof = self.caller_of(person, role).call(GetLogProof { id }).await?;
        Ok(proof.0.to_string())
    }

    pub(super) async fn audit(&self) -> Result<journal::Audited, AuditError> {
        audit(&self.store, &self.trust(), None, Vec::new()).await
    }

    async fn tamper(&self, statements: &[&Query<Affected>]) {
        let mut tx = self.store.begin().await.unwrap();
        tx.run(&UNLOCK, &[]).await.unwrap();
        for statement in statements {
            assert!(tx.run(statement, &[]).await.unwrap() > 0, "{}", statement.name());
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_is_in_the_log_and_the_whole_log_holds() {
    for world in worlds().await {
        let events = world.filled().await;
        let audited = world.audit().await.unwrap();
        assert_eq!((audited.head.size, audited.sealed), (10, 10));
        // What comes again is no second leaf.
        world.deliver(1, &events).await;
        assert_eq!(world.audit().await.unwrap().head, audited.head);
        world.deliver(11, &[world.event("late")]).await;
        let audited = world.audit().await.unwrap();
        assert_eq!((audited.head.size, audited.sealed), (11, 10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_altered_is_named() {
    type Named = fn(&Finding) -> bool;
    let cases: [(&str, &[&Query<Affected>], Named); 8] = [
        ("a message", &[&CHANGE_MESSAGE], |it| matches!(it, Finding::Changed { index: 5 })),
        ("an entry that is gone", &[&REMOVE_ENTRY], |it| matches!(it, Finding::Removed { index: 5 })),
        ("a leaf that is gone", &[&REMOVE_LEAF], |it| matches!(it, Finding::Removed { index: 5 })),
        ("a leaf", &[&CHANGE_LEAF], |it| matches!(it, Finding::Changed { index: 5 })),
        ("a node", &[&CHANGE_NODE], |it| matches!(it, Finding::Tree { .. }) && it.first() == 4),
        ("the end", &[&CUT_ENTRIES], |it| matches!(it, Finding::Truncated { index: 7, had: 10 })),
        ("two places", &[&PARK, &SWAP, &UNPARK], |it| matches!(it, Finding::Reordered { index: 5, belongs: 6 })),
        ("the end, with everything over it but the heads", &[&CUT_ENTRIES, &CUT_NODES, &CUT_SIZE], |it| {
            matches!(it, Finding::Truncated { index: 7, had: 10 })
        }),
    ];
    for (what, statements, named) in cases {
        for world in worlds().await {
            world.filled().await;
            world.tamper(statements).await;
            match world.audit().await {
                Err(AuditError::Finding(finding)) if named(&finding) => {}
                other => panic!("{what}: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_altered_is_noticed_without_anybody_asking_until_it_is_as_it_was() {
    for world in worlds().await {
        let calm = async || {
            let truths = chassis::Health::truths(&world.journal).await;
            truths.into_iter().find(|truth| truth.name == "every entry is as it was logged").unwrap().holds
        };
        let events = world.filled().await;
        // More than a piece, so that what is altered stands in another one than the end.
        let more: Vec<LogEvent> = (0..1500).map(|number| world.event(&format!("more {number}"))).collect();
        world.deliver(i64::try_from(events.len()).unwrap() + 1, &more).await;
        for _ in 0..3 {
            world.journal.patrol().await.unwrap();
            assert!(calm().await);
        }
        world.tamper(&[&CHANGE_MESSAGE]).await;
        world.journal.patrol().await.unwrap();
        world.journal.patrol().await.unwrap();
        assert!(!calm().await);
        let mut tx = world.store.begin().await.unwrap();
        tx.run(&RESTORE_MESSAGE, &[]).await.unwrap();
        tx.commit().await.unwrap();
        // What begins within a lap says nothing of its first half.
        let mut walks = 0;
        while !calm().await {
            walks += 1;
            assert!(walks <= 4, "a whole lap finds nothing and it is still told");
            world.journal.patrol().await.unwrap();
        }
        assert!(walks > 1, "half a lap is no lap");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_no_entry_can_have_is_named_too() {
    for world in worlds().await {
        world.filled().await;
        world.tamper(&[&CHANGE_ACTION]).await;
        let said = world.audit().await.unwrap_err().to_string();
        assert!(said.contains("entry 5 of the log was altered"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_with_its_heads_is_shorter_than_the_head_that_somebody_kept() {
    for world in worlds().await {
        world.filled().await;
        let kept = world.trust().open(&world.journal.head().await.unwrap().unwrap()).unwrap();
        world.tamper(&[&CUT_ENTRIES, &CUT_NODES, &CUT_SIZE, &CUT_HEADS]).await;
        match audit(&world.store, &world.trust(), None, vec![kept]).await {
            Err(AuditError::Finding(Finding::Truncated { index: 7, had: 10 })) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_signed_by_another_key_is_not_believed() {
    for world in worlds().await {
        world.filled().await;
        let other = SigningKey::generate("guichet/journal", KeyKind::Log, &Chance::seeded(9)).unwrap();
        let trust = Trust::new(other.verifier().clone(), Vec::new(), 0).unwrap();
        assert!(matches!(audit(&world.store, &trust, None, Vec::new()).await, Err(AuditError::Head { size: 3, .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_can_be_erased_and_the_log_holds() {
    for world in worlds().await {
        world.filled().await;
        let before = world.audit().await.unwrap().head;
        let mut tx = world.store.begin().await.unwrap();
        tx.run(&ERASE, &[]).await.unwrap();
        tx.run(&ERASE_ENTRY, &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(world.audit().await.unwrap().head, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_to_change_or_remove_what_was_logged() {
    for world in worlds().await {
        world.filled().await;
        for statement in [&REMOVE_LEAF, &CHANGE_LEAF, &CHANGE_NODE, &DELETE_NODE, &CUT_HEADS, &CUT_SIZE] {
            let mut tx = world.store.begin().await.unwrap();
            let refused = tx.run(statement, &[]).await;
            assert!(
                matches!(refused, Err(StoreError::Constraint(_) | StoreError::Database { .. })),
                "{}: {refused:?}",
                statement.name()
            );
        }
        world.audit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entry_is_shown_with_its_place_to_those_whom_it_is_for() {
    for world in worlds().await {
        let event = LogEvent {
            actor: Some(agent()),
            subject: Some(claire()),
            details: [("amount".to_owned(), "12".to_owned())].into(),
            trace_id: Some("4bf92f35".to_owned()),
            ..world.event("a deposit was approved")
        };
        let hidden = LogEvent { audience: Audience::Agents, subject: Some(claire()), ..world.event("she was called") };
        world.deliver(1, &[world.event("before"), event.clone(), hidden.clone()]).await;
        let get = async |person: &Person, role: &str, id| world.caller_of(person, role).call(GetLog { id }).await;

        let logged = get(&agent(), "agent", event.id).await.unwrap();
        let entry = &logged.entry;
        assert_eq!((logged.index, entry.id, entry.at, entry.action), (1, event.id, event.at, event.action));
        assert_eq!((entry.actor.as_deref(), entry.subject.as_deref()), (Some("agathe"), Some("claire")));
        assert_eq!((entry.subject_id, &entry.message), (Some(claire().id), &event.message));
        assert_eq!((&entry.details, &entry.trace_id), (&event.details, &event.trace_id));
        assert_eq!(get(&agent(), "agent", hidden.id).await.unwrap().index, 2);

        let own = get(&claire(), "member", event.id).await.unwrap();
        assert_eq!((own.entry.actor, own.entry.message), (None, event.message.clone()));
        for (person, id) in [(marc(), event.id), (claire(), hidden.id), (claire(), EventId(Uuid::from_u128(9)))] {
            let refused = get(&person, "member", id).await.unwrap_err();
            assert_eq!(refused.status().as_u16(), 404, "{}", person.login);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_checked_without_the_journal_and_shows_what_its_reader_may_see() {
    for world in worlds().await {
        let event = LogEvent { actor: Some(agent()), subject: Some(claire()), ..world.event("a deposit was approved") };
        let hidden = LogEvent { audience: Audience::Agents, subject: Some(claire()), ..world.event("she was called") };
        world.deliver(1, &[event.clone(), hidden.clone(), world.event("more")]).await;
        let unsealed = world.proof(&agent(), "agent", event.id).await.unwrap_err();
        assert_eq!(unsealed.status().as_u16(), 503);
        world.journal.seal().await.unwrap();

        let proof = world.proof(&agent(), "agent", event.id).await.unwrap();
        assert!(proof.contains("agathe") && proof.contains("a deposit was approved"));
        let document = tlog::Document::read(&proof).unwrap();
        assert_eq!(document.check(&world.trust()).unwrap().index, 0);
        let altered = tlog::Document::read(&proof.replace("a deposit", "no deposit")).unwrap();
        assert!(altered.check(&world.trust()).unwrap_err().to_string().contains("content"));

        let proof = world.proof(&claire(), "member", event.id).await.unwrap();
        assert!(!proof.contains("agathe") && proof.contains("a deposit was approved"));
        tlog::Document::read(&proof).unwrap().check(&world.trust()).unwrap();

        for (person, id) in [(marc(), event.id), (claire(), hidden.id), (claire(), EventId(Uuid::from_u128(9)))] {
            let refused = world.proof(&person, "member", id).await.unwrap_err();
            assert_eq!(refused.status().as_u16(), 404, "{}", person.login);
        }
        let head = world.caller_of(&claire(), "member").call(GetLogHead {}).await.unwrap();
        assert_eq!(head.key, world.journal.log_key().to_string());
        assert_eq!(world.trust().open(&head.checkpoint).unwrap().checkpoint.head.size, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_before_there_was_a_log_is_put_into_it() {
    for world in worlds().await {
        world.filled().await;
        world.tamper(&[&ALL_LEAVES, &ALL_NODES, &ALL_HEADS, &NO_SIZE]).await;
        assert!(matches!(world.audit().await, Err(AuditError::Unlogged(_))));
        world.journal.begin_log().await.unwrap();
        assert_eq!(world.audit().await.unwrap().head.size, 10);
        let other = Journal::new(world.store.clone(), journal::log_key([3; 32].into()).unwrap(), world.chance.clone());
        assert!(other.begin_log().await.unwrap_err().to_string().contains("copy journal.key"));
        world.journal.begin_log().await.unwrap();
        assert_eq!(world.audit().await.unwrap().head.size, 10);
    }
}
