//! The Python that the tests use: what is unsafe in ours, and what is known of the packages it needs.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Outcome, Place};
use crate::python::{REQUIREMENTS, environment};
use crate::repo::Repo;
use crate::run::{Failure, output, run, say};

const TOOLS: &str = "bandit==1.9.4\npip-audit==2.10.1\n";

/// Unsafe ways of doing things, in every file of ours.
pub(super) fn bandit(at: &Place) -> Outcome {
    with_tools(at, |python| {
        let files: Vec<String> = Repo::read(&at.root)?.files.into_iter().map(|file| file.path).collect();
        let ours: Vec<&String> =
            files.iter().filter(|path| Path::new(path).extension().is_some_and(|it| it == "py")).collect();
        if ours.is_empty() {
            say("there is no Python of ours");
            return Ok(Outcome::Passed);
        }
        Ok(run(Command::new(python).current_dir(&at.root).args(["-m", "bandit", "--quiet"]).args(ours)).into())
    })
}

/// Known faults of the packages that the tests install.
pub(super) fn pip_audit(at: &Place) -> Outcome {
    with_tools(at, |python| {
        let mut audit = Command::new(python);
        audit.current_dir(&at.root).args(["-m", "pip_audit", "--progress-spinner", "off", "--format", "json"]);
        audit.args(["--disable-pip", "--no-deps", "--requirement", REQUIREMENTS]).stderr(Stdio::null());
        // It fails when it finds something, and writes down what.
        let out = audit.output().map_err(|error| Failure::new(format!("cannot start pip-audit: {error}")))?;
        judged(&out.stdout)
    })
}

/// What pip-audit found; a package that it could not ask about is not known to be well.
fn judged(report: &[u8]) -> Result<Outcome, Failure> {
    let report: Value =
        serde_json::from_slice(report).map_err(|error| Failure::new(format!("pip-audit wrote no report: {error}")))?;
    let packages = report["dependencies"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut faults = Vec::new();
    for package in &packages {
        for fault in package["vulns"].as_array().into_iter().flatten() {
            faults.push(format!("{} {}: {}", text(&package["name"]), text(&package["version"]), text(&fault["id"])));
        }
    }
    let skipped: Vec<String> =
        packages.iter().filter(|it| it["skip_reason"].is_string()).map(|it| text(&it["name"])).collect();
    Ok(match (faults.is_empty(), skipped.is_empty()) {
        (false, _) => Outcome::Failed(faults.join("\n")),
        (true, false) => Outcome::NotMade(format!(
            "the package index here says nothing of known faults, so nothing is known of {}",
            skipped.join(", ")
        )),
        (true, true) => Outcome::Passed,
    })
}

fn with_tools(at: &Place, work: impl FnOnce(&Path) -> Result<Outcome, Failure>) -> Outcome {
    let made = environment(&at.target.join("python"), TOOLS, |python| {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        output(Command::new(python).args(pip).args(TOOLS.lines())).map(drop)
    });
    match made {
        Ok(python) => work(&python).unwrap_or_else(|failure| Outcome::Failed(failure.to_string())),
        Err(failure) => Outcome::NotMade(format!("bandit and pip-audit could not be installed: {failure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_asked_about_is_not_known_to_be_well() {
        let well = r#"{"dependencies":[{"name":"attrs","version":"1","vulns":[]}]}"#;
        assert!(matches!(judged(well.as_bytes()).unwrap(), Outcome::Passed));
        let skipped = well.replace(r#""vulns":[]"#, r#""skip_reason":"not found""#);
        assert!(matches!(judged(skipped.as_bytes()).unwrap(), Outcome::NotMade(why) if why.contains("attrs")));
        let faulty = well.replace("[]", r#"[{"id":"PYSEC-1"}]"#);
        assert!(matches!(judged(faulty.as_bytes()).unwrap(), Outcome::Failed(why) if why == "attrs 1: PYSEC-1"));
        assert!(judged(b"no report").is_err());
    }
}
