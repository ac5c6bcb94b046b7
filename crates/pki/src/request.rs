//! A signing request (CSR): made here, or read from a stranger.
//!
//! What a stranger's request asks for is a wish. Taken from it is the public key, because its signature proves that the
//! other holds the private one; names are compared with what the signer allows, and never copied.

use rcgen::{CertificateParams, DistinguishedName, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;

use crate::authority::{check_names, subject};
use crate::{PkiError, PrivateKey, Request, Warning, files, keys, names};

/// A signing request whose signature is right.
pub struct SigningRequest {
    pub(crate) key: SubjectPublicKeyInfo,
    /// How its key is made, in words.
    pub kind: String,
    /// The common name that it asks for.
    pub common_name: Option<String>,
    /// The names that it asks for: DNS names and addresses plainly, others with their kind, such as `URI:…`.
    pub names: Vec<String>,
    /// Whether it wants to be an authority.
    pub wants_authority: bool,
    /// What else it asks for, which is never given on its word: usages and other extensions.
    pub other_wishes: Vec<String>,
    warning: Option<Warning>,
}

impl std::fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningRequest").field("common_name", &self.common_name).finish_non_exhaustive()
    }
}

impl SigningRequest {
    /// Makes one, in PEM: a wish for `common_name` and `names`, signed with `key`.
    pub fn make(key: &PrivateKey, common_name: &str, names: &[String]) -> Result<String, PkiError> {
        check_names(names)?;
        let mut params = CertificateParams::new(names).map_err(PkiError::crypto("name the request"))?;
        params.distinguished_name = subject(common_name)?;
        Self::written(params, key)
    }

    /// Makes one that brings the public key and wishes for nothing, in PEM: whoever signs knows what it is for.
    pub fn bare(key: &PrivateKey) -> Result<String, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Self::written(params, key)
    }

    fn written(params: CertificateParams, key: &PrivateKey) -> Result<String, PkiError> {
        let made = params.serialize_request(key.pair()).map_err(PkiError::crypto("sign the request"))?;
        made.pem().map_err(PkiError::crypto("write the request"))
    }

    /// Reads one from PEM and checks its signature.
    pub fn read(text: &str) -> Result<Self, PkiError> {
        let wrong = |why: &str| PkiError::Refused(format!("this is no good signing request: {why}"));
        if text.len() > files::MOST_BYTES_OF_TEXT {
            return Err(wrong("it is far too long"));
        }
        let pem = pem::parse(text).map_err(|_| wrong("it is not PEM (cut off, or another kind of file?)"))?;
        if !matches!(pem.tag(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(wrong(&format!("it holds a {} instead", pem.tag().to_lowercase().escape_debug())));
        }
        let (rest, csr) =
            X509CertificationRequest::from_der(pem.contents()).map_err(|_| wrong("it cannot be decoded"))?;
        if !rest.is_empty() {
            return Err(wrong("something is appended to it"));
        }
        csr.verify_signature().map_err(|_| {
            wrong("its signature does not fit its key, so whoever made it may not have the private key")
        })?;
        let info = &csr.certification_request_info;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw).map_err(|_| {
            wrong("its key is of a kind that is not signed here (EC P-256, P-384 or P-521, RSA, Ed25519)")
        })?;
        let mut read = Self {
            key,
            kind: keys::kind(&info.subject_pki),
            common_name: info.subject.iter_common_name().next().and_then(|cn| cn.as_str().ok()).map(str::to_owned),
            names: Vec::new(),
            wants_authority: false,
            other_wishes: Vec::new(),
            warning: keys::warning(info.subject_pki.raw)?,
        };
        for wish in csr.requested_extensions().into_iter().flatten() {
            read.note(wish);
        }
        Ok(read)
    }

    fn note(&mut self, wish: &ParsedExtension<'_>) {
        match wish {
            ParsedExtension::SubjectAlternativeName(san) => {
                self.names.extend(san.general_names.iter().map(names::shown));
            }
            ParsedExtension::BasicConstraints(constraints) => self.wants_authority |= constraints.ca,
            ParsedExtension::KeyUsage(usage) => {
                self.wants_authority |= usage.key_cert_sign() || usage.crl_sign();
                self.other_wishes.push(format!("key usage ({usage})"));
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                self.other_wishes.push(format!("extended key usage ({})", names::purposes(usage).join(", ")));
            }
            ParsedExtension::SubjectKeyIdentifier(_) => {}
            _ => self.other_wishes.push("a further extension".into()),
        }
    }

    /// Whether `request` covers everything that was asked for. What it gives is in no case more than `request`.
    pub(crate) fn answers_to(&self, request: &Request) -> Result<(), PkiError> {
        if self.wants_authority {
            return Err(PkiError::Refused(
                "the request asks to become an authority itself (CA:TRUE, or the right to sign certificates). Services and \
                 people never get that: have the request made without it"
                    .into(),
            ));
        }
        let allowed = |name: &str| request.names.iter().any(|one| names::plain(one) == names::plain(name));
        let foreign: Vec<_> = self.names.iter().filter(|name| !allowed(name)).map(|n| named(n)).collect();
        if !foreign.is_empty() {
            return Err(PkiError::Refused(format!(
                "the request asks for {}, which nobody allowed. If they are right, allow each with `--san NAME`; otherwise have \
                 the request made without them",
                foreign.join(", ")
            )));
        }
        match &self.common_name {
            Some(name) if *name != request.common_name && !allowed(name) => Err(PkiError::Refused(format!(
                "the request asks for the common name {}, which nobody allowed. If it is right, allow it with `--name {}`; \
                 otherwise have the request made without it",
                named(name),
                named(name)
            ))),
            _ => Ok(()),
        }
    }

    /// What a person should know who signs it: weak keys, and wishes that are not granted.
    pub fn remarks(&self) -> Vec<String> {
        let wishes = self.other_wishes.iter().map(|wish| {
            format!("the request asks for {wish}: left out, the profile alone says what a certificate is good for")
        });
        self.warning.iter().map(ToString::to_string).chain(wishes).collect()
    }
}

/// A stranger's name, so that it cannot do anything to the terminal.
fn named(name: &str) -> String {
    name.chars().take(100).collect::<String>().escape_debug().to_string()
}
