//! Code that can be read in one go, and tests that always run.

use super::Finding;
use super::source::{Source, is_test_file};
use crate::repo::Repo;

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 100;
/// What is longer for a reason: the file, the function (or `*` for the file itself), and why.
const LONGER: &[(&str, &str, &str)] = &[];

/// Files and functions have an end.
pub(super) fn short_enough(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in rust(repo) {
        let allowed = |item: &str| LONGER.iter().any(|(p, i, _)| *p == path && *i == item);
        if source.code.len() > LONGEST_FILE && !allowed("*") {
            let what = format!("{} lines, and a file has at most {LONGEST_FILE}", source.code.len());
            findings.push(Finding::new(path, LONGEST_FILE + 1, what, "find the second subject in it and move it out"));
        }
        for function in functions(&source.code).filter(|f| f.lines > LONGEST_FUNCTION && !allowed(&f.name)) {
            let what = format!("`{}` has {} lines, and at most {LONGEST_FUNCTION} fit", function.name, function.lines);
            findings.push(Finding::new(path, function.line, what, "give its steps names and functions of their own"));
        }
    }
    findings
}

/// A test that sleeps or is skipped proves nothing.
pub(super) fn tests_that_always_run(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in rust(repo) {
        for (line, code) in (1..).zip(&source.code) {
            if code.contains("#[ignore") {
                let mend = "make it run always; what takes long looks at GUICHET_PROVE and does less without it";
                findings.push(Finding::new(path, line, "an ignored test", mend));
            }
            if source.is_test(line) && ["thread::sleep(", "time::sleep("].iter().any(|s| code.contains(s)) {
                let mend = "wait for what must happen (a channel, a line of output, a moved clock), not for time";
                findings.push(Finding::new(path, line, "a test that sleeps", mend));
            }
        }
    }
    for file in repo.files.iter().filter(|f| is_test_file(&f.path) && !f.is_rust()) {
        for (line, text) in (1..).zip(file.text.lines()) {
            if [".skip(", "waitForTimeout("].iter().any(|s| text.contains(s)) {
                let mend = "wait for what must appear, and skip nothing";
                findings.push(Finding::new(&file.path, line, "a test that sleeps or is skipped", mend));
            }
        }
    }
    findings
}

/// Whoever opens a module reads first what it is for.
pub(super) fn modules_say_what_they_promise(repo: &Repo) -> Vec<Finding> {
    let modules = repo.files.iter().filter(|f| f.is_rust() && f.path.contains("src/"));
    let silent = modules.filter(|f| !f.text.trim_start().starts_with("//!"));
    silent
        .map(|f| {
            let mend = "open with `//!`: what it promises and what it must not know";
            Finding::new(&f.path, 1, "this module does not say what it is for", mend)
        })
        .collect()
}

fn rust(repo: &Repo) -> impl Iterator<Item = (&str, Source)> {
    let files = repo.files.iter().filter(|f| f.is_rust());
    files.map(|f| (f.path.as_str(), Source::read(&f.path, &f.text)))
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Functions as rustfmt lays them out: the body ends at the first `}` below that stands as deep as `fn`.
fn functions(code: &[String]) -> impl Iterator<Item = Function> {
    code.iter().enumerate().filter_map(|(start, line)| {
        let name = function_name(line)?;
        let indent = line.len() - line.trim_start().len();
        let end = code.iter().skip(start).position(|l| {
            let depth = l.len() - l.trim_start().len();
            let shut = l.trim_end().ends_with(['}', ';']);
            depth == indent
                && shut
                && (l.trim_start().starts_with('}') || l.contains("fn ") || l.trim_start().starts_with(')'))
        })?;
        Some(Function { name: name.to_owned(), line: start + 1, lines: end + 1 })
    })
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(name) = rest.strip_prefix("fn ") {
            return name.split(['(', '<']).next();
        }
        let (word, after) = rest.split_once(' ')?;
        let known = matches!(word, "async" | "const" | "unsafe" | "extern" | "default" | "pub" | "\"")
            || word.starts_with("pub(");
        if !known {
            return None;
        }
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{files, places};
    use super::*;

    fn body(lines: usize) -> String {
        "    x();\n".repeat(lines)
    }

    #[test]
    fn functions_are_measured_from_their_first_line_to_their_brace() {
        let text = format!(
            "pub async fn long(\n    a: u8,\n) -> u8 {{\n{}}}\n\nfn short() {{\n{}}}\n\ntrait T {{\n    fn none(&self);\n    fn one(&self) {{}}\n}}\n",
            body(97),
            body(98)
        );
        let code = Source::read("a.rs", &text).code;
        let measured: Vec<_> = functions(&code).map(|f| (f.name, f.lines)).collect();
        let expected = [("long", 101), ("short", 100), ("none", 1), ("one", 1)];
        assert_eq!(measured, expected.map(|(n, l)| (n.to_owned(), l)));
        assert_eq!(places(&short_enough(&files(&[("crates/a/src/a.rs", &text)]))), ["crates/a/src/a.rs:1"]);
    }

    #[test]
    fn a_file_of_more_than_600_lines_is_found() {
        let (fits, long) = ("use a;\n".repeat(600), "use a;\n".repeat(601));
        let repo = files(&[("crates/a/src/a.rs", &fits), ("crates/a/src/b.rs", &long)]);
        assert_eq!(places(&short_enough(&repo)), ["crates/a/src/b.rs:601"]);
    }

    #[test]
    fn ignored_and_sleeping_tests_are_found() {
        let repo = files(&[
            ("crates/a/tests/t.rs", "#[test]\n#[ignore = \"later\"]\nfn a() {\n    std::thread::sleep(d);\n}\n"),
            (
                "crates/a/src/a.rs",
                "fn a() {\n    tokio::time::sleep(d);\n}\n#[cfg(test)]\nmod tests {\n    fn b() {\n        tokio::time::sleep(d);\n    }\n}\n",
            ),
            ("crates/a/src/b.rs", "// #[ignore]\nconst A: &str = \"#[ignore]\";\n"),
            ("tests/pages.mjs", "test.skip('x')\n"),
        ]);
        assert_eq!(
            places(&tests_that_always_run(&repo)),
            ["crates/a/tests/t.rs:2", "crates/a/tests/t.rs:4", "crates/a/src/a.rs:7", "tests/pages.mjs:1"]
        );
    }

    #[test]
    fn a_silent_module_is_found() {
        let repo = files(&[("crates/a/src/a.rs", "use b;\n"), ("crates/a/src/b.rs", "//! What it promises.\n")]);
        assert_eq!(places(&modules_say_what_they_promise(&repo)), ["crates/a/src/a.rs:1"]);
    }
}
