//! What follows from the declarations alone, in process and over the network alike.
//!
//! With `GUICHET_TEST_URL` the same test asks the service at that address, whoever runs it.

use aaa::testing::{Credential, Tester, elsewhere};
use aaa::{Entry, Transport};
use chassis::reach;
use library::Library;
use serde_json::json;
use vocabulary::{Chance, Clock};

use crate::start;

async fn check(mut tester: Tester, entries: &[Entry]) {
    for name in ["Alice", "Boris"] {
        let person = json!({ "name": name, "password": "marathon" });
        let answer = tester.anyone().post("/register").json(person).send().await;
        assert!(matches!(answer.status.as_u16(), 201 | 409), "{}", answer.text());
        tester.knows(name, Credential::basic(name, "marathon"));
        let token = tester.person(name).post("/login").gives(200).await.json()["token"].as_str().unwrap().to_owned();
        tester.knows(name, Credential::Header("x-access-tokens".parse().unwrap(), token));
    }
    let wrong = tester.systematic(entries, &[("Alice", &[])]).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The token routes take tokens alone, so the roles are asked for by hand.
    tester.person("Alice").get("/users").gives(403).await;
    let book = json!({ "name": "Ada", "book": "Notes", "country": "Britain", "booker_prize": false });
    let added = tester.person("Alice").post("/author").json(book).gives(201).await.json();
    let path = format!("/authors/{}", added["id"]);
    tester.person("Boris").delete(&path).gives(404).await;
    tester.anyone().delete(&path).gives(401).await;
    tester.person("Alice").delete(&path).gives(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_as_declared_inside_and_outside() {
    let (clock, chance) = (Clock::system(), Chance::seeded(1));
    let database = store::testing::TestDatabase::sqlite().unwrap();
    let module = Library::open(&database.database, &[7; 32], clock, chance).await.unwrap().module().unwrap();
    if let Some((url, ca)) = elsewhere() {
        let ca = ca.map(|path| std::fs::read_to_string(path).unwrap());
        let transport = reach(&url, ca.as_deref(), &Clock::system()).unwrap();
        return check(Tester::new(transport), &module.entries).await;
    }
    check(Tester::new(Transport::in_process(module.router.clone())), &module.entries).await;
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path());
    check(Tester::new(reach(program.url(), None, &Clock::system()).unwrap()), &module.entries).await;
}
