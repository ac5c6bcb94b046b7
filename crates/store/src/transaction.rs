//! The one transaction type, over either database.
//!
//! Promises: dropped without [`Transaction::commit`] it leaves nothing behind, whatever the moment; after a failed
//! statement nothing more happens in it, on both databases alike; what it tells is written last and numbered without
//! gaps.

use uuid::Uuid;
use vocabulary::{Timestamp, new_uuid};

use crate::query::Outcome;
use crate::{Answer, Bulk, Kind, List, Mark, Query, Scalar, Store, StoreError, Value, params};
use crate::{postgres, sqlite};

const SQL: &str = include_str!("sql/outbox.sql");
const TAKE_NUMBERS: Query<Scalar<i64>> = Query::find(SQL, "take_numbers");
const TELL: Query<Bulk> = Query::find(SQL, "tell");

/// How long the events of one transaction may be together, in bytes.
const TOLD_LIMIT: usize = 64 << 20;

/// A transaction: from [`Store::begin`] it may write, from [`Store::read`] it sees one snapshot.
pub struct Transaction {
    store: Store,
    session: Session,
    failed: bool,
    told: Vec<Event>,
}

pub(crate) enum Session {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
}

struct Event {
    id: Uuid,
    subject: String,
    payload: String,
    at: Timestamp,
}

impl Transaction {
    pub(crate) const fn new(store: Store, session: Session) -> Self {
        Self { store, session, failed: false, told: Vec::new() }
    }

    /// Which database answers.
    pub fn kind(&self) -> Kind {
        self.store.kind()
    }

    /// The time of the store's clock.
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// Runs a query and gives its result in the form that its kind declares. For [`Bulk`], see [`Transaction::bulk`].
    ///
    /// An error dooms the transaction: roll back and begin again. Where a conflict is expected, let the statement say
    /// `on conflict do nothing` and look at the affected rows.
    pub async fn run<K: Answer>(&mut self, query: &Query<K>, params: &[Value]) -> Result<K::Output, StoreError> {
        if self.failed {
            return Err(StoreError::Aborted);
        }
        // Set before and cleared after, so that a future dropped in the middle leaves the transaction doomed.
        self.failed = true;
        let outcome = self.outcome::<K>(query.name(), query.sql(self.kind()), params).await?;
        self.failed = false;
        K::take(outcome)
    }

    async fn outcome<K: Answer>(
        &mut self,
        name: &'static str,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Outcome, StoreError> {
        let empty = Outcome { name, rows: Vec::new(), affected: 0 };
        match (&mut self.session, K::MARK) {
            (_, Mark::Bulk) => self.write_lists(name, sql, params).await.map(|affected| Outcome { affected, ..empty }),
            (Session::Sqlite(session), Mark::Script) => session.script(name, sql).map(|()| empty),
            (Session::Postgres(session), Mark::Script) => session.script(name, sql).await.map(|()| empty),
            (Session::Sqlite(session), Mark::Affected) => session.execute(name, sql, params),
            (Session::Postgres(session), Mark::Affected) => session.execute(name, sql, params).await,
            (Session::Sqlite(session), _) => session.rows(name, sql, params),
            (Session::Postgres(session), _) => session.kept_rows(name, sql, params).await,
        }
    }

    /// Writes many rows from `columns![…]`, lists of one length: one statement over `unnest($1::uuid[], …)` on
    /// PostgreSQL, a row statement run for each element on SQLite. Gives the affected rows.
    pub async fn bulk(&mut self, query: &Query<Bulk>, columns: &[Value]) -> Result<u64, StoreError> {
        self.run(query, columns).await
    }

    async fn write_lists(
        &mut self,
        name: &'static str,
        sql: &'static str,
        columns: &[Value],
    ) -> Result<u64, StoreError> {
        let lists: Option<Vec<&List>> =
            columns.iter().map(|column| if let Value::List(list) = column { Some(list) } else { None }).collect();
        let count = lists.as_ref().and_then(|lists| lists.first()).map_or(0, |list| list.len());
        match lists {
            Some(lists) if lists.iter().all(|list| list.len() == count) => match &mut self.session {
                _ if count == 0 => Ok(0),
                Session::Sqlite(session) => session.bulk(name, sql, &lists, count),
                Session::Postgres(session) => session.execute(name, sql, columns).await.map(|outcome| outcome.affected),
            },
            _ => Err(StoreError::Row(format!("the bulk write {name} needs lists of one length"))),
        }
    }

    /// Tells an event, under an id made here: it is written at commit, or not at all.
    pub fn tell(&mut self, subject: impl Into<String>, payload: impl Into<String>) {
        let (clock, chance) = (self.store.clock(), self.store.chance());
        let event =
            Event { id: new_uuid(clock, chance), subject: subject.into(), payload: payload.into(), at: clock.now() };
        self.told.push(event);
    }

    /// Keeps everything, or nothing. When this future is dropped in the middle, the commit goes on without it.
    ///
    /// [`StoreError::Unavailable`] here means that the outcome is not known: do the same work again under the same id.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Aborted);
        }
        let told = std::mem::take(&mut self.told);
        let announced = !told.is_empty();
        if told.iter().map(|event| event.payload.len()).fold(0, usize::saturating_add) > TOLD_LIMIT {
            return Err(StoreError::Row("the events of one transaction are longer than 64 MiB".to_owned()));
        }
        let store = self.store.clone();
        // Last of all, so that writers hold the head row's lock only while they commit.
        match self.session {
            Session::Postgres(session) if announced => {
                session
                    .commit(Some((TELL.name(), TELL.sql(Kind::Postgres), numbered(Value::Int(length(&told)), told))))
                    .await?;
            }
            Session::Postgres(session) => session.commit(None).await?,
            Session::Sqlite(_) if announced => {
                let count = length(&told);
                let first = self.run(&TAKE_NUMBERS, params![count]).await?;
                let first = first.ok_or_else(|| StoreError::Row("the outbox has no head row".to_owned()))?;
                let numbers: Vec<i64> = (first..first.saturating_add(count)).collect();
                self.bulk(&TELL, &numbered(numbers.into(), told)).await?;
                self.end_in_place()?;
            }
            Session::Sqlite(_) => self.end_in_place()?,
        }
        if announced {
            store.announce();
        }
        Ok(())
    }

    fn end_in_place(&self) -> Result<(), StoreError> {
        match &self.session {
            Session::Sqlite(session) => session.commit(),
            Session::Postgres(_) => Err(StoreError::Aborted),
        }
    }

    /// Prepares a text without running it. For [`crate::check`].
    pub(crate) async fn prepare(&mut self, name: &str, sql: &str) -> Result<(), StoreError> {
        match &mut self.session {
            Session::Sqlite(session) => session.prepare(name, sql),
            Session::Postgres(session) => session.prepare(name, sql).await,
        }
    }

    /// Runs a text that is not known at compile time, with identifiers from the database's own lists. For dumps.
    pub(crate) async fn rows_of(&mut self, sql: &str) -> Result<Vec<crate::Row>, StoreError> {
        match &mut self.session {
            Session::Sqlite(session) => session.rows("dump", sql, &[]).map(|outcome| outcome.rows),
            Session::Postgres(session) => session.rows("dump", sql, &[]).await.map(|outcome| outcome.rows),
        }
    }
}

fn length(told: &[Event]) -> i64 {
    i64::try_from(told.len()).unwrap_or(i64::MAX)
}

/// The parameters of `tell`: the numbers, or how many, and the events' columns.
fn numbered(numbers: Value, told: Vec<Event>) -> Vec<Value> {
    let (mut ids, mut subjects, mut payloads, mut times) = (vec![], vec![], vec![], vec![]);
    for event in told {
        ids.push(event.id);
        subjects.push(event.subject);
        payloads.push(event.payload);
        times.push(event.at);
    }
    vec![numbers, ids.into(), subjects.into(), payloads.into(), times.into()]
}
