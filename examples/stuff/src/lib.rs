//! Things, people, and who may see what: the application of a course on back ends, on the security layer.
//!
//! Each file is one subject: its operations (route, policy, reply) and what they do. This one puts them together.
#![warn(missing_docs)]

mod compute;
mod exercise;
mod owned;
mod people;
pub mod store;
mod stuff;

use std::sync::Arc;
use std::time::Duration;

use ::store::{Database, Store};
use aaa::{Api, Audit, Credentials, Gate, Hasher, Misconfigured, Module, Problem, Readable, Throttle};
use chassis::{AuditLog, Failure};
use vocabulary::{Chance, Clock};

use people::Everyone;

/// What credentials and tokens belong to.
const REALM: &str = "stuff";
/// How long a token is good for.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// The service. Clones share everything.
#[derive(Clone)]
pub struct Stuff {
    store: Store,
    people: Everyone,
    tokens: Readable,
    throttle: Throttle,
}

impl Stuff {
    /// Opens the database; an empty one is made ready and filled with what the course begins with.
    pub async fn open(database: &Database, secret: &[u8; 32], clock: Clock, chance: Chance) -> Result<Self, Problem> {
        let store = Store::open(database, &[], clock.clone()).await.map_err(Failure::from)?;
        store::create(&store).await.map_err(Failure::from)?;
        if store::is_empty(&store).await.map_err(Failure::from)? {
            store::load(&store, None).await?;
        }
        let people = Everyone::new(store.clone(), Hasher::new(2, chance)?);
        let throttle = Throttle::new(clock.clone());
        let tokens = Readable::new(REALM, None, &hex::encode(secret), clock).map_err(Problem::internal)?;
        Ok(Self { store, people, tokens, throttle })
    }

    /// What is asked of every caller, before their request is read.
    fn gate(&self, audit: Arc<dyn Audit>, chance: Chance) -> Gate {
        let credentials = Credentials::new(REALM)
            .people(self.people.clone())
            .bearer(self.tokens.clone())
            .basic()
            .parameters("USER", "PASS");
        let gate = Gate::new(credentials, audit, self.store.clock().clone(), chance);
        gate.slowed_by(self.throttle.clone()).saying(error_member)
    }

    /// The operations, mounted. Decisions are kept in the database.
    pub fn module(self, chance: Chance) -> Result<Module, Misconfigured> {
        let audit = Arc::new(AuditLog::start(self.store.clone(), chance.clone()));
        let gate = self.gate(audit, chance);
        let compute = compute::mount(Api::new(self.clone(), gate.clone())).finish()?.under("/cmp");
        let api = Api::new(self, gate);
        Ok(exercise::mount(owned::mount(people::mount(stuff::mount(api)))).finish()?.and(compute))
    }
}

/// The course's clients look for what went wrong under this name.
fn error_member(problem: &Problem) -> Vec<(&'static str, serde_json::Value)> {
    let faults = problem.faults().iter().map(|fault| format!("parameter \"{}\" {}", fault.field, fault.detail));
    let faults = faults.collect::<Vec<_>>().join("; ");
    let error = if faults.is_empty() { problem.sentence().to_owned() } else { faults };
    vec![("error", error.into())]
}

/// 404, unless something was found.
fn found<T>(found: Option<T>) -> Result<T, Failure> {
    Ok(found.ok_or_else(Problem::not_found)?)
}

/// 404, unless something was changed.
fn changed(rows: u64) -> Result<aaa::Done, Failure> {
    if rows == 0 { Err(Problem::not_found().into()) } else { Ok(aaa::Done) }
}

/// The number that the database gave to what was added.
fn numbered(id: Option<i64>) -> Result<i64, Failure> {
    Ok(id.ok_or_else(|| Problem::internal("the database gave no number"))?)
}
