//! Erasing what entries say: contents, salts and words go, and with them all that names anybody.

use std::collections::{BTreeMap, BTreeSet};

use ::store::{Affected, Bulk, Many, Query, Row, Scalar, StoreError, Transaction, columns, params};
use contracts::events::LogEvent;
use vocabulary::{EventId, Timestamp, UserId};

use super::counts::{self, OF_ACTORS};
use super::{event, written_words};

pub(super) const SQL: &str = include_str!("../sql/erasing.sql");

const ERASABLE_OF: Query<Many> = Query::find(SQL, "erasable_of");
const COUNT_ERASABLE_OF: Query<Scalar<i64>> = Query::find(SQL, "count_erasable_of");
const ERASABLE_BEFORE: Query<Many> = Query::find(SQL, "erasable_before");
const ERASE_ENTRIES: Query<Bulk> = Query::find(SQL, "erase_entries");
const ERASE_SALTS: Query<Bulk> = Query::find(SQL, "erase_salts");
const ERASE_WORDS: Query<Bulk> = Query::find(SQL, "erase_words");
const UNCOUNT_ACTORS: Query<Bulk> = Query::find(SQL, "uncount_actors");
const FORGET_PEOPLE: Query<Bulk> = Query::find(SQL, "forget_people");
const FORGET_ACTORS: Query<Bulk> = Query::find(SQL, "forget_actors");
const DAYS: Query<Scalar<Option<u32>>> = Query::find(SQL, "days");
const SET_DAYS: Query<Affected> = Query::find(SQL, "set_days");

/// What of somebody is erased.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whom {
    pub(crate) id: UserId,
    /// Also what they did to others.
    pub(crate) acted: bool,
}

fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Erases some of somebody's entries, of the first `sealed` of the log. Says how many.
pub(crate) async fn erase_of(tx: &mut Transaction, whom: Whom, sealed: u64, most: u32) -> Result<u64, StoreError> {
    let rows = tx.run(&ERASABLE_OF, params![whom.id, whom.acted, place(sealed), most]).await?;
    erase(tx, &rows).await
}

/// Erases some of what happened before `before`.
pub(crate) async fn erase_before(
    tx: &mut Transaction,
    before: Timestamp,
    sealed: u64,
    most: u32,
) -> Result<u64, StoreError> {
    let rows = tx.run(&ERASABLE_BEFORE, params![before, place(sealed), most]).await?;
    erase(tx, &rows).await
}

async fn erase(tx: &mut Transaction, rows: &[Row]) -> Result<u64, StoreError> {
    let (mut ids, mut places, mut words) = (Vec::<EventId>::new(), Vec::<i64>::new(), Vec::new());
    for row in rows {
        ids.push(row.get("id")?);
        places.push(row.get("place")?);
        words.push(written_words(&event(row)?));
    }
    uncount(tx, rows).await?;
    tx.bulk(&ERASE_WORDS, columns![places, words]).await?;
    tx.bulk(&ERASE_ENTRIES, columns![ids.clone()]).await?;
    forget_people(tx, rows).await?;
    tx.bulk(&ERASE_SALTS, columns![ids]).await
}

/// Whom no other entry names is found by no login any more.
async fn forget_people(tx: &mut Transaction, rows: &[Row]) -> Result<(), StoreError> {
    let mut gone = BTreeSet::<(String, UserId)>::new();
    for row in rows {
        let LogEvent { actor, subject, .. } = event(row)?;
        gone.extend([actor, subject].into_iter().flatten().map(|person| (person.login, person.id)));
    }
    let (logins, ids): (Vec<_>, Vec<_>) = gone.into_iter().unzip();
    tx.bulk(&FORGET_PEOPLE, columns![logins, ids]).await.map(drop)
}

/// Who did these is not counted any more; that they happened stays counted.
async fn uncount(tx: &mut Transaction, rows: &[Row]) -> Result<(), StoreError> {
    let mut gone: BTreeMap<(i64, i64, UserId, i64), i64> = BTreeMap::new();
    for row in rows {
        if let (Some(actor), Some(kind)) = (row.get("actor_id")?, row.get("kind")?) {
            for span in OF_ACTORS {
                let of = (span, counts::start(row.get("at")?, span).micros(), actor, kind);
                let count = gone.entry(of).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
    let (mut spans, mut starts, mut ids, mut kinds, mut counts) = (vec![], vec![], vec![], vec![], vec![]);
    for ((span, start, id, kind), count) in gone {
        spans.push(span);
        starts.push(start);
        ids.push(id);
        kinds.push(kind);
        counts.push(count);
    }
    tx.bulk(&UNCOUNT_ACTORS, columns![spans.clone(), starts.clone(), ids.clone(), kinds.clone(), counts]).await?;
    tx.bulk(&FORGET_ACTORS, columns![spans, starts, ids, kinds]).await.map(drop)
}

/// How many entries of somebody are not erased yet.
pub(crate) async fn count_of(tx: &mut Transaction, whom: Whom) -> Result<u64, StoreError> {
    let count = tx.run(&COUNT_ERASABLE_OF, params![whom.id, whom.acted]).await?.unwrap_or(0);
    Ok(u64::try_from(count).unwrap_or(0))
}

/// After how many days contents are erased, if ever.
pub(crate) async fn days(tx: &mut Transaction) -> Result<Option<u32>, StoreError> {
    Ok(tx.run(&DAYS, params![]).await?.flatten())
}

pub(crate) async fn set_days(tx: &mut Transaction, days: Option<u32>) -> Result<(), StoreError> {
    tx.run(&SET_DAYS, params![days]).await.map(drop)
}
