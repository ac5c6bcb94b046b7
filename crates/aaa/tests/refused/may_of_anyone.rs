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
impl On<u32> for Ask {
    fn on(&self) -> u32 {
        self.id
    }
}
// An object permission needs somebody who holds it.
impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{id}");
    type Policy = May<Open, AskRight>;
    type Reply = Done;
}

fn main() {}
