//! Writing checks down: what superusers may do with them.

use aaa::{Call, Done, Problem};
use contracts::monitor::{
    Check as Shown, CheckName, CheckSpec, ListChecks, Origin, RemoveCheck, SetCheck, Tried, TryCheck,
};
use store::{StoreError, Transaction};
use tokio::time::timeout;

use crate::check::Check;
use crate::error::Error;
use crate::events::tell;
use crate::service::Monitor;
use crate::store::{alerts, checks as rows, incidents};
use crate::watching::{Known, Seen};

/// Most checks.
const MOST: usize = 5000;

/// Every check.
pub(crate) async fn list_checks(monitor: Monitor, _: Call<ListChecks, Monitor>) -> Result<Vec<Shown>, Problem> {
    let mut checks: Vec<Shown> = monitor.seen().into_iter().map(shown).collect();
    checks.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(checks)
}

/// Writes one down.
pub(crate) async fn set_check(monitor: Monitor, call: Call<SetCheck, Monitor>) -> Result<Shown, Error> {
    let SetCheck { name, spec } = &call.request;
    let understood = Check::new(name.clone(), Origin::Api, spec.clone());
    let check = understood.map_err(|faults| Error::Faults("spec", faults))?;
    let _one = monitor.changing().lock().await;
    let watch = monitor.watching();
    related(&monitor, name, spec)?;
    let before = watch.one(name);
    if before.as_ref().is_some_and(|seen| seen.check.origin != Origin::Api) {
        return Err(Error::NotYours);
    }
    if before.is_none() && watch.count() >= MOST {
        return Err(Error::TooMany("There are 5,000 checks, and no more can be made. Remove others first."));
    }
    let id = before.as_ref().map_or_else(|| watch.new_id(), |seen| seen.id);
    let mut tx = monitor.store().begin().await?;
    if before.is_none() {
        if let Some(kept) = rows::named(&mut tx, name).await? {
            // Kept, and not made.
            forget(&mut tx, &kept).await?;
        }
        rows::add(&mut tx, id, name, Origin::Api, spec).await?;
    } else {
        rows::set_spec(&mut tx, id, Origin::Api, spec).await?;
    }
    let event = monitor.events(&call.context).check_set(call.by(), name, before.is_none(), spec.kind.name());
    tell(&mut tx, &event)?;
    tx.commit().await?;
    watch.set(Known { id, check, standing: None }, false);
    watch.one(name).map(shown).ok_or(Error::NotFound)
}

/// Those that it needs exist, and do not need it themselves.
fn related(monitor: &Monitor, name: &CheckName, spec: &CheckSpec) -> Result<(), Error> {
    let fault = |words: String| Err(Error::Faults("spec", vec![("parents", words)]));
    let mut next: Vec<CheckName> = spec.parents.clone();
    let mut met: Vec<CheckName> = Vec::new();
    while let Some(parent) = next.pop() {
        if parent == *name {
            return fault("lead back to this check: what needs it cannot be what it needs".to_owned());
        }
        if met.contains(&parent) {
            continue;
        }
        match monitor.watching().one(&parent) {
            Some(seen) => next.extend(seen.check.spec.parents.iter().cloned()),
            None if spec.parents.contains(&parent) => {
                return fault(format!("name {parent}, and there is no such check"));
            }
            None => {}
        }
        met.push(parent);
    }
    Ok(())
}

/// It is made no more.
pub(crate) async fn remove_check(monitor: Monitor, call: Call<RemoveCheck, Monitor>) -> Result<Done, Error> {
    let name = &call.request.name;
    let _one = monitor.changing().lock().await;
    let seen = monitor.watching().one(name).ok_or(Error::NotFound)?;
    if seen.check.origin != Origin::Api {
        return Err(Error::NotYours);
    }
    // What happened to it up to now belongs to its incidents, which stay.
    monitor.keeper().flush().await?;
    let mut tx = monitor.store().begin().await?;
    let (id, public) = (seen.id, seen.check.spec.public);
    forget(&mut tx, &rows::Named { id, name: name.clone(), public }).await?;
    tell(&mut tx, &monitor.events(&call.context).check_removed(call.by(), name))?;
    tx.commit().await?;
    monitor.watching().remove(name);
    Ok(Done)
}

/// A check is gone, and with it what is kept of it but for its incidents: the one that stands is over, without a word.
pub(crate) async fn forget(tx: &mut Transaction, check: &rows::Named) -> Result<(), StoreError> {
    rows::remove(tx, check.id).await?;
    let now = tx.now();
    if let Some(incident) = incidents::standing(tx, &check.name, now).await? {
        incidents::close(tx, incident.id, now).await?;
        alerts::drop_all(tx, incident.id).await?;
    }
    if !check.public {
        // It may have been public before: nobody could tell any more that it was not at last.
        incidents::hide(tx, &check.name).await?;
    }
    Ok(())
}

/// Makes one once, and keeps nothing.
pub(crate) async fn try_check(monitor: Monitor, call: Call<TryCheck, Monitor>) -> Result<Tried, Error> {
    let name: CheckName = "try".parse().map_err(|_| Error::NotFound)?;
    let understood = Check::new(name, Origin::Api, call.request.spec);
    let check = understood.map_err(|faults| Error::Faults("spec", faults))?;
    let Ok(_permit) = monitor.trying().try_acquire() else { return Err(Error::Busy) };
    let Some(probe) = &check.probe else { return Err(Error::Field("spec.kind", "cannot be tried")) };
    let limit = check.spec.timeout.duration();
    let late = |_| crate::outcome::Verdict::Bad(format!("no answer within {}", check.spec.timeout)).into();
    let outcome = timeout(limit, probe.run()).await.unwrap_or_else(late);
    Ok(Tried {
        state: outcome.verdict.state(),
        message: outcome.verdict.words().map(ToOwned::to_owned),
        latency_micros: outcome.latency.map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)),
    })
}

fn shown(seen: Seen) -> Shown {
    let Seen { check, state, checked_at, message, .. } = seen;
    Shown { name: check.name.clone(), origin: check.origin, spec: check.spec.clone(), state, checked_at, message }
}
