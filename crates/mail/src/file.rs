//! `[mail]` of the settings: through which relay mails leave. Secrets stay in files.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use pki::PkiError;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{Encryption, Mailing, MailingSettings};

/// Why mails cannot leave as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// What is written there cannot be.
    #[error("[mail]: {0}")]
    Settings(String),
    /// The file with the secret cannot be used.
    #[error(transparent)]
    Secret(#[from] PkiError),
    /// The certificates cannot be read.
    #[error("cannot read the certificates that mail relays are believed by from {}: {why}", path.display())]
    Authorities {
        /// From where.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailFile {
    /// `host` or `host:port`.
    relay: String,
    #[serde(default)]
    encryption: Written,
    from: String,
    user: Option<String>,
    secret_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
enum Written {
    #[default]
    StartTls,
    Tls,
    None,
}

impl Written {
    const fn name(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// Where relays listen for it.
    const fn usual_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// How mails leave.
#[derive(Clone, Debug)]
pub struct MailSettings {
    host: String,
    port: u16,
    encryption: Written,
    from: String,
    login: Option<(String, PathBuf)>,
    ca: Option<PathBuf>,
    bank: String,
}

impl MailFile {
    /// Checked as far as that goes without the files that it names. `bank` is what the bank calls itself.
    pub fn complete(self, bank: &str) -> Result<MailSettings, FileError> {
        let wrong = |words: &str| FileError::Settings(words.to_owned());
        let (host, port) = match self.relay.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
                let port =
                    port.parse().map_err(|_| wrong("`relay` is a name and a port, such as smtp.example.org:587"))?;
                (host, port)
            }
            _ => (self.relay.as_str(), self.encryption.usual_port()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("`relay` names no machine; write smtp.example.org:587"));
        }
        let login = match (self.user, self.secret_file) {
            (Some(user), Some(file)) => Some((user, file)),
            (None, None) => None,
            _ => return Err(wrong("`user` and `secret_file`, which holds the user's password, go together")),
        };
        let (encryption, from, ca) = (self.encryption, self.from, self.ca);
        let settings = MailSettings { host, port, encryption, from, login, ca, bank: bank.to_owned() };
        // Everything but what stands in other files.
        settings.checked(None, None)?;
        Ok(settings)
    }
}

impl MailSettings {
    /// The relay, for people.
    pub fn relay(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }

    /// Reads the files that the settings name.
    pub fn open(&self) -> Result<Mailing, FileError> {
        let credentials = match &self.login {
            Some((user, file)) => {
                let secret = pki::files::secret(file)?;
                Some((user.clone(), Zeroizing::new(secret.trim_end_matches(['\r', '\n']).to_owned())))
            }
            None => None,
        };
        let read = |file: &PathBuf| {
            std::fs::read_to_string(file).map_err(|why| FileError::Authorities { path: file.clone(), why })
        };
        self.checked(credentials, self.ca.as_ref().map(read).transpose()?)
    }

    fn checked(
        &self,
        credentials: Option<(String, Zeroizing<String>)>,
        authorities: Option<String>,
    ) -> Result<Mailing, FileError> {
        let encryption = match self.encryption {
            Written::StartTls => Encryption::StartTls,
            Written::Tls => Encryption::Tls,
            Written::None => Encryption::None,
        };
        let settings = MailingSettings {
            host: self.host.clone(),
            port: self.port,
            encryption,
            from: self.from.clone(),
            credentials,
            authorities,
            bank: self.bank.clone(),
        };
        Mailing::new(settings).map_err(|error| FileError::Settings(error.to_string()))
    }

    /// As a configuration file has it.
    pub fn written(&self) -> String {
        let relay = self.relay();
        let mut text =
            format!("\n[mail]\nrelay = {relay:?}\nencryption = {:?}\nfrom = {:?}\n", self.encryption.name(), self.from);
        if let Some((user, file)) = &self.login {
            let _ = writeln!(text, "user = {user:?}\nsecret_file = {:?}", file.display().to_string());
        }
        if let Some(ca) = &self.ca {
            let _ = writeln!(text, "ca = {:?}", ca.display().to_string());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MailSettings, String> {
        let file: MailFile = toml::from_str(text).map_err(|error| error.to_string())?;
        file.complete("Bank").map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_again_as_it_was() {
        let text = "relay = \"smtp.example.org\"\nfrom = \"Bank <no-reply@bank.example>\"\nuser = \"bank\"\n\
                    secret_file = \"/etc/guichet/mail.secret\"\nca = \"/etc/guichet/mail-ca.pem\"\n";
        let first = read(text).unwrap().written();
        assert!(
            first.contains("relay = \"smtp.example.org:587\"") && first.contains("encryption = \"starttls\""),
            "{first}"
        );
        assert_eq!(read(first.trim_start().trim_start_matches("[mail]")).unwrap().written(), first);
    }

    #[test]
    fn mails_never_leave_this_machine_in_the_open_and_mistakes_are_told() {
        let open = |relay: &str| read(&format!("relay = \"{relay}\"\nencryption = \"none\"\nfrom = \"a@b.example\"\n"));
        assert!(open("127.0.0.1:25").is_ok() && open("localhost:25").is_ok() && open("[::1]:25").is_ok());
        assert!(open("smtp.example.org:25").unwrap_err().contains("unencrypted"));
        let with = |more: &str| read(&format!("relay = \"smtp.example.org:587\"\n{more}"));
        assert!(with("from = \"nobody\"").unwrap_err().contains("`from`"));
        assert!(with("from = \"a@b.example\"\nuser = \"x\"").unwrap_err().contains("secret_file"));
        assert!(with("from = \"a@b.example\"\npasword = \"x\"").unwrap_err().contains("pasword"));
        assert!(read("relay = \"smtp.example.org:smtp\"\nfrom = \"a@b.example\"").unwrap_err().contains("`relay`"));
    }
}
