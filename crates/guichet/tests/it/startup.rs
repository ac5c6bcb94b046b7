//! Starting and stopping: what is left behind, and what is said when it cannot start.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use store::{Database, Migration, Store};
use vocabulary::Clock;

use crate::people::sign_in;
use crate::process::{Refused, Up, eventually, guichet, output};

/// One explained sentence: what is wrong, named, and what to do; never a panic.
#[track_caller]
fn explained(refused: &Refused, words: &[&str]) {
    let said = &refused.stderr;
    assert_eq!(refused.stdout, "", "stdout is for the one line");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Os {", "Err("] {
        assert!(!said.contains(noise), "{said}");
    }
    assert!(said.lines().filter(|line| !line.trim().is_empty()).count() <= 6, "too many words: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_a_superuser_and_the_second_finds_them() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("bank");
    let bank = Up::on(&data_dir).start();
    assert_eq!(bank.line.data_dir.canonicalize().unwrap(), data_dir.canonicalize().unwrap());
    let people = bank.line.people.clone();
    assert_eq!(people.len(), 1, "{people:?}");
    assert_eq!(people[0].role, "superuser");
    sign_in(&bank.client(), &people[0].login, &people[0].password).await;
    assert!(!bank.log().contains(&people[0].password), "a password stands in the log");
    assert!(bank.terminate().success());

    let again = Up::on(&data_dir).start();
    assert!(again.line.people.is_empty(), "the password is shown once: {:?}", again.line.people);
    sign_in(&again.client(), &people[0].login, &people[0].password).await;
    assert!(again.terminate().success());
}

#[test]
fn keys_and_databases_are_closed_to_others() {
    let home = tempfile::tempdir().unwrap();
    let bank = Up::on(&home.path().join("bank")).start();
    let (mut keys, mut databases) = (0, 0);
    for path in files_under(&bank.line.data_dir) {
        // What is replaced while the bank runs is written beside its place first, and gone a moment later.
        let Ok(mut file) = File::open(&path) else {
            assert!(!path.exists(), "{} cannot be read", path.display());
            continue;
        };
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let secret = name.contains("key") || bytes.windows(11).any(|part| part == b"PRIVATE KEY");
        if secret {
            keys += 1;
            assert_eq!(mode, 0o600, "{} has mode {mode:o}", path.display());
        }
        if bytes.starts_with(b"SQLite format 3") {
            databases += 1;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
        }
    }
    assert!(keys >= 3, "the authority's, the server's and the signing key, but found {keys}");
    assert!(databases >= 3, "found {databases} databases");
    assert!(bank.terminate().success());
}

fn files_under(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

#[test]
fn a_taken_port_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = Up::at(&home.path().join("bank"), &address.to_string()).refused();
    explained(&refused, &[&address.port().to_string(), "--listen"]);
}

#[test]
fn a_data_directory_in_use_is_named() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("bank");
    let bank = Up::on(&data_dir).start();
    explained(&Up::on(&data_dir).refused(), &[&data_dir.display().to_string(), "--data-dir"]);
    assert!(bank.terminate().success());
    // A bank that was killed holds nothing.
    Up::on(&data_dir).start().kill();
    assert!(Up::on(&data_dir).start().terminate().success());
}

#[test]
fn a_configuration_with_a_mistake_is_explained() {
    let home = tempfile::tempdir().unwrap();
    let (data_dir, config) = (home.path().join("bank"), home.path().join("guichet.toml"));
    let path = config.display().to_string();
    let refused = || Up::on(&data_dir).with(&["--config", &path]).refused();
    explained(&refused(), &[&path, "cannot"]);
    std::fs::write(&config, "lisen = \"127.0.0.1:8443\"\n").unwrap();
    explained(&refused(), &[&path, "lisen"]);
    std::fs::write(&config, "[bank\n").unwrap();
    explained(&refused(), &[&path]);
    std::fs::write(&config, b"name = \"\xff\"\n").unwrap();
    explained(&refused(), &[&path]);
    assert!(!data_dir.exists(), "a start that was refused made {}", data_dir.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_demonstration_is_not_taken_for_a_bank() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("bank");
    let place = data_dir.display().to_string();
    let mut begun =
        guichet(&["up", "--demo", "--json", "--listen", "127.0.0.1:0", "--data-dir", &place]).spawn().unwrap();
    let mark = data_dir.join("demo-unfinished");
    eventually("the demonstration to begin", async || mark.exists().then_some(())).await;
    begun.kill().unwrap();
    begun.wait().unwrap();
    explained(&Up::on(&data_dir).refused(), &["interrupted", &place, "remove"]);
    explained(&Up::on(&data_dir).with(&["--demo"]).refused(), &["interrupted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_later_version_is_left_alone() {
    const LATER: &str = "create table from_the_future (id bigint);";
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("bank");
    assert!(Up::on(&data_dir).start().terminate().success());
    let path = data_dir.join("journal.sqlite");
    let mut migrations = journal::MIGRATIONS.to_vec();
    let last = migrations.iter().filter(|it| it.part == "service").map(|it| it.number).max().unwrap();
    migrations.push(Migration { part: "service", number: last + 1, name: "later", sqlite: LATER, postgres: LATER });
    let later = Store::open(&Database::Sqlite { path: path.clone() }, &migrations, Clock::system()).await.unwrap();
    let before = later.dump().await.unwrap();
    drop(later);
    explained(&Up::on(&data_dir).refused(), &["newer", "backup"]);
    let later = Store::open(&Database::Sqlite { path }, &migrations, Clock::system()).await.unwrap();
    assert_eq!(later.dump().await.unwrap(), before);
}

#[test]
fn what_a_newcomer_types_first_is_answered() {
    let help = output(&["--help"]);
    for word in ["up", "--demo", "routes"] {
        assert!(help.contains(word), "{help}");
    }
    assert!(output(&["--version"]).starts_with("guichet "));
    let help = output(&["up", "--help"]);
    for word in ["--demo", "--data-dir", "--listen", "--json", "--database"] {
        assert!(help.contains(word), "{help}");
    }
}
