//! The authorization matrix: every operation and who may call it, read off the declarations.

use std::fmt::Write;

use schemars::{Schema, SchemaGenerator};
use serde::Serialize;

use crate::operation::{Operation, Route};
use crate::policy::{Policy, Who};
use crate::reply::Reply;

/// One operation, as its declaration tells it.
#[derive(Clone)]
pub struct Entry {
    /// The request type's name.
    pub operation: &'static str,
    /// Where it is.
    pub route: Route,
    /// Who passes before the object is looked at.
    pub who: Who,
    /// The right on the object, if any.
    pub right: Option<&'static str>,
    /// The status of a granted call.
    pub status: u16,
    pub(crate) request: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) reply: fn(&mut SchemaGenerator) -> Option<(&'static str, Schema)>,
}

#[derive(Serialize)]
struct Row<'a> {
    service: &'a str,
    method: String,
    path: &'a str,
    operation: &'a str,
    who: String,
    right: Option<&'a str>,
    idempotency_key: bool,
}

impl Entry {
    /// Of one operation.
    pub fn of<O: Operation>() -> Self {
        let name = std::any::type_name::<O>();
        Self {
            operation: name.rsplit("::").next().unwrap_or(name),
            route: O::ROUTE,
            who: <O::Policy as Policy<O>>::WHO,
            right: <O::Policy as Policy<O>>::RIGHT,
            status: O::Reply::STATUS.as_u16(),
            request: |generator| O::json_schema(generator),
            reply: O::Reply::describe,
        }
    }

    fn row(&self) -> Row<'_> {
        Row {
            service: self.route.service,
            method: self.route.method().to_string(),
            path: self.route.path,
            operation: self.operation,
            who: self.who.to_string(),
            right: self.right,
            idempotency_key: self.route.idempotent,
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row().serialize(serializer)
    }
}

/// The matrix as an aligned text table, one line per operation.
pub fn table(entries: &[Entry]) -> String {
    let rows: Vec<_> = entries.iter().map(Entry::row).collect();
    let width = |cell: fn(&Row<'_>) -> usize| rows.iter().map(cell).max().unwrap_or(0);
    let (service, path, who) = (width(|r| r.service.len()), width(|r| r.path.len()), width(|r| r.who.len()));
    let mut out = String::new();
    for row in &rows {
        let right = row.right.map(|right| format!("may {right}")).unwrap_or_default();
        let line = format!("{:service$}  {:6}  {:path$}  {:who$}  {right}", row.service, row.method, row.path, row.who);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}
