//! What belongs to somebody: its owner sees it, others are told that it is not theirs.

use aaa::{
    Api, Call, Fields, Guard, In, May, On, Operation, Principal, Problem, Right, Route, Signed, Unseen, Verdict,
};
use chassis::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{FromRow, Row, StoreError, params};

use crate::Stuff;
use crate::people::Admin;
use crate::store::{GET_OBJECT, LIST_OWNED, LIST_OWNED_BY, LOGIN_OF};

/// An owner's right to an object.
struct Owned;

impl Right for Owned {
    const NAME: &'static str = "see object";
    const UNSEEN: Unseen = Unseen::Forbidden;
    type Id = i64;
}

/// Everybody's right to what concerns themselves.
struct Myself;

impl Right for Myself {
    const NAME: &'static str = "see user";
    const UNSEEN: Unseen = Unseen::Forbidden;
    type Id = i64;
}

/// What decides about an object.
struct Belonging {
    object: Object,
    login: String,
}

impl FromRow for Belonging {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let object = Object { oid: row.get("oid")?, object: row.get("object")? };
        Ok(Self { object, login: row.get("login")? })
    }
}

impl Guard<Owned> for Stuff {
    type Row = Object;
    async fn check(&self, by: &Principal, oid: i64) -> Result<Verdict<Object>, Problem> {
        let found = self.store.one::<Belonging>(&GET_OBJECT, params![oid]).await.map_err(Failure::from)?;
        Ok(match found {
            None => Verdict::Missing,
            Some(found) if found.login == by.login => Verdict::Granted(found.object),
            Some(_) => Verdict::Unseen,
        })
    }
}

impl Guard<Myself> for Stuff {
    type Row = ();
    async fn check(&self, by: &Principal, uid: i64) -> Result<Verdict<()>, Problem> {
        let mut tx = self.store.read().await.map_err(Failure::from)?;
        let login = tx.run(&LOGIN_OF, params![uid]).await.map_err(Failure::from)?;
        Ok(match login {
            None => Verdict::Missing,
            Some(login) if login == by.login => Verdict::Granted(()),
            Some(_) => Verdict::Unseen,
        })
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Object {
    oid: i64,
    object: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct OwnedObject {
    oid: i64,
    object: String,
    owner: i64,
}

impl FromRow for OwnedObject {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { oid: row.get("oid")?, object: row.get("object")?, owner: row.get("owner")? })
    }
}

/// What belongs to whom.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListOwned {}

impl Operation for ListOwned {
    const ROUTE: Route = Route::get("stuff", "/owned");
    type Policy = In<Admin>;
    type Reply = Vec<OwnedObject>;
}

async fn list_owned(stuff: Stuff, _: Call<ListOwned, Stuff>) -> Result<Vec<OwnedObject>, Failure> {
    Ok(stuff.store.all(&LIST_OWNED, &[]).await?)
}

/// The same.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListObjects {}

impl Operation for ListObjects {
    const ROUTE: Route = Route::get("stuff", "/object");
    type Policy = In<Admin>;
    type Reply = Vec<OwnedObject>;
}

async fn list_objects(stuff: Stuff, _: Call<ListObjects, Stuff>) -> Result<Vec<OwnedObject>, Failure> {
    Ok(stuff.store.all(&LIST_OWNED, &[]).await?)
}

/// What belongs to one user.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListOwnedBy {
    uid: i64,
}

impl On<i64> for ListOwnedBy {
    fn on(&self) -> i64 {
        self.uid
    }
}

impl Operation for ListOwnedBy {
    const ROUTE: Route = Route::get("stuff", "/owned/{uid}");
    type Policy = May<Signed, Myself>;
    type Reply = Vec<OwnedObject>;
}

async fn list_owned_by(stuff: Stuff, call: Call<ListOwnedBy, Stuff>) -> Result<Vec<OwnedObject>, Failure> {
    Ok(stuff.store.all(&LIST_OWNED_BY, params![call.request.uid]).await?)
}

/// One object.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct GetObject {
    oid: i64,
}

impl On<i64> for GetObject {
    fn on(&self) -> i64 {
        self.oid
    }
}

impl Operation for GetObject {
    const ROUTE: Route = Route::get("stuff", "/object/{oid}");
    type Policy = May<Signed, Owned>;
    type Reply = Object;
}

async fn get_object(_: Stuff, call: Call<GetObject, Stuff>) -> Result<Object, Failure> {
    Ok(call.object().clone())
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Stuff>) -> Api<Stuff> {
    api.serve(list_owned).serve(list_objects).serve(list_owned_by).serve(get_object)
}
