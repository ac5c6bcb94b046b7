//! Things that anybody may list, read, add, change and remove.

use aaa::{Api, Call, Created, Done, Fields, Open, Operation, Route};
use chassis::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{FromRow, Row, StoreError, params};
use time::macros::format_description;
use vocabulary::{Text, Timestamp};

use crate::store::{ADD_STUFF, CHANGE_STUFF, DELETE_STUFF, GET_STUFF, LIST_STUFF, NOW};
use crate::{REALM, Stuff, changed, found, numbered};

/// What a thing is called, and a pattern of it.
type Name = Text<1, 100>;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Thing {
    sid: i64,
    stuff: String,
}

impl FromRow for Thing {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { sid: row.get("sid")?, stuff: row.get("stuff")? })
    }
}

/// Whether the program and its database answer.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct GetVersion {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Version {
    app: String,
    now: String,
    /// Nobody: who calls is not asked here.
    user: Option<String>,
}

impl Operation for GetVersion {
    const ROUTE: Route = Route::get("stuff", "/version");
    type Policy = Open;
    type Reply = Version;
}

async fn version(stuff: Stuff, _: Call<GetVersion, Stuff>) -> Result<Version, Failure> {
    let now = Timestamp::from_seconds(numbered(stuff.store.read().await?.run(&NOW, &[]).await?)?);
    let date =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let now = now.utc().format(date).map_err(aaa::Problem::internal)?;
    Ok(Version { app: REALM.into(), now, user: None })
}

/// All things, or those like a pattern: `%` stands for anything, `_` for one character.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListStuff {
    filter: Option<Name>,
}

impl Operation for ListStuff {
    const ROUTE: Route = Route::get("stuff", "/stuff").anywhere();
    type Policy = Open;
    type Reply = Vec<Thing>;
}

async fn list(stuff: Stuff, call: Call<ListStuff, Stuff>) -> Result<Vec<Thing>, Failure> {
    Ok(stuff.store.all(&LIST_STUFF, params![call.request.filter.as_ref()]).await?)
}

/// One thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct GetStuff {
    sid: i64,
}

impl Operation for GetStuff {
    const ROUTE: Route = Route::get("stuff", "/stuff/{sid}").anywhere();
    type Policy = Open;
    type Reply = Thing;
}

async fn get(stuff: Stuff, call: Call<GetStuff, Stuff>) -> Result<Thing, Failure> {
    found(stuff.store.one(&GET_STUFF, params![call.request.sid]).await?)
}

/// A further thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct AddStuff {
    stuff: Name,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Added {
    sid: i64,
}

impl Operation for AddStuff {
    const ROUTE: Route = Route::post("stuff", "/stuff").anywhere();
    type Policy = Open;
    type Reply = Created<Added>;
}

async fn add(stuff: Stuff, call: Call<AddStuff, Stuff>) -> Result<Created<Added>, Failure> {
    let sid = numbered(stuff.store.write(&ADD_STUFF, params![&call.request.stuff]).await?)?;
    Ok(Created(Added { sid }))
}

/// Another name for a thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct PatchStuff {
    sid: i64,
    stuff: Name,
}

impl Operation for PatchStuff {
    const ROUTE: Route = Route::patch("stuff", "/stuff/{sid}").anywhere();
    type Policy = Open;
    type Reply = Done;
}

/// The same: a thing is nothing but its name.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct PutStuff {
    sid: i64,
    stuff: Name,
}

impl Operation for PutStuff {
    const ROUTE: Route = Route::put("stuff", "/stuff/{sid}").anywhere();
    type Policy = Open;
    type Reply = Done;
}

async fn patch(stuff: Stuff, call: Call<PatchStuff, Stuff>) -> Result<Done, Failure> {
    rename(&stuff, call.request.sid, &call.request.stuff).await
}

async fn put(stuff: Stuff, call: Call<PutStuff, Stuff>) -> Result<Done, Failure> {
    rename(&stuff, call.request.sid, &call.request.stuff).await
}

async fn rename(stuff: &Stuff, sid: i64, name: &Name) -> Result<Done, Failure> {
    changed(stuff.store.write(&CHANGE_STUFF, params![sid, name]).await?)
}

/// Removes a thing.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct DeleteStuff {
    sid: i64,
}

impl Operation for DeleteStuff {
    const ROUTE: Route = Route::delete("stuff", "/stuff/{sid}").anywhere();
    type Policy = Open;
    type Reply = Done;
}

async fn delete(stuff: Stuff, call: Call<DeleteStuff, Stuff>) -> Result<Done, Failure> {
    changed(stuff.store.write(&DELETE_STUFF, params![call.request.sid]).await?)
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Stuff>) -> Api<Stuff> {
    api.serve(version).serve(list).serve(get).serve(add).serve(patch).serve(put).serve(delete)
}
