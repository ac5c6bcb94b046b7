//! What every service answers about itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use aaa::{Api, Call, Fields, Open, Operation, Problem, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that must hold, and whether it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Truth {
    /// What must hold: "entries sum to zero".
    pub name: String,
    /// Whether it does.
    pub holds: bool,
}

impl Truth {
    /// States whether `name` holds.
    pub fn new(name: impl Into<String>, holds: bool) -> Self {
        Self { name: name.into(), holds }
    }
}

/// A number that tells how much or how old something is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measure {
    /// In lower case, with its unit at its end: `outbox_oldest_seconds`.
    pub name: String,
    /// What it means, in a sentence.
    pub help: String,
    /// How much it is now.
    pub value: f64,
}

impl Measure {
    /// States that `name` is so much now.
    pub fn new(name: &str, help: &str, value: f64) -> Self {
        Self { name: name.to_owned(), help: help.to_owned(), value }
    }

    /// States that there are so many; beyond four billions it is four billions.
    pub fn count(name: &str, help: &str, count: impl TryInto<u32>) -> Self {
        Self::new(name, help, f64::from(count.try_into().unwrap_or(u32::MAX)))
    }
}

/// A service that knows how it does.
pub trait Health: Clone + Send + Sync + 'static {
    /// Whether it can serve now; the reason if not. Asked every second: must be cheap and bounded in time.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
    /// The invariants it can check by itself.
    fn truths(&self) -> impl Future<Output = Vec<Truth>> + Send;
    /// What can be counted of it, for those who watch over time. What it cannot count now is missing.
    fn measures(&self) -> impl Future<Output = Vec<Measure>> + Send {
        std::future::ready(Vec::new())
    }
}

/// The version of the program.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Semantic version.
    pub version: String,
}

/// What a service says when nothing is wrong.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Well {
    /// Always true: what is not well answers 503.
    pub ok: bool,
}

macro_rules! about_itself {
    ($($(#[$doc:meta])* $name:ident $path:literal => $reply:ty;)+) => {$(
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema, Fields)]
        pub struct $name {}
        impl Operation for $name {
            const ROUTE: Route = Route::get("", $path);
            type Policy = Open;
            type Reply = $reply;
        }
    )+};
}

about_itself! {
    /// The process runs.
    Live "/health/live" => Well;
    /// The service can serve; 503 if it cannot.
    Ready "/health/ready" => Well;
    /// Which version runs.
    GetVersion "/version" => Version;
    /// What must hold, and whether it does.
    GetTruths "/health/truths" => Vec<Truth>;
    /// What can be counted.
    GetMeasures "/health/measures" => Vec<Measure>;
}

async fn live<S: Health>(_: S, _: Call<Live, S>) -> Result<Well, Problem> {
    Ok(Well { ok: true })
}

async fn ready<S: Health>(service: S, _: Call<Ready, S>) -> Result<Well, Problem> {
    service.ready().await.map(|()| Well { ok: true }).map_err(|reason| Problem::unavailable(1, reason))
}

async fn version<S: Health>(_: S, _: Call<GetVersion, S>) -> Result<Version, Problem> {
    Ok(Version { version: env!("CARGO_PKG_VERSION").into() })
}

async fn truths<S: Health>(service: S, _: Call<GetTruths, S>) -> Result<Vec<Truth>, Problem> {
    Ok(service.truths().await)
}

async fn measures<S: Health>(service: S, _: Call<GetMeasures, S>) -> Result<Vec<Measure>, Problem> {
    Ok(service.measures().await)
}

/// What somebody else can check about a service: whether what it tells arrives. Clones share it.
#[derive(Clone, Default)]
pub struct Further(Arc<OnceLock<Check>>);

impl std::fmt::Debug for Further {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Further").finish_non_exhaustive()
    }
}

type Check = Box<dyn Fn() -> Pin<Box<dyn Future<Output = (Vec<Truth>, Vec<Measure>)> + Send>> + Send + Sync>;

impl Further {
    /// Checks these too, from now on; only the first time counts.
    pub fn set<Fut>(&self, check: impl Fn() -> Fut + Send + Sync + 'static)
    where
        Fut: Future<Output = (Vec<Truth>, Vec<Measure>)> + Send + 'static,
    {
        // A second check of the same would say the same.
        let _ = self.0.set(Box::new(move || Box::pin(check())));
    }

    /// As they are now.
    pub async fn truths(&self) -> Vec<Truth> {
        self.look().await.0
    }

    /// As they are now.
    pub async fn measures(&self) -> Vec<Measure> {
        self.look().await.1
    }

    async fn look(&self) -> (Vec<Truth>, Vec<Measure>) {
        match self.0.get() {
            Some(check) => check().await,
            None => Default::default(),
        }
    }
}

/// Mounts what every service answers about itself.
pub fn common<S: Health>(api: Api<S>) -> Api<S> {
    api.serve(live::<S>).serve(ready::<S>).serve(version::<S>).serve(truths::<S>)
}

/// Mounts what a service counts of itself, for the monitor.
pub fn counted<S: Health>(api: Api<S>) -> Api<S> {
    api.serve(measures::<S>)
}
