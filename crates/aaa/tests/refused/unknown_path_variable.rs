use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Ask {
    id: u32,
}

// The path says `number`, the request `id`.
impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{number}");
    type Policy = Open;
    type Reply = Done;
}

fn main() {
    let _ = Api::<()>::listing().serve(|(), _: Call<Ask, ()>| async { Ok::<_, Problem>(Done) });
}
