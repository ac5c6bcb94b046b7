//! Each mistake ends in one line that says what to do, and in failure.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use squirrel::fernet::Keyring;
use vocabulary::{Chance, Clock};

use crate::program::{KEY, OTHER_KEY, Server, answer, mistake, said, squirrel, stranger};

const FOUND: &str = "The secret message is: fluffy tail\n";

/// Fails with a line that contains `words`.
fn refused(folder: &Path, arguments: &str, key: Option<&str>, words: &str) {
    let mut command = squirrel(folder, arguments);
    let line = mistake(command.envs(key.map(|key| ("SECRET_KEY", key))));
    assert!(line.contains(words), "{arguments}\nsays {line}\ninstead of {words}");
}

fn certify(folder: &Path, arguments: &str) {
    said(&mut squirrel(folder, &format!("certify {arguments}")));
}

#[test]
fn the_message_is_fetched_at_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certify(here, "server --host localhost");
    certify(here, "michael");
    for (step, with) in [("http", ""), ("fernet", ""), ("https", ""), ("mtls", " --as michael")] {
        let server = Server::start(here, &format!("--step {step}"));
        let url = if with.is_empty() && !step.starts_with("https") { server.url.clone() } else { server.named() };
        let mut fetch = squirrel(here, &format!("fetch --step {step}{with}"));
        assert_eq!(said(fetch.env("SECRET_URL", url).env("SECRET_KEY", KEY)), FOUND, "{step}");
    }
}

#[test]
fn a_key_that_does_not_fit_and_an_answer_that_is_no_token_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (sealed, open) = (Server::start(folder.path(), "--step fernet"), Server::start(folder.path(), "--step http"));
    let sealed = format!("fetch --step fernet --url {}", sealed.url);
    refused(folder.path(), &sealed, Some(OTHER_KEY), "sealed with another key than SECRET_KEY");
    refused(folder.path(), &sealed, Some("fluffy-tail"), "key 1 in it is not 32 bytes in base64url");
    refused(folder.path(), &sealed, None, "needs the shared key: set SECRET_KEY");
    refused(folder.path(), "serve --step fernet", None, "needs the shared key: set SECRET_KEY");
    let open = format!("fetch --step fernet --url {}", open.url);
    refused(folder.path(), &open, Some(KEY), "the answer is no Fernet token");
}

#[test]
fn an_old_answer_that_is_repeated_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (now, keys) = (Clock::system().now(), Keyring::parse(KEY).unwrap());
    let sealed = |at| answer("200 OK", &keys.seal(b"fluffy tail", &Clock::manual(at), &Chance::system()).unwrap());
    let hour = Duration::from_hours(1);
    for (at, ttl, words) in [
        (now.minus(hour), "", "longer ago than --ttl allows"),
        (now.plus(hour), "", "which is yet to come"),
        (now.minus(hour), " --ttl 7200", ""),
    ] {
        let (url, _) = stranger("127.0.0.1", sealed(at));
        let fetch = format!("fetch --step fernet --url {url}{ttl}");
        if words.is_empty() {
            assert_eq!(said(squirrel(folder.path(), &fetch).env("SECRET_KEY", KEY)), FOUND);
        } else {
            refused(folder.path(), &fetch, Some(KEY), words);
        }
    }
}

#[test]
fn keys_are_changed_without_a_moment_at_which_a_member_is_shut_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (key, file) = (|| said(&mut squirrel(here, "key --file club.key")), here.join("club.key"));
    let (serve, fetch) = ("--step fernet --key-file club.key", "fetch --step fernet --key-file");
    key();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::copy(&file, here.join("old.key")).unwrap();
    let before = Server::start(here, serve);
    key();
    let after = Server::start(here, serve);
    let ask = |keys: &str, server: &Server| squirrel(here, &format!("{fetch} {keys} --url {}", server.url));
    assert_eq!(said(&mut ask("club.key", &before)), FOUND, "the new file opens what the old key sealed");
    assert_eq!(said(&mut ask("club.key", &after)), FOUND);
    assert_eq!(said(&mut ask("old.key", &before)), FOUND);
    assert!(mistake(&mut ask("old.key", &after)).contains("another key"), "the new key seals");
    key();
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2, "the oldest is gone");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&file, open).unwrap();
    assert!(mistake(&mut ask("club.key", &after)).contains("chmod 600 club.key"));
}

#[test]
fn a_member_on_the_wrong_side_of_tls_is_told_which_one_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certify(here, "server --host localhost");
    let (http, https) = (Server::start(here, "--step http"), Server::start(here, "--step https"));
    let plain = format!("http://localhost:{}", https.port);
    refused(here, &format!("fetch --step http --url {plain}"), None, "most likely it wants HTTPS");
    refused(here, &format!("fetch --step https --url {plain}"), None, "write https:// in SECRET_URL. Nothing was sent");
    refused(here, &format!("fetch --step http --url {}", https.named()), None, "fetch with --step https");
    refused(here, &format!("fetch --step https --url {}", http.named()), None, "does not speak TLS");
    refused(here, "fetch --step http", None, "set SECRET_URL");
    refused(here, "fetch --step http --url localhost", None, "is not an address such as");
    let port = http.port;
    drop(http);
    refused(here, &format!("fetch --step http --url http://127.0.0.1:{port}"), None, "nobody answers at 127.0.0.1:");
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gets_no_question() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certify(here, "server --host localhost");
    certify(here, "server --host localhost --club other");
    certify(here, "past --host localhost --at 2025-01-01T00:00:00Z");
    certify(here, "future --host localhost --at 2030-01-01T00:00:00Z");
    certify(here, "oak --host oak.example");
    certify(here, "michael");
    let server = Server::start(here, "--step https");
    let fetch = |server: &Server| format!("fetch --step https --url {}", server.named());
    refused(here, &format!("{} --club other", fetch(&server)), None, "is not from the club's CA");
    refused(here, &format!("{} --club nowhere", fetch(&server)), None, "cannot read nowhere/ca.pem");
    let by_number = format!("fetch --step https --url {}", server.url);
    refused(here, &by_number, None, "is for localhost, not for 127.0.0.1");
    for (name, words) in [
        ("past", "ended at 2025-01-31T00:00:00Z"),
        ("future", "begins at 2029-12-31T23:55:00Z"),
        ("oak", "is for oak.example, not for localhost"),
        ("michael", "is not to be believed"),
    ] {
        let server = Server::start(here, &format!("--step https --as {name}"));
        refused(here, &fetch(&server), None, words);
    }
    refused(here, "serve --step https --as nobody", None, "there is no club/nobody.pem");
}

#[test]
fn a_member_who_cannot_prove_to_be_one_gets_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certify(here, "server --host localhost");
    certify(here, "past --at 2025-01-01T00:00:00Z");
    certify(here, "stranger --club other");
    for end in [".pem", "-key.pem"] {
        let file = format!("stranger{end}");
        std::fs::copy(here.join("other").join(&file), here.join("club").join(&file)).unwrap();
    }
    let server = Server::start(here, "--step mtls");
    let url = server.named();
    refused(here, &format!("fetch --step https --url {url}"), None, "the server answers members alone");
    for (name, words) in [
        ("", "the server answers members alone"),
        (" --as past", "it has ended"),
        (" --as stranger", "another CA issued it"),
        (" --as server", "it is not a member's"),
        (" --as lena", "there is no club/lena.pem"),
        (" --as ca", "`ca` names no certificate"),
        (" --as ../club/past", "names no certificate"),
    ] {
        refused(here, &format!("fetch --step mtls --url {url}{name}"), None, words);
    }
    let key = here.join("club/past-key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(here, &format!("fetch --step mtls --url {url} --as past"), None, "chmod 600 club/past-key.pem");
}

#[test]
fn a_certificate_never_takes_the_place_of_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path(), "michael");
    let ca = || std::fs::read(folder.path().join("club/ca.pem")).unwrap();
    let before = ca();
    for name in ["ca", "Ca", "a/b", "..", ""] {
        refused(folder.path(), &format!("certify {name}"), None, "names no certificate");
    }
    refused(folder.path(), "certify oak --host *.example", None, "neither a DNS name nor an IP address");
    assert_eq!(ca(), before);
}

#[test]
fn whatever_answers_neither_steers_the_terminal_nor_fills_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let fetch = |reply| {
        let (url, _) = stranger("127.0.0.1", reply);
        squirrel(folder.path(), &format!("fetch --step http --url {url}"))
    };
    let shown = said(&mut fetch(answer("200 OK", "fluffy\u{1b}[2J\ntail")));
    assert_eq!(shown, "The secret message is: fluffy\u{fffd}[2J\u{fffd}tail\n");
    assert!(mistake(&mut fetch(answer("200 OK", &"x".repeat(70_000)))).contains("longer than any message"));
    assert!(mistake(&mut fetch(answer("302 Found", ""))).contains("the server answers 302 Found"));
    assert!(mistake(&mut fetch(b"220 squirrel.example ESMTP\r\n".to_vec())).contains("does not answer in plain HTTP"));
}

#[test]
fn plain_http_is_served_to_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    for step in ["http", "fernet"] {
        let serve = format!("serve --step {step} --listen 0.0.0.0:0");
        refused(folder.path(), &serve, Some(KEY), "plain HTTP is for this machine alone");
    }
}
