//! Personal tokens: for one's own programs, named, ending, and good for little.

use std::sync::Arc;

use askama::Template;
use contracts::identity::{CreateToken, ListTokens, PersonalToken, RevokeToken};
use contracts::roles::Role;
use contracts::scopes::TokenScope;

use super::entry::error_title;
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

#[derive(Template)]
#[template(path = "tokens.html")]
pub(crate) struct TokensPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) tokens: Vec<PersonalToken>,
    pub(crate) scopes: Vec<TokenScope>,
    pub(crate) days: [u16; 4],
}

#[derive(Template)]
#[template(path = "token.html")]
pub(crate) struct TokenPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) token: String,
    pub(crate) k: PersonalToken,
}

/// How long a token may hold, in days, to choose from.
pub(crate) const DAYS: [u16; 4] = [7, 30, 90, 365];
const HERE: &str = "/profile/tokens";

pub(crate) async fn tokens(visit: Arc<Visit>) -> Outcome {
    show_tokens(&visit, Entries::default()).await
}

async fn show_tokens(visit: &Visit, mut e: Entries) -> Outcome {
    let t = visit.t;
    let tokens = visit.call(ListTokens {}).await?.items;
    e.suggest("days", 30);
    let title = if e.failed() { error_title(visit, t.tokens()) } else { t.tokens().to_owned() };
    let f = visit.frame(Place::Profile, title).await;
    let scopes = offered(visit.role());
    page_as(e.status(), &TokensPage { f, t, e, tokens, scopes, days: DAYS })
}

/// What a token may be good for: of no use to members is what only staff may do.
pub(crate) fn offered(role: Option<Role>) -> Vec<TokenScope> {
    let staff = role.is_some_and(|role| role != Role::Member);
    TokenScope::ALL.iter().copied().filter(|scope| staff || *scope != TokenScope::Introspect).collect()
}

/// The answer itself shows the token, so that nothing has to keep it.
pub(crate) async fn create(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let name = e.take(t, "name");
    let days = visit.form.filter("days").filter(|days| DAYS.contains(days));
    if days.is_none() {
        e.add("days", t.choose_one());
    }
    let scopes: Vec<TokenScope> =
        TokenScope::ALL.iter().copied().filter(|scope| !visit.form.get(scope.name()).is_empty()).collect();
    if scopes.is_empty() {
        e.add(TokenScope::Read.name(), t.token_needs_scope());
    }
    if let (Some(name), Some(days), false) = (name, days, e.failed()) {
        match visit.call(CreateToken { name, scopes, days, jkt: None }).await {
            Ok(made) => {
                let f = visit.frame(Place::Profile, t.token_made()).await;
                return page(&TokenPage { f, t, token: made.0.token, k: made.0.details });
            }
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    show_tokens(&visit, e).await
}

pub(crate) async fn revoke(visit: Arc<Visit>) -> Outcome {
    visit.call(RevokeToken { id: visit.id()? }).await?;
    Ok(see_other(&format!("{HERE}?done=token-revoked")))
}
