//! The way back for those who forgot their password, and the confirmation of another address: pages behind links of mails.
//! Looking at one changes nothing: programs that look at mails follow every link. What makes a link work stands behind its
//! `#`, so that it comes here in a form alone, and in no address.

use std::sync::Arc;

use askama::Template;
use contracts::identity::{AskPasswordReset, ConfirmEmail, GetPasswordResets, PasswordResets, ResetPassword};

use super::entry::{error_title, read_new_password};
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

/// Longest code of a link that is passed on.
const LONGEST: usize = 64;

#[derive(Template)]
#[template(path = "forgot.html")]
pub(crate) struct ForgotPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) resets: PasswordResets,
    /// Whether a link was asked for.
    pub(crate) asked: bool,
}

#[derive(Template)]
#[template(path = "new_password.html")]
pub(crate) struct NewPasswordPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
}

#[derive(Template)]
#[template(path = "new_address.html")]
pub(crate) struct NewAddressPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    /// Whether the address is in use now.
    pub(crate) taken: bool,
}

pub(crate) async fn forgot(visit: Arc<Visit>) -> Outcome {
    let (t, asked) = (visit.t, visit.query.get("asked") == "yes");
    let resets = visit.nobody().call(GetPasswordResets {}).await?;
    let title = if asked { t.forgot_asked_title() } else { t.forgot_title() };
    page(&ForgotPage { f: visit.frame(Place::Elsewhere, title).await, t, e: Entries::default(), resets, asked })
}

pub(crate) async fn do_forgot(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let who: String = visit.form.get("who").chars().take(256).collect();
    if who.is_empty() {
        e.add("who", t.field_missing());
    } else {
        match visit.nobody().call(AskPasswordReset { who }).await {
            Ok(_) => return Ok(see_other("/sign-in/forgot?asked=yes")),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let resets = visit.nobody().call(GetPasswordResets {}).await?;
    let f = visit.frame(Place::Elsewhere, error_title(&visit, t.forgot_title())).await;
    page_as(e.status(), &ForgotPage { f, t, e, resets, asked: false })
}

/// What the link carried, as the form brings it.
fn code(visit: &Visit, e: &mut Entries) -> Option<String> {
    let code: String = visit.form.get("token").chars().take(LONGEST).collect();
    if code.is_empty() {
        e.add("token", visit.t.field_missing());
    }
    (!code.is_empty()).then_some(code)
}

pub(crate) async fn new_password(visit: Arc<Visit>) -> Outcome {
    let f = visit.frame(Place::Elsewhere, visit.t.new_password_title()).await;
    page(&NewPasswordPage { f, t: visit.t, e: Entries::default() })
}

pub(crate) async fn do_new_password(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let token = code(&visit, &mut e);
    let new_password = read_new_password(&visit, &mut e, "new_password");
    if let (Some(token), Some(new_password)) = (token, new_password) {
        match visit.nobody().call(ResetPassword { token, new_password }).await {
            Ok(_) => {
                forget(&visit);
                return Ok(see_other("/sign-in?why=reset"));
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Elsewhere, error_title(&visit, t.new_password_title())).await;
    page_as(e.status(), &NewPasswordPage { f, t, e })
}

/// Of whoever is signed in with this browser, what was remembered may have changed.
fn forget(visit: &Visit) {
    if let Some(signed) = visit.somebody() {
        visit.web.sessions.forget(&signed.secret.0);
    }
}

pub(crate) async fn new_address(visit: Arc<Visit>) -> Outcome {
    let (t, taken) = (visit.t, visit.query.get("confirmed") == "yes");
    let f = visit.frame(Place::Elsewhere, if taken { t.address_taken_title() } else { t.address_title() }).await;
    page(&NewAddressPage { f, t, e: Entries::default(), taken })
}

pub(crate) async fn do_new_address(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    if let Some(token) = code(&visit, &mut e) {
        match visit.nobody().call(ConfirmEmail { token }).await {
            Ok(_) => {
                forget(&visit);
                return Ok(see_other("/sign-in/new-address?confirmed=yes"));
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Elsewhere, error_title(&visit, t.address_title())).await;
    page_as(e.status(), &NewAddressPage { f, t, e, taken: false })
}
