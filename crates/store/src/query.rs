//! Named queries: texts in `.sql` files, found and checked while the program is compiled.
//!
//! Promises that a query which exists names a text for both databases and gives the kind of result that the text
//! declares. Knows the file format only, no database.
//!
//! ```sql
//! -- name: get_account^
//! -- One account, whoever owns it.
//! select id, owner, balance from accounts where id = $1;
//!
//! -- name: accounts_among (sqlite)
//! select id from accounts where id in rarray($1);
//! -- name: accounts_among (postgres)
//! select id from accounts where id = any($1);
//! ```
//!
//! The mark after the name is the kind of result: none = all rows ([`Many`]), `^` = one row or none ([`Optional`]),
//! `$` = first value ([`Scalar`]), `!` = affected rows ([`Affected`]), `*!` = a row per list element ([`Bulk`]),
//! `#` = several statements without parameters ([`Script`]). Parameters are `$1`, `$2`… on both databases.

use std::marker::PhantomData;

use crate::{FromValue, Kind, Row, StoreError, Value};

/// A query by name, with the kind of its result. Made by [`Query::find`] in a `const`.
pub struct Query<K> {
    pub(crate) name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    kind: PhantomData<fn() -> K>,
}

impl<K: Answer> Query<K> {
    /// The query called `name` in `text`, checked by the compiler when it stands in a `const`: a missing name, another
    /// kind of result or a text for one database only stops the build.
    ///
    /// ```
    /// use store::{Optional, Query};
    /// const SQL: &str = "-- name: get_account^\nselect id from accounts where id = $1;\n";
    /// const GET_ACCOUNT: Query<Optional> = Query::find(SQL, "get_account");
    /// # let _ = GET_ACCOUNT;
    /// ```
    /// A name that is not in the file does not compile:
    /// ```compile_fail
    /// use store::{Optional, Query};
    /// const SQL: &str = "-- name: get_account^\nselect id from accounts where id = $1;\n";
    /// const GET_ACCOUNT: Query<Optional> = Query::find(SQL, "get_acount");
    /// # let _ = GET_ACCOUNT;
    /// ```
    /// Nor does a kind of result other than the declared one:
    /// ```compile_fail
    /// use store::{Affected, Query};
    /// const SQL: &str = "-- name: get_account^\nselect id from accounts where id = $1;\n";
    /// const GET_ACCOUNT: Query<Affected> = Query::find(SQL, "get_account");
    /// # let _ = GET_ACCOUNT;
    /// ```
    /// Nor a text for one database without its twin:
    /// ```compile_fail
    /// use store::{Many, Query};
    /// const SQL: &str = "-- name: among (sqlite)\nselect id from accounts where id in rarray($1);\n";
    /// const AMONG: Query<Many> = Query::find(SQL, "among");
    /// # let _ = AMONG;
    /// ```
    pub const fn find(text: &'static str, name: &'static str) -> Self {
        let (mut sqlite, mut postgres): (Option<&'static str>, Option<&'static str>) = (None, None);
        let mut from = 0;
        while let Some(block) = next_block(text, from) {
            from = block.end;
            if equal(block.name.as_bytes(), name.as_bytes()) {
                assert!(
                    block.mark as u8 == K::MARK as u8,
                    "this query is declared with another kind of result in the .sql file"
                );
                if block.sqlite {
                    assert!(sqlite.is_none(), "this query stands twice in the .sql file");
                    sqlite = Some(block.sql);
                }
                if block.postgres {
                    assert!(postgres.is_none(), "this query stands twice in the .sql file");
                    postgres = Some(block.sql);
                }
            }
        }
        assert!(sqlite.is_some() || postgres.is_some(), "no query of this name in the .sql file");
        assert!(sqlite.is_some() && postgres.is_some(), "this query has a text for one database and not for the other");
        match (sqlite, postgres) {
            (Some(sqlite), Some(postgres)) => Self { name, sqlite, postgres, kind: PhantomData },
            _ => Self { name, sqlite: "", postgres: "", kind: PhantomData },
        }
    }
}

impl<K> Query<K> {
    /// The name in the file.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn sql(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Sqlite => self.sqlite,
            Kind::Postgres => self.postgres,
        }
    }
}

/// One block of a file: from its `-- name:` line to the next.
pub(crate) struct Block {
    pub(crate) name: &'static str,
    pub(crate) mark: Mark,
    pub(crate) sqlite: bool,
    pub(crate) postgres: bool,
    pub(crate) sql: &'static str,
    pub(crate) end: usize,
}

const PREFIX: &[u8] = b"-- name: ";

/// The first block that begins at or after `from`.
pub(crate) const fn next_block(text: &'static str, from: usize) -> Option<Block> {
    let bytes = text.as_bytes();
    let mut start = from;
    while start < bytes.len() && !starts(bytes, start, PREFIX) {
        start = line_end(bytes, start);
    }
    if start >= bytes.len() {
        return None;
    }
    let name_start = start + PREFIX.len();
    let mut name_end = name_start;
    while name_end < bytes.len() && is_name(bytes[name_end]) {
        name_end += 1;
    }
    assert!(name_end > name_start, "a `-- name:` line without a name");
    let body = line_end(bytes, start);
    let rest = text_between(text, name_end, body).trim_ascii();
    let (mark, which) = Mark::read(rest);
    let mut end = body;
    while end < bytes.len() && !starts(bytes, end, PREFIX) {
        end = line_end(bytes, end);
    }
    let mut sql = text_between(text, body, end).trim_ascii();
    if !sql.is_empty() && sql.as_bytes()[sql.len() - 1] == b';' && !matches!(mark, Mark::Script) {
        sql = text_between(sql, 0, sql.len() - 1);
    }
    assert!(!sql.is_empty(), "a `-- name:` line without a statement below it");
    let (sqlite, postgres) = match which.as_bytes() {
        b"" => (true, true),
        b"(sqlite)" => (true, false),
        b"(postgres)" => (false, true),
        _ => (false, false),
    };
    assert!(sqlite || postgres, "after the mark of a `-- name:` line stands (sqlite), (postgres) or nothing");
    Some(Block { name: text_between(text, name_start, name_end), mark, sqlite, postgres, sql, end })
}

const fn is_name(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'
}

const fn line_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'\n' {
        at += 1;
    }
    if at < bytes.len() { at + 1 } else { at }
}

const fn starts(bytes: &[u8], at: usize, prefix: &[u8]) -> bool {
    if bytes.len() - at < prefix.len() {
        return false;
    }
    let mut i = 0;
    while i < prefix.len() {
        if bytes[at + i] != prefix[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && starts(a, 0, b)
}

const fn text_between(text: &'static str, from: usize, to: usize) -> &'static str {
    text.split_at(to).0.split_at(from).1
}

/// The mark beside a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// No mark.
    Many,
    /// `^`
    Optional,
    /// `$`
    Scalar,
    /// `!`
    Affected,
    /// `*!`
    Bulk,
    /// `#`
    Script,
}

impl Mark {
    const fn read(rest: &'static str) -> (Self, &'static str) {
        let (mark, length) = match rest.as_bytes() {
            [b'^', ..] => (Self::Optional, 1),
            [b'$', ..] => (Self::Scalar, 1),
            [b'*', b'!', ..] => (Self::Bulk, 2),
            [b'!', ..] => (Self::Affected, 1),
            [b'#', ..] => (Self::Script, 1),
            _ => (Self::Many, 0),
        };
        (mark, rest.split_at(length).1.trim_ascii())
    }
}

/// What came back from a database, before it takes its kind's form.
#[doc(hidden)]
pub struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
}

/// A kind of result. The six below are all there are.
pub trait Answer: Sized {
    /// The mark beside the name in the file.
    const MARK: Mark;
    /// What [`crate::Transaction::run`] gives.
    type Output;
    #[doc(hidden)]
    fn take(outcome: Outcome) -> Result<Self::Output, StoreError>;
}

/// All rows.
pub enum Many {}
/// One row or none; two are an error.
pub enum Optional {}
/// The first value of the first row, `None` when there is no row. `T` may be an `Option` where null is an answer.
pub struct Scalar<T = Value>(PhantomData<fn() -> T>);
/// How many rows were written.
pub enum Affected {}
/// A write of many rows, for [`crate::Transaction::bulk`].
pub enum Bulk {}
/// Several statements without parameters or results.
pub enum Script {}

impl Answer for Many {
    const MARK: Mark = Mark::Many;
    type Output = Vec<Row>;
    fn take(outcome: Outcome) -> Result<Vec<Row>, StoreError> {
        Ok(outcome.rows)
    }
}

impl Answer for Optional {
    const MARK: Mark = Mark::Optional;
    type Output = Option<Row>;
    fn take(mut outcome: Outcome) -> Result<Option<Row>, StoreError> {
        if outcome.rows.len() > 1 {
            return Err(StoreError::Row(format!("query {} gave more than one row", outcome.name)));
        }
        Ok(outcome.rows.pop())
    }
}

impl<T: FromValue> Answer for Scalar<T> {
    const MARK: Mark = Mark::Scalar;
    type Output = Option<T>;
    fn take(outcome: Outcome) -> Result<Option<T>, StoreError> {
        outcome.rows.into_iter().next().map(|row| row.first(outcome.name)).transpose()
    }
}

impl Answer for Affected {
    const MARK: Mark = Mark::Affected;
    type Output = u64;
    fn take(outcome: Outcome) -> Result<u64, StoreError> {
        Ok(outcome.affected)
    }
}

impl Answer for Bulk {
    const MARK: Mark = Mark::Bulk;
    type Output = u64;
    fn take(outcome: Outcome) -> Result<u64, StoreError> {
        Ok(outcome.affected)
    }
}

impl Answer for Script {
    const MARK: Mark = Mark::Script;
    type Output = ();
    fn take(_: Outcome) -> Result<(), StoreError> {
        Ok(())
    }
}
