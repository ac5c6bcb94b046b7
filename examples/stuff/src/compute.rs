//! Two computations for whoever signed in: a module of its own, mounted under a prefix.

use aaa::{Api, Call, Fields, Operation, Password, Problem, Route, Signed};
use chassis::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Stuff;

/// The sum of two numbers.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Add {
    i: i64,
    j: i64,
}

impl Operation for Add {
    const ROUTE: Route = Route::get("compute", "/add").anywhere();
    type Policy = Signed;
    type Reply = i64;
}

async fn add(_: Stuff, call: Call<Add, Stuff>) -> Result<i64, Failure> {
    let sum = call.request.i.checked_add(call.request.j);
    Ok(sum.ok_or_else(|| Problem::fault("j", "makes the sum too large"))?)
}

/// A password as it would be stored.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Hash {
    apass: Password,
}

impl Operation for Hash {
    const ROUTE: Route = Route::get("compute", "/hash").anywhere();
    type Policy = Signed;
    type Reply = String;
}

async fn hash(stuff: Stuff, call: Call<Hash, Stuff>) -> Result<String, Failure> {
    Ok(stuff.people.hash(call.request.apass).await?.as_str().to_owned())
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Stuff>) -> Api<Stuff> {
    api.serve(add).serve(hash)
}
