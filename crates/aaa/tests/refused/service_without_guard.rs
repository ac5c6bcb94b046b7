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
impl Operation for Ask {
    const ROUTE: Route = Route::get("shop", "/asks/{id}");
    type Policy = May<Signed, AskRight>;
    type Reply = Done;
}

#[derive(Clone)]
struct Shop;

// The shop cannot tell who holds the right.
async fn ask(_: Shop, _: Call<Ask, Shop>) -> Result<Done, Problem> {
    Ok(Done)
}

fn main() {
    let _ = Api::<Shop>::listing().serve(ask);
}
