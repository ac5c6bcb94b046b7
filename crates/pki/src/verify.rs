//! Whether a certificate would be believed, and if not, why not, in words.
//!
//! The judge is the verifier of the handshakes themselves, so that the answer is what a link would do.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertRevocationListError, CertificateError, Error};
use vocabulary::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Life, PkiError, Trust, names, tls};

const MOST_CERTIFICATES: usize = 10;

/// What is asked of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// The authorities that are believed, in PEM.
    pub roots: &'a str,
    /// Their revocation lists, in PEM; without them revocation is not looked at.
    pub lists: Option<&'a str>,
    /// The certificate has to do as that of a server called by this name.
    pub server_name: Option<&'a str>,
    /// The certificate has to do for a server.
    pub server: bool,
    /// The certificate has to do for a client.
    pub client: bool,
    /// When.
    pub at: Timestamp,
}

/// Judges the first certificate of `chain_pem`; those after it may lead to the root. Asked for neither server nor client,
/// it has to do for whatever it says it is for. [`PkiError::Unfit`] says why it is not believed.
pub fn verify(chain_pem: &str, check: &Check<'_>) -> Result<(), PkiError> {
    let unfit = |why: String| Err(PkiError::Unfit(why));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
        .take(MOST_CERTIFICATES)
        .collect::<Result<_, _>>()
        .map_err(|_| PkiError::Unfit("the file is not valid PEM".into()))?;
    let Some((leaf, between)) = chain.split_first() else { return unfit("the file holds no certificate".into()) };
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else { return unfit("it cannot be decoded".into()) };
    in_time(&chain, check.at)?;
    roots_in_time(check)?;
    let mut trust = Trust::of(check.roots)?;
    if let Some(lists) = check.lists {
        trust = trust.with_lists(lists)?;
    }
    let usage =
        parsed.extended_key_usage().ok().flatten().map(|usage| (usage.value.server_auth, usage.value.client_auth));
    let (server, client) = match (check.server || check.server_name.is_some(), check.client, usage) {
        (false, false, Some(says)) => says,
        (false, false, None) => (true, false),
        (server, client, _) => (server, client),
    };
    let now = tls::moment(check.at).ok_or_else(|| PkiError::Unfit("the moment is before 1970".into()))?;
    if client {
        let judged = trust.of_clients()?.verify_client_cert(leaf, between, now);
        judged.map_err(|error| PkiError::Unfit(reason(&error)))?;
    }
    if server {
        let own = names::of(&parsed).into_iter().find(|name| ServerName::try_from(name.as_str()).is_ok());
        let Some(name) = check.server_name.map(str::to_owned).or(own) else {
            return unfit("a server needs a DNS name or an address, and it has none".into());
        };
        let name = ServerName::try_from(name).map_err(|_| PkiError::Unfit("that is no name of a server".into()))?;
        let judged = trust.of_servers()?.verify_server_cert(leaf, between, &name, &[], now);
        judged.map_err(|error| {
            let only = match &error {
                Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) => {
                    format!(", only for {}", names::of(&parsed).join(", "))
                }
                _ => String::new(),
            };
            PkiError::Unfit(reason(&error) + &only)
        })?;
    }
    if !server && !client {
        return unfit("it says that it is good for neither server nor client".into());
    }
    Ok(())
}

/// Every certificate of the chain has a life of its own; the library says only that one is over, not whose.
fn in_time(chain: &[CertificateDer<'_>], at: Timestamp) -> Result<(), PkiError> {
    for der in chain {
        let Ok((_, one)) = X509Certificate::from_der(der) else { continue };
        let (life, whose) = (Life::of(one.validity()), names::common_name(&one).unwrap_or_default());
        if at < life.from {
            return Err(PkiError::Unfit(format!("the certificate of {whose} is not valid before {}", life.from)));
        }
        if at > life.until {
            return Err(PkiError::Unfit(format!("the certificate of {whose} expired on {}", life.until)));
        }
    }
    Ok(())
}

/// Handshakes do not look at the dates of a root: whoever trusts it, trusts it. Here it is said.
fn roots_in_time(check: &Check<'_>) -> Result<(), PkiError> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(check.roots.as_bytes()).flatten().collect();
    in_time(&roots, check.at)
}

/// What a handshake's refusal means.
pub fn reason(error: &Error) -> String {
    const NO_LIST: &str = "no revocation list here comes from its issuer, so nobody knows whether it was revoked";
    let Error::InvalidCertificate(why) = error else {
        return match error {
            Error::NoCertificatesPresented => "no certificate was shown".into(),
            // A list of the right name with another key.
            Error::InvalidCertRevocationList(CertRevocationListError::BadSignature) => NO_LIST.into(),
            other => other.to_string(),
        };
    };
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority that is trusted here signed it (or a certificate between it and the root is missing)".into()
        }
        CertificateError::Revoked => "it, or an authority above it, was revoked".into(),
        CertificateError::UnknownRevocationStatus => NO_LIST.into(),
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            "the revocation list is out of date: have a new one made (`guichet pki crl`)".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".into(),
        CertificateError::NotValidForNameContext { expected, .. } => {
            format!("it is not for the name {}", expected.to_str())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for this use: a server's certificate does not do for a client, nor the other way round".into()
        }
        CertificateError::Other(other) if other.to_string().contains("NameConstraintViolation") => {
            "an authority above it may not sign its names".into()
        }
        other => other.to_string(),
    }
}
