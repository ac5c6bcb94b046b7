//! Known faults of the crates we build on, and what else `deny.toml` forbids.
//!
//! With a local copy of the RustSec advisory database neither tool needs a network, and its age is said.

use std::path::{Path, PathBuf};
use std::process::Command;

use vocabulary::{Clock, Day};

use super::{Outcome, Place, tools};
use crate::run::{Failure, git, output, run, say};

/// What cargo-deny calls the folder of the database: a name with a hash of its address.
const FOLDER: &str = "advisory-db-3157b0e258782691";
const ADDRESS: &str = "https://github.com/RustSec/advisory-db";

/// Every crate of the lock file against every advisory.
pub(super) fn audit(at: &Place) -> Outcome {
    tools::AUDIT.with(&at.target, |audit| {
        audit.current_dir(&at.root).args(["audit", "--deny", "unsound", "--deny", "yanked"]);
        if let Some(database) = &at.database {
            say_age(database)?;
            // Which versions were yanked, only the registry knows.
            audit.args(["--no-fetch", "--no-yanked", "--db"]).arg(database);
        }
        run(audit)
    })
}

/// Advisories, licences, bans and sources, by `deny.toml`.
pub(super) fn deny(at: &Place) -> Outcome {
    tools::DENY.with(&at.target, |deny| {
        deny.current_dir(&at.root);
        let Some(database) = &at.database else { return run(deny.args(["--locked", "check"])) };
        say_age(database)?;
        let config = local(at, database)?;
        run(deny.args(["--locked", "--offline", "--config"]).arg(config).arg("check"))
    })
}

/// cargo-deny takes a git repository of a certain name: one is made from the copy, and our rules with its place in them.
fn local(at: &Place, database: &Path) -> Result<PathBuf, Failure> {
    let folder = at.target.join("advisory-dbs");
    let copy = folder.join(FOLDER);
    let trouble = |error: std::io::Error| Failure::new(format!("cannot copy {}: {error}", database.display()));
    if copy.exists() {
        std::fs::remove_dir_all(&copy).map_err(trouble)?;
    }
    std::fs::create_dir_all(&copy).map_err(trouble)?;
    output(Command::new("cp").arg("-r").arg(database.join("crates")).arg(&copy))?;
    git(&copy, &["init", "--quiet"])?;
    git(&copy, &["add", "--all"])?;
    git(&copy, &["commit", "--quiet", "--message", "A local copy"])?;
    // Its age is said above, from the advisories themselves; what git knows is when it was copied.
    std::fs::write(copy.join(".git/FETCH_HEAD"), "").map_err(trouble)?;
    let rules = std::fs::read_to_string(at.root.join("deny.toml"))
        .map_err(|error| Failure::new(format!("cannot read deny.toml: {error}")))?;
    let place = format!("[advisories]\ndb-path = {:?}\ndb-urls = [{ADDRESS:?}]\n", folder.display().to_string());
    let path = at.target.join("deny.toml");
    std::fs::write(&path, rules.replacen("[advisories]\n", &place, 1)).map_err(trouble)?;
    Ok(path)
}

/// Says of when the newest advisory is: an old copy knows nothing of what was found since.
fn say_age(database: &Path) -> Result<(), Failure> {
    let newest = newest(database)?;
    let day: Day = newest.parse().map_err(|words| Failure::new(format!("the date {newest} of an advisory {words}")))?;
    let days = Clock::system().now().since(day.start()).as_secs() / 86_400;
    say(&format!("the newest advisory in {} is of {newest}, {days} days ago", database.display()));
    if days > 30 {
        say("OLD: what was found since then is not looked for. Get a newer copy of the database.");
    }
    Ok(())
}

fn newest(database: &Path) -> Result<String, Failure> {
    let crates = database.join("crates");
    let trouble = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", crates.display()));
    let mut newest = String::new();
    for folder in std::fs::read_dir(&crates).map_err(trouble)? {
        let folder = folder.map_err(trouble)?.path();
        for file in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(file.path()).map_err(trouble)?;
            let date = text.lines().find_map(|line| line.strip_prefix("date = ")).unwrap_or_default();
            newest = newest.max(date.trim_matches('"').to_owned());
        }
    }
    if newest.is_empty() {
        let words = format!("{} holds no advisories: is it a clone of advisory-db?", database.display());
        return Err(Failure::new(words));
    }
    Ok(newest)
}
