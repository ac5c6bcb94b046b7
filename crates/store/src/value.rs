//! Values that go into queries and rows that come back, the same for both databases.
//!
//! SQLite keeps a UUID as a 16-byte blob and a boolean as an integer; both keep a time as microseconds in a 64-bit
//! integer and JSON as text. There is no floating-point value: money is exact.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;
use vocabulary::Timestamp;

use crate::StoreError;

/// A parameter or a column's content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Nothing known.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number, or a time.
    Int(i64),
    /// A text, or JSON.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An identifier.
    Uuid(Uuid),
    /// Many of one type: `= any($1)` and `unnest($1::…[])` on PostgreSQL, `in rarray($1)` on SQLite; the columns of
    /// [`crate::Transaction::bulk`].
    List(List),
}

/// Many values of one type, each of which may be null.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named for what they hold")]
pub enum List {
    Bools(Vec<Option<bool>>),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Uuids(Vec<Option<Uuid>>),
}

impl List {
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Bools(items) => items.len(),
            Self::Ints(items) => items.len(),
            Self::Texts(items) => items.len(),
            Self::Bytes(items) => items.len(),
            Self::Uuids(items) => items.len(),
        }
    }
}

/// Parameters of a query: `params![id, name]`, in the order of `$1`, `$2`…
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::Value::from($value)),*] as &[$crate::Value]
    };
}

/// Columns of a bulk write, one list each: `columns![ids, amounts]`.
#[macro_export]
macro_rules! columns {
    ($($list:expr),* $(,)?) => {
        &[$($crate::Value::from($list)),*] as &[$crate::Value]
    };
}

macro_rules! into_value {
    ($($type:ty: $from:ident => $value:expr;)+) => {$(
        impl From<$type> for Value {
            fn from($from: $type) -> Self {
                $value
            }
        }
    )+};
}

into_value! {
    bool: it => Self::Bool(it);
    i64: it => Self::Int(it);
    i32: it => Self::Int(it.into());
    u32: it => Self::Int(it.into());
    u16: it => Self::Int(it.into());
    u8: it => Self::Int(it.into());
    &str: it => Self::Text(it.to_owned());
    String: it => Self::Text(it);
    &String: it => Self::Text(it.clone());
    Vec<u8>: it => Self::Bytes(it);
    &[u8]: it => Self::Bytes(it.to_vec());
    [u8; 32]: it => Self::Bytes(it.to_vec());
    &[u8; 32]: it => Self::Bytes(it.to_vec());
    [u8; 16]: it => Self::Bytes(it.to_vec());
    Uuid: it => Self::Uuid(it);
    Timestamp: it => Self::Int(it.micros());
    vocabulary::Currency: it => Self::Text(it.to_string());
    &vocabulary::Iban: it => Self::Text(it.to_string());
    &vocabulary::Login: it => Self::Text(it.to_string());
    &vocabulary::Email: it => Self::Text(it.to_string());
}

impl<const MIN: usize, const MAX: usize> From<&vocabulary::Text<MIN, MAX>> for Value {
    fn from(text: &vocabulary::Text<MIN, MAX>) -> Self {
        Self::Text(text.to_string())
    }
}

impl<T> From<Option<T>> for Value
where
    Self: From<T>,
{
    fn from(maybe: Option<T>) -> Self {
        maybe.map_or(Self::Null, Self::from)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

/// What a list may hold; `Option` of it too.
pub trait Item: Sized {
    /// Gathers them.
    fn list(items: impl Iterator<Item = Option<Self>>) -> List;
}

macro_rules! items {
    ($($type:ty => $variant:ident($item:ident => $value:expr);)+) => {$(
        impl Item for $type {
            fn list(items: impl Iterator<Item = Option<Self>>) -> List {
                List::$variant(items.map(|maybe| maybe.map(|$item: Self| $value)).collect())
            }
        }
        impl Item for Option<$type> {
            fn list(items: impl Iterator<Item = Option<Self>>) -> List {
                <$type>::list(items.map(Option::flatten))
            }
        }
    )+};
}

items! {
    bool => Bools(it => it);
    i64 => Ints(it => it);
    i32 => Ints(it => it.into());
    u32 => Ints(it => it.into());
    Timestamp => Ints(it => it.micros());
    &str => Texts(it => it.to_owned());
    String => Texts(it => it);
    vocabulary::Currency => Texts(it => it.to_string());
    Vec<u8> => Bytes(it => it);
    [u8; 32] => Bytes(it => it.to_vec());
    Uuid => Uuids(it => it);
}

impl<T: Item> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(T::list(items.into_iter().map(Some)))
    }
}

/// A Rust type that a column can be read as.
pub trait FromValue: Sized {
    /// The value, or what it should have been.
    fn from_value(value: Value) -> Result<Self, &'static str>;
}

macro_rules! from_value {
    ($($type:ty, $wanted:literal: $($pattern:pat => $result:expr),+;)+) => {$(
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, &'static str> {
                match value {
                    $($pattern => $result,)+
                    _ => Err($wanted),
                }
            }
        }
    )+};
}

from_value! {
    bool, "a boolean": Value::Bool(it) => Ok(it), Value::Int(0) => Ok(false), Value::Int(1) => Ok(true);
    i64, "a whole number": Value::Int(it) => Ok(it);
    i32, "a small whole number": Value::Int(it) => it.try_into().map_err(|_| "a small whole number");
    u32, "a small natural number": Value::Int(it) => it.try_into().map_err(|_| "a small natural number");
    u64, "a natural number": Value::Int(it) => it.try_into().map_err(|_| "a natural number");
    String, "a text": Value::Text(it) => Ok(it);
    Vec<u8>, "bytes": Value::Bytes(it) => Ok(it);
    [u8; 32], "32 bytes": Value::Bytes(it) => it.try_into().map_err(|_| "32 bytes");
    Uuid, "a UUID": Value::Uuid(it) => Ok(it), Value::Bytes(it) => Self::from_slice(&it).map_err(|_| "a UUID");
    Timestamp, "a time in microseconds": Value::Int(it) => Ok(Self::from_micros(it));
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, &'static str> {
        Ok(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, &'static str> {
        if value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

/// Teaches the store an identifier that is a UUID inside (`From<Uuid>` and `Into<Uuid>`): as a parameter, in a list, and
/// as a column's type. The vocabulary's own identifiers are known already.
#[macro_export]
macro_rules! stored_as_uuid {
    ($($id:ty),+ $(,)?) => {$(
        impl From<$id> for $crate::Value {
            fn from(id: $id) -> Self {
                Self::Uuid(id.into())
            }
        }
        impl $crate::Item for $id {
            fn list(items: impl Iterator<Item = Option<Self>>) -> $crate::List {
                $crate::List::Uuids(items.map(|id| id.map(Into::into)).collect())
            }
        }
        impl $crate::Item for Option<$id> {
            fn list(items: impl Iterator<Item = Option<Self>>) -> $crate::List {
                <$id as $crate::Item>::list(items.map(Option::flatten))
            }
        }
        impl $crate::FromValue for $id {
            fn from_value(value: $crate::Value) -> Result<Self, &'static str> {
                <$crate::Uuid as $crate::FromValue>::from_value(value).map(Self::from)
            }
        }
    )+};
}

stored_as_uuid!(
    vocabulary::UserId,
    vocabulary::SessionId,
    vocabulary::AccountId,
    vocabulary::RequestId,
    vocabulary::TransferId,
    vocabulary::HoldId,
    vocabulary::EventId,
    vocabulary::IncidentId,
    vocabulary::MaintenanceId,
);

/// One row of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(crate) const fn new(names: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { names, values }
    }

    /// The column called `column`.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        let value = self.names.iter().position(|name| name == column).and_then(|at| self.values.get(at));
        let value = value.ok_or_else(|| StoreError::Row(format!("the row has no column {column}")))?;
        T::from_value(value.clone()).map_err(|wanted| StoreError::Row(format!("the column {column} is not {wanted}")))
    }

    /// The text column called `column`, read as a `T`: a login, a currency, a state…
    pub fn parse<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|error| StoreError::Row(format!("the column {column} {error}")))
    }

    /// The text column called `column` as a `T`, `None` when it is null.
    pub fn parse_optional<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.get::<Option<String>>(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| StoreError::Row(format!("the column {column} {error}")))
    }

    pub(crate) fn written(&self) -> String {
        self.values.iter().map(crate::check::written).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn first<T: FromValue>(self, query: &str) -> Result<T, StoreError> {
        let value = self.values.into_iter().next().unwrap_or(Value::Null);
        T::from_value(value).map_err(|wanted| StoreError::Row(format!("the value of query {query} is not {wanted}")))
    }
}
