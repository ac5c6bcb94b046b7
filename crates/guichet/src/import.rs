//! `guichet users import`: people from a file as other programs write it.
//!
//! Promises: every bad line is reported with its number and the reason; unless told otherwise nothing is written when one
//! is bad; what is written is written at once.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use aaa::{Password, PasswordHash, Problem};
use contracts::roles::Role;
use identity::{Given, Identity, Import};
use serde::Serialize;

use crate::cli::ImportUsers;
use crate::people::People;
use crate::{Failure, say, say_json};

/// Largest file, in bytes.
const LARGEST: u64 = 16 << 20;
/// Columns of a file that does not name them.
const COLUMNS: [&str; 6] = ["login", "password", "role", "email", "first_name", "last_name"];

/// What came of it.
#[derive(Serialize)]
struct Report {
    /// People who were added, or would be.
    people: usize,
    /// Whether they were.
    written: bool,
    bad: Vec<Bad>,
}

/// Somebody, and the line they stand on.
type Numbered = (usize, Import);

#[derive(Serialize)]
struct Bad {
    line: usize,
    reason: String,
}

pub(crate) async fn users(arguments: ImportUsers) -> Result<(), Failure> {
    let (good, mut bad) = read_people(&text_of(&arguments.file)?)?;
    let people = People::open(&arguments.place).await?;
    let outcome = add(people.identity(), good, &mut bad, &arguments).await;
    people.close().await;
    let (people, written) = outcome?;
    let refused = !bad.is_empty() && !arguments.skip_bad;
    let report = Report { people, written, bad };
    if arguments.json {
        say_json(&report)?;
    } else {
        say(&report.words())?;
    }
    if refused { Err(Failure::Refused("nothing was written, because lines are bad".into())) } else { Ok(()) }
}

/// Adds who may be added, if that is asked for. Gives how many, and whether they were written.
async fn add(
    identity: &Identity,
    good: Vec<Numbered>,
    bad: &mut Vec<Bad>,
    arguments: &ImportUsers,
) -> Result<(usize, bool), Failure> {
    let (lines, people): (Vec<usize>, Vec<Import>) = good.into_iter().unzip();
    let reasons = identity.check_import(&people).await.map_err(Problem::from)?;
    let mut fine = Vec::with_capacity(people.len());
    for ((line, person), reason) in lines.into_iter().zip(people).zip(reasons) {
        match reason {
            None => fine.push(person),
            Some(reason) => bad.push(Bad { line, reason }),
        }
    }
    bad.sort_by_key(|bad| bad.line);
    let (count, writes) = (fine.len(), !arguments.dry_run && (bad.is_empty() || arguments.skip_bad));
    if writes {
        identity.import(fine).await.map_err(Problem::from)?;
    }
    Ok((count, writes))
}

impl Report {
    fn words(&self) -> String {
        use std::fmt::Write;
        let mut words = String::new();
        for Bad { line, reason } in &self.bad {
            let _ = writeln!(words, "line {line}: {reason}");
        }
        let outcome = if self.written { "were created" } else { "could be created; nobody was" };
        let _ = writeln!(words, "{} people {outcome}. {} lines are bad.", self.people, self.bad.len());
        words
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::file("read people from", path, &error);
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_string(&mut text)
    };
    if read.map_err(failed)? as u64 > LARGEST {
        return Err(Failure::Settings(format!("{} is larger than 16 MiB: import it in parts", path.display())));
    }
    Ok(text)
}

/// Those who can be understood, with the numbers of their lines; and the lines that cannot.
fn read_people(text: &str) -> Result<(Vec<Numbered>, Vec<Bad>), Failure> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let mut columns: Option<Vec<String>> = None;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate().map(|(at, line)| (at.saturating_add(1), line));
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with('#')) {
        let fields = match fields(line) {
            Ok(fields) => fields,
            Err(reason) => {
                bad.push(Bad { line: number, reason: reason.into() });
                continue;
            }
        };
        if columns.is_none() && fields.first().is_some_and(|first| first.eq_ignore_ascii_case("login")) {
            columns = Some(fields.iter().map(|name| column(name)).collect::<Result<_, _>>()?);
            continue;
        }
        let columns = columns.get_or_insert_with(|| COLUMNS.map(str::to_owned).into());
        match person(columns, &fields) {
            Ok(person) => good.push((number, person)),
            Err(reason) => bad.push(Bad { line: number, reason }),
        }
    }
    Ok((good, bad))
}

fn column(name: &str) -> Result<String, Failure> {
    let plain = name.to_ascii_lowercase().replace([' ', '-'], "_");
    let known = match plain.as_str() {
        "pword" | "hash" | "password_hash" => "password",
        "admin" | "isadmin" | "is_admin" | "group" => "role",
        "mail" | "e_mail" => "email",
        "firstname" => "first_name",
        "lastname" | "name" => "last_name",
        other => COLUMNS.into_iter().find(|known| *known == other).ok_or_else(|| {
            Failure::Settings(format!("the first line names a column `{name}`; known are {}", COLUMNS.join(", ")))
        })?,
    };
    Ok(known.to_owned())
}

fn person(columns: &[String], fields: &[String]) -> Result<Import, String> {
    if fields.len() > columns.len() {
        return Err(format!("has {} fields; at most {} are known", fields.len(), columns.len()));
    }
    let given = |name: &str| {
        let at = columns.iter().position(|column| column == name)?;
        fields.get(at).map(String::as_str).filter(|text| !text.is_empty())
    };
    let login: vocabulary::Login = read("the login", given("login").unwrap_or_default())?;
    let secret = secret(given("password").ok_or("has no password and no hash")?)?;
    // An address that reaches nobody, until they write their own.
    let email = given("email").map_or_else(|| format!("{login}@guichet.invalid"), str::to_owned);
    let (first, last) = (given("first_name").unwrap_or(login.as_str()), given("last_name").unwrap_or("Imported"));
    Ok(Import {
        secret,
        role: role(given("role").unwrap_or_default())?,
        email: read("the e-mail address", &email)?,
        first_name: read("the first name", first)?,
        last_name: read("the last name", last)?,
        login,
    })
}

fn read<T: FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{what} {error}"))
}

/// What begins like a hash is one, or a bad one: never a password.
fn secret(text: &str) -> Result<Given, String> {
    let looks_hashed = text.starts_with('$') || ["pbkdf2_", "pbkdf2:", "scrypt:"].iter().any(|it| text.starts_with(it));
    if looks_hashed {
        return PasswordHash::import(text).map(Given::Hash).map_err(|error| format!("the hash {error}"));
    }
    Password::try_from(text.to_owned()).map(Given::Password).map_err(|error| format!("the password {error}"))
}

/// A role, or whether they are an administrator.
fn role(text: &str) -> Result<Role, String> {
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "true" | "t" | "yes" | "1" | "admin" => Ok(Role::Superuser),
        "" | "false" | "f" | "no" | "0" | "none" => Ok(Role::Member),
        name => Role::from_name(name)
            .ok_or_else(|| format!("the role `{name}` is none of member, agent, superuser, TRUE and FALSE")),
    }
}

/// The fields of a line, separated by commas; in quotes a comma is a comma, and two quotes are one (RFC 4180). Spaces
/// around a field do not count.
fn fields(line: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = line.trim();
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') { unquoted(quoted)? } else { bare(rest) };
        fields.push(field);
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.trim().is_empty() => return Ok(fields),
            None => return Err("has something between a quoted field and the next comma"),
        }
    }
}

fn bare(text: &str) -> (String, &str) {
    let end = text.find(',').unwrap_or(text.len());
    let (field, after) = text.split_at(end);
    (field.trim().to_owned(), after)
}

fn unquoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"').ok_or("has a quote that is not closed")?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Ok((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_other_programs_write_it() {
        let read = |line: &str| fields(line).map(|fields| fields.join("|"));
        assert_eq!(read(r#""calvin", "$2b$04$x", TRUE"#).unwrap(), "calvin|$2b$04$x|TRUE");
        assert_eq!(read(r#"a, "b, ""c""" ,d"#).unwrap(), r#"a|b, "c"|d"#);
        assert_eq!(read("a,,").unwrap(), "a||");
        assert!(read(r#""a"#).is_err() && read(r#""a"b,c"#).is_err());
    }

    #[test]
    fn a_role_is_a_name_or_whether_they_are_an_administrator() {
        assert_eq!(role("Agent"), Ok(Role::Agent));
        assert_eq!((role("TRUE"), role("None"), role("")), (Ok(Role::Superuser), Ok(Role::Member), Ok(Role::Member)));
        assert!(role("boss").is_err());
    }
}
