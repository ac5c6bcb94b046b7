//! One's own profile and password.

use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use contracts::identity::{
    AskEmailChange, ChangePassword, ChooseMails, EditProfile, GetMailChoices, GetPasswordResets, GetProfile,
    GetSecondFactor, MailChoices, SignInMails, User,
};
use vocabulary::Timestamp;

use super::entry::{error_title, read_new_password, read_password};
use super::security::asks_second;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::session::{self, LANGUAGE_COOKIE};
use crate::texts::{self, T};
use crate::visit::{Outcome, Visit, page, page_as, see_other, set_cookie};

#[derive(Template)]
#[template(path = "profile.html")]
pub(crate) struct ProfilePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) u: User,
    pub(crate) previous: Option<Timestamp>,
    /// Whether a second factor is asked for.
    pub(crate) second_factor: bool,
    pub(crate) mails: MailChoices,
    /// Whether another address is confirmed by a link.
    pub(crate) by_mail: bool,
}

impl ProfilePage {
    fn chose(&self, word: &str) -> bool {
        match self.mails.sign_ins {
            SignInMails::Every => word == "every",
            SignInMails::New => word == "new",
            SignInMails::Never => word == "never",
        }
    }
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    /// For the browser's own store of passwords.
    pub(crate) login: String,
}

pub(crate) async fn profile(visit: Arc<Visit>) -> Outcome {
    show_profile(&visit, Entries::default()).await
}

async fn show_profile(visit: &Visit, mut e: Entries) -> Outcome {
    let t = visit.t;
    let (u, second, mails, resets) = tokio::try_join!(
        visit.call(GetProfile {}),
        visit.call(GetSecondFactor {}),
        visit.call(GetMailChoices {}),
        visit.call(GetPasswordResets {}),
    )?;
    e.suggest("first_name", &u.first_name);
    e.suggest("last_name", &u.last_name);
    e.suggest("email", &u.email);
    e.suggest("language", T(u.language).tag());
    let title = if e.failed() { error_title(visit, t.my_profile()) } else { t.my_profile().to_owned() };
    let previous = visit.me()?.previous_login_at;
    let f = visit.frame(Place::Profile, title).await;
    let (second_factor, by_mail) = (asks_second(&second), resets.by_mail);
    page_as(e.status(), &ProfilePage { f, t, e, u, previous, second_factor, mails, by_mail })
}

pub(crate) async fn do_profile(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let first_name = e.take(t, "first_name");
    let last_name = e.take(t, "last_name");
    let email = e.take(t, "email");
    if !e.failed() {
        let language = texts::language(visit.form.get("language"));
        match edit(&visit, EditProfile { email, first_name, last_name, language }).await {
            Ok((user, done)) => {
                visit.web.sessions.forget(&visit.me()?.secret.0);
                let mut response = see_other(done);
                set_cookie(&mut response, &session::lasting_cookie(LANGUAGE_COOKIE, T(user.language).tag()));
                return Ok(response);
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    show_profile(&visit, e).await
}

/// Where the bank sends mails, another address is asked for at first, and the rest is kept at once.
async fn edit(visit: &Visit, edit: EditProfile) -> Result<(User, &'static str), Problem> {
    let EditProfile { email, first_name, last_name, language } = edit;
    let whole =
        EditProfile { email: email.clone(), first_name: first_name.clone(), last_name: last_name.clone(), language };
    match (visit.call(whole).await, email) {
        (Err(problem), Some(email)) if problem.code() == "address-by-link" => {
            visit.call(AskEmailChange { email }).await?;
            let rest = EditProfile { email: None, first_name, last_name, language };
            Ok((visit.call(rest).await?, "/profile?done=address"))
        }
        (user, _) => Ok((user?, "/profile?done=saved")),
    }
}

/// Of the mails that one may do without, those that one wants.
pub(crate) async fn choose_mails(visit: Arc<Visit>) -> Outcome {
    let form = &visit.form;
    let sign_ins = match form.get("sign_ins") {
        "every" => SignInMails::Every,
        "never" => SignInMails::Never,
        _ => SignInMails::New,
    };
    let (requests, transfers) = (form.get("requests") == "yes", form.get("transfers") == "yes");
    visit.call(ChooseMails { sign_ins, requests, transfers }).await?;
    Ok(see_other("/profile?done=saved"))
}

pub(crate) async fn password(visit: Arc<Visit>) -> Outcome {
    let f = visit.frame(Place::Profile, visit.t.change_password()).await;
    page(&PasswordPage { f, t: visit.t, e: Entries::default(), login: visit.me()?.user.login.to_string() })
}

pub(crate) async fn do_password(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let old_password = read_password(&visit, &mut e, "old_password");
    let new_password = read_new_password(&visit, &mut e, "new_password");
    if let (Some(old_password), Some(new_password)) = (old_password, new_password) {
        match visit.call(ChangePassword { old_password, new_password }).await {
            Ok(_) => return Ok(see_other("/profile/security?done=password")),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Profile, error_title(&visit, t.change_password())).await;
    page_as(e.status(), &PasswordPage { f, t, e, login: visit.me()?.user.login.to_string() })
}
