//! Passkeys: adding, naming and removing them, and signing in or proving who one is with one. These alone need the
//! script: only a script can ask the browser for a passkey.

use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use axum::response::IntoResponse;
use contracts::identity::{
    AddPasskey, AskForPasskey, BeginPasskey, ListPasskeys, Passkey, ProveWithPasskey, RemovePasskey, RenamePasskey,
    SignInWithPasskey,
};
use http::{StatusCode, header};

use super::entry::error_title;
use super::{prove, security, sign_in};
use crate::forms::Entries;
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page_as, see_other};

#[derive(Template)]
#[template(path = "passkey_new.html")]
pub(crate) struct NewPasskeyPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    /// For the script: what the browser is asked for.
    pub(crate) options: String,
}

#[derive(Template)]
#[template(path = "passkey.html")]
pub(crate) struct PasskeyPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) k: Passkey,
}

/// A challenge for whoever wants to use a passkey, as the script asks for it.
pub(crate) async fn options(visit: Arc<Visit>) -> Outcome {
    let options = serde_json::to_string(&visit.nobody().call(AskForPasskey {}).await?).map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], options).into_response())
}

pub(crate) async fn do_sign_in(visit: Arc<Visit>) -> Outcome {
    let field = |name| visit.form.get(name).to_owned();
    let request = SignInWithPasskey {
        id: field("id"),
        client_data: field("client_data"),
        authenticator_data: field("authenticator_data"),
        signature: field("signature"),
        device: visit.device.as_ref().map(|device| device.0.clone()),
        agent: visit.agent.clone(),
    };
    let mut e = Entries::default();
    e.suggest("next", visit.form.get("next"));
    match visit.nobody().call(request).await {
        Ok(opened) => return Ok(sign_in::welcome_in(&visit, opened.0, visit.form.get("next")).await),
        Err(problem) if matches!(problem.status(), StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) => {
            e.add("", visit.t.passkey_not_taken());
        }
        Err(problem) => e.refuse(visit.t, problem, &[])?,
    }
    sign_in::show_again(&visit, e).await
}

pub(crate) async fn do_prove(visit: Arc<Visit>) -> Outcome {
    let field = |name| visit.form.get(name).to_owned();
    let request = ProveWithPasskey {
        id: field("id"),
        client_data: field("client_data"),
        authenticator_data: field("authenticator_data"),
        signature: field("signature"),
    };
    let mut e = Entries::default();
    e.suggest("next", visit.form.get("next"));
    match visit.call(request).await {
        Ok(_) => prove::proven(&visit),
        Err(problem) if problem.status() == StatusCode::BAD_REQUEST => {
            e.add("", visit.t.passkey_not_taken());
            prove::show_prove(&visit, e).await
        }
        Err(problem) => {
            e.refuse(visit.t, problem, &[])?;
            prove::show_prove(&visit, e).await
        }
    }
}

pub(crate) async fn begin(visit: Arc<Visit>) -> Outcome {
    show_new(&visit, Entries::default()).await
}

/// Every time with a fresh challenge: the one before is used, or too old.
async fn show_new(visit: &Visit, e: Entries) -> Outcome {
    let t = visit.t;
    let options = match visit.call(BeginPasskey {}).await {
        Ok(options) => serde_json::to_string(&options).map_err(Problem::internal)?,
        Err(problem) => return security::refused(visit, problem).await,
    };
    let title = if e.failed() { error_title(visit, t.passkey_add()) } else { t.passkey_add().to_owned() };
    let f = visit.frame(Place::Profile, title).await;
    page_as(e.status(), &NewPasskeyPage { f, t, e, options })
}

pub(crate) async fn add(visit: Arc<Visit>) -> Outcome {
    let mut e = Entries::of(&visit.form);
    let name = e.take(visit.t, "name");
    let field = |name| visit.form.get(name).to_owned();
    let (client_data, attestation) = (field("client_data"), field("attestation"));
    if let Some(name) = name {
        match visit.call(AddPasskey { name, client_data, attestation }).await {
            Ok(added) if added.0.recovery_codes.is_empty() => {
                return Ok(see_other("/profile/security?done=passkey-added"));
            }
            Ok(added) => return security::show_codes(&visit, added.0.recovery_codes).await,
            Err(problem) if problem.status() == StatusCode::BAD_REQUEST => e.add("", visit.t.passkey_not_taken()),
            Err(problem) => e.refuse(visit.t, problem, &[])?,
        }
    }
    show_new(&visit, e).await
}

pub(crate) async fn passkey(visit: Arc<Visit>) -> Outcome {
    show_passkey(&visit, Entries::default()).await
}

async fn show_passkey(visit: &Visit, mut e: Entries) -> Outcome {
    let (t, id): (_, String) = (visit.t, visit.id()?);
    let all = visit.call(ListPasskeys {}).await?.items;
    let k = all.into_iter().find(|passkey| passkey.id == id).ok_or_else(Problem::not_found)?;
    e.suggest("name", &k.name);
    let title = if e.failed() { error_title(visit, k.name.as_str()) } else { k.name.to_string() };
    let f = visit.frame(Place::Profile, title).await;
    page_as(e.status(), &PasskeyPage { f, t, e, k })
}

pub(crate) async fn rename(visit: Arc<Visit>) -> Outcome {
    let mut e = Entries::of(&visit.form);
    if let Some(name) = e.take(visit.t, "name") {
        match visit.call(RenamePasskey { id: visit.id()?, name }).await {
            Ok(_) => return Ok(see_other("/profile/security?done=passkey-renamed")),
            Err(problem) => e.refuse(visit.t, problem, &[])?,
        }
    }
    show_passkey(&visit, e).await
}

pub(crate) async fn remove(visit: Arc<Visit>) -> Outcome {
    match visit.call(RemovePasskey { id: visit.id()? }).await {
        Ok(_) => Ok(see_other("/profile/security?done=passkey-removed")),
        Err(problem) => security::refused(&visit, problem).await,
    }
}
