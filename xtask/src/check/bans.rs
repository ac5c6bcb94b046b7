//! Crates that must not be in the tree: the list stands in deny.toml, for cargo-deny and for us.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use crate::run::{Failure, cargo, output};

/// Looks at what is really built, on every platform and with every feature; the lock file also names what is not.
pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let path = root.join("deny.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| Failure::new(format!("cannot read deny.toml: {e}")))?;
    let banned = banned(&text)?;
    let tree = output(cargo(root).args([
        "tree",
        "--workspace",
        "--locked",
        "--all-features",
        "--target=all",
        "--edges=normal,build,dev",
        "--prefix=none",
        "--format={p}",
    ]))?;
    let found: Vec<_> = present(&tree, &banned)
        .into_iter()
        .map(|name| {
            format!("`{name}` is banned by deny.toml; `cargo tree --target all --invert {name}` shows who wants it")
        })
        .collect();
    if found.is_empty() { Ok(()) } else { Err(Failure::new(found.join("\n"))) }
}

fn banned(text: &str) -> Result<BTreeSet<String>, Failure> {
    let config: Table = text.parse().map_err(|e| Failure::new(format!("deny.toml is not valid TOML: {e}")))?;
    let list = config.get("bans").and_then(|b| b.get("deny")).and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(|entry| {
        let name = entry.get("crate").or_else(|| entry.get("name")).unwrap_or(entry);
        name.as_str().map(str::to_owned)
    });
    let names: BTreeSet<_> = names.collect();
    if names.is_empty() { Err(Failure::new("deny.toml bans nothing: [bans] deny is empty or gone")) } else { Ok(names) }
}

fn present<'a>(tree: &'a str, banned: &BTreeSet<String>) -> BTreeSet<&'a str> {
    tree.lines().filter_map(|l| l.split_whitespace().next()).filter(|name| banned.contains(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_crate_in_the_tree_is_found() {
        let banned = banned("[bans]\ndeny = [{ crate = \"ring\", reason = \"x\" }, \"openssl-sys\"]").unwrap();
        let tree = "bank v0.1.0 (/x)\nring v0.17.14\nrustls v0.23.46\nring v0.17.14 (*)\nringbuf v0.4.0\n";
        assert_eq!(present(tree, &banned), BTreeSet::from(["ring"]));
        assert!(super::banned("[bans]\n").is_err());
    }
}
