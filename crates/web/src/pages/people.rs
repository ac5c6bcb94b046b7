//! People, for staff: the list, one person, and what may be done about them.

use std::sync::Arc;

use aaa::Problem;
use askama::Template;
use contracts::bank::{Account, ListAccounts};
use contracts::identity::{
    ActivateUser, CreateAgent, DeleteUser, DisableUser, FactorReset, GetUser, ListFactorResets, ListUsers,
    ProposeFactorReset, RejectUser, ResetState, UnlockUser, User, UserState,
};
use contracts::roles::Role;
use http::StatusCode;
use vocabulary::{Reason, UserId};

use super::entry::{Newcomer, error_title, read_password};
use super::{Choice, named};
use crate::forms::{Entries, Form};
use crate::frame::{Frame, Place};
use crate::texts::T;
use crate::visit::{Outcome, Visit, page, page_as, see_other};

#[derive(Template)]
#[template(path = "users.html")]
pub(crate) struct UsersPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) q: Form,
    pub(crate) filtered: bool,
    pub(crate) superuser: bool,
    pub(crate) states: Vec<Choice>,
    pub(crate) roles: Vec<Choice>,
    pub(crate) users: Vec<User>,
    /// How many lost second factors wait.
    pub(crate) resets: usize,
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

#[derive(Template)]
#[template(path = "user.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question that the template asks")]
pub(crate) struct UserPage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) u: User,
    /// Whether the visitor may act on this person at all.
    pub(crate) manages: bool,
    pub(crate) can_activate: bool,
    pub(crate) can_reject: bool,
    pub(crate) can_disable: bool,
    /// The removal of their second factor, if one is open.
    pub(crate) reset: Option<FactorReset>,
    /// Whether nobody proposed that yet.
    pub(crate) may_propose: bool,
    pub(crate) show_accounts: bool,
    pub(crate) accounts: Vec<Account>,
}

#[derive(Template)]
#[template(path = "user_new.html")]
pub(crate) struct CreatePage {
    pub(crate) f: Frame,
    pub(crate) t: T,
    pub(crate) e: Entries,
    pub(crate) key: String,
}

const STATES: [(UserState, &str); 4] = [
    (UserState::Pending, "pending"),
    (UserState::Active, "active"),
    (UserState::Disabled, "disabled"),
    (UserState::Rejected, "rejected"),
];

pub(crate) async fn users(visit: Arc<Visit>) -> Outcome {
    let (t, q) = (visit.t, &visit.query);
    let found = visit
        .call(ListUsers {
            state: named(q.get("state"), &STATES),
            role: Role::from_name(q.get("role")),
            search: q.search("search", 100),
            cursor: q.cursor(),
            limit: 50.try_into().unwrap_or_default(),
        })
        .await?;
    let superuser = visit.role() == Some(Role::Superuser);
    // Beside the list, and never in its way.
    let resets = visit.call(ListFactorResets {}).await.map_or(0, |page| page.items.len());
    page(&UsersPage {
        f: visit.frame(Place::People, if superuser { t.people() } else { t.members() }).await,
        t,
        filtered: ["state", "role", "search"].iter().any(|name| !q.get(name).is_empty()),
        superuser,
        states: states(t),
        roles: roles(t, superuser),
        users: found.items,
        resets,
        first: q.cursor().map(|_| q.link("/users", "cursor", "")),
        next: found.next.map(|next| q.link("/users", "cursor", String::from(next))),
        q: q.clone(),
    })
}

pub(crate) fn states(t: T) -> Vec<Choice> {
    STATES.map(|(state, value)| Choice { value, label: t.user_state(&state) }).into()
}

/// Agents do not see superusers.
pub(crate) fn roles(t: T, superuser: bool) -> Vec<Choice> {
    let mut roles = vec![Role::Member, Role::Agent];
    roles.extend(superuser.then_some(Role::Superuser));
    roles.into_iter().map(|role| Choice { value: role.name(), label: t.role(&role) }).collect()
}

pub(crate) async fn user(visit: Arc<Visit>) -> Outcome {
    show_user(&visit, Entries::default()).await
}

async fn show_user(visit: &Visit, e: Entries) -> Outcome {
    let t = visit.t;
    let id = visit.id()?;
    let u = visit.call(GetUser { id }).await?;
    let me = visit.me()?;
    let show_accounts = me.user.role == Role::Agent;
    let accounts = if show_accounts {
        let theirs = ListAccounts { owner: Some(id), limit: contracts::Limit::MAX, ..ListAccounts::default() };
        visit.call(theirs).await?.items
    } else {
        Vec::new()
    };
    let manages = u.id != me.user.id
        && match me.user.role {
            Role::Member => false,
            Role::Agent => u.role == Role::Member,
            Role::Superuser => u.role != Role::Member,
        };
    let open = if manages { visit.call(ListFactorResets {}).await?.items } else { Vec::new() };
    let reset = open.into_iter().find(|reset| reset.person == u.id);
    let name = format!("{} {}", u.first_name, u.last_name);
    page_as(
        e.status(),
        &UserPage {
            f: visit.frame(Place::People, if e.failed() { error_title(visit, &name) } else { name }).await,
            t,
            e,
            manages,
            can_activate: u.state != UserState::Active,
            can_reject: u.state == UserState::Pending,
            can_disable: u.state == UserState::Active,
            may_propose: reset.as_ref().is_none_or(|reset| reset.state == ResetState::Asked),
            reset,
            show_accounts,
            accounts,
            u,
        },
    )
}

pub(crate) async fn activate(visit: Arc<Visit>) -> Outcome {
    let id: UserId = visit.id()?;
    let done = visit.call(ActivateUser { id }).await;
    answer(&visit, done.map(|_| ()), Entries::default(), &format!("/users/{id}?done=activated")).await
}

pub(crate) async fn reject(visit: Arc<Visit>) -> Outcome {
    let id: UserId = visit.id()?;
    let mut e = Entries::of(&visit.form);
    let reason = optional_reason(&visit, &mut e, "reason");
    if e.failed() {
        return show_user(&visit, e).await;
    }
    let done = visit.call(RejectUser { id, reason }).await;
    answer(&visit, done.map(|_| ()), e, &format!("/users/{id}?done=refused")).await
}

pub(crate) async fn disable(visit: Arc<Visit>) -> Outcome {
    let id: UserId = visit.id()?;
    let mut e = Entries::of(&visit.form);
    let reason = optional_reason(&visit, &mut e, "why");
    if e.failed() {
        return show_user(&visit, e).await;
    }
    let done = visit.call(DisableUser { id, reason }).await;
    answer(&visit, done.map(|_| ()), e, &format!("/users/{id}?done=disabled")).await
}

/// Deleting needs the login typed: the hand is faster than the eye.
pub(crate) async fn delete(visit: Arc<Visit>) -> Outcome {
    let id: UserId = visit.id()?;
    let mut e = Entries::of(&visit.form);
    let person = visit.call(GetUser { id }).await?;
    if e.value("typed").to_ascii_lowercase() != person.login.as_str() {
        e.add("typed", visit.t.login_differs());
        return show_user(&visit, e).await;
    }
    let done = visit.call(DeleteUser { id }).await;
    answer(&visit, done.map(|_| ()), e, "/users?done=deleted").await
}

pub(crate) async fn unlock(visit: Arc<Visit>) -> Outcome {
    let id: UserId = visit.id()?;
    let done = visit.call(UnlockUser { id }).await;
    answer(&visit, done.map(|_| ()), Entries::default(), &format!("/users/{id}?done=unlocked")).await
}

/// Two of the staff remove a lost second factor; this is the first of them.
pub(crate) async fn propose_reset(visit: Arc<Visit>) -> Outcome {
    let id: UserId = visit.id()?;
    let mut e = Entries::of(&visit.form);
    let Some(reason) = e.take(visit.t, "made_sure") else { return show_user(&visit, e).await };
    let done = visit.call(ProposeFactorReset { id, reason }).await;
    answer(&visit, done.map(|_| ()), e, &format!("/users/{id}?done=proposed")).await
}

fn optional_reason(visit: &Visit, e: &mut Entries, name: &str) -> Option<Reason> {
    if e.value(name).is_empty() { None } else { e.take(visit.t, name) }
}

async fn answer(visit: &Visit, done: Result<(), Problem>, mut e: Entries, next: &str) -> Outcome {
    match done {
        Ok(()) => Ok(see_other(next)),
        Err(problem) if problem.status() == StatusCode::FORBIDDEN => {
            e.add("", visit.t.not_managed());
            show_user(visit, e).await
        }
        Err(problem) => {
            e.refuse(visit.t, problem, &[])?;
            show_user(visit, e).await
        }
    }
}

pub(crate) async fn create(visit: Arc<Visit>) -> Outcome {
    let f = visit.frame(Place::People, visit.t.create_agent()).await;
    page(&CreatePage { f, t: visit.t, e: Entries::default(), key: visit.new_key() })
}

pub(crate) async fn do_create(visit: Arc<Visit>) -> Outcome {
    let t = visit.t;
    let mut e = Entries::of(&visit.form);
    let newcomer = Newcomer::read(&visit, &mut e);
    let password = read_password(&visit, &mut e, "password");
    if let (Some(Newcomer { login, email, first_name, last_name }), Some(password)) = (newcomer, password) {
        match visit.call_once(CreateAgent { login, password, email, first_name, last_name }).await {
            Ok(user) => return Ok(see_other(&format!("/users/{}?done=created", user.0.id))),
            Err(problem) => e.refuse(t, problem, &[])?,
        }
    }
    let f = visit.frame(Place::People, error_title(&visit, t.create_agent())).await;
    page_as(e.status(), &CreatePage { f, t, e, key: visit.key() })
}
