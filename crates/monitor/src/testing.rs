//! Writes a past that nobody waited for: for tests and measurements of what is remembered and shown.
//!
//! What is written here goes through the same recorder, tables and sums as the results of real checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::store::StoreError;
use contracts::monitor::{Agreement, Certificate, CheckName, CheckSpec, Origin, State};
use vocabulary::Timestamp;

use crate::Monitor;
use crate::check::Check;
use crate::history::{HOUR, Spans, floor, millis};
use crate::recorder::Sample;
use crate::store::{checks, spans};
use crate::watching::Seen;

/// The past of a monitor's checks.
#[derive(Clone)]
pub struct Past(Monitor);

/// One result.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// When it came.
    pub at: Timestamp,
    /// What it counts as.
    pub state: State,
    /// For how long before that it speaks.
    pub covers: Duration,
    /// How long the answer took.
    pub latency: Option<Duration>,
}

/// What a check said last.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// In words.
    pub message: Option<String>,
    /// The certificate that it was shown.
    pub certificate: Option<Certificate>,
    /// What the connection agreed on.
    pub agreed: Option<Agreement>,
}

impl Past {
    /// Of this monitor.
    pub fn of(monitor: &Monitor) -> Self {
        Self(monitor.clone())
    }

    /// Writes down a check that nobody makes; gives its number.
    pub async fn check(&self, name: &CheckName, spec: CheckSpec) -> Result<i64, StoreError> {
        let id = self.0.watching().new_id();
        let mut tx = self.0.store().begin().await?;
        // As one of the bank's own, which nobody makes: the next start leaves it where it is.
        checks::add(&mut tx, id, name, Origin::Bank, &spec).await?;
        tx.commit().await?;
        self.see(id, name, spec);
        Ok(id)
    }

    /// Shows a check that was written down under this number.
    pub fn see(&self, id: i64, name: &CheckName, spec: CheckSpec) {
        let remembered = self.0.remembered();
        let check = Arc::new(Check { name: name.clone(), origin: Origin::Bank, spec, probe: None });
        remembered.show().push(Seen {
            id,
            check,
            state: State::Unknown,
            since: remembered.now(),
            flapping: false,
            checked_at: None,
            message: None,
            latency: None,
            certificate: None,
            agreed: None,
        });
    }

    /// A check stands so.
    pub fn stand(&self, check: i64, told: &Told, said: Said) {
        if let Some(seen) = self.0.remembered().show().iter_mut().find(|seen| seen.id == check) {
            (seen.state, seen.since, seen.checked_at, seen.latency) =
                (told.state, told.at, Some(told.at), told.latency);
            (seen.message, seen.certificate, seen.agreed) = (said.message, said.certificate, said.agreed);
        }
    }

    /// A result came.
    pub fn note(&self, check: i64, told: Told) {
        let Told { at, state, covers, latency } = told;
        self.0.remembered().recorder().note(Sample { check, at, state, covers, latency });
    }

    /// How many results were dropped, and how many wait.
    pub fn dropped_and_waiting(&self) -> (u64, usize) {
        let recorder = self.0.remembered().recorder();
        (recorder.dropped(), recorder.waiting_count())
    }

    /// Writes what waits.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.remembered().recorder().flush().await
    }

    /// Puts together the hours that are over, and deletes what is kept no longer.
    pub async fn put_together(&self) -> Result<(), StoreError> {
        self.0.remembered().recorder().put_together().await?;
        self.0.remembered().recorder().prune().await
    }

    /// A check is made no more.
    pub async fn forget(&self, check: i64) -> Result<(), StoreError> {
        let mut tx = self.0.store().begin().await?;
        spans::forget(&mut tx, check).await?;
        tx.commit().await
    }

    /// Hours and days of a check, as its results of one day would have made them, without the results.
    pub async fn fill_day(&self, check: i64, results: &[Told]) -> Result<(), StoreError> {
        let mut hours: BTreeMap<i64, Spans> = BTreeMap::new();
        for Told { at, state, covers, latency } in results.iter().copied() {
            let sample = Sample { check, at, state, covers, latency };
            hours.entry(floor(millis(at), HOUR)).or_default().add(&sample);
        }
        let mut tx = self.0.store().begin().await?;
        for (hour, spans) in hours {
            spans::add(&mut tx, hour, &BTreeMap::from([(check, spans)])).await?;
        }
        tx.commit().await
    }
}
