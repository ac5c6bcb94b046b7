//! Rust source as the rules read it: text in literals, code without comments and literals, and what is a test.
//!
//! A lexer of the few things that matter here, not a parser: rustfmt's indentation stands for the rest.

/// A string literal, as written between its quotes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// The line it starts on, from 1.
    pub line: usize,
    pub text: String,
}

/// One file, taken apart.
#[derive(Debug)]
pub(crate) struct Source {
    /// The string literals in order.
    pub literals: Vec<Literal>,
    /// The lines, with comments and the inside of literals blanked.
    pub code: Vec<String>,
    /// Which of the lines are tests.
    tests: Vec<bool>,
}

impl Source {
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut reader = Reader { rest: text, line: 1, code: String::new(), literals: Vec::new() };
        reader.read();
        let code: Vec<String> = reader.code.lines().map(str::to_owned).collect();
        let tests = if is_test_file(path) { vec![true; code.len()] } else { test_lines(&code) };
        Self { literals: reader.literals, code, tests }
    }

    /// Whether the line (from 1) belongs to a test.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        line.checked_sub(1).and_then(|i| self.tests.get(i)).copied().unwrap_or(false)
    }
}

/// Whether everything in the file is test code.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "tests.rs"))
}

/// Modules under `#[cfg(test)]`, up to the brace that closes them.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut tests = vec![false; code.len()];
    let mut i = 0;
    while let Some(line) = code.get(i) {
        if line.trim_start().starts_with("#[cfg(test)]") {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = code.iter().skip(i).position(|l| {
                let ends_here = l.strip_prefix(indent).is_some_and(|l| l.starts_with('}'));
                ends_here
                    || (l.trim_end().ends_with(';') && l.starts_with(indent) && !l[indent.len()..].starts_with(' '))
            });
            let end = end.map_or(code.len(), |n| i + n + 1);
            tests[i..end].fill(true);
            i = end;
        } else {
            i += 1;
        }
    }
    tests
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    literals: Vec<Literal>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.blank(block_comment(self.rest));
            } else if let Some((open, hashes)) = raw_string(self.rest, self.code.chars().last()) {
                self.copy(open);
                let close = format!("\"{}", "#".repeat(hashes));
                let length = self.rest.find(&close).unwrap_or(self.rest.len());
                self.literal(length);
                self.copy(close.len().min(self.rest.len()));
            } else if c == '"' {
                self.copy(1);
                self.literal(string_length(self.rest));
                self.copy(1.min(self.rest.len()));
            } else if c == '\'' {
                match char_literal(self.rest) {
                    Some(length) => self.blank(length),
                    None => self.copy(1),
                }
            } else {
                self.copy(c.len_utf8());
            }
        }
    }

    fn take(&mut self, bytes: usize) -> &str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.line += taken.matches('\n').count();
        taken
    }

    fn copy(&mut self, bytes: usize) {
        let taken = self.take(bytes).to_owned();
        self.code.push_str(&taken);
    }

    fn blank(&mut self, bytes: usize) {
        let blanks: String = self.take(bytes).chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        self.code.push_str(&blanks);
    }

    fn literal(&mut self, bytes: usize) {
        let text = self.rest[..bytes].to_owned();
        self.literals.push(Literal { line: self.line, text });
        self.blank(bytes);
    }
}

/// The length of an opening such as `r#"` or `br"`, and how many `#` it has.
fn raw_string(rest: &str, before: Option<char>) -> Option<(usize, usize)> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = ["r", "br", "cr"]
        .into_iter()
        .find(|p| rest.strip_prefix(p).is_some_and(|after| after.trim_start_matches('#').starts_with('"')))?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    Some((prefix.len() + hashes + 1, hashes))
}

/// The length of what stands before the closing quote.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal, or nothing for a lifetime.
fn char_literal(rest: &str) -> Option<usize> {
    let inside = &rest[1..];
    if let Some(escape) = inside.strip_prefix('\\') {
        let after = escape.chars().next()?.len_utf8();
        return Some(2 + after + escape[after..].find('\'')? + 1);
    }
    let c = inside.chars().next()?;
    inside[c.len_utf8()..].starts_with('\'').then_some(c.len_utf8() + 2)
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(text: &str) -> Vec<String> {
        Source::read("src/lib.rs", text).literals.into_iter().map(|l| l.text).collect()
    }

    #[test]
    fn literals_are_found_and_comments_and_characters_are_not() {
        let text = r##"// "no" it's
/* "no" /* nested "no" */ */
let a = "yes \" still"; let q = '"'; let e = '\''; let u = '\u{22}';
fn f<'a>(x: &'a str) -> &'a str { "two" }
let r = r#"raw "quoted" {"#; let b = b"bytes"; let var = "four";
"##;
        assert_eq!(literals(text), [r#"yes \" still"#, "two", r#"raw "quoted" {"#, "bytes", "four"]);
    }

    #[test]
    fn code_keeps_its_lines_and_loses_what_is_quoted() {
        let source = Source::read("src/lib.rs", "let a = \"}\n}\";\nlet b = 1; // }\n");
        assert_eq!(source.code.len(), 3);
        assert!(!source.code.concat().contains('}'), "{:?}", source.code);
        assert_eq!(source.literals[0].line, 1);
    }

    #[test]
    fn tests_end_where_their_module_ends() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nuse x;\nfn d() {}\n";
        let source = Source::read("src/lib.rs", text);
        let tests: Vec<_> = (1..=10).filter(|l| source.is_test(*l)).collect();
        assert_eq!(tests, [2, 3, 4, 5, 6, 8, 9]);
        assert!(Source::read("crates/x/tests/a.rs", "fn a() {}").is_test(1));
    }
}
