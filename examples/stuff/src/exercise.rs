//! The course's exercise: owners and their things. Anybody reads; who signed in changes.

use aaa::{Api, Call, Created, Done, Fields, Open, Operation, Route, Signed};
use chassis::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{FromRow, Row, StoreError, params};
use vocabulary::{Email, Text};

use crate::store::{
    ADD_OWNER, ADD_THING, CHANGE_OWNER, CHANGE_THING, DELETE_OWNER, DELETE_THING, GET_OWNER, GET_THING, LIST_OWNERS,
    LIST_THINGS,
};
use crate::{Stuff, changed, found, numbered};

type Name = Text<1, 100>;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Owner {
    oid: i64,
    oname: String,
    omail: String,
}

impl FromRow for Owner {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { oid: row.get("oid")?, oname: row.get("oname")?, omail: row.get("omail")? })
    }
}

/// A thing and what it is worth, in cents.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Thing {
    tid: i64,
    tname: String,
    oid: i64,
    tprice: i64,
}

impl FromRow for Thing {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { tid: row.get("tid")?, tname: row.get("tname")?, oid: row.get("oid")?, tprice: row.get("tprice")? })
    }
}

/// Everybody who owns things.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListOwners {}

impl Operation for ListOwners {
    const ROUTE: Route = Route::get("stuff", "/owners");
    type Policy = Open;
    type Reply = Vec<Owner>;
}

async fn list_owners(stuff: Stuff, _: Call<ListOwners, Stuff>) -> Result<Vec<Owner>, Failure> {
    Ok(stuff.store.all(&LIST_OWNERS, &[]).await?)
}

/// One owner.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct GetOwner {
    oid: i64,
}

impl Operation for GetOwner {
    const ROUTE: Route = Route::get("stuff", "/owners/{oid}");
    type Policy = Open;
    type Reply = Owner;
}

async fn get_owner(stuff: Stuff, call: Call<GetOwner, Stuff>) -> Result<Owner, Failure> {
    found(stuff.store.one(&GET_OWNER, params![call.request.oid]).await?)
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AddedOwner {
    oid: i64,
}

/// A further owner.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct AddOwner {
    oname: Name,
    omail: Email,
}

impl Operation for AddOwner {
    const ROUTE: Route = Route::post("stuff", "/owners").anywhere();
    type Policy = Signed;
    type Reply = Created<AddedOwner>;
}

async fn add_owner(stuff: Stuff, call: Call<AddOwner, Stuff>) -> Result<Created<AddedOwner>, Failure> {
    let owner = call.request;
    let oid = numbered(stuff.store.write(&ADD_OWNER, params![&owner.oname, &owner.omail]).await?)?;
    Ok(Created(AddedOwner { oid }))
}

/// Another name and address for an owner.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct PutOwner {
    oid: i64,
    oname: Name,
    omail: Email,
}

impl Operation for PutOwner {
    const ROUTE: Route = Route::put("stuff", "/owners/{oid}").anywhere();
    type Policy = Signed;
    type Reply = Done;
}

async fn put_owner(stuff: Stuff, call: Call<PutOwner, Stuff>) -> Result<Done, Failure> {
    let owner = call.request;
    changed(stuff.store.write(&CHANGE_OWNER, params![owner.oid, &owner.oname, &owner.omail]).await?)
}

/// Removes an owner who owns nothing any more.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct DeleteOwner {
    oid: i64,
}

impl Operation for DeleteOwner {
    const ROUTE: Route = Route::delete("stuff", "/owners/{oid}");
    type Policy = Signed;
    type Reply = Done;
}

async fn delete_owner(stuff: Stuff, call: Call<DeleteOwner, Stuff>) -> Result<Done, Failure> {
    changed(stuff.store.write(&DELETE_OWNER, params![call.request.oid]).await?)
}

/// Every thing, or those of one owner.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListThings {
    oid: Option<i64>,
}

impl Operation for ListThings {
    const ROUTE: Route = Route::get("stuff", "/things").anywhere();
    type Policy = Open;
    type Reply = Vec<Thing>;
}

async fn list_things(stuff: Stuff, call: Call<ListThings, Stuff>) -> Result<Vec<Thing>, Failure> {
    Ok(stuff.store.all(&LIST_THINGS, params![call.request.oid]).await?)
}

/// One thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct GetThing {
    tid: i64,
}

impl Operation for GetThing {
    const ROUTE: Route = Route::get("stuff", "/things/{tid}");
    type Policy = Open;
    type Reply = Thing;
}

async fn get_thing(stuff: Stuff, call: Call<GetThing, Stuff>) -> Result<Thing, Failure> {
    found(stuff.store.one(&GET_THING, params![call.request.tid]).await?)
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AddedThing {
    tid: i64,
}

/// A further thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct AddThing {
    tname: Name,
    oid: i64,
    tprice: u32,
}

impl Operation for AddThing {
    const ROUTE: Route = Route::post("stuff", "/things").anywhere();
    type Policy = Signed;
    type Reply = Created<AddedThing>;
}

async fn add_thing(stuff: Stuff, call: Call<AddThing, Stuff>) -> Result<Created<AddedThing>, Failure> {
    let thing = call.request;
    let tid = numbered(stuff.store.write(&ADD_THING, params![&thing.tname, thing.oid, thing.tprice]).await?)?;
    Ok(Created(AddedThing { tid }))
}

/// Another name, owner and price for a thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct PutThing {
    tid: i64,
    tname: Name,
    oid: i64,
    tprice: u32,
}

impl Operation for PutThing {
    const ROUTE: Route = Route::put("stuff", "/things/{tid}").anywhere();
    type Policy = Signed;
    type Reply = Done;
}

async fn put_thing(stuff: Stuff, call: Call<PutThing, Stuff>) -> Result<Done, Failure> {
    let thing = call.request;
    let values = params![thing.tid, &thing.tname, thing.oid, thing.tprice];
    changed(stuff.store.write(&CHANGE_THING, values).await?)
}

/// Removes a thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct DeleteThing {
    tid: i64,
}

impl Operation for DeleteThing {
    const ROUTE: Route = Route::delete("stuff", "/things/{tid}");
    type Policy = Signed;
    type Reply = Done;
}

async fn delete_thing(stuff: Stuff, call: Call<DeleteThing, Stuff>) -> Result<Done, Failure> {
    changed(stuff.store.write(&DELETE_THING, params![call.request.tid]).await?)
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Stuff>) -> Api<Stuff> {
    let api = api.serve(list_owners).serve(get_owner).serve(add_owner).serve(put_owner).serve(delete_owner);
    api.serve(list_things).serve(get_thing).serve(add_thing).serve(put_thing).serve(delete_thing)
}
