use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Ask {}

struct Keepers;

// `Keepers` was never declared as a group.
impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks");
    type Policy = In<Keepers>;
    type Reply = Done;
}

fn main() {}
