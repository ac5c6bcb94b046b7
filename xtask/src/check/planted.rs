//! A flaw of each kind, in a small workspace that is made for it: a check that does not see it is no check.

use std::path::Path;

use super::{Outcome, Place, STEPS};
use crate::run::{Failure, git, output, say, section};

/// What is put in, and which step has to see it.
struct Flaw {
    step: &'static str,
    what: &'static str,
    plant: fn(&Path) -> Result<(), Failure>,
}

const FLAWS: &[Flaw] = &[
    Flaw {
        step: "formatting",
        what: "a line that rustfmt would write otherwise",
        plant: |at| code(at, "pub fn  f() {}\n"),
    },
    Flaw { step: "banned-crates", what: "a banned crate", plant: |at| local_crate(at, "ring", "MIT") },
    Flaw { step: "secrets", what: "a token in a file", plant: |at| write(at, "notes.txt", &token()) },
    Flaw { step: "secrets-in-history", what: "a token that was removed again", plant: removed_token },
    Flaw {
        step: "clippy",
        what: "an unwrap",
        plant: |at| {
            code(at, "//! Docs.\n\n/// First.\npub fn first(all: &[u8]) -> u8 {\n    *all.first().unwrap()\n}\n")
        },
    },
    Flaw { step: "documentation", what: "a link to nothing", plant: |at| code(at, "//! See [`Nowhere`].\n") },
    Flaw { step: "cargo-audit", what: "a crate with a known fault", plant: faulty_crate },
    Flaw { step: "cargo-deny", what: "a forbidden licence", plant: |at| local_crate(at, "copyleft", "GPL-3.0-only") },
    Flaw {
        step: "unused-dependencies",
        what: "a dependency that nothing uses",
        plant: |at| local_crate(at, "idle", "MIT"),
    },
    Flaw {
        step: "bandit",
        what: "a shell in Python",
        plant: |at| write(at, "run.py", "import subprocess\n\nsubprocess.call(input(), shell=True)\n"),
    },
    Flaw {
        step: "pip-audit",
        what: "a Python package with a known fault",
        plant: |at| write(at, "xtask/python/requirements.txt", "jinja2==2.4.1\n"),
    },
];

/// Plants each, and expects its step to fail; without flaws every one of these steps has to pass.
pub(super) fn command(place: &Place, without: &[String]) -> Result<(), Failure> {
    let mut unseen = Vec::new();
    for flaw in FLAWS.iter().filter(|flaw| without.iter().all(|name| name != flaw.step)) {
        section(&format!("{}: {}", flaw.step, flaw.what));
        let step = STEPS.iter().find(|step| step.name == flaw.step);
        let look = step.ok_or_else(|| Failure::new(format!("there is no step {}", flaw.step)))?.look;
        for planted in [false, true] {
            let folder = tempfile::tempdir().map_err(|error| Failure::new(format!("no room for a flaw: {error}")))?;
            sound(&place.root, folder.path())?;
            if planted {
                (flaw.plant)(folder.path())?;
            }
            let at =
                Place { root: folder.path().into(), target: place.target.clone(), database: place.database.clone() };
            match (look(&at), planted) {
                (Outcome::Failed(_), true) | (Outcome::Passed, false) => {}
                (Outcome::Failed(why), false) => unseen.push(format!("{} complains of nothing: {why}", flaw.step)),
                (Outcome::NotMade(why), _) => unseen.push(format!("{} could not be made: {why}", flaw.step)),
                (Outcome::Passed | Outcome::LeftOut, _) => {
                    unseen.push(format!("{} does not see {}", flaw.step, flaw.what));
                }
            }
        }
    }
    if unseen.is_empty() {
        say("\nEvery flaw that was planted was seen.");
        return Ok(());
    }
    Err(Failure::new(unseen.join("\n")))
}

/// A small workspace without a flaw, under our rules.
fn sound(ours: &Path, at: &Path) -> Result<(), Failure> {
    for rules in ["deny.toml", "clippy.toml", "rustfmt.toml", "rust-toolchain.toml"] {
        if let Ok(text) = std::fs::read_to_string(ours.join(rules)) {
            write(at, rules, &text)?;
        }
    }
    let manifest = std::fs::read_to_string(ours.join("Cargo.toml")).unwrap_or_default();
    let lints = manifest.find("[workspace.lints").map_or("", |from| &manifest[from..]);
    let lints = lints.split("\n[profile").next().unwrap_or_default();
    let head = "[package]\nname = \"sound\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\npublish = false\n\n\
                [lints]\nworkspace = true\n\n[workspace]\n\n";
    write(at, "Cargo.toml", &format!("{head}{lints}\n[dependencies]\n"))?;
    write(at, "xtask/python/requirements.txt", "")?;
    write(at, ".gitignore", "target\n")?;
    code(at, "//! Nothing.\n")?;
    lock(at)?;
    git(at, &["init", "--quiet"])?;
    commit(at)
}

fn write(at: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = at.join(name);
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(&path, text))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

fn code(at: &Path, text: &str) -> Result<(), Failure> {
    write(at, "src/lib.rs", text)
}

fn lock(at: &Path) -> Result<(), Failure> {
    output(crate::run::cargo(at).args(["generate-lockfile", "--offline"])).map(drop)
}

fn commit(at: &Path) -> Result<(), Failure> {
    git(at, &["add", "--all"])?;
    git(at, &["commit", "--quiet", "--message", "A step"])
}

/// Nothing that opens anything, made of parts so that it is not found here.
fn token() -> String {
    format!("gh{}_{}\n", "p", "a1".repeat(18))
}

fn removed_token(at: &Path) -> Result<(), Failure> {
    write(at, "notes.txt", &token())?;
    commit(at)?;
    write(at, "notes.txt", "nothing\n")?;
    commit(at)
}

/// A crate of this name and licence beside ours, on which ours depends.
fn local_crate(at: &Path, name: &str, licence: &str) -> Result<(), Failure> {
    let manifest =
        format!("[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = {licence:?}\n");
    write(at, &format!("beside/{name}/Cargo.toml"), &manifest)?;
    write(at, &format!("beside/{name}/src/lib.rs"), "//! Nothing.\n")?;
    let path = at.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let text = text.replace("[workspace]\n", "[workspace]\nexclude = [\"beside\"]\n");
    write(at, "Cargo.toml", &format!("{text}{name} = {{ path = \"beside/{name}\" }}\n"))?;
    lock(at)
}

/// In the lock file alone, which is what is audited: no faulty crate is fetched.
fn faulty_crate(at: &Path) -> Result<(), Failure> {
    let path = at.join("Cargo.lock");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let package = "[[package]]\nname = \"time\"\nversion = \"0.1.42\"\n\
                   source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                   checksum = \"db8dcfca086c1143c9270ac42a2bbd8a7ee477b78ac8e45b19abfb0cbede4b6f\"\n"; // not-a-secret: a digest
    write(at, "Cargo.lock", &format!("{text}\n{package}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo;
    use crate::services::PROVE;

    /// Steps with a program of their own, which would have to be built or fetched first.
    const WITH_PROGRAMS: &[&str] = &["cargo-audit", "cargo-deny", "unused-dependencies", "bandit", "pip-audit"];

    /// All of them in `prove`, but for those that `GUICHET_CHECK_WITHOUT` names: not every machine reaches what they ask.
    #[test]
    fn a_planted_flaw_of_each_kind_is_seen() {
        let named = std::env::var("GUICHET_CHECK_WITHOUT").unwrap_or_default();
        let without: Vec<String> = match std::env::var_os(PROVE) {
            Some(_) => named.split_whitespace().map(str::to_owned).collect(),
            None => WITH_PROGRAMS.iter().map(|name| (*name).to_owned()).collect(),
        };
        let (root, target) = (repo::root().unwrap(), tempfile::tempdir().unwrap());
        let database = std::env::var_os("GUICHET_ADVISORY_DB").map(Into::into);
        let target = match std::env::var_os(PROVE) {
            // What they build is kept.
            Some(_) => repo::target(&root).join("check"),
            None => target.path().into(),
        };
        std::fs::create_dir_all(&target).unwrap();
        command(&Place { root, target, database }, &without).unwrap();
    }
}
