//! `guichet monitor try`: a settings file, a table, an exit code.

use serde_json::Value;

use super::folder::{Api, Folder, TOKEN};

#[test]
fn the_checks_of_a_file_are_made_once_and_told_of() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\n"));
    let api = Api::start(&folder, &["--answer", "ok", "--delay", "1ms"]);
    folder.write("token", TOKEN);
    let check = |name: &str, lines: &str| {
        let target = format!("{}?app=shop", api.url);
        format!("[checks.{name}]\nkind = 'http'\ntarget = '{target}'\nprivate = true\n{lines}\n")
    };
    folder.write("monitor.toml", &check("shop", "must = ['status == 401']"));
    let tried = folder.run(&["try"], &[]);
    tried.ends_with(0);
    assert!(tried.stdout.lines().any(|line| line.starts_with("shop ") && line.contains(" up ")), "{tried:?}");
    let slow = check("slow", "must = ['status == 401']\nshould = ['latency > 1m']\nparents = ['shop']\nevery = '2m'");
    folder.write("other.toml", &[check("shop", ""), slow].concat());
    let tried = folder.run(&["try", "--settings", "other.toml"], &[]);
    tried.ends_with(1);
    assert!(tried.stdout.contains("it answers with status 401, not with 200 to 299"), "{tried:?}");
    assert!(tried.stdout.contains("degraded") && tried.stderr.contains("2 of 2 checks not up"), "{tried:?}");
    let tried = folder.run(&["try", "--json", "--settings", "other.toml", "slow"], &[]);
    tried.ends_with(1);
    let said: Value = serde_json::from_str(&tried.stdout).unwrap();
    assert_eq!((&said[0]["name"], &said[0]["state"]), (&"slow".into(), &"degraded".into()));
    assert_eq!(said.as_array().map(Vec::len), Some(1));
    assert!(!folder.path("reports").exists() && !folder.path("logs").exists(), "nothing is kept");
}

#[test]
fn settings_that_cannot_be_used_are_told_of_in_words() {
    let folder = Folder::empty();
    let ends = |words: &str, arguments: &[&str]| {
        let tried = folder.run(&[&["try"], arguments].concat(), &[]);
        tried.ends_with(2);
        assert!(tried.stderr.contains(words), "{words}: {tried:?}");
    };
    ends("cannot read monitor.toml", &[]);
    folder.write("monitor.toml", "[checks.a]\nkind = 'tcp'\ntarget = '127.0.0.1:1'\nevery = '1ms'\n[alarms]\n");
    ends("[checks.a]: `target` leads to an address that is not a public one", &[]);
    ends("[checks.a]: `every` is less than a second", &[]);
    ends("[alarms] is not known here", &[]);
    folder.write("monitor.toml", "");
    ends("hold no check", &[]);
    ends("no check called b", &["b"]);
}
