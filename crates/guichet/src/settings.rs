//! What an operator can set: flags over environment over file over defaults. Unknown keys are refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bank::BankConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::Database;
use vocabulary::{Bic, Currency};

use crate::Failure;
use crate::backup::Backup;
use crate::cli::{DoorArguments, Place, Up};
use crate::rooms::checks_file;
use mail::{MailFile, MailSettings};

/// The file, as it is written. Every key is optional.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    database: Option<String>,
    listen: Option<SocketAddr>,
    #[serde(default)]
    hosts: Vec<String>,
    proxies: Option<u8>,
    #[serde(default)]
    bank: BankFile,
    mail: Option<MailFile>,
    checks: Option<PathBuf>,
    backup: Option<Backup>,
}

/// Which bank it is, as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct BankFile {
    name: Option<String>,
    bank_code: Option<String>,
    branch_code: Option<String>,
    bic: Option<Bic>,
    currencies: Option<Vec<Currency>>,
}

impl BankFile {
    /// With the example's particulars where none are written.
    pub(crate) fn complete(self) -> Result<BankConfig, Failure> {
        let usual = BankConfig::example().map_err(|error| Failure::Settings(error.to_string()))?;
        Ok(BankConfig {
            name: self.name.unwrap_or(usual.name),
            bank_code: self.bank_code.unwrap_or(usual.bank_code),
            branch_code: self.branch_code.unwrap_or(usual.branch_code),
            bic: self.bic.unwrap_or(usual.bic),
            currencies: self.currencies.unwrap_or(usual.currencies),
        })
    }
}

/// Everything set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where keys and databases are kept.
    pub data_dir: PathBuf,
    /// Where the key of the journal's log is, and what its witness remembers.
    pub log_dir: PathBuf,
    /// Where the services' stores are.
    pub databases: Databases,
    /// Where HTTPS is served.
    pub listen: SocketAddr,
    /// Names and addresses of the certificate, beside localhost and the address listened on.
    pub hosts: Vec<String>,
    /// Reverse proxies of one's own in front of the bank: who is further away is only what they say.
    pub proxies: u8,
    /// Which bank it is.
    pub bank: BankConfig,
    /// How mails leave, if they do.
    pub mail: Option<MailSettings>,
    /// How old the last backup may be, where that is said.
    pub backup: Option<Backup>,
    /// The file of what the monitor checks besides the bank, if there is one.
    pub checks: Option<PathBuf>,
}

/// One database for each service.
#[derive(Clone, Debug)]
pub enum Databases {
    /// SQLite files in a directory.
    Directory(PathBuf),
    /// A database address with `{service}` in it.
    Template(String),
}

impl Databases {
    /// The database of `service`.
    pub fn of(&self, service: &str) -> Result<Database, Failure> {
        match self {
            Self::Directory(path) => Ok(Database::Sqlite { path: path.join(format!("{service}.sqlite")) }),
            Self::Template(template) => Ok(template.replace("{service}", service).parse()?),
        }
    }
}

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);

impl Settings {
    pub(crate) fn of_up(up: &Up) -> Result<Self, Failure> {
        let mut settings = Self::of_place(&up.place)?;
        settings.listen = up.listen.unwrap_or(settings.listen);
        settings.proxies = up.proxies.unwrap_or(settings.proxies);
        settings.hosts.extend(up.host.iter().cloned());
        Ok(settings)
    }

    /// Where the bank in one process is met on its own machine.
    pub(crate) fn of_whole(door: &DoorArguments) -> Result<Self, Failure> {
        let place = Place { config: door.config.clone(), data_dir: door.data_dir.clone(), database: None };
        let mut settings = Self::of_place(&place)?;
        settings.listen = door.listen.unwrap_or(settings.listen);
        Ok(settings)
    }

    pub(crate) fn of_place(place: &Place) -> Result<Self, Failure> {
        let file = place.config.as_deref().map(read::<File>).transpose()?.unwrap_or_default();
        let data_dir = place.data_dir.clone().or(file.data_dir).unwrap_or_else(|| "guichet-data".into());
        let data_dir = std::path::absolute(&data_dir).map_err(|error| Failure::file("use", &data_dir, &error))?;
        let databases = match place.database.clone().or(file.database) {
            Some(template) if template.contains("{service}") => Databases::Template(template),
            Some(_) => {
                return Err(Failure::Settings(
                    "the database address needs {service} in its database name: every service has a database of its own".into(),
                ));
            }
            None => Databases::Directory(data_dir.clone()),
        };
        let bank = file.bank.complete()?;
        let mail = file.mail.map(|mail| mail.complete(&bank.name)).transpose()?;
        Ok(Self {
            log_dir: data_dir.clone(),
            backup: file.backup,
            checks: checks_file(file.checks, &data_dir),
            data_dir,
            databases,
            listen: file.listen.unwrap_or(DEFAULT_LISTEN),
            hosts: file.hosts,
            proxies: file.proxies.unwrap_or(0),
            bank,
            mail,
        })
    }
}

/// A configuration file; a mistake in it is shown with its place.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read the configuration", path, &error))?;
    toml::from_str(&text).map_err(|error| {
        Failure::Settings(format!(
            "the configuration {} has a mistake:\n{}",
            path.display(),
            error.to_string().trim_end()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = toml::from_str::<File>("lisen = \"127.0.0.1:1\"").err().unwrap().to_string();
        assert!(error.contains("lisen"), "{error}");
        let file: File = toml::from_str("[bank]\nname = \"Crédit du Port\"\ncurrencies = [\"EUR\"]").unwrap();
        assert_eq!(file.bank.name.as_deref(), Some("Crédit du Port"));
    }

    #[test]
    fn each_service_has_a_database_of_its_own() {
        let databases = Databases::Directory("/d".into());
        assert!(
            matches!(databases.of("bank").unwrap(), Database::Sqlite { path } if path == Path::new("/d/bank.sqlite"))
        );
    }
}
