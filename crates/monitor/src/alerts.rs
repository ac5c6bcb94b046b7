//! Tells people that something is not well, that it still is not, and that it is over.
//!
//! Promises: what is to be told is a row that stands or falls with its incident, so that neither a restart nor a relay that is
//! away loses it or tells it twice; what cannot be told is tried again for a day, and then it is said that it was given up.
//! Must not know how a check is made.

mod heartbeat;
mod letter;
mod settings;
mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use chassis::Shutdown;
use contracts::monitor::{CheckName, State};
use futures_util::future::join_all;
use mail::Undelivered;
use store::{Store, Uuid};
use tokio::time::MissedTickBehavior;
use vocabulary::{Chance, IncidentId, Timestamp, new_uuid};

use crate::error::Error;
use crate::keeping::Keeper;
use crate::store::alerts as rows;
use crate::watching::Watch;

pub(crate) use settings::{Alerting, Way};

/// How often is looked for what is due.
const EVERY: Duration = Duration::from_secs(1);
/// How often somebody may have to be reminded.
const REMINDED: i64 = 10;
/// Most that is told in a round.
const ROUND: i64 = 200;
/// The first wait of what could not be told, and the longest; and for how long it is tried.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_hours(1);
const TRIED: Duration = Duration::from_hours(24);
/// For how long it is kept what was told of an incident that is over, and how often the rest is dropped, how much at a time.
const KEPT: Duration = Duration::from_hours(24 * 90);
const DROPPED_EVERY: i64 = 3600;
const DROPPED: u32 = 2000;

/// What is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It began.
    Opened,
    /// It is not over.
    Reminder,
    /// It is over.
    Recovered,
}

impl Kind {
    /// As the database has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reminder => "reminder",
            Self::Recovered => "recovered",
        }
    }

    /// From its name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Opened, Self::Reminder, Self::Recovered].into_iter().find(|it| it.name() == name)
    }
}

/// Something that is to be told through a channel.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) channel: String,
    pub(crate) made_at: Timestamp,
    pub(crate) attempts: u32,
    /// Whether this channel took that it began.
    pub(crate) told: bool,
    pub(crate) incident: IncidentId,
    pub(crate) check: CheckName,
    pub(crate) title: String,
    pub(crate) state: State,
    pub(crate) since: Timestamp,
    pub(crate) until: Option<Timestamp>,
    pub(crate) cause: Option<String>,
}

/// Why it was not taken.
enum Untold {
    /// It may be later.
    Later(String),
    /// It never will.
    Never(String),
}

/// Tells. Clones share nothing but the database.
#[derive(Clone)]
pub(crate) struct Alerts {
    pub(crate) store: Store,
    pub(crate) chance: Chance,
    pub(crate) alerting: Alerting,
    pub(crate) watch: Watch,
    pub(crate) keeper: Keeper,
}

impl Alerts {
    /// Tells what is due, until `shutdown`.
    pub(crate) async fn keep(self, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut away, mut round) = (false, 0_i64);
        loop {
            tokio::select! {
                () = shutdown.begun() => return,
                _ = ticks.tick() => {}
                () = self.keeper.written() => {}
            }
            round = round.wrapping_add(1);
            let told = async {
                if round.checked_rem(REMINDED) == Some(1) {
                    self.remind().await?;
                }
                if round.checked_rem(DROPPED_EVERY) == Some(2) {
                    self.prune().await?;
                }
                self.send_due().await
            };
            // What was handed over and not written down would be told again: this is not broken off but by the end of the
            // process, and each way out has a limit.
            match told.await {
                Ok(()) => away = false,
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(%error, "nobody can be told of incidents while the database is away");
                }
                Err(_) => {}
            }
        }
    }

    /// Reminds of what nobody looks after.
    pub(crate) async fn remind(&self) -> Result<(), Error> {
        let now = self.store.clock().now();
        let before = now.minus(self.alerting.remind_every);
        let forgotten = rows::forgotten(&mut self.store.read().await?, before).await?;
        let reached = |channel: &str| self.alerting.way(channel).is_some();
        let due: Vec<_> = forgotten
            .into_iter()
            .filter(|(_, check, channel)| reached(channel) && !self.watch.is_quiet(check))
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for (incident, _, channel) in due {
            let id = new_uuid(self.store.clock(), &self.chance);
            rows::add(&mut tx, id, incident, Kind::Reminder, &channel, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Drops what was told long ago.
    pub(crate) async fn prune(&self) -> Result<(), Error> {
        let before = self.store.clock().now().minus(KEPT);
        loop {
            let mut tx = self.store.begin().await?;
            let dropped = rows::drop_over(&mut tx, before, DROPPED).await?;
            tx.commit().await?;
            if dropped < DROPPED.into() {
                return Ok(());
            }
        }
    }

    /// Tells what is due now; channels do not wait for one another.
    pub(crate) async fn send_due(&self) -> Result<(), Error> {
        let due = rows::due(&mut self.store.read().await?, self.store.clock().now(), ROUND).await?;
        let mut channels: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
        for alert in due {
            channels.entry(alert.channel.clone()).or_default().push(alert);
        }
        let sent = join_all(channels.into_values().map(|alerts| self.send(alerts))).await;
        sent.into_iter().collect()
    }

    /// Through one channel, in order. One that cannot be used now keeps all of them waiting, and is tried once for all.
    async fn send(&self, alerts: Vec<Alert>) -> Result<(), Error> {
        let mut away: Option<String> = None;
        for alert in alerts {
            if alert.kind == Kind::Recovered && !alert.told {
                self.settle(&alert, |now| Settled::GivenUp(now, None)).await?;
                continue;
            }
            if let Some(why) = &away {
                // Soon: it may be that one alone which is not taken.
                self.settle(&alert, |now| Settled::Waits(now.plus(FIRST), why.clone())).await?;
                continue;
            }
            let told = match self.alerting.way(&alert.channel) {
                None => Err(Untold::Never("the channel is in the settings no more".to_owned())),
                Some(Way::Mail { mailing, to }) => self.post(mailing, to, &alert).await,
                Some(Way::Webhook(hook)) => {
                    hook.hand_over(&alert, self.store.clock().now()).await.map_err(Untold::Later)
                }
            };
            let lasting = self.store.clock().now() < alert.made_at.plus(TRIED);
            match told {
                Ok(()) => self.settle(&alert, Settled::Sent).await?,
                Err(Untold::Later(why)) if lasting => {
                    let wait = FIRST.saturating_mul(1_u32.checked_shl(alert.attempts).unwrap_or(u32::MAX)).min(LONGEST);
                    tracing::warn!(channel = alert.channel, check = %alert.check, why, "somebody could not be told: tried again");
                    away = Some(why.clone());
                    self.settle(&alert, |now| Settled::Later(now.plus(wait), why)).await?;
                }
                Err(Untold::Later(why) | Untold::Never(why)) => {
                    tracing::error!(channel = alert.channel, check = %alert.check, why, "somebody was not told: given up");
                    self.settle(&alert, |now| Settled::GivenUp(now, Some(why))).await?;
                }
            }
        }
        Ok(())
    }

    async fn post(&self, mailing: &mail::Mailing, to: &str, alert: &Alert) -> Result<(), Untold> {
        let told = |undelivered| match undelivered {
            Undelivered::Relay(why) | Undelivered::Later(why) => Untold::Later(why),
            Undelivered::Never(why) => Untold::Never(why),
        };
        let words = letter::of(alert, self.alerting.language, mailing.bank());
        let id = alert.id.simple().to_string();
        let message = mailing.message(to, &id, alert.made_at, words.written()).map_err(told)?;
        let mut carrier = mailing.connect().await.map_err(told)?;
        let carried = carrier.carry(&message).await;
        carrier.leave().await;
        carried.map_err(told)
    }

    async fn settle(&self, alert: &Alert, settled: impl FnOnce(Timestamp) -> Settled) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        match settled(self.store.clock().now()) {
            Settled::Sent(at) => rows::sent(&mut tx, alert.id, at).await?,
            Settled::Waits(until, why) => rows::postpone(&mut tx, alert.id, until, &why, 0).await?,
            Settled::Later(until, why) => rows::postpone(&mut tx, alert.id, until, &why, 1).await?,
            Settled::GivenUp(at, why) => rows::give_up(&mut tx, alert.id, at, why.as_deref()).await?,
        }
        Ok(tx.commit().await?)
    }

    /// Whether nothing was given up within a day.
    pub(crate) async fn reach_people(&self) -> Result<bool, Error> {
        let since = self.store.clock().now().minus(TRIED);
        Ok(rows::count_given_up(&mut self.store.read().await?, since).await? == 0)
    }
}

/// What became of it.
enum Settled {
    Sent(Timestamp),
    /// Its channel is away: it was not tried.
    Waits(Timestamp, String),
    /// It was tried.
    Later(Timestamp, String),
    GivenUp(Timestamp, Option<String>),
}
