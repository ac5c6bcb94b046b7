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
}
