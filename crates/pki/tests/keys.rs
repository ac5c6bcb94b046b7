//! Private keys: what OpenSSL writes is read here, what is written here OpenSSL reads.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::Command;

use pki::{Algorithm, Passphrase, PrivateKey, Warning};
use vocabulary::Chance;

const WORDS: &str = "velvet anchor tumbles south";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

/// Runs `openssl` in `dir`; its passphrase stands in the file `pass`.
fn openssl(dir: &Path, line: &str) -> (bool, String) {
    let out = Command::new("openssl").args(line.split_whitespace()).current_dir(dir).output();
    let out = out.expect("this test needs the program `openssl`");
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

fn public_of(dir: &Path, file: &str) -> String {
    let (good, said) = openssl(dir, &format!("pkey -in {file} -passin file:pass -pubout"));
    assert!(good, "{file}: {said}");
    said
}

fn framed(tag: &str, body: &str) -> String {
    format!("-----BEGIN {tag}-----\n{body}\n-----END {tag}-----\n")
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pass"), WORDS).unwrap();
    dir
}

#[test]
fn keys_of_every_algorithm_are_written_encrypted_so_that_openssl_reads_them() {
    let dir = folder();
    for (algorithm, kind) in
        [(Algorithm::P256, "EC P-256"), (Algorithm::Ed25519, "Ed25519"), (Algorithm::Rsa3072, "RSA 3072")]
    {
        let key = PrivateKey::generate(algorithm).unwrap();
        assert_eq!(key.kind(), kind);
        let locked = key.encrypted_pem(&passphrase(WORDS), &Chance::system()).unwrap();
        assert!(PrivateKey::is_encrypted(&locked) && !PrivateKey::is_encrypted(&key.pem()));
        fs::write(dir.path().join("locked.pem"), &locked).unwrap();
        fs::write(dir.path().join("open.pem"), key.pem().as_bytes()).unwrap();
        assert_eq!(public_of(dir.path(), "locked.pem"), public_of(dir.path(), "open.pem"));
        let (read, warnings) = PrivateKey::read(&locked, Some(&passphrase(WORDS))).unwrap();
        assert_eq!((&*read.pem(), warnings), (&*key.pem(), vec![]));

        fs::write(dir.path().join("wrong"), "not these words").unwrap();
        assert!(!openssl(dir.path(), "pkey -in locked.pem -passin file:wrong -noout").0);
        let said = PrivateKey::read(&locked, Some(&passphrase("not these words"))).unwrap_err().to_string();
        assert!(said.contains("passphrase does not open it"), "{said}");
        let said = PrivateKey::read(&locked, None).unwrap_err().to_string();
        assert!(said.contains("no passphrase was given"), "{said}");
    }
}

#[test]
fn a_key_is_stretched_as_much_as_promised_and_two_encryptions_differ() {
    let dir = folder();
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let write = || key.encrypted_pem(&passphrase(WORDS), &Chance::system()).unwrap();
    let locked = write();
    assert_ne!(locked, write());
    fs::write(dir.path().join("locked.pem"), locked).unwrap();
    let (_, said) = openssl(dir.path(), "asn1parse -in locked.pem");
    for wanted in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"] {
        assert!(said.contains(wanted), "no `{wanted}` in\n{said}");
    }
}

#[test]
fn a_short_passphrase_is_refused_for_a_new_key() {
    let key = PrivateKey::generate(Algorithm::P256).unwrap();
    let said = key.encrypted_pem(&passphrase("seven77"), &Chance::system()).unwrap_err().to_string();
    assert!(said.contains("8 characters"), "{said}");
    assert!(Passphrase::new(String::new()).is_err() && Passphrase::new("x".repeat(1025)).is_err());
}

#[test]
fn every_form_that_openssl_writes_is_read_and_the_old_ones_with_a_warning() {
    let dir = folder();
    let traditional = |cipher| vec![Warning::ShortRsa(2048), Warning::TraditionalEncryption(cipher)];
    let forms: [(&str, &str, Vec<Warning>); 14] = [
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY", "EC P-256", vec![]),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out KEY", "EC P-384", vec![]),
        ("ecparam -name prime256v1 -genkey -out KEY", "EC P-256", vec![]),
        ("ecparam -name secp521r1 -genkey -out KEY", "EC P-521", vec![]),
        ("genpkey -algorithm ED25519 -out KEY", "Ed25519", vec![]),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out KEY", "RSA 3072", vec![]),
        ("genrsa -traditional -out KEY 2048", "RSA 2048", vec![Warning::ShortRsa(2048)]),
        ("genrsa -traditional -aes128 -passout file:pass -out KEY 2048", "RSA 2048", traditional("AES-128-CBC")),
        ("genrsa -traditional -aes256 -passout file:pass -out KEY 2048", "RSA 2048", traditional("AES-256-CBC")),
        ("genrsa -traditional -des3 -passout file:pass -out KEY 2048", "RSA 2048", traditional("DES-EDE3-CBC")),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass file:pass -out KEY", "EC P-256", vec![]),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -des3 -pass file:pass -out KEY", "EC P-256", vec![]),
        ("pkcs8 -topk8 -scrypt -in ec.pem -passout file:pass -out KEY", "EC P-256", vec![]),
        ("pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -in ec.pem -passout file:pass -out KEY", "EC P-256", vec![]),
    ];
    assert!(openssl(dir.path(), "ecparam -name prime256v1 -genkey -noout -out ec.pem").0);
    for (line, kind, warned) in forms {
        let (good, said) = openssl(dir.path(), &line.replace("KEY", "key.pem"));
        assert!(good, "{line}: {said}");
        let text = fs::read_to_string(dir.path().join("key.pem")).unwrap();
        assert_eq!(PrivateKey::is_encrypted(&text), line.contains("file:pass"), "{line}");
        let words = passphrase(WORDS);
        let (key, mut warnings) =
            PrivateKey::read(&text, Some(&words)).unwrap_or_else(|error| unreachable!("{line}: {error}\n{text}"));
        warnings.sort_by_key(|warning| matches!(warning, Warning::TraditionalEncryption(_)));
        assert_eq!((key.kind().as_str(), warnings), (kind, warned), "{line}");
        fs::write(dir.path().join("ours.pem"), key.pem().as_bytes()).unwrap();
        assert_eq!(public_of(dir.path(), "ours.pem"), public_of(dir.path(), "key.pem"), "{line}");
        if line.contains("file:pass") {
            let said = PrivateKey::read(&text, Some(&passphrase("not these words"))).unwrap_err().to_string();
            assert!(said.contains("passphrase does not open it"), "{line}: {said}");
        }
    }
}

#[test]
fn what_is_too_weak_too_dear_or_no_key_is_refused_with_the_reason() {
    let dir = folder();
    let refused = |text: &str| PrivateKey::read(text, Some(&passphrase(WORDS))).map(|_| ()).unwrap_err().to_string();
    let made = |line: &str| {
        let (good, said) = openssl(dir.path(), line);
        assert!(good, "{line}: {said}");
        fs::read_to_string(dir.path().join("key.pem")).unwrap()
    };
    let short = refused(&made("genrsa -out key.pem 1024"));
    assert!(short.contains("damaged") || short.contains("too short"), "{short}");
    let curve = refused(&made("ecparam -name secp256k1 -genkey -noout -out key.pem"));
    assert!(curve.contains("kind that is not used here"), "{curve}");
    // The number of rounds, 600,000, raised to 8,388,607 in place.
    let locked = PrivateKey::generate(Algorithm::P256).unwrap().encrypted_pem(&passphrase(WORDS), &Chance::system());
    let mut der = pem::parse(locked.unwrap()).unwrap().into_contents();
    let at = der.windows(5).position(|bytes| bytes == [2, 3, 0x09, 0x27, 0xC0]).unwrap();
    der[at + 2..at + 5].copy_from_slice(&[0x7F, 0xFF, 0xFF]);
    let dear = refused(&pem::encode(&pem::Pem::new("ENCRYPTED PRIVATE KEY", der)));
    assert!(dear.contains("too much time"), "{dear}");
    for (text, wanted) in [
        ("", "no private key"),
        (&framed("PRIVATE KEY", "MIGH").replace("END", ""), "no private key"),
        (&framed("PRIVATE KEY", "AAAA"), "damaged"),
        (&framed("CERTIFICATE", "AAAA"), "no private key"),
        (
            &framed("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: RC2-40-CBC,0011223344556677\n\nAAAA"),
            "RC2-40-CBC",
        ),
        (&framed("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC\n\nAAAA"), "DEK-Info"),
    ] {
        let said = refused(text);
        assert!(said.contains(wanted), "{text:?}: {said}");
    }
}
