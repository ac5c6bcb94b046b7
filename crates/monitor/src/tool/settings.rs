//! Everything that a check is told: by the command line, the environment and `.env`, in that order.
//!
//! Promises: whatever is wrong is found before anything is asked, and said without any secret.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::ToolError;
use super::application::App;
use super::environment::Environment;
use super::log::LogSettings;
use super::secret::{Mask, SHORTEST, Secret};

/// Most applications of one check.
const MOST_APPS: usize = 1000;
/// Largest file of names.
const LARGEST_LIST: u64 = 1024 * 1024;
/// Bounds of the time-out.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Where `.env`, `reports/` and `logs/` are.
    pub folder: PathBuf,
    /// Names of applications, separated by commas.
    pub apps: Option<String>,
    /// A file of them, one on each line.
    pub file: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Plain HTTP to other machines too.
    pub allow_http: bool,
    /// The authority whose certificate the API has.
    pub ca: Option<PathBuf>,
    /// How the log is written.
    pub log: LogSettings,
}

/// Everything set, and good as far as that can be known without asking anybody.
#[derive(Debug)]
pub struct Settings {
    pub(super) folder: PathBuf,
    pub(super) apps: Vec<App>,
    pub(super) address: Uri,
    pub(super) bearer: HeaderValue,
    pub(super) authority: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(super) log: LogSettings,
    /// Where the table of findings is, and where the log goes beside its file.
    pub(super) database: Option<Secret>,
    pub(super) mongodb: Option<Secret>,
    pub(super) mask: Mask,
    /// What is not wrong and should be known.
    pub(super) remarks: Vec<String>,
}

impl Settings {
    /// Gathers and checks them.
    pub fn gather(choices: Choices, environment: &Environment) -> Result<Self, ToolError> {
        let Choices { folder, apps, file, timeout, allow_http, ca, log } = choices;
        let (token, bearer) = token(environment)?;
        let mut mask = Mask::default();
        mask.add(token);
        let mut remarks = Vec::new();
        if environment.exposed {
            remarks.push("others can read .env, which holds secrets: run chmod 600 .env".to_owned());
        }
        let apps = if let Some(path) = file {
            listed(&path).and_then(|text| names(text.lines(), &path.display().to_string(), &mask))
        } else {
            let set = environment.get("APPS");
            let text = apps.or_else(|| set.map(|it| it.reveal().to_owned()));
            let text = text.ok_or_else(|| ToolError::Setting(NO_APPS.to_owned()))?;
            names(text.split(','), "the list of applications", &mask)
        };
        let (apps, twice) = apps?;
        remarks.extend(twice.iter().map(|app| format!("{app} is listed more than once; it is asked about once")));
        if !(SHORTEST_WAIT..=LONGEST_WAIT).contains(&timeout) {
            return Err(ToolError::Setting("the time-out is between 100ms and 5m".to_owned()));
        }
        let address = address(environment, allow_http)?;
        let read = |path: PathBuf| std::fs::read(&path).map_err(|error| ToolError::file("read", &path, &error));
        let authority = ca.map(read).transpose()?;
        let (database, mongodb) = (environment.get("REPORTS_DATABASE_URL"), environment.get("LOGS_MONGODB_URL"));
        Ok(Self { folder, apps, address, bearer, authority, timeout, log, database, mongodb, mask, remarks })
    }

    /// Where to ask about `app`.
    pub(super) fn address_of(&self, app: &App) -> Result<Uri, http::Error> {
        let asked = self.address.path_and_query().map_or("/", |it| it.as_str());
        let joint = if asked.contains('?') { '&' } else { '?' };
        let name = utf8_percent_encode(app.as_str(), NON_ALPHANUMERIC);
        let asked = format!("{asked}{joint}app={name}");
        let base = Uri::builder().scheme(self.address.scheme_str().unwrap_or("http"));
        base.authority(self.address.authority().map_or("", |it| it.as_str())).path_and_query(asked).build()
    }
}

const NO_APPS: &str = "no application is named: set APPS=one,two in .env, or give --apps or --file";

/// The token that opens the API.
pub(super) fn token(environment: &Environment) -> Result<(Secret, HeaderValue), ToolError> {
    let wrong = |words: &str| ToolError::Setting(words.to_owned());
    let token = environment.get("API_TOKEN").ok_or_else(|| {
        wrong(
            "API_TOKEN is not set: put it into .env beside reports/ (.env.example shows how), or into the environment",
        )
    })?;
    if token.reveal().len() < SHORTEST {
        return Err(wrong("API_TOKEN is too short to be a secret: it needs four characters at least"));
    }
    let visible = token.reveal().len() <= 8192 && token.reveal().chars().all(|c| c.is_ascii_graphic());
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).ok().filter(|_| visible);
    let mut bearer =
        bearer.ok_or_else(|| wrong("API_TOKEN holds what no token can: spaces, letters beyond ASCII, or too many"))?;
    bearer.set_sensitive(true);
    Ok((token, bearer))
}

fn address(environment: &Environment, allow_http: bool) -> Result<Uri, ToolError> {
    let wrong = |words: &str| ToolError::Setting(format!("API_URL {words}"));
    let text = environment.get("API_URL").ok_or_else(|| {
        wrong(
            "is not set: put it into .env, such as API_URL=https://status.example.org/status, or into the environment",
        )
    })?;
    // None of these repeats the address: who mistakes it for the place of a password shall not read it in a log.
    let uri: Uri =
        text.reveal().trim().parse().map_err(|_| wrong("is no address such as https://status.example.org/status"))?;
    let authority =
        uri.authority().ok_or_else(|| wrong("names no machine; write https://status.example.org/status"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("holds a user or a password: take them out; the token belongs into API_TOKEN"));
    }
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => Ok(uri),
        Some(scheme) if *scheme == Scheme::HTTP => {
            if allow_http || is_near(authority.host()) {
                return Ok(uri);
            }
            Err(wrong(
                "begins with http:// and leads to another machine: everybody on the way could read the token. Use https://, \
                 or --allow-http on a network that is yours alone",
            ))
        }
        _ => Err(wrong("begins neither with https:// nor with http://")),
    }
}

/// Whether a host is this machine.
pub(super) fn is_near(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn listed(path: &Path) -> Result<String, ToolError> {
    let failed = |error: std::io::Error| ToolError::file("read the list of applications", path, &error);
    if std::fs::metadata(path).map_err(failed)?.len() > LARGEST_LIST {
        return Err(ToolError::Setting(format!("the list of applications {} is larger than 1 MiB", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Every name once, in its order, and those that were there twice; all bad ones are told together.
fn names<'a>(
    lines: impl Iterator<Item = &'a str>,
    place: &str,
    mask: &Mask,
) -> Result<(Vec<App>, BTreeSet<App>), ToolError> {
    let (mut apps, mut seen, mut twice, mut bad) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (number, line) in (1_usize..).zip(lines) {
        let name = line.trim();
        if name.is_empty() || name.starts_with('#') {
            continue;
        }
        match App::new(name) {
            _ if mask.holds(name) => {
                bad.push(format!("number {number} holds API_TOKEN, which goes nowhere but to the API"));
            }
            Ok(app) if seen.insert(app.clone()) => apps.push(app),
            Ok(app) => _ = twice.insert(app),
            Err(why) => {
                let shown: String = name.chars().take(80).collect();
                bad.push(format!("number {number}, `{}`, {why}", mask.over(&shown)));
            }
        }
    }
    let wrong = |words: String| Err(ToolError::Setting(format!("{}: {words}", mask.over(place))));
    match bad.as_slice() {
        [] if apps.is_empty() => wrong("no application is named".to_owned()),
        [] if apps.len() > MOST_APPS => wrong(format!("more than {MOST_APPS} applications")),
        [] => Ok((apps, twice)),
        bad => {
            let more = if bad.len() > 10 { format!("\n  and {} more", bad.len() - 10) } else { String::new() };
            wrong(format!("\n  {}{more}", bad.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ")))
        }
    }
}
