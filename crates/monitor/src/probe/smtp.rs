//! A greeting up to EHLO, with STARTTLS where it is offered. No mail is handed over.

use contracts::monitor::CheckSpec;
use tokio::io::{AsyncRead, AsyncWrite};
use vocabulary::Timestamp;

use super::dialogue::Dialogue;
use super::place::Spot;
use super::sight::both;
use super::{Failure, secure};
use crate::addresses::{Reach, connected};
use crate::check::Fault;
use crate::condition::Facts;
use crate::secure::Secure;

const SMTP: &str = "SMTP";
/// Lines of one reply.
const MOST_LINES: usize = 100;
/// Where TLS comes before the greeting (RFC 8314).
const SUBMISSIONS: u16 = 465;

pub(super) struct Smtp {
    spot: Spot,
    reach: Reach,
    secure: Secure,
    /// Whether it is an error not to be offered TLS.
    pub(super) wants_tls: bool,
}

impl Smtp {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let (spot, secure) = both(Spot::read(&spec.target, None, reach), secure(spec))?;
        Ok(Self { spot, reach, secure, wants_tls: spec.ca_file.is_some() })
    }

    pub(super) async fn run(&self, facts: &mut Facts, now: Timestamp) -> Result<(), Failure> {
        let host = self.spot.host.as_str();
        let stream = connected(host, self.spot.port, self.reach).await?;
        if self.spot.port == SUBMISSIONS {
            let stream = self.secure.handshake(host, stream, facts, now).await?;
            let mut dialogue = Dialogue::new(stream, SMTP);
            expect(&mut dialogue, "its greeting", 220).await?;
            hello(&mut dialogue).await?;
            return quit(&mut dialogue).await;
        }
        let mut dialogue = Dialogue::new(stream, SMTP);
        expect(&mut dialogue, "its greeting", 220).await?;
        let offered = hello(&mut dialogue).await?;
        if !offered {
            return if self.wants_tls {
                Err(Failure::bad("it does not offer STARTTLS"))
            } else {
                quit(&mut dialogue).await
            };
        }
        dialogue.say("STARTTLS\r\n").await?;
        expect(&mut dialogue, "STARTTLS", 220).await?;
        let stream = self.secure.handshake(host, dialogue.into_stream()?, facts, now).await?;
        let mut dialogue = Dialogue::new(stream, SMTP);
        hello(&mut dialogue).await?;
        quit(&mut dialogue).await
    }
}

/// Whether STARTTLS is among what is offered.
async fn hello<S: AsyncRead + AsyncWrite + Unpin>(dialogue: &mut Dialogue<S>) -> Result<bool, Failure> {
    dialogue.say("EHLO localhost\r\n").await?;
    let offers = expect(dialogue, "EHLO", 250).await?;
    Ok(offers.iter().any(|offer| offer.trim().eq_ignore_ascii_case("STARTTLS")))
}

/// Whatever is answered: the check is over.
async fn quit<S: AsyncRead + AsyncWrite + Unpin>(dialogue: &mut Dialogue<S>) -> Result<(), Failure> {
    dialogue.say("QUIT\r\n").await
}

/// The lines of one reply, if it is of this kind.
async fn expect<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<S>,
    to: &str,
    wanted: u16,
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    loop {
        let line = dialogue.hear().await?;
        let (code, rest) = line.split_at_checked(3).ok_or_else(|| dialogue.foreign())?;
        let code: u16 = code.parse().ok().filter(|it| (200..600).contains(it)).ok_or_else(|| dialogue.foreign())?;
        let last = !rest.starts_with('-');
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if code != wanted {
            return Err(Failure::bad(format!("it answers {code} where {wanted} is due ({to})")));
        }
        if last {
            return Ok(lines);
        }
        if lines.len() >= MOST_LINES {
            return Err(dialogue.foreign());
        }
    }
}
