use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Ask {
    id: u32,
}

impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{id}");
    type Policy = Open;
    type Reply = Done;
}

#[derive(Clone)]
struct Shop;

// Whoever calls an open operation is nobody in particular.
async fn ask(_: Shop, call: Call<Ask, Shop>) -> Result<Done, Problem> {
    let _ = call.by();
    Ok(Done)
}

fn main() {
    let _ = Api::<Shop>::listing().serve(ask);
}
