//! Whom the monitor tells, as its settings have it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use contracts::identity::Language;
use contracts::monitor::{CheckName, Span};
use http::Uri;
use http::uri::Scheme;
use mail::{MailFile, Mailing};
use serde::Deserialize;
use toml::{Table, Value};

use super::heartbeat::Heartbeat;
use super::webhook::Webhook;
use crate::addresses::Reach;
use crate::outgoing::Outgoing;

/// Keys that name a file.
const FILES: [&str; 3] = ["secret_file", "ca_file", "ca"];
/// Most recipients, and most webhooks.
const MOST: usize = 20;
const REMINDED: Duration = Duration::from_hours(4);
const SHORTEST: Duration = Duration::from_mins(1);

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AlertsFile {
    /// What the one who tells is called.
    name: Option<String>,
    remind_every: Option<Span>,
    #[serde(default)]
    language: Language,
    mail: Option<ToFile>,
    #[serde(default)]
    webhooks: Vec<WebhookFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToFile {
    to: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookFile {
    name: String,
    url: String,
    secret_file: PathBuf,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeartbeatFile {
    url: String,
    every: Option<Span>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    private: bool,
}

/// A way to somebody.
#[derive(Clone)]
pub(crate) enum Way {
    Mail { mailing: Arc<Mailing>, to: String },
    Webhook(Arc<Webhook>),
}

/// Whom the monitor tells.
#[derive(Clone)]
pub(crate) struct Alerting {
    pub(crate) remind_every: Duration,
    pub(crate) language: Language,
    ways: Vec<(String, Way)>,
    pub(crate) heartbeat: Option<Heartbeat>,
}

impl Default for Alerting {
    fn default() -> Self {
        Self { remind_every: REMINDED, language: Language::default(), ways: Vec::new(), heartbeat: None }
    }
}

impl std::fmt::Debug for Alerting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.channels()).finish()
    }
}

impl Alerting {
    /// What the ways are called in the database.
    pub(crate) fn channels(&self) -> Vec<String> {
        self.ways.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The way of this name.
    pub(crate) fn way(&self, channel: &str) -> Option<&Way> {
        self.ways.iter().find(|(name, _)| name == channel).map(|(_, way)| way)
    }

    /// Checks `[alerts]`, `[mail]` and `[heartbeat]`, and reads the files that they name, from `folder`; every fault at once,
    /// a line each.
    pub(crate) fn of(tables: &mut Table, folder: &Path, faults: &mut Vec<String>) -> Self {
        let alerts: AlertsFile = part(tables, "alerts", folder, faults).unwrap_or_default();
        let mail: Option<MailFile> = part(tables, "mail", folder, faults);
        let heartbeat: Option<HeartbeatFile> = part(tables, "heartbeat", folder, faults);
        let name = alerts.name.unwrap_or_else(|| "Guichet".to_owned());
        let mailing = mail.map(|mail| mail.complete(&name).and_then(|mail| mail.open()).map(Arc::new));
        let to = alerts.mail.map(|mail| mail.to).unwrap_or_default();
        if to.len() > MOST || alerts.webhooks.len() > MOST {
            faults.push(format!("[alerts]: at most {MOST} recipients and as many webhooks"));
        }
        let mut ways = recipients(to, mailing, faults);
        for file in alerts.webhooks {
            let named = format!("webhook:{}", file.name);
            let place = format!("[[alerts.webhooks]] {:?}", file.name);
            if file.name.parse::<CheckName>().is_err() || ways.iter().any(|(name, _)| *name == named) {
                faults.push(format!("{place}: `name` must be a word of a-z and 0-9 that no other has"));
            }
            match webhook(&file) {
                Ok(hook) => ways.push((named, Way::Webhook(Arc::new(hook)))),
                Err(why) => faults.push(format!("{place}: {why}")),
            }
        }
        let remind_every = alerts.remind_every.map_or(REMINDED, Span::duration);
        if remind_every < SHORTEST {
            faults.push("[alerts]: `remind_every` is at least 1m".to_owned());
        }
        let heartbeat = heartbeat.map(beat).transpose().unwrap_or_else(|why| {
            faults.push(format!("[heartbeat]: {why}"));
            None
        });
        Self { remind_every, language: alerts.language, ways, heartbeat }
    }
}

/// One of the tables, if it is there.
fn part<T: for<'a> Deserialize<'a>>(
    tables: &mut Table,
    name: &str,
    folder: &Path,
    faults: &mut Vec<String>,
) -> Option<T> {
    let mut written = tables.remove(name)?;
    beside(&mut written, folder);
    match T::deserialize(written) {
        Ok(part) => Some(part),
        Err(error) => {
            faults.push(format!("[{name}]: {}", error.to_string().trim_end().replace('\n', " ")));
            None
        }
    }
}

/// Files are named from the folder of the settings.
fn beside(value: &mut Value, folder: &Path) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                match value {
                    Value::String(file) if FILES.contains(&key.as_str()) => {
                        *file = folder.join(&*file).display().to_string();
                    }
                    other => beside(other, folder),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| beside(value, folder)),
        _ => {}
    }
}

fn recipients(
    to: Vec<String>,
    mailing: Option<Result<Arc<Mailing>, mail::FileError>>,
    faults: &mut Vec<String>,
) -> Vec<(String, Way)> {
    let mailing = match mailing {
        Some(Ok(mailing)) => mailing,
        Some(Err(error)) => {
            faults.push(error.to_string());
            return Vec::new();
        }
        None if to.is_empty() => return Vec::new(),
        None => {
            faults.push("[alerts.mail]: says whom to write to, and no [mail] says through which relay".to_owned());
            return Vec::new();
        }
    };
    let mut ways: Vec<(String, Way)> = Vec::new();
    for to in to {
        let named = format!("mail:{to}");
        if to.parse::<vocabulary::Email>().is_err() || ways.iter().any(|(name, _)| *name == named) {
            faults.push(format!("[alerts.mail]: {to:?} in `to` is no address, or stands there twice"));
        } else {
            ways.push((named, Way::Mail { mailing: mailing.clone(), to }));
        }
    }
    ways
}

fn webhook(file: &WebhookFile) -> Result<Webhook, String> {
    let (uri, outgoing) = reached(&file.url, file.ca_file.as_deref(), file.private)?;
    let secret = pki::files::secret(&file.secret_file).map_err(|error| format!("`secret_file`: {error}"))?;
    Webhook::new(uri, outgoing, &secret).map_err(|why| format!("`secret_file` {why}"))
}

fn beat(file: HeartbeatFile) -> Result<Heartbeat, String> {
    let (uri, outgoing) = reached(&file.url, file.ca_file.as_deref(), file.private)?;
    let every = file.every.map_or(Duration::from_mins(1), Span::duration);
    if every < Duration::from_secs(1) {
        return Err("`every` is at least 1s".to_owned());
    }
    Ok(Heartbeat { uri, outgoing, every })
}

fn reached(url: &str, authority: Option<&Path>, private: bool) -> Result<(Uri, Outgoing), String> {
    let uri: Option<Uri> = url.parse().ok();
    let uri = uri.filter(|uri| uri.host().is_some() && !uri.authority().is_some_and(|it| it.as_str().contains('@')));
    let uri = uri.filter(|uri| [Some(&Scheme::HTTPS), Some(&Scheme::HTTP)].contains(&uri.scheme()));
    let uri = uri.ok_or("`url` is no address such as https://alerts.example.org/guichet")?;
    if uri.scheme() == Some(&Scheme::HTTP) && !private {
        return Err("`url` is not encrypted: write https://, or `private = true` for a place of your own".to_owned());
    }
    let authority = authority.map(std::fs::read).transpose().map_err(|error| format!("`ca_file`: {error}"))?;
    let outgoing = Outgoing::over(uri.scheme(), authority.as_deref()).map_err(|error| format!("`ca_file`: {error}"))?;
    Ok((uri, outgoing.within(Reach::of(private))))
}
