//! `guichet status`: how the bank at an address does, as its public page and the superusers' see it.
//!
//! Asks the bank's one origin and nothing else; needs no file of a service. Changes nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use aaa::{Directory, Problem};
use contracts::monitor::{self, GetLinks, GetStatus, Health, Judged, LinkState, Links, Outlook, Status};
use http::StatusCode;
use serde::Serialize;
use vocabulary::Clock;
use zeroize::Zeroizing;

use crate::cli::StatusArguments;
use crate::{Failure, say, say_json};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest token that is read.
const MOST: usize = 16 * 1024;

/// What was found.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    status: Status,
    /// Nothing without a superuser's token.
    links: Option<Links>,
}

pub(crate) async fn run(arguments: StatusArguments) -> Result<(), Failure> {
    let StatusArguments { url, ca, token_file, json } = arguments;
    let roots = std::fs::read_to_string(&ca).map_err(|error| Failure::file("read", &ca, &error))?;
    let token = token_file.as_deref().map(token).transpose()?;
    let way = chassis::reach(&url, Some(&roots), &Clock::system());
    let directory = Directory::default();
    directory.set(monitor::SERVICE, way.map_err(|error| Failure::Settings(error.to_string()))?);
    let caller = directory.caller().within(PATIENCE);
    let status = caller.call(GetStatus::default()).await.map_err(|problem| silent(&url, &problem))?;
    let links = match token {
        Some(token) => {
            let links = caller.with_token(token.as_str()).call(GetLinks {}).await;
            Some(links.map_err(|problem| unseen(&problem))?)
        }
        None => None,
    };
    let found = Found { status, links };
    if json {
        say_json(&found)?;
    } else {
        say(&in_words(&found))?;
    }
    match (found.status.health, found.links.as_ref().is_none_or(|links| ailing(links).is_empty())) {
        (Health::Down, _) => Err(Failure::Refused("a service of the bank is down".into())),
        (Health::Up, false) => {
            Err(Failure::Refused("a certificate is about to end: run `guichet doctor` there".into()))
        }
        (Health::Up, true) => Ok(()),
    }
}

/// The first line of a file.
pub(crate) fn token(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::file("read the token from", path, &error))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.len() > MOST || !line.is_ascii() {
        let place = path.display();
        return Err(Failure::Settings(format!("{place} holds no token: put a personal token on its first line")));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn silent(url: &str, problem: &Problem) -> Failure {
    Failure::Refused(format!("{url} did not say how the bank does: {problem}"))
}

fn unseen(problem: &Problem) -> Failure {
    Failure::Refused(match problem.status() {
        StatusCode::UNAUTHORIZED => {
            "the token is not believed: it ended or was revoked, or is bound to a key; make another one in the profile"
                .into()
        }
        StatusCode::FORBIDDEN => {
            "the links are for superusers: the token has to be one's, and be allowed to read".into()
        }
        _ => format!("the bank did not say how its links do: {problem}"),
    })
}

/// The processes with a certificate that somebody has to look at.
fn ailing(links: &Links) -> Vec<&str> {
    let bad = |judged: &Judged| judged.outlook == Outlook::Bad;
    let ailing = links.processes.iter().filter(|it| bad(&it.certificate) || it.public.as_ref().is_some_and(bad));
    ailing.map(|process| process.service.as_str()).collect()
}

fn in_words(found: &Found) -> String {
    let mut out = String::new();
    for service in &found.status.services {
        let health = if service.health == Health::Up { "up  " } else { "DOWN" };
        let version = service.version.as_deref().map(|it| format!("  version {it}")).unwrap_or_default();
        let _ = writeln!(out, "{health}  {:10} since {}{version}", plain(&service.name), service.since);
        for truth in &service.truths {
            let holds = if truth.holds { "holds" } else { "FAILS" };
            let _ = writeln!(out, "        {holds}  {}", plain(&truth.name));
        }
    }
    match &found.links {
        None => out.push_str("\nLinks and certificates are left out: give a superuser's token with --token-file.\n"),
        Some(links) if links.processes.is_empty() => {
            out.push_str("\nThere are no links between services: they share one process, or have not told yet.\n");
        }
        Some(links) => links_in_words(&mut out, links),
    }
    out
}

fn links_in_words(out: &mut String, links: &Links) {
    out.push_str("\nCertificates\n");
    for process in &links.processes {
        let public = process.public.iter().map(|judged| (judged, " (for browsers)"));
        for (judged, what) in std::iter::once((&process.certificate, "")).chain(public) {
            let outlook = match judged.outlook {
                Outlook::Good => "good",
                Outlook::Late => "LATE",
                Outlook::Bad => "BAD ",
            };
            let (percent, until) = (judged.spent_permille / 10, judged.certificate.until);
            let _ = writeln!(out, "{outlook}  {:10} {percent:3} % over, until {until}{what}", plain(&process.service));
        }
    }
    out.push_str("\nLinks\n");
    for (process, link) in links.processes.iter().flat_map(|it| it.links.iter().map(move |link| (it, link))) {
        let state = match link.state {
            LinkState::Alive => "up  ",
            LinkState::LeftOut => "left",
            LinkState::Dead => "DOWN",
        };
        let agreed = link.agreed.as_ref().map_or_else(
            || "not connected yet".to_owned(),
            |agreed| {
                let quantum = if agreed.withstands_quantum { "withstands quantum computers" } else { "classical" };
                let [protocol, group, cipher] = [&agreed.protocol, &agreed.group, &agreed.cipher].map(|it| plain(it));
                format!("{protocol} {group} ({quantum}) {cipher}")
            },
        );
        let why = link.why.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
        let (from, to, at) = (plain(&process.service), plain(&link.service), plain(&link.address));
        let _ = writeln!(out, "{state}  {from:10} > {to:10} {at:21} {agreed}{why}");
    }
}

/// What came over the line, without what would steer a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
