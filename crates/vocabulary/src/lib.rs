//! The words every other crate speaks: money, account numbers, identifiers, short texts, time and chance.
//!
//! Promises: a value that exists is valid (parse at the border, trust inside); arithmetic is checked; nothing here does
//! I/O, waits, or knows a database or a protocol. [`Clock`] and [`Chance`] are the only doors to system time and
//! randomness in the whole workspace.
#![warn(missing_docs)]
#![deny(clippy::arithmetic_side_effects)]

mod chance;
mod iban;
mod id;
mod money;
mod text;
mod time;

pub use chance::Chance;
pub use iban::{Bic, Iban, IbanError, Rib};
pub use id::*;
pub use money::{Amount, Currency, Money, MoneyError};
pub use text::{Email, Label, Login, PersonName, Reason, Reference, Text, TextError};
pub use time::{Clock, Day, Timestamp};

/// Serde, schema, `Display` and `Debug` for a type whose one written form is a string.
///
/// The type gives `FromStr` and `Display`; `$expecting` completes the sentence "expected …" in an error.
macro_rules! written_as_text {
    ($type:ident $(<$(const $g:ident: $gt:ty),+>)?, $name:literal, $expecting:expr, $schema:expr) => {
        impl$(<$(const $g: $gt),+>)? serde::Serialize for $type$(<$($g),+>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de $($(, const $g: $gt)+)?> serde::Deserialize<'de> for $type$(<$($g),+>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Written$(<$(const $g: $gt),+>)?;
                impl$(<$(const $g: $gt),+>)? serde::de::Visitor<'_> for Written$(<$($g),+>)? {
                    type Value = $type$(<$($g),+>)?;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(&$expecting)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Written$(::<$($g),+>)?)
            }
        }

        impl$(<$(const $g: $gt),+>)? schemars::JsonSchema for $type$(<$($g),+>)? {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let value: schemars::Schema = $schema;
                value
            }
        }
    };
}
pub(crate) use written_as_text;
