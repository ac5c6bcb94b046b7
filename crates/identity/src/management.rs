//! What staff see of people and do to them.

use std::time::Duration;

use aaa::{Call, Done, Principal};
use contracts::bank::{AccountState, ListAccounts};
use contracts::events::{self, Action};
use contracts::identity::{
    ActivateUser, DeleteUser, DisableUser, GetUser, ListUsers, RejectUser, UnlockUser, User, UserState,
};
use contracts::roles::{Agent, Role, Superuser};
use contracts::{Cursor, Limit, Page};
use store::Transaction;
use vocabulary::{Reason, UserId, new_uuid};

use crate::attempts::Counter;
use crate::error::Error;
use crate::person::{Act, Person, after, groups};
use crate::service::{Identity, tell};
use crate::store as rows;

/// Longest text that is searched for.
const MAX_SEARCH: usize = 100;
/// How long a token holds that asks the bank one question.
const QUESTION: Duration = Duration::from_mins(1);

pub(crate) async fn list_users(identity: Identity, call: Call<ListUsers, Identity>) -> Result<Page<User>, Error> {
    let filter = &call.request;
    if filter.search.as_ref().is_some_and(|text| text.chars().count() > MAX_SEARCH) {
        return Err(Error::Fault { field: "search", words: "is too long: at most 100 characters" });
    }
    let before: Option<UserId> = match &filter.cursor {
        Some(cursor) => {
            let wrong = Error::Fault { field: "cursor", words: "is not a cursor of this list; take it from `next`" };
            Some(cursor.place().ok_or(wrong)?)
        }
        None => None,
    };
    let superusers_too = call.by().is_in::<Superuser>();
    let people = rows::people(&mut identity.store.read().await?, filter, before, superusers_too).await?;
    let users = people.iter().map(Person::user).collect();
    Ok(Page::cut(users, filter.limit, |user: &User| Cursor::at(user.id)))
}

pub(crate) async fn get_user(_: Identity, call: Call<GetUser, Identity>) -> Result<User, Error> {
    Ok(call.object().clone())
}

pub(crate) async fn activate_user(identity: Identity, call: Call<ActivateUser, Identity>) -> Result<User, Error> {
    let change = Change { act: Act::Activate, id: call.request.id, reason: None };
    identity.change_state(call.by(), &call.context.trace_id, change).await
}

pub(crate) async fn disable_user(identity: Identity, call: Call<DisableUser, Identity>) -> Result<User, Error> {
    let change = Change { act: Act::Disable, id: call.request.id, reason: call.request.reason.as_ref() };
    identity.change_state(call.by(), &call.context.trace_id, change).await
}

pub(crate) async fn reject_user(identity: Identity, call: Call<RejectUser, Identity>) -> Result<User, Error> {
    let change = Change { act: Act::Reject, id: call.request.id, reason: call.request.reason.as_ref() };
    identity.change_state(call.by(), &call.context.trace_id, change).await
}

pub(crate) async fn delete_user(identity: Identity, call: Call<DeleteUser, Identity>) -> Result<Done, Error> {
    let (by, id) = (call.by(), call.request.id);
    // Asked before the transaction: none may wait for another service.
    identity.refuse_with_accounts(by, call.context.token(), &call.context.trace_id, id).await?;
    let mut tx = identity.store.begin().await?;
    let (person, last) = lock_to_manage(&mut tx, id).await?;
    if last {
        return Err(Error::LastSuperuser);
    }
    identity.end_sessions(&mut tx, id, None).await?;
    rows::delete_person(&mut tx, id).await?;
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.state_changed(Action::UserDeleted, &actor(by), &person.named(), "deleted", None))?;
    identity.commit_and_deliver(tx).await?;
    Ok(Done)
}

pub(crate) async fn unlock_user(identity: Identity, call: Call<UnlockUser, Identity>) -> Result<Done, Error> {
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.request.id)).await?.ok_or(Error::NotFound)?;
    let login = Counter::login(&identity.attempts_pepper, person.login.as_str());
    if rows::unlock(&mut tx, person.id, &login).await? {
        let events = identity.events(Some(&call.context.trace_id));
        tell(&mut tx, &events.state_changed(Action::Unlocked, &actor(call.by()), &person.named(), "unlocked", None))?;
        tx.commit().await?;
    }
    Ok(Done)
}

struct Change<'a> {
    act: Act,
    id: UserId,
    reason: Option<&'a Reason>,
}

pub(crate) fn actor(by: &Principal) -> events::Person {
    events::Person { id: by.id, login: by.login.clone() }
}

/// The person under lock, and whether the bank has no other superuser who can sign in. All superusers are locked first
/// and in one order, so that two who act on each other do so one after the other.
async fn lock_to_manage(tx: &mut Transaction, id: UserId) -> Result<(Person, bool), Error> {
    // Roles never change, so this one may be read before the lock.
    let role = rows::person(tx, id).await?.ok_or(Error::NotFound)?.role;
    let last = role == Role::Superuser && rows::other_active_superusers(tx, id).await? == 0;
    let person = rows::lock(tx, Some(id)).await?.ok_or(Error::NotFound)?;
    Ok((person, last))
}

impl Identity {
    async fn change_state(&self, by: &Principal, trace_id: &str, change: Change<'_>) -> Result<User, Error> {
        let mut tx = self.store.begin().await?;
        let (mut person, last) = lock_to_manage(&mut tx, change.id).await?;
        let state = after(change.act, person.state).map_err(Error::WrongState)?;
        if last && state != UserState::Active {
            return Err(Error::LastSuperuser);
        }
        rows::set_state(&mut tx, person.id, state).await?;
        person.state = state;
        if state != UserState::Active {
            self.end_sessions(&mut tx, person.id, None).await?;
        }
        let (action, verb) = match change.act {
            Act::Activate => (Action::UserActivated, "activated"),
            Act::Disable => (Action::UserDisabled, "disabled"),
            Act::Reject => (Action::UserRejected, "rejected"),
        };
        let (actor, reason) = (actor(by), change.reason.map(Reason::as_str));
        tell(&mut tx, &self.events(Some(trace_id)).state_changed(action, &actor, &person.named(), verb, reason))?;
        self.commit_and_deliver(tx).await?;
        Ok(person.user())
    }

    /// Refuses when the person has an account that is asked for or open, and when the bank does not say.
    async fn refuse_with_accounts(
        &self,
        by: &Principal,
        token: Option<&str>,
        trace_id: &str,
        id: UserId,
    ) -> Result<(), Error> {
        let token = match token {
            Some(token) if by.is_in::<Agent>() => token.to_owned(),
            _ => self.question_token(by)?,
        };
        let bank = self.directory.caller().with_token(token).traced(trace_id);
        let one = Limit::try_from(1).map_err(Error::internal)?;
        for state in [AccountState::Pending, AccountState::Open] {
            let question = ListAccounts { owner: Some(id), state: Some(state), limit: one, ..ListAccounts::default() };
            if !bank.call(question).await.map_err(Error::Bank)?.items.is_empty() {
                return Err(Error::HasAccounts);
            }
        }
        Ok(())
    }

    /// Superusers may not look into accounts, so the bank would show them none of somebody else's. Who is who is for
    /// this service to say: it asks this one question in their name, as an agent would.
    fn question_token(&self, by: &Principal) -> Result<String, Error> {
        let now = self.clock().now();
        let as_agent = Principal {
            groups: groups(Role::Agent),
            issued: now,
            expires: now.plus(QUESTION),
            token: Some(new_uuid(self.clock(), &self.chance).to_string()),
            bound_to: None,
            ..by.clone()
        };
        self.signer().sign(&self.signer().claims(&as_agent)).map_err(Error::internal)
    }
}
