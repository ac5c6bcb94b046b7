use aaa::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct Approve {
    id: u32,
}
impl On<u32> for Approve {
    fn on(&self) -> u32 {
        self.id
    }
}

struct Decide;
impl Right for Decide {
    const NAME: &'static str = "decide";
    type Id = u32;
}

impl Operation for Approve {
    const ROUTE: Route = Route::post("shop", "/asks/{id}/approve");
    type Policy = FourEyes<Signed, Decide>;
    type Reply = Done;
}

// The row does not say whom it concerns.
struct Shop;
impl Guard<Decide> for Shop {
    type Row = u32;
    async fn check(&self, _: &Principal, id: u32) -> Result<Verdict<u32>, Problem> {
        Ok(Verdict::Granted(id))
    }
}

fn enforced<O: Operation<Policy: Enforce<O, S>>, S>() {}

fn main() {
    enforced::<Approve, Shop>();
}
