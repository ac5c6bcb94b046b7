//! The OpenAPI document, judged by a validator that others wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
    let printed: serde_json::Value = serde_json::from_str(&output(&["openapi"])).unwrap();
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
