//! The authorization matrix: every operation and who may call it, read off the declarations.

use std::fmt::Write;

use schemars::{Schema, SchemaGenerator};
use serde::Serialize;

use crate::operation::{Operation, Route};
use crate::policy::{Demands, Policy};
use crate::reply::Reply;

/// One operation, as its declaration tells it.
#[derive(Clone)]
pub struct Entry {
    /// The request type's name.
    pub operation: &'static str,
    /// Where it is.
    pub route: Route,
    /// What its policy asks of a caller.
    pub demands: Demands,
    /// Where its module is mounted; empty at the root.
    pub prefix: &'static str,
    /// The status of a granted call.
    pub status: u16,
    pub(crate) request: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) reply: fn(&mut SchemaGenerator) -> Option<(&'static str, Schema)>,
}

#[derive(Serialize)]
struct Row<'a> {
    service: &'a str,
    method: String,
    path: String,
    operation: &'a str,
    who: String,
    right: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_up: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    four_eyes: bool,
    #[serde(skip)]
    policy: String,
    idempotency_key: bool,
}

impl Entry {
    /// Of one operation.
    pub fn of<O: Operation>() -> Self {
        let name = std::any::type_name::<O>();
        Self {
            operation: name.rsplit("::").next().unwrap_or(name),
            route: O::ROUTE,
            demands: <O::Policy as Policy<O>>::DEMANDS,
            prefix: "",
            status: O::Reply::STATUS.as_u16(),
            request: |generator| O::json_schema(generator),
            reply: O::Reply::describe,
        }
    }

    /// The whole path, with `{names}`.
    pub fn path(&self) -> String {
        format!("{}{}", self.prefix, self.route.path)
    }

    fn row(&self) -> Row<'_> {
        Row {
            service: self.route.service,
            method: self.route.method().to_string(),
            path: self.path(),
            operation: self.operation,
            who: self.demands.who.to_string(),
            right: self.demands.right,
            scope: self.demands.scope,
            step_up: self.demands.fresh.map(|fresh| fresh.to_string()),
            four_eyes: self.demands.four_eyes,
            policy: self.demands.to_string(),
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
    let (service_width, path_width, who_width) =
        (width(|r| r.service.len()), width(|r| r.path.len()), width(|r| r.who.len()));
    let mut out = String::new();
    for row in &rows {
        let (who, more) = row.policy.split_once("; ").unwrap_or((&row.policy, ""));
        let line = format!(
            "{:service_width$}  {:6}  {:path_width$}  {:who_width$}  {more}",
            row.service, row.method, row.path, who
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}
