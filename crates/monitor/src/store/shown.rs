//! What the status page shows of incidents and maintenances, for whom.

use ::store::{StoreError, Transaction};
use contracts::monitor::{CheckName, Incident, Maintenance};
use vocabulary::Timestamp;

use super::{incidents, maintenances};

/// Most incidents, and most maintenances, on one page.
const INCIDENTS: usize = 50;
const MAINTENANCES: usize = 100;

/// For whom something is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum View {
    /// What everybody sees.
    Public,
    /// Everything.
    Whole,
}

impl View {
    pub(crate) const fn whole(self) -> bool {
        matches!(self, Self::Whole)
    }
}

/// What was wrong within a span, of one check or of all; newest first.
pub(crate) async fn incidents(
    tx: &mut Transaction,
    view: View,
    check: Option<&CheckName>,
    span: (Timestamp, Timestamp),
) -> Result<Vec<Incident>, StoreError> {
    let found = incidents::between(tx, check, !view.whole(), span, INCIDENTS).await?;
    Ok(if view.whole() { found } else { found.into_iter().map(incidents::for_everybody).collect() })
}

/// What is announced or going on, soonest first.
pub(crate) async fn maintenances(
    tx: &mut Transaction,
    view: View,
    now: Timestamp,
) -> Result<Vec<Maintenance>, StoreError> {
    let found = maintenances::current(tx, now).await?.into_iter();
    let shown = found.filter(|it| view.whole() || it.public).take(MAINTENANCES);
    Ok(shown.map(|it| if view.whole() { it } else { maintenances::for_everybody(it) }).collect())
}
