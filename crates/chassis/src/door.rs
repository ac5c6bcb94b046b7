//! The door of a service that only other services call: who may come in, and whom they may speak for.
//!
//! Promises: a peer whose certificate the rules do not name is refused with a reason, and the refusal is logged; the
//! address of the client for whom a peer calls is believed from those whom the rules name, and dropped from all others.
//! Knows no service by name: the rules do.

use std::net::IpAddr;

use aaa::{ClientCertificate, OnBehalf, Problem};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use hyper::StatusCode;
use hyper::http::HeaderName;

/// Carries the client's address from the service that clients reach to the others.
pub(crate) const ON_BEHALF_OF: HeaderName = HeaderName::from_static("x-on-behalf-of");

/// Who may come in, by the name in their certificate.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whose door it is.
    pub service: &'static str,
    /// Whether `peer` may call `path` of `service`; a peer that showed no certificate is `None`.
    pub admits: fn(peer: Option<&str>, service: &str, path: &str) -> bool,
    /// Whether this peer may say for whom it calls.
    pub believes: fn(peer: &str) -> bool,
}

/// `router` behind the door: for a listener that asks every caller for a certificate.
pub fn behind_door(router: Router, rules: Rules) -> Router {
    router.layer(from_fn(move |mut request: Request, next: Next| async move {
        match enter(&mut request, rules) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    }))
}

fn enter(request: &mut Request, rules: Rules) -> Result<(), Problem> {
    let behalf = request.headers_mut().remove(ON_BEHALF_OF);
    let name = request.extensions().get().map(|ClientCertificate { name, .. }| name.clone());
    let admitted = (rules.admits)(name.as_deref(), rules.service, request.uri().path());
    let Some(name) = name else {
        let shown = "Show a certificate of this bank: services call each other with one.";
        return if admitted { Ok(()) } else { Err(refused(shown)) };
    };
    if !admitted {
        tracing::warn!(
            target: "audit", peer = name, method = %request.method(), path = request.uri().path(), "a peer was refused"
        );
        return Err(refused(&format!(
            "The service that the certificate names, `{}`, may not call this here.",
            name.chars().take(80).collect::<String>().escape_debug()
        )));
    }
    let client = behalf.filter(|_| (rules.believes)(&name));
    if let Some(client) = client.and_then(|client| client.to_str().ok()?.parse::<IpAddr>().ok()) {
        request.extensions_mut().insert(OnBehalf(client.to_string()));
    }
    Ok(())
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "peer-refused").detail(detail)
}
