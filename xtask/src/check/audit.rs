//! Known faults of the crates we build on, from the RustSec advisory database.
//!
//! With a local clone of the database it needs no network; without one it asks cargo-deny or cargo-audit; when there is
//! none of these it says that nothing was audited.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use toml::{Table, Value};

use crate::run::{Failure, cargo, run, say};
use crate::tools::on_path;

/// The audit, with whatever there is to do it.
pub(super) fn check(root: &Path, database: Option<&Path>) -> Result<(), Failure> {
    if let Some(database) = database {
        return offline(root, database);
    }
    if on_path("cargo-deny").is_some() {
        return run(cargo(root).args(["deny", "--locked", "check"]));
    }
    if on_path("cargo-audit").is_some() {
        return run(cargo(root).arg("audit"));
    }
    say(
        "SKIPPED: nothing was audited. Install cargo-deny or cargo-audit, or clone https://github.com/rustsec/advisory-db \
         and name its folder with --db or GUICHET_ADVISORY_DB.",
    );
    Ok(())
}

fn offline(root: &Path, database: &Path) -> Result<(), Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))
    };
    let packages = packages(&read(&root.join("Cargo.lock"))?)?;
    let accepted = accepted(&read(&root.join("deny.toml"))?)?;
    let (mut faults, mut notices, mut known, mut newest) = (Vec::new(), Vec::new(), 0_usize, String::new());
    for path in advisories(database)? {
        let advisory = Advisory::read(&read(&path)?)
            .map_err(|why| Failure::new(format!("{} cannot be understood: {why}", path.display())))?;
        known += 1;
        newest = newest.max(advisory.date.clone());
        for version in packages.get(&advisory.package).into_iter().flatten().filter(|v| advisory.concerns(v)) {
            let shown = format!("{} {version}: {} {}", advisory.package, advisory.id, advisory.title);
            match accepted.get(&advisory.id) {
                Some(reason) => notices.push(format!("accepted: {shown} ({reason})")),
                None if advisory.is_fault() => faults.push(format!("{shown}\n    mend: {}", advisory.mend())),
                None => notices.push(format!("note: {shown} ({})", advisory.kind)),
            }
        }
    }
    if known == 0 {
        return Err(Failure::new(format!("{} holds no advisories: is it a clone of advisory-db?", database.display())));
    }
    for notice in &notices {
        say(notice);
    }
    let count = packages.values().map(Vec::len).sum::<usize>();
    say(&format!(
        "{count} crates against {known} advisories, the newest of {newest}. Yanked versions are not looked for."
    ));
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("\n"))) }
}

/// The crates of the lock file that come from elsewhere, with their versions.
fn packages(lock: &str) -> Result<BTreeMap<String, Vec<Version>>, Failure> {
    let lock: Table = lock.parse().map_err(|e| Failure::new(format!("Cargo.lock is not valid TOML: {e}")))?;
    let mut packages: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for package in lock.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
        if package.get("source").is_some() {
            let version = Version::parse(text("version"))
                .map_err(|e| Failure::new(format!("Cargo.lock: {} {}: {e}", text("name"), text("version"))))?;
            packages.entry(text("name").into()).or_default().push(version);
        }
    }
    Ok(packages)
}

/// What deny.toml accepts, with its reasons.
fn accepted(deny: &str) -> Result<BTreeMap<String, String>, Failure> {
    let config: Table = deny.parse().map_err(|e| Failure::new(format!("deny.toml is not valid TOML: {e}")))?;
    let list = config.get("advisories").and_then(|a| a.get("ignore")).and_then(Value::as_array);
    let entries = list.into_iter().flatten().map(|entry| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        match (text("id"), text("reason")) {
            (Some(id), Some(reason)) => Ok((id, reason)),
            _ => Err(Failure::new("deny.toml: each accepted advisory needs `id` and `reason`")),
        }
    });
    entries.collect()
}

/// The advisories of all crates, but not those of the compiler.
fn advisories(database: &Path) -> Result<Vec<PathBuf>, Failure> {
    let crates = database.join("crates");
    let trouble = |e: std::io::Error| Failure::new(format!("cannot read {}: {e}", crates.display()));
    let mut paths = Vec::new();
    for folder in std::fs::read_dir(&crates).map_err(trouble)? {
        let folder = folder.map_err(trouble)?.path();
        if folder.is_dir() {
            for file in std::fs::read_dir(&folder).map_err(trouble)? {
                let file = file.map_err(trouble)?.path();
                if file.extension().is_some_and(|e| e == "md") {
                    paths.push(file);
                }
            }
        }
    }
    paths.sort();
    Ok(paths)
}

#[derive(Debug)]
struct Advisory {
    id: String,
    package: String,
    date: String,
    title: String,
    /// `vulnerability`, or what the advisory informs of: `unsound`, `unmaintained`, `notice`.
    kind: String,
    withdrawn: bool,
    patched: Vec<VersionReq>,
    unaffected: Vec<VersionReq>,
}

impl Advisory {
    fn read(text: &str) -> Result<Self, String> {
        let front = text.trim_start().strip_prefix("```toml").and_then(|rest| rest.split_once("\n```"));
        let (front, body) = front.ok_or("it does not start with a block of TOML")?;
        let front: Table = front.parse().map_err(|e: toml::de::Error| e.to_string())?;
        let field = |key: &str| front.get("advisory").and_then(|a| a.get(key));
        let text = |key: &str| field(key).and_then(Value::as_str).map(str::to_owned);
        let versions = |key: &str| -> Result<Vec<VersionReq>, String> {
            let list = front.get("versions").and_then(|v| v.get(key)).and_then(Value::as_array);
            let ranges = list.into_iter().flatten().filter_map(Value::as_str);
            ranges.map(|r| VersionReq::parse(r).map_err(|e| format!("{r}: {e}"))).collect()
        };
        Ok(Self {
            id: text("id").ok_or("it has no id")?,
            package: text("package").ok_or("it names no package")?,
            date: text("date").unwrap_or_default(),
            title: body.lines().find_map(|l| l.strip_prefix("# ")).unwrap_or_default().trim().into(),
            kind: text("informational").unwrap_or_else(|| "vulnerability".into()),
            withdrawn: field("withdrawn").is_some(),
            patched: versions("patched")?,
            unaffected: versions("unaffected")?,
        })
    }

    /// A version before a release is believed to be safe only where the advisory names such versions.
    fn concerns(&self, version: &Version) -> bool {
        let safe = self.patched.iter().chain(&self.unaffected).any(|range| range.matches(version));
        !self.withdrawn && !safe
    }

    fn is_fault(&self) -> bool {
        matches!(self.kind.as_str(), "vulnerability" | "unsound")
    }

    fn mend(&self) -> String {
        let ranges: Vec<_> = self.patched.iter().map(ToString::to_string).collect();
        let accept = "or, when it cannot touch us, accept it in deny.toml with a reason";
        if ranges.is_empty() {
            return format!("there is no patched version: replace the crate, {accept}");
        }
        format!("update to {}, {accept}", ranges.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisory(front: &str) -> Advisory {
        Advisory::read(&format!(
            "```toml\n[advisory]\nid = \"A-1\"\npackage = \"a\"\n{front}\n```\n\n# Title\n\ntext\n"
        ))
        .unwrap()
    }

    fn concerns(advisory: &Advisory, version: &str) -> bool {
        advisory.concerns(&Version::parse(version).unwrap())
    }

    #[test]
    fn a_version_is_concerned_unless_patched_or_unaffected() {
        let a = advisory("[versions]\npatched = [\">= 0.100.2, < 0.101.0\", \"^1.2\"]\nunaffected = [\"< 0.9.0\"]");
        assert!(a.is_fault());
        assert_eq!(a.title, "Title");
        for (version, expected) in [
            ("0.8.9", false),
            ("0.9.0", true),
            ("0.100.1", true),
            ("0.100.2", false),
            ("0.101.0", true),
            ("1.1.9", true),
            ("1.2.0", false),
            ("1.3.0-rc.1", true),
        ] {
            assert_eq!(concerns(&a, version), expected, "{version}");
        }
        assert!(concerns(&advisory("[versions]\npatched = []"), "9.9.9"));
    }

    #[test]
    fn withdrawn_advisories_concern_nobody_and_unmaintained_crates_are_only_noted() {
        assert!(!concerns(&advisory("withdrawn = \"2026-01-01\"\n[versions]\npatched = []"), "1.0.0"));
        assert!(!advisory("informational = \"unmaintained\"\n[versions]\npatched = []").is_fault());
        assert!(advisory("informational = \"unsound\"\n[versions]\npatched = []").is_fault());
        assert!(Advisory::read("# no block").is_err());
    }

    #[test]
    fn the_lock_file_gives_foreign_crates_and_acceptance_needs_a_reason() {
        let lock = "[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\nsource = \"registry\"\n";
        let packages = packages(lock).unwrap();
        assert_eq!(packages.keys().collect::<Vec<_>>(), ["a"]);
        assert!(accepted("[advisories]\nignore = [\"A-1\"]").is_err());
        assert_eq!(accepted("[advisories]\nignore = [{ id = \"A-1\", reason = \"r\" }]").unwrap()["A-1"], "r");
    }
}
