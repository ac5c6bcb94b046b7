//! `guichet up`: the whole bank in this process.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aaa::Problem;
use chassis::{Listener, Shutdown};
use pki::{Authority, Created, Identity};
use serde::Serialize;
use vocabulary::{Chance, Clock};

use crate::cli::Up;
use crate::house::{House, Plan, signing_key};
use crate::settings::Settings;
use crate::{Failure, apart, data_dir, demo, notify, rooms, say};
use mail::MailSettings;

/// Somebody who can sign in from the start; told once.
#[derive(Serialize)]
pub(crate) struct Greeted {
    pub(crate) login: String,
    pub(crate) password: String,
    pub(crate) role: &'static str,
    pub(crate) name: String,
}

/// What is told once the bank serves.
#[derive(Serialize)]
pub(crate) struct Welcome {
    pub(crate) url: String,
    pub(crate) ca: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) people: Vec<Greeted>,
    /// The relay that mails leave through; nothing when none leave.
    #[serde(skip)]
    pub(crate) relay: Option<String>,
}

pub(crate) async fn run(arguments: Up) -> Result<(), Failure> {
    if arguments.apart {
        return Box::pin(apart::run(arguments)).await;
    }
    let settings = Settings::of_up(&arguments)?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    notify::follow(&shutdown);
    let _lock = data_dir::take(&settings.data_dir)?;
    let listener = Listener::bind(settings.listen).await?;
    let (clock, chance) = (Clock::system(), Chance::system());

    let keys = settings.data_dir.join("tls");
    let (authority, made) = Authority::open_or_create(&keys, "Guichet", &clock, &chance)?;
    let request = pki::Request::https(names(&settings, listener.address().ip()));
    let https = Identity::open_or_issue(&keys, "https", &authority, &request, &clock, &chance)?;
    let tls = Arc::new(pki::server_config(&https, None, &clock)?);

    demo::check(&settings)?;
    let mut people = Vec::new();
    if arguments.demo {
        tokio::select! {
            filled = demo::fill(&settings, &clock, &chance) => people = filled?,
            () = shutdown.begun() => return Ok(()),
        }
    }
    let demonstrated = !people.is_empty();
    // Behind proxies clients use an address that only the proxies know.
    let origin = (settings.proxies == 0).then(|| url(&settings, listener.address()));
    let house = House::open(Plan { origin, ..plan(&settings, clock, chance)? }).await?;
    if people.is_empty() {
        people.extend(first_superuser(&house).await?);
    }
    house.identity.at_origin(&url(&settings, listener.address()));
    house.begin(&shutdown).await;

    let welcome = Welcome {
        url: url(&settings, listener.address()),
        ca: keys.join("ca.pem"),
        data_dir: settings.data_dir.clone(),
        people,
        relay: settings.mail.as_ref().map(MailSettings::relay),
    };
    let fingerprint = authority.fingerprint();
    welcome.tell(&arguments, matches!(made, Created::New).then_some(fingerprint.as_str()))?;
    if demonstrated {
        demo::finished(&settings)?;
    }
    notify::serves(&shutdown);
    listener.serve(house.router.clone(), tls, shutdown).await;
    house.close().await;
    Ok(())
}

/// Whoever may come in first, if nobody was there before.
pub(crate) async fn first_superuser(house: &House) -> Result<Option<Greeted>, Failure> {
    let made = house.identity.ensure_first_superuser().await.map_err(Problem::from)?;
    Ok(made.map(|(login, password)| {
        let password = password.expose().to_owned();
        Greeted { login: login.to_string(), password, role: "superuser", name: "Superuser".into() }
    }))
}

pub(crate) fn plan(settings: &Settings, clock: Clock, chance: Chance) -> Result<Plan, Failure> {
    Ok(Plan {
        proxies: settings.proxies,
        origin: None,
        databases: settings.databases.clone(),
        key: signing_key(&settings.data_dir),
        log: settings.log_dir.clone(),
        bank: settings.bank.clone(),
        mail: settings.mail.clone(),
        backup: settings.backup.clone(),
        checks: rooms::checks(settings.checks.as_deref())?,
        clock,
        chance,
    })
}

impl Welcome {
    /// In words, or as the one line that programs read.
    ///
    /// `new` is the fingerprint of an authority that nobody trusts yet.
    pub(crate) fn tell(&self, arguments: &Up, new: Option<&str>) -> Result<(), Failure> {
        if arguments.json {
            let line = serde_json::to_string(self).map_err(std::io::Error::other)?;
            say(&format!("{line}\n"))
        } else {
            say(&in_words(self, arguments.demo, new))
        }
    }
}

/// Every name under which a browser may reach this listener.
pub(crate) fn names(settings: &Settings, listening: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listening.is_unspecified() && !listening.is_loopback() {
        names.push(listening.to_string());
    }
    names.extend(settings.hosts.iter().cloned());
    names.dedup();
    names
}

pub(crate) fn url(settings: &Settings, address: SocketAddr) -> String {
    let host = match (settings.hosts.first(), address.ip()) {
        (Some(host), _) => host.clone(),
        (None, ip) if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        (None, IpAddr::V4(ip)) => ip.to_string(),
        (None, IpAddr::V6(ip)) => format!("[{ip}]"),
    };
    match address.port() {
        443 => format!("https://{host}"),
        port => format!("https://{host}:{port}"),
    }
}

fn in_words(welcome: &Welcome, demo: bool, new: Option<&str>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\n  The bank is open:  {}\n", welcome.url);
    if !welcome.people.is_empty() {
        let width = |of: fn(&Greeted) -> usize| welcome.people.iter().map(of).max().unwrap_or(0);
        let (login, password) = (width(|it| it.login.len()), width(|it| it.password.len()));
        let _ = writeln!(out, "  Sign in as one of these. The passwords are shown this once and kept nowhere:\n");
        for person in &welcome.people {
            let _ = writeln!(
                out,
                "    {:login$}   {:password$}   {:9}  {}",
                person.login, person.password, person.role, person.name
            );
        }
        let _ = writeln!(out);
    } else if demo {
        let _ = writeln!(
            out,
            "  This data directory already holds a bank, so nothing was added. Its passwords were shown at the\n  \
             first start; remove {} for a new demonstration.\n",
            welcome.data_dir.display()
        );
    }
    trust(&mut out, &welcome.ca, &welcome.url, new);
    let _ = match &welcome.relay {
        Some(relay) => writeln!(out, "  Mails leave through {relay}."),
        None => writeln!(out, "  No mails leave: say through which relay under [mail] of the configuration."),
    };
    let _ = writeln!(out, "  Data: {}    Stop: Ctrl-C\n", welcome.data_dir.display());
    out
}

/// How to make a browser believe the certificate, without teaching anybody to click warnings away.
fn trust(out: &mut String, ca: &Path, url: &str, new: Option<&str>) {
    let Some(fingerprint) = new else { return };
    let _ = writeln!(
        out,
        "  Your browser does not know this bank's certificate authority yet, and will warn. To trust it, import\n  \
         {}\n  \
         in the browser's settings (Certificates > Authorities > Import), for websites. Or ask it this way:\n  \
         curl --cacert {} {}/health/ready\n  \
         Its SHA-256 fingerprint: {}\n",
        ca.display(),
        ca.display(),
        url,
        fingerprint
    );
}
