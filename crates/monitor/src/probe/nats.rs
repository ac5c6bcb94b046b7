//! A sign-in to a broker and a ping, with a client of its own: TLS follows a first line in the open, and a client for work
//! would keep the connection up.

use contracts::monitor::CheckSpec;
use serde::Deserialize;
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

const PORT: u16 = 4222;
/// Lines before the answer to a ping.
const MOST_LINES: usize = 20;

pub(super) struct Nats {
    spot: Spot,
    reach: Reach,
    /// Nothing where it goes in the open.
    secure: Option<Secure>,
}

/// Of the broker's first line, what matters here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    tls_required: bool,
    tls_available: bool,
}

impl Nats {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let (encrypted, place) = match (spec.target.strip_prefix("tls://"), spec.target.strip_prefix("nats://")) {
            (Some(place), _) => (true, place),
            (None, Some(place)) => (false, place),
            (None, None) => return Err(vec![("target", "begins with neither tls:// nor nats://".into())]),
        };
        let secured = if encrypted {
            secure(spec).map(Some)
        } else if spec.ca_file.is_some() || spec.certificate_file.is_some() {
            Err(vec![(
                "target",
                "begins with nats://, which goes in the open, and there are files for TLS: write tls://".into(),
            )])
        } else {
            Ok(None)
        };
        let (spot, secure) = both(Spot::read(place, Some(PORT), reach), secured)?;
        Ok(Self { spot, reach, secure })
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.secure.is_some()
    }

    pub(super) async fn run(&self, facts: &mut Facts, now: Timestamp) -> Result<(), Failure> {
        let host = self.spot.host.as_str();
        let stream = connected(host, self.spot.port, self.reach).await?;
        let mut dialogue = Dialogue::new(stream, "NATS");
        let line = dialogue.hear().await?;
        let info = line.strip_prefix("INFO ").and_then(|json| serde_json::from_str::<Info>(json).ok());
        let info = info.ok_or_else(|| dialogue.foreign())?;
        let Some(secure) = &self.secure else {
            if info.tls_required {
                return Err(Failure::bad("it asks for TLS: write tls:// instead of nats://"));
            }
            return sign_in(&mut dialogue, false).await;
        };
        if !info.tls_required && !info.tls_available {
            return Err(Failure::bad("it does not offer TLS"));
        }
        let stream = secure.handshake(host, dialogue.into_stream()?, facts, now).await?;
        sign_in(&mut Dialogue::new(stream, "NATS"), true).await
    }
}

async fn sign_in<S: AsyncRead + AsyncWrite + Unpin>(dialogue: &mut Dialogue<S>, tls: bool) -> Result<(), Failure> {
    let options = format!(
        r#"CONNECT {{"verbose":false,"pedantic":false,"tls_required":{tls},"name":"guichet-monitor","lang":"rust","version":"{}","protocol":1}}"#,
        env!("CARGO_PKG_VERSION")
    );
    dialogue.say(&format!("{options}\r\nPING\r\n")).await?;
    for _ in 0..MOST_LINES {
        let line = dialogue.hear().await?;
        if line == "PONG" {
            return Ok(());
        }
        if line.starts_with("-ERR") {
            let refused = line.contains("Authorization") || line.contains("Authentication");
            let words = if refused { "it refuses the sign-in" } else { "it answers the sign-in with an error" };
            return Err(Failure::bad(words));
        }
        // News of its cluster, or a ping of its own.
        if !line.starts_with("INFO ") && line != "PING" && line != "+OK" {
            return Err(dialogue.foreign());
        }
    }
    Err(dialogue.foreign())
}
