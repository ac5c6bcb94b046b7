//! The right use compiles; that it is built, and not only checked, also evaluates what is asserted while compiling.

use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Ask {
    id: u32,
    #[serde(rename = "type")]
    kind: String,
}

struct Keeper;
impl Group for Keeper {
    const NAME: &'static str = "keeper";
}

impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{id}/{type}");
    type Policy = In<Keeper>;
    type Reply = Done;
}

fn main() {
    let entries = Api::<()>::listing().serve(|(), _: Call<Ask, ()>| async { Ok::<_, Problem>(Done) }).entries();
    assert_eq!(entries.len(), 1);
}
