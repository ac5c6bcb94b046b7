//! `guichet monitor` as somebody runs it in a folder of their own, against its simulated API and against servers that speak
//! no HTTP worth the name.

mod folder;
mod hostile;
mod servers;
mod sinks;
mod trying;

use std::time::Duration;

use serde_json::{Value, json};

use crate::process::eventually;
use folder::{Api, Folder, TOKEN, listing, stop};

#[test]
fn an_empty_folder_becomes_a_watched_one_in_two_commands() {
    let folder = Folder::empty();
    let api = Api::start(&folder, &["--answer", "ok"]);
    let token = api.login(r#"{"username":"chad","password":"anything"}"#).unwrap();
    folder.write(".env", &format!("API_TOKEN={token}\nAPI_URL={}\nAPPS=shop, billing, payroll\n", api.url));
    let checked = folder.check(&[]);
    checked.ends_with(0);
    for app in ["shop", "billing", "payroll"] {
        assert!(checked.stdout.lines().any(|line| line.starts_with(app) && line.contains(" OK ")), "{checked:?}");
        let report = folder.report(app);
        assert_eq!((&report["app"], report["results"].as_array().unwrap().len()), (&json!(app), 1));
        assert_eq!((&report["results"][0]["app"], &report["results"][0]["status"]), (&json!(app), &json!("OK")));
        assert!(report["results"][0]["response_time"].as_f64().unwrap() > 0.0, "{report}");
    }
    folder.check(&[]).ends_with(0);
    assert_eq!(folder.report("shop")["results"].as_array().unwrap().len(), 2, "the day goes on in the same file");
    assert_eq!(listing(&folder.path("reports")).len(), 3);
    let log = folder.read("logs/monitor.log");
    assert!(log.lines().all(|line| line.contains(" INFO ")) && log.lines().count() == 8, "{log}");
    folder.holds_nowhere(&token);
}

#[test]
fn a_login_gives_the_token_for_any_name_and_password_that_are_not_empty() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\n"));
    let api = Api::start(&folder, &[]);
    assert_eq!(api.login(r#"{"username":"a","password":"b"}"#).as_deref(), Ok(TOKEN));
    for wrong in
        ["", "{", "[]", r#"{"username":"a"}"#, r#"{"username":" ","password":"b"}"#, r#"{"username":1,"password":2}"#]
    {
        assert_eq!(api.login(wrong), Err(400), "{wrong}");
    }
}

#[test]
fn the_same_seed_gives_the_same_statuses_and_response_times_again() {
    let told = |seed: &str| {
        let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=a,b,c,d,e,f,g,h\n"));
        let api = Api::start(&folder, &["--seed", seed]);
        let checks = [folder.asks(&api, &["--json"]), folder.asks(&api, &["--json"])];
        checks.map(|it| {
            it.results().iter().map(|it| (it["status"].clone(), it["response_time"].clone())).collect::<Vec<_>>()
        })
    };
    let first = told("7");
    assert_eq!(first, told("7"));
    assert_ne!(first, told("8"));
    assert_ne!(first[0], first[1], "another time gives another answer");
}

#[test]
fn the_exit_code_tells_what_was_found_from_what_could_not_be_done() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\n"));
    let api = Api::start(&folder, &["--answer", "ok", "--answer", "sick=degraded", "--answer", "gone=down"]);
    let check = |apps: &str| folder.asks(&api, &["--apps", apps]);
    check("well").ends_with(0);
    let sick = check("well,sick");
    sick.ends_with(1);
    assert!(sick.stderr.contains("1 of 2 applications not OK"), "{sick:?}");
    check("gone").ends_with(1);
    check("no/name").ends_with(2);
    // A report that cannot be written is not the application's fault.
    let now = vocabulary::Clock::system().now();
    for day in [now.day(), now.plus(Duration::from_hours(24)).day()] {
        std::fs::create_dir(folder.path(&format!("reports/{day}-blocked.json"))).unwrap();
    }
    let blocked = check("blocked,well");
    blocked.ends_with(2);
    assert!(blocked.stdout.contains("blocked") && blocked.stderr.contains("cannot be written"), "{blocked:?}");
    assert_eq!(folder.report("well")["results"].as_array().unwrap().len(), 3, "the others are kept");
}

#[test]
fn what_the_environment_says_counts_more_than_env_and_the_command_line_more_than_both() {
    let folder = Folder::with("API_TOKEN=wrong-one\nAPI_URL=http://127.0.0.1:9/status\nAPPS=from-file\n");
    folder.write("apps.txt", "# ours\none\n\n two \none\n");
    let api = Api::start_with(&folder, &["--answer", "ok"], &[("API_TOKEN", TOKEN)]);
    let real = [("API_TOKEN", TOKEN), ("API_URL", api.url.as_str()), ("APPS", "from-environment")];
    let apps = |args: &[&str], set: &[(&str, &str)]| {
        let checked = folder.run(&[&["check", "--json"], args].concat(), set);
        checked.results().iter().map(|it| it["app"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(apps(&[], &real), ["from-environment"]);
    assert_eq!(apps(&["--apps", "from-flag"], &real), ["from-flag"]);
    let list = folder.path("apps.txt").display().to_string();
    assert_eq!(apps(&["--file", &list], &real), ["one", "two"]);
    assert_eq!(apps(&[], &[("APPS", "")]), ["from-file"], "what is empty is not set");
}

#[test]
fn a_bad_setting_is_told_before_anything_is_asked_and_no_secret_with_it() {
    let good = format!("API_TOKEN={TOKEN}\nAPI_URL=http://127.0.0.1:9/status\nAPPS=shop\n");
    let with = |name: &str, value: &str| format!("{good}{name}={value}\n");
    for (env, args, words) in [
        ("APPS=shop\n".to_owned(), &[][..], "API_TOKEN is not set"),
        (with("API_TOKEN", "abc"), &[], "too short"),
        (with("API_TOKEN", "\"two words\""), &[], "no token can"),
        (with("API_URL", ""), &[], "API_URL is not set"),
        (with("API_URL", "nowhere"), &[], "API_URL"),
        (with("API_URL", &format!("http://me:{TOKEN}@127.0.0.1/x")), &[], "take them out"),
        (with("API_URL", "ftp://127.0.0.1/x"), &[], "neither with https://"),
        (with("API_URL", "http://status.example.org/status"), &[], "everybody on the way"),
        (with("APPS", ""), &[], "no application is named"),
        (with("APPS", "\" , ,\""), &[], "no application is named"),
        (with("APPS", "../../etc/passwd"), &[], "`../../etc/passwd`, is no name"),
        (with("APPS", &format!("shop,{TOKEN}")), &[], "number 2 holds API_TOKEN"),
        (good.clone(), &["--apps", "a,b/c,..,d e"], "`b/c`"),
        (good.clone(), &["--file", "nothing.txt"], "nothing.txt"),
        (good.clone(), &["--timeout", "1h"], "between 100ms and 5m"),
        (with("API_URL", "https://127.0.0.1/x"), &["--ca", "/dev/null"], "no certificate of an authority"),
        (format!("{good}{TOKEN}\n"), &[], ".env, line 4"),
    ] {
        let folder = Folder::with(&env);
        let refused = folder.check(args);
        refused.ends_with(2);
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
        assert!(!format!("{refused:?}").contains(TOKEN), "{refused:?}");
        assert_eq!(listing(&folder.path(".")), [".env"], "nothing was made");
    }
    let folder = Folder::empty();
    let missing = folder.run(
        &["check", "--folder", "missing"],
        &[("API_TOKEN", TOKEN), ("API_URL", "https://a.example"), ("APPS", "a")],
    );
    missing.ends_with(2);
    assert!(missing.stderr.contains("missing"), "{missing:?}");
    for args in [["--every", "0s"], ["--every", "soon"], ["--log-size", "1"], ["--log-format", "xml"]] {
        folder.check(&args).ends_with(2);
    }
    folder.check(&["--apps", "a", "--file", "b"]).ends_with(2);
}

#[test]
fn a_report_that_somebody_broke_is_kept_aside_and_told() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop\n"));
    let api = Api::start(&folder, &["--answer", "ok"]);
    folder.asks(&api, &[]).ends_with(0);
    let name = format!("reports/{}", listing(&folder.path("reports"))[0]);
    let whole = folder.read(&name);
    for (number, broken) in [(1, "{\"app\":"), (2, ""), (3, "[]"), (4, &whole.replace("\"shop\"", "\"mine\""))] {
        folder.write(&name, broken);
        let checked = folder.asks(&api, &[]);
        checked.ends_with(2);
        let aside = format!("{name}.broken-{number}");
        assert!(checked.stderr.contains(&format!(".broken-{number}")), "{checked:?}");
        assert_eq!(folder.read(&aside), broken);
        assert_eq!(folder.report("shop")["results"].as_array().unwrap().len(), 1, "a new one is begun");
    }
    // What somebody wrote into a result stays, character by character.
    let edited = whole.replace("\"status\":\"OK\"", "\"status\" : \"OK\", \"note\":\"1.000\"");
    folder.write(&name, &edited);
    folder.asks(&api, &[]).ends_with(0);
    assert!(folder.read(&name).contains("\"status\" : \"OK\", \"note\":\"1.000\""));
}

#[tokio::test]
async fn it_repeats_until_it_is_stopped_and_lets_nobody_else_into_its_folder() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop\n"));
    let api = Api::start(&folder, &["--answer", "ok", "--delay", "0s"]);
    let url = [("API_URL", api.url.as_str())];
    let repeating = folder.start(&["check", "--json", "--every", "1s", "--log-size", "1K", "--log-backups", "1"], &url);
    eventually("the third time", async || {
        folder.reported("shop").filter(|it| it["results"].as_array().unwrap().len() >= 3)
    })
    .await;
    let second = folder.run(&["check"], &url);
    second.ends_with(2);
    assert!(second.stderr.contains("another monitor works in the folder"), "{second:?}");
    let ended = stop(repeating);
    ended.ends_with(0);
    let rounds: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kept = folder.report("shop")["results"].as_array().unwrap().len();
    assert_eq!((rounds.len(), kept), (kept, rounds.len()));
    folder.asks(&api, &[]).ends_with(0);
}

#[test]
fn the_log_is_text_or_json_and_never_grows_beyond_what_is_allowed() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop,billing,payroll,stock\n"));
    let api = Api::start(&folder, &["--answer", "degraded", "--delay", "0s"]);
    for _ in 0..5 {
        folder.asks(&api, &["--log-format", "json", "--log-size", "1K", "--log-backups", "2"]).ends_with(1);
    }
    assert_eq!(listing(&folder.path("logs")), ["monitor.log", "monitor.log.1", "monitor.log.2"]);
    for name in listing(&folder.path("logs")) {
        let text = folder.read(&format!("logs/{name}"));
        assert!(text.len() <= 1024, "{name} has {} bytes", text.len());
        for record in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            assert_eq!(record["level"], "WARNING", "{record}");
            assert!(record["at"].is_string() && record["message"].is_string(), "{record}");
        }
    }
}

#[test]
fn an_env_that_others_can_read_is_told() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\nAPPS=shop\n"));
    let api = Api::start(&folder, &["--answer", "ok"]);
    assert_eq!(folder.asks(&api, &[]).stderr, "");
    folder.open_to_others(".env");
    let checked = folder.asks(&api, &[]);
    checked.ends_with(0);
    assert!(checked.stderr.contains("chmod 600 .env"), "{checked:?}");
}

#[test]
fn nobody_waits_longer_than_the_time_out() {
    let folder = Folder::with(&format!("API_TOKEN={TOKEN}\n"));
    let api = Api::start(&folder, &["--answer", "slow"]);
    let apps: Vec<String> = (0..40).map(|number| format!("app-{number}")).collect();
    let checked = folder.asks(&api, &["--json", "--timeout", "2s", "--apps", &apps.join(",")]);
    checked.ends_with(1);
    let results = checked.results();
    assert!(results.iter().all(|it| it["reason"] == "timeout" && it["status"] == "UNKNOWN"), "{checked:?}");
    // All at once: one after the other would have taken forty times as long.
    let first: vocabulary::Timestamp = results[0]["at"].as_str().unwrap().parse().unwrap();
    let last: vocabulary::Timestamp = results[39]["at"].as_str().unwrap().parse().unwrap();
    assert!(last.since(first) < Duration::from_secs(2), "{checked:?}");
}
