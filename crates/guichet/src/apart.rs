//! `guichet up --apart`: the whole bank on this machine, each service a process of its own, as it would run on many.
//!
//! Promises: it begins from an empty folder; every link is TLS with both sides proven; a process that ends is started
//! again; everything stops in order when this one is asked to, and stops all the same when it is killed.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chassis::{Listener, Ready, Shutdown};
use contracts::peers;
use pki::{Authority, Created, Identity};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vocabulary::{Chance, Clock};

use crate::cli::{ServiceName, Up};
use crate::house::{House, Plan, SERVICES, signing_key};
use crate::node::Node;
use crate::postgres::{Postgres, database_of, free_port};
use crate::rooms::{SERVICES_WITH_STORES, rounds};
use crate::settings::{Databases, Settings};
use crate::up::{Welcome, first_superuser, names, plan, url};
use crate::{Failure, data_dir, demo};

/// The order in which services stop: first those that call, last the one that is told everything.
const STOPPING: [ServiceName; 5] =
    [ServiceName::Web, ServiceName::Monitor, ServiceName::Bank, ServiceName::Identity, ServiceName::Journal];
/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The wait before a process is started again: it doubles up to the longest, and begins anew after a while of peace.
const AGAIN: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const PEACE: Duration = Duration::from_secs(30);
/// Longest that a process may take to stop when asked; then it is killed.
const STOP: Duration = Duration::from_secs(20);
/// How often it is looked whether certificates are to be renewed.
const RENEWING: Duration = Duration::from_mins(10);
/// What would speak to the services over their configuration's head.
const SETTINGS: [&str; 8] = [
    "GUICHET_CONFIG",
    "GUICHET_DATA_DIR",
    "GUICHET_DATABASE",
    "GUICHET_LISTEN",
    "GUICHET_CERTIFICATES",
    "GUICHET_ORIGIN",
    "GUICHET_PROXIES",
    "GUICHET_PEERS",
];

pub(crate) async fn run(arguments: Up) -> Result<(), Failure> {
    let mut settings = Settings::of_up(&arguments)?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let _lock = data_dir::take(&settings.data_dir)?;
    settings.listen = free_address(settings.listen).await?;
    let (clock, chance) = (Clock::system(), Chance::system());
    let (authority, made) = Authority::open_or_create(&settings.data_dir.join("tls"), "Guichet", &clock, &chance)?;
    let certificates = Certificates {
        folder: settings.data_dir.clone(),
        public: names(&settings, settings.listen.ip()),
        clock: clock.clone(),
        chance: chance.clone(),
    };
    certificates.issue(&authority)?;
    let roles: Vec<&str> = SERVICES_WITH_STORES.iter().map(|(service, _)| *service).collect();
    let postgres = Postgres::start(&settings.data_dir.join("postgres"), &roles, &authority, &clock, &chance)?;
    settings.databases = Databases::Template(template(&settings.data_dir, postgres.port()));

    let people = tokio::select! {
        filled = fill(&settings, arguments.demo, &clock, &chance) => filled?,
        () = shutdown.begun() => return Ok(()),
    };
    let demonstrated = arguments.demo && !people.is_empty();
    let places = places(settings.listen)?;
    let mut keepers = Vec::new();
    for service in STOPPING.into_iter().rev() {
        let file = configure(&settings, &places, service)?;
        keepers.push((service, keep(service.name(), &file)?));
    }
    let ca = settings.data_dir.join("tls").join("ca.pem");
    certificates.keep_fresh(authority.fingerprint(), &shutdown);
    let ready = tokio::select! {
        ready = until_ready(settings.listen, &authority, &clock) => ready,
        () = shutdown.begun() => Ok(()),
    };
    let welcome = Welcome { url: url(&settings, settings.listen), ca, data_dir: settings.data_dir.clone(), people };
    let told = ready.and_then(|()| welcome.tell(&arguments, matches!(made, Created::New), &authority));
    if told.is_ok() {
        if demonstrated {
            demo::finished(&identity_settings(&settings))?;
        }
        shutdown.begun().await;
    }
    for service in STOPPING {
        for (_, keeper) in keepers.extract_if(.., |(name, _)| *name == service) {
            keeper.stop().await;
        }
    }
    drop(postgres);
    told
}

/// An address that stays ours in name only: a process of ours takes it in a moment.
async fn free_address(wanted: SocketAddr) -> Result<SocketAddr, Failure> {
    let listener = Listener::bind(wanted).await?;
    Ok(listener.address())
}

/// The services' certificates, each service's in a folder of its own.
#[derive(Clone)]
struct Certificates {
    folder: PathBuf,
    /// Names that browsers use.
    public: Vec<String>,
    clock: Clock,
    chance: Chance,
}

impl Certificates {
    /// Those that are missing, or have passed two thirds of their life.
    fn issue(&self, authority: &Authority) -> Result<(), Failure> {
        for service in STOPPING.map(ServiceName::name) {
            let folder = self.folder.join(service).join("tls");
            // A service is called by its name, wherever it stands.
            let request = pki::Request::service(service, [service, "localhost"]);
            Identity::open_or_issue(&folder, service, authority, &request, &self.clock, &self.chance)?;
            pki::files::write(&folder.join("ca.pem"), authority.certificate_pem(), pki::files::Readers::Everyone)?;
        }
        let (folder, request) = (self.folder.join(peers::WEB).join("tls"), pki::Request::https(self.public.clone()));
        Identity::open_or_issue(&folder, "https", authority, &request, &self.clock, &self.chance)?;
        Ok(())
    }

    fn keep_fresh(&self, fingerprint: String, shutdown: &Shutdown) {
        let certificates = self.clone();
        rounds(RENEWING, shutdown, move || {
            let (certificates, fingerprint) = (certificates.clone(), fingerprint.clone());
            async move {
                let keys = certificates.folder.join("tls");
                let opened = Authority::open_or_create(&keys, "Guichet", &certificates.clock, &certificates.chance);
                let renewed = match opened {
                    Ok((authority, _)) if authority.fingerprint() == fingerprint => certificates.issue(&authority),
                    Ok(_) => Err(Failure::Settings("the authority is another one than at the start".into())),
                    Err(error) => Err(error.into()),
                };
                if let Err(failure) = renewed {
                    tracing::error!(%failure, "the services' certificates cannot be renewed");
                }
            }
        });
    }
}

/// The services' databases as an address with `{service}` in it.
fn template(data_dir: &Path, port: u16) -> String {
    let folder = data_dir.display().to_string();
    let folder = ["%", "&", "#", "+", "?"]
        .iter()
        .fold(folder, |text, sign| text.replace(sign, &format!("%{:02X}", sign.as_bytes().first().unwrap_or(&b'%'))));
    format!(
        "postgres://{{service}}@localhost:{port}/{}?sslrootcert={folder}/{{service}}/tls/ca.pem\
         &sslcert={folder}/{{service}}/tls/{{service}}.pem&sslkey={folder}/{{service}}/tls/{{service}}-key.pem",
        database_of("{service}")
    )
}

/// The same settings with identity's own folder, where it keeps its keys.
fn identity_settings(settings: &Settings) -> Settings {
    Settings { data_dir: settings.data_dir.join(contracts::identity::SERVICE), ..settings.clone() }
}

/// Brings the databases up to date, and sees to it that somebody can sign in.
async fn fill(
    settings: &Settings,
    demonstrate: bool,
    clock: &Clock,
    chance: &Chance,
) -> Result<Vec<crate::up::Greeted>, Failure> {
    let settings = identity_settings(settings);
    demo::check(&settings)?;
    if demonstrate {
        let people = demo::fill(&settings, clock, chance).await?;
        if !people.is_empty() {
            return Ok(people);
        }
    }
    let plan = Plan { key: signing_key(&settings.data_dir), ..plan(&settings, clock.clone(), chance.clone()) };
    let house = House::open(plan).await?;
    let people = first_superuser(&house).await;
    house.close().await;
    Ok(people?.into_iter().collect())
}

/// Where each service will listen.
fn places(public: SocketAddr) -> Result<Vec<(&'static str, SocketAddr)>, Failure> {
    let mut places = vec![(peers::WEB, public)];
    for service in SERVICES {
        places.push((service, SocketAddr::from(([127, 0, 0, 1], free_port()?))));
    }
    Ok(places)
}

/// Writes the configuration of one service's process, as an operator would.
fn configure(
    settings: &Settings,
    places: &[(&'static str, SocketAddr)],
    service: ServiceName,
) -> Result<PathBuf, Failure> {
    let (name, folder) = (service.name(), settings.data_dir.join(service.name()));
    let at = |name: &str| places.iter().find(|(known, _)| *known == name).map_or(settings.listen, |(_, at)| *at);
    let has_database = SERVICES_WITH_STORES.iter().any(|(known, _)| *known == name);
    let others = peers::called_by(name).into_iter().filter(|other| *other != name);
    let node = Node {
        service,
        database: match &settings.databases {
            Databases::Template(template) if has_database => Some(template.replace("{service}", name)),
            _ => None,
        },
        listen: at(name),
        certificates: folder.join("tls"),
        // Behind proxies clients use an address that only the proxies know.
        origin: (settings.proxies == 0).then(|| url(settings, settings.listen)),
        proxies: if service == ServiceName::Web { settings.proxies } else { 0 },
        peers: others.map(|other| (other, vec![format!("https://localhost:{}", at(other).port())])).collect(),
        bank: settings.bank.clone(),
        data_dir: folder.clone(),
    };
    let path = folder.join("node.toml");
    pki::files::write(&path, &node.written(), pki::files::Readers::Owner)?;
    Ok(path)
}

/// Looks after one process: starts it again when it ends.
struct Keeper {
    stop: Shutdown,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Asks the process to stop, and waits for it.
    async fn stop(self) {
        self.stop.begin();
        let _ = self.task.await;
    }
}

fn keep(service: &'static str, file: &Path) -> Result<Keeper, Failure> {
    let program = std::env::current_exe()?;
    let (stop, file) = (Shutdown::default(), file.to_owned());
    let first = spawn(&program, service, &file)?;
    let told = stop.clone();
    let task = tokio::spawn(async move {
        let (mut child, mut wait, mut since) = (Some(first), AGAIN, Instant::now());
        loop {
            if let Some(running) = &mut child {
                let ended = tokio::select! {
                    () = told.begun() => return end(running).await,
                    ended = ended(running) => ended,
                };
                tracing::error!(service, ended, "a service ended; it is started again");
                if since.elapsed() > PEACE {
                    wait = AGAIN;
                }
            }
            tokio::select! {
                () = told.begun() => return,
                () = tokio::time::sleep(wait) => {}
            }
            (wait, since) = (wait.saturating_mul(2).min(LONGEST), Instant::now());
            child = spawn(&program, service, &file)
                .inspect_err(|failure| tracing::error!(service, %failure, "a service cannot be started"))
                .ok();
        }
    });
    Ok(Keeper { stop, task })
}

/// It holds the other end of a pipe of ours, and stops when that closes: however we end. Ctrl-C reaches us, not it.
fn spawn(program: &Path, service: &str, file: &Path) -> Result<Child, Failure> {
    let mut command = Command::new(program);
    for name in SETTINGS {
        command.env_remove(name);
    }
    command.args(["serve", service, "--attached", "--config"]).arg(file);
    Ok(command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?)
}

/// Waits until the process has ended, and says how.
async fn ended(child: &mut Child) -> String {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        match child.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => {}
            Err(error) => return error.to_string(),
        }
    }
}

async fn end(child: &mut Child) {
    drop(child.stdin.take());
    if tokio::time::timeout(STOP, ended(child)).await.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Waits until the bank as a whole can serve.
async fn until_ready(address: SocketAddr, authority: &Authority, clock: &Clock) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_mins(2);
    let host = if address.ip().is_unspecified() { "localhost".into() } else { address.ip().to_string() };
    let url = match address {
        SocketAddr::V6(_) if host != "localhost" => format!("https://[{host}]:{}", address.port()),
        _ => format!("https://{host}:{}", address.port()),
    };
    let way = chassis::reach(&url, Some(authority.certificate_pem()), clock)
        .map_err(|error| Failure::Settings(error.to_string()))?;
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
