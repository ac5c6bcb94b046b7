//! The repository as the rules see it: its files, and its crates with what they depend on.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::run::{Failure, cargo, output};

/// The root of the repository: the folder above this crate, wherever it was checked out.
pub(crate) fn root() -> Result<PathBuf, Failure> {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|dir| Path::new(&dir).parent().map(Path::to_path_buf))
        .ok_or_else(|| Failure::new("run this as `cargo xtask …`, so that cargo says where the repository is"))
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// A file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root, with `/` between the parts.
    pub path: String,
    /// How large it is.
    pub bytes: u64,
    /// Its text; empty when it is not text.
    pub text: String,
}

impl File {
    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == "rs")
    }
}

/// How a crate depends on another of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In what is built and shipped.
    Normal,
    /// In its tests only.
    Dev,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name.
    pub name: String,
    /// Its folder from the root.
    pub dir: String,
    /// The crates of this workspace that it uses.
    pub uses: Vec<(String, Kind)>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Repo {
    pub files: Vec<File>,
    pub members: Vec<Member>,
}

impl Repo {
    /// Reads the repository at `root`: what git tracks, and what it would track.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let listed = output(Command::new("git").current_dir(root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut paths: Vec<_> = listed.split('\0').filter(|p| !p.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let files = paths.into_iter().filter_map(|path| {
            // A file that was deleted and not yet committed is listed, and is not there.
            let bytes = std::fs::read(root.join(path)).ok()?;
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            Some(File { path: path.into(), bytes: size, text: String::from_utf8(bytes).unwrap_or_default() })
        });
        Ok(Self { files: files.collect(), members: members(root)? })
    }

    /// The text of one file.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|f| f.path == path)
    }
}

/// The manifest of each crate of ours.
pub(crate) fn manifests(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    Ok(members(root)?.into_iter().map(|member| root.join(member.dir).join("Cargo.toml")).collect())
}

fn members(root: &Path) -> Result<Vec<Member>, Failure> {
    let said = output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1", "--locked", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&said)
        .map_err(|e| Failure::new(format!("cannot read what `cargo metadata` says: {e}")))?;
    let all = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Ok(all(&metadata, "packages")
        .iter()
        .map(|package| {
            let manifest = PathBuf::from(text(package, "manifest_path"));
            let dir = manifest.parent().and_then(|d| d.strip_prefix(root).ok()).unwrap_or(Path::new(""));
            let ours = all(package, "dependencies").into_iter().filter(|d| d["path"].is_string());
            let uses = ours
                .map(|d| (text(&d, "name"), if d["kind"].as_str() == Some("dev") { Kind::Dev } else { Kind::Normal }));
            Member { name: text(package, "name"), dir: dir.display().to_string(), uses: uses.collect() }
        })
        .collect())
}
