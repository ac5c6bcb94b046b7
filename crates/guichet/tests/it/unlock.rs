//! `guichet users unlock`: whoever runs the bank lets somebody in again, when nobody else can.

use std::process::Output;

use crate::process::{Up, guichet};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_bank_lets_the_last_superuser_in_again() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("bank");
    let unlock = |login: &str| -> Output {
        guichet(&["users", "unlock", "--without-second-factor", "--data-dir"]).arg(&data).arg(login).output().unwrap()
    };
    let bank = Up::on(&data).start();
    let first = bank.line.people[0].clone();
    let running = unlock(&first.login);
    assert!(!running.status.success(), "the bank is running");
    assert!(bank.terminate().success());
    let done = unlock(&first.login);
    assert!(done.status.success(), "{done:?}");
    let nobody = unlock("nobody");
    assert!(!nobody.status.success());
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("nobody is called nobody"), "{nobody:?}");
    let again = Up::on(&data).start();
    let told = crate::people::sign_in(&again.client(), &first.login, &first.password).await;
    let logs = told.client.all("/api/logs?action=FACTOR_RESET_APPROVED").await;
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(again.terminate().success());

    let password = home.path().join("password");
    std::fs::write(&password, crate::people::PASSWORD).unwrap();
    let mut forgotten = guichet(&["users", "unlock", &first.login, "--new-password-file"]);
    let replaced = forgotten.arg(&password).arg("--data-dir").arg(&data).output().unwrap();
    assert!(replaced.status.success(), "{replaced:?}");
    let at_last = Up::on(&data).start();
    let told = crate::people::sign_in(&at_last.client(), &first.login, crate::people::PASSWORD).await;
    let logs = told.client.all("/api/logs?action=PASSWORD_RESET").await;
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(at_last.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_services_stand_apart_people_are_made_with_identity_s_settings_alone() {
    let home = tempfile::tempdir().unwrap();
    let (data, file) = (home.path().join("identity"), home.path().join("identity.toml"));
    let settings = "[peers]\nbank = \"https://bank.internal:1\"\njournal = \"https://journal.internal:1\"\n";
    std::fs::write(&file, format!("data_dir = {:?}\n{settings}", data.display().to_string())).unwrap();
    let password = home.path().join("password");
    std::fs::write(&password, crate::people::PASSWORD).unwrap();
    let users = |args: &[&str]| guichet(&["users"]).args(args).arg("--identity").arg(&file).output().unwrap();
    let names = ["--login", "irene", "--email", "irene@bank.example", "--first-name", "Irene", "--last-name", "Roux"];
    let create = [&["create", "--role", "superuser", "--password-file", password.to_str().unwrap()], names.as_slice()];
    let made = users(&create.concat());
    assert!(made.status.success(), "{made:?}");
    assert!(!users(&create.concat()).status.success(), "nobody is made twice");
    let unlocked = users(&["unlock", "irene"]);
    assert!(unlocked.status.success(), "{unlocked:?}");
    let mut files: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.retain(|name| name.to_string_lossy().ends_with(".sqlite"));
    assert_eq!(files, ["identity.sqlite"], "no other service is touched");
    // Identity is the same wherever it runs; the journal hears of it then.
    let bank = Up::on(&data).start();
    assert!(bank.line.people.is_empty(), "there is a superuser already");
    let irene = crate::people::sign_in(&bank.client(), "irene", crate::people::PASSWORD).await;
    let told = irene.client.all("/api/logs?action=SUPERUSER_CREATED").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(bank.terminate().success());
}
