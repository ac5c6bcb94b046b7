//! The rules of this house that the compiler does not know.
//!
//! Each rule is a function from the repository to its findings; a finding says where, what, and how to mend it.

mod code;
mod floors;
mod layout;
mod source;
mod sql;

use std::fmt;

use crate::repo::{self, Repo};
use crate::run::{Failure, say};

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub path: String,
    pub line: usize,
    pub what: String,
    pub mend: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    mend: {}", self.path, self.line, self.what, self.mend)
    }
}

/// A rule of the house.
type Rule = fn(&Repo) -> Vec<Finding>;

const RULES: &[Rule] = &[
    floors::one_direction,
    sql::only_in_sql_files,
    sql::only_stores_name_it,
    sql::migrations_in_pairs,
    layout::names_that_say_something,
    layout::every_crate_on_the_map,
    layout::one_place_for_versions,
    layout::no_heavy_files,
    code::short_enough,
    code::tests_that_always_run,
    code::modules_say_what_they_promise,
    crate::mutants::doors_are_where_the_list_says,
];

/// `cargo xtask tidy`.
pub(crate) fn command() -> Result<(), Failure> {
    let findings = findings(&Repo::read(&repo::root()?)?);
    for finding in &findings {
        say(&finding.to_string());
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err(Failure::new("tidy has 1 finding")),
        n => Err(Failure::new(format!("tidy has {n} findings"))),
    }
}

fn findings(repo: &Repo) -> Vec<Finding> {
    let mut all: Vec<_> = RULES.iter().flat_map(|rule| rule(repo)).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::{File, Kind, Member};

    /// A repository made of these files alone.
    pub(super) fn files(files: &[(&str, &str)]) -> Repo {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).into(),
            bytes: text.len().try_into().unwrap(),
            text: (*text).into(),
        };
        Repo { files: files.iter().map(file).collect(), members: Vec::new() }
    }

    /// Crates with what they use; `dev:` before a name means in tests only.
    pub(super) fn crates(crates: &[(&str, &[&str])]) -> Repo {
        let used = |name: &&str| match name.strip_prefix("dev:") {
            Some(name) => (name.to_owned(), Kind::Dev),
            None => ((*name).to_owned(), Kind::Normal),
        };
        let member = |(dir, uses): &(&str, &[&str])| Member {
            name: dir.rsplit('/').next().unwrap().into(),
            dir: (*dir).into(),
            uses: uses.iter().map(used).collect(),
        };
        Repo { files: Vec::new(), members: crates.iter().map(member).collect() }
    }

    /// The findings as `path:line`.
    pub(super) fn places(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|f| format!("{}:{}", f.path, f.line)).collect()
    }

    #[test]
    fn this_repository_is_tidy() {
        let found = findings(&Repo::read(&repo::root().unwrap()).unwrap());
        let shown: Vec<_> = found.iter().map(Finding::to_string).collect();
        assert!(found.is_empty(), "\n{}", shown.join("\n"));
    }
}
