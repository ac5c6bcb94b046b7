//! One's own profile, password and sessions.

use std::sync::Arc;

use askama::Template;
use contracts::identity::{ChangePassword, EditProfile, EndSession, GetProfile, ListSessions, Session, User};
use vocabulary::Timestamp;

use super::entry::{error_title, read_new_password, read_password};
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
    pub(crate) sessions: Vec<Device>,
}

/// A session, by the name people know the browser by.
pub(crate) struct Device {
    pub(crate) title: String,
    pub(crate) session: Session,
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
    let (u, sessions) = tokio::try_join!(visit.call(GetProfile {}), visit.call(ListSessions {}))?;
    e.suggest("first_name", &u.first_name);
    e.suggest("last_name", &u.last_name);
    e.suggest("email", &u.email);
    e.suggest("language", T(u.language).tag());
    let title = if e.failed() { error_title(visit, t.my_profile()) } else { t.my_profile().to_owned() };
    let sessions = sessions.items.into_iter().map(|session| device(t, session)).collect();
    let previous = visit.me()?.previous_login_at;
    let f = visit.frame(Place::Profile, title).await;
    page_as(e.status(), &ProfilePage { f, t, e, u, previous, sessions })
}

pub(crate) async fn do_profile(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let first_name = e.take(t, "first_name");
    let last_name = e.take(t, "last_name");
    let email = e.take(t, "email");
    if !e.failed() {
        let language = texts::language(visit.form.get("language"));
        match visit.call(EditProfile { email, first_name, last_name, language }).await {
            Ok(user) => {
                visit.web.sessions.forget(&visit.me()?.secret.0);
                let mut response = see_other("/profile?done=saved");
                set_cookie(&mut response, &session::lasting_cookie(LANGUAGE_COOKIE, T(user.language).tag()));
                return Ok(response);
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    show_profile(&visit, e).await
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
            Ok(_) => return Ok(see_other("/profile?done=password")),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::Profile, error_title(&visit, t.change_password())).await;
    page_as(e.status(), &PasswordPage { f, t, e, login: visit.me()?.user.login.to_string() })
}

pub(crate) async fn end_session(visit: Arc<Visit>) -> Outcome {
    visit.call(EndSession { id: visit.id()? }).await?;
    Ok(see_other("/profile?done=ended"))
}

/// "Firefox on Linux" says more to people than what the browser sends.
pub(crate) fn device(t: T, session: Session) -> Device {
    let agent = session.agent.as_deref().unwrap_or("");
    let find =
        |all: &[(&str, &'static str)]| all.iter().find(|(mark, _)| agent.contains(mark)).map_or("", |(_, name)| *name);
    // In this order: each names those after it as well.
    let browser = find(&[
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    let title = match (browser, system) {
        ("", "") => t.unknown_device().to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (browser, system) => t.browser_on(browser, system),
    };
    Device { title, session }
}
