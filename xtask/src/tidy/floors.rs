//! Imports point one way: a crate uses only what stands on a lower floor.

use super::Finding;
use crate::repo::{Kind, Member, Repo};

/// The floors, from the ground up. A new crate gets its line here and its row in ARCHITECTURE.md.
const FLOORS: &[(u8, &[&str])] = &[
    (1, &["vocabulary", "aaa-derive"]),
    (2, &["aaa", "pki", "store", "tlog"]),
    (3, &["contracts", "bus", "ledger", "mail"]),
    (4, &["chassis"]),
    (5, &["identity", "bank", "journal", "monitor", "web"]),
    (6, &["guichet"]),
];
const SERVICES: u8 = 5;
/// Small programs in `examples/` stand beside the services, and show that the lower floors hold no bank.
const EXAMPLES: u8 = 5;
/// Automation is no part of the house; nobody may use it.
const OUTSIDE: &str = "xtask";

/// Arrows that point down and are refused all the same.
const REFUSED: &[(Who, &str, &str)] = &[
    (Who::AllBut("bank"), "ledger", "only `bank` keeps the ledger; ask it through `contracts`"),
    (Who::Only("web"), "store", "the pages hold no database; ask a service through `contracts`"),
    (Who::Only("web"), "bus", "the pages hear no events; ask a service through `contracts`"),
    (Who::Only("chassis"), "contracts", "the chassis carries any service; let the service hand in what it needs"),
    (Who::Examples, "contracts", "an example shows the lower floors without a bank"),
];

enum Who {
    AllBut(&'static str),
    Only(&'static str),
    Examples,
}

impl Who {
    fn are(&self, member: &Member) -> bool {
        match self {
            Self::AllBut(name) => member.name != *name,
            Self::Only(name) => member.name == *name,
            Self::Examples => is_example(member),
        }
    }
}

/// The rule.
pub(super) fn one_direction(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in repo.members.iter().filter(|m| m.name != OUTSIDE) {
        let manifest = format!("{}/Cargo.toml", member.dir);
        let mut found = |name: &str, what: String, mend: String| {
            let line = repo.file(&manifest).map_or(1, |f| line_of(&f.text, name));
            findings.push(Finding::new(&manifest, line, what, mend));
        };
        let Some(floor) = floor(repo, &member.name) else {
            found(
                "name",
                format!("`{}` stands on no floor", member.name),
                "give it a line in FLOORS (xtask/src/tidy/floors.rs) and a row in ARCHITECTURE.md".into(),
            );
            continue;
        };
        for (name, kind) in &member.uses {
            if let Some((what, mend)) = refused(repo, member, floor, name, *kind) {
                found(name, what, mend);
            }
        }
    }
    findings
}

fn refused(repo: &Repo, member: &Member, floor: u8, name: &str, kind: Kind) -> Option<(String, String)> {
    let used = self::floor(repo, name).unwrap_or(u8::MAX);
    let who = &member.name;
    if kind == Kind::Dev {
        let service =
            |floor: u8, name: &str| floor == SERVICES && !repo.members.iter().any(|m| m.name == name && is_example(m));
        return (service(floor, who) && service(used, name)).then(|| {
            (
                format!("`{who}` uses `{name}` in its tests, and services never use one another"),
                "test the two together in the crate that wires them".into(),
            )
        });
    }
    if used >= floor {
        let (what, mend) = match used {
            u8::MAX => ("is no part of the house".into(), "nothing may use it".into()),
            _ if used == floor => (format!("stands on the same floor {floor}"), lower(floor)),
            _ => (format!("stands on floor {used}, above floor {floor}"), lower(floor)),
        };
        return Some((format!("`{who}` uses `{name}`, which {what}"), mend));
    }
    let (_, _, mend) = REFUSED.iter().find(|(who, what, _)| who.are(member) && *what == name)?;
    Some((format!("`{who}` uses `{name}`"), (*mend).into()))
}

fn lower(floor: u8) -> String {
    format!("use only what stands below floor {floor}, or move what both need down (table in ARCHITECTURE.md)")
}

fn floor(repo: &Repo, name: &str) -> Option<u8> {
    let own = FLOORS.iter().find(|(_, crates)| crates.contains(&name)).map(|(floor, _)| *floor);
    own.or_else(|| repo.members.iter().find(|m| m.name == name && is_example(m)).map(|_| EXAMPLES))
}

fn is_example(member: &Member) -> bool {
    member.dir.starts_with("examples/")
}

fn line_of(text: &str, name: &str) -> usize {
    text.lines().position(|l| l.split(['.', ' ', '=']).next() == Some(name)).map_or(1, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::super::tests::crates;
    use super::*;

    fn found(dir: &str, uses: &[&str]) -> Vec<String> {
        let all = [("crates/bank", &[][..]), ("examples/stuff", &[]), ("xtask", &["pki", "bank"]), (dir, uses)];
        one_direction(&crates(&all)).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn arrows_that_point_down_are_free() {
        for (dir, uses) in [
            ("crates/vocabulary", &[][..]),
            ("crates/chassis", &["aaa", "pki", "store", "vocabulary", "dev:contracts"]),
            ("crates/identity", &["chassis", "contracts", "store", "bus"]),
            ("crates/bank", &["ledger", "chassis"]),
            ("crates/web", &["chassis", "contracts", "dev:store"]),
            ("crates/guichet", &["bank", "web", "chassis"]),
            ("examples/library", &["aaa", "chassis", "store"]),
        ] {
            assert_eq!(found(dir, uses), Vec::<String>::new(), "{dir}");
        }
    }

    #[test]
    fn every_other_arrow_is_refused() {
        for (dir, uses) in [
            ("crates/vocabulary", "aaa"),
            ("crates/aaa", "store"),
            ("crates/ledger", "contracts"),
            ("crates/store", "chassis"),
            ("crates/identity", "bank"),
            ("crates/identity", "dev:bank"),
            ("crates/journal", "ledger"),
            ("crates/guichet", "ledger"),
            ("crates/web", "store"),
            ("crates/web", "bus"),
            ("crates/chassis", "contracts"),
            ("crates/chassis", "ledger"),
            ("crates/bank", "guichet"),
            ("crates/bank", "xtask"),
            ("crates/web", "stuff"),
            ("examples/library", "contracts"),
            ("examples/library", "ledger"),
            ("examples/library", "stuff"),
            ("examples/library", "bank"),
        ] {
            assert_eq!(found(dir, &[uses]).len(), 1, "{dir} → {uses}");
        }
    }

    #[test]
    fn a_crate_on_no_floor_is_told_where_to_go() {
        assert_eq!(found("crates/extras", &[]), ["`extras` stands on no floor"]);
    }
}
