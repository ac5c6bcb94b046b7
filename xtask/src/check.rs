//! `cargo xtask check`: everything that can be said about the code without running it.
//!
//! Every step runs, so that one visit shows all that is wrong.

mod audit;
mod bans;
mod secrets;

use std::path::{Path, PathBuf};

use crate::run::{Failure, cargo, run, say, section};
use crate::{repo, tidy};

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    quick: bool,
    database: Option<PathBuf>,
}

pub(crate) fn command(args: &[String]) -> Result<(), Failure> {
    let asked = asked(args, std::env::var_os("GUICHET_ADVISORY_DB").map(PathBuf::from))?;
    let root = repo::root()?;
    let mut failed = Vec::new();
    let mut step = |name: &'static str, outcome: &mut dyn FnMut() -> Result<(), Failure>| {
        section(name);
        if let Err(failure) = outcome() {
            say(&failure.to_string());
            failed.push(name);
        }
    };
    step("formatting", &mut || run(cargo(&root).args(["fmt", "--all", "--check"])));
    step("tidy", &mut tidy::command);
    step("banned crates", &mut || bans::check(&root));
    step("secret scan", &mut || secrets::check(&root));
    step("clippy", &mut || {
        run(cargo(&root).args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    });
    if !asked.quick {
        step("documentation", &mut || documentation(&root));
        step("dependency audit", &mut || audit::check(&root, asked.database.as_deref()));
    }
    if failed.is_empty() {
        say("\nAll checks passed.");
        return Ok(());
    }
    Err(Failure::new(format!("these checks failed: {}", failed.join(", "))))
}

fn documentation(root: &Path) -> Result<(), Failure> {
    run(cargo(root).args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn asked(args: &[String], database: Option<PathBuf>) -> Result<Asked, Failure> {
    let mut asked = Asked { quick: false, database };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => asked.quick = true,
            "--db" => match args.next() {
                Some(path) => asked.database = Some(path.into()),
                None => return Err(Failure::usage("`--db` needs the folder of an advisory database")),
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
        let full = asked(&args(&["--quick", "--db", "here"]), Some("there".into())).unwrap();
        assert_eq!(full, Asked { quick: true, database: Some("here".into()) });
        assert!(asked(&args(&["--db"]), None).is_err());
        assert!(asked(&args(&["--fast"]), None).is_err());
    }
}
