//! The program from outside: it is started as anybody would, and asked over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod attacked;
#[path = "../../../stuff/tests/it/attacks.rs"]
mod attacks;
#[path = "../../../stuff/tests/it/fenced.rs"]
mod fenced;
#[path = "../../../stuff/tests/it/program.rs"]
mod program;
#[path = "../../../stuff/tests/it/readme.rs"]
mod readme;
mod systematic;

use std::path::Path;
use std::process::Command;

use program::{Answer, Program};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json";
const MICHAEL: &str = "Authorization: Basic TWljaGFlbDptYXJhdGhvbg==";
const SAM: &str = "Authorization: Basic U2FtOm1hcmF0aG9u";

fn start(folder: &Path) -> Program {
    Program::start(env!("CARGO_BIN_EXE_library"), folder, &[])
}

fn make_admin(folder: &Path, name: &str) -> bool {
    let mut library = Command::new(env!("CARGO_BIN_EXE_library"));
    library.args(["admin", name]).current_dir(folder).output().unwrap().status.success()
}

fn register(program: &Program, name: &str) -> u16 {
    let body = json!({ "name": name, "password": "marathon" }).to_string();
    program.send("POST", "/register", &[JSON], &body).status()
}

fn token(program: &Program, basic: &str) -> String {
    program.send("POST", "/login", &[basic], "").json()["token"].as_str().unwrap().to_owned()
}

fn add(program: &Program, head: &str, name: &str, book: &str) -> Answer {
    let author = json!({ "name": name, "book": book, "country": "Canada", "booker_prize": true });
    program.send("POST", "/author", &[JSON, head], &author.to_string())
}

#[test]
fn the_readme_shows_what_the_program_answers() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    assert_eq!(register(&program, "root"), 201);
    assert!(make_admin(folder.path(), "root"));
    let differences = readme::differences(include_str!("../../README.md"), "http://127.0.0.1:5001", program.url());
    assert!(differences.is_empty(), "{}", differences.join("\n---\n"));
}

#[test]
fn a_token_is_taken_in_its_own_header_and_as_bearer_and_passwords_only_at_the_login() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    assert_eq!(register(&program, "Michael"), 201);
    let token = token(&program, MICHAEL);
    for (head, status) in [
        (format!("x-access-tokens: {token}"), 200),
        (format!("Authorization: Bearer {token}"), 200),
        (format!("x-access-tokens: {token}x"), 401),
        (format!("x-access-tokens: {}", token.rsplit_once('.').unwrap().0), 401),
        (MICHAEL.to_owned(), 401),
    ] {
        assert_eq!(program.send("GET", "/authors", &[&head], "").status(), status, "{head}");
    }
    assert_eq!(program.send("GET", "/login", &[&format!("Authorization: Bearer {token}")], "").status(), 401);
    for wrong in ["Authorization: Basic TWljaGFlbDp3cm9uZw==", "Authorization: Basic bm9ib2R5Ondyb25n"] {
        assert_eq!(program.send("GET", "/login", &[wrong], "").status(), 401);
    }
    assert!(program.stop());
    let program = start(folder.path());
    assert_eq!(program.send("GET", "/authors", &[&format!("x-access-tokens: {token}")], "").status(), 200);
}

#[test]
fn authors_are_there_for_who_wrote_them_down_alone_and_nothing_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    assert_eq!((register(&program, "Michael"), register(&program, "Sam"), register(&program, "Sam")), (201, 201, 409));
    let [michael, sam] = [MICHAEL, SAM].map(|who| format!("x-access-tokens: {}", token(&program, who)));
    let added = add(&program, &michael, "Margaret Atwood", "The Testaments");
    assert_eq!(added.status(), 201);
    let path = format!("/authors/{}", added.json()["id"]);
    assert_eq!(add(&program, &sam, "Margaret Atwood", "Cat's Eye").status(), 409);
    assert_eq!(add(&program, &sam, "Somebody Else", "The Testaments").status(), 409);
    let list = |who: &str| program.send("GET", "/authors", &[who], "").json();
    assert_eq!(list(&michael)["list_of_authors"][0]["booker_prize"], json!(true));
    assert_eq!(list(&sam), json!({ "list_of_authors": [] }));
    let delete = |who: &str, path: &str| program.send("DELETE", path, &[who], "");
    let (others, nobodys) = (delete(&sam, &path), delete(&sam, "/authors/4242"));
    let told = |answer: &Answer| (answer.status(), answer.json()["detail"].clone());
    assert_eq!(told(&others), told(&nobodys), "whether it exists is not told");
    assert_eq!(others.status(), 404);
    assert_eq!((delete(&michael, &path).status(), delete(&michael, &path).status()), (200, 404));
}

#[test]
fn users_are_listed_for_administrators_alone_and_without_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    assert!(!make_admin(folder.path(), "Michael"), "nobody is called so yet");
    assert_eq!(register(&program, "Michael"), 201);
    let users = || program.send("GET", "/users", &[&format!("x-access-tokens: {}", token(&program, MICHAEL))], "");
    assert_eq!(users().status(), 403);
    assert!(make_admin(folder.path(), "Michael"));
    let listed = users();
    assert_eq!(listed.json()["users"][0]["name"], Value::from("Michael"));
    assert!(!listed.body.contains("argon2") && !listed.body.contains("password"), "{}", listed.body);
    assert_eq!(program.send("GET", "/users", &[], "").status(), 401);
}

#[test]
fn a_registration_with_mistakes_is_told_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    let body = json!({ "name": "a:b", "password": "short" }).to_string();
    let refused = program.send("POST", "/register", &[JSON], &body);
    assert_eq!((refused.status(), refused.json()["errors"].as_array().unwrap().len()), (400, 2), "{}", refused.body);
    let more = json!({ "name": "Sam", "password": "marathon", "admin": true }).to_string();
    assert_eq!(
        program.send("POST", "/register", &[JSON], &more).status(),
        400,
        "nobody makes themselves administrator"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_valid_on_both_databases() {
    for database in store::testing::databases().await.unwrap() {
        let clock = vocabulary::Clock::system();
        let store = store::Store::open(&database.database, library::store::MIGRATIONS, clock).await.unwrap();
        assert_eq!(store::check::prepare_all(&store, library::store::QUERIES).await, Vec::<String>::new());
    }
}
