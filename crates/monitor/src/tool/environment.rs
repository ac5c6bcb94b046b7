//! `.env`: settings and secrets in a file beside the reports; what the real environment says counts more.
//!
//! Promises: a value is taken as it stands between its quotes, `$` included, since a token may hold one; a mistake is told by
//! its line, never by what stands in it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::ToolError;
use super::secret::Secret;

/// Largest file.
const MOST: u64 = 64 * 1024;

/// What is set, by name.
#[derive(Debug)]
pub struct Environment {
    real: fn(&str) -> Option<String>,
    file: BTreeMap<String, Secret>,
    /// Others can read the file.
    pub(crate) exposed: bool,
}

impl Environment {
    /// The real environment, over the file `.env` in `folder` if there is one.
    pub fn of(folder: &Path, real: fn(&str) -> Option<String>) -> Result<Self, ToolError> {
        let path = folder.join(".env");
        let Some((text, mode)) = read(&path).map_err(|error| ToolError::file("read", &path, &error))? else {
            return Ok(Self { real, file: BTreeMap::new(), exposed: false });
        };
        let file = parse(&text).map_err(|line| {
            let path = path.display();
            ToolError::Setting(format!("{path}, line {line}: write NAME=VALUE; quotes around a value come in pairs"))
        })?;
        Ok(Self { real, file, exposed: mode & 0o077 != 0 })
    }

    /// What `name` is set to; nothing where that is empty.
    pub(crate) fn get(&self, name: &str) -> Option<Secret> {
        let real = (self.real)(name).map(Secret::new);
        let set = |secret: &Secret| !secret.reveal().trim().is_empty();
        real.filter(set).or_else(|| self.file.get(name).cloned().filter(set))
    }
}

type Found = Option<(Zeroizing<String>, u32)>;

fn read(path: &Path) -> std::io::Result<Found> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mode = file.metadata()?.permissions().mode();
    let mut text = Zeroizing::new(String::new());
    file.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(std::io::Error::other("it is larger than 64 KiB, which is no .env"));
    }
    Ok(Some((text, mode)))
}

/// Names and values, or the number of the first bad line.
fn parse(text: &str) -> Result<BTreeMap<String, Secret>, usize> {
    let mut found = BTreeMap::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(number)?;
        let name = name.trim_end();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(good) {
            return Err(number);
        }
        found.insert(name.to_owned(), Secret::new(unquoted(value.trim()).ok_or(number)?));
    }
    Ok(found)
}

/// Without quotes and what follows them; a comment after a bare value begins with ` #`.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inside, after) = rest.split_once(quote)?;
            let after = after.trim_start();
            return (after.is_empty() || after.starts_with('#')).then_some(inside);
        }
    }
    if value.starts_with('#') {
        return Some("");
    }
    Some(value.split_once(" #").map_or(value, |(value, _)| value.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_stand() {
        let text = "\u{feff}# secrets\r\nAPI_TOKEN=a$b\\c#d # why\r\nexport API_URL = \"http://x y\" # z\n\nAPPS='a,b'\nTWO= a, b  # c\nNONE=\nHASH= # no\n";
        let found = parse(text).unwrap();
        let get = |name: &str| found[name].reveal();
        assert_eq!([get("API_TOKEN"), get("API_URL"), get("APPS")], ["a$b\\c#d", "http://x y", "a,b"]);
        assert_eq!([get("TWO"), get("NONE"), get("HASH")], ["a, b", "", ""]);
    }

    #[test]
    fn a_mistake_is_told_by_its_line() {
        for (text, line) in [("A=1\nnothing", 2), ("=x", 1), ("1A=x", 1), ("A=\"open", 1), ("A='a' b", 1), ("A-B=c", 1)]
        {
            assert_eq!(parse(text).unwrap_err(), line, "{text}");
        }
    }
}
