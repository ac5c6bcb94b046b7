//! Pages for what went wrong, in the visitor's language.

use aaa::Problem;
use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Visit, page_as};

#[derive(Template)]
#[template(path = "wrong.html")]
pub(crate) struct WrongPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) words: String,
    pub(crate) trace: Option<String>,
}

/// The page of a problem.
pub(crate) async fn page(visit: &Visit, problem: &Problem) -> Response {
    let t = visit.t;
    let (title, words) = match problem.status() {
        StatusCode::NOT_FOUND => (t.wrong_not_found(), t.wrong_not_found_words().to_owned()),
        StatusCode::FORBIDDEN => (t.wrong_forbidden(), t.wrong_forbidden_words().to_owned()),
        StatusCode::CONFLICT
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE => (t.wrong_conflict(), t.problem(problem)),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => (t.wrong_busy(), t.problem(problem)),
        _ => (t.wrong_ours(), t.wrong_ours_words().to_owned()),
    };
    let ours = problem.status().is_server_error();
    if ours {
        tracing::warn!(path = visit.path, %problem, "a page could not be shown");
    }
    let mut response = answer(visit, problem.status(), title, words, None).await;
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// The page of a form that does not come from a page of ours.
pub(crate) async fn forged(visit: &Visit) -> Response {
    let t = visit.t;
    answer(visit, StatusCode::FORBIDDEN, t.wrong_forged(), t.wrong_forged_words().to_owned(), None).await
}

async fn answer(visit: &Visit, status: StatusCode, title: &str, words: String, trace: Option<String>) -> Response {
    let page = WrongPage { f: visit.frame(Place::Elsewhere, title).await, t: visit.t, words, trace };
    page_as(status, &page).unwrap_or_else(IntoResponse::into_response)
}
