//! Signs revocation lists (CRL version 2): which serial numbers an authority took back.

use std::time::Duration;

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason, RevokedCertParams, SerialNumber,
};
use vocabulary::Timestamp;
use x509_parser::extensions::ParsedExtension;
use x509_parser::num_bigint::BigUint;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::{Life, PkiError, Reason, Revoked, folder};

/// What a list says beside whom it names.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// Greater than that of every list before it.
    pub(crate) number: u64,
    pub(crate) made: Timestamp,
    pub(crate) life: Duration,
}

/// By what a list is known among those of its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its issuer's name and key: another authority may have the same name.
    issuer: (Vec<u8>, Option<Vec<u8>>),
    /// As long as it is, then as it stands: so numbers compare.
    number: Option<(usize, Vec<u8>)>,
    made: i64,
    /// When the next one is promised; nothing where none is.
    until: Option<i64>,
}

impl Seen {
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(der).ok()?;
        let key = list.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(by) => by.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        });
        let number = list.crl_number().map(BigUint::to_bytes_be);
        Some(Self {
            issuer: (list.issuer().as_raw().to_vec(), key),
            number: number.map(|number| (number.len(), number)),
            made: list.last_update().timestamp(),
            until: list.next_update().map(|until| until.timestamp()),
        })
    }

    /// From when until when it is believed, where that has an end.
    pub(crate) fn life(&self) -> Option<Life> {
        let until = Timestamp::from_seconds(self.until?);
        Some(Life { from: Timestamp::from_seconds(self.made), until })
    }

    pub(crate) fn is_by_issuer_of(&self, other: &Self) -> bool {
        self.issuer == other.issuer
    }

    /// Whether it was made before `other`. One with a lower number that was made later is not: its authority was restored
    /// from a backup.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        let lower = match (&self.number, &other.number) {
            (Some(own), Some(others)) => own < others,
            _ => self.made < other.made,
        };
        self.is_by_issuer_of(other) && lower && self.made <= other.made
    }
}

/// A list of `issuer`, whose certificate is `own`, naming serial numbers in hexadecimal digits; in PEM.
pub(crate) fn sign<'a>(
    issuer: &Issuer<'_, KeyPair>,
    own: &[u8],
    head: Head,
    revoked: impl Iterator<Item = (&'a str, Revoked)>,
) -> Result<String, PkiError> {
    let named = revoked.filter_map(|(serial, revoked)| {
        Some(RevokedCertParams {
            serial_number: SerialNumber::from_slice(&hex::decode(serial).ok()?),
            revocation_time: revoked.at.utc(),
            reason_code: code(revoked.reason),
            invalidity_date: None,
        })
    });
    let list = CertificateRevocationListParams {
        this_update: head.made.utc(),
        next_update: head.made.plus(head.life).utc(),
        crl_number: SerialNumber::from(head.number),
        issuing_distribution_point: None,
        revoked_certs: named.collect(),
        // As the issuer's certificate has it, whoever made that.
        key_identifier_method: identifier(own).map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified),
    };
    let signed = list.signed_by(issuer).map_err(PkiError::crypto("sign the revocation list"))?;
    signed.pem().map_err(PkiError::crypto("write the revocation list"))
}

/// The serial numbers that lists in PEM name, in hexadecimal digits.
pub fn revoked_in(lists: &str) -> Result<Vec<String>, PkiError> {
    let wrong = || PkiError::Refused("this is no revocation list".into());
    let mut serials = Vec::new();
    for block in pem::parse_many(lists).map_err(|_| wrong())? {
        let (_, list) = CertificateRevocationList::from_der(block.contents()).map_err(|_| wrong())?;
        serials.extend(list.iter_revoked_certificates().map(|one| folder::digits(one.raw_serial())));
    }
    Ok(serials)
}

fn identifier(der: &[u8]) -> Option<Vec<u8>> {
    let (_, own) = X509Certificate::from_der(der).ok()?;
    own.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

const fn code(reason: Reason) -> Option<RevocationReason> {
    // RFC 5280: the unspecified reason is left out.
    match reason {
        Reason::Unspecified => None,
        Reason::KeyCompromise => Some(RevocationReason::KeyCompromise),
        Reason::Superseded => Some(RevocationReason::Superseded),
        Reason::CessationOfOperation => Some(RevocationReason::CessationOfOperation),
        Reason::AffiliationChanged => Some(RevocationReason::AffiliationChanged),
        Reason::PrivilegeWithdrawn => Some(RevocationReason::PrivilegeWithdrawn),
    }
}
