//! People: who they are, how they sign in, and what each of them may ask about themselves.

use std::time::Duration;

use ::store::{FromRow, Row, Store, StoreError, params};
use aaa::{
    Api, Cache, Call, Created, Faults, Fields, Fit, Group, Hasher, In, Open, Operation, Password, PasswordHash, People,
    Principal, Problem, Route, Scheme, Signed,
};
use chassis::Failure;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::Login;

use crate::store::{ADD_PERSON, GET_PERSON, IMPROVE_PASSWORD};
use crate::{Stuff, TOKEN_LIFE, numbered};

/// Who may see everything.
pub(crate) struct Admin;

impl Group for Admin {
    const NAME: &'static str = "ADMIN";
}

/// Everyone in the database.
#[derive(Clone)]
pub(crate) struct Everyone {
    store: Store,
    hasher: Hasher,
    /// Who a login is, so that a token in use costs no query.
    known: Cache<String, Option<Principal>>,
}

struct Person {
    login: String,
    hash: PasswordHash,
    is_admin: bool,
}

impl FromRow for Person {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let hash = PasswordHash::from_stored(row.get("pword")?);
        Ok(Self { login: row.get("login")?, hash, is_admin: row.get("is_admin")? })
    }
}

impl Person {
    fn principal(&self) -> Principal {
        Principal::named(&self.login, self.is_admin.then_some(Admin::NAME))
    }
}

impl Everyone {
    pub(crate) fn new(store: Store, hasher: Hasher) -> Self {
        Self { store, hasher, known: Cache::new(10_000, Duration::from_mins(1)) }
    }

    async fn find(&self, login: &str) -> Result<Option<Person>, Failure> {
        // What is no login is nobody's, and costs what a login does that nobody has.
        let Ok(login) = login.parse::<Login>() else { return Ok(None) };
        Ok(self.store.one(&GET_PERSON, params![&login]).await?)
    }

    /// A password as it is stored.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, Failure> {
        Ok(self.hasher.hash(password).await?)
    }

    async fn add(&self, login: &Login, password: Password, is_admin: bool) -> Result<i64, Failure> {
        let hash = self.hash(password).await?;
        let id = numbered(self.store.write(&ADD_PERSON, params![login, hash.as_str(), is_admin]).await?)?;
        // Somebody may have asked for them before they were here.
        self.known.forget(&login.to_string());
        Ok(id)
    }

    async fn check(&self, login: &str, password: Password) -> Result<Option<Principal>, Failure> {
        let person = self.find(login).await?;
        let fit = self.hasher.verify(password, person.as_ref().map(|person| person.hash.clone())).await?;
        let Some(person) = person.filter(|_| fit.is_right()) else { return Ok(None) };
        if let Fit::Outdated(better) = fit {
            let change = params![&person.login, person.hash.as_str(), better.as_str()];
            self.store.write(&IMPROVE_PASSWORD, change).await?;
        }
        Ok(Some(person.principal()))
    }

    async fn look_up(&self, login: &str) -> Result<Option<Principal>, Failure> {
        if let Some(known) = self.known.get(&login.to_owned()) {
            return Ok(known);
        }
        let found = self.find(login).await?.map(|person| person.principal());
        self.known.put(login.to_owned(), found.clone());
        Ok(found)
    }
}

impl People for Everyone {
    fn sign_in<'a>(&'a self, login: &'a str, password: Password) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(async move { Ok(self.check(login, password).await?) })
    }

    fn known<'a>(&'a self, login: &'a str) -> BoxFuture<'a, Result<Option<Principal>, Problem>> {
        Box::pin(async move { Ok(self.look_up(login).await?) })
    }
}

/// Fewest characters of a password.
const SHORTEST: usize = 4;

fn check_password(field: &str, password: &Password, faults: &mut Faults) {
    if password.expose().chars().count() < SHORTEST {
        faults.add(field, format_args!("is too short: at least {SHORTEST} characters"));
    }
}

/// Anybody becomes a user.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Register {
    login: Login,
    pword: Password,
}

impl Operation for Register {
    const ROUTE: Route = Route::post("stuff", "/register").anywhere();
    type Policy = Open;
    type Reply = Created<()>;
    fn check(&self, faults: &mut Faults) {
        check_password("pword", &self.pword, faults);
    }
}

async fn register(stuff: Stuff, call: Call<Register, Stuff>) -> Result<Created<()>, Failure> {
    // Each costs a hash and a row: nobody makes them by the thousand, nor finds out by the thousand who is here.
    let client = call.context.client.as_deref();
    stuff.throttle.admit_address(client)?;
    stuff.throttle.count_address(client);
    stuff.people.add(&call.request.login, call.request.pword, false).await?;
    Ok(Created(()))
}

/// An administrator adds a user, who may be an administrator too.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct AddUser {
    u: NewUser,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct NewUser {
    login: Login,
    password: Password,
    #[serde(rename = "isAdmin")]
    is_admin: bool,
}

impl Operation for AddUser {
    const ROUTE: Route = Route::post("stuff", "/users-mgt");
    type Policy = In<Admin>;
    type Reply = Created<i64>;
    fn check(&self, faults: &mut Faults) {
        check_password("u.password", &self.u.password, faults);
    }
}

async fn add_user(stuff: Stuff, call: Call<AddUser, Stuff>) -> Result<Created<i64>, Failure> {
    let user = call.request.u;
    Ok(Created(stuff.people.add(&user.login, user.password, user.is_admin).await?))
}

/// A token, for login and password.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct SignIn {}

impl Operation for SignIn {
    const ROUTE: Route = Route::get("stuff", "/login").accepts(&[Scheme::Basic]);
    type Policy = Signed;
    type Reply = String;
}

async fn sign_in(stuff: Stuff, call: Call<SignIn, Stuff>) -> Result<String, Failure> {
    Ok(stuff.tokens.make(&call.by().login, TOKEN_LIFE).map_err(Problem::internal)?)
}

/// Who is calling.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct WhoAmI {}

impl Operation for WhoAmI {
    const ROUTE: Route = Route::get("stuff", "/whoami");
    type Policy = Signed;
    type Reply = String;
}

async fn who_am_i(_: Stuff, call: Call<WhoAmI, Stuff>) -> Result<String, Failure> {
    Ok(call.by().login.clone())
}

/// The same, with a token only.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct QuiSuisJe {}

impl Operation for QuiSuisJe {
    const ROUTE: Route = Route::get("stuff", "/qui-suis-je").accepts(Scheme::TOKENS);
    type Policy = Signed;
    type Reply = String;
}

async fn qui_suis_je(_: Stuff, call: Call<QuiSuisJe, Stuff>) -> Result<String, Failure> {
    Ok(call.by().login.clone())
}

/// A word for users.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Hello {}

impl Operation for Hello {
    const ROUTE: Route = Route::get("stuff", "/hello");
    type Policy = Signed;
    type Reply = String;
}

async fn hello(_: Stuff, call: Call<Hello, Stuff>) -> Result<String, Failure> {
    Ok(format!("hello {}!", call.by().login))
}

/// A word for administrators.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct HelloAdmin {}

impl Operation for HelloAdmin {
    const ROUTE: Route = Route::get("stuff", "/admin");
    type Policy = In<Admin>;
    type Reply = String;
}

async fn hello_admin(_: Stuff, call: Call<HelloAdmin, Stuff>) -> Result<String, Failure> {
    Ok(format!("hello admin {}!", call.by().login))
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Stuff>) -> Api<Stuff> {
    let api = api.serve(register).serve(add_user).serve(sign_in);
    api.serve(who_am_i).serve(qui_suis_je).serve(hello).serve(hello_admin)
}
