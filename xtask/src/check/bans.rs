//! Crates that must not be in the tree: the list stands in deny.toml, for cargo-deny and for us.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

use crate::run::{Failure, cargo, output};

/// Looks at what is really built, on every platform and with every feature; the lock file also names what is not.
pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let path = root.join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| Failure::new(format!("cannot read deny.toml: {e}")))?;
    let banned = banned(&text)?;
    let everything = tree(root, &["--prefix=none"])?;
    let mut found = Vec::new();
    for name in present(&everything, banned.keys().map(String::as_str)) {
        let wrappers = &banned[name];
        let wants = if wrappers.is_empty() {
            BTreeSet::from([String::new()])
        } else {
            let inverted = tree(root, &["--prefix=depth", "--depth=1", "--invert", name])?;
            wanting(&inverted).into_iter().filter(|parent| !wrappers.contains(parent)).collect()
        };
        if !wants.is_empty() {
            found.push(format!(
                "`{name}` is banned by deny.toml; `cargo tree --target all --invert {name}` shows who wants it"
            ));
        }
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::new(found.join("\n"))) }
}

fn tree(root: &Path, how: &[&str]) -> Result<String, Failure> {
    output(
        cargo(root)
            .args(["tree", "--workspace", "--locked", "--all-features", "--target=all", "--edges=normal,build,dev"])
            .arg("--format={p}")
            .args(how),
    )
}

/// The crates that must not be there, each with those that may bring it all the same.
fn banned(text: &str) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let config: Table = text.parse().map_err(|e| Failure::new(format!("deny.toml is not valid TOML: {e}")))?;
    let list = config.get("bans").and_then(|b| b.get("deny")).and_then(Value::as_array);
    let texts =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let names = list.into_iter().flatten().filter_map(|entry| {
        let name = entry.get("crate").or_else(|| entry.get("name")).unwrap_or(entry);
        Some((name.as_str()?.to_owned(), entry.get("wrappers").map(texts).unwrap_or_default()))
    });
    let names: BTreeMap<_, _> = names.collect();
    if names.is_empty() { Err(Failure::new("deny.toml bans nothing: [bans] deny is empty or gone")) } else { Ok(names) }
}

fn present<'a>(tree: &'a str, banned: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let banned: BTreeSet<_> = banned.collect();
    tree.lines().filter_map(|l| l.split_whitespace().next()).filter(|name| banned.contains(*name)).collect()
}

/// Who depends directly on the crate at the root of an inverted tree.
fn wanting(inverted: &str) -> BTreeSet<String> {
    let direct = inverted.lines().filter_map(|line| line.strip_prefix('1'));
    direct.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_crate_in_the_tree_is_found() {
        let banned = banned("[bans]\ndeny = [{ crate = \"ring\", reason = \"x\" }, \"openssl-sys\"]").unwrap();
        let tree = "bank v0.1.0 (/x)\nring v0.17.14\nrustls v0.23.46\nring v0.17.14 (*)\nringbuf v0.4.0\n";
        assert_eq!(present(tree, banned.keys().map(String::as_str)), BTreeSet::from(["ring"]));
        assert!(super::banned("[bans]\n").is_err());
    }

    #[test]
    fn a_banned_crate_may_come_with_those_that_are_named_and_with_nobody_else() {
        let banned = banned("[bans]\ndeny = [{ crate = \"roots\", wrappers = [\"driver\"], reason = \"x\" }]").unwrap();
        assert_eq!(banned["roots"], BTreeSet::from(["driver".to_owned()]));
        let inverted = "0roots v1.0.0\n1driver v3.0.0\n1bank v0.1.0 (/x)\n0roots v0.9.0\n1driver v3.0.0 (*)\n";
        assert_eq!(wanting(inverted), BTreeSet::from(["driver".to_owned(), "bank".to_owned()]));
    }
}
