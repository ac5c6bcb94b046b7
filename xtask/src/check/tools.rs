//! The programs that look at our dependencies: installed once, at these versions, beside what cargo builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Outcome;
use crate::run::{Failure, run};
use crate::tools::on_path;

/// A program that cargo can install.
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

pub(super) const AUDIT: Tool = Tool { name: "cargo-audit", version: "0.22.2" };
pub(super) const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
pub(super) const CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.9" };
pub(super) const MACHETE: Tool = Tool { name: "cargo-machete", version: "0.9.2" };

impl Tool {
    /// What comes of `work` with it; that it is not there is said.
    pub(super) fn with(&self, target: &Path, work: impl FnOnce(&mut Command) -> Result<(), Failure>) -> Outcome {
        match self.find(target) {
            Ok(path) => work(&mut Command::new(path)).into(),
            Err(failure) => Outcome::NotMade(format!(
                "{} {} is not there and could not be installed ({failure}): `cargo install --locked {}`",
                self.name, self.version, self.name
            )),
        }
    }

    /// Ours, or else one on the path, or else installed now.
    fn find(&self, target: &Path) -> Result<PathBuf, Failure> {
        let folder = target.join("tools");
        let ours = folder.join("bin").join(self.name);
        if ours.is_file() {
            return Ok(ours);
        }
        if let Some(found) = on_path(self.name) {
            return Ok(found);
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut install = Command::new(cargo);
        install.args(["install", "--quiet", "--locked", self.name, "--version", self.version, "--root"]).arg(&folder);
        // It runs for seconds: quickly built is better than quickly run.
        install.env("CARGO_TARGET_DIR", folder.join("build"));
        install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_LTO", "false");
        install.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        run(&mut install)?;
        Ok(ours)
    }
}
