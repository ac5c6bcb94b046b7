//! The program from outside: it is started as anybody would, on SQLite and on PostgreSQL where one is named, and asked
//! over HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod attacked;
mod attacks;
mod behaviour;
mod fenced;
mod program;
mod readme;
mod sqlmap;
mod systematic;

use program::Program;

/// Runs `test` with a fresh program for each database.
fn on_both(test: impl Fn(&Program)) {
    let folder = tempfile::tempdir().unwrap();
    test(&start(folder.path(), &[]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some((address, _databases)) = runtime.block_on(store::testing::postgres_for(&["stuff"])).unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    test(&start(folder.path(), &["--database", &address.replace("{service}", "stuff")]));
}

fn start(folder: &std::path::Path, arguments: &[&str]) -> Program {
    Program::start(env!("CARGO_BIN_EXE_stuff"), folder, arguments)
}

#[test]
fn the_readme_shows_what_the_program_answers() {
    on_both(|program| {
        let differences = readme::differences(include_str!("../../README.md"), "http://127.0.0.1:5000", program.url());
        assert!(differences.is_empty(), "{}", differences.join("\n---\n"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_valid_on_both_databases() {
    for database in store::testing::databases().await.unwrap() {
        let store = store::Store::open(&database.database, &[], vocabulary::Clock::system()).await.unwrap();
        stuff::store::create(&store).await.unwrap();
        assert_eq!(store::check::prepare_all(&store, stuff::store::QUERIES).await, Vec::<String>::new());
    }
}
