//! `guichet pki` as a stranger types it, beside OpenSSL and Python's `cryptography`: each reads what the other writes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::process::guichet;

const WORDS: &str = "velvet anchor tumbles south";

/// A folder in which somebody types commands; their passphrase stands in the file `pass`.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("pass", WORDS);
        desk
    }

    /// With an authority in `guichet-pki`.
    fn with_authority() -> Self {
        let desk = Self::new();
        desk.good("init --passphrase-file pass");
        desk
    }

    /// With an authority and `bank.pem`, signed by it for `localhost`.
    fn with_certificate() -> Self {
        let desk = Self::with_authority();
        desk.good("csr --name bank --san localhost");
        desk.good("sign bank-csr.pem --name bank --san localhost");
        desk
    }

    fn command(&self, line: &str) -> Command {
        let mut command = guichet(&["pki"]);
        command.env_remove("GUICHET_PKI_DIR").env_remove("GUICHET_PASSPHRASE_FILE").current_dir(self.0.path());
        command.args(line.split(' '));
        command
    }

    /// What a command answers that should succeed.
    #[track_caller]
    fn good(&self, line: &str) -> String {
        let out = self.command(line).output().unwrap();
        assert!(out.status.success(), "guichet pki {line}: {}", words(&out.stderr));
        words(&out.stdout)
    }

    /// What a command complains that should fail; it prints nothing as a result.
    #[track_caller]
    fn bad(&self, line: &str) -> String {
        let out = self.command(line).output().unwrap();
        assert!(!out.status.success(), "guichet pki {line} did not fail: {}", words(&out.stdout));
        assert_eq!(words(&out.stdout), "", "guichet pki {line}");
        words(&out.stderr)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn openssl(&self, line: &str) -> (bool, String) {
        let out = Command::new("openssl").args(line.split(' ')).current_dir(self.0.path()).output().unwrap();
        (out.status.success(), words(&out.stdout) + &words(&out.stderr))
    }

    #[track_caller]
    fn openssl_good(&self, line: &str) -> String {
        let (good, said) = self.openssl(line);
        assert!(good, "openssl {line}: {said}");
        said
    }

    /// Runs a program in Python, in the folder; what it printed.
    #[track_caller]
    fn python(&self, program: &str) -> String {
        let python = std::env::var_os("GUICHET_TEST_PYTHON").unwrap_or_else(|| {
            panic!("GUICHET_TEST_PYTHON is not set: run `cargo xtask test -p guichet`, which prepares the Python of these tests")
        });
        let program = format!("{PYTHON}{program}");
        let out = Command::new(python).args(["-c", &program]).current_dir(self.0.path()).output().unwrap();
        assert!(out.status.success(), "{}", words(&out.stderr));
        words(&out.stdout)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.good(line)).unwrap()
    }
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const PYTHON: &str = r#"
import datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa, ec
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store
WORDS = b"velvet anchor tumbles south"
def read(name): return open(name, "rb").read()
def old_key(name, bits=2048):
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    open(name, "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(WORDS)))
    return key
def request(key, name, common_name, names, *more):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "My Company"),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    open(name, "wb").write(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
"#;

#[test]
fn from_nothing_to_a_certificate_that_openssl_and_python_believe() {
    let desk = Desk::new();
    let said = desk.good("init --passphrase-file pass --name Squirrels");
    assert!(said.contains("goes off this machine") && said.contains("The intermediate stays"), "{said}");
    let print = desk.openssl_good("x509 -in guichet-pki/root.pem -noout -fingerprint -sha256");
    assert!(said.contains(print.trim().rsplit_once('=').unwrap().1), "{said}\n{print}");
    // It does go off: nothing below needs it.
    fs::rename(desk.path("guichet-pki/root-key.pem"), desk.path("away.pem")).unwrap();
    desk.good("csr --name bank --san localhost --san 127.0.0.1");
    assert_eq!(fs::metadata(desk.path("bank-key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    let said = desk.good("sign bank-csr.pem --name bank --san localhost --san 127.0.0.1");
    assert!(said.contains("bank.pem") && said.contains("serial number"), "{said}");
    desk.good("verify bank.pem --server-name 127.0.0.1");

    let trust = "-CAfile guichet-pki/root.pem -untrusted bank.pem -crl_check -CRLfile guichet-pki/crl.pem";
    desk.openssl_good(&format!("verify -x509_strict {trust} -purpose sslserver -verify_hostname localhost bank.pem"));
    assert!(!desk.openssl(&format!("verify {trust} -verify_hostname other.example bank.pem")).0);
    desk.openssl_good("pkey -in away.pem -passin file:pass -noout");

    let said = desk.python(
        r#"
chain = x509.load_pem_x509_certificates(read("bank.pem"))
root = x509.load_pem_x509_certificate(read("guichet-pki/root.pem"))
policy = PolicyBuilder().store(Store([root]))
policy.build_server_verifier(x509.DNSName("localhost")).verify(chain[0], chain[1:])
try: policy.build_server_verifier(x509.DNSName("other.example")).verify(chain[0], chain[1:]); print("believed")
except x509.verification.VerificationError: pass
key = serialization.load_pem_private_key(read("bank-key.pem"), None)
assert key.public_key() == chain[0].public_key()
assert x509.load_pem_x509_csr(read("bank-csr.pem")).is_signature_valid
root_key = serialization.load_pem_private_key(read("away.pem"), WORDS)
assert root_key.public_key() == root.public_key()
crl = x509.load_pem_x509_crl(read("guichet-pki/crl.pem"))
assert crl.is_signature_valid(chain[1].public_key()) and len(crl) == 0
print(chain[0].subject.rfc4514_string(), chain[0].not_valid_after_utc - chain[0].not_valid_before_utc)
"#,
    );
    assert_eq!(said.trim(), "CN=bank 1 day, 0:05:00");
}

#[test]
fn a_request_of_python_is_signed_for_the_names_that_were_allowed_and_no_others() {
    let desk = Desk::with_authority();
    desk.python(
        r#"
request(old_key("server-key.pem"), "server-csr.pem", "my-site.com", ["localhost"])
request(ec.generate_private_key(ec.SECP256R1()), "ca-csr.pem", "localhost", ["localhost"], x509.BasicConstraints(True, 0))
"#,
    );
    let said = desk.bad("sign server-csr.pem --san other.example --profile server");
    assert!(said.contains("asks for localhost, which nobody allowed") && said.contains("--san"), "{said}");
    let said = desk.bad("sign server-csr.pem --san localhost --profile server");
    assert!(said.contains("common name my-site.com") && said.contains("--name my-site.com"), "{said}");
    let said = desk.bad("sign ca-csr.pem --san localhost");
    assert!(said.contains("asks to become an authority"), "{said}");
    assert!(!desk.path("server.pem").exists() && !desk.path("ca.pem").exists());

    let out = desk.command("sign server-csr.pem --name my-site.com --san localhost --profile 30d").output().unwrap();
    assert!(out.status.success() && words(&out.stderr).contains("2048 bits"), "{out:?}");
    let said = desk.python(
        r#"
leaf = x509.load_pem_x509_certificates(read("server.pem"))[0]
print(leaf.subject.rfc4514_string(), leaf.not_valid_after_utc - leaf.not_valid_before_utc)
assert leaf.public_key() == serialization.load_pem_private_key(read("server-key.pem"), WORDS).public_key()
assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
"#,
    );
    assert_eq!(said.trim(), "CN=my-site.com 30 days, 0:05:00", "country and company were not asked for by the signer");
    desk.good("verify server.pem --server-name localhost");
}

#[test]
fn requests_of_openssl_are_signed_for_every_kind_of_key() {
    let desk = Desk::with_authority();
    for (at, key) in ["ec -pkeyopt ec_paramgen_curve:P-384", "ed25519", "rsa:3072"].iter().enumerate() {
        desk.openssl_good(&format!(
            "req -new -newkey {key} -noenc -subj /CN=alice -keyout alice{at}-key.pem -out alice{at}-csr.pem"
        ));
        desk.good(&format!("sign alice{at}-csr.pem --profile client --name alice"));
        desk.good(&format!("verify alice{at}.pem --for client"));
        let said = desk.bad(&format!("verify alice{at}.pem --for server"));
        assert!(said.contains("a server needs a DNS name"), "{said}");
        desk.openssl_good(&format!(
            "verify -CAfile guichet-pki/root.pem -untrusted alice{at}.pem -purpose sslclient alice{at}.pem"
        ));
    }
    desk.openssl_good("req -in alice1-csr.pem -outform DER -out der-csr.pem");
    let said = desk.bad("sign der-csr.pem --profile client --name alice");
    assert!(said.contains("-inform DER"), "{said}");
}

#[test]
fn keys_that_older_scripts_wrote_are_read_with_a_warning() {
    let desk = Desk::new();
    desk.python("old_key('ca-private-key.pem')");
    assert!(desk.read("ca-private-key.pem").contains("Proc-Type: 4,ENCRYPTED"));
    let warned = |line: &str| {
        let out = desk.command(line).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let said = words(&out.stderr);
        assert!(said.contains("traditional PEM") && said.contains("2048 bits"), "{said}");
    };
    warned("csr --name club --key ca-private-key.pem --passphrase-file pass");
    warned("init --from-key ca-private-key.pem --passphrase-file pass");
    let said = desk.python(
        r#"
old = serialization.load_pem_private_key(read("ca-private-key.pem"), WORDS).public_key()
assert old == x509.load_pem_x509_certificate(read("guichet-pki/root.pem")).public_key()
assert old == serialization.load_pem_private_key(read("guichet-pki/root-key.pem"), WORDS).public_key()
"#,
    );
    assert_eq!(said, "");
    assert!(
        desk.read("guichet-pki/root-key.pem").contains("BEGIN ENCRYPTED PRIVATE KEY"),
        "it is written in the better form"
    );
    let shown = desk.json("show ca-private-key.pem --json --passphrase-file pass");
    assert_eq!(
        (&shown[0]["sections"][0]["key"], &shown[0]["sections"][0]["encrypted"]),
        (&"RSA 2048".into(), &true.into())
    );
    desk.write("wrong", "not these words");
    let said = desk.bad("csr --name other --key ca-private-key.pem --passphrase-file wrong");
    assert!(said.contains("passphrase does not open it") && said.contains("ca-private-key.pem"), "{said}");
}

#[test]
fn verify_tells_each_reason_apart() {
    let (desk, other) = (Desk::with_certificate(), Desk::with_authority());
    assert!(desk.good("verify bank.pem").contains("is believed"));
    assert!(desk.good("verify bank.pem --ca guichet-pki/root.pem").contains("not looked at"));
    let (root, list) = (other.path("guichet-pki/root.pem"), other.path("guichet-pki/crl.pem"));
    let day = |part: &str| {
        let said = desk.openssl_good(&format!("x509 -in bank.pem -noout -{part} -dateopt iso_8601"));
        said.trim().rsplit_once('=').unwrap().1.replace(' ', "T")
    };
    let (begin, end) = (day("startdate"), day("enddate"));
    for (line, wanted) in [
        (format!("--ca {}", root.display()), "no authority that is trusted here signed it"),
        (format!("--crl {}", list.display()), "no revocation list here comes from its issuer"),
        ("--server-name other.example".into(), "not for the name other.example, only for"),
        ("--at 2020-01-01T00:00:00Z".into(), "not valid before"),
        ("--at 2999-01-01T00:00:00Z".into(), "expired on"),
    ] {
        let said = desk.bad(&format!("verify bank.pem {line}"));
        assert!(said.contains("bank.pem is not believed") && said.contains(wanted), "{line}: {said}");
    }
    desk.good(&format!("verify bank.pem --at {begin}"));
    desk.good(&format!("verify bank.pem --at {end}"));
    desk.good("revoke bank.pem --reason key-compromise");
    assert!(desk.bad("verify bank.pem").contains("was revoked"));
    let said = desk.bad("verify nothing.pem");
    assert!(said.contains("cannot read nothing.pem"), "{said}");
    assert!(Desk::new().bad("verify bank.pem").contains("--ca"));
}

#[test]
fn revoking_by_file_or_serial_makes_a_list_that_openssl_and_python_understand() {
    let desk = Desk::with_certificate();
    desk.good("csr --name web --san localhost");
    desk.good("sign web-csr.pem --name web --san localhost --life 10m");
    let serial = desk.openssl_good("x509 -in web.pem -noout -serial").trim().replace("serial=", "");
    let said = desk.good(&format!("revoke {serial}"));
    assert!(said.contains("web (") && said.contains("crl.pem"), "{said}");
    desk.good("revoke bank.pem --reason superseded");
    assert!(desk.bad("revoke bank.pem").contains("revoked already"));
    assert!(desk.bad("revoke 0123456789abcdef").contains("no certificate with the serial number"));
    assert!(desk.bad("revoke gone.pem").contains("gone.pem"));
    let (good, said) = desk.openssl(
        "verify -CAfile guichet-pki/root.pem -untrusted web.pem -crl_check -CRLfile guichet-pki/crl.pem web.pem",
    );
    assert!(!good && said.contains("revoked"), "{said}");
    let said = desk.good("crl --life 24h");
    assert!(said.contains("number      4") && said.contains(&serial.to_lowercase()), "{said}");
    let said = desk.python(
        r#"
crl = x509.load_pem_x509_crl(read("guichet-pki/crl.pem"))
issuer = x509.load_pem_x509_certificate(read("guichet-pki/intermediate.pem"))
assert crl.is_signature_valid(issuer.public_key())
leaf = x509.load_pem_x509_certificates(read("bank.pem"))[0]
print(crl.get_revoked_certificate_by_serial_number(leaf.serial_number).extensions[0].value.reason.value,
    crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, crl.next_update_utc - crl.last_update_utc)
"#,
    );
    assert_eq!(said.trim(), "superseded 4 1 day, 0:00:00");
}

#[test]
fn renewal_waits_for_two_thirds_and_takes_a_new_key_as_well_guarded_as_the_old() {
    let desk = Desk::with_authority();
    desk.good("csr --name bank --san localhost --encrypt --passphrase-file pass");
    desk.good("sign bank-csr.pem --name bank --san localhost");
    let (cert, key) = (desk.read("bank.pem"), desk.read("bank-key.pem"));
    let said = desk.good("renew bank.pem --passphrase-file pass");
    assert!(said.contains("not due before") && desk.read("bank.pem") == cert, "{said}");
    let said = desk.good("renew bank.pem --force --passphrase-file pass");
    assert!(said.contains("is renewed until"), "{said}");
    assert!(desk.read("bank.pem") != cert && desk.read("bank-key.pem") != key);
    assert!(desk.read("bank-key.pem").contains("ENCRYPTED"));
    desk.openssl_good("pkey -in bank-key.pem -passin file:pass -noout");
    desk.good("verify bank.pem --server-name localhost");
    // Cut off between the two files: the key is new, the certificate is not.
    desk.write("bank.pem", &cert);
    assert!(desk.good("renew bank.pem --passphrase-file pass").contains("is renewed until"));
    desk.good("revoke bank.pem");
    assert!(desk.bad("renew bank.pem --force --passphrase-file pass").contains("revoked"));
}

#[test]
fn the_intermediate_is_replaced_with_the_roots_key_and_what_it_signed_stays_good() {
    let desk = Desk::with_certificate();
    let renew = "renew --intermediate --root-key guichet-pki/root-key.pem --passphrase-file pass";
    assert!(desk.good(renew).contains("not due before"));
    desk.good(&format!("{renew} --force"));
    desk.good("verify bank.pem");
    desk.good("csr --name web --san localhost");
    desk.good("sign web-csr.pem --name web --san localhost");
    desk.good("verify web.pem");
    desk.good("revoke bank.pem");
    assert!(desk.bad("verify bank.pem").contains("revoked"));
    desk.good("verify web.pem");
    assert!(desk.bad("renew --intermediate").contains("--root-key"));
    assert!(desk.good(&format!("{renew} --stolen")).contains("sign it all again"));
    assert!(desk.bad("verify web.pem").contains("an authority above it, was revoked"));
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_terminal_and_never_from_the_command_line() {
    let desk = Desk::new();
    assert!(desk.bad("init --passphrase x").contains("unexpected argument"));
    let setsid = |line: &str| {
        // Without a terminal to ask at, whoever runs this test.
        let command = desk.command(line);
        let mut alone = Command::new("setsid");
        alone.arg("--wait").arg(command.get_program()).args(command.get_args()).current_dir(desk.0.path());
        alone.env_remove("GUICHET_PASSPHRASE_FILE").stdin(Stdio::null()).output().unwrap()
    };
    let out = setsid("init");
    assert!(!out.status.success() && words(&out.stderr).contains("--passphrase-file"), "{out:?}");
    assert!(!desk.path("guichet-pki/root.pem").exists());
    desk.write("short", "seven77\n");
    assert!(desk.bad("init --passphrase-file short").contains("8 characters"));
    desk.write("empty", "\n");
    assert!(desk.bad("init --passphrase-file empty").contains("passphrase is empty"));
    let out = desk.command("init --dir by-variable").env("GUICHET_PASSPHRASE_FILE", "pass").output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let mut child = desk.command("init --dir by-input --passphrase-file -");
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(WORDS.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    for dir in ["by-variable", "by-input"] {
        desk.openssl_good(&format!("pkey -in {dir}/root-key.pem -passin file:pass -noout"));
    }
}

#[test]
fn a_passphrase_typed_at_a_terminal_is_asked_twice_and_not_shown() {
    let desk = Desk::new();
    let typed = |dir: &str, second: &str| {
        let binary = env!("CARGO_BIN_EXE_guichet");
        desk.python(&format!(
            r#"
import os, pty, termios
pid, terminal = pty.fork()
if pid == 0:
    os.execv("{binary}", ["guichet", "pki", "init", "--dir", "{dir}"])
seen = b""
def until(wanted):
    global seen
    while wanted not in seen:
        seen += os.read(terminal, 1024)
    # Whoever types before the terminal stopped showing it is shown.
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        os.sched_yield()
until(b"root's key: ")
os.write(terminal, WORDS + b"\n")
until(b"Once more: ")
os.write(terminal, b"{second}\n")
try:
    while more := os.read(terminal, 1024): seen += more
except OSError: pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(seen.decode())
"#
        ))
    };
    let said = typed("one", "other words altogether");
    assert!(said.starts_with("1\n") && said.contains("the two passphrases differ"), "{said}");
    assert!(!desk.path("one/root.pem").exists());
    let said = typed("two", WORDS);
    assert!(said.starts_with("0\n") && said.contains("goes off this machine") && !said.contains("velvet"), "{said}");
    desk.openssl_good("pkey -in two/root-key.pem -passin file:pass -noout");
}

#[test]
fn nothing_is_overwritten_and_every_mistake_says_what_to_do() {
    let desk = Desk::with_certificate();
    let root = desk.read("guichet-pki/root.pem");
    for (line, wanted) in [
        ("init --passphrase-file pass", "nothing is overwritten"),
        ("csr --name bank --san localhost", "nothing is overwritten"),
        ("sign bank-csr.pem --san localhost", "nothing is overwritten"),
        ("sign bank-csr.pem --out b.pem", "--name"),
        ("sign pass --san localhost", "--out"),
        ("sign bank.pem --san localhost --out b.pem", "no good signing request"),
        (
            "sign bank-csr.pem --name bank --san localhost --san https://x --out b.pem",
            "neither a DNS name nor an IP address",
        ),
        ("sign bank-csr.pem --san localhost --life 3 --out b.pem", "such as 60s"),
        ("csr --name a/b", "--out"),
        ("show pass", "PEM"),
        ("sign bank-csr.pem --san localhost --out b.pem --dir nowhere", "guichet pki init"),
        ("init --passphrase-file pass --dir new --within https://x", "bank.internal"),
    ] {
        let said = desk.bad(line);
        assert!(said.contains(wanted), "{line}: {said}");
    }
    assert_eq!(desk.read("guichet-pki/root.pem"), root);
    fs::set_permissions(desk.path("bank-key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = desk.bad("csr --name again --key bank-key.pem");
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn show_tells_people_and_programs_the_same() {
    let desk = Desk::with_certificate();
    let shown =
        desk.json("show --json bank.pem bank-csr.pem bank-key.pem guichet-pki/crl.pem guichet-pki/root-key.pem");
    let kinds: Vec<_> = shown.as_array().unwrap().iter().map(|file| file["sections"][0]["type"].clone()).collect();
    assert_eq!(kinds, ["certificate", "request", "key", "list", "key"]);
    let leaf = &shown[0]["sections"][0];
    assert_eq!(
        (&leaf["names"][0], &leaf["key"], &leaf["authority"]),
        (&"localhost".into(), &"EC P-256".into(), &false.into())
    );
    assert_eq!(shown[0]["sections"][1]["path_length"], 0);
    assert!(leaf["spent_permille"].as_u64().unwrap() < 20, "{leaf}");
    let said: Output = desk.command("show bank.pem guichet-pki/root-key.pem").output().unwrap();
    let said = words(&said.stdout);
    for wanted in
        [leaf["serial"].as_str().unwrap(), leaf["fingerprint"].as_str().unwrap(), "server, client", "cannot be told"]
    {
        assert!(said.contains(wanted), "no `{wanted}` in\n{said}");
    }
    assert!(!said.contains("PRIVATE"), "{said}");
}
