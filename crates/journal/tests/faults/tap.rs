//! Somebody in the broker who hears all that is published and publishes it again: twice, in another order, from the start,
//! altered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap};
use futures_util::StreamExt;
use vocabulary::Chance;

use crate::broker::{Broker, rights};

const USER: &str = r#"    { user: "CN=tap", permissions: { publish: { allow: ["told.>"] }, subscribe: { allow: ["told.>", "_INBOX_tap.>"] } } }"#;

#[derive(Clone)]
struct Message {
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
}

impl Message {
    fn seq(&self) -> i64 {
        self.headers.get("Guichet-Seq").unwrap().as_str().parse().unwrap()
    }

    fn source(&self) -> &str {
        self.subject.split('.').nth(1).unwrap()
    }
}

pub(crate) struct Tap {
    client: Client,
    heard: Arc<Mutex<Vec<Message>>>,
    chance: Chance,
}

impl Tap {
    pub(crate) async fn on(broker: &Broker, chance: Chance) -> Self {
        let conf = rights().conf().replacen("  users: [\n", &format!("  users: [\n{USER}\n"), 1);
        broker.reload_as(&conf);
        let client = ConnectOptions::new()
            .require_tls(true)
            .tls_client_config(broker.link("tap").client_config().unwrap())
            .custom_inbox_prefix("_INBOX_tap")
            // Otherwise it would repeat what it repeated.
            .no_echo()
            // Until the broker has read of it.
            .retry_on_initial_connect()
            .connect(broker.address())
            .await
            .unwrap();
        let mut told = client.subscribe("told.>").await.unwrap();
        client.flush().await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Some(message) = told.next().await {
                let (subject, headers) = (message.subject.to_string(), message.headers.unwrap());
                hears.lock().unwrap().push(Message { subject, headers, payload: message.payload.to_vec() });
            }
        });
        Self { client, heard, chance }
    }

    fn heard(&self) -> Vec<Message> {
        self.heard.lock().unwrap().clone()
    }

    async fn publish(&self, mut message: Message) {
        // The broker would drop what it knows.
        let id = u128::from_le_bytes(self.chance.bytes());
        message.headers.insert("Nats-Msg-Id", id.to_string());
        self.client.publish_with_headers(message.subject, message.headers, message.payload.into()).await.unwrap();
    }

    /// The last few, again.
    pub(crate) async fn duplicate(&self) -> usize {
        let heard = self.heard();
        self.all(heard[heard.len().saturating_sub(50)..].to_vec()).await
    }

    /// The last few, shuffled.
    pub(crate) async fn reorder(&self) -> usize {
        let heard = self.heard();
        let mut last = heard[heard.len().saturating_sub(100)..].to_vec();
        for place in (1..last.len()).rev() {
            last.swap(place, self.below(place + 1));
        }
        self.all(last).await
    }

    /// Everything, from the start.
    pub(crate) async fn replay(&self) -> usize {
        self.all(self.heard()).await
    }

    async fn all(&self, messages: Vec<Message>) -> usize {
        let count = messages.len();
        for message in messages {
            self.publish(message).await;
        }
        self.client.flush().await.unwrap();
        count
    }

    /// An event of `source` that the journal has up to `heard`, altered; or no event at all. Published again until `arrived`.
    pub(crate) async fn poison(&self, source: &str, heard: i64, arrived: impl AsyncFn(&[u8]) -> bool) -> Vec<u8> {
        let mut known = self.heard();
        known.retain(|message| message.source() == source && message.seq() <= heard);
        let message = if known.is_empty() || self.below(2) == 0 {
            let bytes: [u8; 8] = self.chance.bytes();
            Message {
                subject: format!("told.{source}.log.members.info"),
                headers: HeaderMap::new(),
                payload: bytes.into(),
            }
        } else {
            let mut message = known.swap_remove(self.below(known.len()));
            let place = self.below(message.payload.len());
            message.payload[place] ^= 1;
            message
        };
        let mut look = tokio::time::interval(Duration::from_millis(100));
        for times in 0_u32.. {
            look.tick().await;
            if arrived(&message.payload).await {
                break;
            }
            // The broker may be down, or lose it.
            if times.is_multiple_of(30) {
                self.publish(message.clone()).await;
            }
        }
        message.payload
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.chance.below(u64::try_from(bound).unwrap())).unwrap()
    }
}
