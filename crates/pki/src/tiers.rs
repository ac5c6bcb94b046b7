//! The two tiers of an authority: how root and intermediate are made, and how the intermediate is replaced.
//!
//! Promises: whoever is cut off on the way begins again with the same command, and finds the authority as it was before or
//! as it should be; no file that somebody else wrote is overwritten. Must not know: leaves.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};
use vocabulary::{Chance, Clock, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::files::{self, Readers};
use crate::folder::{self, LIFE_OF_LIST, serial_of};
use crate::index::{self, Index, RevokedIntermediate};
use crate::lists::{self, Head};
use crate::{Authority, Bounds, Deed, Folder, Life, Passphrase, PkiError, PrivateKey, Reason, Revoked, Root, names};

/// Stands while an authority is made, with the SHA-256 of its root's encrypted key: what this file tells of may be
/// overwritten, for nobody trusts it yet.
const UNFINISHED: &str = "init.unfinished";
const PRESENT: &str = "intermediate";

/// How an authority begins.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The authority's name, as it stands in its certificates.
    pub name: &'a str,
    /// The root's key.
    pub root_key: PrivateKey,
    /// The intermediate's key.
    pub intermediate_key: PrivateKey,
    /// What encrypts the root's key.
    pub passphrase: &'a Passphrase,
    /// Where the root's key is written; beside everything else when nothing is said.
    pub root_key_file: Option<&'a Path>,
    /// The names that may be signed at all.
    pub bounds: &'a Bounds,
}

impl Folder {
    /// Makes root and intermediate in `dir`. Refused when there is an authority already; one that was cut off before it was
    /// whole is begun anew.
    pub fn init(dir: &Path, plan: Plan<'_>, clock: &Clock, chance: &Chance) -> Result<Self, PkiError> {
        files::make_folder(dir)?;
        let lock = folder::take(dir)?;
        let in_dir = |name: &str| dir.join(name);
        let unfinished = files::read(&in_dir(UNFINISHED), Readers::Everyone)?;
        // The last that is written: with it there is an authority.
        let telling: &[&str] =
            if unfinished.is_some() { &["root.pem"] } else { &["root.pem", "intermediate.pem", "ca.pem"] };
        if let Some(name) = telling.iter().find(|name| in_dir(name).exists()) {
            return Err(PkiError::Refused(format!(
                "there is an authority in {} already ({name}): choose another folder, nothing is overwritten",
                dir.display()
            )));
        }
        let root_key_file = plan.root_key_file.map_or_else(|| in_dir("root-key.pem"), Path::to_path_buf);
        let before = files::read(&root_key_file, Readers::Owner)?;
        if before.is_some_and(|key| unfinished.as_ref().is_none_or(|known| known.trim() != digest(&key))) {
            return Err(PkiError::Refused(format!(
                "{} exists already: choose another file for the root's key, nothing is overwritten",
                root_key_file.display()
            )));
        }
        let locked = plan.root_key.encrypted_pem(plan.passphrase, chance)?;
        let root = Root::make(&format!("{} root", plan.name), plan.root_key, clock, chance)?;
        let name = format!("{} intermediate 1", plan.name);
        let between = root.intermediate(&name, &plan.intermediate_key, plan.bounds, clock, chance)?;
        let key = plan.intermediate_key.pem();
        let mut index = Index::new(LIFE_OF_LIST);
        (index.list_number, index.root_list_number, index.list_made) = (1, 1, Some(clock.now()));
        let of_root = root.list(1, clock.now(), std::iter::empty())?;
        let authority = Authority::intermediate(&between, plan.intermediate_key, root.certificate_pem(), clock)?;
        let head = Head { number: 1, made: clock.now(), life: LIFE_OF_LIST };
        let list = lists::sign(&authority.issuer, authority.certificate(), head, std::iter::empty())?;
        files::write(&in_dir(UNFINISHED), &format!("{}\n", digest(&locked)), Readers::Everyone)?;
        files::write(&root_key_file, &locked, Readers::Owner)?;
        files::write(&in_dir("intermediate-key.pem"), &key, Readers::Owner)?;
        files::write(&in_dir("intermediate.pem"), &between, Readers::Everyone)?;
        files::write(&in_dir("root-crl.pem"), &of_root, Readers::Everyone)?;
        files::write(&in_dir("crl.pem"), &(list + &of_root), Readers::Everyone)?;
        index.write(&in_dir("index.json"), index::MOST_BYTES, clock.now())?;
        files::write(&in_dir("root.pem"), root.certificate_pem(), Readers::Everyone)?;
        files::remove(&in_dir(UNFINISHED))?;
        Ok(Self { dir: dir.into(), index, _lock: lock })
    }

    /// Replaces the intermediate by one with a new key, under the same names and bounds. Certificates of the former stay
    /// good: it keeps signing their revocation list until it ends.
    ///
    /// With `stolen` the former is revoked instead, by the root: nothing that it signed is believed any more.
    pub fn renew_intermediate(
        &mut self,
        root_key: PrivateKey,
        stolen: bool,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<(), PkiError> {
        let root = Root::open(&self.root_pem()?, root_key, clock)?;
        self.settle()?;
        let cert = self.must_read("intermediate.pem", Readers::Everyone)?;
        let key = self.must_read("intermediate-key.pem", Readers::Owner)?;
        let (serial, der) = serial_of(&cert)?;
        if let Some(former) = self.index.replacing.clone().filter(|former| *former != serial) {
            // Cut off when all but the end was done.
            self.replaced(clock)?;
            if !stolen || self.has_revoked(&former) {
                return Ok(());
            }
        }
        let (_, old) = X509Certificate::from_der(&der)
            .map_err(|_| PkiError::Refused("the intermediate's certificate cannot be decoded".into()))?;
        let former = names::common_name(&old).unwrap_or_default();
        let name = next(&former);
        let new = PrivateKey::read(&key, None)?.0.another()?;
        let signed = root.intermediate(&name, &new, &Bounds::of(&old), clock, chance)?;
        self.index.replacing = Some(serial.clone());
        // Until there is one that covers what the new one signs.
        self.index.list_made = None;
        if stolen && !self.has_revoked(&serial) {
            let revoked = Revoked { at: clock.now(), reason: Reason::KeyCompromise };
            let why = "key_compromise: nothing that it signed is believed any more".to_owned();
            self.record(Deed::Revoked, &former, Some(&serial), why, clock, chance);
            self.index.revoked_intermediates.push(RevokedIntermediate { serial: serial.clone(), revoked });
        }
        let (of_new, until) = serial_and_end(&signed)?;
        self.record(Deed::Issued, &name, Some(&of_new), format!("in place of {former}, until {until}"), clock, chance);
        self.list_of_root(&root, clock)?;
        if !stolen {
            let short = serial.get(..16).unwrap_or(&serial);
            files::write(&self.dir.join(format!("former-{short}.pem")), &cert, Readers::Everyone)?;
            files::write(&self.dir.join(format!("former-{short}-key.pem")), &key, Readers::Owner)?;
        }
        // As in `Identity::keep`: with the certificate it is done, and who reads it finds the key that fits.
        let key = self.dir.join("intermediate-key.pem");
        files::write(&files::coming(&key), &new.pem(), Readers::Owner)?;
        files::write(&self.dir.join("intermediate.pem"), &signed, Readers::Everyone)?;
        files::rename(&files::coming(&key), &key)?;
        self.replaced(clock)
    }

    /// The list that covers what the new intermediate signs: with it, the former is replaced.
    fn replaced(&mut self, clock: &Clock) -> Result<(), PkiError> {
        self.list(None, clock)?;
        self.index.replacing = None;
        self.write_index(clock)
    }

    fn has_revoked(&self, intermediate: &str) -> bool {
        self.index.revoked_intermediates.iter().any(|one| one.serial == intermediate)
    }

    /// Puts the new intermediate's key in its place where that was cut off.
    fn settle(&self) -> Result<(), PkiError> {
        let path = self.dir.join("intermediate-key.pem");
        let coming = files::coming(&path);
        let Some(next) = files::read(&coming, Readers::Owner)? else { return Ok(()) };
        let cert = self.must_read("intermediate.pem", Readers::Everyone)?;
        let (_, der) = serial_of(&cert)?;
        let fits = |key: &str| {
            let key = PrivateKey::read(key, None)?.0;
            let fits = X509Certificate::from_der(&der).is_ok_and(|(_, own)| own.public_key().raw == key.public());
            Ok::<_, PkiError>(fits)
        };
        if fits(&next)? { files::rename(&coming, &path) } else { Ok(()) }
    }

    /// The root's own list, of intermediates. It is made whenever the root's key is at hand, and good until long after
    /// the intermediate is due.
    fn list_of_root(&mut self, root: &Root, clock: &Clock) -> Result<(), PkiError> {
        self.index.root_list_number = self.index.root_list_number.saturating_add(1);
        self.write_index(clock)?;
        let named = self.index.revoked_intermediates.iter().map(|one| (one.serial.as_str(), one.revoked));
        let text = root.list(self.index.root_list_number, clock.now(), named)?;
        files::write(&self.dir.join("root-crl.pem"), &text, Readers::Everyone)
    }

    /// The intermediate that signs.
    pub(crate) fn present(&self, clock: &Clock) -> Result<Authority, PkiError> {
        self.settle()?;
        self.authority_in(PRESENT, clock)
    }

    fn authority_in(&self, name: &str, clock: &Clock) -> Result<Authority, PkiError> {
        let cert = self.must_read(&format!("{name}.pem"), Readers::Everyone)?;
        let key = self.must_read(&format!("{name}-key.pem"), Readers::Owner)?;
        let (key, _) = PrivateKey::read(&key, None)?;
        Authority::intermediate(&cert, key, &self.root_pem()?, clock)
    }

    /// The present intermediate, and those before it that have not ended. One that cannot be used is an error: without its
    /// list nothing that it signed is believed.
    pub(crate) fn authorities(&self, clock: &Clock) -> Result<Vec<Authority>, PkiError> {
        let mut all = vec![self.present(clock)?];
        for name in self.former()? {
            let cert = self.must_read(&format!("{name}.pem"), Readers::Everyone)?;
            let (_, der) = serial_of(&cert)?;
            let ended =
                X509Certificate::from_der(&der).is_ok_and(|(_, own)| Life::of(own.validity()).until < clock.now());
            // The present one is there too, when its replacement was cut off.
            if !ended && all.iter().all(|one| *one.certificate() != der) {
                all.push(self.authority_in(&name, clock)?);
            }
        }
        Ok(all)
    }

    /// The names of the former intermediates, by their certificates or their keys.
    fn former(&self) -> Result<BTreeSet<String>, PkiError> {
        let failed = |source| PkiError::File { action: "read", path: self.dir.clone(), source };
        let mut former = BTreeSet::new();
        for entry in std::fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".pem").filter(|name| name.starts_with("former-")) {
                former.insert(name.strip_suffix("-key").unwrap_or(name).to_owned());
            }
        }
        Ok(former)
    }
}

fn serial_and_end(cert_pem: &str) -> Result<(String, Timestamp), PkiError> {
    let (serial, der) = serial_of(cert_pem)?;
    let (_, cert) = X509Certificate::from_der(&der)
        .map_err(|_| PkiError::Refused("the intermediate's certificate cannot be decoded".into()))?;
    Ok((serial, Life::of(cert.validity()).until))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The name with its number raised. Every intermediate needs a name of its own: revocation lists are found by it.
fn next(name: &str) -> String {
    match name.rsplit_once(' ').map(|(words, number)| (words, number.parse::<u32>())) {
        Some((words, Ok(number))) => format!("{words} {}", number.saturating_add(1)),
        _ => format!("{name} 2"),
    }
}
