//! Private keys: made by three algorithms, read in every form that is met, written in one form.
//!
//! Written is PKCS#8, on demand encrypted (PBES2: PBKDF2 with SHA-256, AES-256-CBC), which OpenSSL 3 and Python's
//! `cryptography` read. Read are also PKCS#1, SEC 1, and what older programs encrypted; what is weak is read with a
//! [`Warning`]. Must not know: certificates.

mod traditional;

use std::fmt;
use std::path::Path;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, RsaKeyPair,
};
use pem::Pem;
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, der::Encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};
use vocabulary::Chance;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use crate::PkiError;
use crate::files::{self, Readers};

/// OWASP's figure for PBKDF2 with HMAC-SHA-256.
const ROUNDS: u32 = 600_000;
/// What a stranger's file may cost: a few seconds of PBKDF2, or 256 MiB of scrypt.
const MOST_ROUNDS: u32 = 5_000_000;
const MOST_SCRYPT_BYTES: u64 = 256 * 1024 * 1024;
const SHORTEST_PASSPHRASE: usize = 8;
const LONGEST_PASSPHRASE: usize = 1024;
/// Below this an RSA key is refused; from [`GOOD_RSA_BITS`] on it is taken without a word.
const LEAST_RSA_BITS: usize = 2048;
const GOOD_RSA_BITS: usize = 3072;

/// How a key is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Elliptic curve P-256 with SHA-256: small, fast, understood everywhere.
    #[default]
    P256,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
    /// Ed25519. Browsers and Windows do not take it in certificates.
    Ed25519,
}

/// What protects a key at rest. Wiped from memory, never shown.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// From what was typed or read; refused when it is empty or longer than 1024 bytes.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Result<Self, PkiError> {
        let text = text.into();
        match text.len() {
            0 => Err(PkiError::Refused("the passphrase is empty".into())),
            1..=LONGEST_PASSPHRASE => Ok(Self(text)),
            _ => Err(PkiError::Refused(format!("the passphrase is longer than {LONGEST_PASSPHRASE} bytes"))),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Something is read although it should not be used much longer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An RSA key shorter than any that is made here.
    ShortRsa(usize),
    /// The key file is encrypted in the way of old OpenSSL; with which cipher.
    TraditionalEncryption(&'static str),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortRsa(bits) => write!(
                f,
                "this RSA key has {bits} bits: it is still read, but no key shorter than {GOOD_RSA_BITS} is made here. \
                 Replace it soon"
            ),
            Self::TraditionalEncryption(cipher) => write!(
                f,
                "this key is encrypted in the traditional PEM form ({cipher}): a single round of MD5 lies between the \
                 passphrase and the key, so it is guessed quickly. Write it anew: `openssl pkcs8 -topk8 -v2 aes256`"
            ),
        }
    }
}

/// A private key. Never shown, not even in `Debug`.
pub struct PrivateKey(KeyPair);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.kind()).finish()
    }
}

impl PrivateKey {
    /// Makes one.
    pub fn generate(algorithm: Algorithm) -> Result<Self, PkiError> {
        let made = match algorithm {
            Algorithm::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Algorithm::Ed25519 => KeyPair::generate_for(&PKCS_ED25519)
                .and_then(|pair| from_pkcs8(pair.serialized_der()).ok_or(rcgen::Error::CouldNotParseKeyPair)),
            Algorithm::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
            Algorithm::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
        };
        made.map(Self).map_err(PkiError::crypto("make a private key"))
    }

    /// Whether the key in this PEM cannot be read without a passphrase.
    pub fn is_encrypted(text: &str) -> bool {
        section(text).is_ok_and(|pem| pem.tag() == "ENCRYPTED PRIVATE KEY" || traditional::is_encrypted(&pem))
    }

    /// Reads a key from PEM: PKCS#8, PKCS#1 or SEC 1, encrypted or not.
    pub fn read(text: &str, passphrase: Option<&Passphrase>) -> Result<(Self, Vec<Warning>), PkiError> {
        let pem = section(text)?;
        let locked = || PkiError::Key("it is encrypted, and no passphrase was given".into());
        let mut warnings = Vec::new();
        let pair = if pem.tag() == "ENCRYPTED PRIVATE KEY" {
            from_pkcs8(&decrypted(pem.contents(), passphrase.ok_or_else(locked)?)?)
        } else if traditional::is_encrypted(&pem) {
            let (der, cipher) = traditional::decrypt(&pem, passphrase.ok_or_else(locked)?)?;
            warnings.push(Warning::TraditionalEncryption(cipher));
            // One wrong passphrase in 256 leaves a padding that looks right: what came out is no key then.
            Some(from_traditional(pem.tag(), &der).ok_or_else(wrong_passphrase)?)
        } else {
            from_traditional(pem.tag(), pem.contents())
        };
        let key = Self(pair.ok_or_else(|| {
            PkiError::Key(
                "it is damaged, or of a kind that is not used here (EC P-256, P-384 or P-521, RSA, Ed25519)".into(),
            )
        })?);
        warnings.extend(warning(&key.0.subject_public_key_info())?);
        Ok((key, warnings))
    }

    /// Reads a key from a file, asking for a passphrase only when it needs one. A file that others can read is refused,
    /// unless the key in it is encrypted.
    pub fn open(
        path: &Path,
        passphrase: impl FnOnce() -> Result<Passphrase, PkiError>,
    ) -> Result<(Self, Vec<Warning>), PkiError> {
        let text = files::read(path, Readers::Everyone)?
            .ok_or_else(|| PkiError::Key(format!("there is no file {}", path.display())))?;
        let named = |error| match error {
            PkiError::Key(why) => PkiError::Key(format!("{}: {why}", path.display())),
            other => other,
        };
        if Self::is_encrypted(&text) {
            return Self::read(&text, Some(&passphrase()?)).map_err(named);
        }
        files::read(path, Readers::Owner)?;
        Self::read(&text, None).map_err(named)
    }

    /// As PKCS#8 in PEM, not encrypted.
    pub fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// As PKCS#8 in PEM, encrypted. A passphrase shorter than 8 characters is refused.
    pub fn encrypted_pem(&self, passphrase: &Passphrase, chance: &Chance) -> Result<String, PkiError> {
        if passphrase.0.chars().count() < SHORTEST_PASSPHRASE {
            return Err(PkiError::Refused(format!(
                "the passphrase is too short: take {SHORTEST_PASSPHRASE} characters or more, better several words"
            )));
        }
        let failed = |why: &dyn fmt::Display| PkiError::Crypto { action: "encrypt the key", why: why.to_string() };
        let salt: [u8; 16] = chance.bytes();
        let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, chance.bytes())
            .map_err(|e| failed(&e))?;
        let locked = scheme.encrypt(passphrase.bytes(), self.0.serialized_der()).map_err(|e| failed(&e))?;
        let info = pkcs8::EncryptedPrivateKeyInfo {
            encryption_algorithm: pkcs5::EncryptionScheme::from(scheme),
            encrypted_data: pkcs8::der::asn1::OctetStringRef::new(&locked).map_err(|e| failed(&e))?,
        };
        Ok(encode("ENCRYPTED PRIVATE KEY", info.to_der().map_err(|e| failed(&e))?))
    }

    /// Its kind in words, such as `EC P-256` or `RSA 3072`.
    pub fn kind(&self) -> String {
        SubjectPublicKeyInfo::from_der(&self.0.subject_public_key_info())
            .map_or_else(|_| "unknown".into(), |(_, spki)| kind(&spki))
    }

    /// A new key of the same kind; RSA never shorter than 3072 bits.
    pub fn another(&self) -> Result<Self, PkiError> {
        Self::generate(match self.kind().as_str() {
            "Ed25519" => Algorithm::Ed25519,
            "RSA 4096" => Algorithm::Rsa4096,
            rsa if rsa.starts_with("RSA") => Algorithm::Rsa3072,
            _ => Algorithm::P256,
        })
    }

    /// The public half, as certificates carry it.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    pub(crate) const fn pair(&self) -> &KeyPair {
        &self.0
    }

    pub(crate) fn into_pair(self) -> KeyPair {
        self.0
    }
}

/// What a public key is, in words.
pub(crate) fn kind(spki: &SubjectPublicKeyInfo<'_>) -> String {
    match (spki.algorithm.algorithm.to_id_string().as_str(), spki.parsed()) {
        ("1.3.101.112", _) => "Ed25519".into(),
        (_, Ok(PublicKey::RSA(key))) => format!("RSA {}", rsa_bits(key.modulus)),
        (_, Ok(PublicKey::EC(point))) => match point.key_size() {
            // The point's coordinates are whole bytes: 521 bits fill 528.
            528 => "EC P-521".into(),
            bits => format!("EC P-{bits}"),
        },
        (oid, _) => format!("unknown ({oid})"),
    }
}

/// What must be said of a public key before it is used; an RSA key that is too short is refused.
pub(crate) fn warning(spki_der: &[u8]) -> Result<Option<Warning>, PkiError> {
    let (_, spki) =
        SubjectPublicKeyInfo::from_der(spki_der).map_err(|_| PkiError::Key("its public half is damaged".into()))?;
    let Ok(PublicKey::RSA(key)) = spki.parsed() else { return Ok(None) };
    match rsa_bits(key.modulus) {
        GOOD_RSA_BITS.. => Ok(None),
        bits @ LEAST_RSA_BITS.. => Ok(Some(Warning::ShortRsa(bits))),
        bits => Err(PkiError::Key(format!("an RSA key of {bits} bits is too short: make one of {GOOD_RSA_BITS}"))),
    }
}

fn rsa_bits(modulus: &[u8]) -> usize {
    let digits: Vec<_> = modulus.iter().skip_while(|byte| **byte == 0).collect();
    let unused = digits.first().map_or(0, |byte| byte.leading_zeros() as usize);
    digits.len().saturating_mul(8).saturating_sub(unused)
}

/// The first section of a PEM text that holds a private key. `EC PARAMETERS` and certificates before it are passed over.
fn section(text: &str) -> Result<Pem, PkiError> {
    let sections =
        pem::parse_many(text).map_err(|_| PkiError::Key("it is not PEM (cut off, or overwritten?)".into()))?;
    sections.into_iter().find(|pem| pem.tag().ends_with("PRIVATE KEY")).ok_or_else(|| {
        PkiError::Key("there is no private key in it: no line of it begins one, with the words PRIVATE KEY".into())
    })
}

pub(crate) fn encode(tag: &str, der: Vec<u8>) -> String {
    pem::encode_config(&Pem::new(tag, der), pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// Opens an encrypted PKCS#8 key, unless opening it would cost too much.
fn decrypted(der: &[u8], passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        PkiError::Key(
            "it is damaged, or encrypted in a way that is not read here (PBES2 with AES or triple DES is)".into(),
        )
    })?;
    let dear = match info.encryption_algorithm.pbes2().map(|scheme| &scheme.kdf) {
        Some(pbes2::Kdf::Pbkdf2(kdf)) => kdf.iteration_count > MOST_ROUNDS,
        Some(pbes2::Kdf::Scrypt(kdf)) => {
            kdf.cost_parameter.saturating_mul(u64::from(kdf.block_size)).saturating_mul(128) > MOST_SCRYPT_BYTES
        }
        _ => false,
    };
    if dear {
        return Err(PkiError::Key("deriving the key from its passphrase would take too much time or memory".into()));
    }
    match info.decrypt(passphrase.bytes()) {
        Ok(open) => Ok(Zeroizing::new(open.as_bytes().to_vec())),
        Err(pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::UnsupportedAlgorithm { .. } | pkcs5::Error::AlgorithmParametersInvalid { .. },
        )) => Err(PkiError::Key(
            "it is encrypted in a way that is not read here (PBES2 with AES or triple DES is)".into(),
        )),
        Err(_) => Err(wrong_passphrase()),
    }
}

fn wrong_passphrase() -> PkiError {
    PkiError::Key("this passphrase does not open it".into())
}

fn from_traditional(tag: &str, der: &[u8]) -> Option<KeyPair> {
    match tag {
        "RSA PRIVATE KEY" => {
            let pair = RsaKeyPair::from_der(der).ok()?;
            let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'static>>::as_der(&pair).ok()?;
            from_pkcs8(pkcs8.as_ref())
        }
        "EC PRIVATE KEY" => {
            let known =
                [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
            let pair = known.into_iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())?;
            from_pkcs8(pair.to_pkcs8v1().ok()?.as_ref())
        }
        _ => from_pkcs8(der),
    }
}

/// Ed25519 is taken in the first version of PKCS#8, without its public half: OpenSSL 3.0 reads no other.
fn from_pkcs8(der: &[u8]) -> Option<KeyPair> {
    if let Ok(edwards) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        let first = edwards.to_pkcs8v1().ok()?;
        return KeyPair::try_from(first.as_ref()).ok();
    }
    KeyPair::try_from(&rustls::pki_types::PrivatePkcs8KeyDer::from(der)).ok()
}
