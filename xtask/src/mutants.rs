//! `cargo xtask mutants`: opens one door after the other, and expects a test to notice each.
//!
//! The list is `docs/mutations.toml`. It works in a copy of what is committed, with a target folder of its own, and
//! leaves the repository as it is. One door that stays unnoticed does not keep the others from being tried.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::repo::Repo;
use crate::run::{Failure, cargo, output, run, say, section};
use crate::services::Services;
use crate::tidy::Finding;
use crate::{python, repo, tools};

const LIST: &str = "docs/mutations.toml";

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
    #[serde(flatten)]
    edit: Edit,
    /// Where the door has a second latch.
    #[serde(default)]
    also: Vec<Edit>,
    /// Arguments of `cargo test`.
    test: Vec<String>,
}

#[derive(Deserialize)]
struct Edit {
    file: String,
    find: String,
    replace: String,
}

impl Mutant {
    fn edits(&self) -> impl DoubleEndedIterator<Item = &Edit> {
        std::iter::once(&self.edit).chain(&self.also)
    }
}

/// How one door fared.
struct Outcome {
    name: String,
    /// Nothing, or why the door counts as unnoticed.
    unnoticed: Option<String>,
    took: Duration,
}

pub(crate) fn mutants(names: &[String]) -> Result<(), Failure> {
    let root = repo::root()?;
    let list = root.join(LIST);
    let text = fs::read_to_string(&list).map_err(|error| Failure::new(format!("{}: {error}", list.display())))?;
    let mutants = read(&text).map_err(|error| Failure::new(format!("{}: {error}", list.display())))?;
    if let Some(unknown) = names.iter().find(|name| !mutants.iter().any(|mutant| mutant.name == **name)) {
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
    let mut bench = Bench { source, target: copy.join("target"), python, services: &services, sound: HashMap::new() };
    let chosen = mutants.iter().filter(|mutant| names.is_empty() || names.contains(&mutant.name));
    let outcomes: Vec<Outcome> = chosen.map(|mutant| bench.outcome(mutant)).collect();
    let source = bench.source;
    services.stop()?;
    output(Command::new("git").current_dir(&root).args(["worktree", "remove", "--force"]).arg(&source))?;
    summary(&outcomes)
}

fn read(text: &str) -> Result<Vec<Mutant>, toml::de::Error> {
    toml::from_str::<List>(text).map(|list| list.mutant)
}

/// A line per door, and a failure that names those that nobody noticed.
fn summary(outcomes: &[Outcome]) -> Result<(), Failure> {
    section("Summary");
    let width = outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0);
    for Outcome { name, unnoticed, took } in outcomes {
        let verdict = unnoticed.as_deref().map_or("noticed".to_owned(), |why| format!("NOT NOTICED: {why}"));
        say(&format!("{name:width$}  {:4} s  {verdict}", took.as_secs()));
    }
    let alive: Vec<&str> =
        outcomes.iter().filter(|it| it.unnoticed.is_some()).map(|outcome| outcome.name.as_str()).collect();
    match alive.len() {
        0 => Ok(()),
        number => {
            Err(Failure::new(format!("{number} of {} doors were not noticed: {}", outcomes.len(), alive.join(", "))))
        }
    }
}

/// Where doors are opened and tests are run.
struct Bench<'a> {
    source: PathBuf,
    target: PathBuf,
    python: PathBuf,
    services: &'a Services,
    /// Tests that ran on the code as it is, and what was wrong with them. Many doors share one.
    sound: HashMap<Vec<String>, Option<String>>,
}

impl Bench<'_> {
    fn outcome(&mut self, mutant: &Mutant) -> Outcome {
        section(&format!("{}: {}", mutant.name, mutant.attack));
        #[expect(clippy::disallowed_methods, reason = "how long a test runs is told to whoever waits for it")]
        let begun = Instant::now();
        let unnoticed = self.noticed(mutant).err().map(|why| why.to_string());
        if let Some(why) = &unnoticed {
            say(&format!("!! {why}"));
        }
        Outcome { name: mutant.name.clone(), unnoticed, took: begun.elapsed() }
    }

    fn test(&self, arguments: &[String]) -> Command {
        let mut test = cargo(&self.source);
        test.env("CARGO_TARGET_DIR", &self.target).env(python::VARIABLE, &self.python);
        test.arg("test").args(arguments).envs(self.services.environment());
        test
    }

    /// The test passes as things are, and fails with the door open.
    fn noticed(&mut self, mutant: &Mutant) -> Result<(), Failure> {
        let faults: Vec<_> =
            mutant.edits().filter_map(|edit| fault(&text_of(&self.source, edit).ok()?, edit)).collect();
        if !faults.is_empty() {
            return Err(Failure::new(faults.join("; ")));
        }
        self.is_sound(&mutant.test)?;
        let mut undo = Vec::new();
        let opened = self.open(mutant, &mut undo);
        // What does not compile would fail too, and prove nothing.
        let outcome = opened.and_then(|()| run(self.test(&mutant.test).arg("--no-run")));
        let outcome = outcome.map(|()| run(&mut self.test(&mutant.test)).is_err());
        for (path, text) in undo {
            fs::write(&path, text).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        }
        if outcome? { Ok(()) } else { Err(Failure::new("the test stays green")) }
    }

    fn is_sound(&mut self, arguments: &[String]) -> Result<(), Failure> {
        if !self.sound.contains_key(arguments) {
            let wrong = run(&mut self.test(arguments)).err().map(|failure| failure.to_string());
            self.sound.insert(arguments.to_vec(), wrong);
        }
        match self.sound.get(arguments) {
            Some(Some(why)) => Err(Failure::new(format!("the test fails without the change too: {why}"))),
            _ => Ok(()),
        }
    }

    /// Changes the files; what they were goes to `undo`, the last first.
    fn open(&self, mutant: &Mutant, undo: &mut Vec<(PathBuf, String)>) -> Result<(), Failure> {
        for edit in mutant.edits() {
            let (path, text) = (self.source.join(&edit.file), text_of(&self.source, edit)?);
            let changed = text.replacen(&edit.find, &edit.replace, 1);
            undo.insert(0, (path.clone(), text));
            fs::write(&path, changed).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        }
        Ok(())
    }
}

fn text_of(root: &Path, edit: &Edit) -> Result<String, Failure> {
    fs::read_to_string(root.join(&edit.file)).map_err(|error| Failure::new(format!("{}: {error}", edit.file)))
}

/// Why the change cannot be made in this text.
fn fault(text: &str, edit: &Edit) -> Option<String> {
    let times = text.matches(&edit.find).count();
    (times != 1).then(|| format!("{} has the code to change {times} times, not once", edit.file))
}

/// A rule of the house: every door can still be opened.
pub(crate) fn doors_are_where_the_list_says(repo: &Repo) -> Vec<Finding> {
    let Some(list) = repo.file(LIST) else { return Vec::new() };
    let line = |name: &str| {
        let wanted = format!("name = \"{name}\"");
        list.text.lines().position(|line| line == wanted).map_or(1, |before| before + 1)
    };
    let finding = |line, what: String| Finding::new(LIST, line, what, "bring the list up to date with the code");
    let mutants = match read(&list.text) {
        Ok(mutants) => mutants,
        Err(error) => return vec![finding(1, error.message().to_owned())],
    };
    let mut findings = Vec::new();
    for mutant in &mutants {
        let mut wrong = String::new();
        for edit in mutant.edits() {
            let text = repo.file(&edit.file).map_or("", |file| &file.text);
            if let Some(fault) = fault(text, edit) {
                let _ = write!(wrong, "{}{fault}", if wrong.is_empty() { "" } else { "; " });
            }
        }
        if !wrong.is_empty() {
            findings.push(finding(line(&mutant.name), wrong));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::repo::File;

    use super::*;

    #[test]
    fn a_door_that_moved_is_told() {
        let list =
            "[[mutant]]\nname = \"a\"\nattack = \"\"\nfile = \"x.rs\"\nfind = \"one\"\nreplace = \"\"\ntest = []\n";
        let file = |path: &str, text: &str| File { path: path.into(), bytes: 0, text: text.into() };
        let told = |code: &str| {
            let repo = Repo { files: vec![file(LIST, list), file("x.rs", code)], members: Vec::new() };
            doors_are_where_the_list_says(&repo).iter().map(|finding| finding.line).collect::<Vec<_>>()
        };
        assert_eq!(told("only one"), Vec::<usize>::new());
        assert_eq!(told("two"), [2]);
        assert_eq!(told("one and one"), [2]);
    }
}
