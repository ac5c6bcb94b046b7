//! Every listener of a bank apart, asked by programs that are not ours: OpenSSL, sslscan, Python's requests.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{POSTGRES, SERVICES, ports};
use crate::process::Up;
use contracts::{authority, peers};

const LIVE: &str = "/health/live";
const CLIENT: &str = "
import os, requests
url = os.environ['URL'] + '/health/live'
print(requests.get(url, verify=os.environ['CA'], timeout=20).status_code)
try:
    requests.get(url, timeout=20)
    print('believed')
except requests.exceptions.SSLError:
    print('refused')
";

/// One listener, as its clients know it.
struct Listener {
    name: &'static str,
    port: u16,
    folder: PathBuf,
}

#[test]
fn every_listener_is_as_strict_as_it_should_be() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o711)).unwrap();
    let folder = home.path().join("bank");
    let running = Up::on(&folder).with(&["--apart"]).start();
    let ports = ports(&folder);
    for name in SERVICES.into_iter().chain([POSTGRES]) {
        let listener = Listener { name, port: ports[name], folder: folder.clone() };
        listener.shows_a_chain_that_is_right();
        listener.asks_who_is_there();
        listener.has_nothing_weak();
    }
    python_believes_the_authority_alone(&running.line.url, &running.line.ca);
}

impl Listener {
    /// Nobody outside has a certificate of the bank.
    fn is_public(&self) -> bool {
        self.name == peers::WEB
    }

    /// What its certificate names.
    fn known_as(&self) -> &'static str {
        if self.is_public() || self.name == POSTGRES { "localhost" } else { self.name }
    }

    fn ca(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    /// A certificate that lets in, and its key.
    fn own(&self) -> [String; 2] {
        let who = if self.name == POSTGRES { "bank" } else { "monitor" };
        let tls = self.folder.join(who).join("tls");
        ["", "-key"].map(|end| tls.join(format!("{who}{end}.pem")).display().to_string())
    }

    /// What OpenSSL sees of it, and hears.
    fn s_client(&self, path: &str, further: &[&str]) -> String {
        let mut openssl = Command::new("timeout");
        let at = format!("localhost:{}", self.port);
        openssl.args([
            "30",
            "openssl",
            "s_client",
            "-connect",
            &at,
            "-servername",
            self.known_as(),
            "-CAfile",
            &self.ca(),
        ]);
        openssl.args(["-verify_return_error", "-verify_hostname", self.known_as(), "-ign_eof"]).args(further);
        if self.name == POSTGRES {
            openssl.args(["-starttls", "postgres"]);
        }
        let mut child = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let asking = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        // One that was refused reads no more.
        let _ = child.stdin.take().unwrap().write_all(asking.as_bytes());
        let out = child.wait_with_output().unwrap();
        [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    }

    fn with_certificate(&self, further: &[&str]) -> String {
        let [certificate, key] = self.own();
        self.s_client(LIVE, &[&["-cert", &certificate, "-cert_chain", &certificate, "-key", &key], further].concat())
    }

    fn shows_a_chain_that_is_right(&self) {
        let said = self.with_certificate(&["-tls1_3", "-showcerts"]);
        let right = ["Verification: OK", "New, TLSv1.3", "Verify return code: 0 (ok)"];
        assert!(right.iter().all(|word| said.contains(word)), "{}: {said}", self.name);
        assert!(self.name == POSTGRES || said.contains("HTTP/1.1 200"), "{}: {said}", self.name);
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        let shown: Vec<String> = said
            .split(begin)
            .skip(1)
            .filter_map(|rest| rest.split_once(end))
            .map(|(base64, _)| format!("{begin}{base64}{end}\n"))
            .collect();
        let file = self.folder.join("shown.pem");
        std::fs::write(&file, shown.concat()).unwrap();
        let file = file.display().to_string();
        let verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", self.known_as()];
        let judged =
            Command::new("openssl").args(verify).args(["-CAfile", &self.ca(), "-untrusted", &file, &file]).output();
        let judged = judged.unwrap();
        assert!(judged.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&judged.stderr));
    }

    fn asks_who_is_there(&self) {
        let older = self.with_certificate(&["-tls1_2"]);
        assert_eq!(older.contains("New, TLSv1.2"), self.is_public(), "{}: {older}", self.name);
        // Everybody may ask whether the authority lives; what it took back it tells those with a certificate.
        let path = if self.name == authority::SERVICE { "/inner/lists" } else { LIVE };
        let nobody = self.s_client(path, &["-tls1_3"]);
        let expected = match self.name {
            peers::WEB => "HTTP/1.1 200",
            // Those who are to join come in, and are told nothing of the others.
            authority::SERVICE => "HTTP/1.1 403",
            // PostgreSQL asks when it knows the role, which OpenSSL does not say.
            POSTGRES => "Verification: OK",
            _ => "certificate required",
        };
        assert!(nobody.contains(expected), "{}: {nobody}", self.name);
        assert!(expected.starts_with("HTTP") || !nobody.contains("HTTP/1.1 "), "{}: {nobody}", self.name);
    }

    fn has_nothing_weak(&self) {
        let [certificate, key] = self.own();
        let mut sslscan = Command::new("timeout");
        sslscan.args(["120", "sslscan", "--no-colour", "--xml=-"]);
        sslscan.args([
            format!("--certs={certificate}"),
            format!("--pk={key}"),
            format!("--sni-name={}", self.known_as()),
        ]);
        if self.name == POSTGRES {
            sslscan.arg("--starttls-psql");
        }
        let out = sslscan.arg(format!("localhost:{}", self.port)).output().unwrap_or_else(|error| {
            panic!("this test needs sslscan ({error}): `cargo xtask test` installs it on Debian, as root")
        });
        let said = String::from_utf8(out.stdout).unwrap();
        let lines = |begin: &'static str| said.lines().map(str::trim).filter(move |line| line.starts_with(begin));
        let spoken: Vec<_> = lines("<protocol ")
            .filter(|line| line.contains("enabled=\"1\""))
            .filter_map(|line| value(line, "version"))
            .collect();
        let expected = if self.is_public() { vec!["1.2", "1.3"] } else { vec!["1.3"] };
        assert_eq!(spoken, expected, "{}: {said}", self.name);
        assert!(lines("<cipher ").count() > 0, "{}: {said}", self.name);
        for cipher in lines("<cipher ") {
            // OpenSSL's names and those of the registry.
            let name = value(cipher, "cipher").unwrap().replace('-', "_");
            let good = ["_GCM_SHA", "CHACHA20_POLY1305"].iter().any(|kind| name.contains(kind))
                && ["ECDHE_", "TLS_AES_", "TLS_CHACHA20_"].iter().any(|kind| name.starts_with(kind));
            assert!(good, "{} takes {name}", self.name);
        }
        for line in lines("<heartbleed ").chain(lines("<compression ")).chain(lines("<renegotiation ")) {
            assert!(!line.contains("vulnerable=\"1\""), "{}: {line}", self.name);
            assert!(!line.contains("<compression supported=\"1\""), "{}: {line}", self.name);
        }
    }
}

/// What `line` of XML says of `name`.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn python_believes_the_authority_alone(url: &str, ca: &Path) {
    let python = std::env::var_os("GUICHET_TEST_PYTHON").unwrap_or_else(|| {
        panic!(
            "GUICHET_TEST_PYTHON is not set: run `cargo xtask test -p guichet`, which prepares the Python of this test"
        )
    });
    let out = Command::new(python).args(["-c", CLIENT]).env("URL", url).env("CA", ca).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(said, "200\nrefused\n", "{}", String::from_utf8_lossy(&out.stderr));
}
