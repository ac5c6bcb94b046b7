//! This layer beside the real programs: FlaskSimpleAuth, PyJWT, bcrypt, passlib, Django and Werkzeug.
//!
//! Each test runs a short program in Python; `cargo xtask test` prepares the Python that has them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod hashes;
mod jwt;
mod readable;

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a program in Python answers to `question`, both JSON: it reads `ask` and calls `say`.
fn python(program: &str, question: &Value) -> Value {
    let python = std::env::var_os("GUICHET_TEST_PYTHON");
    let python = python.unwrap_or_else(|| {
        panic!(
            "GUICHET_TEST_PYTHON is not set: run `cargo xtask test -p aaa`, which prepares the Python of these tests"
        )
    });
    let frame =
        format!("import json, sys\nask = json.load(sys.stdin)\ndef say(answer): print(json.dumps(answer))\n{program}");
    let mut child = Command::new(python)
        .args(["-W", "ignore", "-c", &frame])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}
