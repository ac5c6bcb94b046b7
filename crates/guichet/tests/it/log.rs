//! What stands in the journal is proven without the bank, and a history that was written anew is noticed.

use std::path::Path;

use aaa::Directory;
use bytes::Bytes;
use contracts::events::Action;
use contracts::journal::{ExportLogs, SERVICE, TailLogs};
use futures_util::StreamExt;
use serde_json::Value;
use store::{Affected, Database, Query, Scalar, Script, Store};
use vocabulary::Clock;

use crate::people::sign_in;
use crate::process::{Up, apart, eventually, guichet, output};

const SQL: &str = "\
-- name: unlock#
drop trigger leaves_no_delete; drop trigger nodes_no_delete; drop trigger checkpoints_no_delete;
drop trigger cosignatures_no_delete; drop trigger log_only_grows;
-- name: change!
update entries set message = 'nothing happened' where id in (select id from entries order by at limit 1);
-- name: inner_decisions$
select count(*) from audit where payload like '%/inner/%';
-- name: forget_cosignatures!
delete from cosignatures;
-- name: forget_heads!
delete from checkpoints;
-- name: forget_nodes!
delete from nodes;
-- name: forget_leaves!
delete from leaves;
-- name: begin_anew!
update log set size = 0, complete = false;
";
const INNER_DECISIONS: Query<Scalar<i64>> = Query::find(SQL, "inner_decisions");
const UNLOCK: Query<Script> = Query::find(SQL, "unlock");
const CHANGE: Query<Affected> = Query::find(SQL, "change");
/// Everything that knows of the former history, in the order in which it can go.
const REWRITE: [Query<Affected>; 6] = [
    Query::find(SQL, "change"),
    Query::find(SQL, "forget_cosignatures"),
    Query::find(SQL, "forget_heads"),
    Query::find(SQL, "forget_nodes"),
    Query::find(SQL, "forget_leaves"),
    Query::find(SQL, "begin_anew"),
];

async fn journal_of(data_dir: &Path) -> Store {
    let database = Database::Sqlite { path: data_dir.join("journal.sqlite") };
    Store::open(&database, journal::MIGRATIONS, Clock::system()).await.unwrap()
}

/// Does to the journal's database what its operator can.
async fn tamper(data_dir: &Path, statements: &[Query<Affected>]) {
    let store = journal_of(data_dir).await;
    let mut tx = store.begin().await.unwrap();
    tx.run(&UNLOCK, &[]).await.unwrap();
    for statement in statements {
        assert!(tx.run(statement, &[]).await.unwrap() > 0, "{}", statement.name());
    }
    tx.commit().await.unwrap();
}

fn verify(data_dir: &Path) -> Result<Value, String> {
    let out = guichet(&["journal", "verify", "--json", "--data-dir"]).arg(data_dir).output().unwrap();
    if out.status.success() {
        return Ok(serde_json::from_slice(&out.stdout).unwrap());
    }
    Err(String::from_utf8(out.stderr).unwrap())
}

/// Waits until the witness has cosigned everything.
async fn cosigned(data_dir: &Path) -> Value {
    eventually("everything in the log is cosigned", async || {
        verify(data_dir).ok().filter(|found| found["cosigned"] == found["entries"])
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_proven_without_the_bank() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("bank");
    let bank = Up::on(&dir).start();
    let first = bank.people("superuser").remove(0);
    let superuser = sign_in(&bank.client(), &first.login, &first.password).await;
    assert!(cosigned(&dir).await["entries"].as_u64().unwrap() > 0);
    let entries = superuser.client.get("/api/logs?action=LOGIN").await.expect(200);
    let id = entries["items"][0]["id"].as_str().unwrap().to_owned();
    let token = home.path().join("token");
    std::fs::write(&token, superuser.client.token().unwrap()).unwrap();
    let (url, ca, token) = (&bank.line.url, bank.line.ca.to_str().unwrap(), token.to_str().unwrap());
    let proof = output(&["journal", "proof", &id, "--url", url, "--ca", ca, "--token-file", token]);
    drop(bank);

    let file = home.path().join("proof.json");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let out = guichet(&["journal", "check"]).arg(&file).arg("--trust").arg(&dir).output().unwrap();
        let said = [out.stdout, out.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
        (out.status.success(), said)
    };
    let (holds, said) = check(&proof);
    assert!(holds && said.contains(&id) && said.contains("cosigned by guichet/witness"), "{said}");
    let (holds, said) = check(&proof.replace("\"LOGIN\"", "\"LOGOUT\""));
    assert!(!holds && said.contains("the entry was altered"), "{said}");
    let out = guichet(&["journal", "check"]).arg(&file).arg("--trust").arg(home.path()).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(!out.status.success() && said.contains("--trust") && said.contains("journal.pub"), "{said}");
    let (holds, said) = check("{}");
    assert!(!holds && said.contains("proves nothing"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_followed_as_it_grows_and_a_stop_waits_for_nobody_who_follows() {
    let home = tempfile::tempdir().unwrap();
    let bank = Up::in_any_way_on(&home.path().join("bank")).start();
    let first = bank.people("superuser").remove(0);
    let superuser = sign_in(&bank.client(), &first.login, &first.password).await;
    let roots = std::fs::read_to_string(&bank.line.ca).unwrap();
    let directory = Directory::default();
    directory.set(SERVICE, chassis::reach(&bank.line.url, Some(&roots), &Clock::system()).unwrap());
    let caller = directory.caller().with_token(superuser.client.token().unwrap());
    let asked = TailLogs { action: vec![Action::Login], ..TailLogs::default() };
    let mut parts = caller.stream(asked).await.unwrap().into_parts();
    sign_in(&bank.client(), &first.login, &first.password).await;
    let mut text = String::new();
    while !text.contains("event: entry\ndata: {") {
        text.push_str(std::str::from_utf8(&parts.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("\"action\":\"LOGIN\"") && text.contains(&first.login), "{text}");

    let file = caller.stream(ExportLogs { action: vec![Action::Login], ..ExportLogs::default() }).await.unwrap();
    assert_eq!(file.content_type, "text/csv; charset=utf-8; header=present");
    let mut file = file.into_parts();
    let mut text = Vec::new();
    while let Some(part) = file.next().await {
        text.extend(part.unwrap());
    }
    assert!(String::from_utf8(text).unwrap().lines().count() >= 3, "a heading, and two sign-ins");

    let stopped = tokio::task::spawn_blocking(move || bank.terminate());
    let mut last = Ok(Bytes::new());
    while let Some(part) = parts.next().await {
        last = part;
    }
    // Where services stand apart, the pages' process stops first and cuts off what it carries.
    assert!(last.is_ok() || apart(), "it ends by itself, and is not cut off: {last:?}");
    assert!(stopped.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_journal_says_of_somebody_is_erased_by_hand_and_the_log_holds() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("bank");
    let bank = Up::on(&dir).start();
    let first = bank.people("superuser").remove(0);
    sign_in(&bank.client(), &first.login, &first.password).await;
    cosigned(&dir).await;
    assert!(bank.terminate().success());
    let place = dir.to_str().unwrap();
    let erase = ["journal", "erase", &first.login, "--reason", "a test", "--json", "--data-dir", place];
    let would: Value = serde_json::from_str(&output(&erase)).unwrap();
    let count = would["would_erase"].as_u64().unwrap();
    assert!(count > 0 && verify(&dir).unwrap()["erased"] == 0);
    let done: Value = serde_json::from_str(&output(&[&erase[..], &["--yes"]].concat())).unwrap();
    assert_eq!((done["erased"].as_u64(), done["left"].as_u64()), (Some(count), Some(0)));
    assert_eq!(verify(&dir).unwrap()["erased"], done["erased"]);
    let out = guichet(&erase).output().unwrap();
    assert!(!out.status.success() && String::from_utf8(out.stderr).unwrap().contains("knows nobody called"));
    let keep = |more: &[&str]| output(&[&["journal", "keep", "--data-dir", place], more].concat());
    assert!(keep(&[]).contains("for ever") && keep(&["--days", "30"]).contains("after 30 days"));
    assert!(keep(&["--for-ever"]).contains("for ever"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_entry_is_named() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("bank");
    let bank = Up::on(&dir).start();
    cosigned(&dir).await;
    assert!(bank.terminate().success());
    // The witness asks each second, for ever.
    let recorded = journal_of(&dir).await.read().await.unwrap().run(&INNER_DECISIONS, &[]).await.unwrap();
    assert_eq!(recorded, Some(0));
    tamper(&dir, &[CHANGE]).await;
    let said = verify(&dir).unwrap_err();
    assert!(said.contains("the journal is not what it was: entry 0 was changed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_was_written_anew_under_the_same_key_is_noticed_by_the_witness() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("bank");
    let bank = Up::on(&dir).start();
    cosigned(&dir).await;
    let remembered = std::fs::read(dir.join("witness.note")).unwrap();
    drop(bank);
    tamper(&dir, &REWRITE).await;
    let bank = Up::on(&dir).start();
    eventually("the monitor tells", async || {
        let status = bank.client().get("/api/status").await.expect(200).to_string();
        status.contains(r#""holds":false,"name":"the journal's history was never rewritten""#).then_some(())
    })
    .await;
    let said = verify(&dir).unwrap_err();
    assert!(said.contains("the journal is not what it was"), "{said}");
    assert_eq!(std::fs::read(dir.join("witness.note")).unwrap(), remembered, "nothing more is cosigned");
    // Once the new log has a head: until then it is noticed by having none.
    let evidence =
        eventually("both heads are kept", async || std::fs::read_to_string(dir.join("witness.evidence")).ok());
    let evidence = evidence.await;
    assert_eq!(evidence.matches("guichet/journal\n").count(), 2, "{evidence}");
}
