//! The root: the key that is trusted for ten years and used once in a long while, to sign an intermediate authority.
//!
//! Its key exists decrypted only inside the one command that needs it. Must not know: leaves, listeners, files.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use vocabulary::{Chance, Clock, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::{BACKDATE, DAY, LIFE_OF_AUTHORITY, serial, subject};
use crate::lists::{self, Head};
use crate::{Bounds, PkiError, PrivateKey, Revoked};

/// An intermediate is replaced about every 16 months, at two thirds of this.
const LIFE_OF_INTERMEDIATE: Duration = DAY.saturating_mul(730);

/// A root authority with its decrypted key.
pub struct Root {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    until: Timestamp,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Root {
    /// Signs a certificate of ten years for `key` with itself.
    pub fn make(name: &str, key: PrivateKey, clock: &Clock, chance: &Chance) -> Result<Self, PkiError> {
        let until = clock.now().plus(LIFE_OF_AUTHORITY);
        let params = authority(name, 1, clock.now(), until, chance)?;
        let key = key.into_pair();
        let pem = params.self_signed(&key).map_err(PkiError::crypto("sign the root's certificate"))?.pem();
        Self::of(pem, key)
    }

    /// From its certificate in PEM and its decrypted key.
    pub fn open(cert_pem: &str, key: PrivateKey, clock: &Clock) -> Result<Self, PkiError> {
        let wrong = |why: &str| PkiError::Refused(why.into());
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes())
            .map_err(|_| wrong("the root's file holds no certificate"))?;
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| wrong("the root's certificate cannot be decoded"))?;
        if parsed.public_key().raw != key.public() {
            return Err(wrong("this key does not belong to the root's certificate"));
        }
        let now = clock.now().seconds();
        if now < parsed.validity().not_before.timestamp() || now > parsed.validity().not_after.timestamp() {
            return Err(wrong(
                "the root's certificate is outside its validity: set the clock, or begin with a new root",
            ));
        }
        Self::of(cert_pem.to_owned(), key.into_pair())
    }

    fn of(pem: String, key: KeyPair) -> Result<Self, PkiError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| PkiError::Refused("the root's file holds no certificate".into()))?;
        let until = X509Certificate::from_der(&der)
            .map(|(_, parsed)| Timestamp::from_seconds(parsed.validity().not_after.timestamp()))
            .map_err(|_| PkiError::Refused("the root's certificate cannot be decoded".into()))?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(PkiError::crypto("use the root's certificate"))?;
        Ok(Self { issuer, certificate: der, pem, until })
    }

    /// The certificate that everybody must trust, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// Signs the certificate of an intermediate: it signs leaves and no further authority, within `bounds`, for two
    /// years or as long as the root lives.
    pub fn intermediate(
        &self,
        name: &str,
        key: &PrivateKey,
        bounds: &Bounds,
        clock: &Clock,
        chance: &Chance,
    ) -> Result<String, PkiError> {
        let until = clock.now().plus(LIFE_OF_INTERMEDIATE).min(self.until);
        let mut params = authority(name, 0, clock.now(), until, chance)?;
        params.use_authority_key_identifier_extension = true;
        params.name_constraints = bounds.constraints();
        let signed = params.signed_by(key.pair(), &self.issuer);
        Ok(signed.map_err(PkiError::crypto("sign the intermediate's certificate"))?.pem())
    }

    /// Signs the list of intermediates that were taken back. It is good as long as an intermediate lives, because the
    /// root's key is seldom at hand.
    pub(crate) fn list<'a>(
        &self,
        number: u64,
        made: Timestamp,
        revoked: impl Iterator<Item = (&'a str, Revoked)>,
    ) -> Result<String, PkiError> {
        lists::sign(&self.issuer, &self.certificate, Head { number, made, life: LIFE_OF_INTERMEDIATE }, revoked)
    }
}

/// What every authority's certificate says; `below` is how many further authorities may stand under it.
pub(crate) fn authority(
    name: &str,
    below: u8,
    now: Timestamp,
    until: Timestamp,
    chance: &Chance,
) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial(chance));
    params.use_authority_key_identifier_extension = true;
    params.not_before = now.minus(BACKDATE).utc();
    params.not_after = until.utc();
    Ok(params)
}
