//! What an operation answers, in both directions: the service writes it, the typed caller reads it.

use std::any::TypeId;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use crate::caller::TransportError;
use crate::problem::Problem;

/// An answer of less than 400. Any serializable type is one: 200 with JSON.
pub trait Reply: Send + Sized + 'static {
    /// The status of a granted call.
    const STATUS: StatusCode;
    /// Content type and schema for OpenAPI; `None` when the answer has no body.
    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)>;
    /// As it is sent.
    fn write(self) -> Result<Response, Problem>;
    /// As it is read on the other side.
    fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem>;
}

const JSON: &str = "application/json";

fn json_response<T: Serialize>(status: StatusCode, value: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(response)
}

fn empty_response(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::internal(format_args!("unreadable answer: {error}")))
}

impl<T: Serialize + DeserializeOwned + JsonSchema + Send + 'static> Reply for T {
    const STATUS: StatusCode = StatusCode::OK;
    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some((JSON, generator.subschema_for::<T>()))
    }
    fn write(self) -> Result<Response, Problem> {
        json_response(Self::STATUS, &self)
    }
    fn read(_: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        read_json(&body)
    }
}

/// 201 with what was created. `Created<()>` has nothing to say of it, and no body.
#[derive(Debug, Clone)]
pub struct Created<T>(pub T);

/// Whether `T` says nothing.
fn is_silent<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}

impl<T: Serialize + DeserializeOwned + JsonSchema + Send + 'static> Reply for Created<T> {
    const STATUS: StatusCode = StatusCode::CREATED;
    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        (!is_silent::<T>()).then(|| (JSON, generator.subschema_for::<T>()))
    }
    fn write(self) -> Result<Response, Problem> {
        if is_silent::<T>() { Ok(empty_response(Self::STATUS)) } else { json_response(Self::STATUS, &self.0) }
    }
    fn read(_: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        let body: &[u8] = if is_silent::<T>() { b"null" } else { &body };
        read_json(body).map(Self)
    }
}

/// 204: done, and nothing to say.
#[derive(Debug, Clone, Copy)]
pub struct Done;

impl Reply for Done {
    const STATUS: StatusCode = StatusCode::NO_CONTENT;
    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        None
    }
    fn write(self) -> Result<Response, Problem> {
        Ok(empty_response(Self::STATUS))
    }
    fn read(_: &HeaderMap, _: Bytes) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// A file: a page, a PDF, a CSV.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its media type.
    pub content_type: String,
    /// The name to save it under; `None` shows it in place.
    pub file_name: Option<String>,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Reply for Document {
    const STATUS: StatusCode = StatusCode::OK;
    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some(("*/*", schemars::json_schema!({ "type": "string", "format": "binary" })))
    }
    fn write(self) -> Result<Response, Problem> {
        file_response(self.content_type, self.file_name, Body::from(self.bytes))
    }
    fn read(headers: &HeaderMap, bytes: Bytes) -> Result<Self, Problem> {
        let (content_type, file_name) = file_headers(headers);
        Ok(Self { content_type, file_name, bytes })
    }
}

fn file_response(content_type: String, file_name: Option<String>, body: Body) -> Result<Response, Problem> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::try_from(content_type).map_err(Problem::internal)?);
    if let Some(name) = file_name {
        let disposition = format!("attachment; filename=\"{}\"", name.replace(['"', '\\', '\r', '\n'], "_"));
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(Problem::internal)?);
    }
    Ok(response)
}

/// The media type, and the name to save it under.
fn file_headers(headers: &HeaderMap) -> (String, Option<String>) {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let name = text(header::CONTENT_DISPOSITION)
        .and_then(|value| Some(value.split_once("filename=\"")?.1.trim_end_matches('"').to_owned()));
    (text(header::CONTENT_TYPE).unwrap_or("application/octet-stream").to_owned(), name)
}

/// An answer that is made while it is taken: a large file, events that go on. Nobody who takes it slowly makes it wait in
/// memory, and it ends with whoever takes it. For [`crate::Caller::stream`]: a plain call takes it whole.
#[derive(Debug)]
pub struct Streamed {
    /// Its media type.
    pub content_type: String,
    /// The name to save it under; `None` shows it in place.
    pub file_name: Option<String>,
    body: Body,
}

impl Streamed {
    /// Of these parts. An error cuts the answer off, so that whoever takes it sees that it is not whole.
    pub fn of<S>(content_type: &str, file_name: Option<String>, parts: S) -> Self
    where
        S: Stream<Item = Result<Vec<u8>, Problem>> + Send + 'static,
    {
        let until_error = parts.scan(false, |failed, part| {
            let part = (!*failed).then_some(part);
            *failed = matches!(part, Some(Err(_)));
            std::future::ready(part)
        });
        let body = Body::from_stream(until_error.map(|part| part.map(Bytes::from).map_err(std::io::Error::other)));
        Self { content_type: content_type.to_owned(), file_name, body }
    }

    pub(crate) fn received(headers: &HeaderMap, body: Body) -> Self {
        let (content_type, file_name) = file_headers(headers);
        Self { content_type, file_name, body }
    }

    /// Its parts, as they come.
    pub fn into_parts(self) -> impl Stream<Item = Result<Bytes, TransportError>> + Send + Unpin + 'static {
        self.body.into_data_stream().map(|part| part.map_err(Into::into))
    }
}

impl Reply for Streamed {
    const STATUS: StatusCode = StatusCode::OK;
    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some(("*/*", schemars::json_schema!({ "type": "string", "format": "binary" })))
    }
    fn write(self) -> Result<Response, Problem> {
        file_response(self.content_type, self.file_name, self.body)
    }
    fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Problem> {
        Ok(Self::received(headers, Body::from(body)))
    }
}
