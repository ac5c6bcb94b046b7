//! What follows from the declarations alone, in process and over the network alike.
//!
//! With `GUICHET_TEST_URL` the same test asks the service at that address, whoever runs it.

use aaa::Entry;
use aaa::testing::{Credential, Tester, elsewhere};
use chassis::reach;
use store::Database;
use stuff::Stuff;
use vocabulary::{Chance, Clock};

use crate::start;

async fn check(mut tester: Tester, entries: &[Entry]) {
    tester
        .knows("calvin", Credential::basic("calvin", "hobbes"))
        .knows("hobbes", Credential::fields(("USER", "hobbes"), ("PASS", "susie")));
    let token = tester.person("calvin").get("/login").gives(200).await.json();
    let token = token.as_str().or_else(|| token["token"].as_str()).unwrap().to_owned();
    tester.knows("susie", Credential::basic("susie", "derkins")).knows("calvin", Credential::Bearer(token));
    let people: &[(&str, &[&str])] = &[("calvin", &["ADMIN"]), ("susie", &[])];
    let wrong = tester.systematic(entries, people).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tester.person("hobbes").get("/admin").gives(403).await;
    tester.person("hobbes").get("/whoami").gives(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_as_declared_inside_and_outside() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite { path: folder.path().join("inside.sqlite") };
    let chance = Chance::seeded(1);
    let stuff = Stuff::open(&database, &[7; 32], Clock::system(), chance.clone()).await.unwrap();
    let module = stuff.module(chance).unwrap();
    if let Some((url, ca)) = elsewhere() {
        let ca = ca.map(|path| std::fs::read_to_string(path).unwrap());
        let transport = reach(&url, ca.as_deref(), &Clock::system()).unwrap();
        return check(Tester::new(transport), &module.entries).await;
    }
    check(Tester::new(aaa::Transport::in_process(module.router.clone())), &module.entries).await;
    let program = start(folder.path(), &[]);
    check(Tester::new(reach(program.url(), None, &Clock::system()).unwrap()), &module.entries).await;
}
