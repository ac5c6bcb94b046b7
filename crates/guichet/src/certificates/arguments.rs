//! `guichet pki`, as `--help` shows it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use pki::{Algorithm, Bound, Profile, Reason};
use vocabulary::Timestamp;

#[derive(Subcommand)]
pub(crate) enum Pki {
    /// Begin an authority: a root whose key leaves this machine, and an intermediate that signs
    #[command(after_help = "\
Examples:
  guichet pki init
  guichet pki init --root-key /media/stick/root-key.pem --within bank.internal --within 10.0.0.0/8")]
    Init(Init),
    /// Make a private key and a request to have it certified
    #[command(after_help = "\
Examples:
  guichet pki csr --name bank --san bank.internal --san 10.0.0.5
  guichet pki csr --name alice --key alice-old-key.pem")]
    Csr(Csr),
    /// Sign a request: only its public key is taken, names and usage are said here
    #[command(after_help = "\
Examples:
  guichet pki sign bank-csr.pem --name bank --san bank.internal
  guichet pki sign club-csr.pem --profile server --san localhost
  guichet pki sign alice-csr.pem --profile client --name alice

A request that asks for names which are not allowed here, or to be an authority, is refused.")]
    Sign(Sign),
    /// Show what stands in certificates, requests, revocation lists and key files
    Show(Show),
    /// Say whether a certificate would be believed, and if not, why not
    #[command(after_help = "\
Examples:
  guichet pki verify bank.pem --server-name bank.internal
  guichet pki verify alice.pem --for client --at 2027-01-01T00:00:00Z
  guichet pki verify bank.pem --ca root.pem --crl crl.pem")]
    Verify(Verify),
    /// Invite a service: a token with which its process gets its certificates from `guichet serve authority`
    #[command(after_help = "\
The token works once, for this service, for a short while; it also tells the service whom to trust. It is a secret until it is used.

Examples:
  guichet pki token --service bank
  guichet pki token --service web --https bank.example.org --authority https://ca.internal:8450
  guichet serve bank --config bank.toml --join TOKEN")]
    Token(Token),
    /// Keep the certificates of a program that is not ours fresh, such as PostgreSQL; runs until it is stopped
    #[command(after_help = "\
Examples:
  guichet pki keep --service postgresql --folder /etc/guichet/postgresql --join @/run/token --then 'systemctl reload postgresql'
  guichet pki keep --service nats --folder /etc/nats/tls --then 'nats-server --signal reload'")]
    Keep(super::keep::Keep),
    /// Take a certificate back, or all of a service; makes a new revocation list at once
    Revoke(Revoke),
    /// Make a new revocation list
    Crl(Crl),
    /// Renew a certificate that is due, with a new key; or the intermediate
    #[command(after_help = "\
Examples:
  guichet pki renew bank.pem
  guichet pki renew --intermediate --root-key /media/stick/root-key.pem")]
    Renew(Renew),
}

/// Where the authority is.
#[derive(Args)]
pub(crate) struct Home {
    /// The authority's folder
    #[arg(long, value_name = "DIR", env = "GUICHET_PKI_DIR", default_value = "guichet-pki")]
    pub(crate) dir: PathBuf,
}

/// Where a passphrase comes from. Never from the command line, which others can read.
#[derive(Args)]
pub(crate) struct Secret {
    /// A file with the passphrase on its first line; `-` reads standard input. Otherwise it is asked for
    #[arg(long, value_name = "FILE", env = "GUICHET_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) home: Home,
    #[command(flatten)]
    pub(crate) secret: Secret,
    /// The authority's name, as it stands in its certificates
    #[arg(long, default_value = "Guichet")]
    pub(crate) name: String,
    /// How the keys of root and intermediate are made
    #[arg(long, value_enum, default_value_t)]
    pub(crate) algorithm: KeyAlgorithm,
    /// Where the root's encrypted key is written, such as on a stick [default: root-key.pem in the folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key: Option<PathBuf>,
    /// Take this private key for the root instead of a new one; if it is encrypted, with the same passphrase
    #[arg(long, value_name = "FILE")]
    pub(crate) from_key: Option<PathBuf>,
    /// Sign nothing outside this domain or network: bank.internal, 10.0.0.0/8. May be repeated
    #[arg(long, value_name = "DOMAIN|NETWORK")]
    pub(crate) within: Vec<Bound>,
}

#[derive(Args)]
pub(crate) struct Csr {
    #[command(flatten)]
    pub(crate) secret: Secret,
    /// Whose it is: the name of a service or a person
    #[arg(long)]
    pub(crate) name: String,
    /// A DNS name or address at which a server is reached. May be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) san: Vec<String>,
    /// How the key is made
    #[arg(long, value_enum, default_value_t)]
    pub(crate) algorithm: KeyAlgorithm,
    /// Take this private key instead of a new one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["algorithm", "encrypt"])]
    pub(crate) key: Option<PathBuf>,
    /// Encrypt the new key with a passphrase
    #[arg(long)]
    pub(crate) encrypt: bool,
    /// What the files begin with: OUT-key.pem and OUT-csr.pem [default: the name]
    #[arg(long, value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    pub(crate) home: Home,
    /// The request
    #[arg(value_name = "REQUEST")]
    pub(crate) request: PathBuf,
    /// What the certificate is for, and how long it lives
    #[arg(long, value_enum, default_value_t)]
    pub(crate) profile: ProfileName,
    /// Whose it is [default: the first --san]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A DNS name or address that the certificate gets, whether the request asks for it or not. May be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) san: Vec<String>,
    /// Another life than the profile's: 60s, 10m, 24h, 30d
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub(crate) life: Option<Duration>,
    /// Where the certificate and those between it and the root are written [default: X.pem for X-csr.pem]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) secret: Secret,
    /// PEM files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) home: Home,
    /// The certificate, with those between it and the root after it
    #[arg(value_name = "CERTIFICATE")]
    pub(crate) certificate: PathBuf,
    /// The certificate that is trusted [default: the root of the authority's folder, with its revocation list]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The revocation list
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Option<PathBuf>,
    /// It has to do for a server that is called by this name
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// What it has to do for [default: what it says it is good for]
    #[arg(long = "for", value_enum, value_name = "USE")]
    pub(crate) usage: Option<Use>,
    /// Judge as of this moment, such as 2027-01-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) home: Home,
    /// Which service: identity, bank, journal, monitor, web; or another name, such as postgresql, for `guichet pki keep`
    #[arg(long, value_name = "NAME")]
    pub(crate) service: String,
    /// How long the token may wait to be used: 60s, 10m, 24h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = life)]
    pub(crate) ttl: Duration,
    /// Where the service reaches the authority
    #[arg(long, value_name = "URL", env = "GUICHET_AUTHORITY", default_value = "https://localhost:8450")]
    pub(crate) authority: String,
    /// A further DNS name or address of the service, besides its own name. May be repeated [default: those it has]
    #[arg(long, value_name = "NAME")]
    pub(crate) san: Vec<String>,
    /// A name that browsers use: it gets a second certificate for these (web). May be repeated [default: those it has]
    #[arg(long, value_name = "NAME")]
    pub(crate) https: Vec<String>,
    /// How long its certificates live: they are renewed at two thirds of it [default: as for those it has, or 24h]
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub(crate) life: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) home: Home,
    /// The certificate's file, or its serial number in hexadecimal digits
    #[arg(value_name = "CERTIFICATE|SERIAL", required_unless_present = "service", conflicts_with = "service")]
    pub(crate) which: Option<String>,
    /// Send this service away: all its certificates are taken back, and it gets none until it is invited again
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Why; written into the revocation list
    #[arg(long, value_enum, default_value_t)]
    pub(crate) reason: Why,
}

#[derive(Args)]
pub(crate) struct Crl {
    #[command(flatten)]
    pub(crate) home: Home,
    /// How long lists are good for, from now on [default: as before, 7d at first]
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub(crate) life: Option<Duration>,
}

#[derive(Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    pub(crate) home: Home,
    #[command(flatten)]
    pub(crate) secret: Secret,
    /// The certificate; it and its key are replaced
    #[arg(value_name = "CERTIFICATE", required_unless_present = "intermediate", conflicts_with = "intermediate")]
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key [default: X-key.pem for X.pem]
    #[arg(long, value_name = "FILE", conflicts_with = "intermediate")]
    pub(crate) key: Option<PathBuf>,
    /// Although it is not due yet
    #[arg(long)]
    pub(crate) force: bool,
    /// Replace the intermediate instead
    #[arg(long, requires = "root_key")]
    pub(crate) intermediate: bool,
    /// Somebody else may have the present intermediate's key: revoke it, with everything that it signed
    #[arg(long, requires = "intermediate")]
    pub(crate) stolen: bool,
    /// The root's key, for a new intermediate
    #[arg(long, value_name = "FILE", requires = "intermediate")]
    pub(crate) root_key: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum KeyAlgorithm {
    /// Elliptic curve P-256: small, fast, understood everywhere
    #[default]
    P256,
    /// RSA of 3072 bits
    Rsa3072,
    /// RSA of 4096 bits
    Rsa4096,
    /// Ed25519; browsers do not take it
    Ed25519,
}

impl From<KeyAlgorithm> for Algorithm {
    fn from(name: KeyAlgorithm) -> Self {
        match name {
            KeyAlgorithm::P256 => Self::P256,
            KeyAlgorithm::Rsa3072 => Self::Rsa3072,
            KeyAlgorithm::Rsa4096 => Self::Rsa4096,
            KeyAlgorithm::Ed25519 => Self::Ed25519,
        }
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum ProfileName {
    /// A service on the inner links: server and client, 24 hours
    #[default]
    Service,
    /// A server: 30 days
    #[value(alias = "30d")]
    Server,
    /// A person or program that only calls: 30 days
    Client,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Service => Self::Service,
            ProfileName::Server => Self::Server,
            ProfileName::Client => Self::Client,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Use {
    Server,
    Client,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum Why {
    /// Nobody says
    #[default]
    Unspecified,
    /// Somebody else may have its key
    KeyCompromise,
    /// It was replaced
    Superseded,
    /// What it was for has ended
    CessationOfOperation,
    /// Its owner moved on
    AffiliationChanged,
    /// Its owner may no longer
    PrivilegeWithdrawn,
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Unspecified => Self::Unspecified,
            Why::KeyCompromise => Self::KeyCompromise,
            Why::Superseded => Self::Superseded,
            Why::CessationOfOperation => Self::CessationOfOperation,
            Why::AffiliationChanged => Self::AffiliationChanged,
            Why::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

/// A number and its unit.
pub(crate) fn life(text: &str) -> Result<Duration, String> {
    const WANTED: &str = "write a number and s, m, h or d, such as 60s, 24h or 30d";
    let (number, seconds) = match text.char_indices().last() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3600),
        Some((at, 'd')) => (text.get(..at), 86_400),
        _ => return Err(WANTED.into()),
    };
    let number: u64 = number.and_then(|digits| digits.parse().ok()).filter(|n| *n > 0).ok_or(WANTED)?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_with_its_unit() {
        assert_eq!(life("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(life("30d"), Ok(Duration::from_hours(720)));
        for bad in ["", "s", "0h", "1.5h", "-1d", "24", "1 d", "١h"] {
            assert!(life(bad).is_err(), "{bad}");
        }
    }
}
