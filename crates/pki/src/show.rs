//! What stands in a PEM file, for people and for programs: certificates, requests, revocation lists, keys.
//!
//! A private key itself is never shown, only its kind.

use std::fmt;

use serde::Serialize;
use vocabulary::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::authority::fingerprint;
use crate::folder::digits;
use crate::{Bounds, Life, Passphrase, PkiError, PrivateKey, SigningRequest, keys, names};

const MOST_SECTIONS: usize = 20;

/// One section of a PEM file.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shown {
    /// A certificate.
    Certificate {
        /// Whose it is.
        subject: String,
        /// Who signed it.
        issuer: String,
        /// Its serial number, in hexadecimal digits.
        serial: String,
        /// From when until when it is valid.
        life: Life,
        /// When to renew it.
        renew_at: Timestamp,
        /// How much of its life is over, in thousandths.
        spent_permille: u64,
        /// Its DNS names and addresses.
        names: Vec<String>,
        /// What it is good for.
        purposes: Vec<String>,
        /// Whether it is that of an authority.
        authority: bool,
        /// How many authorities may stand below it.
        path_length: Option<u32>,
        /// The names that it may sign at all; empty for any.
        within: Vec<String>,
        /// How its key is made.
        key: String,
        /// Its SHA-256.
        fingerprint: String,
        /// What should be mended.
        warnings: Vec<String>,
    },
    /// A signing request.
    Request {
        /// The common name that it asks for.
        common_name: Option<String>,
        /// The names that it asks for.
        names: Vec<String>,
        /// How its key is made.
        key: String,
        /// Whether it wants to be an authority.
        wants_authority: bool,
        /// What should be known before it is signed.
        warnings: Vec<String>,
    },
    /// A revocation list.
    List {
        /// Who signed it.
        issuer: String,
        /// Its number.
        number: Option<String>,
        /// When it was made.
        made: Timestamp,
        /// When the next one has to be there.
        next: Option<Timestamp>,
        /// The serial numbers on it, each with the time of its revocation.
        revoked: Vec<(String, Timestamp)>,
    },
    /// A private key.
    Key {
        /// How it is made; nothing when it is encrypted and no passphrase was given.
        key: Option<String>,
        /// Whether the file is encrypted.
        encrypted: bool,
        /// What should be mended.
        warnings: Vec<String>,
    },
}

/// Reads every section of a PEM text.
pub fn show(text: &str, passphrase: Option<&Passphrase>, now: Timestamp) -> Result<Vec<Shown>, PkiError> {
    let wrong = |why: &str| PkiError::Refused(format!("nothing to show: {why}"));
    let sections =
        pem::parse_many(text).map_err(|_| wrong("the file is not PEM (cut off, or another kind of file?)"))?;
    if sections.is_empty() {
        return Err(wrong("the file holds no PEM section, such as `-----BEGIN CERTIFICATE-----`"));
    }
    if sections.len() > MOST_SECTIONS {
        return Err(wrong(&format!("the file holds more than {MOST_SECTIONS} PEM sections")));
    }
    let mut shown = Vec::new();
    for section in sections {
        shown.push(match section.tag() {
            "CERTIFICATE" => certificate(section.contents(), now)?,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
                request(&SigningRequest::read(&keys::encode("CERTIFICATE REQUEST", section.into_contents()))?)
            }
            "X509 CRL" => list(section.contents())?,
            tag if tag.ends_with("PRIVATE KEY") => key(&pem::encode(&section), passphrase)?,
            "EC PARAMETERS" => continue,
            tag => return Err(wrong(&format!("a {} is not known here", tag.to_lowercase().escape_debug()))),
        });
    }
    Ok(shown)
}

fn certificate(der: &[u8], now: Timestamp) -> Result<Shown, PkiError> {
    let (_, cert) = X509Certificate::from_der(der)
        .map_err(|_| PkiError::Refused("the certificate cannot be decoded (cut off, or overwritten?)".into()))?;
    let life = Life::of(cert.validity());
    let usage = cert.extended_key_usage().ok().flatten();
    let mut warnings = match keys::warning(cert.public_key().raw) {
        Ok(warning) => warning.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    if now < life.from {
        warnings.push(format!("it is not valid before {}", life.from));
    } else if now > life.until {
        warnings.push(format!("it expired on {}", life.until));
    } else if life.is_due(now) {
        warnings.push("two thirds of its life are over: renew it".into());
    }
    Ok(Shown::Certificate {
        subject: cert.subject().to_string(),
        issuer: cert.issuer().to_string(),
        serial: digits(cert.raw_serial()),
        life,
        renew_at: life.renew_at(),
        spent_permille: life.spent_permille(now),
        names: names::of(&cert),
        purposes: usage.map(|usage| names::purposes(usage.value)).unwrap_or_default(),
        authority: cert.is_ca(),
        path_length: cert.basic_constraints().ok().flatten().and_then(|limits| limits.value.path_len_constraint),
        within: Bounds::of(&cert).words(),
        key: keys::kind(cert.public_key()),
        fingerprint: fingerprint(der),
        warnings,
    })
}

fn request(asked: &SigningRequest) -> Shown {
    Shown::Request {
        common_name: asked.common_name.clone(),
        names: asked.names.clone(),
        key: asked.kind.clone(),
        wants_authority: asked.wants_authority,
        warnings: asked.remarks(),
    }
}

fn list(der: &[u8]) -> Result<Shown, PkiError> {
    let (_, list) = CertificateRevocationList::from_der(der)
        .map_err(|_| PkiError::Refused("the revocation list cannot be decoded (cut off, or overwritten?)".into()))?;
    let revoked = list.iter_revoked_certificates();
    Ok(Shown::List {
        issuer: list.issuer().to_string(),
        number: list.crl_number().map(ToString::to_string),
        made: Timestamp::from_seconds(list.last_update().timestamp()),
        next: list.next_update().map(|next| Timestamp::from_seconds(next.timestamp())),
        revoked: revoked
            .map(|one| (digits(one.raw_serial()), Timestamp::from_seconds(one.revocation_date.timestamp())))
            .collect(),
    })
}

fn key(text: &str, passphrase: Option<&Passphrase>) -> Result<Shown, PkiError> {
    let encrypted = PrivateKey::is_encrypted(text);
    if encrypted && passphrase.is_none() {
        return Ok(Shown::Key { key: None, encrypted, warnings: Vec::new() });
    }
    let (key, warnings) = PrivateKey::read(text, passphrase)?;
    let warnings = warnings.iter().map(ToString::to_string).collect();
    Ok(Shown::Key { key: Some(key.kind()), encrypted, warnings })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<(&str, String)> = Vec::new();
        let warnings: &[String] = match self {
            Self::Certificate { warnings, .. } => {
                writeln!(f, "Certificate")?;
                self.certificate_lines(&mut lines);
                warnings
            }
            Self::Request { common_name, names, key, wants_authority, warnings } => {
                writeln!(f, "Signing request")?;
                lines.push(("asks to be", common_name.clone().unwrap_or_else(|| "nobody".into())));
                lines.push(("for", or(names, "no name")));
                lines.push(("key", key.clone()));
                if *wants_authority {
                    lines.push(("wants", "to be an authority itself: never signed here".into()));
                }
                warnings
            }
            Self::List { issuer, number, made, next, revoked } => {
                writeln!(f, "Revocation list")?;
                lines.push(("issuer", issuer.clone()));
                lines.push(("number", number.clone().unwrap_or_else(|| "none".into())));
                lines.push(("made", made.to_string()));
                lines.push(("next", next.map_or_else(|| "never".into(), |next| next.to_string())));
                let told = revoked.iter().map(|(serial, at)| format!("{serial} ({at})"));
                lines.push(("revoked", or(&told.collect::<Vec<_>>(), "nothing")));
                &[]
            }
            Self::Key { key, encrypted, warnings } => {
                writeln!(f, "Private key")?;
                lines.push(("key", key.clone().unwrap_or_else(|| "cannot be told without the passphrase".into())));
                lines.push(("encrypted", if *encrypted { "yes" } else { "no" }.into()));
                warnings
            }
        };
        for (name, value) in lines {
            // Strangers' names must not steer the terminal.
            let value: String = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            writeln!(f, "  {name:11} {value}")?;
        }
        warnings.iter().try_for_each(|warning| writeln!(f, "  warning     {}", warning.escape_debug()))
    }
}

impl Shown {
    fn certificate_lines(&self, lines: &mut Vec<(&str, String)>) {
        let Self::Certificate {
            subject,
            issuer,
            serial,
            life,
            renew_at,
            spent_permille,
            names,
            purposes,
            authority,
            path_length,
            within,
            key,
            fingerprint,
            ..
        } = self
        else {
            return;
        };
        let percent = spent_permille.checked_div(10).unwrap_or(0);
        lines.push(("subject", subject.clone()));
        lines.push(("issuer", issuer.clone()));
        lines.push(("serial", serial.clone()));
        lines.push(("valid", format!("{} to {} ({percent} % are over)", life.from, life.until)));
        if *authority {
            lines.push((
                "authority",
                match path_length {
                    Some(0) => "yes, of leaves only".into(),
                    Some(length) => format!("yes, with {length} below it at most"),
                    None => "yes".into(),
                },
            ));
            lines.push(("may sign", or(within, "any name")));
        } else {
            lines.push(("renew", format!("from {renew_at} on")));
            lines.push(("names", or(names, "none")));
            lines.push(("good for", or(purposes, "anything")));
        }
        lines.push(("key", key.clone()));
        lines.push(("SHA-256", fingerprint.clone()));
    }
}

fn or(list: &[String], otherwise: &str) -> String {
    if list.is_empty() { otherwise.into() } else { list.join(", ") }
}
