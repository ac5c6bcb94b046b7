//! The OpenAPI 3.1 document, read off the declarations.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::matrix::Entry;
use crate::policy::Who;

/// The document for `entries`.
pub fn document(title: &str, version: &str, entries: &[Entry]) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let mut paths = Map::new();
    for entry in entries {
        let path = paths.entry(entry.path()).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(entry.route.method().as_str().to_lowercase(), operation(entry, &mut generator));
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".into(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": version, "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" } },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "basic": { "type": "http", "scheme": "basic" },
            },
        },
    })
}

fn operation(entry: &Entry, generator: &mut SchemaGenerator) -> Value {
    let request = (entry.request)(generator);
    let description = request.get("description").and_then(Value::as_str).unwrap_or(entry.operation).to_owned();
    let (parameters, body) = fields(entry, &request);
    let mut out = json!({
        "operationId": entry.operation,
        "tags": [entry.route.service],
        "summary": description.split(['.', ':']).next().unwrap_or(&description),
        "description": description,
        "parameters": parameters,
        "responses": responses(entry, generator),
        "security": security(entry),
        "x-who": entry.demands.who.to_string(),
    });
    if let Some(fields) = out.as_object_mut() {
        if let Some(right) = entry.demands.right {
            fields.insert("x-right".into(), right.into());
        }
        if let Some(scope) = entry.demands.scope {
            fields.insert("x-scope".into(), scope.into());
        }
        if let Some(fresh) = entry.demands.fresh {
            fields.insert("x-step-up".into(), fresh.to_string().into());
        }
        if entry.demands.four_eyes {
            fields.insert("x-four-eyes".into(), true.into());
        }
        if let Some(body) = body {
            fields.insert("requestBody".into(), body);
        }
    }
    out
}

fn security(entry: &Entry) -> Value {
    match entry.demands.who {
        Who::Open if entry.route.basic => json!([{ "basic": [] }, {}]),
        Who::Open | Who::Nobody => json!([]),
        _ => json!([{ "bearer": [] }]),
    }
}

/// Parameters in path, query and header, and the body of what is left.
fn fields(entry: &Entry, request: &Schema) -> (Vec<Value>, Option<Value>) {
    let path_names: Vec<_> = entry.route.path_names().collect();
    let required: Vec<&str> = request
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let empty = Map::new();
    let properties = request.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let mut parameters = Vec::new();
    let mut in_body = Map::new();
    for (name, schema) in properties {
        let in_path = path_names.contains(&name.as_str());
        if !in_path && entry.route.method.has_body() {
            in_body.insert(name.clone(), schema.clone());
            continue;
        }
        parameters.push(json!({
            "name": name,
            "in": if in_path { "path" } else { "query" },
            "required": in_path || required.contains(&name.as_str()),
            "description": schema.get("description").cloned().unwrap_or_default(),
            "schema": schema,
        }));
    }
    if entry.route.idempotent {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key with the same content is done once.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
        }));
    }
    let body_required: Vec<_> = required.iter().filter(|name| in_body.contains_key(**name)).collect();
    let schema =
        json!({ "type": "object", "properties": in_body, "required": body_required, "additionalProperties": false });
    let body = (!in_body.is_empty()).then(|| {
        json!({
            "required": !body_required.is_empty() && !entry.route.basic,
            "content": { "application/json": { "schema": schema }, "application/x-www-form-urlencoded": { "schema": schema } },
        })
    });
    (parameters, body)
}

fn responses(entry: &Entry, generator: &mut SchemaGenerator) -> Value {
    let mut out = Map::new();
    let granted = match (entry.reply)(generator) {
        Some((media_type, schema)) => {
            json!({ "description": "Done.", "content": { media_type: { "schema": schema } } })
        }
        None => json!({ "description": "Done; there is nothing to say." }),
    };
    out.insert(entry.status.to_string(), granted);
    let mut refusals = vec![("400", "A field is malformed.")];
    if entry.demands.who != Who::Open || entry.route.basic {
        refusals.push(("401", "Not signed in."));
    }
    if matches!(entry.demands.who, Who::Nobody | Who::AnyOf(_) | Who::AllOf(_)) || entry.demands.right.is_some() {
        refusals.push(("403", "Not allowed."));
    }
    if entry.demands.right.is_some() {
        refusals.push(("404", "No such object, or not visible to the caller."));
    }
    if entry.route.is_mutation() {
        refusals.push(("409", "The state does not allow it."));
        refusals.push(("422", "A rule refuses it."));
    }
    refusals.push(("default", "Any other problem."));
    for (status, description) in refusals {
        let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        out.insert(
            status.into(),
            json!({ "description": description, "content": { "application/problem+json": problem } }),
        );
    }
    Value::Object(out)
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457 problem details.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "format": "uri", "examples": ["urn:problem:insufficient-funds"] },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "trace_id": { "type": "string" },
            "errors": { "type": "array", "items": {
                "type": "object", "required": ["field", "detail"],
                "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
            } },
        },
    })
}
