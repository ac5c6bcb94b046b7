//! People who come from another program, with a password or with its hash.

use std::collections::HashSet;

use aaa::{Password, PasswordHash};
use contracts::events::Action;
use contracts::identity::{Language, UserState};
use contracts::roles::Role;
use vocabulary::{Email, Login, PersonName, UserId};

use crate::error::Error;
use crate::person::Person;
use crate::service::{Identity, tell};
use crate::store as rows;
use crate::strength::{About, RefusedPasswords, weakness};

/// Somebody who comes from another program, and may sign in at once.
pub struct Import {
    /// The name to sign in with.
    pub login: Login,
    /// What they prove themselves with.
    pub secret: Given,
    /// What they do here.
    pub role: Role,
    /// Where the bank writes to.
    pub email: Email,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
}

/// What another program knows of a password.
pub enum Given {
    /// The password itself: as strong as any other here, and hashed.
    Password(Password),
    /// Its hash, kept as it is until they sign in.
    Hash(PasswordHash),
}

impl Identity {
    /// Why each of these people may not be added; nothing for those who may. Changes nothing.
    pub async fn check_import(&self, people: &[Import]) -> Result<Vec<Option<String>>, Error> {
        let (mut seen, mut reasons) = (HashSet::new(), Vec::with_capacity(people.len()));
        let mut tx = self.store.read().await?;
        for one in people {
            let taken = rows::person_by_login(&mut tx, Some(&one.login)).await?.is_some();
            reasons.push(if taken {
                Some(format!("the login {} is taken already", one.login))
            } else if !seen.insert(&one.login) {
                Some(format!("the login {} stands in the file twice", one.login))
            } else {
                one.weakness(&self.refused).map(|words| format!("the password {words}"))
            });
        }
        Ok(reasons)
    }

    /// Adds all of them, or nobody.
    pub async fn import(&self, people: Vec<Import>) -> Result<(), Error> {
        let mut prepared = Vec::with_capacity(people.len());
        for one in people {
            prepared.push(self.prepared(one).await?);
        }
        let events = self.events(None);
        let mut tx = self.store.begin().await?;
        for person in prepared {
            if !rows::add_person(&mut tx, &person).await? {
                return Err(Error::LoginTaken);
            }
            let action = match person.role {
                Role::Member => Action::Registered,
                Role::Agent => Action::AgentCreated,
                Role::Superuser => Action::SuperuserCreated,
            };
            tell(&mut tx, &events.created(action, None, &person.named(), person.role.name()))?;
        }
        Ok(tx.commit().await?)
    }

    async fn prepared(&self, one: Import) -> Result<Person, Error> {
        let password = match one.secret {
            Given::Hash(hash) => hash,
            Given::Password(password) => self.hasher.hash(password).await?,
        };
        Ok(Person {
            id: UserId::new(self.clock(), &self.chance),
            login: one.login,
            email: one.email,
            first_name: one.first_name,
            last_name: one.last_name,
            role: one.role,
            state: UserState::Active,
            language: Language::default(),
            password,
            created_at: self.clock().now(),
            last_login_at: None,
        })
    }
}

impl Import {
    fn weakness(&self, refused: &RefusedPasswords) -> Option<String> {
        let Given::Password(password) = &self.secret else { return None };
        let (login, email) = (&self.login, &self.email);
        let about = About { login, email, first_name: &self.first_name, last_name: &self.last_name, refused };
        weakness(password.expose(), &about)
    }
}
