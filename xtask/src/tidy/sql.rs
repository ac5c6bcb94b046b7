//! SQL lives in `.sql` files; the stores name them; migrations come in pairs, one for each database.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::source::Source;
use crate::repo::{File, Repo};

/// The crate that speaks to the databases for all others: begin, commit, and its own bookkeeping.
const THE_STORE: &str = "crates/store/";
const DATABASES: [&str; 2] = ["sqlite", "postgres"];

/// No statement in a string of Rust.
pub(super) fn only_in_sql_files(repo: &Repo) -> Vec<Finding> {
    in_rust(repo, |_, text| {
        is_statement(text).then(|| {
            (
                format!("SQL in a string: `{}`", text.split_whitespace().take(6).collect::<Vec<_>>().join(" ")),
                "move it to the crate's sql/*.sql under a `-- name:` line and let store.rs find it there".into(),
            )
        })
    })
}

/// Only stores know which files SQL is in.
pub(super) fn only_stores_name_it(repo: &Repo) -> Vec<Finding> {
    in_rust(repo, |path, text| {
        let is_store = path.ends_with("/store.rs") || path.contains("/store/");
        (!is_store && text.to_ascii_lowercase().ends_with(".sql")).then(|| {
            (format!("`{text}` is named outside a store"), "only store.rs (or a folder store/) names .sql files".into())
        })
    })
}

/// Migrations have the same numbers and names for both databases, from 0001 without a gap.
pub(super) fn migrations_in_pairs(repo: &Repo) -> Vec<Finding> {
    let mut homes: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in &repo.files {
        let Some((home, rest)) = file.path.split_once("sql/migrations/") else { continue };
        match rest.split_once('/') {
            Some((database, name)) if DATABASES.contains(&database) && !name.contains('/') => {
                homes.entry(home).or_default().entry(database).or_default().insert(name);
            }
            _ => findings.push(Finding::new(
                &file.path,
                1,
                "a migration for no known database",
                "put it into sql/migrations/sqlite or sql/migrations/postgres",
            )),
        }
    }
    for (home, databases) in homes {
        let names: BTreeSet<_> = databases.values().flatten().copied().collect();
        for database in DATABASES {
            let here = databases.get(database).cloned().unwrap_or_default();
            let path = |name: &str| format!("{home}sql/migrations/{database}/{name}");
            for missing in names.difference(&here) {
                findings.push(Finding::new(
                    &path(missing),
                    1,
                    format!("this migration is missing for {database}"),
                    "write it, with the same number and name as its twin (it may be only a comment)",
                ));
            }
            for (expected, name) in (1..).zip(&here) {
                if !is_numbered(name, expected) {
                    findings.push(Finding::new(
                        &path(name),
                        1,
                        format!("number {expected:04} should stand here"),
                        "number migrations 0001_what_it_does.sql, 0002_… without gaps or doubles",
                    ));
                    break;
                }
            }
        }
    }
    findings
}

fn is_numbered(name: &str, expected: usize) -> bool {
    let words = name.strip_prefix(&format!("{expected:04}_")).and_then(|rest| rest.strip_suffix(".sql"));
    words.is_some_and(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
}

/// Looks at every literal outside tests and outside the store crate.
fn in_rust(repo: &Repo, look: impl Fn(&str, &str) -> Option<(String, String)>) -> Vec<Finding> {
    let subject = |f: &&File| f.is_rust() && !f.path.starts_with(THE_STORE) && !f.path.starts_with("xtask/");
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(subject) {
        let source = Source::read(&file.path, &file.text);
        for literal in source.literals.iter().filter(|l| !source.is_test(l.line)) {
            if let Some((what, mend)) = look(&file.path, &literal.text) {
                findings.push(Finding::new(&file.path, literal.line, what, mend));
            }
        }
    }
    findings
}

/// Whether a text reads as SQL: its first word all lower or all upper case, followed by what SQL wants there. A
/// sentence such as `Select an account from the list` starts with a capital and goes on small.
fn is_statement(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\\' || c == '(');
    let first: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    if first.is_empty()
        || !(first.bytes().all(|b| b.is_ascii_lowercase()) || first.bytes().all(|b| b.is_ascii_uppercase()))
    {
        return false;
    }
    let lower = text.to_ascii_lowercase().replace("\\n", " ");
    let words: Vec<&str> = lower.split(|c: char| c.is_whitespace() || c == '\\').filter(|w| !w.is_empty()).collect();
    let word = |i: usize| words.get(i).copied().unwrap_or_default();
    match word(0) {
        "select" => {
            let bare = word(1).starts_with(|c: char| c.is_ascii_digit() || matches!(c, '*' | '$' | '(' | '?' | '\''));
            bare || (word(1) != "the" && words.contains(&"from")) || word(1).contains('(')
        }
        "insert" => word(1) == "into" || (word(1) == "or" && word(3) == "into"),
        "replace" => word(1) == "into",
        "update" => words.iter().take(5).skip(2).any(|w| *w == "set"),
        "delete" => word(1) == "from",
        "create" | "alter" | "drop" => words.iter().take(4).skip(1).any(|w| OBJECTS.contains(w)) && words.len() > 2,
        "truncate" => word(1) == "table",
        "with" => words.iter().take(5).skip(2).any(|w| *w == "as") && text.contains('('),
        "pragma" => word(1).contains(['=', '_', '(']) || word(2).starts_with('='),
        _ => false,
    }
}

const OBJECTS: &[&str] =
    &["table", "index", "view", "trigger", "function", "schema", "database", "extension", "sequence"];

#[cfg(test)]
mod tests {
    use super::super::tests::{files, places};
    use super::*;

    #[test]
    fn statements_are_recognized() {
        for sql in [
            "select id, label from accounts where id = $1",
            "SELECT 1",
            "select count(*) from t",
            "\n    select *\n    from t",
            "insert into t (a) values ($1)",
            "INSERT OR IGNORE INTO t VALUES (1)",
            "update accounts set label = $1",
            "delete from t where id = $1",
            "create table if not exists t (id)",
            "create unique index i on t (a)",
            "drop table t",
            "alter table t add column a",
            "with recursive tree as (select 1) select * from tree",
            "pragma journal_mode = wal",
        ] {
            assert!(is_statement(sql), "{sql}");
        }
    }

    #[test]
    fn sentences_are_not() {
        for words in [
            "Select an account from the list",
            "select",
            "selected",
            "create an account",
            "Create a table of people",
            "update your profile",
            "delete",
            "Delete from favourites",
            "with",
            "with a reason, as agents do",
            "drop the mail",
            "select the account to debit from the list",
            "alter ego",
            "insert coin",
        ] {
            assert!(!is_statement(words), "{words}");
        }
    }

    #[test]
    fn sql_and_its_files_stay_in_their_place() {
        let repo = files(&[
            (
                "crates/bank/src/account.rs",
                "fn a() {\n    run(\"select 1\");\n}\nconst S: &str = include_str!(\"sql/a.sql\");\n",
            ),
            ("crates/bank/src/store.rs", "const S: &str = include_str!(\"sql/a.sql\");\n"),
            ("crates/bank/src/store/account.rs", "const S: &str = include_str!(\"../sql/a.sql\");\n"),
            ("crates/bank/tests/a.rs", "const S: &str = \"select 1\";\n"),
            ("crates/store/src/sqlite.rs", "const S: &str = \"pragma journal_mode = wal\";\n"),
        ]);
        assert_eq!(places(&only_in_sql_files(&repo)), ["crates/bank/src/account.rs:2"]);
        assert_eq!(places(&only_stores_name_it(&repo)), ["crates/bank/src/account.rs:4"]);
    }

    #[test]
    fn migrations_without_a_twin_or_with_a_gap_are_found() {
        let at = |database: &str, name: &str| format!("crates/bank/src/sql/migrations/{database}/{name}");
        let found = |names: &[(&str, &str)]| {
            let paths: Vec<_> = names.iter().map(|(d, n)| at(d, n)).collect();
            let all: Vec<_> = paths.iter().map(|p| (p.as_str(), "")).collect();
            migrations_in_pairs(&files(&all)).into_iter().map(|f| f.path).collect::<Vec<_>>()
        };
        let (one, three) = ("0001_open.sql", "0003_close.sql");
        assert_eq!(found(&[("sqlite", one), ("postgres", one)]), Vec::<String>::new());
        assert_eq!(found(&[("sqlite", one)]), [at("postgres", one)]);
        assert_eq!(found(&[("sqlite", one), ("postgres", "0001_opened.sql")]).len(), 2);
        assert_eq!(
            found(&[("sqlite", one), ("postgres", one), ("sqlite", three), ("postgres", three)]),
            [at("sqlite", three), at("postgres", three)]
        );
        assert_eq!(found(&[("mysql", one)]), [at("mysql", one)]);
    }
}
