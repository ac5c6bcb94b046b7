//! Shows somebody elsewhere that the monitor lives, so that its silence is noticed there.
//!
//! Promises: nothing is shown while checks are not made or what happens cannot be written down.

use std::time::Duration;

use chassis::Shutdown;
use http::{HeaderMap, HeaderValue, Uri, header};
use store::Store;

use crate::outgoing::{Limits, Outgoing};
use crate::watching::Watch;

const LIMITS: Limits = Limits { time: Duration::from_secs(15), bytes: 64 * 1024 };
/// The scheduler shows itself more often than this, whatever there is to do.
const STALE: Duration = Duration::from_secs(30);

/// Where it is shown, and how often.
#[derive(Clone)]
pub(crate) struct Heartbeat {
    pub(super) uri: Uri,
    pub(super) outgoing: Outgoing,
    pub(super) every: Duration,
}

impl Heartbeat {
    /// Shows it again and again, until `shutdown`.
    pub(crate) async fn keep(self, watch: Watch, store: Store, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(self.every);
        let mut heard = true;
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                _ = ticks.tick() => {}
            }
            let shown = self.beat(&watch, &store).await;
            match &shown {
                Ok(()) if !heard => tracing::info!("the heartbeat is heard again"),
                Err(why) if heard => tracing::error!(why, "no heartbeat: the monitor looks dead from elsewhere"),
                _ => {}
            }
            heard = shown.is_ok();
        }
    }

    async fn beat(&self, watch: &Watch, store: &Store) -> Result<(), String> {
        if watch.idle().is_none_or(|idle| idle > STALE) {
            return Err("checks are not made".to_owned());
        }
        store.ping().await.map_err(|error| format!("what happens cannot be written down: {error}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static("guichet"));
        let answer = self.outgoing.get(&self.uri, headers, LIMITS).await.map_err(|silence| silence.to_string())?;
        if answer.status.is_success() { Ok(()) } else { Err(format!("it answers {}", answer.status.as_u16())) }
    }
}
