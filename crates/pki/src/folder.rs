//! An authority in a folder: root and intermediate, what was signed, and the revocation list.
//!
//! | file | what | who may read it |
//! | --- | --- | --- |
//! | `root.pem` | the certificate that everybody trusts | everyone |
//! | `root-key.pem` | its key, encrypted; does not stay here | its owner |
//! | `intermediate.pem`, `intermediate-key.pem` | what signs day by day | everyone; its owner |
//! | `former-*.pem` | earlier intermediates, while certificates of theirs live | as above |
//! | `index.json` | what was signed and revoked | everyone |
//! | `root-crl.pem` | the root's list of revoked intermediates | everyone |
//! | `crl.pem` | the newest revocation lists, of intermediates and root | everyone |
//!
//! One process at a time works on it; others wait for a moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use vocabulary::{Chance, Clock};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::DAY;
use crate::files::{self, Readers};
use crate::index::{self, Index};
use crate::lists::{self, Head};
use crate::{
    Authority, Deed, Entry, Issued, Life, PkiError, PrivateKey, Reason, Request, Revoked, SigningRequest, Usage, names,
};

/// How often and how long one waits for another process to be done with the folder.
const TRIES: u32 = 200;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);
pub(crate) const LIFE_OF_LIST: Duration = DAY.saturating_mul(7);
const LONGEST_LIFE_OF_LIST: Duration = DAY.saturating_mul(366);

/// An authority's folder, held by this process.
#[derive(Debug)]
pub struct Folder {
    pub(crate) dir: PathBuf,
    pub(crate) index: Index,
    pub(crate) _lock: File,
}

/// For whom a certificate is signed; by hand, for nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whose {
    member: Option<String>,
    line: Option<String>,
}

impl Whose {
    pub(crate) fn member(name: &str, line: Option<String>) -> Self {
        Self { member: Some(name.to_owned()), line }
    }
}

impl Folder {
    /// Opens what [`Folder::init`] made.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        if !dir.join("root.pem").exists() {
            return Err(PkiError::Refused(format!(
                "there is no authority in {}: make one with `guichet pki init`, or name its folder with --dir",
                dir.display()
            )));
        }
        let lock = take(dir)?;
        let index = Index::read(&dir.join("index.json"))?.ok_or_else(|| PkiError::Damaged {
            path: dir.join("index.json"),
            why: "it is missing".into(),
            remedy: "Restore it from a backup: without it nobody knows what was signed and revoked".into(),
        })?;
        Ok(Self { dir: dir.into(), index, _lock: lock })
    }

    /// What signs.
    pub fn authority(&self, clock: &Clock) -> Result<Authority, PkiError> {
        self.present(clock)
    }

    /// The root's certificate, which everybody must trust.
    pub fn root_pem(&self) -> Result<String, PkiError> {
        self.must_read("root.pem", Readers::Everyone)
    }

    /// The newest revocation list.
    pub fn list_pem(&self) -> Result<String, PkiError> {
        let path = self.dir.join("crl.pem");
        let text = files::read_up_to(&path, Readers::Everyone, 2 * 1024 * 1024)?;
        text.map(|text| text.to_string()).ok_or_else(|| missing(&path))
    }

    /// Everything that was signed and is remembered.
    pub fn issued(&self) -> &[Entry] {
        &self.index.issued
    }

    /// Signs a stranger's request: see [`Authority::sign`].
    pub fn sign(
        &mut self,
        asked: &SigningRequest,
        request: &Request,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<String, PkiError> {
        let signed = self.authority(clock)?.sign(asked, request, clock, chance)?;
        self.remember(&signed, request, Whose::default(), clock, chance)?;
        self.write_index_with_more(clock)?;
        Ok(signed)
    }

    /// Issues a certificate for the same names and usage as `cert_pem`, which was signed here, with a new key of the same
    /// kind as `key`.
    pub fn renew(
        &mut self,
        cert_pem: &str,
        key: &PrivateKey,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Issued, PkiError> {
        let (serial, _) = serial_of(cert_pem)?;
        let entry = self.index.find(&serial).ok_or_else(|| {
            PkiError::Refused(format!(
                "no certificate with the serial number {serial} was signed here; sign a request instead"
            ))
        })?;
        if entry.revoked.is_some() {
            return Err(PkiError::Refused(
                "this certificate was revoked: it is not renewed. Sign a new request instead".into(),
            ));
        }
        let request = entry.request();
        let whose = Whose { member: entry.member.clone(), line: entry.line.clone() };
        let issued = self.authority(clock)?.issue_for(&key.another()?, &request, clock, chance)?;
        self.remember(&issued.cert_pem, &request, whose, clock, chance)?;
        self.write_index_with_more(clock)?;
        Ok(issued)
    }

    /// Takes a certificate back, by its serial number in hexadecimal digits, and makes a new revocation list.
    pub fn revoke(&mut self, serial: &str, reason: Reason, clock: &Clock, chance: &Chance) -> Result<Entry, PkiError> {
        let serial = tidy_serial(serial)?;
        if self.index.list_made.is_none() {
            // Something was revoked, and cut off before its list was made: also this, perhaps.
            self.list(None, clock)?;
        }
        let taken = self.take_back(&serial, reason, clock, chance)?;
        self.list(None, clock)?;
        Ok(taken)
    }

    /// The same, without a new list yet.
    pub(crate) fn take_back(
        &mut self,
        serial: &str,
        reason: Reason,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Entry, PkiError> {
        let now = clock.now();
        let entry = self.index.find(serial).ok_or_else(|| {
            PkiError::Refused(format!("no certificate with the serial number {serial} was signed here"))
        })?;
        if let Some(before) = entry.revoked {
            return Err(PkiError::Refused(format!("this certificate was revoked already, on {}", before.at)));
        }
        entry.revoked = Some(Revoked { at: now, reason });
        let entry = entry.clone();
        let why = serde_json::to_value(reason).ok().and_then(|why| why.as_str().map(str::to_owned)).unwrap_or_default();
        self.record(Deed::Revoked, &entry.common_name, Some(serial), why, clock, chance);
        Ok(entry)
    }

    /// The same for a certificate at hand, in PEM: it has to come from here, even if the index forgot it.
    pub fn revoke_certificate(
        &mut self,
        cert_pem: &str,
        reason: Reason,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<Entry, PkiError> {
        let (serial, der) = serial_of(cert_pem)?;
        if self.index.find(&serial).is_none() {
            let entry = self.forgotten(&der, clock)?;
            self.index.issued.push(entry);
        }
        self.revoke(&serial, reason, clock, chance)
    }

    fn forgotten(&self, der: &CertificateDer<'_>, clock: &Clock) -> Result<Entry, PkiError> {
        let foreign = || PkiError::Refused("this certificate was not signed here, so it cannot be revoked here".into());
        let (_, cert) = X509Certificate::from_der(der).map_err(|_| foreign())?;
        let mut ours = self.authorities(clock)?.into_iter();
        let signed = ours.any(|one| {
            X509Certificate::from_der(one.certificate())
                .is_ok_and(|(_, issuer)| cert.verify_signature(Some(issuer.public_key())).is_ok())
        });
        if signed { Ok(entry(&cert, None)) } else { Err(foreign()) }
    }

    /// Makes a new revocation list with the next number: one for each intermediate that may still have signed something
    /// that lives, and after them the root's. `life` is how long it is good for, from now on also by itself.
    pub fn list(&mut self, life: Option<Duration>, clock: &Clock) -> Result<String, PkiError> {
        if let Some(life) = life {
            if life < Duration::from_mins(1) || life > LONGEST_LIFE_OF_LIST {
                return Err(PkiError::Refused("a revocation list is good for a minute to a year".into()));
            }
            self.index.list_life_seconds = life.as_secs();
        }
        self.index.list_number = self.index.list_number.saturating_add(1);
        let now = clock.now();
        self.index.list_made = None;
        // The number first: one that was handed out is never used again.
        self.write_index(clock)?;
        let mut text = String::new();
        let life = Duration::from_secs(self.index.list_life_seconds);
        let head = Head { number: self.index.list_number, made: now, life };
        for authority in self.authorities(clock)? {
            let named = self.index.issued.iter().filter_map(|one| Some((one.serial.as_str(), one.revoked?)));
            text += &lists::sign(&authority.issuer, authority.certificate(), head, named)?;
        }
        text += &self.must_read("root-crl.pem", Readers::Everyone)?;
        files::write(&self.dir.join("crl.pem"), &text, Readers::Everyone)?;
        // Last: whoever is cut off before makes the list again.
        self.index.list_made = Some(now);
        self.write_index(clock)?;
        Ok(text)
    }

    /// Makes a new list when two thirds of the last one's life are over, so that it never runs out while somebody looks.
    pub fn list_if_due(&mut self, clock: &Clock) -> Result<(), PkiError> {
        let life = Duration::from_secs(self.index.list_life_seconds);
        let until = self.index.list_made.map(|made| made.plus(life.saturating_mul(2).checked_div(3).unwrap_or(life)));
        if until.is_some_and(|until| clock.now() < until) {
            return Ok(());
        }
        self.list(None, clock).map(|_| ())
    }

    /// Takes note of what was signed; it counts once the index is written.
    pub(crate) fn remember(
        &mut self,
        cert_pem: &str,
        request: &Request,
        whose: Whose,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<(), PkiError> {
        let (_, der) = serial_of(cert_pem)?;
        let (_, cert) = X509Certificate::from_der(&der)
            .map_err(|_| PkiError::Refused("the certificate cannot be decoded".into()))?;
        let entry = Entry { member: whose.member, line: whose.line, ..entry(&cert, Some(request)) };
        let (name, serial) = (entry.common_name.clone(), entry.serial.clone());
        let detail = format!("{} until {}", entry.names.join(", "), entry.until);
        self.index.issued.push(entry);
        self.record(Deed::Issued, &name, Some(&serial), detail, clock, chance);
        Ok(())
    }

    pub(crate) fn write_index(&mut self, clock: &Clock) -> Result<(), PkiError> {
        self.write_index_up_to(index::MOST_BYTES, clock)
    }

    /// The same where something was added that can be done without.
    pub(crate) fn write_index_with_more(&mut self, clock: &Clock) -> Result<(), PkiError> {
        self.write_index_up_to(index::MOST_BYTES_TO_SIGN, clock)
    }

    fn write_index_up_to(&mut self, most: usize, clock: &Clock) -> Result<(), PkiError> {
        let path = self.dir.join("index.json");
        self.index.write(&path, most, clock.now()).inspect_err(|_| {
            // What could not be written was not done.
            if let Ok(Some(written)) = Index::read(&path) {
                self.index = written;
            }
        })
    }

    pub(crate) fn must_read(&self, name: &str, readers: Readers) -> Result<String, PkiError> {
        let path = self.dir.join(name);
        files::read(&path, readers)?.map(|text| text.to_string()).ok_or_else(|| missing(&path))
    }
}

fn missing(path: &Path) -> PkiError {
    let remedy = "Restore it from a backup of the folder".into();
    PkiError::Damaged { path: path.into(), why: "it is missing".into(), remedy }
}

pub(crate) fn take(dir: &Path) -> Result<File, PkiError> {
    let path = dir.join("lock");
    let failed = |source| PkiError::File { action: "lock", path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    // Everybody who takes it is done in a moment; a passphrase is asked for before.
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    Err(PkiError::Refused(format!("another command is at work in {}: try again when it is done", dir.display())))
}

/// What is remembered of a certificate.
fn entry(cert: &X509Certificate<'_>, request: Option<&Request>) -> Entry {
    let life = Life::of(cert.validity());
    let usage =
        cert.extended_key_usage().ok().flatten().map(|usage| (usage.value.server_auth, usage.value.client_auth));
    Entry {
        serial: digits(cert.raw_serial()),
        common_name: names::common_name(cert).unwrap_or_default(),
        names: names::of(cert),
        usage: match usage {
            Some((true, false)) => Usage::Server,
            Some((false, true)) => Usage::Client,
            _ => Usage::Both,
        },
        life_seconds: request.map_or_else(|| life.until.since(life.from), |request| request.life).as_secs(),
        from: life.from,
        until: life.until,
        member: None,
        line: None,
        revoked: None,
    }
}

pub(crate) fn serial_of(cert_pem: &str) -> Result<(String, CertificateDer<'static>), PkiError> {
    let wrong = |_| PkiError::Refused("there is no certificate in it".into());
    let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(wrong)?;
    let serial = X509Certificate::from_der(&der).map(|(_, cert)| digits(cert.raw_serial()));
    let serial = serial.map_err(|_| PkiError::Refused("the certificate cannot be decoded".into()))?;
    Ok((serial, der))
}

/// As people write a serial number, with colons or `0x`, in either case.
fn tidy_serial(text: &str) -> Result<String, PkiError> {
    let digits = text.trim().trim_start_matches("0x").replace(':', "").to_ascii_lowercase();
    let digits = digits.trim_start_matches("00");
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Err(PkiError::Refused(
            "a serial number has up to 40 hexadecimal digits, with or without colons".into(),
        ));
    }
    Ok(digits.to_owned())
}

/// Without the zero byte that DER puts before a serial number whose first bit is set.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    hex::encode(bytes)
}
