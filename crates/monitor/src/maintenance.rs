//! Work that is announced: meanwhile nobody is alarmed, and the time counts neither way.

use std::time::Duration;

use aaa::{Call, Created, Done};
use contracts::monitor::{AnnounceMaintenance, EndMaintenance, ListMaintenances, Maintenance};
use vocabulary::MaintenanceId;

use crate::error::Error;
use crate::events::tell;
use crate::service::Monitor;
use crate::store::maintenances as rows;

/// Most that are announced or going on at a time.
const MOST: i64 = 1000;
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// By so much the clock of whoever announces may be behind.
const LENIENCY: Duration = Duration::from_mins(5);

/// What is announced or going on.
pub(crate) async fn list_maintenances(
    monitor: Monitor,
    _: Call<ListMaintenances, Monitor>,
) -> Result<Vec<Maintenance>, Error> {
    let mut tx = monitor.store().read().await?;
    let now = tx.now();
    Ok(rows::current(&mut tx, now).await?)
}

/// Announces one.
pub(crate) async fn announce_maintenance(
    monitor: Monitor,
    call: Call<AnnounceMaintenance, Monitor>,
) -> Result<Created<Maintenance>, Error> {
    let by = call.by().clone();
    let scope = format!("maintenance:{}", by.id);
    let _one = monitor.changing().lock().await;
    let mut tx = monitor.store().begin().await?;
    if let Some(reply) = monitor.replay(&mut tx, &scope, call.context.idempotency.as_ref()).await? {
        return Ok(Created(reply));
    }
    let AnnounceMaintenance { title, text, from, to, checks, public } = call.request;
    let now = tx.now();
    let from = from.unwrap_or(now);
    if from.plus(LENIENCY) < now {
        return Err(Error::Field("from", "is in the past: leave it out to begin now"));
    }
    if to <= now || to <= from {
        return Err(Error::Field("to", "must be after `from`, and after now"));
    }
    if to > from.plus(LONGEST) {
        return Err(Error::Field("to", "is more than 31 days after `from`"));
    }
    if checks.iter().any(|name| monitor.watching().one(name).is_none()) {
        return Err(Error::Field("checks", "names a check that there is not"));
    }
    if rows::count(&mut tx, now).await? >= MOST {
        return Err(Error::TooMany("There are 1,000 maintenances, and no more can be announced. End others first."));
    }
    let id = MaintenanceId::new(monitor.store().clock(), monitor.chance());
    let maintenance = Maintenance { id, title, text, from, to, checks, public, by: Some(by.login.clone()) };
    rows::add(&mut tx, &maintenance).await?;
    tell(&mut tx, &monitor.events(&call.context).maintenance_announced(&by, &maintenance))?;
    monitor.remember(&mut tx, &scope, call.context.idempotency.as_ref(), &maintenance).await?;
    let current = rows::current(&mut tx, now).await?;
    tx.commit().await?;
    monitor.watching().set_maintenances(current);
    Ok(Created(maintenance))
}

/// Ends one, or calls it off.
pub(crate) async fn end_maintenance(monitor: Monitor, call: Call<EndMaintenance, Monitor>) -> Result<Done, Error> {
    let by = call.by().clone();
    let _one = monitor.changing().lock().await;
    let mut tx = monitor.store().begin().await?;
    let now = tx.now();
    let maintenance = rows::one(&mut tx, call.request.id).await?.ok_or(Error::NotFound)?;
    if !rows::end(&mut tx, maintenance.id, now).await? {
        return Err(Error::NotFound);
    }
    tell(&mut tx, &monitor.events(&call.context).maintenance_ended(&by, &maintenance))?;
    let current = rows::current(&mut tx, now).await?;
    tx.commit().await?;
    monitor.watching().set_maintenances(current);
    Ok(Done)
}
