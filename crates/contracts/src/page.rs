//! Lists that are read page by page.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

/// Part of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The items, newest first unless the operation says otherwise.
    pub items: Vec<T>,
    /// Send it as `cursor` for the following items; `null` at the end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// From up to `limit + 1` items: the extra one only tells that there is more, and `cursor` names the last one shown.
    pub fn cut(mut items: Vec<T>, limit: Limit, cursor: impl Fn(&T) -> Cursor) -> Self {
        let more = items.len() > limit.get();
        items.truncate(limit.get());
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

/// Where a list goes on. Opaque: take it from `next`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(String);

impl Cursor {
    /// A cursor that says `place`.
    pub fn at(place: impl fmt::Display) -> Self {
        Self(place.to_string())
    }

    /// The place it says, if it is one.
    pub fn place<T: FromStr>(&self) -> Option<T> {
        self.0.parse().ok()
    }
}

impl TryFrom<String> for Cursor {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() <= 100 && text.bytes().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err("is not a cursor of this list")
        }
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.0
    }
}

impl JsonSchema for Cursor {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cursor".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "maxLength": 100 })
    }
}

/// How many items a page holds: 1 to 200, 50 unless asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Limit(u32);

impl Limit {
    /// The longest page.
    pub const MAX: Self = Self(200);

    /// As a count.
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// One more than a page, to see whether there is more; as databases take it.
    pub const fn and_one(self) -> i64 {
        self.0 as i64 + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u32> for Limit {
    type Error = &'static str;
    fn try_from(count: u32) -> Result<Self, Self::Error> {
        if (1..=Self::MAX.0).contains(&count) { Ok(Self(count)) } else { Err("must be between 1 and 200") }
    }
}

impl From<Limit> for u32 {
    fn from(limit: Limit) -> Self {
        limit.0
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": Self::MAX.0, "default": 50 })
    }
}
