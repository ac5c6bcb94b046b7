//! Links that work once, and who they are asked for, to rows and back.

use std::time::Duration;

use contracts::events::Action;
use store::{Affected, Many, Optional, Query, Scalar, StoreError, Transaction, Uuid, params};
use vocabulary::{Timestamp, UserId};

use crate::links::{Link, Purpose};

pub(super) const LINKS: &str = include_str!("../sql/links.sql");

const NOTE_ASKED: Query<Affected> = Query::find(LINKS, "note_asked");
const HAS_ASKED: Query<Scalar<i64>> = Query::find(LINKS, "has_asked");
const TAKE_ASKED: Query<Optional> = Query::find(LINKS, "take_asked");
const PEOPLE_ASKED_FOR: Query<Many> = Query::find(LINKS, "people_asked_for");
const IS_TAKEN: Query<Scalar<i64>> = Query::find(LINKS, "is_taken");
const VOID_OLDER: Query<Affected> = Query::find(LINKS, "void_older");
const LINK_STATE: Query<Optional> = Query::find(LINKS, "link_state");
const COUNT_LINKS: Query<Scalar<i64>> = Query::find(LINKS, "count_links");
const ADD_LINK: Query<Affected> = Query::find(LINKS, "add_link");
const GET_LINK: Query<Optional> = Query::find(LINKS, "get_link");
const USE_LINK: Query<Affected> = Query::find(LINKS, "use_link");
const VOID_LINKS: Query<Affected> = Query::find(LINKS, "void_links");
const FORGET_LINKS: Query<Affected> = Query::find(LINKS, "forget_links");
const ADD_MAIL_TO: Query<Affected> = Query::find(super::mails::MAILS, "add_mail_to");

/// How long a link is remembered after it ran out.
const REMEMBERED: Duration = Duration::from_hours(24);

pub(crate) async fn note_asked(tx: &mut Transaction, id: Uuid, who: &str, at: Timestamp) -> Result<(), StoreError> {
    tx.run(&NOTE_ASKED, params![id, who, at]).await.map(drop)
}

/// A look only.
pub(crate) async fn has_asked(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(tx.run(&HAS_ASKED, params![]).await?.is_some())
}

/// The next login or address that was asked for, and when; it is asked for no more.
pub(crate) async fn take_asked(tx: &mut Transaction) -> Result<Option<(String, Timestamp)>, StoreError> {
    let Some(row) = tx.run(&TAKE_ASKED, params![]).await? else { return Ok(None) };
    Ok(Some((row.get("who")?, row.get("at")?)))
}

/// Those who may sign in and are called so or written to there; a few at most.
pub(crate) async fn people_asked_for(tx: &mut Transaction, who: &str) -> Result<Vec<UserId>, StoreError> {
    tx.run(&PEOPLE_ASKED_FOR, params![who]).await?.iter().map(|row| row.get("id")).collect()
}

/// Whether somebody else who may sign in has the address.
pub(crate) async fn is_taken(tx: &mut Transaction, address: &str, person: UserId) -> Result<bool, StoreError> {
    Ok(tx.run(&IS_TAKEN, params![address, person]).await?.is_some())
}

pub(crate) async fn count_links(
    tx: &mut Transaction,
    person: UserId,
    purpose: Purpose,
    since: Timestamp,
) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_LINKS, params![person, purpose.name(), since]).await?.unwrap_or(0))
}

pub(crate) async fn add_link(
    tx: &mut Transaction,
    link: &Link,
    purpose: Purpose,
    digest: [u8; 32],
    (now, until): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let row = params![link.id, link.person, purpose.name(), link.address.clone(), digest, now, until];
    tx.run(&ADD_LINK, row).await.map(drop)
}

/// The link that can still be used with this secret.
pub(crate) async fn link(
    tx: &mut Transaction,
    digest: [u8; 32],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    let Some(row) = tx.run(&GET_LINK, params![digest, purpose.name(), now]).await? else { return Ok(None) };
    Ok(Some(Link { id: row.get("id")?, person: row.get("person")?, address: row.get("address")? }))
}

/// False when it was used before.
pub(crate) async fn use_link(tx: &mut Transaction, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.run(&USE_LINK, params![id, now]).await? == 1)
}

/// No link of this person works any more.
pub(crate) async fn void_links(tx: &mut Transaction, person: UserId, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&VOID_LINKS, params![person, now]).await.map(drop)
}

/// No link of this person for this purpose works any more.
pub(crate) async fn void_older(
    tx: &mut Transaction,
    person: UserId,
    purpose: Purpose,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(&VOID_OLDER, params![person, purpose.name(), now]).await.map(drop)
}

/// What a link is for, unless it was used or another one took its place.
pub(crate) async fn purpose_of_unused(tx: &mut Transaction, id: Uuid) -> Result<Option<Purpose>, StoreError> {
    let Some(row) = tx.run(&LINK_STATE, params![id]).await? else { return Ok(None) };
    let used: Option<Timestamp> = row.get("used_at")?;
    let purpose: String = row.get("purpose")?;
    Ok(Purpose::ALL.into_iter().find(|known| used.is_none() && known.name() == purpose))
}

/// A mail that goes to another address than the person's, or that is no notice.
pub(crate) async fn add_mail_to(
    tx: &mut Transaction,
    id: Uuid,
    event: Uuid,
    to: (UserId, &str),
    action: Action,
    detail: Option<String>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (person, address) = to;
    tx.run(&ADD_MAIL_TO, params![id, event, person, action.name(), detail, at, at, address]).await.map(drop)
}

pub(super) async fn forget(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&FORGET_LINKS, params![now.minus(REMEMBERED)]).await.map(drop)
}
