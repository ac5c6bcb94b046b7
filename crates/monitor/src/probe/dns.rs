//! A question to a name server, over UDP, and over TCP where the answer does not fit.
//!
//! Answers count only if they come from whom was asked, carry the number of the question and repeat it: nobody else on the
//! way can guess all three.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use contracts::monitor::CheckSpec;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use vocabulary::Chance;

use super::Failure;
use super::place::server;
use crate::addresses::{Reach, connected};
use crate::check::Fault;
use crate::condition::Facts;
use crate::outgoing::Silence;

/// Where this machine has written whom it asks.
const RESOLVERS: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// How long until it is asked again, or somebody else is: packets are lost.
const PATIENCE: Duration = Duration::from_secs(2);
/// Largest answer over UDP that is read.
const MOST_BYTES: usize = 4096;
/// What can be asked for.
const RECORDS: [(&str, RecordType); 6] = [
    ("A", RecordType::A),
    ("AAAA", RecordType::AAAA),
    ("CNAME", RecordType::CNAME),
    ("MX", RecordType::MX),
    ("NS", RecordType::NS),
    ("TXT", RecordType::TXT),
];

pub(super) struct Dns {
    question: Query,
    /// Those of this machine, if there is none.
    server: Option<SocketAddr>,
    reach: Reach,
    chance: Chance,
}

impl Dns {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let name = name(&spec.target);
        if name.is_none() {
            faults.push(("target", "is no name to ask for: write bank.example.org".into()));
        }
        let asked = spec.record.as_deref().unwrap_or("A");
        let record = RECORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(asked)).map(|(_, record)| *record);
        if record.is_none() {
            faults.push(("record", format!("is one of {}", RECORDS.map(|(known, _)| known).join(", "))));
        }
        let server = spec.server.as_deref().map(|text| server(text, reach)).transpose();
        let server = server.map_err(|fault| faults.push(fault));
        match (name, record, server) {
            (Some(name), Some(record), Ok(server)) => {
                Ok(Self { question: Query::query(name, record), server, reach, chance: Chance::system() })
            }
            _ => Err(faults),
        }
    }

    pub(super) async fn run(&self, facts: &mut Facts) -> Result<(), Failure> {
        // Whom this machine asks anyway is not judged.
        let (servers, reach) = match self.server {
            Some(server) => (vec![server], self.reach),
            None => (of_this_machine(), Reach::Anywhere),
        };
        if servers.is_empty() {
            return Err(Silence::Here(format!("{RESOLVERS} names no name server")).into());
        }
        for (turn, server) in (1..).zip(servers.iter().cycle()) {
            let mut message = match self.ask(*server, Instant::now() + PATIENCE).await {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                // The next may be there.
                Err(_) if turn < servers.len() => continue,
                Err(failure) => return Err(failure),
            };
            if message.metadata.truncation {
                message = self.ask_whole(*server, reach).await?;
            }
            return self.read(&message, facts);
        }
        Ok(())
    }

    /// One question over UDP; nothing where no answer came in time.
    async fn ask(&self, server: SocketAddr, until: Instant) -> Result<Option<Message>, Failure> {
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let failed = |error: std::io::Error| Failure::from(Silence::connecting(&error));
        let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
        // From now on it hears nobody else.
        socket.connect(server).await.map_err(failed)?;
        let (number, question) = self.question()?;
        socket.send(&question).await.map_err(failed)?;
        let mut buffer = vec![0; MOST_BYTES];
        loop {
            let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await else { return Ok(None) };
            let heard = buffer.get(..received.map_err(failed)?).unwrap_or_default();
            if let Some(message) = self.answer(number, heard) {
                return Ok(Some(message));
            }
        }
    }

    /// The same over TCP.
    async fn ask_whole(&self, server: SocketAddr, reach: Reach) -> Result<Message, Failure> {
        let foreign = || Failure::bad("what answers does not speak DNS over TCP, or hangs up");
        let mut stream = connected(&server.ip().to_string(), server.port(), reach).await?;
        let (number, question) = self.question()?;
        let length = u16::try_from(question.len()).map_err(|_| foreign())?;
        let framed = [&length.to_be_bytes(), question.as_slice()].concat();
        stream.write_all(&framed).await.map_err(|_| foreign())?;
        let length = stream.read_u16().await.map_err(|_| foreign())?;
        let mut buffer = vec![0; usize::from(length)];
        stream.read_exact(&mut buffer).await.map_err(|_| foreign())?;
        self.answer(number, &buffer).ok_or_else(foreign)
    }

    fn question(&self) -> Result<(u16, Vec<u8>), Failure> {
        let number = u16::from_be_bytes(self.chance.bytes());
        let mut message = Message::new(number, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.question.clone());
        let bytes = message.to_vec().map_err(|_| Failure::bad("the question cannot be put"))?;
        Ok((number, bytes))
    }

    /// What was heard, if it answers that question.
    fn answer(&self, number: u16, heard: &[u8]) -> Option<Message> {
        let message = Message::from_vec(heard).ok()?;
        let meta = &message.metadata;
        let fits = meta.id == number && meta.message_type == MessageType::Response;
        let same = |asked: &Query| {
            asked.name.to_lowercase() == self.question.name.to_lowercase()
                && asked.query_type == self.question.query_type
                && asked.query_class == self.question.query_class
        };
        let repeats = match message.queries.as_slice() {
            [asked] => same(asked),
            // Whoever could not read it cannot repeat it.
            [] => meta.response_code != ResponseCode::NoError,
            _ => false,
        };
        (fits && repeats).then_some(message)
    }

    fn read(&self, message: &Message, facts: &mut Facts) -> Result<(), Failure> {
        match message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            ResponseCode::ServFail => return Err(Failure::bad("the name server answers that it failed (SERVFAIL)")),
            ResponseCode::Refused => return Err(Failure::bad("the name server refuses to answer (REFUSED)")),
            other => return Err(Failure::bad(format!("the name server answers with code {}", u16::from(other)))),
        }
        let wanted = message.answers.iter().filter(|record| record.record_type() == self.question.query_type);
        facts.answers = Some(wanted.map(|record| written(&record.data)).collect());
        Ok(())
    }
}

/// Spelled in ASCII; a last dot may be left out, as nothing is ever added.
fn name(text: &str) -> Option<Name> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if !text.bytes().all(plain) || text.is_empty() {
        return None;
    }
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn written(data: &RData) -> String {
    let plain = |name: &Name| name.to_lowercase().to_ascii().trim_end_matches('.').to_owned();
    match data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::CNAME(name) => plain(&name.0),
        RData::NS(name) => plain(&name.0),
        RData::MX(mail) => format!("{} {}", mail.preference, plain(&mail.exchange)),
        RData::TXT(text) => String::from_utf8_lossy(&text.txt_data.concat()).into_owned(),
        _ => String::new(),
    }
}

/// Read each time: it changes with the network that a machine is in.
fn of_this_machine() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(RESOLVERS).unwrap_or_default();
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    named.filter_map(|rest| rest.trim().parse().ok()).map(|address| SocketAddr::new(address, PORT)).collect()
}
