//! `web`: the pages. Server-rendered, French and English, light and dark; they work without JavaScript.
//!
//! Promises: no page carries inline script or style, and the headers forbid them; nothing changes by a GET; a POST
//! proves that it comes from a page of this session; money forms are done once however often they are sent.
//! What waits between two pages travels with the browser, sealed: any process of the pages goes on with it.
//! It holds no database and decides nothing: it speaks only the operations of `contracts`, through a [`Directory`].
#![warn(missing_docs)]

mod assets;
mod charts;
mod csrf;
mod format;
mod forms;
mod frame;
mod halfway;
mod pages;
mod problems;
mod session;
mod texts;
mod visit;

use std::sync::Arc;

use aaa::Directory;
use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use contracts::bank::BankInfo;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use moka::sync::Cache;
use vocabulary::{Chance, Clock, Timestamp};

use crate::halfway::Halfway;
use crate::session::Sessions;

/// The pages of the bank.
#[derive(Clone)]
pub struct Web {
    directory: Directory,
    clock: Clock,
    chance: Chance,
    sessions: Sessions,
    halfway: Halfway,
    proxies: u8,
    bank: Cache<(), (Timestamp, Arc<BankInfo>)>,
}

impl Web {
    /// Pages that ask the services of `directory`.
    pub fn new(directory: Directory, clock: Clock, chance: Chance) -> Self {
        Self {
            directory,
            sessions: Sessions::new(clock.clone()),
            halfway: Halfway::new(&chance.bytes(), clock.clone(), chance.clone()),
            proxies: 0,
            clock,
            chance,
            bank: Cache::new(1),
        }
    }

    /// The same pages behind so many proxies of one's own: limits count a client where it truly is.
    #[must_use]
    pub fn behind(self, proxies: u8) -> Self {
        Self { proxies, ..self }
    }

    /// The same pages, sealing what browsers keep for them between two pages with this key: for several processes that
    /// are to be as one.
    #[must_use]
    pub fn sealing_with(self, key: &[u8; 32]) -> Self {
        Self { halfway: Halfway::new(key, self.clock.clone(), self.chance.clone()), ..self }
    }

    /// Answers every path that is no service's: mount it as the fallback of the public origin, over TLS.
    pub fn router(self) -> Router {
        pages::routes()
            .route("/assets/{name}", get(assets::serve))
            .fallback(visit::nowhere)
            .method_not_allowed_fallback(visit::nowhere)
            .with_state(self)
            .layer(axum::middleware::from_fn(guard))
    }
}

/// What every page may do in a browser, and what it may not.
const GUARDS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

async fn guard(request: Request, next: Next) -> Response {
    let named = is_named(request.uri(), request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(name, value);
    }
    if named {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    // Pages show money and names: nothing keeps them but the address of an unchanging file.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether this site has a name of its own. A browser told to come to `localhost` over TLS only would do so for every
/// other program on that computer, on whatever port; for addresses the header means nothing.
fn is_named(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = uri.host().or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or("");
    let host = host.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':').to_ascii_lowercase();
    let name = host.trim_end_matches('.');
    // What ends in a digit or a bracket is an address, or the end of one: no top-level domain does.
    name.ends_with(|c: char| c.is_ascii_alphabetic()) && name != "localhost" && !name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Uri, header};

    use super::is_named;

    #[test]
    fn a_site_without_a_name_of_its_own_is_not_bound_to_tls() {
        let of = |host: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            is_named(&Uri::from_static("/"), &headers)
        };
        assert!(of("bank.example") && of("bank.example:8443") && of("bank.example."));
        for host in [
            "localhost",
            "localhost:8443",
            "LOCALHOST.",
            "x.localhost",
            "127.0.0.1",
            "127.0.0.1:8443",
            "[::1]",
            "[::1]:8443",
            "",
        ] {
            assert!(!of(host), "{host}");
        }
        assert!(!is_named(&Uri::from_static("https://localhost:8443/"), &HeaderMap::new()));
    }
}
