//! What the authority keeps in files, what it signs, and what it refuses.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pki::{Authority, Created, Identity, PkiError, Request, Usage};
use vocabulary::{Chance, Clock};

const DAY: Duration = Duration::from_hours(24);

fn open(dir: &Path, clock: &Clock) -> Result<(Authority, Created), PkiError> {
    Authority::open_or_create(dir, "Guichet test authority", clock, &Chance::system())
}

fn now() -> Clock {
    Clock::manual("2026-11-21T09:30:00Z".parse().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn openssl(args: &[&str]) -> (bool, String) {
    let out = Command::new("openssl").args(args).output().expect("this test needs the program `openssl`");
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

#[test]
fn openssl_accepts_the_chain_and_sees_the_extensions_the_profile_promises() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let (ca, _) = open(dir.path(), &clock).unwrap();
    let issued = ca.issue(&Request::service("bank", ["localhost", "127.0.0.1"]), &clock, &Chance::system()).unwrap();
    let (leaf, root) = (dir.path().join("leaf.pem"), dir.path().join("ca.pem"));
    fs::write(&leaf, &issued.cert_pem).unwrap();
    let (leaf, root) = (leaf.to_str().unwrap(), root.to_str().unwrap());

    let (good, said) =
        openssl(&["verify", "-x509_strict", "-CAfile", root, "-purpose", "sslserver", "-verify_ip", "127.0.0.1", leaf]);
    assert!(good, "{said}");
    let (good, said) = openssl(&["verify", "-x509_strict", "-CAfile", root, "-purpose", "sslclient", leaf]);
    assert!(good, "{said}");
    let (good, said) = openssl(&["verify", "-CAfile", root, "-verify_hostname", "elsewhere.example", leaf]);
    assert!(!good, "a name that is not in the certificate was accepted: {said}");

    let (_, text) = openssl(&["x509", "-noout", "-text", "-in", leaf]);
    for wanted in [
        "Subject Key Identifier",
        "Authority Key Identifier",
        "CA:FALSE",
        "Digital Signature",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "DNS:localhost, IP Address:127.0.0.1",
        "CN = bank",
    ] {
        assert!(text.contains(wanted), "no `{wanted}` in\n{text}");
    }
    let (_, text) = openssl(&["x509", "-noout", "-text", "-in", root]);
    for wanted in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "prime256v1", "Subject Key Identifier"] {
        assert!(text.contains(wanted), "no `{wanted}` in\n{text}");
    }
    let (_, text) = openssl(&["x509", "-noout", "-fingerprint", "-sha256", "-in", root]);
    assert!(text.contains(&ca.fingerprint()), "{text} does not show {}", ca.fingerprint());
}

#[test]
fn a_second_opening_gives_the_same_authority_and_files_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("deeper").join("pki");
    let (first, created) = open(&home, &now()).unwrap();
    assert_eq!(created, Created::New);
    let (second, created) = open(&home, &now()).unwrap();
    assert_eq!(created, Created::Existing);
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&home.join("ca-key.pem")), 0o600);
    assert_eq!(mode(&home.join("ca.pem")), 0o644);
    let left: Vec<_> = fs::read_dir(&home).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "temporary files were left behind: {left:?}");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_way_to_mend_it() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), &now()).unwrap();
    let key = dir.path().join("ca-key.pem");
    for open_mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&key, fs::Permissions::from_mode(open_mode)).unwrap();
        let said = open(dir.path(), &now()).unwrap_err().to_string();
        assert!(said.contains("chmod 600") && said.contains("ca-key.pem") && said.contains("other users"), "{said}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    open(dir.path(), &now()).unwrap();
}

#[test]
fn a_truncated_file_is_named_and_never_replaced_silently() {
    for (file, keep) in [("ca.pem", 0), ("ca.pem", 200), ("ca-key.pem", 0), ("ca-key.pem", 100)] {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), &now()).unwrap();
        let path = dir.path().join(file);
        let half = fs::read(&path).unwrap()[..keep].to_vec();
        fs::write(&path, &half).unwrap();
        let said = open(dir.path(), &now()).unwrap_err().to_string();
        assert!(said.contains(file) && said.contains("damaged") && said.contains("backup"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), half, "{file} was touched");
    }
}

#[test]
fn an_interrupted_first_start_is_finished_but_a_lost_key_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), &now()).unwrap();
    let key = fs::read(dir.path().join("ca-key.pem")).unwrap();
    fs::remove_file(dir.path().join("ca.pem")).unwrap();
    assert_eq!(open(dir.path(), &now()).unwrap().1, Created::New);
    assert_eq!(fs::read(dir.path().join("ca-key.pem")).unwrap(), key);

    fs::remove_file(dir.path().join("ca-key.pem")).unwrap();
    let said = open(dir.path(), &now()).unwrap_err().to_string();
    assert!(said.contains("missing"), "{said}");
}

#[test]
fn a_certificate_of_another_key_and_one_out_of_time_are_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(one.path(), &now()).unwrap();
    open(two.path(), &now()).unwrap();
    let clock = now();
    clock.advance(DAY * 3651);
    let said = open(one.path(), &clock).unwrap_err().to_string();
    assert!(said.contains("valid from") && said.contains("clock"), "{said}");
    fs::copy(two.path().join("ca.pem"), one.path().join("ca.pem")).unwrap();
    let said = open(one.path(), &now()).unwrap_err().to_string();
    assert!(said.contains("another key"), "{said}");
}

#[test]
fn what_is_not_a_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, _) = open(dir.path(), &now()).unwrap();
    let ask = |request: &Request| ca.issue(request, &now(), &Chance::system()).map(|_| ()).map_err(|e| e.to_string());
    for bad in ["https://localhost", "localhost:8443", "a b", "*", "", "é.example", "a\0b"] {
        let said = ask(&Request::https([bad])).unwrap_err();
        assert!(said.contains("neither a DNS name nor an IP address"), "{bad:?}: {said}");
    }
    assert!(ask(&Request::https(Vec::<String>::new())).is_err());
    assert!(ask(&Request::https(vec!["a.example"; 101])).is_err());
    assert!(ask(&Request { common_name: "x".repeat(65), ..Request::https(["localhost"]) }).is_err());
    ask(&Request { usage: Usage::Client, ..Request::service("guichet_test", Vec::<String>::new()) }).unwrap();
    ask(&Request::https(["::1", "bank.example"])).unwrap();
}

#[test]
fn a_certificate_never_outlives_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, _) = open(dir.path(), &now()).unwrap();
    let request = Request { life: DAY * 100_000, ..Request::https(["localhost"]) };
    let identity = ca.issue(&request, &now(), &Chance::system()).unwrap().identity().unwrap();
    assert_eq!(identity.until(), ca.until());
}

#[test]
fn an_identity_is_kept_while_it_answers_and_issued_anew_when_it_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, chance) = (now(), Chance::system());
    let (ca, _) = open(dir.path(), &clock).unwrap();
    let cert = dir.path().join("https.pem");
    let key = dir.path().join("https-key.pem");
    // Gives whether the call issued a new certificate.
    let mut before = Vec::new();
    let mut renewed = |ca: &Authority, request: &Request| {
        Identity::open_or_issue(dir.path(), "https", ca, request, &clock, &chance).unwrap();
        assert_eq!(mode(&key), 0o600);
        let after = fs::read(&cert).unwrap();
        std::mem::replace(&mut before, after.clone()) != after
    };
    let request = Request::https(["localhost", "127.0.0.1", "::1"]);
    assert!(renewed(&ca, &request), "the first");
    assert!(!renewed(&ca, &request), "nothing changed");
    assert!(!renewed(&ca, &Request::https(["::1", "LOCALHOST", "127.0.0.1"])), "order and case say nothing");
    assert!(renewed(&ca, &Request::https(["localhost"])), "other names");
    assert!(renewed(&ca, &Request { usage: Usage::Both, ..Request::https(["localhost"]) }), "other usage");
    assert!(renewed(&ca, &request), "back to the first request");
    clock.advance(DAY * 59);
    assert!(!renewed(&ca, &request), "before two thirds of its life");
    clock.advance(DAY * 2);
    assert!(renewed(&ca, &request), "past two thirds of its life");

    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = open(elsewhere.path(), &clock).unwrap();
    assert!(renewed(&other, &request), "same name, another authority");
    let text = fs::read_to_string(&cert).unwrap();
    fs::write(&cert, &text[..text.len() / 2]).unwrap();
    assert!(renewed(&other, &request), "cut in half");
    let foreign = other.issue(&request, &clock, &chance).unwrap();
    fs::write(&key, foreign.key_pem.as_bytes()).unwrap();
    assert!(renewed(&other, &request), "the key of another certificate");
}

#[test]
fn an_identity_that_is_only_opened_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, chance) = (now(), Chance::system());
    let missing = Identity::open(dir.path(), "https").unwrap_err();
    assert!(matches!(&missing, PkiError::File { path, .. } if path.ends_with("https.pem")), "{missing}");
    let (ca, _) = open(dir.path(), &clock).unwrap();
    let request = Request::https(["localhost"]);
    let issued = Identity::open_or_issue(dir.path(), "https", &ca, &request, &clock, &chance).unwrap();
    clock.advance(DAY * 100);
    assert_eq!(Identity::open(dir.path(), "https").unwrap().until(), issued.until(), "out of date, and as it is");
    let key = dir.path().join("https-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Identity::open(dir.path(), "https"), Err(PkiError::OpenKey { .. })));
}

#[test]
fn no_private_key_appears_in_debug_output() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, _) = open(dir.path(), &now()).unwrap();
    let issued = ca.issue(&Request::https(["localhost"]), &now(), &Chance::system()).unwrap();
    let shown = format!("{ca:?} {issued:?} {:?}", issued.identity().unwrap());
    assert!(!shown.contains("PRIVATE"), "{shown}");
}
