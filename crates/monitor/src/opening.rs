//! Takes up where the last run ended: what is checked, how it stood, what is announced.

use std::collections::HashMap;

use contracts::monitor::{CheckName, Origin};
use store::{Store, StoreError};

use crate::check::Check;
use crate::checks::forget;
use crate::store::{checks, maintenances, spans};
use crate::watching::{Asleep, Known, Watch};

/// The number after that of every check that is kept.
pub(crate) async fn next_id(store: &Store) -> Result<i64, StoreError> {
    let mut tx = store.read().await?;
    let kept = checks::all(&mut tx).await?.iter().map(|it| it.id).max();
    // Of those that are being forgotten there may still be results.
    let last = kept.max(spans::last_forgotten(&mut tx).await?);
    Ok(last.unwrap_or(0).saturating_add(1))
}

/// Makes every check that is kept, and those of the settings, which come before all others of their name.
pub(crate) async fn take_up(store: &Store, watch: &Watch, settings: Vec<Check>) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let mut settings: HashMap<CheckName, Check> =
        settings.into_iter().map(|check| (check.name.clone(), check)).collect();
    let any = !settings.is_empty();
    let mut known = Vec::new();
    for kept in checks::all(&mut tx).await? {
        let checks::Kept { id, name, origin, spec, standing } = kept;
        if let Some(check) = settings.remove(&name) {
            if origin == Origin::Api {
                tracing::warn!(check = %name, "the settings replace a check that was written down by a superuser");
            }
            checks::set_spec(&mut tx, id, Origin::Settings, &check.spec).await?;
            known.push(Known { id, check, standing });
            continue;
        }
        match origin {
            Origin::Bank => watch.remember(Asleep { name, id, spec, standing }),
            Origin::Settings if any => {
                tracing::info!(check = %name, "a check stands in the settings no more, and its history is removed");
                forget(&mut tx, &checks::Named { id, name, public: spec.public }).await?;
            }
            // More likely settings that were not found than nothing to be checked any more: what is remembered stays.
            Origin::Settings => {
                tracing::warn!(check = %name, "the settings name no check at all: this one is not made, and its history stays");
            }
            Origin::Api => {
                if let Ok(check) = Check::new(name.clone(), origin, spec) {
                    known.push(Known { id, check, standing });
                } else {
                    // Of a version that allowed more: it is kept, and not made.
                    tracing::error!(check = %name, "a check cannot be made as it is written down");
                }
            }
        }
    }
    for (name, check) in settings {
        let id = watch.new_id();
        checks::add(&mut tx, id, &name, Origin::Settings, &check.spec).await?;
        known.push(Known { id, check, standing: None });
    }
    let now = tx.now();
    let announced = maintenances::current(&mut tx, now).await?;
    tx.commit().await?;
    watch.set_maintenances(announced);
    for known in known {
        watch.set(known, true);
    }
    Ok(())
}
