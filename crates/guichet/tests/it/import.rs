//! `guichet users import`: people from a file as another program wrote it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::people::sign_in;
use crate::process::{Up, guichet};

/// As the course's program writes it: hashes of "hobbes", "susie" and "derkins" by bcrypt.
const FILE: &str = r#"
# login, hash, administrator
"calvin", "CALVIN", TRUE
"hobbes", "HOBBES", FALSE
susie,a meadow of nine yellow tractors,agent,susie@example.org,Susie,"Derkins, again"
"#;

fn file() -> String {
    FILE.replace("CALVIN", HASHES[0]).replace("HOBBES", HASHES[1])
}

fn import(home: &Path, text: &str, further: &[&str]) -> (Output, Value) {
    let file = home.join("users.csv");
    std::fs::write(&file, text).unwrap();
    let mut command = guichet(&["users", "import", "--json", "--data-dir"]);
    let out = command.arg(home.join("bank")).arg(&file).args(further).output().unwrap();
    let report = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (out, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_another_program_sign_in_with_the_passwords_they_had() {
    let home = tempfile::tempdir().unwrap();
    let (out, report) = import(home.path(), &file(), &["--dry-run"]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!((&report["people"], &report["written"]), (&3.into(), &false.into()));
    let (out, report) = import(home.path(), &file(), &[]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!((&report["people"], &report["written"]), (&3.into(), &true.into()), "the dry run wrote nothing");

    let bank = Up::on(&home.path().join("bank")).start();
    assert!(bank.line.people.is_empty(), "there is a superuser already");
    for (login, password, role) in [
        ("calvin", "hobbes", "superuser"),
        ("hobbes", "susie", "member"),
        ("susie", "a meadow of nine yellow tractors", "agent"),
    ] {
        // The second time against the better hash that the first one left.
        for _ in 0..2 {
            let somebody = sign_in(&bank.client(), login, password).await;
            let me = somebody.client.get("/api/auth/whoami").await.expect(200);
            assert_eq!(me["role"], role, "{me}");
        }
    }
    assert!(bank.terminate().success());
}

#[test]
fn bad_lines_are_told_with_their_numbers_and_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let text = "login,pword,isAdmin\n\
        calvin,CALVIN,TRUE\n\
        calvin,CALVIN,FALSE\n\
        hobbes,short,FALSE\n\
        susie,$2b$31$0/nWZnmTvS52GGGAaDJaRuWhJi4/7qtnEEgqS6tw7VdkAsYw8iHgy,FALSE\n\
        moe,a meadow of nine yellow tractors,boss\n\
        x,a meadow of nine yellow tractors,member\n\
        rosalyn,,member\n\
        \"rosalyn,a meadow of nine yellow tractors,member\n\
        rosalyn,a,b,c\n";
    let text = text.replace("CALVIN", HASHES[0]);
    let told = |report: &Value| -> Vec<(u64, String)> {
        let bad = report["bad"].as_array().unwrap();
        bad.iter().map(|bad| (bad["line"].as_u64().unwrap(), bad["reason"].as_str().unwrap().to_owned())).collect()
    };
    let (out, report) = import(home.path(), &text, &[]);
    assert!(!out.status.success());
    let wanted = [
        (3, "twice"),
        (4, "too short"),
        (5, "bcrypt"),
        (6, "`boss`"),
        (7, "the login"),
        (8, "no password"),
        (9, "not closed"),
        (10, "4 fields"),
    ];
    let bad = told(&report);
    assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), wanted.map(|(line, _)| line), "{bad:?}");
    for ((line, reason), (_, words)) in bad.iter().zip(wanted) {
        assert!(reason.contains(words), "line {line}: `{words}` is missing in: {reason}");
        assert!(!reason.contains("yellow tractors") && !reason.contains("$2b$31"), "a secret is told: {reason}");
    }
    assert_eq!((&report["people"], &report["written"]), (&1.into(), &false.into()));

    let (out, report) = import(home.path(), &text, &["--skip-bad"]);
    assert!(out.status.success() && report["written"] == true, "{out:?}");
    let (out, report) = import(home.path(), &text, &["--skip-bad"]);
    assert!(out.status.success() && report["people"] == 0, "{out:?}");
    assert!(told(&report)[0].1.contains("taken already"), "{report}");
}

const HASHES: [&str; 2] = [
    "$2b$04$bKKurC1BqYD3sw81QY/oyODhYZhhnXWTzBXN7QGfCsSvS0zmPRRnW",
    "$2b$04$DLNNIO0569m7009MtqiixO0C0dgEHvqJ25h67m4V5nH4xRZPSrThK",
];
