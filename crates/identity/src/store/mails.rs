//! Notices, the mails that leave, and what people chose of them, to rows and back.

use std::time::Duration;

use contracts::events::Action;
use contracts::identity::{MailChoices, Notice, SignInMails};
use contracts::notices::Happening;
use store::{Affected, Many, Optional, Query, Row, Scalar, StoreError, Transaction, Uuid, params};
use vocabulary::{EventId, Timestamp, UserId};

use super::{known, named};
use crate::mails::Mail;

pub(super) const MAILS: &str = include_str!("../sql/mails.sql");

const ADD_NOTICE: Query<Affected> = Query::find(MAILS, "add_notice");
const LIST_NOTICES: Query<Many> = Query::find(MAILS, "list_notices");
const COUNT_UNREAD: Query<Scalar<i64>> = Query::find(MAILS, "count_unread");
const READ_NOTICES: Query<Affected> = Query::find(MAILS, "read_notices");
const ADD_MAIL: Query<Affected> = Query::find(MAILS, "add_mail");
const HAS_DUE: Query<Scalar<i64>> = Query::find(MAILS, "has_due");
const TAKE_MAIL: Query<Optional> = Query::find(MAILS, "take_mail");
const LET_GO: Query<Affected> = Query::find(MAILS, "let_go");
const POSTPONE_MAIL: Query<Affected> = Query::find(MAILS, "postpone_mail");
const SETTLE_MAIL: Query<Affected> = Query::find(MAILS, "settle_mail");
const DROP_MAIL: Query<Affected> = Query::find(MAILS, "drop_mail");
const OLDEST_MAIL: Query<Scalar<Timestamp>> = Query::find(MAILS, "oldest_mail");
const COUNT_FAILED_MAILS: Query<Scalar<i64>> = Query::find(MAILS, "count_failed_mails");
const FORGET_MAILS: Query<Affected> = Query::find(MAILS, "forget_mails");
const FORGET_NOTICES: Query<Affected> = Query::find(MAILS, "forget_notices");
const FORGET_NETWORKS: Query<Affected> = Query::find(MAILS, "forget_networks");
const NETWORK_SEEN: Query<Scalar<Timestamp>> = Query::find(MAILS, "network_seen");
const SEE_NETWORK: Query<Affected> = Query::find(MAILS, "see_network");
const CHOOSE_MAILS: Query<Affected> = Query::find(MAILS, "choose_mails");
const GET_CHOICES: Query<Optional> = Query::find(MAILS, "mail_choices");

/// How long mails that left, or were given up, are kept: long enough to look into a complaint.
const SETTLED: Duration = Duration::from_hours(30 * 24);
/// How long people can read what they were told.
const READABLE: Duration = Duration::from_hours(180 * 24);
/// How long a network is known that nobody signs in from.
const KNOWN: Duration = Duration::from_hours(180 * 24);

/// Once for each event and person.
pub(crate) async fn add_notice(
    tx: &mut Transaction,
    id: Uuid,
    happening: &Happening,
    read: bool,
) -> Result<(), StoreError> {
    let Happening { event, at, action, person, detail } = happening;
    let read_at = read.then_some(*at);
    tx.run(&ADD_NOTICE, params![id, *event, *person, action.name(), detail.clone(), *at, read_at]).await.map(drop)
}

/// One more than a page, newest first.
pub(crate) async fn notices(
    tx: &mut Transaction,
    person: UserId,
    before: Option<EventId>,
    unread: bool,
    most: i64,
) -> Result<Vec<Notice>, StoreError> {
    tx.run(&LIST_NOTICES, params![person, before, unread, most]).await?.iter().map(notice_of).collect()
}

/// How many were not read, up to a hundred.
pub(crate) async fn count_unread(tx: &mut Transaction, person: UserId) -> Result<u32, StoreError> {
    let count = tx.run(&COUNT_UNREAD, params![person]).await?.unwrap_or(0);
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The notice of this event was read, and those before it.
pub(crate) async fn read_notices(
    tx: &mut Transaction,
    person: UserId,
    until: EventId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(&READ_NOTICES, params![person, until, now]).await.map(drop)
}

/// To the address that the person has now; once for each event, person and address.
pub(crate) async fn add_mail(
    tx: &mut Transaction,
    id: Uuid,
    happening: &Happening,
    due: Timestamp,
) -> Result<(), StoreError> {
    let Happening { event, at, action, person, detail } = happening;
    tx.run(&ADD_MAIL, params![id, *event, *person, action.name(), detail.clone(), *at, due]).await.map(drop)
}

/// A look only.
pub(crate) async fn has_due_mail(tx: &mut Transaction, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.run(&HAS_DUE, params![now]).await?.unwrap_or(0) > 0)
}

/// The next mail that is due, held by this instance until then.
pub(crate) async fn take_mail(
    tx: &mut Transaction,
    now: Timestamp,
    until: Timestamp,
    holder: [u8; 32],
) -> Result<Option<Mail>, StoreError> {
    tx.run(&TAKE_MAIL, params![now, until, holder]).await?.as_ref().map(mail_of).transpose()
}

pub(crate) async fn let_go(tx: &mut Transaction, holder: [u8; 32]) -> Result<(), StoreError> {
    tx.run(&LET_GO, params![holder]).await.map(drop)
}

pub(crate) async fn postpone_mail(
    tx: &mut Transaction,
    id: Uuid,
    holder: [u8; 32],
    until: Timestamp,
    why: &str,
) -> Result<(), StoreError> {
    tx.run(&POSTPONE_MAIL, params![id, holder, until, why]).await.map(drop)
}

/// False when it was settled before, or another instance holds it by now.
pub(crate) async fn settle_mail(
    tx: &mut Transaction,
    id: Uuid,
    holder: [u8; 32],
    state: &str,
    now: Timestamp,
    why: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(tx.run(&SETTLE_MAIL, params![id, holder, state, now, why.map(ToOwned::to_owned)]).await? == 1)
}

/// A mail of this instance that is not to leave after all.
pub(crate) async fn drop_mail(tx: &mut Transaction, id: Uuid, holder: [u8; 32]) -> Result<(), StoreError> {
    tx.run(&DROP_MAIL, params![id, holder]).await.map(drop)
}

/// Since when the mail waits that waits longest.
pub(crate) async fn oldest_mail(tx: &mut Transaction) -> Result<Option<Timestamp>, StoreError> {
    tx.run(&OLDEST_MAIL, params![]).await
}

/// How many were given up since.
pub(crate) async fn count_failed_mails(tx: &mut Transaction, since: Timestamp) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_FAILED_MAILS, params![since]).await?.unwrap_or(0))
}

/// Whether the person signed in from there before.
pub(crate) async fn network_seen(tx: &mut Transaction, person: UserId, digest: [u8; 32]) -> Result<bool, StoreError> {
    Ok(tx.run(&NETWORK_SEEN, params![person, digest]).await?.is_some())
}

pub(crate) async fn see_network(
    tx: &mut Transaction,
    person: UserId,
    digest: [u8; 32],
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.run(&SEE_NETWORK, params![person, digest, now]).await.map(drop)
}

/// What the person chose, if they did.
pub(crate) async fn mail_choices(tx: &mut Transaction, person: UserId) -> Result<Option<MailChoices>, StoreError> {
    let Some(row) = tx.run(&GET_CHOICES, params![person]).await? else { return Ok(None) };
    let sign_ins = SIGN_IN_MAILS.into_iter().find(named(&row.get::<String>("sign_ins")?, sign_ins_name));
    Ok(Some(MailChoices {
        sign_ins: known("sign_ins", sign_ins)?,
        requests: row.get("requests")?,
        transfers: row.get("transfers")?,
    }))
}

pub(crate) async fn choose_mails(tx: &mut Transaction, person: UserId, choices: MailChoices) -> Result<(), StoreError> {
    let MailChoices { sign_ins, requests, transfers } = choices;
    tx.run(&CHOOSE_MAILS, params![person, sign_ins_name(sign_ins), requests, transfers]).await.map(drop)
}

/// Forgets what is old.
pub(super) async fn forget(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&FORGET_MAILS, params![now.minus(SETTLED)]).await?;
    tx.run(&FORGET_NOTICES, params![now.minus(READABLE)]).await?;
    tx.run(&FORGET_NETWORKS, params![now.minus(KNOWN)]).await.map(drop)
}

const SIGN_IN_MAILS: [SignInMails; 3] = [SignInMails::Every, SignInMails::New, SignInMails::Never];

const fn sign_ins_name(choice: SignInMails) -> &'static str {
    match choice {
        SignInMails::Every => "every",
        SignInMails::New => "new",
        SignInMails::Never => "never",
    }
}

fn notice_of(row: &Row) -> Result<Notice, StoreError> {
    let detail: Option<String> = row.get("detail")?;
    Ok(Notice {
        event: row.get("event")?,
        action: known("action", Action::from_name(&row.get::<String>("action")?))?,
        at: row.get("at")?,
        request: detail.and_then(|detail| detail.parse().ok()),
        read: row.get::<Option<Timestamp>>("read_at")?.is_some(),
    })
}

fn mail_of(row: &Row) -> Result<Mail, StoreError> {
    Ok(Mail {
        id: row.get("id")?,
        event: row.get("event")?,
        person: row.get("person")?,
        address: row.get("address")?,
        action: known("action", Action::from_name(&row.get::<String>("action")?))?,
        detail: row.get("detail")?,
        at: row.get("at")?,
        tries: u32::try_from(row.get::<i64>("tries")?).unwrap_or(u32::MAX),
    })
}
