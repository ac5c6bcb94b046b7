//! `guichet up --apart`: the whole bank on this machine, each service a process of its own, as it would run on many.
//!
//! Promises: it begins from an empty folder; every link is TLS with both sides proven; services join the bank's authority
//! as they would on other machines; a process that ends is started again; everything stops in order when this one is
//! asked to, and stops all the same when it is killed.

mod keeper;
mod nats;
mod office;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chassis::{Listener, Ready, Shutdown};
use contracts::peers;
use tokio::time::Instant;
use vocabulary::{Chance, Clock};

use crate::cli::{ServiceName, Up};
use crate::house::{House, Plan, SERVICES, signing_key};
use crate::node::Node;
use crate::postgres::{Postgres, database_of, in_address};
use crate::rooms::SERVICES_WITH_STORES;
use crate::settings::{Databases, Settings};
use crate::up::{Greeted, Welcome, first_superuser, plan, url};
use crate::{Failure, broker, data_dir, demo, notify};
use keeper::Keeper;
use mail::MailSettings;
use nats::Nats;
use office::Office;

/// The order in which services stop: first those that call, last the one that is told everything.
const STOPPING: [ServiceName; 6] = [
    ServiceName::Web,
    ServiceName::Monitor,
    ServiceName::Bank,
    ServiceName::Identity,
    ServiceName::Authority,
    ServiceName::Journal,
];

pub(crate) async fn run(arguments: Up) -> Result<(), Failure> {
    let mut settings = Settings::of_up(&arguments)?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    notify::follow(&shutdown);
    let _lock = data_dir::take(&settings.data_dir)?;
    settings.listen = free_address(settings.listen).await?;
    let (clock, chance) = (Clock::system(), Chance::system());
    let places = places(settings.listen)?;
    let url = format!("https://localhost:{}", at(&places, contracts::authority::SERVICE).port());
    let office = Office::open(&settings, url, arguments.certificate_life, &clock, &chance)?;
    let mut site = Site { settings, places, office, clock, chance, keepers: Vec::new(), nats: None, postgres: None };
    let told = tokio::select! {
        told = site.stand(&arguments, &shutdown) => told,
        () = shutdown.begun() => Ok(()),
    };
    site.close().await;
    told
}

/// The bank on this machine.
struct Site {
    settings: Settings,
    places: Vec<(&'static str, SocketAddr)>,
    office: Office,
    clock: Clock,
    chance: Chance,
    keepers: Vec<(ServiceName, Keeper)>,
    nats: Option<Nats>,
    postgres: Option<Postgres>,
}

impl Site {
    /// Starts everything, tells who can come in, and stays until it is time to stop.
    async fn stand(&mut self, arguments: &Up, shutdown: &Shutdown) -> Result<(), Failure> {
        self.start(ServiceName::Authority)?;
        for service in STOPPING.into_iter().filter(|service| *service != ServiceName::Authority) {
            self.office.admit(service.name()).await?;
        }
        let server = self.office.admit(crate::postgres::NAME).await?;
        let roles: Vec<&str> = roles().collect();
        let postgres = Postgres::start(&self.settings.data_dir.join("postgres"), &roles, &server)?;
        self.settings.databases = Databases::Template(template(&self.settings.data_dir, postgres.port()));
        self.office.keep_postgres(&postgres, &server, shutdown)?;
        self.postgres = Some(postgres);
        self.start_broker(shutdown).await?;

        let people = fill(&self.settings, arguments.demo, &self.clock, &self.chance).await?;
        let demonstrated = arguments.demo && !people.is_empty();
        for service in STOPPING.into_iter().rev().filter(|service| *service != ServiceName::Authority) {
            self.start(service)?;
        }
        self.office.invite_who_is_late(shutdown);
        until_ready(self.settings.listen, self.office.root_pem(), &self.clock).await?;
        let welcome = Welcome {
            url: url(&self.settings, self.settings.listen),
            ca: self.office.ca(),
            data_dir: self.settings.data_dir.clone(),
            people,
            relay: self.settings.mail.as_ref().map(MailSettings::relay),
        };
        welcome.tell(arguments, self.office.is_new().then(|| self.office.fingerprint()))?;
        if demonstrated {
            demo::finished(&settings_apart(&self.settings))?;
        }
        notify::serves(shutdown);
        shutdown.begun().await;
        Ok(())
    }

    /// The broker before those who use it: none of them waits for it.
    async fn start_broker(&mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        let server = self.office.admit(broker::NAME).await?;
        let operator = self.office.admit(broker::OPERATOR).await?;
        let (folder, gone) = (self.settings.data_dir.join(broker::NAME), self.office.sent_away()?);
        let nats = Nats::start(&folder, at(&self.places, broker::NAME).port(), &server, &gone)?;
        let nats = self.nats.insert(nats);
        self.office.keep_broker(nats, &server, shutdown)?;
        self.office.operate(&operator, &self.broker_url(), shutdown).await
    }

    fn broker_url(&self) -> String {
        format!("tls://localhost:{}", at(&self.places, broker::NAME).port())
    }

    fn start(&mut self, service: ServiceName) -> Result<(), Failure> {
        let file = self.configure(service)?;
        self.keepers.push((service, keeper::keep(service.name(), &file)?));
        Ok(())
    }

    /// Stops everything that was started, in order.
    async fn close(mut self) {
        for service in STOPPING {
            for (_, keeper) in self.keepers.extract_if(.., |(name, _)| *name == service) {
                keeper.stop().await;
            }
        }
        if let Some(nats) = self.nats.take() {
            nats.stop().await;
        }
        drop(self.postgres);
    }

    /// Writes the configuration of one service's process, as an operator would.
    fn configure(&self, service: ServiceName) -> Result<PathBuf, Failure> {
        let (name, settings) = (service.name(), &self.settings);
        let folder = settings.data_dir.join(name);
        let at = |name: &str| at(&self.places, name);
        let called = peers::called_by(name).into_iter().chain([contracts::authority::SERVICE]);
        let mut peers: Vec<(&'static str, Vec<String>)> = Vec::new();
        for other in called.filter(|other| *other != name) {
            if !peers.iter().any(|(known, _)| *known == other) {
                peers.push((other, vec![format!("https://localhost:{}", at(other).port())]));
            }
        }
        let node = Node {
            service,
            database: match &settings.databases {
                Databases::Template(template) if roles().any(|role| role == name) => {
                    Some(template.replace("{service}", name))
                }
                _ => None,
            },
            listen: at(name),
            certificates: folder.join("tls"),
            pki_dir: self.office.pki_dir(),
            // Behind proxies clients use an address that only the proxies know.
            origin: (settings.proxies == 0).then(|| url(settings, settings.listen)),
            proxies: if service == ServiceName::Web { settings.proxies } else { 0 },
            peers,
            nats: if service.uses_the_broker() { vec![self.broker_url()] } else { Vec::new() },
            bank: settings.bank.clone(),
            mail: settings.mail.clone().filter(|_| service == ServiceName::Identity),
            // One file says it of the bank as a whole.
            backup: settings.backup.clone().filter(|_| service == ServiceName::Bank),
            checks: settings.checks.clone().filter(|_| service == ServiceName::Monitor),
            data_dir: folder.clone(),
        };
        pki::files::make_folder(&folder)?;
        let path = folder.join("node.toml");
        pki::files::write(&path, &node.written(), pki::files::Readers::Owner)?;
        Ok(path)
    }
}

/// Those whose databases are on the server. The monitor's is a file of its own: it watches the server.
fn roles() -> impl Iterator<Item = &'static str> {
    SERVICES_WITH_STORES.iter().map(|(service, _)| *service).filter(|service| *service != contracts::monitor::SERVICE)
}

fn at(places: &[(&'static str, SocketAddr)], service: &str) -> SocketAddr {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    places.iter().find(|(known, _)| *known == service).map_or(nowhere, |(_, at)| *at)
}

/// An address that stays ours in name only: a process of ours takes it in a moment.
async fn free_address(wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let listener = Listener::bind(wanted).await?;
    Ok(listener.address())
}

/// The services' databases as an address with `{service}` in it.
fn template(data_dir: &Path, port: u16) -> String {
    let folder = in_address(data_dir);
    format!(
        "postgres://{{service}}@localhost:{port}/{}?sslrootcert={folder}/{{service}}/tls/ca.pem\
         &sslcrl={folder}/{{service}}/tls/crl.pem&sslcert={folder}/{{service}}/tls/{{service}}.pem&sslkey={folder}/{{service}}/tls/{{service}}-key.pem",
        database_of("{service}")
    )
}

/// The same settings with the folders in which identity and the journal keep their keys.
fn settings_apart(settings: &Settings) -> Settings {
    Settings {
        data_dir: settings.data_dir.join(contracts::identity::SERVICE),
        log_dir: settings.data_dir.join(contracts::journal::SERVICE),
        ..settings.clone()
    }
}

/// Brings the databases up to date, and sees to it that somebody can sign in.
async fn fill(settings: &Settings, demonstrate: bool, clock: &Clock, chance: &Chance) -> Result<Vec<Greeted>, Failure> {
    let settings = settings_apart(settings);
    demo::check(&settings)?;
    if demonstrate {
        let people = demo::fill(&settings, clock, chance).await?;
        if !people.is_empty() {
            return Ok(people);
        }
    }
    let plan = Plan { key: signing_key(&settings.data_dir), ..plan(&settings, clock.clone(), chance.clone())? };
    let house = House::open(plan).await?;
    let people = first_superuser(&house).await;
    house.close().await;
    Ok(people?.into_iter().collect())
}

/// Where each service will listen.
fn places(public: SocketAddr) -> Result<Vec<(&'static str, SocketAddr)>, Failure> {
    // Held until all are chosen: the system may hand out a port again as soon as it is free.
    let mut held = Vec::new();
    let mut places = vec![(peers::WEB, public)];
    for service in SERVICES.into_iter().chain([contracts::authority::SERVICE, broker::NAME]) {
        let at = loop {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let at = socket.local_addr()?;
            held.push(socket);
            if at.port() != public.port() {
                break at;
            }
        };
        places.push((service, at));
    }
    Ok(places)
}

/// Waits until the bank as a whole can serve.
async fn until_ready(address: SocketAddr, root_pem: &str, clock: &Clock) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_mins(2);
    let host = if address.ip().is_unspecified() { "localhost".into() } else { address.ip().to_string() };
    let url = match address {
        SocketAddr::V6(_) if host != "localhost" => format!("https://[{host}]:{}", address.port()),
        _ => format!("https://{host}:{}", address.port()),
    };
    let way = chassis::reach(&url, Some(root_pem), clock).map_err(|error| Failure::Settings(error.to_string()))?;
    let directory = aaa::Directory::default();
    directory.set(peers::WEB, way);
    let caller = directory.caller().at(peers::WEB).within(Duration::from_secs(5));
    let begun = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        match caller.call(Ready {}).await {
            Ok(_) => return Ok(()),
            Err(problem) if begun.elapsed() > PATIENCE => {
                return Err(Failure::Refused(format!("the services did not become ready: {}", problem.sentence())));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_gets_a_port_of_its_own() {
        let public = SocketAddr::from((Ipv4Addr::LOCALHOST, 8443));
        for _ in 0..5000 {
            let places = places(public).unwrap();
            let ports: std::collections::HashSet<_> = places.iter().map(|(_, at)| at.port()).collect();
            assert_eq!(ports.len(), places.len(), "{places:?}");
        }
    }
}
