//! Reads a request into its operation: path, query, JSON object or form, all into one typed value.
//!
//! Every fault is reported at once; a field nobody declared is refused; numbers stay as written; size and depth are
//! limited before anything is built.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use http::{HeaderMap, header};
use schemars::SchemaGenerator;
use serde::de::value::Error as TextError;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::gate::Gate;
use crate::operation::{Operation, Route};
use crate::problem::{Faults, Problem};

/// Deepest nesting of a JSON body.
const MAX_DEPTH: usize = 16;
/// Most fields of one request, and most values of one field.
const MAX_FIELDS: usize = 64;

/// Which fields an operation has, found once when it is mounted.
pub(crate) struct Shape {
    names: Vec<String>,
    required: Vec<String>,
    /// Fields of the body that are credentials, not parameters.
    pub(crate) credentials: Vec<String>,
}

impl Shape {
    pub(crate) fn of<O: Operation>(gate: &Gate) -> Self {
        let schema = SchemaGenerator::default().into_root_schema_for::<O>();
        let names = schema.get("properties").and_then(|it| it.as_object());
        let required = schema.get("required").and_then(|it| it.as_array());
        Self {
            names: names.map(|it| it.keys().cloned().collect()).unwrap_or_default(),
            required: required
                .map(|it| it.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect())
                .unwrap_or_default(),
            credentials: gate.credentials.fields(O::ROUTE.accepts).into_iter().map(ToOwned::to_owned).collect(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

/// Where one field's value stands.
pub(crate) enum Source<'a> {
    Texts(Vec<Cow<'a, str>>),
    Json(&'a RawValue),
}

/// One field of a request, by name.
type Given<'a> = (Cow<'a, str>, Source<'a>);

/// What came with a request, not yet read.
pub(crate) struct Raw<'a> {
    pub(crate) path: Vec<Given<'a>>,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// Login and password of HTTP Basic, for the routes that take them.
    pub(crate) basic: Option<(String, String)>,
}

/// The typed request, or every fault.
pub(crate) fn read<O: Operation>(shape: &Shape, raw: Raw<'_>) -> Result<O, Problem> {
    let mut faults = Faults::default();
    let mut sources: Vec<Given<'_>> = Vec::new();
    for (name, source) in gather(&O::ROUTE, raw, &mut faults)? {
        if shape.credentials.iter().any(|credential| *credential == name) {
            // Taken already, to tell who is calling.
            continue;
        }
        if !shape.has(&name) {
            faults.add(shown(&name), "is not a parameter of this operation");
        } else if sources.iter().any(|(other, _)| *other == name) {
            faults.add(name, "is given twice");
        } else {
            sources.push((name, source));
        }
    }
    for name in &shape.required {
        if !sources.iter().any(|(given, _)| given == name) {
            faults.add(name, "is missing");
        }
    }
    // A fault drops its field and the rest is read again, so that one pass tells all of them.
    while sources.len() <= MAX_FIELDS {
        let now = RefCell::new(Reading::default());
        match O::deserialize(Fieldwise { fields: &sources, next: 0, now: &now }) {
            Ok(request) => {
                let unknown = now.into_inner().unknown;
                for path in unknown {
                    faults.add(shown(&path), "is not a parameter of this operation");
                }
                if faults.is_empty() {
                    request.check(&mut faults);
                }
                return faults.into_problem().map_or(Ok(request), Err);
            }
            Err(error) => {
                let reading = now.into_inner();
                let Some((at, (name, _))) = reading.field.and_then(|at| Some((at, sources.get(at)?))) else {
                    // Nothing was being read: a field is missing, and was reported above.
                    if faults.is_empty() {
                        faults.add("body", plain(&error.0));
                    }
                    break;
                };
                let place = if reading.place.is_empty() { name.to_string() } else { reading.place };
                faults.add(place, plain(&error.0));
                sources.remove(at);
            }
        }
    }
    Err(faults.into_problem().unwrap_or_else(|| Problem::fault("body", "has too many fields")))
}

/// What a person is shown of a name they made up themselves.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// serde_json says where in its own text a fault is; the field's name says it better.
fn plain(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: ")) {
        Some(rest) => match rest.rsplit_once(", expected ") {
            Some((_, "u8" | "u16" | "u32" | "u64" | "usize")) => {
                "must be a whole number, neither negative nor too large".into()
            }
            Some((_, "i8" | "i16" | "i32" | "i64" | "isize")) => "must be a whole number, not too large".into(),
            Some((_, expected)) => format!("must be {expected}"),
            None => "is of the wrong type".into(),
        },
        None => message.chars().take(300).collect(),
    }
}

fn gather<'a>(route: &Route, raw: Raw<'a>, faults: &mut Faults) -> Result<Vec<Given<'a>>, Problem> {
    let mut given = raw.path;
    let mut texts: Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)> = Vec::new();
    if let Some((login, password)) = raw.basic {
        texts.push(("login".into(), vec![login.into()]));
        texts.push(("password".into(), vec![password.into()]));
    }
    add_pairs(raw.query.as_bytes(), &mut texts);
    let takes_body = route.anywhere || route.method.has_body();
    if takes_body && !raw.body.is_empty() {
        match media_type(raw.headers).as_deref() {
            Some("application/json") | None => given.extend(json_fields(raw.body)?),
            Some("application/x-www-form-urlencoded") => {
                std::str::from_utf8(raw.body).map_err(|_| Problem::fault("body", "is not valid UTF-8"))?;
                add_pairs(raw.body, &mut texts);
            }
            Some(_) => {
                return Err(Problem::new(http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type")
                    .detail("Send the body as application/json or application/x-www-form-urlencoded.")
                    .about("body", "has a content type that is not understood here"));
            }
        }
    }
    if route.method.has_body() && !route.anywhere && !raw.query.is_empty() {
        faults.add("query", "takes no parameters here: send them in the body");
        texts.retain(|(name, _)| name == "login" || name == "password");
    }
    given.extend(texts.into_iter().map(|(name, values)| (name, Source::Texts(values))));
    if given.len() > MAX_FIELDS {
        return Err(Problem::fault("body", format_args!("has more than {MAX_FIELDS} fields")));
    }
    Ok(given)
}

/// Login and password that travel as fields of the body. In the address they are refused: it is logged everywhere.
pub(crate) fn credential_fields(
    names: &[String],
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<(String, String)>, Problem> {
    let query = form_urlencoded::parse(query.unwrap_or("").as_bytes());
    if let Some((name, _)) = query.take(MAX_FIELDS).find(|(name, _)| names.iter().any(|it| it == name)) {
        return Err(Problem::fault(&name, "is a credential: send it in the body, never in the address"));
    }
    let mut found = Vec::new();
    let mut keep = |name: &str, value: String| {
        if names.iter().any(|it| it == name) {
            found.push((name.to_owned(), value));
        }
    };
    match media_type(headers).as_deref() {
        Some("application/x-www-form-urlencoded") => {
            form_urlencoded::parse(body).take(MAX_FIELDS * 4).for_each(|(name, value)| keep(&name, value.into_owned()));
        }
        Some("application/json") if !body.is_empty() => {
            for (name, source) in json_fields(body)? {
                if let Source::Json(raw) = source
                    && let Ok(text) = serde_json::from_str::<String>(raw.get())
                {
                    keep(&name, text);
                }
            }
        }
        _ => {}
    }
    Ok(found)
}

fn add_pairs<'a>(encoded: &'a [u8], texts: &mut Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>) {
    for (name, value) in form_urlencoded::parse(encoded).take(MAX_FIELDS * 4) {
        match texts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => texts.push((name, vec![value])),
        }
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let text = value.to_str().unwrap_or("?");
    Some(text.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

/// The top-level fields of a JSON object, each kept as it was written.
fn json_fields(body: &[u8]) -> Result<Vec<Given<'_>>, Problem> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Vec<Given<'de>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                if fields.len() > MAX_FIELDS {
                    return Err(A::Error::custom("has too many fields"));
                }
                fields.push((name.into(), Source::Json(value)));
            }
            Ok(fields)
        }
    }
    let text = std::str::from_utf8(body).map_err(|_| Problem::fault("body", "is not valid UTF-8"))?;
    if too_deep(text) {
        return Err(Problem::fault("body", format_args!("is nested deeper than {MAX_DEPTH} levels")));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let broken = |error: serde_json::Error| Problem::fault("body", format_args!("is not a JSON object: {error}"));
    let fields = json.deserialize_map(Object).map_err(broken)?;
    json.end().map_err(broken)?;
    Ok(fields)
}

fn too_deep(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// What is being read at the moment, for the fault's place.
#[derive(Default)]
struct Reading {
    /// Which of the fields.
    field: Option<usize>,
    place: String,
    unknown: Vec<String>,
}

/// Only the words of an error matter; its place is in [`Reading`].
#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Message {}

impl serde::de::Error for Message {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Feeds the struct field by field.
struct Fieldwise<'a> {
    fields: &'a [Given<'a>],
    next: usize,
    now: &'a RefCell<Reading>,
}

impl<'de> Deserializer<'de> for Fieldwise<'de> {
    type Error = Message;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Message> {
        visitor.visit_map(self)
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Fieldwise<'de> {
    type Error = Message;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Message> {
        self.now.borrow_mut().field = None;
        self.fields.get(self.next).map(|(name, _)| seed.deserialize(name.as_ref().into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Message> {
        let Some((name, source)) = self.fields.get(self.next) else { return Err(Message("is missing".into())) };
        self.now.borrow_mut().field = Some(self.next);
        self.next = self.next.saturating_add(1);
        match source {
            Source::Texts(values) => seed.deserialize(Texts { values }).map_err(|error| Message(error.to_string())),
            Source::Json(raw) => {
                let mut track = serde_path_to_error::Track::new();
                let mut json = serde_json::Deserializer::from_str(raw.get());
                let mut note_unknown = |path: serde_ignored::Path<'_>| {
                    self.now.borrow_mut().unknown.push(format!("{name}.{path}"));
                };
                let ignored = serde_ignored::Deserializer::new(&mut json, &mut note_unknown);
                seed.deserialize(serde_path_to_error::Deserializer::new(ignored, &mut track)).map_err(|error| {
                    let path = track.path().to_string();
                    if path != "." && path != "?" {
                        self.now.borrow_mut().place = format!("{name}.{path}");
                    }
                    Message(error.to_string())
                })
            }
        }
    }
}

/// A field of the path, the query or a form: texts, read as whatever the field's type asks for.
struct Texts<'a> {
    values: &'a [Cow<'a, str>],
}

impl Texts<'_> {
    fn one(&self) -> Result<&str, TextError> {
        match self.values {
            [value] => Ok(value),
            _ => Err(TextError::custom("is given more than once")),
        }
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty, $expecting:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
            match self.one()?.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(TextError::custom(concat!("must be ", $expecting))),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Texts<'_> {
    type Error = TextError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        visitor.visit_str(self.one()?)
    }

    parsed! {
        deserialize_i8 visit_i8 i8, "a whole number";
        deserialize_i16 visit_i16 i16, "a whole number";
        deserialize_i32 visit_i32 i32, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u8 u8, "a whole number, not negative";
        deserialize_u16 visit_u16 u16, "a whole number, not negative";
        deserialize_u32 visit_u32 u32, "a whole number, not negative";
        deserialize_u64 visit_u64 u64, "a whole number, not negative";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        match self.one()? {
            "true" | "1" | "on" => visitor.visit_bool(true),
            "false" | "0" | "" => visitor.visit_bool(false),
            _ => Err(TextError::custom("must be true or false")),
        }
    }

    /// Forms and filters send what was left empty: for an optional field that is nothing.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        if self.one().is_ok_and(str::is_empty) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, TextError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TextError> {
        IntoDeserializer::<TextError>::into_deserializer(self.one()?).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        struct Each<'a>(std::slice::Iter<'a, Cow<'a, str>>);
        impl<'de> SeqAccess<'de> for Each<'_> {
            type Error = TextError;
            fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, TextError> {
                self.0.next().map(|value| seed.deserialize(Texts { values: std::slice::from_ref(value) })).transpose()
            }
        }
        visitor.visit_seq(Each(self.values.iter()))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
