//! Makes at the broker what events need there, or brings what stands there up to date.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::wire::TOLD;
use super::{BrokerError, CONSUMER, Connection, STREAM};

/// The broker keeps identifiers so long to drop what is published twice.
const DUPLICATES: Duration = Duration::from_mins(2);
/// What the keeper took and did not acknowledge comes again after this.
const ACKNOWLEDGE: Duration = Duration::from_secs(30);
/// Most that was handed out and not acknowledged. Keepers that died hold some of it until it comes again; what a living one
/// has in memory is bounded by what it asks for at a time.
const ON_HAND: i64 = 20_000;
/// From this version on the broker can sync each message, and begin with TLS instead of a line in clear.
const SAFER: (u32, u32) = (2, 10);

/// How the stream is to be.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// On how many nodes each event lies: 1, or 3 in a cluster.
    pub replicas: usize,
    /// Most that waits at the broker; sources wait when it is full.
    pub most_bytes: i64,
}

/// Makes the stream and the keeper's place in it. May be run again: what is right is left as it is. Takes a connection
/// of the operator.
pub async fn prepare(connection: &Connection, layout: Layout) -> Result<(), BrokerError> {
    let jetstream = connection.jetstream();
    let wanted = stream(layout);
    let stream = match jetstream.get_stream(STREAM).await {
        Ok(there) => {
            let now = &there.cached_info().config;
            if now.storage != wanted.storage || now.retention != wanted.retention {
                return Err(BrokerError::Differs("keeps its messages in another way".into()));
            }
            if now.subjects != wanted.subjects
                || now.num_replicas != wanted.num_replicas
                || now.max_bytes != wanted.max_bytes
            {
                jetstream.update_stream(&wanted).await.map_err(BrokerError::of("change the stream"))?;
            }
            there
        }
        Err(error) if is_missing(&error.kind()) => {
            jetstream.create_stream(wanted).await.map_err(BrokerError::of("make the stream"))?;
            jetstream.get_stream(STREAM).await.map_err(BrokerError::of("look at the stream"))?
        }
        Err(error) => return Err(BrokerError::of("look at the stream")(error)),
    };
    stream.create_consumer(consumer(layout)).await.map_err(BrokerError::of("make the journal's place"))?;
    Ok(())
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn stream(layout: Layout) -> Config {
    Config {
        name: STREAM.into(),
        subjects: vec![format!("{TOLD}.>")],
        storage: StorageType::File,
        // What the keeper has taken, the broker need not keep.
        retention: RetentionPolicy::WorkQueue,
        // A full broker refuses the new, which is safe in an outbox; it forgets nothing.
        discard: DiscardPolicy::New,
        max_bytes: layout.most_bytes,
        num_replicas: layout.replicas,
        duplicate_window: DUPLICATES,
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    }
}

fn consumer(layout: Layout) -> pull::Config {
    pull::Config {
        durable_name: Some(CONSUMER.into()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACKNOWLEDGE,
        max_deliver: -1,
        max_ack_pending: ON_HAND,
        num_replicas: layout.replicas,
        ..pull::Config::default()
    }
}

/// What a newer broker would do better; nothing where this one is new enough.
pub(super) fn advice(version: &str) -> Option<String> {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let has = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (has < SAFER).then(|| {
        format!(
            "the broker is nats-server {version}, which acknowledges before its disk has the event; nothing is lost by it, since \
             outboxes keep all until the journal has it. From {}.{} on, `sync_interval: always` makes the broker itself safe, \
             and `handshake_first` keeps its first line from being sent in clear",
            SAFER.0, SAFER.1
        )
    })
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn an_old_broker_is_spoken_of_and_a_new_one_is_not() {
        assert!(advice("2.9.10").is_some_and(|text| text.contains("sync_interval: always")));
        assert!(advice("2.9.25").is_some() && advice("1.4").is_some() && advice("?").is_some());
        assert!(advice("2.10.0").is_none() && advice("2.12.15-rc.1").is_none() && advice("3.0.0").is_none());
    }
}
