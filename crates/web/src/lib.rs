//! `web`: the pages. Server-rendered, French and English, light and dark; they work without JavaScript.
//!
//! Promises: no page carries inline script or style, and the headers forbid them; nothing changes by a GET; a POST
//! proves that it comes from a page of this session; money forms are done once however often they are sent.
//! It holds no database and decides nothing: it speaks only the operations of `contracts`, through a [`Directory`].
#![warn(missing_docs)]

mod assets;
mod csrf;
mod format;
mod forms;
mod frame;
mod pages;
mod problems;
mod session;
mod texts;
mod visit;

use std::sync::Arc;

use aaa::Directory;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use contracts::bank::BankInfo;
use http::{HeaderName, HeaderValue, header};
use moka::sync::Cache;
use vocabulary::{Chance, Clock, Timestamp};

use crate::session::Sessions;

/// The pages of the bank.
#[derive(Clone)]
pub struct Web {
    directory: Directory,
    clock: Clock,
    chance: Chance,
    sessions: Sessions,
    bank: Cache<(), (Timestamp, Arc<BankInfo>)>,
}

impl Web {
    /// Pages that ask the services of `directory`.
    pub fn new(directory: Directory, clock: Clock, chance: Chance) -> Self {
        Self { directory, sessions: Sessions::new(clock.clone()), clock, chance, bank: Cache::new(1) }
    }

    /// Answers every path that is no service's: mount it as the fallback of the public origin, over TLS.
    pub fn router(self) -> Router {
        pages::routes()
            .route("/assets/{name}", get(assets::serve))
            .fallback(visit::nowhere)
            .method_not_allowed_fallback(visit::nowhere)
            .with_state(self)
            .layer(axum::middleware::map_response(guard))
    }
}

/// What every page may do in a browser, and what it may not.
const GUARDS: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(name, value);
    }
    // Pages show money and names: nothing keeps them but the address of an unchanging file.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
