//! Coming and going: sign-in, sign-out, registration, and the choice of language and theme.

use std::sync::Arc;

use aaa::Password;
use askama::Template;
use contracts::identity::{EditProfile, OpenBrowserSession, Register, SignOut};
use contracts::roles::Role;
use http::StatusCode;

use crate::forms::Entries;
use crate::frame::{Frame, Place, Theme};
use crate::session::{self, LANGUAGE_COOKIE, THEME_COOKIE};
use crate::texts::{self, T};
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
#[template(path = "register.html")]
pub(crate) struct RegisterPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) key: String,
}

#[derive(Template)]
#[template(path = "welcome.html")]
pub(crate) struct WelcomePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
}

/// Where each role begins.
fn home(role: Role) -> &'static str {
    match role {
        Role::Member => "/accounts",
        Role::Agent => "/inbox",
        Role::Superuser => "/users",
    }
}

pub(crate) async fn start(visit: Arc<Visit>) -> Outcome {
    Ok(see_other(visit.role().map_or("/sign-in", home)))
}

pub(crate) async fn sign_in(visit: Arc<Visit>) -> Outcome {
    if let Some(role) = visit.role() {
        let next = local(visit.query.get("next"));
        return Ok(see_other(if next == "/" { home(role) } else { next }));
    }
    let why = match visit.query.get("why") {
        "ended" => Some(visit.t.why_ended()),
        "out" => Some(visit.t.why_signed_out()),
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
        match visit
            .call(OpenBrowserSession { agent: visit.agent.clone(), ..OpenBrowserSession::new(login, password) })
            .await
        {
            Ok(opened) => {
                let opened = opened.0;
                let language = opened.user.language;
                let next = match local(visit.form.get("next")) {
                    "/" => home(opened.user.role),
                    next => next,
                };
                let mut response = see_other(next);
                set_cookie(&mut response, &session::session_cookie(&opened.secret));
                set_cookie(&mut response, &session::lasting_cookie(LANGUAGE_COOKIE, T(language).tag()));
                // A sign-in from a page of an older session ends that one.
                if visit.somebody().is_some() {
                    let _ended = visit.call(SignOut {}).await;
                }
                visit.web.sessions.keep(opened);
                return Ok(response);
            }
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => e.add("", t.sign_in_refused()),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Elsewhere, error_title(&visit, t.sign_in())).await;
    page_as(e.status(), &SignInPage { f, t, e, why: None })
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

pub(crate) async fn register(visit: Arc<Visit>) -> Outcome {
    if visit.somebody().is_some() {
        return Ok(see_other("/"));
    }
    let f = visit.frame(Place::Elsewhere, visit.t.register_title()).await;
    page(&RegisterPage { f, t: visit.t, e: Entries::default(), key: visit.new_key() })
}

pub(crate) async fn do_register(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let first_name = e.take(t, "first_name");
    let last_name = e.take(t, "last_name");
    let email = e.take(t, "email");
    let login = e.take(t, "login");
    let password = read_new_password(&visit, &mut e, "password");
    if let (Some(first_name), Some(last_name), Some(email), Some(login), Some(password)) =
        (first_name, last_name, email, login, password)
    {
        let language = Some(visit.language());
        match visit.call_once(Register { login, password, email, first_name, last_name, language }).await {
            Ok(_) => return Ok(see_other("/welcome")),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Elsewhere, error_title(&visit, t.register_title())).await;
    page_as(e.status(), &RegisterPage { f, t, e, key: visit.key() })
}

pub(crate) async fn welcome(visit: Arc<Visit>) -> Outcome {
    page(&WelcomePage { f: visit.frame(Place::Elsewhere, visit.t.welcome_title()).await, t: visit.t })
}

/// Language and theme are kept in cookies; the language also in the profile of whoever signed in.
pub(crate) async fn preferences(visit: Arc<Visit>) -> Outcome {
    let mut response = see_other(local(visit.form.get("next")));
    if let Some(language) = texts::language(visit.form.get("language")) {
        set_cookie(&mut response, &session::lasting_cookie(LANGUAGE_COOKIE, T(language).tag()));
        if let Some(signed) = visit.somebody() {
            let edit = EditProfile { email: None, first_name: None, last_name: None, language: Some(language) };
            // The page is shown in the language anyway; what could not be kept is kept the next time.
            let _kept = visit.call(edit).await;
            visit.web.sessions.forget(&signed.secret.0);
        }
    }
    if !visit.form.get("theme").is_empty() {
        let theme = Theme::from_name(visit.form.get("theme"));
        set_cookie(&mut response, &session::lasting_cookie(THEME_COOKIE, theme.name()));
    }
    Ok(response)
}

/// A title that says at once that something is to be mended.
pub(crate) fn error_title(visit: &Visit, title: &str) -> String {
    format!("{} {title}", visit.t.error_word())
}

/// A password as typed, or a fault.
pub(crate) fn read_password(visit: &Visit, e: &mut Entries, name: &str) -> Option<Password> {
    let typed = visit.form.raw(name);
    match Password::try_from(typed.to_owned()) {
        Ok(password) => Some(password),
        Err(_) if typed.is_empty() => {
            e.add(name, visit.t.field_missing());
            None
        }
        Err(_) => {
            e.add(name, visit.t.password_too_long());
            None
        }
    }
}

/// A new password, typed twice.
pub(crate) fn read_new_password(visit: &Visit, e: &mut Entries, name: &str) -> Option<Password> {
    let password = read_password(visit, e, name)?;
    if password.expose().chars().count() < 12 {
        e.add(name, visit.t.password_too_short());
        return None;
    }
    if visit.form.raw("again") != password.expose() {
        e.add("again", visit.t.passwords_differ());
        return None;
    }
    Some(password)
}
