//! People: who may see and manage whom, and which states follow which. Pure rules.

use aaa::{PasswordHash, Principal, Verdict};
use contracts::events;
use contracts::identity::{Language, User, UserState};
use contracts::roles::{Agent, Role, Superuser};
use vocabulary::{Email, Login, PersonName, Timestamp, UserId};

/// A person, with what only this service may know of them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) login: Login,
    pub(crate) email: Email,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
    pub(crate) role: Role,
    pub(crate) state: UserState,
    pub(crate) language: Language,
    pub(crate) password: PasswordHash,
    pub(crate) created_at: Timestamp,
    pub(crate) last_login_at: Option<Timestamp>,
}

impl Person {
    /// As others read it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// What a search looks through.
    pub(crate) fn search(&self) -> String {
        format!("{} {} {}", self.login, self.name(), self.email).to_lowercase()
    }

    /// As events name them.
    pub(crate) fn named(&self) -> events::Person {
        events::Person { id: self.id, login: self.login.to_string() }
    }

    /// As callers see them.
    pub(crate) fn user(&self) -> User {
        User {
            id: self.id,
            login: self.login.clone(),
            email: self.email.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            role: self.role,
            state: self.state,
            language: self.language,
            created_at: self.created_at,
            last_login_at: self.last_login_at,
        }
    }
}

/// Whether `by` may see `person`: themselves, an agent members and agents, a superuser all.
pub(crate) fn sees(by: &Principal, person: &Person) -> bool {
    by.id == person.id || by.is_in::<Superuser>() || (by.is_in::<Agent>() && person.role != Role::Superuser)
}

/// Whether `by` may act on `person`: agents on members, superusers on staff, nobody on themselves.
pub(crate) fn manages(by: &Principal, person: &Person) -> Verdict<()> {
    if !sees(by, person) {
        return Verdict::Unseen;
    }
    if by.id == person.id {
        return Verdict::Refused("Nobody acts on themselves; ask somebody else.");
    }
    match person.role {
        Role::Member if by.is_in::<Agent>() => Verdict::Granted(()),
        Role::Member => Verdict::Refused("Agents act on members; superusers do not."),
        Role::Agent | Role::Superuser if by.is_in::<Superuser>() => Verdict::Granted(()),
        Role::Agent | Role::Superuser => Verdict::Refused("Only superusers act on agents."),
    }
}

/// What is done to a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    Activate,
    Disable,
    Reject,
}

/// The state after `act`, or why it makes no sense.
pub(crate) const fn after(act: Act, state: UserState) -> Result<UserState, &'static str> {
    use UserState::{Active, Disabled, Pending, Rejected};
    match (act, state) {
        (Act::Activate, Pending | Rejected | Disabled) => Ok(Active),
        (Act::Activate, Active) => Err("This person is active already."),
        (Act::Disable, Active) => Ok(Disabled),
        (Act::Disable, Disabled) => Err("This person is disabled already."),
        (Act::Disable, Pending) => Err("This person was never activated; reject them instead."),
        (Act::Disable, Rejected) => Err("This person was rejected and cannot sign in anyway."),
        (Act::Reject, Pending) => Ok(Rejected),
        (Act::Reject, Rejected) => Err("This person is rejected already."),
        (Act::Reject, Active | Disabled) => {
            Err("Only somebody who waits for activation can be rejected; disable this person instead.")
        }
    }
}

/// The groups that a person's tokens carry.
pub(crate) fn groups(role: Role) -> Vec<String> {
    vec![role.name().to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(id: u128, role: Role) -> Principal {
        Principal { id: UserId(store::Uuid::from_u128(id)), ..Principal::named("x", groups(role)) }
    }

    fn person(id: u128, role: Role) -> Person {
        Person {
            id: UserId(store::Uuid::from_u128(id)),
            login: "somebody".parse().unwrap(),
            email: "somebody@example.org".parse().unwrap(),
            first_name: "Some".parse().unwrap(),
            last_name: "Body".parse().unwrap(),
            role,
            state: UserState::Active,
            language: Language::Fr,
            password: PasswordHash::from_stored(String::new()),
            created_at: Timestamp::from_seconds(0),
            last_login_at: None,
        }
    }

    fn verdict(by: Role, on: Role) -> &'static str {
        match manages(&principal(1, by), &person(2, on)) {
            Verdict::Granted(()) => "granted",
            Verdict::Refused(_) => "refused",
            Verdict::Missing | Verdict::Unseen => "unseen",
        }
    }

    #[test]
    fn agents_act_on_members_and_superusers_on_staff() {
        use Role::{Agent, Member, Superuser};
        let table = [Member, Agent, Superuser].map(|by| [Member, Agent, Superuser].map(|on| verdict(by, on)));
        assert_eq!(
            table,
            [["unseen", "unseen", "unseen"], ["granted", "refused", "unseen"], ["refused", "granted", "granted"],]
        );
    }

    #[test]
    fn nobody_acts_on_themselves() {
        for role in [Role::Member, Role::Agent, Role::Superuser] {
            assert!(matches!(manages(&principal(1, role), &person(1, role)), Verdict::Refused(_)));
        }
    }

    #[test]
    fn a_state_follows_only_from_states_where_it_makes_sense() {
        use UserState::{Active, Disabled, Pending, Rejected};
        let from = |act| [Pending, Active, Disabled, Rejected].map(|state| after(act, state).ok());
        assert_eq!(from(Act::Activate), [Some(Active), None, Some(Active), Some(Active)]);
        assert_eq!(from(Act::Disable), [None, Some(Disabled), None, None]);
        assert_eq!(from(Act::Reject), [Some(Rejected), None, None, None]);
    }
}
