//! `guichet health`: whether the process of this machine can serve, as one line and an exit code.
//!
//! For container engines and scripts, which have no other way to ask a process that lets in nobody without a certificate:
//! an inner service is asked with its own certificate, the pages and a bank in one process over their public HTTPS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use http::Uri;
use pki::{Identity, Shown};
use rustls::ClientConfig;
use vocabulary::Clock;

use crate::cli::{Health, ServiceName};
use crate::node::Door;
use crate::probe::{Question, ask};
use crate::settings::Settings;
use crate::{Failure, say};

const READY: &str = "/health/ready";
const LIVE: &str = "/health/live";

pub(crate) async fn run(arguments: Health) -> Result<(), Failure> {
    let asking = Asking::of(&arguments)?;
    let path = if arguments.live { LIVE } else { READY };
    let question = Question { at: &asking.at, name: &asking.name, tls: asking.tls, path };
    let answer = ask(question, &Clock::system()).await.map_err(|silence| Failure::Refused(silence.to_string()))?;
    match answer.status {
        200 => say(if arguments.live { "It lives.\n" } else { "It serves.\n" }),
        status => Err(Failure::Refused(format!("it cannot serve now ({status}): {}", answer.words.trim()))),
    }
}

/// Whom to ask, and how.
pub(crate) struct Asking {
    pub(crate) at: String,
    pub(crate) name: String,
    pub(crate) tls: ClientConfig,
}

impl Asking {
    fn of(arguments: &Health) -> Result<Self, Failure> {
        if let Some(url) = &arguments.url {
            return Self::at_url(url, arguments.ca.as_deref());
        }
        if let Some(service) = arguments.service {
            return Self::at_door(&Door::of(service, &arguments.place)?);
        }
        let settings = Settings::of_whole(&arguments.place)?;
        Self::public(settings.listen, &settings.data_dir.join("tls"))
    }

    /// The process of a service on this machine.
    pub(crate) fn at_door(door: &Door) -> Result<Self, Failure> {
        let (name, clock) = (door.service.name(), Clock::system());
        let tls = match door.service {
            ServiceName::Web => return Self::public(door.listen, &door.certificates),
            // Its certificate is nowhere but in its memory.
            ServiceName::Authority => pki::client_config(&read(&door.pki_dir.join("root.pem"))?, None, &clock)?,
            _ => {
                let own = Identity::open(&door.certificates, name)?;
                pki::client_config(&read(&door.certificates.join("ca.pem"))?, Some(&own), &clock)?
            }
        };
        Ok(Self { at: near(door.listen), name: name.into(), tls })
    }

    fn at_url(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let wrong = || Failure::Settings(format!("`{url}` is not an address such as https://bank.example.org:8443"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(wrong)?;
        let ca = ca.ok_or_else(|| {
            Failure::Settings("say with --ca which authority is to be trusted: a file such as tls/ca.pem".into())
        })?;
        Ok(Self {
            at: format!("{host}:{}", uri.port_u16().unwrap_or(443)),
            name: host.trim_start_matches('[').trim_end_matches(']').into(),
            tls: pki::client_config(&read(ca)?, None, &Clock::system())?,
        })
    }

    /// A listener for browsers, in the name that its own certificate has first. Its authority may be another one than
    /// the bank's: what stands above the certificate in its file is believed too.
    fn public(listen: SocketAddr, certificates: &Path) -> Result<Self, Failure> {
        let clock = Clock::system();
        let https = read(&certificates.join("https.pem"))?;
        let shown = pki::show(&https, None, clock.now())?;
        let name = shown.into_iter().find_map(|one| match one {
            Shown::Certificate { names, .. } => names.into_iter().next(),
            _ => None,
        });
        let name = name.ok_or_else(|| Failure::Settings("the public's certificate names no address".into()))?;
        let above = https.split_inclusive("-----END CERTIFICATE-----").skip(1).collect::<String>();
        let roots = read(&certificates.join("ca.pem"))? + "\n" + &above;
        Ok(Self { at: near(listen), name, tls: pki::client_config(&roots, None, &clock)? })
    }
}

/// The way to a listener on this machine.
fn near(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port()).to_string()
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}
