//! SMTP, encrypted and verified.

use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use vocabulary::Timestamp;
use zeroize::Zeroizing;

pub use lettre::Message;

/// Longest wait for one mail, its connection included. Shorter than a mail is held.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longest that is kept of what a relay said.
const SAID: usize = 300;

/// How the way to the relay is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encryption {
    /// From the second word on; refused to a relay that does not offer it.
    StartTls,
    /// From the first byte on.
    Tls,
    /// Not at all: for a relay on this very machine.
    None,
}

/// What an operator says about the mails that leave.
pub struct MailingSettings {
    /// The relay's name; its certificate must carry it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is encrypted.
    pub encryption: Encryption,
    /// Who the mails are from: `Bank <no-reply@bank.example>`.
    pub from: String,
    /// The name and the secret that the relay asks for.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// Who signed the relay's certificate, in PEM; without, whoever the system trusts.
    pub authorities: Option<String>,
    /// What the bank calls itself.
    pub bank: String,
}

/// What makes these settings unusable.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender.
    #[error("`from` of the mails is no address, such as `Bank <no-reply@bank.example>`")]
    From,
    /// The authorities.
    #[error("the certificates that mail relays are believed by cannot be used: {0}")]
    Authorities(String),
    /// In the open.
    #[error("mails leave unencrypted to a relay on this machine only: say `encryption = \"starttls\"` or `\"tls\"`")]
    Open,
}

/// How mails leave.
pub struct Mailing {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: Option<TlsParameters>,
    from: Mailbox,
    hello: ClientId,
    credentials: Option<Credentials>,
    bank: String,
}

/// What a mail says.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// In one line.
    pub subject: &'a str,
    /// As plain text.
    pub plain: String,
    /// The same as HTML.
    pub html: String,
    /// In which language, such as `fr`.
    pub language: &'a str,
}

/// Why a mail did not leave. The words are for staff.
#[derive(Debug)]
pub enum Undelivered {
    /// The relay cannot be used at all now: nothing leaves.
    Relay(String),
    /// The relay wants this mail later.
    Later(String),
    /// The relay never takes this mail.
    Never(String),
}

/// A connection that takes mails, one after the other.
pub struct Carrier(AsyncSmtpConnection);

impl Mailing {
    /// Checks the settings; nothing is connected yet.
    pub fn new(settings: MailingSettings) -> Result<Self, MailError> {
        let MailingSettings { host, port, encryption, from, credentials, authorities, bank } = settings;
        let from: Mailbox = from.parse().map_err(|_| MailError::From)?;
        let tls = match encryption {
            Encryption::None if is_this_machine(&host) => None,
            Encryption::None => return Err(MailError::Open),
            Encryption::StartTls | Encryption::Tls => Some(tls_of(&host, authorities.as_deref())?),
        };
        // What one calls oneself to a relay: the domain that the mails are from.
        let hello = ClientId::Domain(from.email.domain().to_owned());
        let credentials = credentials.map(|(user, secret)| Credentials::new(user, secret.to_string()));
        Ok(Self { host, port, encryption, tls, from, hello, credentials, bank })
    }

    /// Where mails go, for people.
    pub fn relay(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What the bank calls itself.
    pub fn bank(&self) -> &str {
        &self.bank
    }

    /// A connection to the relay, encrypted and signed in to as the settings say.
    pub async fn connect(&self) -> Result<Carrier, Undelivered> {
        let connecting = async {
            let outer = self.tls.clone().filter(|_| self.encryption == Encryption::Tls);
            let at = (self.host.as_str(), self.port);
            let mut connection =
                AsyncSmtpConnection::connect_tokio1(at, Some(DEADLINE), &self.hello, outer, None).await?;
            if let Some(tls) = self.tls.clone().filter(|_| self.encryption == Encryption::StartTls) {
                connection.starttls(tls, &self.hello).await?;
            }
            if let Some(credentials) = &self.credentials {
                connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await?;
            }
            Ok::<_, lettre::transport::smtp::Error>(connection)
        };
        match tokio::time::timeout(DEADLINE, connecting).await {
            Ok(Ok(connection)) => Ok(Carrier(connection)),
            Ok(Err(error)) => Err(Undelivered::Relay(said(&error))),
            Err(_) => Err(Undelivered::Relay("the relay does not answer".to_owned())),
        }
    }

    /// The mail as it travels; `id` is the same whenever this mail is made.
    pub fn message(&self, to: &str, id: &str, at: Timestamp, letter: Letter<'_>) -> Result<Message, Undelivered> {
        let wrong = |what: &dyn std::fmt::Display| Undelivered::Never(format!("the mail cannot be written: {what}"));
        let to: Address = to.parse().map_err(|error| wrong(&error))?;
        let body = MultiPart::alternative()
            .boundary(format!("part-{id}"))
            .singlepart(SinglePart::plain(letter.plain))
            .singlepart(SinglePart::html(letter.html));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(at.utc().into())
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // RFC 3834: nobody's holiday notice is to answer.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .raw_header(header("Content-Language", letter.language))
            .multipart(body)
            .map_err(|error| wrong(&error))
    }
}

impl Carrier {
    /// Done when the relay has taken it. What the connection does after that does not matter any more.
    pub async fn carry(&mut self, message: &Message) -> Result<(), Undelivered> {
        let envelope: &Envelope = message.envelope();
        match tokio::time::timeout(DEADLINE, self.0.send(envelope, &message.formatted())).await {
            Ok(Ok(_)) => Ok(()),
            // 421 is about the relay, whatever was asked of it (RFC 5321, section 3.8).
            Ok(Err(error)) if error.status().is_some_and(|code| u16::from(code) == 421) => {
                Err(Undelivered::Relay(said(&error)))
            }
            Ok(Err(error)) if error.is_transient() => Err(Undelivered::Later(said(&error))),
            Ok(Err(error)) if error.is_permanent() || error.is_client() => Err(Undelivered::Never(said(&error))),
            Ok(Err(error)) => Err(Undelivered::Relay(said(&error))),
            Err(_) => Err(Undelivered::Relay("the relay does not answer".to_owned())),
        }
    }

    /// Says goodbye, for no longer than politeness asks.
    pub async fn leave(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.0.quit()).await;
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn tls_of(host: &str, authorities: Option<&str>) -> Result<TlsParameters, MailError> {
    let wrong = |error: lettre::transport::smtp::Error| MailError::Authorities(said(&error));
    let builder = TlsParameters::builder(host.to_owned());
    let builder = match authorities {
        None => builder,
        Some(pem) => {
            let own = Certificate::from_pem(pem.as_bytes()).map_err(wrong)?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(own)
        }
    };
    builder.build_rustls().map_err(wrong)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What went wrong, with its cause, in a line that may be shown to staff.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = deeper.source();
    }
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID).collect()
}
