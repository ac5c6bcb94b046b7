//! `guichet doctor`: what is wrong with one service's process and the machine it runs on, in words, and how to mend it.
//!
//! Promises: one finding per line; nothing is changed, started or made; what cannot be looked at is said to be wrong, never
//! passed over. It works beside the running process and before its first start.

mod certificates;
mod database;
mod machine;
mod peers;

use std::fmt::{self, Write};
use std::io::IsTerminal;

use serde::Serialize;
use vocabulary::Clock;

use crate::cli::Doctor;
use crate::node::Node;
use crate::{Failure, say, say_json};

/// Clocks may differ by so many seconds before it is remarked upon, and before it is wrong.
const REMARKED: f64 = 2.0;
const APART: f64 = 60.0;

/// How something was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Well,
    Warning,
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What it is about.
    about: String,
    outcome: Outcome,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// Everything found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, about: impl Into<String>, found: impl Into<String>) {
        self.note(about, Outcome::Well, found, None);
    }

    fn warning(&mut self, about: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) {
        self.note(about, Outcome::Warning, found, Some(mend.into()));
    }

    fn wrong(&mut self, about: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) {
        self.note(about, Outcome::Wrong, found, Some(mend.into()));
    }

    fn note(&mut self, about: impl Into<String>, outcome: Outcome, found: impl Into<String>, mend: Option<String>) {
        self.0.push(Finding { about: about.into(), outcome, found: found.into(), mend });
    }

    /// How far the clock of `whose` is ahead of ours.
    fn clock(&mut self, whose: &str, ahead: f64) {
        let (apart, way) = (ahead.abs(), if ahead > 0.0 { "ahead of" } else { "behind" });
        let found = format!("the clock of {whose} is {apart:.1} s {way} this machine's");
        let mend = "set both by the same source: `timedatectl set-ntp true` on each machine";
        if apart > APART {
            self.wrong("clock", found, format!("{mend}. Certificates and tokens are refused when clocks disagree"));
        } else if apart > REMARKED {
            self.warning("clock", found, mend);
        } else {
            self.well("clock", format!("that of {whose} agrees with this machine's ({apart:.1} s apart)"));
        }
    }
}

pub(crate) async fn run(arguments: Doctor) -> Result<(), Failure> {
    let mut findings = Findings::default();
    examine(&arguments, &mut findings).await;
    let findings = findings.0;
    if arguments.json {
        say_json(&findings)?;
    } else {
        let marks = if std::io::stdout().is_terminal() { ["✓", "!", "✗"] } else { ["ok", "warning", "WRONG"] };
        say(&in_words(&findings, marks))?;
    }
    let count = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    match count(Outcome::Wrong) {
        0 => Ok(()),
        wrong => Err(Failure::Refused(format!("{wrong} of {} things looked at are wrong", findings.len()))),
    }
}

async fn examine(arguments: &Doctor, findings: &mut Findings) {
    let clock = Clock::system();
    let node = match Node::of(&arguments.node) {
        Ok(node) => node,
        Err(failure) => {
            findings.wrong("configuration", failure.to_string(), "mend it, and ask again: nothing else was looked at");
            return;
        }
    };
    findings.well(
        "configuration",
        format!("it can be read, and says where everything is that {} needs", node.service.name()),
    );
    machine::folder(&node, findings);
    machine::room(&node, findings);
    let link = certificates::examine(&node, &clock, findings);
    machine::port(&node, &clock, findings).await;
    peers::examine(&node, link.as_ref(), &clock, findings).await;
    peers::examine_broker(&node, link.as_ref(), findings).await;
    database::examine(&node, &clock, findings).await;
}

/// A line for each; what goes over several lines in an answer is put into one.
fn in_words(findings: &[Finding], marks: [&str; 3]) -> String {
    let width = marks.iter().map(|mark| mark.chars().count()).max().unwrap_or(0);
    let about = findings.iter().map(|finding| finding.about.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let [well, warning, wrong] = marks;
        let mark = match finding.outcome {
            Outcome::Well => well,
            Outcome::Warning => warning,
            Outcome::Wrong => wrong,
        };
        let line = finding.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "{mark:width$}  {:about$}  {line}", finding.about);
    }
    text
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.found.trim_end_matches('.'))?;
        match &self.mend {
            Some(mend) => write!(f, ". To mend it: {}", mend.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_two_seconds_apart_and_must_not_be_a_minute() {
        let mut findings = Findings::default();
        for ahead in [0.4, -1.9, 2.1, -59.0, 60.5, -3600.0] {
            findings.clock("bank", ahead);
        }
        let outcomes: Vec<_> = findings.0.iter().map(|finding| finding.outcome).collect();
        assert_eq!(
            outcomes,
            [Outcome::Well, Outcome::Well, Outcome::Warning, Outcome::Warning, Outcome::Wrong, Outcome::Wrong]
        );
        assert!(findings.0[5].found.contains("3600.0 s behind"), "{}", findings.0[5]);
    }

    #[test]
    fn a_finding_is_one_line() {
        let mut findings = Findings::default();
        findings.wrong("configuration", "it has a mistake:\n  |\n1 | x", "mend it.");
        let text = in_words(&findings.0, ["ok", "warning", "WRONG"]);
        assert_eq!(text, "WRONG    configuration  it has a mistake: | 1 | x. To mend it: mend it\n");
    }
}
