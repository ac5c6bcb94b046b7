//! Names, the map, manifests, and the weight of files.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::Finding;
use super::source::Source;
use crate::repo::Repo;

/// Drawers where everything ends up because nothing was thought of.
const DRAWERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];
const MAP: &str = "ARCHITECTURE.md";
const HEAVIEST: u64 = 1024 * 1024;

/// No file, folder or module is a drawer.
pub(super) fn names_that_say_something(repo: &Repo) -> Vec<Finding> {
    let mend = "name it after what it holds, or put its content where it is used";
    let mut findings = Vec::new();
    for file in &repo.files {
        let stem = |part: &str| part.split('.').next().unwrap_or_default().to_ascii_lowercase();
        if let Some(part) = file.path.split('/').find(|part| DRAWERS.contains(&stem(part).as_str())) {
            findings.push(Finding::new(&file.path, 1, format!("`{part}` says nothing"), mend));
        }
        if !file.is_rust() {
            continue;
        }
        for (line, code) in (1..).zip(Source::read(&file.path, &file.text).code) {
            let mut words = code.split_whitespace().skip_while(|w| *w != "mod").skip(1);
            if let Some(name) = words.next().map(|w| w.trim_end_matches([';', '{']))
                && DRAWERS.contains(&name)
            {
                findings.push(Finding::new(&file.path, line, format!("a module named `{name}` says nothing"), mend));
            }
        }
    }
    findings
}

/// Every crate has its row in the code map, and every row its crate.
///
/// The map is the part of ARCHITECTURE.md under the heading that contains "code map", up to the next heading; its rows
/// begin with ``| `crate` ``.
pub(super) fn every_crate_on_the_map(repo: &Repo) -> Vec<Finding> {
    let Some(map) = repo.file(MAP) else {
        return vec![Finding::new(MAP, 1, "there is no ARCHITECTURE.md", "write it, with a code map of the crates")];
    };
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut inside, mut seen) = (false, false);
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(map.text.lines()) {
        if line.starts_with('#') {
            inside = line.to_ascii_lowercase().contains("code map");
            seen |= inside;
        } else if inside
            && let Some(rest) = line.trim_start().strip_prefix("| `")
            && let Some((name, _)) = rest.split_once('`')
            && rows.insert(name, number).is_some()
        {
            findings.push(Finding::new(MAP, number, format!("`{name}` is on the map twice"), "keep one row"));
        }
    }
    if !seen {
        findings.push(Finding::new(MAP, 1, "no heading contains `code map`", "add one above the table of crates"));
    }
    let on_the_map = |dir: &str| dir.starts_with("crates/") || dir.starts_with("examples/");
    for member in repo.members.iter().filter(|m| on_the_map(&m.dir) && !rows.contains_key(m.name.as_str())) {
        let what = format!("the crate `{}` is not on the code map", member.name);
        findings.push(Finding::new(MAP, 1, what, format!("add a row that begins with | `{}` |", member.name)));
    }
    for (name, line) in rows {
        if !repo.members.iter().any(|m| m.name == name) {
            findings.push(Finding::new(MAP, line, format!("there is no crate `{name}`"), "remove its row"));
        }
    }
    findings
}

/// Versions and lints are set once, at the root.
pub(super) fn one_place_for_versions(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|f| f.path.ends_with("/Cargo.toml")) {
        let Ok(manifest) = file.text.parse::<Table>() else {
            findings.push(Finding::new(&file.path, 1, "this is not valid TOML", "repair it"));
            continue;
        };
        let inherits = |value: Option<&Value>| value.and_then(|v| v.get("workspace")) == Some(&Value::Boolean(true));
        if !inherits(manifest.get("lints")) {
            findings.push(Finding::new(
                &file.path,
                1,
                "the workspace's lints are not in force here",
                "add `[lints]` with `workspace = true`",
            ));
        }
        let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
        let sections = std::iter::once(&manifest).chain(targets.filter_map(|(_, t)| t.as_table()));
        let tables =
            sections.flat_map(|s| ["dependencies", "dev-dependencies", "build-dependencies"].map(|k| s.get(k)));
        for (name, dependency) in tables.flatten().filter_map(Value::as_table).flatten() {
            if !inherits(Some(dependency)) {
                let line = file.text.lines().position(|l| l.starts_with(name.as_str())).map_or(1, |i| i + 1);
                findings.push(Finding::new(
                    &file.path,
                    line,
                    format!("`{name}` does not take its version from the root"),
                    format!("name it in [workspace.dependencies] and write `{name}.workspace = true` here"),
                ));
            }
        }
    }
    findings
}

/// Git keeps every version of a file for ever.
pub(super) fn no_heavy_files(repo: &Repo) -> Vec<Finding> {
    let heavy = repo.files.iter().filter(|f| f.bytes > HEAVIEST);
    heavy
        .map(|f| {
            let what = format!("{} KiB, and at most {} KiB belong into git", f.bytes / 1024, HEAVIEST / 1024);
            Finding::new(&f.path, 1, what, "make it smaller, or produce it when it is needed")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{crates, files, places};
    use super::*;

    #[test]
    fn drawers_are_found_as_files_folders_and_modules() {
        let repo = files(&[
            ("crates/bank/src/utils.rs", ""),
            ("crates/bank/tests/common/mod.rs", ""),
            ("crates/bank/src/lib.rs", "mod account;\npub(crate) mod helpers {\n}\n// mod misc;\n"),
            ("crates/bank/src/commonplace.rs", ""),
        ]);
        assert_eq!(
            places(&names_that_say_something(&repo)),
            ["crates/bank/src/utils.rs:1", "crates/bank/tests/common/mod.rs:1", "crates/bank/src/lib.rs:2"]
        );
    }

    #[test]
    fn the_map_names_every_crate_and_no_other() {
        let whats = |map: &str| {
            let mut repo = crates(&[("crates/bank", &[]), ("examples/stuff", &[]), ("xtask", &[])]);
            repo.files = files(&[(MAP, map)]).files;
            every_crate_on_the_map(&repo).into_iter().map(|f| f.what).collect::<Vec<_>>()
        };
        let good = "# A\n| `elsewhere` |\n## Code map\n| crate | what |\n| --- | --- |\n| `bank` | x |\n| `stuff` | y |\n## B\n| `z` |\n";
        assert_eq!(whats(good), Vec::<String>::new());
        assert_eq!(
            whats(&good.replace("`stuff`", "`staff`")),
            ["the crate `stuff` is not on the code map", "there is no crate `staff`"]
        );
        assert_eq!(whats(&good.replace("| `stuff`", "| `bank` | again |\n| `stuff`")), ["`bank` is on the map twice"]);
        assert!(whats("# A\n").contains(&"no heading contains `code map`".to_owned()));
        assert_eq!(every_crate_on_the_map(&files(&[])).len(), 1);
    }

    #[test]
    fn a_version_or_lint_of_its_own_is_found() {
        let repo = files(&[
            ("crates/a/Cargo.toml", "[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n"),
            ("crates/b/Cargo.toml", "[dependencies]\nserde = \"1\"\n[dev-dependencies]\nx = { path = \"../x\" }\n"),
            ("crates/c/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ny = \"1\"\n[lints]\nworkspace = true\n"),
        ]);
        assert_eq!(
            places(&one_place_for_versions(&repo)),
            ["crates/b/Cargo.toml:1", "crates/b/Cargo.toml:2", "crates/b/Cargo.toml:4", "crates/c/Cargo.toml:2"]
        );
    }

    #[test]
    fn a_file_of_more_than_a_mebibyte_is_found() {
        let mut repo = files(&[("a.png", ""), ("b.png", "")]);
        repo.files[0].bytes = HEAVIEST;
        repo.files[1].bytes = HEAVIEST + 1;
        assert_eq!(places(&no_heavy_files(&repo)), ["b.png:1"]);
    }
}
