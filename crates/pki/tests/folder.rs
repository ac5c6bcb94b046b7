//! An authority in a folder: what it signs for strangers, what it takes back, and what it hands out.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pki::{
    Algorithm, Bound, Bounds, Check, Folder, Passphrase, PkiError, Plan, PrivateKey, Profile, Reason, Request, Root,
    Shown, SigningRequest, Usage, show, verify,
};
use vocabulary::{Chance, Clock};

const WORDS: &str = "velvet anchor tumbles south";
const HOUR: Duration = Duration::from_hours(1);

struct Home {
    dir: tempfile::TempDir,
    clock: Clock,
}

impl Home {
    /// An authority of EC keys at a fixed time.
    fn new(bounds: &[&str]) -> (Self, Folder) {
        Self::with(Algorithm::P256, bounds, Clock::manual("2026-11-21T09:30:00Z".parse().unwrap()))
    }

    fn with(algorithm: Algorithm, bounds: &[&str], clock: Clock) -> (Self, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let bounds = Bounds::new(bounds.iter().map(|b| b.parse::<Bound>().unwrap())).unwrap();
        let folder = init(&dir.path().join("pki"), algorithm, &bounds, None, &clock).unwrap();
        (Self { dir, clock }, folder)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join("pki").join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Somebody's key and their request for names.
    fn asks(common_name: &str, names: &[&str]) -> (PrivateKey, SigningRequest) {
        let key = PrivateKey::generate(Algorithm::P256).unwrap();
        let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
        let csr = SigningRequest::make(&key, common_name, &names).unwrap();
        (key, SigningRequest::read(&csr).unwrap())
    }

    fn sign(&self, folder: &mut Folder, request: &Request) -> String {
        let names: Vec<_> = request.names.iter().map(String::as_str).collect();
        let (_, asked) = Self::asks(&request.common_name, &names);
        folder.sign(&asked, request, &self.clock, &Chance::system()).unwrap()
    }

    fn judge(&self, chain: &str, change: impl FnOnce(&mut Check<'_>)) -> Result<(), String> {
        let (roots, lists) = (self.read("root.pem"), self.read("crl.pem"));
        let mut check = Check {
            roots: &roots,
            lists: Some(&lists),
            server_name: None,
            server: false,
            client: false,
            at: self.clock.now(),
        };
        change(&mut check);
        verify(chain, &check).map_err(|error| error.to_string())
    }
}

/// Makes an authority of keys that nobody had before.
fn init(
    dir: &Path,
    algorithm: Algorithm,
    bounds: &Bounds,
    key: Option<&Path>,
    clock: &Clock,
) -> Result<Folder, PkiError> {
    let plan = Plan {
        name: "Test bank",
        root_key: PrivateKey::generate(algorithm).unwrap(),
        intermediate_key: PrivateKey::generate(algorithm).unwrap(),
        passphrase: &Passphrase::new(WORDS.to_owned()).unwrap(),
        root_key_file: key,
        bounds,
    };
    Folder::init(dir, plan, clock, &Chance::system())
}

fn service(names: &[&str]) -> Request {
    Profile::Service.request("bank", names.iter().map(|n| (*n).to_owned()).collect())
}

fn openssl(args: &[&str]) -> (bool, String) {
    let out = Command::new("openssl").args(args).output().expect("this test needs the program `openssl`");
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

fn serial(chain: &str) -> String {
    let shown = show(chain, None, Clock::system().now()).unwrap();
    let Shown::Certificate { serial, .. } = shown.into_iter().next().unwrap() else { unreachable!() };
    serial
}

#[test]
fn openssl_believes_chain_and_list_of_every_algorithm() {
    for (algorithm, bounds) in
        [(Algorithm::P256, &["localhost", "127.0.0.0/8"][..]), (Algorithm::Ed25519, &[]), (Algorithm::Rsa3072, &[])]
    {
        let (home, mut folder) = Home::with(algorithm, bounds, Clock::system());
        let chain = home.sign(&mut folder, &service(&["localhost", "127.0.0.1"]));
        let (leaf, list) = (home.write("leaf.pem", &chain), home.path("crl.pem"));
        let root = home.path("root.pem");
        let rest = ["-x509_strict", "-crl_check", "-CRLfile", &list, "-CAfile", &root, "-untrusted", &leaf];
        for purpose in ["sslserver", "sslclient"] {
            let ask = [&["verify", "-purpose", purpose, "-verify_hostname", "localhost"][..], &rest, &[&leaf]].concat();
            let (good, said) = openssl(&ask);
            assert!(good, "{algorithm:?}: {said}");
        }
        home.judge(&chain, |check| check.server_name = Some("localhost")).unwrap();
        let entry = folder.revoke(&serial(&chain), Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
        assert_eq!(entry.serial, serial(&chain));
        let (good, said) = openssl(&[&["verify"][..], &rest, &[&leaf]].concat());
        assert!(!good && said.contains("revoked"), "{algorithm:?}: {said}");
        let (_, said) = openssl(&["crl", "-noout", "-text", "-in", &list]);
        for wanted in ["Version 2", "Key Compromise", "X509v3 CRL Number", "Authority Key Identifier"] {
            assert!(said.contains(wanted), "no `{wanted}` in\n{said}");
        }
        let (_, said) = openssl(&["x509", "-noout", "-text", "-in", &home.path("intermediate.pem")]);
        assert!(said.contains("CA:TRUE, pathlen:0") && said.contains("Certificate Sign, CRL Sign"), "{said}");
        assert_eq!(said.contains("Name Constraints"), !bounds.is_empty(), "{said}");
    }
}

#[test]
fn the_roots_key_is_encrypted_and_nothing_that_signs_lies_open() {
    let (home, folder) = Home::new(&[]);
    let key = home.read("root-key.pem");
    assert!(PrivateKey::is_encrypted(&key));
    for (file, mode) in
        [("root-key.pem", 0o600), ("intermediate-key.pem", 0o600), ("root.pem", 0o644), ("crl.pem", 0o644)]
    {
        assert_eq!(fs::metadata(home.path(file)).unwrap().permissions().mode() & 0o777, mode, "{file}");
    }
    // The root's key goes away, and everything still works.
    fs::remove_file(home.path("root-key.pem")).unwrap();
    folder.authority(&home.clock).unwrap();
    fs::set_permissions(home.path("intermediate-key.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(folder.authority(&home.clock), Err(PkiError::OpenKey { .. })));
}

#[test]
fn an_authority_is_never_overwritten_and_one_command_at_a_time_works_on_it() {
    let (home, folder) = Home::new(&[]);
    let dir = home.dir.path().join("pki");
    let again = || init(&dir, Algorithm::P256, &Bounds::default(), None, &home.clock).unwrap_err().to_string();
    assert!(again().contains("another command is at work"));
    assert!(Folder::open(&dir).unwrap_err().to_string().contains("another command is at work"));
    let before = home.read("root.pem");
    drop(folder);
    assert!(again().contains("nothing is overwritten"));
    assert_eq!(home.read("root.pem"), before);
    let said = Folder::open(Path::new("/nonexistent")).unwrap_err().to_string();
    assert!(said.contains("guichet pki init"), "{said}");
    fs::write(home.path("index.json"), "{").unwrap();
    let said = Folder::open(&dir).unwrap_err().to_string();
    assert!(said.contains("index.json is damaged") && said.contains("backup"), "{said}");
}

#[test]
fn a_request_gets_the_names_that_were_allowed_and_foreign_ones_are_refused() {
    let (home, mut folder) = Home::new(&[]);
    let mut try_to = |common_name: &str, asked: &[&str], request: &Request| {
        let (_, asked) = Home::asks(common_name, asked);
        folder.sign(&asked, request, &home.clock, &Chance::system()).map_err(|error| error.to_string())
    };
    let foreign = try_to("bank", &["localhost", "evil.example"], &service(&["localhost"])).unwrap_err();
    assert!(foreign.contains("evil.example") && foreign.contains("--san"), "{foreign}");
    assert!(!foreign.contains("localhost"), "{foreign}");
    let named = try_to("evil.example", &["localhost"], &service(&["localhost"])).unwrap_err();
    assert!(named.contains("common name evil.example") && named.contains("--name"), "{named}");
    let chain = try_to("localhost", &["LOCALHOST"], &service(&["localhost", "::1"])).unwrap();
    let Shown::Certificate { names, subject, authority, purposes, .. } =
        show(&chain, None, home.clock.now()).unwrap().remove(0)
    else {
        unreachable!()
    };
    assert_eq!((names, subject.as_str(), authority), (vec!["localhost".into(), "::1".into()], "CN=bank", false));
    assert_eq!(purposes, ["server", "client"]);
    assert_eq!(folder.issued().len(), 1, "what was refused was not signed");
}

#[test]
fn names_outside_the_bounds_are_refused_here_and_by_whoever_trusts_the_root() {
    let (home, mut folder) = Home::new(&["bank.internal"]);
    for outside in ["elsewhere.example", "127.0.0.1"] {
        let request = service(&["a.bank.internal", outside]);
        let (_, asked) = Home::asks("bank", &[]);
        let said = folder.sign(&asked, &request, &home.clock, &Chance::system()).unwrap_err().to_string();
        assert!(said.contains(outside) && said.contains("outside"), "{said}");
    }
    let chain = home.sign(&mut folder, &service(&["a.bank.internal"]));
    home.judge(&chain, |_| ()).unwrap();
    // A thief of the intermediate's key is not bound by this program, but by the certificate.
    let key = home.read("intermediate-key.pem");
    let unbound = Root::open(
        &home.read("root.pem"),
        PrivateKey::read(&home.read("root-key.pem"), Some(&Passphrase::new(WORDS.to_owned()).unwrap())).unwrap().0,
        &home.clock,
    )
    .unwrap()
    .intermediate(
        "Test bank intermediate 1",
        &PrivateKey::read(&key, None).unwrap().0,
        &Bounds::default(),
        &home.clock,
        &Chance::system(),
    )
    .unwrap();
    let bound = home.read("intermediate.pem");
    home.write("intermediate.pem", &unbound);
    for outside in ["elsewhere.example", "127.0.0.1"] {
        let forged = home.sign(&mut folder, &service(&[outside])).replace(&unbound, &bound);
        assert!(forged.contains(&bound));
        let said = home.judge(&forged, |_| ()).unwrap_err();
        assert!(said.contains("may not sign its names"), "{outside}: {said}");
    }
}

#[test]
fn verify_says_why_a_certificate_is_not_believed() {
    let (home, mut folder) = Home::new(&[]);
    let (other, _other_folder) = Home::new(&[]);
    let chain = home.sign(&mut folder, &service(&["localhost"]));
    home.judge(&chain, |_| ()).unwrap();
    let elsewhere = other.read("root.pem");
    let now = home.clock.now();
    let said = |change: &dyn Fn(&mut Check<'_>)| home.judge(&chain, |check| change(check)).unwrap_err();
    let wrong_ca = verify(
        &chain,
        &Check { roots: &elsewhere, lists: None, server_name: None, server: true, client: false, at: now },
    );
    assert!(wrong_ca.unwrap_err().to_string().contains("no authority that is trusted here signed it"));
    let late = said(&|check| check.at = now.plus(HOUR * 25));
    assert!(late.contains("bank expired on 2026-11-22T09:30:00Z"), "{late}");
    let early = said(&|check| check.at = now.minus(HOUR));
    assert!(early.contains("not valid before"), "{early}");
    let name = said(&|check| check.server_name = Some("other.example"));
    assert!(name.ends_with("not for the name other.example, only for localhost"), "{name}");
    let leaf = chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    assert!(home.judge(leaf, |_| ()).unwrap_err().contains("between it and the root is missing"));

    let server = home.sign(&mut folder, &Profile::Server.request("www", vec!["localhost".into()]));
    let said = home.judge(&server, |check| check.client = true).unwrap_err();
    assert!(said.contains("not for this use"), "{said}");
    let client = home.sign(&mut folder, &Profile::Client.request("alice", vec![]));
    home.judge(&client, |check| check.client = true).unwrap();
    assert!(home.judge(&client, |check| check.server = true).is_err());

    folder.revoke(&serial(&chain), Reason::default(), &home.clock, &Chance::system()).unwrap();
    assert_eq!(home.judge(&chain, |_| ()).unwrap_err(), "it, or an authority above it, was revoked");
    home.judge(&chain, |check| check.lists = None).unwrap();
    home.judge(&server, |_| ()).unwrap();
    let foreign_list = other.read("crl.pem");
    let said = verify(
        &server,
        &Check {
            roots: &home.read("root.pem"),
            lists: Some(&foreign_list),
            server_name: None,
            server: true,
            client: false,
            at: now,
        },
    );
    assert!(said.unwrap_err().to_string().contains("no revocation list here comes from its issuer"));
    let stale = home.judge(&server, |check| check.at = now.plus(HOUR * 24 * 8)).unwrap_err();
    assert!(stale.contains("revocation list is out of date"), "{stale}");
}

#[test]
fn lists_are_numbered_upwards_and_keep_the_life_they_were_given() {
    let (home, mut folder) = Home::new(&[]);
    let read = |text: &str| {
        let Shown::List { number, made, next, revoked, .. } = show(text, None, home.clock.now()).unwrap().remove(0)
        else {
            unreachable!()
        };
        (number.unwrap(), next.unwrap().since(made), revoked.len())
    };
    assert_eq!(read(&home.read("crl.pem")), ("1".into(), HOUR * 24 * 7, 0));
    assert_eq!(read(&folder.list(Some(HOUR), &home.clock).unwrap()), ("2".into(), HOUR, 0));
    let chain = home.sign(&mut folder, &service(&["localhost"]));
    folder.revoke(&serial(&chain), Reason::Superseded, &home.clock, &Chance::system()).unwrap();
    assert_eq!(read(&home.read("crl.pem")), ("3".into(), HOUR, 1), "revoking makes a list at once");
    let said =
        folder.revoke(&serial(&chain), Reason::Superseded, &home.clock, &Chance::system()).unwrap_err().to_string();
    assert!(said.contains("revoked already"), "{said}");
    drop(folder);
    let mut folder = Folder::open(&home.dir.path().join("pki")).unwrap();
    assert_eq!(read(&folder.list(None, &home.clock).unwrap()), ("4".into(), HOUR, 1), "it outlives the process");
    assert!(folder.list(Some(Duration::from_secs(1)), &home.clock).is_err());
}

#[test]
fn a_revocation_cut_off_before_its_list_is_listed_when_it_is_asked_again() {
    let (home, mut folder) = Home::new(&[]);
    let chain = home.sign(&mut folder, &service(&["localhost"]));
    let list = home.path("crl.pem");
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    folder.revoke(&serial(&chain), Reason::Superseded, &home.clock, &Chance::system()).unwrap_err();
    drop(folder);
    fs::remove_dir(&list).unwrap();
    let mut folder = Folder::open(&home.dir.path().join("pki")).unwrap();
    let said = folder.revoke(&serial(&chain), Reason::Superseded, &home.clock, &Chance::system()).unwrap_err();
    assert!(said.to_string().contains("revoked already"), "{said}");
    assert!(home.judge(&chain, |_| ()).unwrap_err().contains("was revoked"));
}

#[test]
fn only_what_was_signed_here_is_revoked_and_a_lost_index_does_not_prevent_it() {
    let (home, mut folder) = Home::new(&[]);
    let (other, mut other_folder) = Home::new(&[]);
    let foreign = other.sign(&mut other_folder, &service(&["localhost"]));
    let said =
        folder.revoke_certificate(&foreign, Reason::default(), &home.clock, &Chance::system()).unwrap_err().to_string();
    assert!(said.contains("not signed here"), "{said}");
    assert!(folder.revoke(&serial(&foreign), Reason::default(), &home.clock, &Chance::system()).is_err());
    assert!(
        folder
            .revoke("no number", Reason::default(), &home.clock, &Chance::system())
            .unwrap_err()
            .to_string()
            .contains("hexadecimal")
    );

    let chain = home.sign(&mut folder, &service(&["localhost"]));
    let (other_index, index) = (other.read("index.json"), home.path("index.json"));
    drop(folder);
    fs::write(index, other_index).unwrap();
    let mut folder = Folder::open(&home.dir.path().join("pki")).unwrap();
    folder.revoke_certificate(&chain, Reason::default(), &home.clock, &Chance::system()).unwrap();
    assert_eq!(home.judge(&chain, |_| ()).unwrap_err(), "it, or an authority above it, was revoked");
}

#[test]
fn renewal_takes_a_new_key_for_the_same_names_and_is_refused_after_revocation() {
    let (home, mut folder) = Home::new(&[]);
    let (key, asked) = Home::asks("bank", &[]);
    let request = Request { life: HOUR, ..service(&["localhost"]) };
    let first = folder.sign(&asked, &request, &home.clock, &Chance::system()).unwrap();
    home.clock.advance(HOUR / 2);
    let second = folder.renew(&first, &key, &home.clock, &Chance::system()).unwrap();
    assert_ne!(*key.pem(), *second.key_pem);
    let identity = second.identity().unwrap();
    assert_eq!(identity.until().since(home.clock.now()), HOUR);
    home.judge(&second.cert_pem, |check| check.server_name = Some("localhost")).unwrap();
    assert_eq!(folder.issued().last().map(|entry| entry.usage), Some(Usage::Both));
    folder.revoke(&serial(&second.cert_pem), Reason::KeyCompromise, &home.clock, &Chance::system()).unwrap();
    let said = folder.renew(&second.cert_pem, &key, &home.clock, &Chance::system()).unwrap_err().to_string();
    assert!(said.contains("revoked"), "{said}");
}

#[test]
fn a_certificate_of_a_minute_does_not_begin_half_spent() {
    let (home, mut folder) = Home::new(&[]);
    let (key, asked) = Home::asks("bank", &[]);
    let request = Request { life: Duration::from_mins(1), ..service(&["localhost"]) };
    let chain = folder.sign(&asked, &request, &home.clock, &Chance::system()).unwrap();
    let identity = pki::Identity::from_pem(&chain, &key.pem()).unwrap();
    home.clock.advance(Duration::from_secs(30));
    assert!(!identity.due(&home.clock));
    home.clock.advance(Duration::from_secs(10));
    assert!(identity.due(&home.clock));
    home.judge(&chain, |_| ()).unwrap();
}

#[test]
fn a_new_intermediate_leaves_the_certificates_of_the_former_good_and_revocable() {
    let (home, mut folder) = Home::new(&["localhost"]);
    let old = home.sign(&mut folder, &service(&["localhost"]));
    let root_key = || {
        let words = Passphrase::new(WORDS.to_owned()).unwrap();
        PrivateKey::read(&home.read("root-key.pem"), Some(&words)).unwrap().0
    };
    let wrong = PrivateKey::generate(Algorithm::P256).unwrap();
    let said = folder.renew_intermediate(wrong, false, &home.clock, &Chance::system()).unwrap_err().to_string();
    assert!(said.contains("does not belong to the root"), "{said}");
    let before = home.read("intermediate.pem");
    folder.renew_intermediate(root_key(), false, &home.clock, &Chance::system()).unwrap();
    assert_ne!(home.read("intermediate.pem"), before);
    let new = home.sign(&mut folder, &service(&["localhost"]));
    home.judge(&old, |_| ()).unwrap();
    home.judge(&new, |_| ()).unwrap();
    folder.revoke_certificate(&old, Reason::default(), &home.clock, &Chance::system()).unwrap();
    assert_eq!(home.judge(&old, |_| ()).unwrap_err(), "it, or an authority above it, was revoked");
    home.judge(&new, |_| ()).unwrap();
    let said = folder.sign(&Home::asks("bank", &[]).1, &service(&["a.example"]), &home.clock, &Chance::system());
    assert!(said.unwrap_err().to_string().contains("outside"), "the bounds stay");
}

#[test]
fn a_stolen_intermediate_is_revoked_by_the_root_with_everything_it_signed_or_will_sign() {
    let (home, mut folder) = Home::with(Algorithm::P256, &[], Clock::system());
    let old = home.sign(&mut folder, &service(&["localhost"]));
    let list_before = home.read("crl.pem");
    let words = Passphrase::new(WORDS.to_owned()).unwrap();
    let root_key = PrivateKey::read(&home.read("root-key.pem"), Some(&words)).unwrap().0;
    folder.renew_intermediate(root_key, true, &home.clock, &Chance::system()).unwrap();
    assert_eq!(home.judge(&old, |_| ()).unwrap_err(), "it, or an authority above it, was revoked");
    // The thief signs a list of their own, on which nothing is revoked.
    let stolen = list_before.split_inclusive("-----END X509 CRL-----\n").next().unwrap();
    let forged = home.read("crl.pem") + stolen;
    let (roots, at) = (home.read("root.pem"), home.clock.now());
    let check = Check { roots: &roots, lists: Some(&forged), server_name: None, server: true, client: true, at };
    assert!(verify(&old, &check).unwrap_err().to_string().contains("was revoked"));
    let new = home.sign(&mut folder, &service(&["localhost"]));
    home.judge(&new, |_| ()).unwrap();
    let (leaf, list, root) = (home.write("leaf.pem", &new), home.path("crl.pem"), home.path("root.pem"));
    let ask = ["verify", "-x509_strict", "-crl_check_all", "-CRLfile", &list, "-CAfile", &root, "-untrusted"];
    let (good, said) = openssl(&[&ask[..], &[&leaf, &leaf]].concat());
    assert!(good, "{said}");
    let leaf = home.write("leaf.pem", &old);
    assert!(!openssl(&[&ask[..], &[&leaf, &leaf]].concat()).0);
    let former = home.write("former.pem", old.split_inclusive("-----END CERTIFICATE-----\n").nth(1).unwrap());
    let (good, said) = openssl(&["verify", "-crl_check", "-CRLfile", &list, "-CAfile", &root, &former]);
    assert!(!good && said.contains("revoked"), "{said}");
}

/// Makes the writing of this file fail, as if the power went there; says how to mend that.
fn blocked(path: &Path) -> impl FnOnce() + use<> {
    let (path, aside) = (path.to_owned(), path.with_extension("aside"));
    if path.exists() {
        fs::rename(&path, &aside).unwrap();
    }
    fs::create_dir(&path).unwrap();
    fs::write(path.join("in the way"), "").unwrap();
    move || {
        fs::remove_dir_all(&path).unwrap();
        if aside.exists() {
            fs::rename(&aside, &path).unwrap();
        }
    }
}

#[test]
fn an_authority_that_was_cut_off_while_it_was_made_is_begun_anew() {
    let (home, _) = Home::new(&[]);
    assert!(!Path::new(&home.path("init.unfinished")).exists());
    for name in ["intermediate-key.pem", "root-crl.pem", "crl.pem", "index.json"] {
        let dir = home.dir.path().join(format!("cut at {name}"));
        let key = home.dir.path().join(format!("root of {name}"));
        let init = || init(&dir, Algorithm::P256, &Bounds::default(), Some(&key), &home.clock);
        fs::create_dir(&dir).unwrap();
        let mend = blocked(&dir.join(name));
        init().unwrap_err();
        mend();
        let mut folder = init().unwrap_or_else(|error| panic!("{name}: {error}"));
        home.sign(&mut folder, &service(&["localhost"]));
        folder.list(None, &home.clock).unwrap();
        drop(folder);
        assert!(init().unwrap_err().to_string().contains("nothing is overwritten"));
    }
    // What somebody else wrote is never overwritten, whatever was cut off.
    let dir = home.dir.path().join("other");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("init.unfinished"), "of another key").unwrap();
    fs::write(dir.join("root-key.pem"), "somebody's").unwrap();
    fs::set_permissions(dir.join("root-key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let said = init(&dir, Algorithm::P256, &Bounds::default(), None, &home.clock).unwrap_err().to_string();
    assert!(said.contains("root-key.pem exists already"), "{said}");
}

#[test]
fn a_replacement_of_the_intermediate_that_was_cut_off_is_finished_by_the_same_command() {
    for stolen in [false, true] {
        let cuts = ["root-crl.pem", "former", "intermediate-key.pem.next", "intermediate-key.pem", "crl.pem"];
        for cut in cuts.into_iter().filter(|cut| !stolen || *cut != "former") {
            let (home, mut folder) = Home::new(&[]);
            let old = home.sign(&mut folder, &service(&["localhost"]));
            let words = Passphrase::new(WORDS.to_owned()).unwrap();
            let root_key = PrivateKey::read(&home.read("root-key.pem"), Some(&words)).unwrap().0.pem();
            let root_key = || PrivateKey::read(&root_key, None).unwrap().0;
            let present = home.read("intermediate.pem");
            let file = match cut {
                "former" => {
                    format!("former-{}.pem", serial(&present).replace(':', "").to_lowercase().get(..16).unwrap())
                }
                file => file.to_owned(),
            };
            let path = home.path(&file);
            if cut == "intermediate-key.pem" {
                let (key, next) = (home.read(cut), format!("{path}.next"));
                folder.renew_intermediate(root_key(), stolen, &home.clock, &Chance::system()).unwrap();
                // As it was before the last rename.
                fs::rename(&path, &next).unwrap();
                fs::write(&path, key).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            } else {
                let mend = blocked(Path::new(&path));
                folder.renew_intermediate(root_key(), stolen, &home.clock, &Chance::system()).unwrap_err();
                mend();
            }
            drop(folder);
            let mut folder = Folder::open(&home.dir.path().join("pki")).unwrap();
            folder.authority(&home.clock).unwrap_or_else(|error| panic!("{cut}: {error}"));
            if cut != "intermediate-key.pem" {
                folder.renew_intermediate(root_key(), stolen, &home.clock, &Chance::system()).unwrap();
            }
            let new = home.sign(&mut folder, &service(&["localhost"]));
            home.judge(&new, |_| ()).unwrap_or_else(|error| panic!("{cut}: {error}"));
            assert_eq!(home.judge(&old, |_| ()).is_err(), stolen, "{cut}");
            assert!(!Path::new(&home.path("intermediate-key.pem.next")).exists(), "{cut}");
            let subject = show(&home.read("intermediate.pem"), None, home.clock.now()).unwrap()[0].to_string();
            assert!(subject.contains("intermediate 2"), "{cut}: {subject}, so it was replaced once");
            let lists = show(&home.read("crl.pem"), None, home.clock.now()).unwrap().len();
            assert_eq!(lists, if stolen { 2 } else { 3 }, "{cut}: one for each that counts, and the root's");
        }
    }
}

#[test]
fn a_former_intermediate_is_left_out_only_when_it_has_ended() {
    let (home, mut folder) = Home::new(&[]);
    let short = serial(&home.read("intermediate.pem")).replace(':', "").to_lowercase();
    let former = format!("former-{}", short.get(..16).unwrap());
    let words = Passphrase::new(WORDS.to_owned()).unwrap();
    let root_key = || PrivateKey::read(&home.read("root-key.pem"), Some(&words)).unwrap().0;
    folder.renew_intermediate(root_key(), false, &home.clock, &Chance::system()).unwrap();
    for file in [format!("{former}-key.pem"), format!("{former}.pem")] {
        let (path, kept) = (home.path(&file), home.read(&file));
        fs::remove_file(&path).unwrap();
        let said = folder.list(None, &home.clock).unwrap_err().to_string();
        assert!(said.contains(&file) && said.contains("backup"), "{said}");
        fs::write(&path, kept).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder.list(None, &home.clock).unwrap();
    home.clock.advance(HOUR * 24 * 500);
    folder.renew_intermediate(root_key(), false, &home.clock, &Chance::system()).unwrap();
    home.clock.advance(HOUR * 24 * 300);
    fs::remove_file(home.path(&format!("{former}-key.pem"))).unwrap();
    folder.list(None, &home.clock).unwrap();
}

#[test]
fn a_request_is_refused_when_it_wants_to_be_an_authority_or_its_signature_is_wrong() {
    let (home, mut folder) = Home::new(&[]);
    let config = home.write(
        "openssl.cnf",
        "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=bank\n[ca]\nbasicConstraints=critical,CA:TRUE\n\
         [sign]\nkeyUsage=keyCertSign\n[uri]\nsubjectAltName=URI:spiffe://x/y\n[usage]\nextendedKeyUsage=codeSigning\n\
         keyUsage=digitalSignature\n",
    );
    let (key, csr) = (home.path("k.pem"), home.path("c.pem"));
    let mut ask = |section: &str| {
        let make = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
        let rest = ["-keyout", &key, "-out", &csr, "-config", &config, "-reqexts", section];
        let (good, said) = openssl(&[&make[..], &rest].concat());
        assert!(good, "{said}");
        let asked = SigningRequest::read(&home.read("c.pem")).unwrap();
        let remarks = asked.remarks();
        let signed = folder.sign(&asked, &service(&["localhost"]), &home.clock, &Chance::system());
        (signed.map_err(|error| error.to_string()), remarks)
    };
    for section in ["ca", "sign"] {
        let said = ask(section).0.unwrap_err();
        assert!(said.contains("asks to become an authority"), "{section}: {said}");
    }
    let said = ask("uri").0.unwrap_err();
    assert!(said.contains("URI:spiffe://x/y"), "{said}");
    let (signed, remarks) = ask("usage");
    assert!(remarks.iter().any(|remark| remark.contains("code signing") && remark.contains("left out")), "{remarks:?}");
    let Shown::Certificate { purposes, .. } = show(&signed.unwrap(), None, home.clock.now()).unwrap().remove(0) else {
        unreachable!()
    };
    assert_eq!(purposes, ["server", "client"]);

    // Everything decodes, and the signature is of something else.
    let mut der = pem::parse(home.read("c.pem")).unwrap().into_contents();
    *der.last_mut().unwrap() ^= 1;
    let said = SigningRequest::read(&pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", der))).unwrap_err().to_string();
    assert!(said.contains("signature does not fit its key"), "{said}");
    for (text, wanted) in [("", "not PEM"), (&*home.read("root.pem"), "holds a certificate instead")] {
        let said = SigningRequest::read(text).unwrap_err().to_string();
        assert!(said.contains(wanted), "{said}");
    }
}
