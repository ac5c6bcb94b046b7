//! Programs in Python that the tests compare with, in a virtual environment of their own.
//!
//! Promises: made once per list of versions and kept beside what cargo builds; a half-made one is made anew; nothing
//! outside of that folder is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repo;
use crate::run::{Failure, run, section};

/// The variable that tells the tests which Python to run.
pub(crate) const VARIABLE: &str = "GUICHET_TEST_PYTHON";

/// What the tests need.
pub(crate) const REQUIREMENTS: &str = "xtask/python/requirements.txt";

/// The environment's Python, made first if need be.
pub(crate) fn ensure() -> Result<PathBuf, Failure> {
    let root = repo::root()?;
    let wanted = root.join(REQUIREMENTS);
    let list = fs::read_to_string(&wanted).map_err(trouble("read", &wanted))?;
    environment(&repo::target(&root).join("test-python"), &list, |python| {
        section("Python programs that the tests compare with");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        run(Command::new(python).args(pip).arg(&wanted))
    })
}

/// The Python of the environment in `folder`; it is made and given to `fill` when it was not made of this `list`.
pub(crate) fn environment(
    folder: &Path,
    list: &str,
    fill: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let (python, stamp) = (folder.join("bin/python"), folder.join("made-of"));
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == list) {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(trouble("remove", folder))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    fill(&python)?;
    fs::write(&stamp, list).map_err(trouble("write", &stamp))?;
    Ok(python)
}

fn trouble(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::new(format!("cannot {action} {}: {error}", path.display()))
}
