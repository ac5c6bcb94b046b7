//! Proving once more who one is, before something grave; then back to where it was asked for.

use std::sync::Arc;

use askama::Template;
use contracts::identity::{GetSecondFactor, ProveAgain};

use super::entry::{error_title, read_password};
use super::security::asks_second;
use super::sign_in::typed_code;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, local, page_as, see_other};

#[derive(Template)]
#[template(path = "prove.html")]
pub(crate) struct ProvePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    /// For the browser's own store of passwords.
    pub(crate) login: String,
    /// Whether a code is asked for as well.
    pub(crate) second_factor: bool,
    /// Whether a passkey does as well.
    pub(crate) passkeys: bool,
}

pub(crate) async fn prove(visit: Arc<Visit>) -> Outcome {
    let mut e = Entries::default();
    e.suggest("next", local(visit.query.get("next")));
    show_prove(&visit, e).await
}

pub(crate) async fn show_prove(visit: &Visit, e: Entries) -> Outcome {
    let t = visit.t;
    let second = visit.call(GetSecondFactor {}).await?;
    let (second_factor, passkeys) = (asks_second(&second), second.passkeys > 0);
    let title = if e.failed() { error_title(visit, t.prove_title()) } else { t.prove_title().to_owned() };
    let f = visit.frame(Place::Elsewhere, title).await;
    page_as(e.status(), &ProvePage { f, t, e, login: visit.me()?.user.login.to_string(), second_factor, passkeys })
}

pub(crate) async fn do_prove(visit: Arc<Visit>) -> Outcome {
    let mut e = Entries::default();
    e.suggest("next", local(visit.form.get("next")));
    if let Some(password) = read_password(&visit, &mut e, "password") {
        match visit.call(ProveAgain { password, otp: typed_code(&visit) }).await {
            Ok(_) => return proven(&visit),
            Err(problem) => e.refuse(visit.t, problem, &[])?,
        }
    }
    show_prove(&visit, e).await
}

/// On to where it was asked for; the next page asks identity for a token that says so.
pub(crate) fn proven(visit: &Visit) -> Outcome {
    visit.web.sessions.forget(&visit.me()?.secret.0);
    Ok(see_other(&told(local(visit.form.get("next")))))
}

/// The way back, with the word that says to go on. A page that was told something before is told this instead.
fn told(next: &str) -> String {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    crate::forms::Form::read(query.as_bytes()).link(path, "done", "proven")
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn the_way_back_says_that_it_was_proven() {
        assert_eq!(told("/profile/security?done=ended"), "/profile/security?done=proven");
        assert_eq!(told("/transfer?account=x"), "/transfer?account=x&done=proven");
    }
}
