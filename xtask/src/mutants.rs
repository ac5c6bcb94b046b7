//! `cargo xtask mutants`: opens one door after the other, and expects a test to notice each.
//!
//! The list is `docs/mutations.toml`. It works in a copy of what is committed, with a target folder of its own, and
//! leaves the repository as it is.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::run::{Failure, cargo, output, run, say, section};
use crate::services::Services;
use crate::{python, repo, tools};

#[derive(Deserialize)]
struct List {
    mutant: Vec<Mutant>,
}

/// One door.
#[derive(Deserialize)]
struct Mutant {
    name: String,
    /// What an attacker could do.
    attack: String,
    file: String,
    find: String,
    replace: String,
    /// Arguments of `cargo test`.
    test: Vec<String>,
}

pub(crate) fn mutants(names: &[String]) -> Result<(), Failure> {
    let root = repo::root()?;
    let list = root.join("docs/mutations.toml");
    let text = fs::read_to_string(&list).map_err(|error| Failure::new(format!("{}: {error}", list.display())))?;
    let List { mutant } =
        toml::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", list.display())))?;
    if let Some(unknown) = names.iter().find(|name| !mutant.iter().any(|mutant| mutant.name == **name)) {
        return Err(Failure::usage(&format!("there is no mutant {unknown}")));
    }
    tools::ensure()?;
    let python = python::ensure()?;
    let copy = repo::target(&root).join("mutants");
    let _ = fs::remove_dir_all(copy.join("source"));
    fs::create_dir_all(&copy).map_err(|error| Failure::new(format!("{}: {error}", copy.display())))?;
    let source = copy.join("source");
    output(Command::new("git").current_dir(&root).args(["worktree", "prune"]))?;
    output(Command::new("git").current_dir(&root).args(["worktree", "add", "--detach", "--force"]).arg(&source))?;
    let services = Services::start()?;
    let mut alive = Vec::new();
    for mutant in mutant.iter().filter(|mutant| names.is_empty() || names.contains(&mutant.name)) {
        section(&format!("{}: {}", mutant.name, mutant.attack));
        let test = || {
            let mut test = cargo(&source);
            test.env("CARGO_TARGET_DIR", copy.join("target")).env(python::VARIABLE, &python);
            test.arg("test").args(&mutant.test).envs(services.environment());
            test
        };
        if let Err(why) = noticed(mutant, &source, test) {
            say(&format!("!! {why}"));
            alive.push(format!("{}: {why}", mutant.name));
        }
    }
    services.stop()?;
    output(Command::new("git").current_dir(&root).args(["worktree", "remove", "--force"]).arg(&source))?;
    if alive.is_empty() { Ok(()) } else { Err(Failure::new(format!("not noticed:\n{}", alive.join("\n")))) }
}

/// The test passes as things are, and fails with the door open.
fn noticed(mutant: &Mutant, source: &Path, test: impl Fn() -> Command) -> Result<(), Failure> {
    let file = source.join(&mutant.file);
    let wrong = |error: std::io::Error| Failure::new(format!("{}: {error}", mutant.file));
    let text = fs::read_to_string(&file).map_err(wrong)?;
    if text.matches(&mutant.find).count() != 1 {
        return Err(Failure::new("the code it changes is not there once: bring docs/mutations.toml up to date"));
    }
    run(&mut test())?;
    fs::write(&file, text.replacen(&mutant.find, &mutant.replace, 1)).map_err(wrong)?;
    // What does not compile would fail too, and prove nothing.
    let outcome = run(test().arg("--no-run")).map(|()| run(&mut test()).is_err());
    fs::write(&file, text).map_err(wrong)?;
    if outcome? { Ok(()) } else { Err(Failure::new("the test stays green")) }
}
