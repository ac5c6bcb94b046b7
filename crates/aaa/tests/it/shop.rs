//! A shop that lends things: open, signed-in, group and object policies; query, JSON and form.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aaa::*;
use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt;
use vocabulary::{Chance, Clock, Timestamp};

pub(crate) struct Keeper;
impl Group for Keeper {
    const NAME: &'static str = "keeper";
}

pub(crate) struct LendThing;
impl Right for LendThing {
    const NAME: &'static str = "lend thing";
    type Id = u32;
}

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub(crate) struct Greet {}
impl Operation for Greet {
    const ROUTE: Route = Route::get("shop", "/greeting");
    type Policy = Open;
    type Reply = String;
}

#[derive(Serialize, Deserialize, JsonSchema, Fields, Debug, PartialEq, Clone)]
pub(crate) struct FindThings {
    pub(crate) shelf: String,
    pub(crate) most: Option<u16>,
    #[serde(default)]
    pub(crate) rare: bool,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}
impl Operation for FindThings {
    const ROUTE: Route = Route::get("shop", "/shelves/{shelf}/things");
    type Policy = Signed;
    type Reply = FindThings;
}

#[derive(Serialize, Deserialize, JsonSchema, Debug, PartialEq, Clone)]
pub(crate) struct Borrower {
    pub(crate) name: String,
    pub(crate) age: u8,
}

#[derive(Serialize, Deserialize, JsonSchema, Fields, Debug, PartialEq, Clone)]
pub(crate) struct Lend {
    pub(crate) thing: u32,
    pub(crate) days: u8,
    pub(crate) price: vocabulary::Amount,
    pub(crate) borrower: Borrower,
    pub(crate) note: Option<String>,
}
impl On<u32> for Lend {
    fn on(&self) -> u32 {
        self.thing
    }
}
impl Operation for Lend {
    const ROUTE: Route = Route::post("shop", "/loans").idempotent().body_limit(2000);
    type Policy = May<In<Keeper>, LendThing>;
    type Reply = Created<Lend>;
    fn check(&self, faults: &mut Faults) {
        if self.days == 0 {
            faults.add("days", "must be at least one");
        }
    }
}

#[derive(Serialize, Deserialize, JsonSchema, Fields)]
pub(crate) struct Break {}
impl Operation for Break {
    const ROUTE: Route = Route::post("shop", "/breakage");
    type Policy = Signed;
    type Reply = Done;
}

#[derive(Clone)]
pub(crate) struct Shop;

impl Guard<LendThing> for Shop {
    type Row = &'static str;
    async fn check(&self, _: &Principal, id: u32) -> Result<Verdict<&'static str>, Problem> {
        Ok(match id {
            1 => Verdict::Granted("lawn mower"),
            2 => Verdict::Refused("It is being mended."),
            _ => Verdict::Unseen,
        })
    }
}

async fn greet(_: Shop, _: Call<Greet, Shop>) -> Result<String, Problem> {
    Ok("welcome".into())
}
async fn find(_: Shop, call: Call<FindThings, Shop>) -> Result<FindThings, Problem> {
    Ok(call.request)
}
async fn lend(_: Shop, call: Call<Lend, Shop>) -> Result<Created<Lend>, Problem> {
    assert_eq!(*call.object(), "lawn mower");
    Ok(Created(call.request))
}
async fn shatter(_: Shop, call: Call<Break, Shop>) -> Result<Done, Problem> {
    panic!("dropped by {}", call.by().login)
}

#[derive(Default)]
pub(crate) struct Notes(pub Mutex<Vec<Decision>>);
impl Audit for Notes {
    fn note(&self, decided: Decided) {
        self.0.lock().unwrap().push(decided.record());
    }
}

pub(crate) struct Fixture {
    pub(crate) clock: Clock,
    pub(crate) signer: Signer,
    pub(crate) notes: Arc<Notes>,
    pub(crate) module: Module,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let signer = Signer::from_seed(&[1; 32], "shop", "shop").unwrap();
        let verifier = Verifier::new("shop", "shop", clock.clone());
        verifier.trust(&signer.jwks());
        let notes = Arc::new(Notes::default());
        let gate =
            Gate::new(Credentials::new("shop").bearer(verifier), notes.clone(), clock.clone(), Chance::seeded(1));
        let module = Api::new(Shop, gate).serve(greet).serve(find).serve(lend).serve(shatter).finish().unwrap();
        Self { clock, signer, notes, module }
    }

    pub(crate) fn token(&self, groups: &[&str]) -> String {
        let now = self.clock.now();
        let kim = Principal::named("kim", groups.iter().copied()).during(now, now.plus(Duration::from_mins(10)));
        self.signer.sign(&self.signer.claims(&Principal { name: "Kim".into(), ..kim })).unwrap()
    }

    pub(crate) fn caller(&self, groups: &[&str]) -> Caller {
        let directory = Directory::default();
        directory.set("shop", Transport::in_process(self.module.router.clone()));
        directory.caller().with_token(self.token(groups))
    }

    /// Sends a request with headers as given; answers status, `WWW-Authenticate` and JSON body.
    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.module.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status();
        let challenge = response.headers().get(header::WWW_AUTHENTICATE).map(|it| it.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, challenge, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    pub(crate) async fn as_keeper(&self, method: &str, uri: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let bearer = format!("Bearer {}", self.token(&["keeper"]));
        self.send(method, uri, &[("authorization", &bearer), ("content-type", content_type)], body).await
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// `field: detail` of every fault, sorted.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<_> = self.body["errors"]
            .as_array()
            .map(|errors| {
                errors
                    .iter()
                    .map(|it| format!("{}: {}", it["field"].as_str().unwrap(), it["detail"].as_str().unwrap()))
                    .collect()
            })
            .unwrap_or_default();
        faults.sort();
        faults
    }
}
