use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Ask {
    id: u32,
}

// Closed by default: an operation without a policy is none.
impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{id}");
    type Reply = Done;
}

fn main() {}
