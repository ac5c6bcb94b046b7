use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Ask {
    id: u32,
}

struct AskRight;
impl Right for AskRight {
    const NAME: &'static str = "ask";
    type Id = u32;
}

// `Ask` does not say which field names the object.
impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{id}");
    type Policy = May<Signed, AskRight>;
    type Reply = Done;
}

fn main() {}
