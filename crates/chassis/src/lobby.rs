//! Where callers are told to wait while a service cannot serve yet.
//!
//! The listener is up from the first moment, so that whoever asks learns that the process lives and what it waits for;
//! everything but that is a 503 until the service is opened.

use std::sync::{Arc, PoisonError, RwLock};

use aaa::Problem;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper::Method;
use hyper::http::header::CONTENT_TYPE;
use hyper::http::{HeaderName, HeaderValue};
use tower::ServiceExt;

/// Says on an answer that nothing of the request was begun, or would be begun now: another instance can be asked.
pub(crate) const NOT_TAKEN: HeaderName = HeaderName::from_static("x-not-taken");

/// Stands before a service that is being opened. Clones share it.
#[derive(Clone)]
pub struct Lobby(Arc<RwLock<Stage>>);

enum Stage {
    Waiting(String),
    Open(Router),
}

impl Lobby {
    /// Closed, because of what is still missing: "the database".
    pub fn waiting_for(what: impl Into<String>) -> Self {
        Self(Arc::new(RwLock::new(Stage::Waiting(what.into()))))
    }

    /// Now something else is missing.
    pub fn now_for(&self, what: impl Into<String>) {
        self.set(Stage::Waiting(what.into()));
    }

    /// From now on `service` answers.
    pub fn open(&self, service: Router) {
        self.set(Stage::Open(service));
    }

    /// What the listener serves, before and after.
    pub fn router(&self) -> Router {
        let lobby = self.clone();
        Router::new().fallback(move |request: Request| async move { lobby.answer(request).await })
    }

    fn set(&self, stage: Stage) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    async fn answer(&self, request: Request) -> Response {
        let service = match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            Stage::Open(service) => Ok(service.clone()),
            Stage::Waiting(what) => Err(what.clone()),
        };
        match service {
            Ok(service) => service.oneshot(request).await.unwrap_or_else(|never| match never {}),
            // It lives: whoever restarts what is dead must not restart what waits.
            Err(_) if request.method() == Method::GET && request.uri().path() == "/health/live" => {
                untaken(([(CONTENT_TYPE, "application/json")], r#"{"ok":true}"#).into_response(), "waiting")
            }
            Err(what) => {
                let detail = format!("This service has started and waits for {what}. Try again in a moment.");
                untaken(
                    Problem::unavailable(1, format_args!("waits for {what}")).detail(detail).into_response(),
                    "waiting",
                )
            }
        }
    }
}

/// The same answer, with a word on why nothing was begun.
pub(crate) fn untaken(mut answer: Response, why: &'static str) -> Response {
    answer.headers_mut().insert(NOT_TAKEN, HeaderValue::from_static(why));
    answer
}
