//! The pages, by area: each handler reads the visit, asks the services, and fills a template.

mod account;
mod accounts;
mod check;
mod checks;
mod dashboard;
mod entry;
mod inbox;
mod incidents;
mod journal;
mod links;
mod live;
mod logs;
mod maintenances;
mod moving;
mod passkeys;
mod people;
mod profile;
mod prove;
mod requests;
mod resets;
mod security;
mod sign_in;
mod status;
mod story;
mod tokens;
pub(crate) mod wrong;

#[cfg(test)]
mod rendering;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod watched;

use axum::Router;

use crate::Web;
use crate::visit::{Access, act, show};

/// Every page and what its forms are sent to.
pub(crate) fn routes() -> Router<Web> {
    use Access::{Agents, Open, Signed, Staff, Superusers};
    Router::new()
        .route("/", show(Open, entry::start))
        .route("/sign-in", show(Open, sign_in::sign_in).merge(act(Open, sign_in::do_sign_in)))
        .route("/sign-in/code", show(Open, sign_in::code).merge(act(Open, sign_in::do_code)))
        .route("/sign-in/lost", show(Open, sign_in::lost).merge(act(Open, sign_in::do_lost)))
        .route("/sign-in/forgot", show(Open, links::forgot).merge(act(Open, links::do_forgot)))
        .route("/sign-in/new-password", show(Open, links::new_password).merge(act(Open, links::do_new_password)))
        .route("/sign-in/new-address", show(Open, links::new_address).merge(act(Open, links::do_new_address)))
        .route("/sign-in/passkey", act(Open, passkeys::do_sign_in))
        .route("/sign-in/passkey/options", act(Open, passkeys::options))
        .route("/prove/passkey", act(Signed, passkeys::do_prove))
        .route("/sign-out", act(Open, sign_in::sign_out))
        .route("/prove", show(Signed, prove::prove).merge(act(Signed, prove::do_prove)))
        .route("/register", show(Open, entry::register).merge(act(Open, entry::do_register)))
        .route("/welcome", show(Open, entry::welcome))
        .route("/preferences", act(Open, entry::preferences))
        .route("/status", show(Open, status::status))
        .route("/status/checks/{name}", show(Open, check::check))
        .route("/monitor", show(Superusers, checks::list))
        .route("/monitor/checks/new", show(Superusers, checks::new).merge(act(Superusers, checks::do_new)))
        .route("/monitor/checks/{name}", show(Superusers, checks::edit).merge(act(Superusers, checks::do_edit)))
        .route(
            "/monitor/checks/{name}/remove",
            show(Superusers, checks::remove).merge(act(Superusers, checks::do_remove)),
        )
        .route("/monitor/incidents", show(Superusers, incidents::list))
        .route("/monitor/incidents/{id}", show(Superusers, incidents::incident))
        .route("/monitor/incidents/{id}/acknowledge", act(Superusers, incidents::acknowledge))
        .route("/monitor/incidents/{id}/notes", act(Superusers, incidents::note))
        .route(
            "/monitor/maintenances",
            show(Superusers, maintenances::list).merge(act(Superusers, maintenances::announce)),
        )
        .route("/monitor/maintenances/{id}/end", act(Superusers, maintenances::end))
        .route("/accounts", show(Signed, accounts::accounts))
        .route("/accounts/new", show(Signed, accounts::open).merge(act(Signed, accounts::do_open)))
        .route("/accounts/{id}", show(Signed, account::account))
        .route("/accounts/{id}/rib", show(Signed, account::rib))
        .route("/accounts/{id}/rename", show(Signed, account::rename).merge(act(Signed, account::do_rename)))
        .route("/accounts/{id}/renew", show(Signed, account::renew).merge(act(Signed, account::do_renew)))
        .route("/accounts/{id}/close", show(Signed, account::close).merge(act(Signed, account::do_close)))
        .route("/deposit", show(Signed, moving::deposit).merge(act(Signed, moving::do_deposit)))
        .route("/withdraw", show(Signed, moving::withdraw).merge(act(Signed, moving::do_withdraw)))
        .route("/transfer", show(Signed, moving::transfer).merge(act(Signed, moving::do_transfer)))
        .route("/requests", show(Signed, requests::requests))
        .route("/requests/{id}", show(Signed, requests::request))
        .route("/requests/{id}/cancel", act(Signed, requests::cancel))
        .route("/requests/{id}/approve", act(Agents, inbox::approve))
        .route("/requests/{id}/reject", act(Agents, inbox::reject))
        .route("/notifications", show(Signed, journal::notices).merge(act(Signed, journal::read)))
        .route("/profile", show(Signed, profile::profile).merge(act(Signed, profile::do_profile)))
        .route("/profile/mails", act(Signed, profile::choose_mails))
        .route("/profile/password", show(Signed, profile::password).merge(act(Signed, profile::do_password)))
        .route("/profile/security", show(Signed, security::security))
        .route("/profile/totp", show(Signed, security::totp).merge(act(Signed, security::confirm_totp)))
        .route("/profile/totp/begin", act(Signed, security::begin_totp))
        .route("/profile/totp/remove", act(Signed, security::remove_totp))
        .route("/profile/passkeys", act(Signed, passkeys::add))
        .route("/profile/passkeys/new", act(Signed, passkeys::begin))
        .route("/profile/passkeys/{id}", show(Signed, passkeys::passkey).merge(act(Signed, passkeys::rename)))
        .route("/profile/passkeys/{id}/remove", act(Signed, passkeys::remove))
        .route("/profile/tokens", show(Signed, tokens::tokens).merge(act(Signed, tokens::create)))
        .route("/profile/tokens/{id}/revoke", act(Signed, tokens::revoke))
        .route("/profile/recovery-codes", act(Signed, security::new_codes))
        .route("/profile/sessions/end-others", act(Signed, security::end_other_sessions))
        .route("/profile/sessions/{id}/end", act(Signed, security::end_session))
        .route("/inbox", show(Agents, inbox::inbox))
        .route("/clients", show(Agents, accounts::clients))
        .route("/users", show(Staff, people::users))
        .route("/users/new", show(Superusers, people::create).merge(act(Superusers, people::do_create)))
        .route("/users/{id}", show(Staff, people::user))
        .route("/users/{id}/activate", act(Staff, people::activate))
        .route("/users/{id}/reject", act(Staff, people::reject))
        .route("/users/{id}/disable", act(Staff, people::disable))
        .route("/users/{id}/delete", act(Staff, people::delete))
        .route("/users/{id}/unlock", act(Staff, people::unlock))
        .route("/users/{id}/factor-reset", act(Staff, people::propose_reset))
        .route("/resets", show(Staff, resets::resets))
        .route("/resets/{id}", show(Staff, resets::reset))
        .route("/resets/{id}/approve", act(Staff, resets::approve))
        .route("/resets/{id}/reject", act(Staff, resets::reject))
        .route("/dashboard", show(Staff, dashboard::dashboard))
        .route("/logs", show(Staff, logs::logs))
        .route("/logs/export", show(Staff, live::export))
        .route("/logs/live", show(Staff, live::live))
        .route("/logs/story", show(Signed, story::story))
        .route("/logs/{id}", show(Signed, story::log))
        .route("/logs/{id}/proof.json", show(Signed, story::proof))
}

/// A choice of a filter.
pub(crate) struct Choice {
    pub(crate) value: &'static str,
    pub(crate) label: &'static str,
}

/// Reads a filter's word as the operations write it.
pub(crate) fn named<V: Copy>(word: &str, all: &[(V, &'static str)]) -> Option<V> {
    all.iter().find(|(_, name)| *name == word).map(|(value, _)| *value)
}
