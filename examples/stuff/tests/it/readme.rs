//! A README that shows commands and their answers, held to it.
//!
//! A block ```` ```sh ```` is a command; the block ```` ```http ```` after it is the answer: its status line, some of its header lines, and
//! its body, where `…` stands for anything. A command without an answer is a preparation for those after it.

use std::process::Command;

use crate::fenced::{blocks, is_like};

/// Runs every command of `readme` against `url` and gives what is not as it is shown. `shown` is the address in the text.
pub(crate) fn differences(readme: &str, shown: &str, url: &str) -> Vec<String> {
    let (mut preparations, mut differences, mut compared) = (String::new(), Vec::new(), 0);
    let mut blocks = blocks(readme).into_iter().peekable();
    while let Some((kind, command)) = blocks.next() {
        if kind != "sh" || !command.contains(shown) {
            continue;
        }
        let command = command.replace(shown, url);
        let Some((_, expected)) = blocks.next_if(|(kind, _)| kind == "http") else {
            preparations.push_str(&command);
            continue;
        };
        let ran = Command::new("sh").arg("-c").arg(format!("{preparations}{command}")).output();
        let answer = String::from_utf8_lossy(&ran.unwrap().stdout).replace('\r', "");
        compared += 1;
        if !is_as_shown(&answer, &expected) {
            differences.push(format!("{command}\nanswers\n{answer}\ninstead of\n{expected}"));
        }
    }
    assert!(compared > 10, "only {compared} answers are shown");
    differences
}

fn is_as_shown(answer: &str, expected: &str) -> bool {
    let (head, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
    let (expected_head, expected_body) = expected.split_once("\n\n").unwrap_or((expected, ""));
    let mut lines = expected_head.trim().lines();
    let status = lines.next().unwrap_or_default();
    let has = |line: &str| head.lines().any(|other| line.eq_ignore_ascii_case(other));
    head.lines().next() == Some(status) && lines.all(has) && is_like(body.trim(), expected_body.trim())
}
