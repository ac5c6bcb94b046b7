//! The journal's pages: what they ask of the journal, and for whom they are.

use aaa::Problem;
use http::StatusCode;
use serde_json::{Value, json};

use crate::notice;
use crate::stage::{Bank, MINE, NOW, OTHER, session};

fn entry(id: &str, at: &str, actor: Option<&str>) -> Value {
    json!({"id": id, "at": at, "audience": "members", "level": "info", "action": "DEPOSIT_APPROVED", "actor": actor,
        "subject": "claire", "subject_id": MINE, "message": "words", "details": {}, "source": "bank", "trace_id": "4bf9"})
}

/// What the journal was asked at an address of pages, as a list of parameters.
fn asked(bank: &Bank, path: &str) -> Vec<String> {
    let mut asked = Vec::new();
    bank.script(|script| asked.clone_from(&script.asked_journal));
    let wanted = asked.into_iter().filter(|uri| uri.split('?').next() == Some(path) && !uri.contains("mine=true"));
    wanted.map(|uri| uri.split_once('?').map_or(String::new(), |(_, query)| query.to_owned())).collect()
}

#[tokio::test]
async fn every_filter_of_the_address_is_asked_of_the_journal() {
    let bank = Bank::of("agent");
    bank.script(|script| script.logs = vec![entry(OTHER, NOW, None)]);
    let page = bank
        .get_signed(
            "/logs?user=claire&action=LOGIN&action=LOGOUT&level=warning-up&audience=members&source=bank&text=loyer\
             &trace_id=4bf9&from=2026-11-20T10:00&to=2026-11-21&action=NONSENSE",
        )
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let list = asked(&bank, "/api/logs").remove(0);
    for filter in [
        "user=claire",
        "action=LOGIN&action=LOGOUT",
        "least=warning",
        "audience=members",
        "source=bank",
        "text=loyer",
        "trace_id=4bf9",
        "from=2026-11-20T10%3A00%3A00Z",
        "to=2026-11-21",
    ] {
        assert!(list.contains(filter), "{filter} in {list}");
    }
    assert_eq!(asked(&bank, "/api/logs/summary").len(), 1, "the period has a beginning: its entries are counted");
    assert!(page.body.contains("Entrées\u{a0}: 7"), "{}", page.body);
    bank.script(|script| script.asked_journal.clear());
    assert!(!bank.get_signed("/logs").await.body.contains("Entrées"));
    assert!(asked(&bank, "/api/logs/summary").is_empty(), "nobody counts a journal of years for a table");
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_said_beside_the_filters() {
    let bank = Bank::of("agent");
    bank.script(|script| script.journal_problem = Some(Problem::fault("text", "holds no word")));
    let page = bank.get_signed("/logs?text=%3F").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("une lettre ou un chiffre") && page.body.contains("value=\"?\""), "{}", page.body);
}

#[tokio::test]
async fn the_dashboard_counts_four_things_over_one_period_and_is_for_staff() {
    let bank = Bank::of("agent");
    let page = bank.get_signed("/dashboard?period=week").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let counts = asked(&bank, "/api/logs/summary");
    assert_eq!(counts.len(), 4);
    for count in &counts {
        for part in ["from=2026-11-15", "to=2026-11-21", "per=hour"] {
            assert!(count.contains(part), "{part} in {count}");
        }
    }
    let of = |what: &str| counts.iter().filter(|count| count.contains(what)).count();
    assert_eq!((of("action=LOGIN_FAILED"), of("_APPROVED"), of("_REJECTED")), (1, 1, 1));
    assert!(page.body.contains("<svg class=\"columns-chart\"") && page.body.contains("<svg class=\"bars-chart\""));
    assert!(page.body.contains("/logs?from=2026-11-20&#38;to=2026-11-20"), "a column leads to its day");
    assert_eq!(Bank::new().get_signed("/dashboard").await.status, StatusCode::FORBIDDEN);
    for odd in ["period=century", "from=2026-11-21&to=1999-01-01", "from=0001-01-01", "from=x&to=y"] {
        assert_eq!(bank.get_signed(&format!("/dashboard?{odd}")).await.status, StatusCode::OK, "{odd}");
    }
}

#[tokio::test]
async fn an_entry_has_a_page_with_its_place_and_its_proof_as_a_file() {
    let bank = Bank::new();
    bank.script(|script| {
        script.logs = vec![entry(OTHER, NOW, None)];
        script.notices = vec![notice(OTHER, "LOGIN", true)];
    });
    assert!(bank.get_signed("/notifications").await.body.contains(&format!("href=\"/logs/{OTHER}\"")));
    let page = bank.get_signed(&format!("/logs/{OTHER}")).await;
    assert!(
        page.body.contains("<dd>41</dd>") && page.body.contains("guichet journal check proof.json"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("href=\"/logs?"), "the table is for staff");
    let proof = bank.get_signed(&format!("/logs/{OTHER}/proof.json")).await;
    assert_eq!(proof.headers["content-disposition"], "attachment; filename=\"proof.json\"");
    assert_eq!(serde_json::from_str::<Value>(&proof.body).unwrap(), json!({"proof": "of it"}));
    assert_eq!(bank.get_signed("/logs/none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bank.get_signed("/logs").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_day_is_told_in_the_order_of_events_with_its_silences() {
    let bank = Bank::of("agent");
    let (late, early) =
        (entry(OTHER, "2026-11-20T17:30:00Z", Some("agathe")), entry(MINE, "2026-11-20T09:05:00Z", None));
    bank.script(|script| script.logs = vec![late, early]);
    let page = bank.get_signed("/logs/story?user=claire&day=2026-11-20").await;
    let at = |what: &str| page.body.find(what).unwrap_or_else(|| panic!("{what} in {}", page.body));
    assert!(at(">09:05:00<") < at("8\u{a0}h 25\u{a0}min sans rien") && at("sans rien") < at(">17:30:00<"));
    assert!(page.body.contains("day=2026-11-19") && page.body.contains("day=2026-11-21"), "the days before and after");
    let list = asked(&bank, "/api/logs").remove(0);
    for part in ["user=claire", "from=2026-11-20", "to=2026-11-20"] {
        assert!(list.contains(part), "{part} in {list}");
    }
    let today = bank.get_signed("/logs/story?user=claire&day=2031-01-01").await;
    assert!(today.body.contains("value=\"2026-11-21\"") && !today.body.contains("day=2026-11-22"), "no day to come");
}

#[tokio::test]
async fn a_member_reads_their_own_day_whoever_they_ask_for() {
    let bank = Bank::new();
    let page = bank.get_signed("/logs/story?user=agathe&day=2026-11-20").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(asked(&bank, "/api/logs").is_empty(), "only what is theirs is asked for");
    let mut all = Vec::new();
    bank.script(|script| all.clone_from(&script.asked_journal));
    assert!(all.iter().any(|uri| uri.contains("from=2026-11-20")) && !all.iter().any(|uri| uri.contains("agathe")));
}

#[tokio::test]
async fn a_file_holds_what_the_table_was_asked_for_and_not_from_where_it_was_read() {
    let bank = Bank::of("agent");
    bank.script(|script| script.logs = vec![entry(OTHER, NOW, None)]);
    let page = bank.get_signed("/logs?user=claire&action=LOGIN&action=LOGOUT&cursor=x").await;
    let link = "/logs/export?user=claire&#38;action=LOGIN&#38;action=LOGOUT&#38;format=jsonl";
    assert!(page.body.contains(link), "{}", page.body);
    let file = bank.get_signed(&link.replace("&#38;", "&")).await;
    assert_eq!((file.body.as_str(), &file.headers["content-type"]), ("id\r\n", &"text/csv".parse().unwrap()));
    let of = asked(&bank, "/api/logs/export").remove(0);
    for part in ["user=claire", "action=LOGIN&action=LOGOUT", "format=jsonl"] {
        assert!(of.contains(part), "{part} in {of}");
    }
    assert_eq!(Bank::new().get_signed("/logs/export").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_follows_comes_as_rows_after_the_last_one_that_was_seen() {
    let bank = Bank::of("agent");
    bank.script(|script| script.logs = vec![entry(OTHER, NOW, Some("agathe"))]);
    assert!(
        bank.get_signed("/logs?level=warning").await.body.contains("data-live=\"/logs/live?level=warning\" hidden")
    );
    for over in ["/logs?to=2026-11-20", "/logs?cursor=x"] {
        assert!(!bank.get_signed(over).await.body.contains("data-live"), "{over}: nothing new comes there");
    }
    let request = http::Request::get("/logs/live?level=warning").header("last-event-id", "7");
    let events = bank.send(request.header(http::header::COOKIE, session()), String::new()).await;
    assert_eq!(events.headers["content-type"], "text/event-stream");
    assert!(events.body.starts_with("id: 8\nevent: entry\ndata: <tr>") && events.body.contains("Dépôt approuvé"));
    let of = asked(&bank, "/api/logs/tail").remove(0);
    assert!(of.contains("level=warning") && of.contains("after=7"), "{of}");
    assert_eq!(Bank::new().get_signed("/logs/live").await.status, StatusCode::FORBIDDEN);
}
