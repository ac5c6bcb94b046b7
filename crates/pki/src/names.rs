//! The names and purposes in certificates and requests, as text.

use std::net::IpAddr;

use x509_parser::extensions::{ExtendedKeyUsage, GeneralName};
use x509_parser::prelude::X509Certificate;

/// The DNS names and addresses of a certificate, each in its one spelling.
pub(crate) fn of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(san)) = certificate.subject_alternative_name() else { return Vec::new() };
    san.value.general_names.iter().map(shown).collect()
}

pub(crate) fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.subject().iter_common_name().next().and_then(|cn| cn.as_str().ok()).map(str::to_owned)
}

/// DNS names and addresses plainly, everything else with its kind before it, so that it never passes for one of them.
pub(crate) fn shown(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(dns) => plain(dns),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
                .map_or_else(|_| "IP:damaged".into(), |ip| ip.to_string())
        }
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::RFC822Name(mail) => format!("email:{mail}"),
        GeneralName::DirectoryName(name) => format!("directory:{name}"),
        _ => "a name of another kind".into(),
    }
}

/// One spelling for one name: addresses in their canonical form, DNS names in lower case.
pub(crate) fn plain(name: &str) -> String {
    name.parse::<IpAddr>().map_or_else(|_| name.to_ascii_lowercase(), |ip| ip.to_string())
}

/// What an extended key usage permits, in words.
pub(crate) fn purposes(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "anything"),
        (usage.server_auth, "server"),
        (usage.client_auth, "client"),
        (usage.code_signing, "code signing"),
        (usage.email_protection, "e-mail"),
        (usage.time_stamping, "time stamping"),
        (usage.ocsp_signing, "OCSP signing"),
    ];
    let named = known.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned());
    named.chain(usage.other.iter().map(ToString::to_string)).collect()
}
