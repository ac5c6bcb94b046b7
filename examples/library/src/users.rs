//! People: they register, sign in for a token, and are listed for administrators.

use ::store::{FromRow, Row, Store, StoreError, Uuid, params};
use aaa::{
    Api, Call, Created, Faults, Fields, Fit, Group, Hasher, In, Open, Operation, Password, PasswordHash, People,
    Principal, Problem, Route, Scheme, Signed,
};
use chassis::Failure;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{SessionId, Text, UserId};

use crate::store::{ADD_USER, GET_USER, LIST_USERS};
use crate::{Library, Message, TOKEN_LIFE};

/// What somebody is called, and signs in with.
type Name = Text<1, 50>;

/// Who may see who is here.
struct Admin;

impl Group for Admin {
    const NAME: &'static str = "admin";
}

/// Everyone in the database.
#[derive(Clone)]
pub(crate) struct Users {
    store: Store,
    hasher: Hasher,
}

struct Person {
    public_id: Uuid,
    name: String,
    hash: PasswordHash,
    admin: bool,
}

impl FromRow for Person {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            public_id: row.get("public_id")?,
            name: row.get("name")?,
            hash: PasswordHash::from_stored(row.get("password")?),
            admin: row.get("admin")?,
        })
    }
}

impl Person {
    fn principal(&self) -> Principal {
        let named = Principal::named(&self.name, self.admin.then_some(Admin::NAME));
        Principal { id: UserId(self.public_id), ..named }
    }
}

impl Users {
    pub(crate) fn new(store: Store, hasher: Hasher) -> Self {
        Self { store, hasher }
    }

    async fn find(&self, name: &str) -> Result<Option<Person>, Failure> {
        // What is no name is nobody's, and costs what a name does that nobody has.
        let Ok(name) = name.parse::<Name>() else { return Ok(None) };
        Ok(self.store.one(&GET_USER, params![&name]).await?)
    }

    async fn check(&self, name: &str, password: Password) -> Result<Option<Principal>, Failure> {
        let person = self.find(name).await?;
        let fit: Fit = self.hasher.verify(password, person.as_ref().map(|person| person.hash.clone())).await?;
        Ok(person.filter(|_| fit.is_right()).map(|person| person.principal()))
    }
}

impl People for Users {
    fn sign_in<'a>(&'a self, login: &'a str, password: Password) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(async move { Ok(self.check(login, password).await?) })
    }

    fn known<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(async move { Ok(self.find(login).await?.map(|person| person.principal())) })
    }
}

/// Fewest characters of a password.
const SHORTEST: usize = 6;

/// Anybody becomes a user.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Register {
    name: Name,
    password: Password,
}

impl Operation for Register {
    const ROUTE: Route = Route::post("library", "/register");
    type Policy = Open;
    type Reply = Created<Message>;
    fn check(&self, faults: &mut Faults) {
        if self.name.as_str().contains(':') {
            faults.add("name", "must not hold `:`, which ends a name at sign-in");
        }
        if self.password.expose().chars().count() < SHORTEST {
            faults.add("password", format_args!("is too short: at least {SHORTEST} characters"));
        }
    }
}

async fn register(library: Library, call: Call<Register, Library>) -> Result<Created<Message>, Failure> {
    // Each costs a hash and a row: nobody makes them by the thousand, nor finds out by the thousand who is here.
    let client = call.context.client.as_deref();
    library.throttle.admit_address(client)?;
    library.throttle.count_address(client);
    let hash = library.users.hasher.hash(call.request.password).await?;
    let id = UserId::new(&library.clock, &library.chance);
    library.store.write(&ADD_USER, params![id, &call.request.name, hash.as_str(), false]).await?;
    Ok(Created(Message::new("registered successfully")))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Token {
    token: String,
}

/// A token, for name and password.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct GetToken {}

impl Operation for GetToken {
    const ROUTE: Route = Route::get("library", "/login").accepts(&[Scheme::Basic]);
    type Policy = Signed;
    type Reply = Token;
}

/// The same, by the method that says that something is made.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct MakeToken {}

impl Operation for MakeToken {
    const ROUTE: Route = Route::post("library", "/login").accepts(&[Scheme::Basic]);
    type Policy = Signed;
    type Reply = Token;
}

async fn get_token(library: Library, call: Call<GetToken, Library>) -> Result<Token, Failure> {
    token(&library, call.by())
}

async fn make_token(library: Library, call: Call<MakeToken, Library>) -> Result<Token, Failure> {
    token(&library, call.by())
}

fn token(library: &Library, by: &Principal) -> Result<Token, Failure> {
    let (now, session) = (library.clock.now(), SessionId::new(&library.clock, &library.chance));
    let who = by.clone().during(now, now.plus(TOKEN_LIFE));
    let who = Principal { session, token: Some(session.to_string()), ..who };
    let token = library.signer.sign(&library.signer.claims(&who)).map_err(Problem::internal)?;
    Ok(Token { token })
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct User {
    public_id: UserId,
    name: String,
    admin: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct UserList {
    users: Vec<User>,
}

/// Everybody, for administrators: without what stands for their passwords.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListUsers {}

impl Operation for ListUsers {
    const ROUTE: Route = Route::get("library", "/users").accepts(Scheme::TOKENS);
    type Policy = In<Admin>;
    type Reply = UserList;
}

async fn list_users(library: Library, _: Call<ListUsers, Library>) -> Result<UserList, Failure> {
    let people: Vec<Person> = library.store.all(&LIST_USERS, &[]).await?;
    let shown = |person: Person| User { public_id: UserId(person.public_id), name: person.name, admin: person.admin };
    Ok(UserList { users: people.into_iter().map(shown).collect() })
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Library>) -> Api<Library> {
    api.serve(register).serve(get_token).serve(make_token).serve(list_users)
}
