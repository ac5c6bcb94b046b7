//! Databases beside the files: what arrives in them, and that nothing is lost when they do not answer.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use store::{Many, Query};

use super::folder::{Api, Folder, TOKEN, stop};
use super::servers::{MariaDb, MongoDb, PASSWORD, PASSWORD_IN_URL, certified, free_port, kept_at};
use crate::process::eventually;

/// What the document asks for: a table with these columns.
const COLUMNS: &str = "select column_name, column_type, is_nullable, column_key, extra from information_schema.columns \
                       where table_name = 'app_status' order by ordinal_position";

/// The columns as texts, times in UTC, the same on both.
const ROWS: Query<Many> = Query::find(
    "-- name: rows (sqlite)\nselect timestamp as at, app_name, status, cast(response_time as text) as time from app_status order by id;\n\
     -- name: rows (postgres)\nselect cast(timestamp at time zone 'UTC' as text) as at, app_name, status, \
     cast(response_time as text) as time from app_status order by id;\n",
    "rows",
);

fn watched() -> Folder {
    Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop,billing,payroll\n"))
}

fn with<'a>(api: &'a Api, name: &'a str, url: &'a str) -> [(&'a str, &'a str); 2] {
    [("API_URL", api.url.as_str()), (name, url)]
}

#[test]
fn an_empty_folder_becomes_reports_a_log_rows_and_documents_without_a_secret_in_any() {
    let (mariadb, mut mongodb) = (MariaDb::with("select, insert, create"), MongoDb::that("keeps", None));
    let folder = Folder::empty();
    let api = Api::start(&folder, &["--answer", "ok", "--answer", "billing=down", "--answer", "payroll=error"]);
    let token = api.login(r#"{"username":"chad","password":"anything"}"#).unwrap();
    let env = format!(
        "API_TOKEN={token}\nAPI_URL={}\nAPPS=shop,billing,payroll\nREPORTS_DATABASE_URL={}\nLOGS_MONGODB_URL={}\n",
        api.url,
        mariadb.url(),
        mongodb.url()
    );
    folder.write(".env", &env);
    folder.check(&[]).ends_with(1);
    assert_eq!(folder.read("logs/monitor.log").lines().count(), 4);

    let columns = mariadb.ask(COLUMNS);
    let expected = "id\tint(11)\tNO\tPRI\tauto_increment\ntimestamp\tdatetime\tYES\t\t\napp_name\tvarchar(255)\tYES\t\t\n\
                    status\tvarchar(50)\tYES\t\t\nresponse_time\tfloat\tYES\t\t\n";
    assert_eq!(columns, expected);
    let rows = mariadb.ask("select id, app_name, status, response_time, timestamp from app_status order by id");
    let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        rows.iter().map(|row| [row[0], row[1], row[2]]).collect::<Vec<_>>(),
        [["1", "shop", "OK"], ["2", "billing", "DOWN"], ["3", "payroll", "UNKNOWN"]]
    );
    let reported = folder.report("shop")["results"][0].clone();
    assert_eq!(rows[0][3].parse::<f64>().ok(), reported["response_time"].as_f64());
    assert_eq!(rows[0][4].replace(' ', "T"), reported["at"].as_str().unwrap()[..19], "in UTC");
    assert_eq!(rows[2][3], "NULL");

    let documents = mongodb.next(4);
    let found = |field: &str| documents.iter().map(|it| it[field].as_str().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(found("level"), ["INFO", "ERROR", "ERROR", "WARNING"]);
    assert_eq!(found("app"), ["shop", "billing", "payroll", ""]);
    assert!(documents.iter().all(|it| it["at"]["$date"].as_i64().is_some()), "{documents:?}");
    assert_eq!(documents[2]["reason"], "http_status");
    assert!(mongodb.rest().is_empty());

    for secret in [token.as_str(), PASSWORD, PASSWORD_IN_URL] {
        folder.holds_nowhere(secret);
        assert!(!format!("{documents:?}{rows:?}").contains(secret));
        let held = super::folder::files(&mariadb.files()).into_iter().filter(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        });
        assert_eq!(held.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new(), "the server's own files");
    }
}

#[test]
fn a_table_that_is_there_needs_no_right_to_make_one_and_keeps_its_rows() {
    let mut mariadb = MariaDb::with("select, insert");
    let (folder, url) = (watched(), mariadb.url());
    let api = Api::start(&folder, &["--answer", "ok"]);
    let check = || folder.run(&["check"], &with(&api, "REPORTS_DATABASE_URL", &url));
    let refused = check();
    refused.ends_with(2);
    assert!(refused.stderr.contains("does not let this user do that"), "{refused:?}");
    assert_eq!(folder.report("shop")["results"].as_array().unwrap().len(), 1, "the report has it");
    mariadb.ask(
        "create table app_status (id int auto_increment primary key, timestamp datetime, app_name varchar(255), \
         status varchar(50), response_time float); insert into app_status (app_name) values ('mine')",
    );
    check().ends_with(0);
    check().ends_with(0);
    assert_eq!(mariadb.ask("select count(*) from app_status"), "7\n");
    mariadb.ask("alter table app_status drop column status");
    let other = check();
    other.ends_with(2);
    assert!(other.stderr.contains("other columns"), "{other:?}");
    let wrong = url.replace(PASSWORD_IN_URL, "another-password");
    let refused = folder.run(&["check"], &with(&api, "REPORTS_DATABASE_URL", &wrong));
    assert!(refused.stderr.contains("refuses the user or the password"), "{refused:?}");
    let missing = url.replace("/monitoring", "/nowhere");
    let refused = folder.run(&["check"], &with(&api, "REPORTS_DATABASE_URL", &missing));
    refused.ends_with(2);
    mariadb.kill();
    let gone = check();
    gone.ends_with(2);
    assert!(gone.stderr.contains("nobody listens there"), "{gone:?}");
    assert_eq!(folder.report("shop")["results"].as_array().unwrap().len(), 7, "no result is lost");
    for secret in [PASSWORD, PASSWORD_IN_URL, "another-password"] {
        folder.holds_nowhere(secret);
    }
}

#[test]
fn mariadb_is_reached_over_tls_and_believed_by_the_named_authority_alone() {
    let (mariadb, other) = (MariaDb::with("select, insert, create"), tempfile::tempdir().unwrap());
    certified(other.path());
    mariadb.ask("alter user 'monitor'@'%' require ssl");
    let folder = watched();
    let api = Api::start(&folder, &["--answer", "ok"]);
    let check = |url: &str| folder.run(&["check"], &with(&api, "REPORTS_DATABASE_URL", url));
    check(&mariadb.url()).ends_with(2);
    let by = |authority: &Path| format!("{}?ssl-ca={}", mariadb.url(), authority.display());
    let refused = check(&by(&other.path().join("ca.pem")));
    refused.ends_with(2);
    assert!(refused.stderr.contains("no trustworthy TLS"), "{refused:?}");
    assert!(check(&by(Path::new("/nowhere.pem"))).stderr.contains("a file that is not there"));
    check(&by(&mariadb.authority())).ends_with(0);
    assert_eq!(mariadb.ask("select count(*) from app_status"), "3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_and_postgresql_take_the_same_rows() {
    let folder = watched();
    let api = Api::start(&folder, &["--answer", "degraded", "--answer", "payroll=broken"]);
    let database = folder.path("status.sqlite");
    let mut places = vec![(format!("sqlite:{}", database.display()), store::Database::Sqlite { path: database })];
    let postgres = store::testing::postgres_for(&["monitor"]).await.unwrap();
    if let Some((address, databases)) = &postgres {
        places.push((address.replace("{service}", "monitor"), databases[0].database.clone()));
    }
    for (url, database) in places {
        for _ in 0..2 {
            let checked = folder.run(&["check"], &with(&api, "REPORTS_DATABASE_URL", &url));
            checked.ends_with(1);
        }
        let store = store::Store::open(&database, &[], vocabulary::Clock::system()).await.unwrap();
        let mut transaction = store.read().await.unwrap();
        let rows = transaction.run(&ROWS, &[]).await.unwrap();
        let rows: Vec<[Option<String>; 4]> = rows
            .into_iter()
            .map(|row| ["at", "app_name", "status", "time"].map(|column| row.get(column).unwrap()))
            .collect();
        assert_eq!(rows.len(), 6, "{rows:?}");
        for [at, app, status, time] in rows {
            let (at, app) = (at.unwrap(), app.unwrap());
            let result = folder.report(&app)["results"].as_array().unwrap().iter().any(|it| {
                it["at"].as_str().unwrap()[..19] == at.replace(' ', "T")[..19]
                    && it["status"].as_str() == status.as_deref()
                    && it["response_time"].as_f64() == time.as_ref().map(|it| it.parse().unwrap())
            });
            assert!(result, "{at} {app} {status:?} {time:?} is not in its report");
        }
    }
}

#[test]
fn a_database_that_never_answers_costs_a_bounded_time_and_no_result() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, port) = (watched(), silent.local_addr().unwrap().port());
    let api = Api::start(&folder, &["--answer", "ok"]);
    let url = format!("mysql://me:{PASSWORD_IN_URL}@127.0.0.1:{port}/monitoring");
    let checked = folder.run(&["check"], &with(&api, "REPORTS_DATABASE_URL", &url));
    checked.ends_with(2);
    assert!(checked.stderr.contains("no answer within 10s"), "{checked:?}");
    assert_eq!(folder.report("shop")["results"][0]["status"], "OK");
    folder.holds_nowhere(PASSWORD);
}

#[test]
fn an_address_that_would_show_a_password_on_the_way_is_refused() {
    let folder = watched();
    let password = PASSWORD_IN_URL;
    for (name, url, words) in [
        ("REPORTS_DATABASE_URL", format!("mysql://me:{password}@db.example/x"), "without encryption"),
        ("REPORTS_DATABASE_URL", format!("mysql://me:{password}@127.0.0.1/"), "names no database"),
        ("REPORTS_DATABASE_URL", format!("mysql://me:{password}@127.0.0.1/x?require_ssl=false"), "not known"),
        ("REPORTS_DATABASE_URL", format!("oracle://me:{password}@127.0.0.1/x"), "mysql://user"),
        ("LOGS_MONGODB_URL", format!("mongodb://me:{password}@db.example/x"), "without encryption"),
        ("LOGS_MONGODB_URL", format!("mongodb://me:{password}@db.example/x?tls=true"), "tlsCAFile"),
        (
            "LOGS_MONGODB_URL",
            format!("mongodb://me:{password}@db.example/x?tls=true&tlsInsecure=true"),
            "prove nothing",
        ),
        ("LOGS_MONGODB_URL", format!("mongodb+srv://me:{password}@db.example/x"), "no address such as"),
        ("LOGS_MONGODB_URL", format!("mongodb://me:{password}@127.0.0.1/x?nonsense"), "cannot be understood"),
    ] {
        let refused = folder.run(&["check"], &[("API_URL", "http://127.0.0.1:9/"), (name, &url)]);
        refused.ends_with(2);
        assert!(refused.stderr.contains(words) && refused.stderr.contains(name), "{url}: {refused:?}");
        assert!(!format!("{refused:?}").contains("Canary-8"), "{refused:?}");
    }
}

#[test]
fn what_mongodb_does_not_take_is_counted_and_told_and_nothing_else_suffers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = MongoDb::that("refuses", None);
    let picky = MongoDb::that("picky", None);
    let (nobody, mute) = (free_port(), silent.local_addr().unwrap().port());
    for (url, dropped, words) in [
        (format!("mongodb://127.0.0.1:{nobody}/"), 4, "no MongoDB answers there"),
        (format!("mongodb://127.0.0.1:{mute}/"), 4, "MongoDB"),
        (MongoDb::that("silent", None).url(), 4, "MongoDB"),
        (refusing.url(), 4, "does not let this user write"),
        (format!("mongodb://me:{PASSWORD_IN_URL}@127.0.0.1:{}/x", refusing.port), 4, "MongoDB"),
        (picky.url(), 1, "refuses them"),
    ] {
        let folder = watched();
        let api = Api::start(&folder, &["--answer", "ok"]);
        let checked = folder.run(&["check"], &with(&api, "LOGS_MONGODB_URL", &url));
        checked.ends_with(2);
        let told = format!("{dropped} log record");
        assert!(checked.stderr.contains(&told) && checked.stderr.contains(words), "{url}: {checked:?}");
        assert_eq!(folder.report("shop")["results"][0]["status"], "OK");
        let log = folder.read("logs/monitor.log");
        assert!(
            log.lines().count() == 5 && log.contains(&told),
            "the file has all, and says what is missing there: {log}"
        );
        folder.holds_nowhere(PASSWORD);
        folder.holds_nowhere(TOKEN);
    }
}

#[test]
fn a_record_whose_answer_was_lost_is_not_there_twice() {
    let mut mongodb = MongoDb::that("forgetful", None);
    let folder = watched();
    let api = Api::start(&folder, &["--answer", "ok"]);
    folder.run(&["check"], &with(&api, "LOGS_MONGODB_URL", &mongodb.url())).ends_with(0);
    assert_eq!((mongodb.next(4).len(), mongodb.rest()), (4, Vec::<String>::new()));
}

#[tokio::test]
async fn records_wait_while_mongodb_is_away_and_arrive_when_it_is_back() {
    let folder = watched();
    let api = Api::start(&folder, &["--answer", "ok", "--delay", "0s"]);
    let port = free_port();
    let url = format!("mongodb://127.0.0.1:{port}/watched");
    let repeating = folder.start(&["check", "--every", "1s"], &with(&api, "LOGS_MONGODB_URL", &url));
    eventually("two checks without MongoDB", async || {
        folder.reported("shop").filter(|it| it["results"].as_array().unwrap().len() >= 2)
    })
    .await;
    let mut mongodb = MongoDb::that("keeps", Some(port));
    let first = mongodb.next(8);
    let ended = stop(repeating);
    ended.ends_with(0);
    assert_eq!(ended.stderr, "", "nothing was dropped");
    let texts =
        |values: &[Value]| values.iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut arrived = texts(&first);
    arrived.extend(mongodb.rest().iter().map(|line| texts(&[serde_json::from_str(line).unwrap()]).remove(0)));
    let log = folder.read("logs/monitor.log");
    let logged: Vec<&str> = log.lines().map(|line| line.split_once("INFO").unwrap().1.trim()).collect();
    assert_eq!(arrived, logged, "each record once, in its order");
}

/// Against a MongoDB that somebody runs, where GUICHET_TEST_MONGODB_URL names one; against MockupDB alone where not.
#[test]
fn a_real_mongodb_keeps_every_record() {
    let Ok(url) = std::env::var("GUICHET_TEST_MONGODB_URL") else { return };
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\n"));
    let app = format!("app-{}", vocabulary::Clock::system().now().micros());
    let api = Api::start(&folder, &["--answer", "ok"]);
    folder.run(&["check", "--apps", &app], &with(&api, "LOGS_MONGODB_URL", &url)).ends_with(0);
    let kept = kept_at(&url).into_iter().filter(|it| it["app"] == app.as_str()).count();
    assert_eq!(kept, 1);
}

#[test]
fn the_end_does_not_wait_for_mongodb_longer_than_a_few_seconds() {
    let folder = watched();
    let api = Api::start(&folder, &["--answer", "ok"]);
    let clock = vocabulary::Clock::system();
    let began = clock.now();
    let url = format!("mongodb://127.0.0.1:{}/", free_port());
    folder.run(&["check"], &with(&api, "LOGS_MONGODB_URL", &url)).ends_with(2);
    // Five, and what a busy machine adds to it.
    assert!(clock.now().since(began) < Duration::from_mins(1));
}
