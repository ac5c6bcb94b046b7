//! What can go wrong on the way to the message, each in one line that says what to do.

use std::error::Error;
use std::io;

use http::StatusCode;
use http_body_util::LengthLimitError;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};
use vocabulary::Timestamp;

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    /// No address.
    #[error("nobody said where the server is: set SECRET_URL, or --url")]
    Nowhere,
    /// The address makes no sense.
    #[error("`{0}` is not an address such as https://localhost:5683: mend SECRET_URL")]
    Address(String),
    /// `http://` where TLS is meant.
    #[error("{0} begins with http://, which protects nothing: write https:// in SECRET_URL. Nothing was sent")]
    Plain(String),
    /// `https://` where nobody is trusted.
    #[error("{0} begins with https://: fetch with --step https, which trusts the club's CA")]
    Https(String),
    /// Plain HTTP across a network.
    #[error("plain HTTP is for this machine alone, and {0} is another one: use https. Nothing was sent")]
    Abroad(String),
    /// No connection.
    #[error("nobody answers at {0} ({1}): is the server running, and on that port?")]
    Nobody(String, io::Error),
    /// No answer.
    #[error("no answer within {0} seconds: ask the leader whether the server is well")]
    Slow(u64),
    /// HTTP was spoken, and something else came back.
    #[error(
        "the server does not answer in plain HTTP: most likely it wants HTTPS. Write https:// in SECRET_URL, and fetch \
         with --step https"
    )]
    NotHttp,
    /// TLS was spoken, and something else came back.
    #[error("the server does not speak TLS: most likely it runs with --step http or fernet. It was told nothing")]
    NotTls,
    /// The server's certificate comes from somewhere else.
    #[error(
        "the server's certificate is not from the club's CA: this ca.pem is another club's, or somebody stands between \
         you and the server. Take ca.pem from the leader's own hand"
    )]
    UnknownAuthority,
    /// The server's certificate has ended.
    #[error("the server's certificate ended at {0}: the leader has to certify the server anew")]
    Expired(Timestamp),
    /// The server's certificate has not begun.
    #[error("the server's certificate begins at {0}: set the clock of this machine, or of the leader's")]
    NotYet(Timestamp),
    /// The server's certificate is that of another one.
    #[error("the server's certificate is for {1}, not for {0}: mend SECRET_URL, or certify the server for that name")]
    OtherName(String, String),
    /// The server's certificate cannot be believed for another reason.
    #[error("the server's certificate is not to be believed: {0}")]
    Certificate(String),
    /// The server wants a certificate, too.
    #[error("the server answers members alone: fetch with --step mtls, and name your certificate with --as")]
    NoCertificate,
    /// The server does not believe the member's certificate.
    #[error("the server does not take your certificate ({0}): ask the leader of its club for a new one")]
    Refused(&'static str),
    /// An answer that is no message.
    #[error("the server answers {0}: is SECRET_URL the right address?")]
    Status(StatusCode),
    /// More than any message.
    #[error("the answer is longer than any message: is SECRET_URL the right address?")]
    TooLong,
    /// Something else.
    #[error("the conversation broke off: {0}")]
    Broken(String),
}

impl Mistake {
    /// What stands behind an error of TLS or HTTP. The reason is often wrapped in others.
    pub(crate) fn behind(error: &(dyn Error + 'static)) -> Self {
        let (mut next, mut last) = (Some(error), error);
        while let Some(error) = next {
            // An io::Error hides what it carries from `source`.
            let carried =
                error.downcast_ref().and_then(io::Error::get_ref).map(|carried| carried as &(dyn Error + 'static));
            if let Some(tls) = carried.unwrap_or(error).downcast_ref() {
                return Self::of_tls(tls);
            }
            if error.is::<LengthLimitError>() {
                return Self::TooLong;
            }
            (next, last) = (error.source(), error);
        }
        Self::Broken(last.to_string())
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use AlertDescription as Alert;
        match error {
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            rustls::Error::InvalidCertificate(error) => Self::of_certificate(error),
            rustls::Error::AlertReceived(alert) => match alert {
                Alert::CertificateRequired => Self::NoCertificate,
                Alert::CertificateExpired => Self::Refused("it has ended, or not begun"),
                Alert::CertificateRevoked => Self::Refused("it was revoked"),
                // With another key under the same name, it is the signature that does not fit.
                Alert::UnknownCA | Alert::DecryptError => Self::Refused("another CA issued it"),
                Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
                    Self::Refused("it is not a member's")
                }
                _ => Self::Broken(error.to_string()),
            },
            _ => Self::Broken(error.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownAuthority,
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(moment(*not_after)),
            CertificateError::NotValidYetContext { not_before, .. } => Self::NotYet(moment(*not_before)),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let presented: Vec<_> = presented.iter().map(|name| bare(name)).collect();
                Self::OtherName(expected.to_str().into_owned(), presented.join(", "))
            }
            _ => Self::Certificate(error.to_string()),
        }
    }
}

/// rustls writes a name as `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')').trim_matches('"'))
}

fn moment(time: UnixTime) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
