//! Asking a process one question over TLS, step by step, so that it can be said at which step it failed.
//!
//! Promises: name, connection, proof of the other side and its proof of us are told apart; every step is bounded in time
//! and size. It changes nothing at the other end and keeps no connection.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pki::{Negotiated, Peer};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use vocabulary::{Clock, Timestamp};

/// Longest wait for a connection, and for everything after it.
const CONNECTING: Duration = Duration::from_secs(3);
const ANSWERING: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MOST_BYTES: u64 = 64 * 1024;

/// Whom to ask.
pub(crate) struct Question<'a> {
    /// Where, as `host:port`.
    pub(crate) at: &'a str,
    /// Who has to answer, by the name in its certificate.
    pub(crate) name: &'a str,
    /// How both sides prove themselves.
    pub(crate) tls: ClientConfig,
    /// What is asked for.
    pub(crate) path: &'a str,
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What is wrong, in its words, or the whole answer where it has none.
    pub(crate) words: String,
    /// How far its clock is ahead of ours, in seconds, where it told the time.
    pub(crate) ahead: Option<f64>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    /// Nobody knows where that is.
    #[error("the name in {at} is not known to this machine ({why})")]
    Name { at: String, why: String },
    /// Nobody listens there, or nothing gets there.
    #[error("no connection to {at} ({why})")]
    Connection { at: String, why: String },
    /// It is not who it should be.
    #[error("what answers at {at} is not believed: {why}")]
    Disbelieved { at: String, why: String },
    /// It does not believe us.
    #[error("{at} refuses this side's certificate: {why}")]
    Refused { at: String, why: String },
    /// No TLS, or none in common.
    #[error("{at} does not answer as a service of the bank does ({why})")]
    Foreign { at: String, why: String },
}

/// Asks once; every address of the name is tried in turn until one can be connected to.
pub(crate) async fn ask(question: Question<'_>, clock: &Clock) -> Result<Answer, Silence> {
    let at = question.at.to_owned();
    let name = ServerName::try_from(question.name.to_owned())
        .map_err(|error| Silence::Name { at: at.clone(), why: error.to_string() })?;
    let stream = connected(question.at).await?;
    let spoken = async {
        let mut stream = TlsConnector::from(Arc::new(question.tls)).connect(name, stream).await?;
        let host = question.at;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\nconnection: close\r\n\r\n",
            question.path
        );
        let asked = clock.now();
        // Who does not believe our certificate says so only now, and may have stopped listening: its words still count.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut said = Vec::new();
        let read = stream.take(MOST_BYTES).read_to_end(&mut said).await;
        match Answer::of(&said, asked, clock.now()) {
            Some(answer) => Ok(answer),
            None => Err(read.err().unwrap_or_else(|| io::Error::other("it closed the connection without an answer"))),
        }
    };
    let spoken = timeout(ANSWERING, spoken).await.unwrap_or_else(|_| Err(late()));
    spoken.map_err(|error| silence(at, &error))
}

/// What a broker said, and what the handshake with it agreed on.
pub(crate) struct Greeting {
    pub(crate) agreed: Option<Negotiated>,
    pub(crate) peer: Option<Peer>,
    pub(crate) version: String,
}

/// Speaks with the broker at `host:port`: its first line, TLS, and whether it lets us in.
pub(crate) async fn greeted(place: &str, tls: ClientConfig) -> Result<Greeting, Silence> {
    let at = place.to_owned();
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Silence::Name { at: at.clone(), why: error.to_string() })?;
    let mut stream = BufReader::new(connected(place).await?);
    let spoken = async {
        let version = version_in(&line(&mut stream).await?)?;
        // The broker says nothing more before TLS; whatever else came would be no broker's.
        let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, stream.into_inner()).await?;
        let (_, connection) = stream.get_ref();
        let (agreed, peer) = (Negotiated::of(connection), Peer::of(connection));
        stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":true}\r\nPING\r\n").await?;
        let mut stream = BufReader::new(stream);
        loop {
            let said = line(&mut stream).await?;
            match said.split_whitespace().next() {
                Some("PONG") => return Ok(Greeting { agreed, peer, version }),
                Some("-ERR") => return Err(io::Error::new(io::ErrorKind::PermissionDenied, said)),
                _ => {}
            }
        }
    };
    let spoken = timeout(ANSWERING, spoken).await.unwrap_or_else(|_| Err(late()));
    spoken.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Silence::Refused {
            at,
            why: format!("{error}: rights.conf names nobody with this certificate's common name"),
        },
        _ => silence(at, &error),
    })
}

/// The next line of a broker.
async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    match stream.take(MOST_BYTES).read_line(&mut line).await? {
        0 => Err(io::Error::other("it closed the connection")),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn version_in(line: &str) -> io::Result<String> {
    let info = line.strip_prefix("INFO ").and_then(|info| serde_json::from_str::<serde_json::Value>(info).ok());
    let version = info.and_then(|info| Some(info.get("version")?.as_str()?.to_owned()));
    version.ok_or_else(|| io::Error::other("it does not begin as a nats-server does"))
}

/// A connection to `host:port`, and nothing said over it.
pub(crate) async fn connected(place: &str) -> Result<TcpStream, Silence> {
    let at = place.to_owned();
    let found = timeout(CONNECTING, tokio::net::lookup_host(place)).await.unwrap_or_else(|_| Err(late()));
    let places: Vec<SocketAddr> = match found {
        Ok(places) => places.collect(),
        Err(error) => return Err(Silence::Name { at, why: error.to_string() }),
    };
    connect(&places).await.map_err(|error| Silence::Connection { at, why: in_words(&error) })
}

async fn connect(places: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for place in places {
        match timeout(CONNECTING, TcpStream::connect(place)).await.unwrap_or_else(|_| Err(late())) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".into(),
        io::ErrorKind::TimedOut => "no answer in time".into(),
        _ => error.to_string(),
    }
}

/// What went wrong once there was a connection.
fn silence(at: String, error: &io::Error) -> Silence {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            let why = tls_error(error).map(pki::reason).unwrap_or_default();
            Silence::Disbelieved { at, why }
        }
        Some(rustls::Error::AlertReceived(alert)) => match refusal(*alert) {
            Some(why) => Silence::Refused { at, why: why.into() },
            None => Silence::Foreign { at, why: format!("it broke off: {alert:?}") },
        },
        Some(other) => Silence::Foreign { at, why: other.to_string() },
        None => Silence::Foreign { at, why: in_words(error) },
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let mut cause = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        cause = error.source();
    }
    None
}

/// What an alert says about our certificate, if it speaks of it.
fn refusal(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError => {
            "no authority that it trusts signed it"
        }
        AlertDescription::CertificateExpired => "it expired, or its clock and ours are apart",
        AlertDescription::CertificateRevoked => "it was revoked",
        AlertDescription::CertificateRequired => "it asks for one and was shown none",
        AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => "it does not accept it, or cannot tell whether it was revoked",
        _ => return None,
    })
}

impl Answer {
    /// From what came over the line; nothing when that is no HTTP.
    fn of(said: &[u8], asked: Timestamp, answered: Timestamp) -> Option<Self> {
        let text = String::from_utf8_lossy(said);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let date = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("date").then(|| moment(value.trim())).flatten()
        });
        let between = Timestamp::from_micros(asked.micros().midpoint(answered.micros()));
        let problem = serde_json::from_str::<serde_json::Value>(body).ok();
        let detail = problem.as_ref().and_then(|problem| problem.get("detail").or_else(|| problem.get("title")));
        let words = detail.and_then(|detail| detail.as_str()).unwrap_or(body);
        Some(Self {
            status,
            words: words.chars().take(400).map(|c| if c.is_control() { ' ' } else { c }).collect(),
            // Told in whole seconds, and looked at once a second: half a second later than it says, on average.
            ahead: date.map(|date| seconds_between(between, date.plus(Duration::from_millis(500)))),
        })
    }
}

/// How much later `second` is than `first`, in seconds; below zero when it is earlier.
pub(crate) fn seconds_between(first: Timestamp, second: Timestamp) -> f64 {
    second.since(first).as_secs_f64() - first.since(second).as_secs_f64()
}

/// A date as HTTP writes it: `Sat, 21 Nov 2026 09:30:00 GMT`.
fn moment(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split(' ').skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_its_time_and_what_is_wrong() {
        let now: Timestamp = "2026-11-21T09:30:00.5Z".parse().unwrap();
        let said =
            b"HTTP/1.1 503 Service Unavailable\r\nDate: Sat, 21 Nov 2026 09:31:00 GMT\r\n\r\n{\"detail\":\"waits\"}";
        let answer = Answer::of(said, now, now).unwrap();
        assert_eq!((answer.status, answer.words.as_str()), (503, "waits"));
        assert!((answer.ahead.unwrap() - 60.0).abs() < 0.01, "{answer:?}");
        assert!(Answer::of(b"220 mail.example ESMTP", now, now).is_none());
        let behind = Answer::of(b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 09:29:00 GMT\r\n\r\n", now, now).unwrap();
        assert!((behind.ahead.unwrap() + 60.0).abs() < 0.01, "{behind:?}");
    }
}
