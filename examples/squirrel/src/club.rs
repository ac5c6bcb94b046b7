//! The club's folder: its certificate authority, and the certificates that it gave to servers and members.
//!
//! The authority's key lies there too, which is fit for one leader with one machine: a member makes a key elsewhere,
//! and only the public half travels.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pki::{Authority, Created, Identity, PkiError, Request, Usage};
use vocabulary::{Chance, Clock, Timestamp};

const NAME: &str = "Secret Squirrels";
const MOST_BYTES: u64 = 64 * 1024;

/// Something is wrong with the club's folder.
#[derive(Debug, thiserror::Error)]
pub enum ClubError {
    /// A certificate or key.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Nobody to trust.
    #[error("cannot read {path}, the certificate of the club's CA: {1}. Ask the leader for it", path = .0.display())]
    NoAuthority(PathBuf, io::Error),
    /// Nobody gave it.
    #[error("there is no {path}: the leader makes it with `squirrel certify`", path = .0.display())]
    NoCertificate(PathBuf),
    /// A name that cannot be that of files.
    #[error("`{0}` names no certificate: take 1 to 30 small letters and digits, and not `ca`")]
    Name(String),
}

/// The certificate of the authority whom the club trusts, in PEM.
pub fn authority(folder: &Path) -> Result<String, ClubError> {
    let (path, mut pem) = (folder.join("ca.pem"), String::new());
    let read = File::open(&path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut pem));
    read.map_err(|error| ClubError::NoAuthority(path, error))?;
    Ok(pem)
}

/// The certificate that was given to `name`, with its key.
pub fn identity(folder: &Path, name: &str) -> Result<Identity, ClubError> {
    Identity::open(folder, checked(name)?).map_err(|error| match error {
        PkiError::File { path, source, .. } if source.kind() == io::ErrorKind::NotFound => {
            ClubError::NoCertificate(path)
        }
        other => other.into(),
    })
}

/// What [`certify`] made.
pub struct Certified {
    /// Whether the authority is new, too: nobody trusts it yet.
    pub authority: Created,
    /// The authority's fingerprint, to compare by telephone.
    pub fingerprint: String,
    /// The last moment of the certificate.
    pub until: Timestamp,
}

/// Gives `name` a certificate for `days`: that of a server at `hosts`, or of a member when there are none. Makes the
/// authority first when the folder has none. `at` is the moment it is given, now or not.
pub fn certify(folder: &Path, name: &str, hosts: &[String], days: u16, at: &Clock) -> Result<Certified, ClubError> {
    let chance = Chance::system();
    let (authority, created) = Authority::open_or_create(folder, NAME, &Clock::system(), &chance)?;
    let request = Request {
        names: hosts.to_vec(),
        common_name: checked(name)?.into(),
        usage: if hosts.is_empty() { Usage::Client } else { Usage::Server },
        life: Duration::from_hours(24).saturating_mul(days.into()),
    };
    let identity = Identity::open_or_issue(folder, name, &authority, &request, at, &chance)?;
    Ok(Certified { authority: created, fingerprint: authority.fingerprint(), until: identity.until() })
}

/// It becomes part of file names beside `ca.pem`.
fn checked(name: &str) -> Result<&str, ClubError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if plain && (1..=30).contains(&name.len()) && name != "ca" { Ok(name) } else { Err(ClubError::Name(name.into())) }
}
