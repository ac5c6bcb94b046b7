//! `cargo xtask check`: everything that can be said about the code without running it.
//!
//! Promises: every step runs, so that one visit shows all that is wrong; a step that could not be made is named, and is no
//! success unless it was left out by name; the report says the same as the exit code.

mod advisories;
mod bans;
mod planted;
mod python;
mod secrets;
mod tools;

use std::path::{Path, PathBuf};

use crate::run::{Failure, cargo, output, run, say, section};
use crate::{repo, services, tidy};

/// What came of a step.
#[derive(Debug)]
enum Outcome {
    Passed,
    /// What is wrong, in words.
    Failed(String),
    /// Why it could not be made.
    NotMade(String),
    LeftOut,
}

impl From<Result<(), Failure>> for Outcome {
    fn from(result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(failure) => Self::Failed(failure.to_string()),
        }
    }
}

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    quick: bool,
    planted: bool,
    database: Option<PathBuf>,
    without: Vec<String>,
}

/// What a step is given.
struct Place {
    /// What is checked.
    root: PathBuf,
    /// Where reports and copies go.
    target: PathBuf,
    /// A local copy of the RustSec advisory database.
    database: Option<PathBuf>,
}

struct Step {
    name: &'static str,
    quick: bool,
    look: fn(&Place) -> Outcome,
}

const STEPS: &[Step] = &[
    Step { name: "formatting", quick: true, look: |at| run(cargo(&at.root).args(["fmt", "--all", "--check"])).into() },
    Step { name: "tidy", quick: true, look: |_| tidy::command().into() },
    Step { name: "banned-crates", quick: true, look: |at| bans::check(&at.root).into() },
    Step { name: "secrets", quick: true, look: |at| secrets::check(&at.root).into() },
    Step { name: "clippy", quick: true, look: |at| clippy(&at.root).into() },
    Step { name: "secrets-in-history", quick: false, look: |at| secrets::check_history(&at.root).into() },
    Step { name: "documentation", quick: false, look: |at| documentation(&at.root).into() },
    Step { name: "snapshots", quick: false, look: |_| snapshots().into() },
    Step { name: "cargo-audit", quick: false, look: advisories::audit },
    Step { name: "cargo-deny", quick: false, look: advisories::deny },
    Step { name: "unused-dependencies", quick: false, look: unused },
    Step { name: "sbom", quick: false, look: sbom },
    Step { name: "bandit", quick: false, look: python::bandit },
    Step { name: "pip-audit", quick: false, look: python::pip_audit },
];

pub(crate) fn command(args: &[String]) -> Result<(), Failure> {
    let asked = asked(args, std::env::var_os("GUICHET_ADVISORY_DB").map(PathBuf::from))?;
    let root = repo::root()?;
    let target = repo::target(&root).join("check");
    std::fs::create_dir_all(&target)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", target.display())))?;
    let database = asked.database.map(|path| root.join(path));
    let place = Place { root, target, database };
    if asked.planted {
        return planted::command(&place, &asked.without);
    }
    let mut outcomes = Vec::new();
    for step in STEPS.iter().filter(|step| step.quick || !asked.quick) {
        section(step.name);
        let left_out = asked.without.iter().any(|name| name == step.name);
        let outcome = if left_out { Outcome::LeftOut } else { (step.look)(&place) };
        if let Outcome::Failed(words) | Outcome::NotMade(words) = &outcome {
            say(words);
        }
        outcomes.push((step.name, outcome));
    }
    conclude(&place, &outcomes)
}

/// The report, and the exit code that goes with it.
fn conclude(place: &Place, outcomes: &[(&str, Outcome)]) -> Result<(), Failure> {
    let lines = outcomes.iter().map(|(name, outcome)| {
        let (word, why) = match outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(why) => ("FAILED", why.lines().next().unwrap_or_default()),
            Outcome::NotMade(why) => ("NOT MADE", why.lines().next().unwrap_or_default()),
            Outcome::LeftOut => ("left out", "as asked with --without"),
        };
        format!("{word:9} {name:20} {why}").trim_end().to_owned()
    });
    let report = lines.collect::<Vec<_>>().join("\n");
    section("report");
    say(&report);
    let path = place.target.join("report.txt");
    std::fs::write(&path, format!("{report}\n"))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    let wrong: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_) | Outcome::NotMade(_)))
        .map(|(name, _)| *name)
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "these checks failed or could not be made: {}. `--without NAME` leaves one out",
        wrong.join(", ")
    )))
}

fn clippy(root: &Path) -> Result<(), Failure> {
    run(cargo(root).args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
}

fn documentation(root: &Path) -> Result<(), Failure> {
    run(cargo(root).args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Who may call what, and what the API is, are what was reviewed last.
fn snapshots() -> Result<(), Failure> {
    let args = ["-p", "guichet", "--test", "it", "--", "the_matrix_is_the_reviewed_one", "the_api_is_the_reviewed_one"];
    services::test(&args.map(str::to_owned), &[])
}

fn unused(at: &Place) -> Outcome {
    tools::MACHETE.with(&at.target, |machete| run(machete.current_dir(&at.root).arg(".")))
}

/// What the program is made of, as CycloneDX.
fn sbom(at: &Place) -> Outcome {
    const FILE: &str = "guichet.cdx.json";
    tools::CYCLONEDX.with(&at.target, |cyclonedx| {
        let manifest = at.root.join("crates/guichet/Cargo.toml");
        let name = ["--override-filename", FILE.trim_end_matches(".json")];
        output(cyclonedx.args(["cyclonedx", "--format", "json", "--manifest-path"]).arg(manifest).args(name))?;
        let written = at.target.join(FILE);
        gather(&at.root, FILE, &written)?;
        let text = std::fs::read_to_string(&written).unwrap_or_default();
        let bill: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("{} is no bill of materials: {error}", written.display())))?;
        let count = bill["components"].as_array().map_or(0, Vec::len);
        if count == 0 {
            return Err(Failure::new("the bill of materials names nothing"));
        }
        say(&format!("{count} components in {}", written.display()));
        Ok(())
    })
}

/// The tool writes one beside each manifest: that of the program is kept, the others go.
fn gather(root: &Path, file: &str, kept: &Path) -> Result<(), Failure> {
    let trouble = |error: std::io::Error| Failure::new(format!("cannot take the bill of materials: {error}"));
    for path in repo::manifests(root)? {
        let beside = path.with_file_name(file);
        if path.ends_with("crates/guichet/Cargo.toml") {
            std::fs::copy(&beside, kept).map_err(trouble)?;
        }
        if beside.exists() {
            std::fs::remove_file(&beside).map_err(trouble)?;
        }
    }
    Ok(())
}

fn asked(args: &[String], database: Option<PathBuf>) -> Result<Asked, Failure> {
    let mut asked = Asked { database, ..Asked::default() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => asked.quick = true,
            "--planted" => asked.planted = true,
            "--db" => match args.next() {
                Some(path) => asked.database = Some(path.into()),
                None => return Err(Failure::usage("`--db` needs the folder of an advisory database")),
            },
            "--without" => match args.next() {
                Some(name) if STEPS.iter().any(|step| step.name == name) => asked.without.push(name.clone()),
                _ => {
                    let names = STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
                    return Err(Failure::usage(&format!("`--without` needs one of {names}")));
                }
            },
            other => return Err(Failure::usage(&format!("`{other}` is not understood by `check`"))),
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_understood_or_refused() {
        let args = |all: &[&str]| all.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        assert_eq!(asked(&args(&[]), None).unwrap(), Asked::default());
        let full = asked(&args(&["--quick", "--db", "here", "--without", "sbom"]), Some("there".into())).unwrap();
        let without = vec!["sbom".to_owned()];
        assert_eq!(full, Asked { quick: true, planted: false, database: Some("here".into()), without });
        for wrong in [&["--db"][..], &["--fast"], &["--without"], &["--without", "nothing"]] {
            assert!(asked(&args(wrong), None).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_could_not_be_made_is_no_success_and_is_named() {
        let target = tempfile::tempdir().unwrap();
        let place = Place { root: ".".into(), target: target.path().into(), database: None };
        let not_made = [("a", Outcome::Passed), ("b", Outcome::NotMade("no network".into()))];
        assert!(conclude(&place, &not_made).unwrap_err().to_string().contains("made: b"));
        let report = std::fs::read_to_string(target.path().join("report.txt")).unwrap();
        assert!(report.contains("NOT MADE  b                    no network"), "{report}");
        conclude(&place, &[("a", Outcome::Passed), ("b", Outcome::LeftOut)]).unwrap();
    }
}
