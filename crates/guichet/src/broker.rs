//! The broker between those who tell and the journal: the link of one process to it, and what its operator does there.
//!
//! Promises: a broker that is away stops nobody; what is said of a link is what a handshake really agreed on. Must not know
//! what events mean.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::nats::{BrokerError, Connection, Layout, Rights, RightsError, prepare};
use clap::{Args, Subcommand};
use contracts::monitor::LinkState;
use pki::files::{self, Readers};
use pki::{Link, Negotiated, Peer};
use tokio::time::Instant;
use vocabulary::Clock;

use crate::links::{Links, Place};
use crate::node::{Node, is_broker};
use crate::probe::{Greeting, Silence, greeted};
use crate::{Failure, say};

/// The name in the server's certificate, and of the member that has it.
pub(crate) const NAME: &str = "nats";
/// Who makes the stream.
pub(crate) const OPERATOR: &str = "operator";
/// The services that the authority sent away, a line each.
const SENT_AWAY: &str = "sent-away";
/// How long the operator waits for the broker.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// How often it is looked anew what a link agrees on.
const AGAIN: Duration = Duration::from_mins(1);
/// Most that waits at the broker, unless told otherwise: what it is given on its disk, and some room.
const MOST_BYTES: i64 = 8_000_000_000;

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        Self::Settings(error.to_string())
    }
}

/// Who may do what, but those who were sent away: they may nothing any more.
pub(crate) fn rights(sent_away: &[String]) -> Result<Rights, RightsError> {
    let log = ["log.members.*", "log.agents.*"];
    let all = Rights::new(contracts::journal::SERVICE, OPERATOR)?
        .source(contracts::authority::SERVICE, &log)?
        .source(contracts::bank::SERVICE, &log)?
        .source(contracts::identity::SERVICE, &[log[0], log[1], contracts::events::AUTH_REVOKED])?
        .source(contracts::journal::SERVICE, &log)?
        .source(contracts::monitor::SERVICE, &log)?;
    Ok(sent_away.iter().fold(all, |rights, name| rights.without(name)))
}

/// Those whom the authority in this folder sent away.
pub(crate) fn sent_away(folder: &pki::Folder) -> Vec<String> {
    let gone = folder.members().iter().filter(|member| member.dismissed.is_some());
    gone.map(|member| member.name.clone()).collect()
}

/// Keeps who was sent away, beside the certificates at `place`: a broker knows names and no serial numbers. Whether that is new.
pub(crate) fn note_sent_away(place: &Place, names: &[String]) -> Result<bool, Failure> {
    if noted_sent_away(place) == names {
        return Ok(false);
    }
    files::write(&place.folder.join(SENT_AWAY), &format!("{}\n", names.join("\n")), Readers::Everyone)?;
    Ok(true)
}

/// Those who were sent away, as it was last heard.
pub(crate) fn noted_sent_away(place: &Place) -> Vec<String> {
    let text = std::fs::read_to_string(place.folder.join(SENT_AWAY)).unwrap_or_default();
    text.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The link of this process to the broker. Clones share it.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) connection: Connection,
    addresses: Arc<[String]>,
    link: Link,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// What a handshake agreed on.
struct Seen {
    at: Instant,
    generation: u64,
    address: String,
    agreed: Option<Negotiated>,
    peer: Option<Peer>,
}

/// The link as it stands.
pub(crate) struct Standing {
    pub(crate) address: String,
    pub(crate) state: LinkState,
    pub(crate) why: Option<String>,
    pub(crate) agreed: Option<Negotiated>,
    pub(crate) peer: Option<Peer>,
}

impl Broker {
    /// The way that `node` names, if it names one. Nobody waits for the broker.
    pub(crate) async fn of(node: &Node, links: &Links) -> Result<Option<Self>, Failure> {
        if node.nats.is_empty() {
            return Ok(None);
        }
        let connection = Connection::open(&node.nats, node.service.name(), &links.inner).await?;
        let (addresses, link) = (node.nats.clone().into(), links.inner.clone());
        Ok(Some(Self { connection, addresses, link, seen: Arc::default() }))
    }

    /// As it stands, by a handshake of its own with the same certificates: the client's own tells nothing of its TLS.
    pub(crate) async fn standing(&self) -> Standing {
        if !self.connection.is_up() {
            let address = self.addresses.join(", ");
            let why = Some("there is no link to it; events wait in the outbox".to_owned());
            return Standing { address, state: LinkState::Dead, why, agreed: None, peer: None };
        }
        let generation = self.link.generation();
        let fresh = |seen: &Seen| seen.generation == generation && seen.at.elapsed() < AGAIN;
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(fresh) {
            let seen = self.look(generation).await;
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (address, agreed, peer) = seen
            .as_ref()
            .map(|seen| (seen.address.clone(), seen.agreed.clone(), seen.peer.clone()))
            .unwrap_or_default();
        Standing { address, state: LinkState::Alive, why: None, agreed, peer }
    }

    async fn look(&self, generation: u64) -> Seen {
        let nothing =
            Seen { at: Instant::now(), generation, address: self.addresses.join(", "), agreed: None, peer: None };
        for address in self.addresses.iter() {
            if let Ok(Greeting { agreed, peer, .. }) = greet(address, &self.link).await {
                return Seen { address: address.clone(), agreed, peer, ..nothing };
            }
        }
        nothing
    }
}

/// Speaks with the broker at `address`, as whoever has `link`.
pub(crate) async fn greet(address: &str, link: &Link) -> Result<Greeting, Silence> {
    let at = address.trim_start_matches("tls://").trim_end_matches('/');
    let tls = link.client_config().map_err(|error| Silence::Foreign { at: at.to_owned(), why: error.to_string() })?;
    greeted(at, tls).await
}

#[derive(Subcommand)]
pub(crate) enum Operation {
    /// Make the stream at the broker, or bring it up to date; again after its store was lost
    #[command(after_help = "\
Example:
  guichet broker prepare --address tls://nats.internal:4222 --certificates /etc/guichet/operator

The folder holds ca.pem, operator.pem and operator-key.pem, as `guichet pki keep --service operator` gets them.")]
    Prepare(Prepare),
    /// Write who may do what at the broker: all services but those that were sent away
    #[command(after_help = "\
Example, on the authority's machine, after a service was sent away:
  guichet broker rights --pki-dir /var/lib/guichet/authority/pki > rights.conf

Put it beside nats-server.conf on each machine of the broker, and `systemctl reload nats-server` there.")]
    Rights(WriteRights),
}

#[derive(Args)]
pub(crate) struct Prepare {
    /// Where the broker is; several are the nodes of one cluster
    #[arg(long, value_name = "URL", required = true)]
    address: Vec<String>,
    /// The folder with the operator's certificates
    #[arg(long, value_name = "DIR")]
    certificates: PathBuf,
    /// On how many nodes each event lies: 1, or 3 in a cluster
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    replicas: usize,
    /// Most bytes that wait at the broker; when it is full, events wait with their sources
    #[arg(long, value_name = "BYTES", default_value_t = MOST_BYTES)]
    most_bytes: i64,
}

#[derive(Args)]
pub(crate) struct WriteRights {
    /// The authority's folder
    #[arg(long, value_name = "DIR")]
    pki_dir: PathBuf,
}

pub(crate) async fn run(operation: Operation) -> Result<(), Failure> {
    match operation {
        Operation::Prepare(arguments) => {
            let Prepare { address, certificates, replicas, most_bytes } = arguments;
            let operator = operator(&address, &certificates).await?;
            set_up(&operator, Layout { replicas, most_bytes }).await?;
            say("The stream is as it should be.\n")?;
            operator.advice().map_or(Ok(()), |advice| say(&format!("{advice}\n")))
        }
        Operation::Rights(arguments) => {
            let gone = sent_away(&pki::Folder::open(&arguments.pki_dir)?);
            let rights = rights(&gone).map_err(|error| Failure::Settings(error.to_string()))?;
            say(&rights.conf())
        }
    }
}

async fn operator(addresses: &[String], certificates: &Path) -> Result<Connection, Failure> {
    if let Some(wrong) = addresses.iter().find(|address| !is_broker(address)) {
        return Err(BrokerError::Address(wrong.clone()).into());
    }
    let place = Place { folder: certificates.to_owned(), name: OPERATOR.to_owned(), https: false };
    let links = Links::open(&place, &Clock::system())?;
    Ok(Connection::open(addresses, OPERATOR, &links.inner).await?)
}

/// Waits for the broker, and makes the stream.
async fn set_up(operator: &Connection, layout: Layout) -> Result<(), Failure> {
    let up = async {
        while !operator.is_up() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, up).await.map_err(|_| {
        Failure::Refused(
            "the broker does not let the operator in: does it run there, does rights.conf name CN=operator, and are both \
             certificates from one authority? Its log says more"
                .into(),
        )
    })?;
    Ok(prepare(operator, layout).await?)
}

/// Keeps the stream at a broker of one node as it should be, by whatever it lost.
pub(crate) async fn keep_prepared(operator: &Connection) -> Result<(), BrokerError> {
    if !operator.is_up() {
        return Ok(());
    }
    prepare(operator, Layout { replicas: 1, most_bytes: MOST_BYTES }).await
}

/// The same at its first start, which is waited for.
pub(crate) async fn first_prepared(operator: &Connection) -> Result<(), Failure> {
    set_up(operator, Layout { replicas: 1, most_bytes: MOST_BYTES }).await?;
    if let Some(advice) = operator.advice() {
        tracing::warn!("{advice}");
    }
    Ok(())
}
