//! The settings of one service that has a process of its own: flags over environment over file over defaults, unknown
//! keys refused, and every complaint before anything is started.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use bank::BankConfig;
use contracts::peers;
use serde::Deserialize;
use store::Database;
use vocabulary::Clock;

use crate::backup::Backup;
use crate::cli::{DoorArguments, NodeArguments, ServiceName};
use crate::links::{Links, Place};
use crate::rooms::{self, checks_file};
use crate::settings::{self, BankFile};
use crate::{Failure, say};
use mail::{MailFile, MailSettings};

/// The file, as it is written. Every key is optional.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    database: Option<String>,
    listen: Option<SocketAddr>,
    certificates: Option<PathBuf>,
    pki_dir: Option<PathBuf>,
    origin: Option<String>,
    proxies: Option<u8>,
    #[serde(default)]
    peers: PeersFile,
    #[serde(default)]
    nats: NatsFile,
    #[serde(default)]
    bank: BankFile,
    mail: Option<MailFile>,
    checks: Option<PathBuf>,
    backup: Option<Backup>,
}

/// The broker that carries events to the journal.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct NatsFile {
    #[serde(default)]
    addresses: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PeersFile {
    identity: Option<Addresses>,
    bank: Option<Addresses>,
    journal: Option<Addresses>,
    monitor: Option<Addresses>,
    authority: Option<Addresses>,
}

/// One instance of a service, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl ServiceName {
    /// As contracts, certificates and databases have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => contracts::identity::SERVICE,
            Self::Bank => contracts::bank::SERVICE,
            Self::Journal => contracts::journal::SERVICE,
            Self::Monitor => contracts::monitor::SERVICE,
            Self::Web => peers::WEB,
            Self::Authority => contracts::authority::SERVICE,
        }
    }

    const fn has_database(self) -> bool {
        matches!(self, Self::Identity | Self::Bank | Self::Journal | Self::Monitor)
    }

    /// Whether it tells events, or takes them.
    pub(crate) const fn uses_the_broker(self) -> bool {
        matches!(self, Self::Identity | Self::Bank | Self::Journal | Self::Monitor | Self::Authority)
    }

    /// Where it listens unless told otherwise: the public's port for the pages, one of its own for every other.
    fn usual_address(self) -> SocketAddr {
        let port = match self {
            Self::Web => 8443,
            Self::Identity => 8451,
            Self::Bank => 8452,
            Self::Journal => 8453,
            Self::Monitor => 8454,
            Self::Authority => 8450,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }
}

/// Everything set.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) service: ServiceName,
    /// Keys and files of its own.
    pub(crate) data_dir: PathBuf,
    /// Its database, if it has one, as it is written.
    pub(crate) database: Option<String>,
    pub(crate) listen: SocketAddr,
    /// The folder of its certificate and of the authority's.
    pub(crate) certificates: PathBuf,
    /// The authority's folder, for its service alone.
    pub(crate) pki_dir: PathBuf,
    pub(crate) origin: Option<String>,
    pub(crate) proxies: u8,
    /// Where the services are that it calls.
    pub(crate) peers: Vec<(&'static str, Vec<String>)>,
    /// Where the broker is that carries events; nothing where they go to the journal as calls.
    pub(crate) nats: Vec<String>,
    pub(crate) bank: BankConfig,
    /// How mails leave, if they do: for identity alone.
    pub(crate) mail: Option<MailSettings>,
    /// What is checked besides the bank, if there is such a file: for the monitor alone.
    pub(crate) checks: Option<PathBuf>,
    /// How old the last backup may be, where that is said.
    pub(crate) backup: Option<Backup>,
}

/// Where a service's process is met on its own machine.
pub(crate) struct Door {
    pub(crate) service: ServiceName,
    pub(crate) listen: SocketAddr,
    pub(crate) certificates: PathBuf,
    /// The authority's folder, for its service alone.
    pub(crate) pki_dir: PathBuf,
}

impl Door {
    /// From the same places as all settings of the service; the others may be missing.
    pub(crate) fn of(service: ServiceName, arguments: &DoorArguments) -> Result<Self, Failure> {
        let file = arguments.config.as_deref().map(settings::read::<File>).transpose()?.unwrap_or_default();
        let data_dir = arguments.data_dir.clone().or(file.data_dir);
        let data_dir = data_dir.unwrap_or_else(|| usual_folder(service));
        Ok(Self {
            service,
            listen: arguments.listen.or(file.listen).unwrap_or_else(|| service.usual_address()),
            certificates: arguments.certificates.clone().or(file.certificates).unwrap_or_else(|| data_dir.join("tls")),
            pki_dir: arguments.pki_dir.clone().or(file.pki_dir).unwrap_or_else(|| data_dir.join("pki")),
        })
    }
}

fn usual_folder(service: ServiceName) -> PathBuf {
    format!("guichet-{}", service.name()).into()
}

impl Node {
    /// From everything that says something.
    pub(crate) fn of(arguments: &NodeArguments) -> Result<Self, Failure> {
        let file = arguments.config.as_deref().map(settings::read::<File>).transpose()?.unwrap_or_default();
        let service = arguments.service;
        let data_dir = arguments.data_dir.clone().or(file.data_dir);
        let data_dir = data_dir.unwrap_or_else(|| usual_folder(service));
        let data_dir = std::path::absolute(&data_dir).map_err(|error| Failure::file("use", &data_dir, &error))?;
        let database = match (arguments.database.clone().or(file.database), service.has_database()) {
            (Some(database), true) => Some(database),
            (None, true) => Some(format!("sqlite:{}", data_dir.join(format!("{}.sqlite", service.name())).display())),
            (Some(_), false) => {
                return Err(Failure::Settings(format!("{} holds no database: take `database` away", service.name())));
            }
            (None, false) => None,
        };
        let bank = file.bank.complete()?;
        let mail = match file.mail {
            Some(_) if service != ServiceName::Identity => {
                return Err(Failure::Settings(format!(
                    "{} sends no mails: [mail] belongs into the settings of identity",
                    service.name()
                )));
            }
            mail => mail.map(|mail| mail.complete(&bank.name)).transpose()?,
        };
        let checks = match file.checks {
            Some(_) if service != ServiceName::Monitor => {
                return Err(Failure::Settings(format!(
                    "{} checks nothing: `checks` belongs into the settings of monitor",
                    service.name()
                )));
            }
            named if service == ServiceName::Monitor => checks_file(named, &data_dir),
            _ => None,
        };
        rooms::checks(checks.as_deref())?;
        if file.backup.is_some() && !service.has_database() {
            let words = format!("{} holds no database: take [backup] away", service.name());
            return Err(Failure::Settings(words));
        }
        let node = Self {
            peers: addresses(service, file.peers, &arguments.peer)?,
            nats: brokers(service, file.nats.addresses, &arguments.nats)?,
            certificates: arguments.certificates.clone().or(file.certificates).unwrap_or_else(|| data_dir.join("tls")),
            pki_dir: arguments.pki_dir.clone().or(file.pki_dir).unwrap_or_else(|| data_dir.join("pki")),
            listen: arguments.listen.or(file.listen).unwrap_or_else(|| service.usual_address()),
            origin: arguments.origin.clone().or(file.origin),
            proxies: arguments.proxies.or(file.proxies).unwrap_or(0),
            bank,
            mail,
            checks,
            backup: file.backup,
            service,
            data_dir,
            database,
        };
        if node.database.is_some() {
            node.database()?;
        }
        Ok(node)
    }

    /// The database of a service that has one.
    pub(crate) fn database(&self) -> Result<Database, Failure> {
        let none = || Failure::Settings(format!("{} holds no database", self.service.name()));
        Ok(self.database.as_deref().ok_or_else(none)?.parse()?)
    }

    /// Where its process is met.
    pub(crate) fn door(&self) -> Door {
        let (certificates, pki_dir) = (self.certificates.clone(), self.pki_dir.clone());
        Door { service: self.service, listen: self.listen, certificates, pki_dir }
    }

    /// Where its certificates are.
    pub(crate) fn place(&self) -> Place {
        let (folder, name) = (self.certificates.clone(), self.service.name().to_owned());
        Place { folder, name, https: self.service == ServiceName::Web }
    }

    /// The files that have to be there.
    fn files(&self) -> Vec<PathBuf> {
        if self.service == ServiceName::Authority {
            return vec![self.pki_dir.join("root.pem"), self.pki_dir.join("intermediate-key.pem")];
        }
        let own = self.service.name();
        let mut names = vec!["ca.pem".to_owned(), format!("{own}.pem"), format!("{own}-key.pem")];
        if self.service == ServiceName::Web {
            names.extend(["https.pem".to_owned(), "https-key.pem".to_owned()]);
        }
        names.iter().map(|name| self.certificates.join(name)).collect()
    }
}

/// Where the services are that this one calls: what flags or environment say of one counts, else what the file says.
fn addresses(
    service: ServiceName,
    file: PeersFile,
    given: &[String],
) -> Result<Vec<(&'static str, Vec<String>)>, Failure> {
    let written = [
        (contracts::identity::SERVICE, file.identity),
        (contracts::bank::SERVICE, file.bank),
        (contracts::journal::SERVICE, file.journal),
        (contracts::monitor::SERVICE, file.monitor),
        (contracts::authority::SERVICE, file.authority),
    ];
    let mut pairs = Vec::new();
    for given in given {
        let known = given.split_once('=').filter(|(name, _)| written.iter().any(|(service, _)| service == name));
        pairs.push(known.ok_or_else(|| {
            Failure::Settings(format!(
                "--peer {given}: write SERVICE=https://host:port, with a service that others call"
            ))
        })?);
    }
    let mut found = Vec::new();
    for (name, written) in written {
        let calls = name == contracts::authority::SERVICE || peers::called_by(service.name()).contains(&name);
        if name == service.name() || !calls {
            continue;
        }
        let said: Vec<String> =
            pairs.iter().filter(|(peer, _)| *peer == name).map(|(_, url)| (*url).to_owned()).collect();
        let addresses = match (said.is_empty(), written) {
            (false, _) => said,
            (true, Some(Addresses::One(one))) => vec![one],
            (true, Some(Addresses::Several(several))) if !several.is_empty() => several,
            // Certificates may come by hand, too.
            _ if name == contracts::authority::SERVICE => continue,
            _ => {
                return Err(Failure::Settings(format!(
                    "{} calls {name}: say where that is, with {name} = \"https://host:port\" under [peers] of the \
                     configuration, or --peer {name}=https://host:port",
                    service.name()
                )));
            }
        };
        if let Some(wrong) = addresses.iter().find(|address| !is_address(address)) {
            return Err(Failure::Settings(format!(
                "`{wrong}` is not where {name} can be called: services call each other by https://host:port"
            )));
        }
        found.push((name, addresses));
    }
    Ok(found)
}

/// Where the broker is, if there is one.
fn brokers(service: ServiceName, written: Vec<String>, given: &[String]) -> Result<Vec<String>, Failure> {
    let addresses = if given.is_empty() { written } else { given.to_vec() };
    if !addresses.is_empty() && !service.uses_the_broker() {
        return Err(Failure::Settings(format!("{} tells no events: take `nats` away", service.name())));
    }
    match addresses.iter().find(|address| !is_broker(address)) {
        None => Ok(addresses),
        Some(wrong) => Err(bus::nats::BrokerError::Address(wrong.clone()).into()),
    }
}

pub(crate) fn is_broker(text: &str) -> bool {
    let uri = text.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| uri.scheme_str() == Some("tls") && uri.port_u16().is_some())
}

fn is_address(text: &str) -> bool {
    let uri = text.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| uri.scheme_str() == Some("https") && uri.port_u16().is_some() && uri.path() == "/")
}

/// `guichet config check`.
pub(crate) fn check(arguments: &NodeArguments) -> Result<(), Failure> {
    let node = Node::of(arguments)?;
    let missing: Vec<String> =
        node.files().iter().filter(|path| !path.is_file()).map(|path| path.display().to_string()).collect();
    if !missing.is_empty() {
        return Err(Failure::Settings(format!(
            "these files are missing: {}. {}",
            missing.join(", "),
            match node.service {
                ServiceName::Authority => "`guichet pki init` makes an authority",
                _ => {
                    "`ca.pem` is the authority's certificate, the others are this service's own certificate and key, issued \
                     under its name: `guichet serve --join TOKEN` gets them all, with a token of `guichet pki token`"
                }
            }
        )));
    }
    certificates_fit(&node)?;
    say(&format!("{} can start with these settings.\n", node.service.name()))
}

/// The certificates can be read, and name the service.
fn certificates_fit(node: &Node) -> Result<(), Failure> {
    match node.service {
        ServiceName::Authority => Ok(pki::Folder::open(&node.pki_dir).map(|_| ())?),
        _ => Links::open(&node.place(), &Clock::system()).map(|_| ()),
    }
}

/// `guichet config show`.
pub(crate) fn show(arguments: &NodeArguments) -> Result<(), Failure> {
    say(&Node::of(arguments)?.written())
}

impl Node {
    /// Every setting, as a configuration file has it.
    pub(crate) fn written(&self) -> String {
        let mut text = format!("# {}\n", self.service.name());
        let mut line = |name: &str, value: &dyn std::fmt::Debug| {
            let _ = writeln!(text, "{name} = {value:?}");
        };
        line("data_dir", &self.data_dir.display().to_string());
        if let Some(database) = &self.database {
            line("database", database);
        }
        line("listen", &self.listen.to_string());
        match self.service {
            ServiceName::Authority => line("pki_dir", &self.pki_dir.display().to_string()),
            _ => line("certificates", &self.certificates.display().to_string()),
        }
        if let Some(origin) = &self.origin {
            line("origin", origin);
        }
        line("proxies", &self.proxies);
        if let Some(checks) = &self.checks {
            line("checks", &checks.display().to_string());
        }
        if !self.peers.is_empty() {
            text.push_str("\n[peers]\n");
            for (service, addresses) in &self.peers {
                let _ = writeln!(text, "{service} = {addresses:?}");
            }
        }
        if !self.nats.is_empty() {
            let _ = writeln!(text, "\n[nats]\naddresses = {:?}", self.nats);
        }
        if matches!(self.service, ServiceName::Bank | ServiceName::Identity) {
            let BankConfig { name, bank_code, branch_code, bic, currencies } = &self.bank;
            let (bic, currencies) = (bic.to_string(), currencies.iter().map(ToString::to_string).collect::<Vec<_>>());
            let _ = writeln!(
                text,
                "\n[bank]\nname = {name:?}\nbank_code = {bank_code:?}\nbranch_code = {branch_code:?}\nbic = {bic:?}\n\
                 currencies = {currencies:?}"
            );
        }
        if let Some(mail) = &self.mail {
            text.push_str(&mail.written());
        }
        if let Some(backup) = &self.backup {
            text.push_str(&backup.written());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> PeersFile {
        toml::from_str::<File>(text).unwrap().peers
    }

    #[test]
    fn a_service_has_to_know_where_those_are_that_it_calls() {
        let missing = addresses(ServiceName::Bank, file("[peers]\nidentity = \"https://h:1\""), &[]).unwrap_err();
        assert!(missing.to_string().contains("bank calls journal"), "{missing}");
        let text = "[peers]\nidentity = [\"https://a:1\", \"https://b:1\"]\njournal = \"https://c:2\"";
        let found = addresses(ServiceName::Bank, file(text), &[]).unwrap();
        assert_eq!(found[0], ("identity", vec!["https://a:1".into(), "https://b:1".into()]));
        let found = addresses(ServiceName::Bank, file(text), &["journal=https://d:3".into()]).unwrap();
        assert_eq!(found[1], ("journal", vec!["https://d:3".into()]));
    }

    #[test]
    fn plain_addresses_unknown_services_and_unknown_keys_are_refused() {
        let plain = addresses(ServiceName::Journal, file("[peers]\nidentity = \"http://h:1\""), &[]).unwrap_err();
        assert!(plain.to_string().contains("http://h:1"), "{plain}");
        assert!(addresses(ServiceName::Journal, PeersFile::default(), &["web=https://h:1".into()]).is_err());
        assert!(toml::from_str::<File>("[peers]\nidentiy = \"https://h:1\"").is_err());
        let plain = brokers(ServiceName::Bank, vec!["nats://h:4222".into()], &[]).unwrap_err();
        assert!(plain.to_string().contains("tls://"), "{plain}");
        assert!(brokers(ServiceName::Web, vec!["tls://h:4222".into()], &[]).is_err());
        assert!(toml::from_str::<File>("lisen = \"127.0.0.1:1\"").is_err());
    }
}
