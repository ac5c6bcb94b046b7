//! The OpenAPI document, judged by a validator that others wrote.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::process::{Up, output};

/// Pinned, so that a test does not fail for a release of somebody else.
const VALIDATOR: &str = "openapi-spec-validator==0.7.2";

#[tokio::test(flavor = "multi_thread")]
async fn a_public_validator_accepts_the_document() {
    let home = tempfile::tempdir().unwrap();
    let bank = Up::in_any_way_on(&home.path().join("bank")).start();
    let served = bank.client().get("/api/openapi.json").await;
    assert_eq!(served.headers["content-type"], "application/json");
    let served = served.expect(200);
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"), "{}", served["openapi"]);
    let printed: Value = serde_json::from_str(&output(&["openapi"])).unwrap();
    assert_eq!(served, printed, "what is served and what `guichet openapi` prints differ");
    assert!(bank.terminate().success());

    let file = home.path().join("openapi.json");
    std::fs::write(&file, served.to_string()).unwrap();
    let judged = run(Command::new(validator()).arg("--schema").arg("3.1").arg(&file));
    assert!(
        judged.status.success(),
        "the validator refuses the document:\n{}{}",
        String::from_utf8_lossy(&judged.stdout),
        String::from_utf8_lossy(&judged.stderr)
    );
}

/// One line for each operation and each schema, with a digest of it: the whole document would be read by nobody.
#[test]
fn the_api_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/api.txt");
    let document: Value = serde_json::from_str(&output(&["openapi"])).unwrap();
    let of_value = |value: &Value| hex::encode(&digest(&SHA256, value.to_string().as_bytes()).as_ref()[..6]);
    let mut now = String::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            writeln!(now, "{} {} {path}", of_value(operation), method.to_uppercase()).unwrap();
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        writeln!(now, "{} {name}", of_value(schema)).unwrap();
    }
    if std::env::var("GUICHET_TEST_UPDATE").is_ok_and(|it| it == "1") {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let of = |text: &str, other: &str| {
        let lines = text.lines().filter(|line| !other.lines().any(|it| it == *line));
        lines.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>().join("\n")
    };
    assert!(
        reviewed == now,
        "the API has changed.\nno longer so:\n{}\nnew or different:\n{}\nIf that is right, write it down for the \
         review: GUICHET_TEST_UPDATE=1 cargo test -p guichet the_api_is_the_reviewed_one",
        of(&reviewed, &now),
        of(&now, &reviewed)
    );
}

/// The validator, installed once into a Python environment of its own beside the build.
fn validator() -> PathBuf {
    let name: String = VALIDATOR.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let program = home.join("bin").join("openapi-spec-validator");
    if !program.exists() {
        // What an interrupted run left is half of it at most.
        let _ = std::fs::remove_dir_all(&home);
        installed(run(Command::new("python3").args(["-m", "venv"]).arg(&home)));
        let pip = home.join("bin").join("python");
        installed(run(Command::new(pip).args(["-m", "pip", "install", "--quiet", "--no-input", VALIDATOR])));
    }
    program
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

fn installed(output: Output) {
    assert!(
        output.status.success(),
        "{VALIDATOR} cannot be installed: this test needs python3 with venv and pip, and the network once:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
