//! Signing in, step by step, and out again. The second step asks those who have a second factor for it; what they typed
//! before waits in this process, never in the page.

use std::sync::Arc;

use aaa::{Password, Problem};
use askama::Template;
use axum::response::Response;
use contracts::identity::{AskFactorReset, BrowserSession, OpenBrowserSession, SignOut};
use http::StatusCode;

use super::entry::{error_title, home, read_password};
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::halfway::HalfSignIn;
use crate::session::{self, DEVICE_COOKIE, LANGUAGE_COOKIE};
use crate::texts::T;
use crate::visit::{Outcome, Visit, local, page, page_as, see_other, set_cookie};

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) why: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "code.html")]
pub(crate) struct CodePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    /// Where they wanted to go.
    pub(crate) next: String,
}

#[derive(Template)]
#[template(path = "lost.html")]
pub(crate) struct LostPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    /// Whether it was asked for already.
    pub(crate) asked: bool,
}

pub(crate) async fn sign_in(visit: Arc<Visit>) -> Outcome {
    if let Some(role) = visit.role() {
        let next = local(visit.query.get("next"));
        return Ok(see_other(if next == "/" { home(role) } else { next }));
    }
    let why = match visit.query.get("why") {
        "ended" => Some(visit.t.why_ended()),
        "out" => Some(visit.t.why_signed_out()),
        "reset" => Some(visit.t.why_reset()),
        "late" => Some(visit.t.why_late()),
        _ if !visit.query.get("next").is_empty() => Some(visit.t.why_needed()),
        _ => None,
    };
    let mut e = Entries::default();
    e.suggest("next", local(visit.query.get("next")));
    page(&SignInPage { f: visit.frame(Place::Elsewhere, visit.t.sign_in()).await, t: visit.t, e, why })
}

pub(crate) async fn do_sign_in(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    if visit.form.get("login").is_empty() {
        e.add("login", t.field_missing());
    }
    let password = read_password(&visit, &mut e, "password");
    if let (Some(password), false) = (password, e.failed()) {
        let login: String = visit.form.get("login").chars().take(256).collect();
        let half = HalfSignIn { login, password, next: local(visit.form.get("next")).to_owned() };
        match open(&visit, &half, None).await {
            Ok(opened) => return Ok(welcome_in(&visit, opened, &half.next).await),
            Err(problem) if problem.code() == "second-factor-required" => {
                let mut response = see_other("/sign-in/code");
                set_cookie(&mut response, &session::halfway_cookie(&visit.web.halfway.keep_sign_in(&half)));
                return Ok(response);
            }
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => e.add("", t.sign_in_refused()),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    show_again(&visit, e).await
}

/// The form again, with what was wrong.
pub(crate) async fn show_again(visit: &Visit, e: Entries) -> Outcome {
    let f = visit.frame(Place::Elsewhere, error_title(visit, visit.t.sign_in())).await;
    page_as(e.status(), &SignInPage { f, t: visit.t, e, why: None })
}

pub(crate) async fn code(visit: Arc<Visit>) -> Outcome {
    let Some(half) = visit.web.halfway.sign_in(visit.halfway.as_ref()) else { return Ok(begin_again()) };
    let f = visit.frame(Place::Elsewhere, visit.t.code_title()).await;
    page(&CodePage { f, t: visit.t, e: Entries::default(), next: half.next })
}

pub(crate) async fn do_code(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let Some(half) = visit.web.halfway.sign_in(visit.halfway.as_ref()) else { return Ok(begin_again()) };
    let mut e = Entries::default();
    match typed_code(&visit) {
        None => e.add("otp", t.field_missing()),
        code => match open(&visit, &half, code).await {
            Ok(opened) => return Ok(welcome_in(&visit, opened, &half.next).await),
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => e.add("otp", t.code_wrong()),
            Err(problem) => e.refuse(t, problem, &[])?,
        },
    }
    let f = visit.frame(Place::Elsewhere, error_title(&visit, t.code_title())).await;
    page_as(e.status(), &CodePage { f, t, e, next: half.next })
}

/// What was typed as a second factor.
pub(crate) fn typed_code(visit: &Visit) -> Option<String> {
    let code: String = visit.form.get("otp").chars().take(64).collect();
    (!code.is_empty()).then_some(code)
}

pub(crate) async fn lost(visit: Arc<Visit>) -> Outcome {
    let asked = visit.query.get("asked") == "yes";
    if !asked && visit.web.halfway.sign_in(visit.halfway.as_ref()).is_none() {
        return Ok(begin_again());
    }
    let t = visit.t;
    let title = if asked { t.lost_asked_title() } else { t.lost_title() };
    page(&LostPage { f: visit.frame(Place::Elsewhere, title).await, t, asked })
}

/// Asks the bank to remove the second factor of whoever gave the right password a moment ago.
pub(crate) async fn do_lost(visit: Arc<Visit>) -> Outcome {
    let Some(HalfSignIn { login, password, .. }) = visit.web.halfway.sign_in(visit.halfway.as_ref()) else {
        return Ok(begin_again());
    };
    visit.call(AskFactorReset { login, password }).await?;
    let mut response = see_other("/sign-in/lost?asked=yes");
    set_cookie(&mut response, &session::no_halfway_cookie());
    Ok(response)
}

/// The first step waited too long, or never was.
fn begin_again() -> Response {
    let mut response = see_other("/sign-in?why=late");
    set_cookie(&mut response, &session::no_halfway_cookie());
    response
}

async fn open(visit: &Visit, half: &HalfSignIn, otp: Option<String>) -> Result<BrowserSession, Problem> {
    let request = OpenBrowserSession {
        otp,
        device: visit.device.as_ref().map(|device| device.0.clone()),
        agent: visit.agent.clone(),
        ..OpenBrowserSession::new(half.login.clone(), Password::clone(&half.password))
    };
    // Nobody's call: a session that this browser still has plays no part.
    visit.nobody().call(request).await.map(|opened| opened.0)
}

/// Into the bank, with the cookies of a session that was just opened.
pub(crate) async fn welcome_in(visit: &Visit, opened: BrowserSession, next: &str) -> Response {
    let next = match local(next) {
        "/" => home(opened.user.role),
        next => next,
    };
    let mut response = see_other(next);
    set_cookie(&mut response, &session::session_cookie(&opened.secret));
    set_cookie(&mut response, &session::lasting_cookie(LANGUAGE_COOKIE, T(opened.user.language).tag()));
    if let Some(device) = &opened.device {
        set_cookie(&mut response, &session::lasting_cookie(DEVICE_COOKIE, device));
    }
    if visit.halfway.is_some() {
        set_cookie(&mut response, &session::no_halfway_cookie());
    }
    // A sign-in from a page of an older session ends that one.
    if visit.somebody().is_some() {
        let _ended = visit.call(SignOut {}).await;
    }
    visit.web.sessions.keep(opened);
    response
}

pub(crate) async fn sign_out(visit: Arc<Visit>) -> Outcome {
    if let Some(signed) = visit.somebody() {
        visit.web.sessions.forget(&signed.secret.0);
        match visit.call(SignOut {}).await {
            // Ended already is as good.
            Err(problem) if problem.status() != StatusCode::UNAUTHORIZED => return Err(problem),
            _ => {}
        }
    }
    let mut response = see_other("/sign-in?why=out");
    set_cookie(&mut response, &session::no_session_cookie());
    Ok(response)
}
