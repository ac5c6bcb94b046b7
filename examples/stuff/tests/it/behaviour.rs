//! What the README does not show: every way to send parameters and credentials, and every way to get them wrong.

use serde_json::json;

use crate::program::Program;
use crate::{on_both, start};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";
const CALVIN: &str = "Authorization: Basic Y2FsdmluOmhvYmJlcw==";
const HOBBES: &str = "Authorization: Basic aG9iYmVzOnN1c2ll";

fn get(program: &Program, path: &str, head: &[&str]) -> u16 {
    program.send("GET", path, head, "").status()
}

fn token(program: &Program, basic: &str) -> String {
    program.send("GET", "/login", &[basic], "").json().as_str().unwrap().to_owned()
}

#[test]
fn parameters_come_as_query_form_or_json_alike_and_never_twice() {
    on_both(|program| {
        let chairs = json!([{ "sid": 1, "stuff": "Chair" }]);
        for (path, head, body) in [
            ("/stuff?filter=C%25", &[][..], ""),
            ("/stuff", &[FORM], "filter=C%25"),
            ("/stuff", &[JSON], r#"{"filter":"C%"}"#),
            ("/stuff", &[JSON], r#"{"filter":"_h_ir"}"#),
        ] {
            assert_eq!(program.send("GET", path, head, body).json(), chairs, "{path} {body}");
        }
        assert_eq!(program.send("GET", "/stuff?filter=%25", &[FORM], "filter=C%25").status(), 400);
        assert_eq!(program.send("GET", "/stuff?other=1", &[], "").status(), 400);
        for (method, body, status) in [("PATCH", r#"{"stuff":"Sofa"}"#, 204), ("PUT", r#"{"stuff":["Sofa"]}"#, 400)] {
            assert_eq!(program.send(method, "/stuff/1", &[JSON], body).status(), status, "{method}");
        }
        assert_eq!(program.send("GET", "/stuff/1", &[], "").json(), json!({ "sid": 1, "stuff": "Sofa" }));
    });
}

#[test]
fn a_pattern_is_a_pattern_and_never_sql() {
    on_both(|program| {
        for (filter, status) in
            [("%5C", 200), ("'%20or%201=1--", 200), ("%25';drop%20table%20stuff;--", 200), ("%00", 400)]
        {
            assert_eq!(get(program, &format!("/stuff?filter={filter}"), &[]), status, "{filter}");
        }
        assert_eq!(program.send("GET", "/stuff", &[], "").json().as_array().unwrap().len(), 2);
        for sid in ["1%20or%201=1", "99999999999999999999", "-1", "x"] {
            let status = get(program, &format!("/stuff/{sid}"), &[]);
            assert!(status == 400 || status == 404, "{sid}: {status}");
        }
    });
}

#[test]
fn login_and_password_also_come_as_fields_of_the_body_but_never_of_the_address() {
    on_both(|program| {
        let ask = |path: &str, body: &str| program.send("GET", path, &[FORM], body);
        assert_eq!(ask("/hello", "USER=hobbes&PASS=susie").json(), json!("hello hobbes!"));
        assert_eq!(ask("/cmp/add", "USER=hobbes&PASS=susie&i=30&j=12").json(), json!(42));
        assert_eq!(ask("/hello", "USER=hobbes&PASS=wrong").status(), 401);
        assert_eq!(ask("/hello", "USER=hobbes").status(), 401);
        assert_eq!(ask("/hello?USER=hobbes&PASS=susie", "").status(), 400);
    });
}

#[test]
fn a_token_is_taken_where_it_may_be_and_a_password_where_it_may() {
    on_both(|program| {
        let bearer = format!("Authorization: Bearer {}", token(program, CALVIN));
        for (path, with_token, with_password) in
            [("/qui-suis-je", 200, 401), ("/login", 401, 200), ("/whoami", 200, 200), ("/admin", 200, 200)]
        {
            assert_eq!(get(program, path, &[&bearer]), with_token, "{path} with a token");
            assert_eq!(get(program, path, &[CALVIN]), with_password, "{path} with a password");
        }
        for forged in [bearer.replace("calvin", "susie"), bearer.replace(":20", ":30"), format!("{bearer}0")] {
            assert_eq!(get(program, "/whoami", &[&forged]), 401, "{forged}");
            assert_eq!(get(program, "/whoami", &[&forged, CALVIN]), 401, "a wrong credential is not skipped");
        }
    });
}

#[test]
fn a_token_outlives_a_restart_and_a_stolen_password_file_gets_better_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &[]);
    let bearer = format!("Authorization: Bearer {}", token(&program, CALVIN));
    assert!(program.stop(), "SIGTERM is no failure");
    let program = start(folder.path(), &[]);
    assert_eq!(get(&program, "/whoami", &[&bearer]), 200);
    assert_eq!(get(&program, "/whoami", &[CALVIN]), 200, "the better hash fits too");
    let database = std::fs::read(folder.path().join("stuff.sqlite")).unwrap();
    let log = std::fs::read(folder.path().join("stuff.sqlite-wal")).unwrap_or_default();
    let kept = format!("{}{}", String::from_utf8_lossy(&database), String::from_utf8_lossy(&log));
    assert!(kept.contains("$argon2id$") && !kept.contains("derkins"));
}

#[test]
fn what_belongs_to_others_is_403_and_what_is_not_is_404() {
    on_both(|program| {
        for (path, head, status) in [
            ("/object/1", &[CALVIN][..], 200),
            ("/object/1", &[HOBBES], 403),
            ("/object/2", &[CALVIN], 403),
            ("/object/99", &[CALVIN], 404),
            ("/object/1", &[], 401),
            ("/object/x", &[], 401),
            ("/object/x", &[CALVIN], 400),
            ("/owned/2", &[HOBBES], 200),
            ("/owned/2", &[CALVIN], 403),
            ("/owned/42", &[HOBBES], 404),
            ("/owned", &[HOBBES], 403),
            ("/object", &[HOBBES], 403),
            ("/object", &[CALVIN], 200),
        ] {
            assert_eq!(get(program, path, head), status, "{path} {head:?}");
        }
    });
}

#[test]
fn only_an_administrator_adds_users_and_a_name_is_given_once() {
    on_both(|program| {
        let add = |head: &[&str], body: &str| program.send("POST", "/users-mgt", head, body);
        let bro = r#"{"u":{"login":"bro","password":"bro-pass","isAdmin":false}}"#;
        assert_eq!(add(&[JSON], bro).status(), 401);
        assert_eq!(add(&[JSON, HOBBES], bro).status(), 403);
        let added = add(&[JSON, CALVIN], bro);
        assert_eq!((added.status(), added.json()), (201, json!(4)));
        assert_eq!(add(&[JSON, CALVIN], bro).status(), 409);
        for wrong in [
            r#"{"u":{"login":"sis","password":"sis","isAdmin":false}}"#,
            r#"{"u":{"login":"sis","password":"sis-pass","isAdmin":false,"id":1}}"#,
            r#"{"u":{"login":"sis","password":"sis-pass"}}"#,
            r#"{"u":{"login":"a:b","password":"sis-pass","isAdmin":false}}"#,
        ] {
            assert_eq!(add(&[JSON, CALVIN], wrong).status(), 400, "{wrong}");
        }
        assert_eq!(get(program, "/hello", &["Authorization: Basic YnJvOmJyby1wYXNz"]), 200);
        assert_eq!(get(program, "/admin", &["Authorization: Basic YnJvOmJyby1wYXNz"]), 403);
    });
}

#[test]
fn owners_and_their_things_are_made_read_changed_and_removed() {
    on_both(|program| {
        let send = |method: &str, path: &str, body: &str| program.send(method, path, &[FORM, HOBBES], body);
        assert_eq!(program.send("POST", "/owners", &[FORM], "oname=Max&omail=max@example.org").status(), 401);
        let oid = send("POST", "/owners", "oname=Max&omail=max@example.org").json()["oid"].as_i64().unwrap();
        assert_eq!(send("POST", "/owners", "oname=Max&omail=other@example.org").status(), 409);
        assert_eq!(send("POST", "/things", "tname=Ball&oid=4242&tprice=350").status(), 409);
        assert_eq!(send("POST", "/things", &format!("tname=Ball&oid={oid}&tprice=-1")).status(), 400);
        let thing = send("POST", "/things", &format!("tname=Ball&oid={oid}&tprice=350"));
        let path = format!("/things/{}", thing.json()["tid"]);
        assert_eq!(send("PUT", &path, &format!("tname=Ball&oid={oid}&tprice=400")).status(), 204);
        assert_eq!(send("GET", &format!("/things?oid={oid}"), "").json()[0]["tprice"], json!(400));
        assert_eq!(send("DELETE", &format!("/owners/{oid}"), "").status(), 409, "things are left");
        assert_eq!(send("DELETE", &path, "").status(), 204);
        assert_eq!(send("DELETE", &path, "").status(), 404);
        assert_eq!(send("DELETE", &format!("/owners/{oid}"), "").status(), 204);
    });
}

#[test]
fn every_refusal_is_a_problem_with_the_courses_member_too() {
    on_both(|program| {
        for (method, path, head, status) in [
            ("GET", "/nowhere", &[][..], 404),
            ("GET", "/cmp/nowhere", &[], 404),
            ("DELETE", "/stuff", &[], 405),
            ("DELETE", "/cmp/add", &[CALVIN], 405),
            ("GET", "/hello", &[], 401),
            ("GET", "/admin", &[HOBBES], 403),
            ("POST", "/stuff", &[], 400),
        ] {
            let answer = program.send(method, path, head, "");
            assert_eq!(answer.status(), status, "{method} {path}");
            assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
            assert!(answer.json()["error"].is_string(), "{method} {path}: {}", answer.body);
        }
        let hidden = program.send("GET", "/hello", &["Authorization: Basic aGFja2VyOnNlY3JldA=="], "");
        let wrong = program.send("GET", "/hello", &["Authorization: Basic aG9iYmVzOnNlY3JldA=="], "");
        assert_eq!(hidden.json()["error"], wrong.json()["error"], "whether somebody exists is not told");
        assert!(!hidden.body.contains("hacker"));
    });
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut stuff = std::process::Command::new(env!("CARGO_BIN_EXE_stuff"));
    let refused = stuff.args(["--listen", "0.0.0.0:0"]).current_dir(folder.path()).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("HTTPS"));
}

#[test]
fn https_is_served_under_an_authority_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), &["--tls"]);
    let ca = folder.path().join(program.ready["ca"].as_str().unwrap());
    let url = format!("{}/hello", program.url());
    let curl = |arguments: &[&str]| std::process::Command::new("curl").args(arguments).arg(&url).output().unwrap();
    let answer = curl(&["-s", "--cacert", ca.to_str().unwrap(), "-u", "hobbes:susie"]);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "\"hello hobbes!\"");
    assert!(!curl(&["-s"]).status.success(), "nobody else's word is taken for it");
}

#[test]
fn the_database_is_created_loaded_emptied_and_dropped_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut stuff = std::process::Command::new(env!("CARGO_BIN_EXE_stuff"));
        stuff.args(arguments).current_dir(folder.path()).output().unwrap().status.success()
    };
    let users = "\"rosalyn\", \"$2b$04$sgNm3EE0yqyQNUdCV2aloe0TA5WtJYlp406EV3V2Nck7EjVT6WZmq\", TRUE\n";
    std::fs::write(folder.path().join("users.csv"), users).unwrap();
    std::fs::write(folder.path().join("wrong.csv"), "\"rosalyn\",\"hobbes\",TRUE\n").unwrap();
    assert!(run(&["db", "create"]));
    assert!(!run(&["db", "load", "--users", "wrong.csv"]), "a password that is no hash");
    assert!(run(&["db", "load", "--users", "users.csv"]));
    let program = start(folder.path(), &[]);
    assert_eq!(get(&program, "/admin", &["Authorization: Basic cm9zYWx5bjpob2JiZXM="]), 200);
    assert_eq!(get(&program, "/admin", &[CALVIN]), 401, "only those of the file");
    assert!(program.stop());
    assert!(run(&["db", "truncate"]) && run(&["db", "drop"]) && run(&["db", "drop"]));
    let program = start(folder.path(), &[]);
    assert_eq!(get(&program, "/admin", &[CALVIN]), 200, "an empty one is filled again");
}
