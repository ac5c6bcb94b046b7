//! Kinds of entries: what every filter on source, audience, level and action comes down to.

use std::collections::{BTreeSet, HashMap};

use ::store::{Bulk, Many, Query, StoreError, Transaction, columns, params};
use contracts::events::{Action, Audience, Level};
use contracts::journal::{LogEntry, LogFilter};

use crate::entry::Kept;

use super::SQL;

const KINDS: Query<Many> = Query::find(SQL, "kinds");
const ADD_KINDS: Query<Bulk> = Query::find(SQL, "add_kinds");

/// What an entry is, in four words.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Kind {
    pub(crate) source: String,
    pub(crate) audience: Audience,
    pub(crate) level: Level,
    pub(crate) action: Action,
}

impl Kind {
    pub(crate) fn of(kept: &Kept) -> Self {
        let event = &kept.event;
        Self { source: kept.source.clone(), audience: event.audience, level: event.level, action: event.action }
    }

    pub(crate) fn of_entry(entry: &LogEntry) -> Self {
        let LogEntry { source, audience, level, action, .. } = entry;
        Self { source: source.clone(), audience: *audience, level: *level, action: *action }
    }

    pub(crate) fn is_asked_for(&self, filter: &LogFilter) -> bool {
        (filter.action.is_empty() || filter.action.contains(&self.action))
            && (filter.level.is_empty() || filter.level.contains(&self.level))
            && filter.least.is_none_or(|least| self.level >= least)
            && filter.audience.is_none_or(|audience| self.audience == audience)
            && (filter.source.is_empty() || filter.source.iter().any(|source| source.as_str() == self.source))
    }
}

/// All kinds that there are, with their numbers.
pub(crate) struct Kinds(HashMap<i64, Kind>);

impl Kinds {
    pub(crate) fn get(&self, id: i64) -> Option<&Kind> {
        self.0.get(&id)
    }

    /// Those that a filter asks for.
    pub(crate) fn asked_for(&self, filter: &LogFilter) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.0.iter().filter(|(_, kind)| kind.is_asked_for(filter)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Every kind that there is.
pub(crate) async fn all(tx: &mut Transaction) -> Result<Kinds, StoreError> {
    let mut kinds = HashMap::new();
    for row in tx.run(&KINDS, params![]).await? {
        let named = |column: &str| row.get::<String>(column);
        let words = (
            Audience::from_name(&named("audience")?),
            Level::from_name(&named("level")?),
            Action::from_name(&named("action")?),
        );
        // Of a kind that this program does not know, no filter can ask.
        let (Some(audience), Some(level), Some(action)) = words else { continue };
        kinds.insert(row.get("id")?, Kind { source: named("source")?, audience, level, action });
    }
    Ok(Kinds(kinds))
}

/// The kind of each of these entries; what is new is added.
pub(crate) async fn of(tx: &mut Transaction, entries: &[Kept]) -> Result<Vec<i64>, StoreError> {
    let wanted: Vec<Kind> = entries.iter().map(Kind::of).collect();
    let mut known = by_kind(all(tx).await?);
    let missing: BTreeSet<[String; 4]> = wanted
        .iter()
        .filter(|kind| !known.contains_key(kind))
        .map(|kind| {
            let Kind { source, audience, level, action } = kind.clone();
            [source, audience.name().to_owned(), level.name().to_owned(), action.name().to_owned()]
        })
        .collect();
    if !missing.is_empty() {
        let (mut sources, mut audiences, mut levels, mut actions) = (vec![], vec![], vec![], vec![]);
        for [source, audience, level, action] in missing {
            sources.push(source);
            audiences.push(audience);
            levels.push(level);
            actions.push(action);
        }
        tx.bulk(&ADD_KINDS, columns![sources, audiences, levels, actions]).await?;
        known = by_kind(all(tx).await?);
    }
    let id = |kind: &Kind| known.get(kind).copied().ok_or_else(|| StoreError::Row("a kind was not kept".to_owned()));
    wanted.iter().map(id).collect()
}

fn by_kind(kinds: Kinds) -> HashMap<Kind, i64> {
    kinds.0.into_iter().map(|(id, kind)| (kind, id)).collect()
}
