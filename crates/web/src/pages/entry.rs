//! Coming in: the start, registration, the choice of language and theme, and how names and passwords are read.

use std::sync::Arc;

use aaa::Password;
use askama::Template;
use contracts::identity::{EditProfile, Register};
use contracts::roles::Role;
use vocabulary::{Email, Login, PersonName};

use crate::forms::Entries;
use crate::frame::{Frame, Place, Theme};
use crate::session::{self, LANGUAGE_COOKIE, THEME_COOKIE};
use crate::texts::{self, T};
use crate::visit::{Outcome, Visit, local, page, page_as, see_other, set_cookie};

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
pub(crate) fn home(role: Role) -> &'static str {
    match role {
        Role::Member => "/accounts",
        Role::Agent => "/inbox",
        Role::Superuser => "/users",
    }
}

pub(crate) async fn start(visit: Arc<Visit>) -> Outcome {
    Ok(see_other(visit.role().map_or("/sign-in", home)))
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
    let newcomer = Newcomer::read(&visit, &mut e);
    let password = read_new_password(&visit, &mut e, "password");
    if let (Some(Newcomer { login, email, first_name, last_name }), Some(password)) = (newcomer, password) {
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

/// Somebody who is to be known here, as a form names them.
pub(crate) struct Newcomer {
    pub(crate) login: Login,
    pub(crate) email: Email,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
}

impl Newcomer {
    /// Reads every field before it gives up, so that all faults are told at once.
    pub(crate) fn read(visit: &Visit, e: &mut Entries) -> Option<Self> {
        let (first_name, last_name) = (e.take(visit.t, "first_name"), e.take(visit.t, "last_name"));
        let (email, login) = (e.take(visit.t, "email"), e.take(visit.t, "login"));
        Some(Self { login: login?, email: email?, first_name: first_name?, last_name: last_name? })
    }
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
