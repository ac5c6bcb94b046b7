//! Authors and their books, each seen by who wrote them down: signed tokens (JWT) on the security layer.
//!
//! `users.rs` and `authors.rs` hold one subject each: its operations (route, policy, reply) and what they do.
#![warn(missing_docs)]

mod authors;
pub mod store;
mod users;

use std::sync::Arc;
use std::time::Duration;

use ::store::{Database, Store};
use aaa::{Api, Credentials, Gate, Hasher, Misconfigured, Module, Problem, Signer, Throttle, Verifier};
use chassis::{AuditLog, Failure};
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Chance, Clock};

use users::Users;

/// Who signs tokens, and for whom.
const NAME: &str = "library";
/// How long a token is good for.
const TOKEN_LIFE: Duration = Duration::from_mins(30);

/// The service. Clones share everything.
#[derive(Clone)]
pub struct Library {
    store: Store,
    users: Users,
    signer: Arc<Signer>,
    throttle: Throttle,
    clock: Clock,
    chance: Chance,
}

/// What was done, in words.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Message {
    message: String,
}

impl Message {
    fn new(message: &str) -> Self {
        Self { message: message.into() }
    }
}

impl Library {
    /// Opens the database, and makes its tables when they are missing.
    pub async fn open(database: &Database, secret: &[u8; 32], clock: Clock, chance: Chance) -> Result<Self, Problem> {
        let store = Store::open(database, store::MIGRATIONS, clock.clone()).await.map_err(Failure::from)?;
        let users = Users::new(store.clone(), Hasher::new(2, chance.clone())?);
        let signer = Signer::from_seed(secret, NAME, NAME).map_err(Problem::internal)?;
        let throttle = Throttle::new(clock.clone());
        Ok(Self { store, users, signer: Arc::new(signer), throttle, clock, chance })
    }

    /// Makes somebody an administrator, from their next sign-in on. False: nobody has this name.
    pub async fn make_admin(&self, name: &str) -> Result<bool, Problem> {
        let changed = self.store.write(&store::MAKE_ADMIN, ::store::params![name]).await.map_err(Failure::from)?;
        Ok(changed > 0)
    }

    /// The operations, mounted. Decisions are kept in the database.
    pub fn module(self) -> Result<Module, Misconfigured> {
        let verifier = Verifier::new(NAME, NAME, self.clock.clone());
        verifier.trust(&self.signer.jwks());
        let credentials = Credentials::new(NAME)
            .people(self.users.clone())
            .header(HeaderName::from_static("x-access-tokens"), verifier.clone())
            .bearer(verifier)
            .basic();
        let audit = AuditLog::start(self.store.clone(), self.chance.clone());
        let gate = Gate::new(credentials, Arc::new(audit), self.clock.clone(), self.chance.clone());
        let gate = gate.slowed_by(self.throttle.clone());
        authors::mount(users::mount(Api::new(self, gate))).finish()
    }
}
