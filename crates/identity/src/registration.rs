//! How people come to be: by registering, by a superuser's hand, or from the command line.

use aaa::{Call, Created, Password};
use contracts::events::{self, Action};
use contracts::identity::{CreateAgent, Language, Register, User, UserState};
use contracts::roles::Role;
use vocabulary::{Email, Login, PersonName, UserId};

use crate::error::Error;
use crate::person::Person;
use crate::service::{Identity, tell};
use crate::store as rows;
use crate::strength::{self, About};

/// Somebody to be created.
pub struct NewPerson {
    /// The name to sign in with.
    pub login: Login,
    /// The password; as strong as anybody's.
    pub password: Password,
    /// Where the bank writes to.
    pub email: Email,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Language of pages and mails.
    pub language: Language,
}

pub(crate) async fn register(identity: Identity, call: Call<Register, Identity>) -> Result<Created<User>, Error> {
    // Whether a login is taken is told, so that another one can be chosen: not to those who ask for many.
    identity.throttle.admit_address(call.context.client.as_deref()).map_err(Error::Throttled)?;
    identity.throttle.count_address(call.context.client.as_deref());
    let request = call.request;
    let new = NewPerson {
        login: request.login,
        password: request.password,
        email: request.email,
        first_name: request.first_name,
        last_name: request.last_name,
        language: request.language.unwrap_or_default(),
    };
    let person = identity.prepare(new, Role::Member, UserState::Pending).await?;
    let (scope, key) = ("register", call.context.idempotency.as_ref());
    let mut tx = identity.store.begin().await?;
    if let Some(user) = identity.replay(&mut tx, scope, key).await? {
        return Ok(Created(user));
    }
    if !rows::add_person(&mut tx, &person).await? {
        return Err(Error::LoginTaken);
    }
    tell(&mut tx, &identity.events(Some(&call.context.trace_id)).registered(&person.named()))?;
    let user = person.user();
    identity.remember(&mut tx, scope, key, &user).await?;
    tx.commit().await?;
    Ok(Created(user))
}

pub(crate) async fn create_agent(
    identity: Identity,
    call: Call<CreateAgent, Identity>,
) -> Result<Created<User>, Error> {
    let actor = events::Person { id: call.by().id, login: call.by().login.clone() };
    let request = call.request;
    let new = NewPerson {
        login: request.login,
        password: request.password,
        email: request.email,
        first_name: request.first_name,
        last_name: request.last_name,
        language: Language::default(),
    };
    let person = identity.prepare(new, Role::Agent, UserState::Active).await?;
    let (scope, key) = (format!("create agent {}", actor.id), call.context.idempotency.as_ref());
    let mut tx = identity.store.begin().await?;
    if let Some(user) = identity.replay(&mut tx, &scope, key).await? {
        return Ok(Created(user));
    }
    if !rows::add_person(&mut tx, &person).await? {
        return Err(Error::LoginTaken);
    }
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.created(Action::AgentCreated, Some(actor), &person.named(), person.role.name()))?;
    let user = person.user();
    identity.remember(&mut tx, &scope, key, &user).await?;
    tx.commit().await?;
    Ok(Created(user))
}

impl Identity {
    /// Creates somebody from the command line, without a caller: whoever can write the database may.
    pub async fn create_person(&self, new: NewPerson, role: Role, state: UserState) -> Result<User, Error> {
        let person = self.prepare(new, role, state).await?;
        self.add(person).await?.ok_or(Error::LoginTaken)
    }

    /// The first superuser, with a password to be shown once, when there is none yet.
    pub async fn ensure_first_superuser(&self) -> Result<Option<(Login, Password)>, Error> {
        for login in ["admin".to_owned(), format!("admin-{}", hex::encode(self.chance.bytes::<3>()))] {
            if rows::has_superuser(&mut self.store.read().await?).await? {
                return Ok(None);
            }
            let login: Login = login.parse().map_err(Error::internal)?;
            let password = self.random_password()?;
            let new = NewPerson {
                login: login.clone(),
                password: password.clone(),
                email: "admin@guichet.invalid".parse().map_err(Error::internal)?,
                first_name: "First".parse().map_err(Error::internal)?,
                last_name: "Superuser".parse().map_err(Error::internal)?,
                language: Language::default(),
            };
            let person = self.prepare(new, Role::Superuser, UserState::Active).await?;
            // Taken by a member, or by another process that starts at the same moment: look again.
            if self.add(person).await?.is_some() {
                return Ok(Some((login, password)));
            }
        }
        Err(Error::LoginTaken)
    }

    /// Checks and hashes what a new person brings.
    async fn prepare(&self, new: NewPerson, role: Role, state: UserState) -> Result<Person, Error> {
        let about = About {
            login: &new.login,
            email: &new.email,
            first_name: &new.first_name,
            last_name: &new.last_name,
            refused: &self.refused,
        };
        strength::check("password", &new.password, &about)?;
        Ok(Person {
            id: UserId::new(self.clock(), &self.chance),
            password: self.hasher.hash(new.password).await?,
            login: new.login,
            email: new.email,
            first_name: new.first_name,
            last_name: new.last_name,
            role,
            state,
            language: new.language,
            created_at: self.clock().now(),
            last_login_at: None,
        })
    }

    /// Adds somebody without a caller; nothing when the login is taken.
    async fn add(&self, person: Person) -> Result<Option<User>, Error> {
        let (events, named) = (self.events(None), person.named());
        let event = match person.role {
            Role::Member => events.registered(&named),
            Role::Agent => events.created(Action::AgentCreated, None, &named, person.role.name()),
            Role::Superuser => events.created(Action::SuperuserCreated, None, &named, person.role.name()),
        };
        let mut tx = self.store.begin().await?;
        if !rows::add_person(&mut tx, &person).await? {
            return Ok(None);
        }
        tell(&mut tx, &event)?;
        tx.commit().await?;
        Ok(Some(person.user()))
    }

    /// 99 bits, without letters and digits that look alike.
    fn random_password(&self) -> Result<Password, Error> {
        const LETTERS: &str = "abcdefghjkmnpqrstuvwxyz23456789";
        let letter = |_| {
            let at = self.chance.below(LETTERS.len() as u64);
            usize::try_from(at).ok().and_then(|at| LETTERS.chars().nth(at)).unwrap_or('x')
        };
        Password::try_from((0..20).map(letter).collect::<String>()).map_err(Error::internal)
    }
}
