//! The tables `[checks.NAME]`. Every fault is noted with the check and the field that it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contracts::monitor::{CheckName, CheckSpec, Origin};
use serde::Deserialize;
use toml::Value;

use crate::check::{Check, OWN, in_circles};

/// Most checks of one file.
const MOST: usize = 5_000;

/// The checks, as far as they can be understood.
pub(super) fn understood(table: Option<Value>, folder: &Path, faults: &mut Vec<String>) -> Vec<Check> {
    let written = match table {
        None => return Vec::new(),
        Some(Value::Table(written)) => written,
        Some(_) => {
            faults.push("checks is no table: write [checks.NAME] above each".into());
            return Vec::new();
        }
    };
    if written.len() > MOST {
        faults.push(format!("there are {} checks, and at most {MOST} can be made", written.len()));
        return Vec::new();
    }
    let mut specs: BTreeMap<CheckName, CheckSpec> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (name, value) in written {
        let Ok(known) = name.parse::<CheckName>() else {
            let no = contracts::monitor::NoCheckName;
            faults.push(format!("[checks.{}]: the name {no}", name.escape_debug()));
            continue;
        };
        names.insert(known.clone());
        match CheckSpec::deserialize(value) {
            Ok(spec) => _ = specs.insert(known, beside(spec, folder)),
            Err(error) => faults.push(format!("[checks.{known}]: {}", error.to_string().trim_end().replace('\n', " "))),
        }
    }
    related(&specs, &names, faults);
    let mut checks = Vec::with_capacity(specs.len());
    for (name, spec) in specs {
        match Check::new(name.clone(), Origin::Settings, spec) {
            Ok(check) => checks.push(check),
            Err(more) => {
                faults.extend(more.into_iter().map(|(field, words)| format!("[checks.{name}]: `{field}` {words}")));
            }
        }
    }
    checks
}

/// Files are named from the folder of the settings.
fn beside(mut spec: CheckSpec, folder: &Path) -> CheckSpec {
    for file in [&mut spec.ca_file, &mut spec.certificate_file, &mut spec.key_file, &mut spec.token_file] {
        if let Some(name) = file.as_mut().filter(|name| !name.is_empty()) {
            *name = folder.join(&*name).display().to_string();
        }
    }
    spec
}

/// Parents are there, and none is its own ancestor.
fn related(specs: &BTreeMap<CheckName, CheckSpec>, names: &BTreeSet<CheckName>, faults: &mut Vec<String>) {
    let of_the_bank = |name: &CheckName| OWN.iter().any(|own| name.as_str().starts_with(own));
    for (name, spec) in specs {
        for parent in spec.parents.iter().filter(|it| !names.contains(*it) && !of_the_bank(it)) {
            faults.push(format!("[checks.{name}]: `parents` names {parent}, and there is no such check"));
        }
    }
    let others = specs.iter().map(|(name, spec)| (name, spec.parents.as_slice()));
    // Those that name themselves are told of that.
    let parents = others.filter(|(name, parents)| !parents.contains(name)).collect();
    for name in in_circles(&parents) {
        faults.push(format!(
            "[checks.{name}]: `parents` leads back to the check itself, and each would silence the other"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::settings::Settings;

    fn faults(text: &str) -> Vec<String> {
        Settings::parse(text, Path::new("/nowhere")).unwrap_err()
    }

    #[test]
    fn a_file_is_understood_with_what_is_usual_where_nothing_is_said() {
        let text = "[checks.web]\nkind = 'http'\ntarget = 'https://bank.example.org/'\nmust = ['status == 200']\n\
                    [checks.port]\nkind = 'tcp'\ntarget = 'bank.example.org:443'\nparents = ['web', 'service.bank']\nevery = '5s'\ntimeout = '5s'\n";
        let settings = Settings::parse(text, Path::new("")).unwrap();
        let names: Vec<_> = settings.checks.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["port", "web"]);
        assert!(Settings::parse("", Path::new("")).unwrap().checks.is_empty());
    }

    #[test]
    fn every_fault_is_told_at_once_with_check_and_field() {
        let text = "[checks.a]\nkind = 'tcp'\ntarget = 'nowhere'\nevery = '500ms'\nserver = '1.1.1.1'\nmust = ['status == 200', 'latency']\n\
                    [checks.B]\nkind = 'tcp'\ntarget = 'x:1'\n\
                    [checks.c]\nkind = 'gopher'\ntarget = 'x:1'\n\
                    [checks.d]\nkind = 'tcp'\ntarget = 'x:1'\nparents = ['d', 'e', 'f']\n\
                    [checks.e]\nkind = 'tcp'\ntarget = 'x:1'\nparents = ['g']\n\
                    [checks.g]\nkind = 'tcp'\ntarget = 'x:1'\nparents = ['e']\nalarm_after = 11\nobjective = '100'\n\
                    [checks.'service.bank']\nkind = 'told'\ntarget = ''\ncolour = 'red'\n[other]\n";
        let all = faults(text);
        for (check, word) in [
            ("[other]", "not known"),
            ("[checks.a]", "`target` names no machine"),
            ("[checks.a]", "`every` is less than a second"),
            ("[checks.a]", "`timeout` is longer"),
            ("[checks.a]", "`server` belongs to dns"),
            ("[checks.a]", "`must` holds a condition, number 1, that begins with nothing"),
            ("[checks.a]", "`must` holds a condition, number 2, that has no operator"),
            ("[checks.B]", "name"),
            ("[checks.c]", "gopher"),
            ("[checks.d]", "`parents` name the check itself"),
            ("[checks.d]", "`parents` names f"),
            ("[checks.e]", "leads back"),
            ("[checks.g]", "leads back"),
            ("[checks.g]", "`alarm_after`"),
            ("[checks.g]", "`objective`"),
            ("[checks.service.bank]", "colour"),
        ] {
            assert!(all.iter().any(|it| it.starts_with(check) && it.contains(word)), "{check} {word}: {all:#?}");
        }
        assert_eq!(all.len(), 16, "{all:#?}");
    }

    #[test]
    fn there_is_an_end_to_how_many_checks_there_are() {
        let mut text = String::new();
        for number in 0..=MOST {
            write!(text, "[checks.c{number}]\nkind = 'tcp'\ntarget = 'x.example:1'\n").unwrap();
        }
        assert!(faults(&text)[0].contains("5001 checks"));
    }
}
