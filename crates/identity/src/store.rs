//! The one place that names SQL: people, sessions, secrets and revocations, to rows and back.

use aaa::{PasswordHash, Revocation};
use contracts::identity::{Language, ListUsers, UserState};
use contracts::roles::Role;
use store::{
    Affected, Bulk, Many, Migration, Optional, Query, Row, Scalar, StoreError, Transaction, Uuid, columns, params,
};
use vocabulary::{Login, SessionId, Timestamp, UserId};

use crate::person::Person;
use crate::session::{Kind, Proof, Session};

mod attempts;
mod factors;
mod instances;
mod links;
mod mails;
mod passkeys;
mod resets;
mod tokens;

pub(crate) use attempts::*;
pub(crate) use factors::*;
pub(crate) use instances::*;
pub(crate) use links::*;
pub(crate) use mails::*;
pub(crate) use passkeys::*;
pub(crate) use resets::*;
pub(crate) use tokens::*;

/// The tables of this service.
pub const MIGRATIONS: &[Migration] = &[
    store::migration!(1, "create", "sql/migrations/sqlite/0001_create.sql", "sql/migrations/postgres/0001_create.sql"),
    store::migration!(
        2,
        "second_factors",
        "sql/migrations/sqlite/0002_second_factors.sql",
        "sql/migrations/postgres/0002_second_factors.sql"
    ),
    store::migration!(
        3,
        "attempts",
        "sql/migrations/sqlite/0003_attempts.sql",
        "sql/migrations/postgres/0003_attempts.sql"
    ),
    store::migration!(
        4,
        "factor_resets",
        "sql/migrations/sqlite/0004_factor_resets.sql",
        "sql/migrations/postgres/0004_factor_resets.sql"
    ),
    store::migration!(
        5,
        "imported_hashes",
        "sql/migrations/sqlite/0005_imported_hashes.sql",
        "sql/migrations/postgres/0005_imported_hashes.sql"
    ),
    store::migration!(
        6,
        "passkeys",
        "sql/migrations/sqlite/0006_passkeys.sql",
        "sql/migrations/postgres/0006_passkeys.sql"
    ),
    store::migration!(
        7,
        "personal_tokens",
        "sql/migrations/sqlite/0007_personal_tokens.sql",
        "sql/migrations/postgres/0007_personal_tokens.sql"
    ),
    store::migration!(
        8,
        "instances",
        "sql/migrations/sqlite/0008_instances.sql",
        "sql/migrations/postgres/0008_instances.sql"
    ),
    store::migration!(
        9,
        "notices",
        "sql/migrations/sqlite/0009_notices.sql",
        "sql/migrations/postgres/0009_notices.sql"
    ),
    store::migration!(10, "links", "sql/migrations/sqlite/0010_links.sql", "sql/migrations/postgres/0010_links.sql"),
    store::migration!(
        11,
        "notices_by_event",
        "sql/migrations/sqlite/0011_notices_by_event.sql",
        "sql/migrations/postgres/0011_notices_by_event.sql"
    ),
];

const PEOPLE: &str = include_str!("sql/people.sql");
const SESSIONS: &str = include_str!("sql/sessions.sql");
/// Every query of this service, for the test that prepares them all.
pub const QUERIES: &[&str] = &[PEOPLE, SESSIONS, FACTORS, ATTEMPTS, RESETS, PASSKEYS, TOKENS, INSTANCES, MAILS, LINKS];

const ADD_PERSON: Query<Affected> = Query::find(PEOPLE, "add_person");
const GET_PERSON: Query<Optional> = Query::find(PEOPLE, "get_person");
const GET_PERSON_BY_LOGIN: Query<Optional> = Query::find(PEOPLE, "get_person_by_login");
const LOCK_PERSON: Query<Optional> = Query::find(PEOPLE, "lock_person");
const LOCK_SUPERUSERS: Query<Many> = Query::find(PEOPLE, "lock_superusers");
const HAS_SUPERUSER: Query<Scalar<i64>> = Query::find(PEOPLE, "has_superuser");
const LIST_PEOPLE: Query<Many> = Query::find(PEOPLE, "list_people");
const SET_PROFILE: Query<Affected> = Query::find(PEOPLE, "set_profile");
const SET_STATE: Query<Affected> = Query::find(PEOPLE, "set_state");
const SET_PASSWORD: Query<Affected> = Query::find(PEOPLE, "set_password");
const SET_LAST_LOGIN: Query<Affected> = Query::find(PEOPLE, "set_last_login");
const DELETE_PERSON: Query<Affected> = Query::find(PEOPLE, "delete_person");
const COUNT_ACTIVE_SUPERUSERS: Query<Scalar<i64>> = Query::find(PEOPLE, "count_active_superusers");

const ADD_SESSION: Query<Affected> = Query::find(SESSIONS, "add_session");
const ADD_SECRET: Query<Affected> = Query::find(SESSIONS, "add_secret");
const FIND_SECRET: Query<Optional> = Query::find(SESSIONS, "find_secret");
const SPEND_SECRET: Query<Affected> = Query::find(SESSIONS, "spend_secret");
const GET_SESSION: Query<Optional> = Query::find(SESSIONS, "get_session");
const SET_PROOF: Query<Affected> = Query::find(SESSIONS, "set_proof");
const TOUCH_SESSION: Query<Affected> = Query::find(SESSIONS, "touch_session");
const LIVING_SESSIONS: Query<Many> = Query::find(SESSIONS, "living_sessions");
const LIVING_IDS: Query<Many> = Query::find(SESSIONS, "living_ids");
const END_SESSION: Query<Affected> = Query::find(SESSIONS, "end_session");
const END_SESSIONS_OF: Query<Affected> = Query::find(SESSIONS, "end_sessions_of");
const NOTE_REVOCATIONS: Query<Bulk> = Query::find(SESSIONS, "note_revocations");
const RECENT_REVOCATIONS: Query<Many> = Query::find(SESSIONS, "recent_revocations");
const FORGET_REVOCATIONS: Query<Affected> = Query::find(SESSIONS, "forget_revocations");
const FORGET_SESSIONS: Query<Affected> = Query::find(SESSIONS, "forget_sessions");
const COUNT_SESSIONS_OF_INACTIVE: Query<Scalar<i64>> = Query::find(SESSIONS, "count_sessions_of_inactive");

/// A hash that no password fits.
const NO_PASSWORD: &str = "$argon2id$none";
/// The id that nobody has: it finds nothing and spares nothing.
const NOBODY: Uuid = Uuid::nil();

/// Adds the person; false when the login is taken.
pub(crate) async fn add_person(tx: &mut Transaction, person: &Person) -> Result<bool, StoreError> {
    let hash = person.password.as_str();
    // Only our own kind of hash is a password hash here; another one is kept beside one that no password fits.
    let (own, imported) =
        if hash.starts_with("$argon2id$") { (hash, None) } else { (NO_PASSWORD, Some(hash.to_owned())) };
    let row = params![
        person.id,
        &person.login,
        &person.email,
        &person.first_name,
        &person.last_name,
        person.role.name(),
        state_name(person.state),
        language_name(person.language),
        own,
        person.search(),
        person.created_at,
        imported,
    ];
    Ok(tx.run(&ADD_PERSON, row).await? == 1)
}

pub(crate) async fn person(tx: &mut Transaction, id: UserId) -> Result<Option<Person>, StoreError> {
    tx.run(&GET_PERSON, params![id]).await?.as_ref().map(person_of).transpose()
}

/// By login; without one the same question is asked and nobody is found.
pub(crate) async fn person_by_login(tx: &mut Transaction, login: Option<&Login>) -> Result<Option<Person>, StoreError> {
    let login = login.map_or("", Login::as_str);
    tx.run(&GET_PERSON_BY_LOGIN, params![login]).await?.as_ref().map(person_of).transpose()
}

/// The person, whom nobody else changes until the end of the transaction: every change to a person or their sessions
/// begins here, so that all take their locks in one order. Without an id the same question is asked and nobody is found.
pub(crate) async fn lock(tx: &mut Transaction, id: Option<UserId>) -> Result<Option<Person>, StoreError> {
    let id = id.map_or(NOBODY, Uuid::from);
    tx.run(&LOCK_PERSON, params![id]).await?.as_ref().map(person_of).transpose()
}

/// How many superusers besides `id` can sign in. All superusers stay locked, so that two who act on each other at once
/// do so one after the other.
pub(crate) async fn other_active_superusers(tx: &mut Transaction, id: UserId) -> Result<usize, StoreError> {
    let mut others = 0_usize;
    for row in tx.run(&LOCK_SUPERUSERS, params![]).await? {
        if row.get::<UserId>("id")? != id && row.get::<String>("state")? == state_name(UserState::Active) {
            others = others.saturating_add(1);
        }
    }
    Ok(others)
}

pub(crate) async fn has_superuser(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(tx.run(&HAS_SUPERUSER, params![]).await?.unwrap_or(0) > 0)
}

/// One more than a page, newest first.
pub(crate) async fn people(
    tx: &mut Transaction,
    filter: &ListUsers,
    before: Option<UserId>,
    superusers_too: bool,
) -> Result<Vec<Person>, StoreError> {
    let search = filter.search.as_deref().map(str::trim).filter(|it| !it.is_empty()).map(str::to_lowercase);
    let (state, role) = (filter.state.map(state_name), filter.role.map(Role::name));
    let filter = params![before, superusers_too, state, role, search, filter.limit.and_one()];
    tx.run(&LIST_PEOPLE, filter).await?.iter().map(person_of).collect()
}

pub(crate) async fn set_profile(tx: &mut Transaction, person: &Person) -> Result<(), StoreError> {
    let row = params![
        person.id,
        &person.email,
        &person.first_name,
        &person.last_name,
        language_name(person.language),
        person.search(),
    ];
    tx.run(&SET_PROFILE, row).await.map(drop)
}

pub(crate) async fn set_state(tx: &mut Transaction, id: UserId, state: UserState) -> Result<(), StoreError> {
    tx.run(&SET_STATE, params![id, state_name(state)]).await.map(drop)
}

pub(crate) async fn set_password(tx: &mut Transaction, id: UserId, hash: &PasswordHash) -> Result<(), StoreError> {
    tx.run(&SET_PASSWORD, params![id, hash.as_str()]).await.map(drop)
}

pub(crate) async fn set_last_login(tx: &mut Transaction, id: UserId, at: Timestamp) -> Result<(), StoreError> {
    tx.run(&SET_LAST_LOGIN, params![id, at]).await.map(drop)
}

pub(crate) async fn delete_person(tx: &mut Transaction, id: UserId) -> Result<(), StoreError> {
    tx.run(&DELETE_PERSON, params![id]).await.map(drop)
}

pub(crate) async fn count_active_superusers(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_ACTIVE_SUPERUSERS, params![]).await?.unwrap_or(0))
}

pub(crate) async fn add_session(tx: &mut Transaction, session: &Session, hash: [u8; 32]) -> Result<(), StoreError> {
    let row = params![
        session.id,
        session.person,
        session.kind.name(),
        session.agent.clone(),
        session.created_at,
        session.authenticated_at,
        session.proof.name(),
        session.seen_at,
        session.idle_at,
        session.ends_at,
        session.previous_login_at,
    ];
    tx.run(&ADD_SESSION, row).await?;
    add_secret(tx, session.id, hash).await
}

pub(crate) async fn add_secret(tx: &mut Transaction, session: SessionId, hash: [u8; 32]) -> Result<(), StoreError> {
    tx.run(&ADD_SECRET, params![hash, session]).await.map(drop)
}

/// The session that a secret holds, and whether the secret was spent.
pub(crate) async fn session_of_secret(
    tx: &mut Transaction,
    hash: [u8; 32],
) -> Result<Option<(Session, bool)>, StoreError> {
    let Some(row) = tx.run(&FIND_SECRET, params![hash]).await? else { return Ok(None) };
    Ok(Some((session_of(&row)?, row.get::<Option<Timestamp>>("spent_at")?.is_some())))
}

pub(crate) async fn spend_secret(tx: &mut Transaction, hash: [u8; 32], at: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.run(&SPEND_SECRET, params![hash, at]).await? == 1)
}

/// A session of this person.
pub(crate) async fn session(
    tx: &mut Transaction,
    id: SessionId,
    person: UserId,
) -> Result<Option<Session>, StoreError> {
    tx.run(&GET_SESSION, params![id, person]).await?.as_ref().map(session_of).transpose()
}

/// Keeps when and how the person last proved who they are.
pub(crate) async fn set_proof(tx: &mut Transaction, session: &Session) -> Result<(), StoreError> {
    tx.run(&SET_PROOF, params![session.id, session.authenticated_at, session.proof.name()]).await.map(drop)
}

/// Keeps the activity; false when the session is gone.
pub(crate) async fn touch_session(tx: &mut Transaction, session: &Session) -> Result<bool, StoreError> {
    Ok(tx.run(&TOUCH_SESSION, params![session.id, session.seen_at, session.idle_at]).await? == 1)
}

pub(crate) async fn living_sessions(
    tx: &mut Transaction,
    person: UserId,
    now: Timestamp,
) -> Result<Vec<Session>, StoreError> {
    tx.run(&LIVING_SESSIONS, params![person, now]).await?.iter().map(session_of).collect()
}

pub(crate) async fn living_ids(
    tx: &mut Transaction,
    person: UserId,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    tx.run(&LIVING_IDS, params![person, now]).await?.iter().map(|row| row.get("id")).collect()
}

/// Ends a session of this person; false when it is not one of theirs.
pub(crate) async fn end_session(tx: &mut Transaction, id: SessionId, person: UserId) -> Result<bool, StoreError> {
    Ok(tx.run(&END_SESSION, params![id, person]).await? == 1)
}

pub(crate) async fn end_sessions(
    tx: &mut Transaction,
    person: UserId,
    spared: Option<SessionId>,
) -> Result<(), StoreError> {
    let spared = spared.map_or(NOBODY, Uuid::from);
    tx.run(&END_SESSIONS_OF, params![person, spared]).await.map(drop)
}

pub(crate) async fn note_revocations(
    tx: &mut Transaction,
    sessions: &[SessionId],
    until: Timestamp,
) -> Result<(), StoreError> {
    let until = vec![until; sessions.len()];
    tx.bulk(&NOTE_REVOCATIONS, columns![sessions.to_vec(), until]).await.map(drop)
}

pub(crate) async fn recent_revocations(tx: &mut Transaction, now: Timestamp) -> Result<Vec<Revocation>, StoreError> {
    let rows = tx.run(&RECENT_REVOCATIONS, params![now]).await?;
    let session = |row: &Row| Ok(Revocation::Session { id: row.get("session")?, until: row.get("until")? });
    let mut told = rows.iter().map(session).collect::<Result<Vec<_>, StoreError>>()?;
    told.extend(revoked_tokens(tx, now).await?);
    Ok(told)
}

/// Forgets what ended by itself before `now`.
pub(crate) async fn forget(tx: &mut Transaction, now: Timestamp) -> Result<(), StoreError> {
    tx.run(&FORGET_REVOCATIONS, params![now]).await?;
    tx.run(&FORGET_SESSIONS, params![now]).await?;
    forget_tokens(tx, now).await?;
    instances::forget(tx, now).await?;
    mails::forget(tx, now).await?;
    links::forget(tx, now).await?;
    attempts::forget(tx, now).await
}

pub(crate) async fn count_sessions_of_inactive(tx: &mut Transaction) -> Result<i64, StoreError> {
    Ok(tx.run(&COUNT_SESSIONS_OF_INACTIVE, params![]).await?.unwrap_or(0))
}

fn person_of(row: &Row) -> Result<Person, StoreError> {
    Ok(Person {
        id: row.get("id")?,
        login: row.parse("login")?,
        email: row.parse("email")?,
        first_name: row.parse("first_name")?,
        last_name: row.parse("last_name")?,
        role: known("role", Role::from_name(&row.get::<String>("role")?))?,
        state: known("state", STATES.into_iter().find(named(&row.get::<String>("state")?, state_name)))?,
        language: known("language", LANGUAGES.into_iter().find(named(&row.get::<String>("language")?, language_name)))?,
        password: PasswordHash::from_stored(row.get("password_hash")?),
        created_at: row.get("created_at")?,
        last_login_at: row.get("last_login_at")?,
    })
}

fn session_of(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.get("id")?,
        person: row.get("person")?,
        kind: known(
            "kind",
            [Kind::Tokens, Kind::Browser].into_iter().find(named(&row.get::<String>("kind")?, Kind::name)),
        )?,
        agent: row.get("agent")?,
        created_at: row.get("created_at")?,
        authenticated_at: row.get("authenticated_at")?,
        proof: known("proof", Proof::ALL.into_iter().find(named(&row.get::<String>("proof")?, Proof::name)))?,
        seen_at: row.get("seen_at")?,
        idle_at: row.get("idle_at")?,
        ends_at: row.get("ends_at")?,
        previous_login_at: row.get("previous_login_at")?,
    })
}

const STATES: [UserState; 4] = [UserState::Pending, UserState::Active, UserState::Disabled, UserState::Rejected];
const LANGUAGES: [Language; 2] = [Language::Fr, Language::En];

/// As the tables and events carry it.
pub(crate) const fn state_name(state: UserState) -> &'static str {
    match state {
        UserState::Pending => "pending",
        UserState::Active => "active",
        UserState::Disabled => "disabled",
        UserState::Rejected => "rejected",
    }
}

const fn language_name(language: Language) -> &'static str {
    match language {
        Language::Fr => "fr",
        Language::En => "en",
    }
}

fn named<T: Copy>(name: &str, of: fn(T) -> &'static str) -> impl Fn(&T) -> bool {
    move |it| of(*it) == name
}

fn known<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| StoreError::Row(format!("the column {column} holds a word that this program does not know")))
}
