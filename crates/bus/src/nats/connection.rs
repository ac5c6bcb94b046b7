//! One process's link to the broker: mutual TLS, kept up, and made anew when a certificate was replaced.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use pki::Link;
use tokio::task::JoinHandle;

use super::{BrokerError, UNACKNOWLEDGED};

/// Longest wait for one answer of the broker.
const ANSWER: Duration = Duration::from_secs(5);
/// How often to look whether the certificate was replaced.
const LOOK: Duration = Duration::from_secs(5);
/// How often to ask a broker that says nothing whether it is there: of a wall between, nobody is told.
const ASK: Duration = Duration::from_secs(10);
/// Messages that wait to be written to the broker, and that came from it, before somebody has to wait.
const WAITING: usize = 1024;

/// A link to the broker. Clones share it.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    client: Client,
    jetstream: Context,
    name: String,
    renewing: JoinHandle<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Connection {
    /// Begins to keep up a link to one of the brokers at `addresses`, and does not wait for it: a broker that is away now is
    /// found later. `name` is the common name in the certificate of `link`; it names the inbox that [`super::Rights`] grants.
    pub async fn open(addresses: &[String], name: &str, link: &Link) -> Result<Self, BrokerError> {
        let parse = |text: &String| text.parse::<ServerAddr>().map_err(|_| BrokerError::Address(text.clone()));
        let servers: Vec<ServerAddr> = addresses.iter().map(parse).collect::<Result<_, _>>()?;
        let of = name.to_owned();
        let client = ConnectOptions::new()
            // Otherwise the broker's first line, which is in clear, could talk us out of it.
            .require_tls(true)
            .tls_client_config(link.client_config()?)
            .name(name)
            .custom_inbox_prefix(inbox(name))
            // Addresses that a broker tells of are in no certificate that we were told of.
            .ignore_discovered_servers()
            .retry_on_initial_connect()
            .connection_timeout(ANSWER)
            .request_timeout(Some(ANSWER))
            .ping_interval(ASK)
            .client_capacity(WAITING)
            .subscription_capacity(WAITING)
            .event_callback(move |event| {
                note(&of, &event);
                std::future::ready(())
            })
            .connect(servers)
            .await
            .map_err(BrokerError::of("connect"))?;
        let jetstream =
            jetstream::ContextBuilder::new().timeout(ANSWER).max_ack_inflight(UNACKNOWLEDGED + 1).build(client.clone());
        let renewing = tokio::spawn(renew(client.clone(), link.clone()));
        Ok(Self(Arc::new(Shared { client, jetstream, name: name.to_owned(), renewing })))
    }

    /// Whether the broker can be talked to now.
    pub fn is_up(&self) -> bool {
        self.0.client.connection_state() == async_nats::connection::State::Connected
    }

    /// The broker's version, once it was reached.
    pub fn version(&self) -> Option<String> {
        self.0.client.try_server_info().map(|info| info.version).filter(|version| !version.is_empty())
    }

    /// What a newer broker would do better; nothing where this one is new enough, or was not reached yet.
    pub fn advice(&self) -> Option<String> {
        super::admin::advice(&self.version()?)
    }

    pub(super) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(super) fn jetstream(&self) -> &Context {
        &self.0.jetstream
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("name", &self.0.name).field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

/// Where answers to `name` go. Nobody else may listen there.
pub(super) fn inbox(name: &str) -> String {
    format!("_INBOX_{name}")
}

fn note(name: &str, event: &Event) {
    match event {
        Event::Connected => tracing::info!(name, "linked to the broker"),
        Event::Disconnected => tracing::warn!(name, "lost the link to the broker; events wait in the outbox"),
        other => {
            let event = other.to_string();
            // The client reads them on every link and uses none of them, as it was given a configuration of ours.
            let advice = event.contains("platform certs").then_some(
                "the system's certificates cannot be read; make /etc/ssl/certs readable, or name another file of certificates \
                 in SSL_CERT_FILE: the link needs none of them, and does not come about without",
            );
            tracing::warn!(name, event, advice, "the broker or its link said something");
        }
    }
}

/// A standing link shows the certificate with which it began: make it anew once there is another.
async fn renew(client: Client, link: Link) {
    let mut seen = link.generation();
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let now = link.generation();
        if now != seen {
            match client.force_reconnect().await {
                Ok(()) => seen = now,
                Err(error) => tracing::warn!(%error, "cannot make the link to the broker anew yet"),
            }
        }
    }
}
