//! One declaration per operation: the request type is the route.
//!
//! A declaration names the route, the policy and the reply. Everything else is derived: the typed parameters, the
//! enforcement, the OpenAPI entry, the authorization matrix, the typed caller, the negative tests.

use http::Method;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::credentials::Scheme;
use crate::policy::Policy;
use crate::problem::Faults;
use crate::reply::Reply;

/// An operation that a service offers. The type is its request; path, query, JSON and form fields arrive in it.
///
/// Where a field is read from: a name that stands in `{}` in the path comes from the path; the others from the query of
/// a GET or DELETE, and from the body (JSON object or form) of the rest.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an operation",
    note = "an operation derives Serialize, Deserialize and JsonSchema, and declares ROUTE, Policy and Reply"
)]
pub trait Operation: Serialize + DeserializeOwned + JsonSchema + Fields + Send + Sync + 'static {
    /// Method and path.
    const ROUTE: Route;
    /// Who may call it. Without one it does not compile: closed by default.
    type Policy: Policy<Self>;
    /// What a granted call answers.
    type Reply: Reply;

    /// Rules between fields that the types cannot say; each fault names its field.
    fn check(&self, _faults: &mut Faults) {}
}

/// The names of a request's fields, known to the compiler: derive it. A path variable that is no field does not compile.
#[diagnostic::on_unimplemented(
    message = "the fields of `{Self}` are not known",
    note = "add `aaa::Fields` to its derives"
)]
pub trait Fields {
    /// The names, as requests carry them.
    const NAMES: &'static [&'static str];
}

/// Refuses, while compiling, a path whose variables are not all fields of the request.
pub(crate) const fn check_path<O: Operation>() {
    let path = O::ROUTE.path.as_bytes();
    let mut at = 0;
    while at < path.len() {
        if path[at] == b'{' {
            let mut end = at;
            while end < path.len() && path[end] != b'}' {
                end += 1;
            }
            assert!(end < path.len(), "a path variable lacks its closing brace");
            assert!(names(O::NAMES, path, at + 1, end), "the path has a variable that is not a field of the request");
            at = end;
        }
        at += 1;
    }
}

/// Whether `text[start..end]` is one of `names`: slices and strings have no const comparison yet.
const fn names(names: &[&str], text: &[u8], start: usize, end: usize) -> bool {
    let mut which = 0;
    while which < names.len() {
        let name = names[which].as_bytes();
        let mut at = 0;
        while at < name.len() && start + at < end && name[at] == text[start + at] {
            at += 1;
        }
        if at == name.len() && start + at == end {
            return true;
        }
        which += 1;
    }
    false
}

/// Method, path and the few things that differ between routes.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub(crate) service: &'static str,
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    pub(crate) idempotent: bool,
    pub(crate) basic: bool,
    pub(crate) anywhere: bool,
    pub(crate) accepts: &'static [Scheme],
    pub(crate) body_limit: usize,
}

/// The methods in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Verb {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Patch => Method::PATCH,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }

    /// Whether fields outside the path travel in the body.
    pub(crate) fn has_body(self) -> bool {
        !matches!(self, Self::Get | Self::Delete)
    }
}

impl Route {
    /// Largest body accepted unless [`Route::body_limit`] says otherwise, in bytes.
    pub const BODY_LIMIT: usize = 64 * 1024;

    const fn new(service: &'static str, method: Verb, path: &'static str) -> Self {
        Self {
            service,
            method,
            path,
            idempotent: false,
            basic: false,
            anywhere: false,
            accepts: &[],
            body_limit: Self::BODY_LIMIT,
        }
    }

    /// `GET path`, of `service`.
    pub const fn get(service: &'static str, path: &'static str) -> Self {
        Self::new(service, Verb::Get, path)
    }

    /// `POST path`, of `service`.
    pub const fn post(service: &'static str, path: &'static str) -> Self {
        Self::new(service, Verb::Post, path)
    }

    /// `PATCH path`, of `service`.
    pub const fn patch(service: &'static str, path: &'static str) -> Self {
        Self::new(service, Verb::Patch, path)
    }

    /// `PUT path`, of `service`.
    pub const fn put(service: &'static str, path: &'static str) -> Self {
        Self::new(service, Verb::Put, path)
    }

    /// `DELETE path`, of `service`.
    pub const fn delete(service: &'static str, path: &'static str) -> Self {
        Self::new(service, Verb::Delete, path)
    }

    /// Takes an `Idempotency-Key`: the same key with the same content is done once; with other content it is refused.
    #[must_use]
    pub const fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// HTTP Basic fills the fields `login` and `password`: for signing in only.
    #[must_use]
    pub const fn basic(self) -> Self {
        Self { basic: true, ..self }
    }

    /// Only these of the service's credentials. A service that accepts none of them refuses to start.
    #[must_use]
    pub const fn accepts(self, schemes: &'static [Scheme]) -> Self {
        Self { accepts: schemes, ..self }
    }

    /// Fields come from the query, a form or JSON alike, in the body of a GET or DELETE too; one name twice is refused.
    #[must_use]
    pub const fn anywhere(self) -> Self {
        Self { anywhere: true, ..self }
    }

    /// Another largest body, in bytes.
    #[must_use]
    pub const fn body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    /// The service that offers it.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The path, with `{names}`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method.method()
    }

    /// Whether a call may change something.
    pub fn is_mutation(&self) -> bool {
        self.method != Verb::Get
    }

    /// The names that stand in `{}` in the path.
    pub fn path_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}
