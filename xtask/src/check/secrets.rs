//! Secrets that were left in files: private keys, access keys, and long random values with a telling name.
//!
//! A value that only looks like a secret carries `not-a-secret` on its line, with the reason.

use std::path::Path;
use std::process::Command;

use crate::repo::Repo;
use crate::run::{Failure, output};

const EXCUSE: &str = "not-a-secret";
/// Places in the history that only look like secrets: `COMMIT:PATH why`, one on each line, of the commit as much as tells it.
const ACCEPTED: &str = "docs/secrets-in-history.txt";
/// Words that make the value beside them a secret.
const TELLING: &[&str] = &["password", "passwd", "secret", "token", "api_key", "apikey", "private_key"];
/// Beginnings of keys whose makers marked them, and how many characters follow.
const MARKED: &[(&str, usize)] =
    &[("AKIA", 16), ("ASIA", 16), ("ghp_", 36), ("github_pat_", 22), ("glpat-", 20), ("xoxb-", 20), ("sk_live_", 20)];
/// No secret of ours is shorter, and few harmless words are longer.
const SHORTEST: usize = 32;

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let repo = Repo::read(root)?;
    let mut found = Vec::new();
    for file in &repo.files {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(what) = suspicion(line) {
                found.push(format!("{}:{number}: {what}", file.path));
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    found.push(format!(
        "    mend: remove it and change it wherever it was used, since git remembers; or, when it guards nothing, \
         write `{EXCUSE}: why` on its line"
    ));
    Err(Failure::new(found.join("\n")))
}

/// The same in every line that was ever added: git remembers what was removed.
pub(super) fn check_history(root: &Path) -> Result<(), Failure> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["log", "--all", "--patch", "--unified=0", "--no-color", "--no-ext-diff"]);
    // In full: how short a commit may be called grows with the repository, and is not the same in every clone.
    let history = output(git.arg("--format=commit %H"))?;
    let accepted = std::fs::read_to_string(root.join(ACCEPTED)).unwrap_or_default();
    let accepted: Vec<_> =
        accepted.lines().filter_map(|line| line.split_whitespace().next()?.split_once(':')).collect();
    let (mut commit, mut file, mut found) = ("", "", Vec::new());
    for line in history.lines() {
        if let Some(name) = line.strip_prefix("commit ") {
            commit = name;
        } else if let Some(path) = line.strip_prefix("+++ ") {
            file = path.trim_start_matches("b/");
        } else if let Some(what) = line.strip_prefix('+').and_then(suspicion)
            && !accepted.iter().any(|(of, path)| commit.starts_with(of) && file == *path)
        {
            found.push(format!("{commit}:{file}: {what}"));
        }
    }
    found.dedup();
    if found.is_empty() {
        return Ok(());
    }
    found.push(format!(
        "    mend: change it wherever it was used; when it guards nothing, write the place and why into {ACCEPTED}"
    ));
    Err(Failure::new(found.join("\n")))
}

fn suspicion(line: &str) -> Option<String> {
    if line.contains(EXCUSE) {
        return None;
    }
    // Written in two parts, so that this line is not found.
    if line.contains(concat!("-----BEGIN", " ")) && line.contains(concat!("PRIVATE", " KEY-----")) {
        return Some("a private key".into());
    }
    if let Some((mark, _)) = MARKED.iter().find(|(mark, length)| marked(line, mark, *length)) {
        return Some(format!("an access key (`{mark}…`)"));
    }
    let lower = line.to_ascii_lowercase();
    let (word, after) = TELLING.iter().find_map(|w| Some((w, &line[lower.find(w)? + w.len()..])))?;
    let value = assigned(after)?;
    let long = value.len() >= SHORTEST && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b));
    (long && looks_random(value)).then(|| format!("a long value for `{word}`"))
}

fn marked(line: &str, mark: &str, length: usize) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let fresh = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let key = &line[at + mark.len()..];
        fresh && key.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count() >= length
    })
}

/// What `= "…"`, `: …` or `=…` gives to a name.
fn assigned(after: &str) -> Option<&str> {
    let name_ends = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '\''));
    let value = name_ends.trim_start().strip_prefix(['=', ':'])?.trim_start_matches(['=', '>', ' ', 'b', '&']);
    let value = value.trim_start_matches(['"', '\'', '`']);
    value.split(['"', '\'', '`', ',', ';', ' ', ')']).next()
}

/// Digits among letters, as random text has and names have not.
fn looks_random(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    digits >= value.len() / 16 && value.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn secrets_are_found() {
        for line in [
            format!("-----BEGIN {} KEY-----", "EC PRIVATE"),
            format!("-----BEGIN {} KEY-----", "PRIVATE"),
            format!("password = \"{RANDOM}\""),
            format!("DB_PASSWORD={RANDOM}"),
            format!("  \"token\": \"{RANDOM}\","),
            format!("const CLIENT_SECRET_KEY: &str = \"{RANDOM}\";"),
            format!("key: AKIA{}", "ABCDEFGHIJKLMNOP"),
            format!("ghp_{}", "a1".repeat(18)),
        ] {
            let line = line.replace("&str = ", "");
            assert!(suspicion(&line).is_some(), "{line}");
        }
    }

    #[test]
    fn words_about_secrets_are_not() {
        for line in [
            "let password = ask_for_password_on_the_terminal_and_hide_it();".to_owned(),
            "-----BEGIN CERTIFICATE-----".to_owned(),
            format!("checksum = \"{RANDOM}\""),
            format!("password = \"{RANDOM}\" # not-a-secret: the hash of the word test"),
            "token: AccessToken<WithAVeryLongTypeNameThatGoesOnAndOn>,".to_owned(),
            "the token has 32 bytes: 0".to_owned(),
        ] {
            assert_eq!(suspicion(&line), None, "{line}");
        }
    }
}
