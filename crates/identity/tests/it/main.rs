//! The service's promises, called as others call it, on every database.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod factors;
mod importing;
mod limits;
mod links;
mod mailing;
mod managing;
mod notices;
mod passkeys;
mod registering;
mod relay;
mod resetting;
mod sessions;
mod signing_in;
mod tokens;
mod twins;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aaa::{
    Caller, Credentials, Directory, Gate, Hasher, Operation, Password, Problem, Revocation, Transport, Verifier,
};
use axum::Router;
use bus::{Bus, Relay};
use contracts::events::{AUTH_REVOKED, Action, Audience, Level, LogEvent};
use contracts::identity::{Language, Register, SERVICE, SignIn, Tokens, User, UserState};
use contracts::roles::Role;
use identity::{Delivered, ISSUER, Identity, MIGRATIONS, Mailing, NewPerson, Notices, SharedSecret, SigningKey};
use store::Store;
use store::testing::{TestDatabase, databases};
use vocabulary::{Chance, Clock, Timestamp};

const PASSWORD: &str = "velvet anchor tumbles south";
const OTHER_PASSWORD: &str = "brass lantern forgets winter";

/// The service between a real bus and a verifier, as a process holds them; the bank is the other side of the wire.
struct World {
    identity: Identity,
    store: Store,
    clock: Clock,
    directory: Directory,
    router: Router,
    gate: Gate,
    verifier: Verifier,
    relay: Arc<Relay>,
    told: Arc<Mutex<Vec<LogEvent>>>,
    bank: managing::Bank,
    database: Arc<TestDatabase>,
}

async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for database in databases().await.unwrap() {
        worlds.push(World::new(database).await);
    }
    worlds
}

impl World {
    async fn new(database: TestDatabase) -> Self {
        let key = SigningKey::from_seed([3; 32]).unwrap();
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        Self::with(Arc::new(database), clock, &key, &SharedSecret::of(&key), Chance::seeded(7), None).await
    }

    /// One that notes what people are to be told, and sends mails.
    async fn mailing(database: TestDatabase, mailing: Mailing) -> Self {
        let key = SigningKey::from_seed([3; 32]).unwrap();
        let clock = Clock::manual(Timestamp::from_seconds(1_800_000_000));
        let (database, secret) = (Arc::new(database), SharedSecret::of(&key));
        Self::with(database, clock, &key, &secret, Chance::seeded(7), Some(mailing)).await
    }

    /// Another instance on the same database, with keys of its own.
    async fn twin(&self, key: &SigningKey) -> Self {
        let secret = SharedSecret::of(&SigningKey::from_seed([3; 32]).unwrap());
        Self::with(Arc::clone(&self.database), self.clock.clone(), key, &secret, Chance::system(), None).await
    }

    async fn with(
        database: Arc<TestDatabase>,
        clock: Clock,
        key: &SigningKey,
        secret: &SharedSecret,
        chance: Chance,
        mailing: Option<Mailing>,
    ) -> Self {
        let store = Store::open(&database.database, MIGRATIONS, clock.clone()).await.unwrap();
        let verifier = Verifier::new(ISSUER, ISSUER, clock.clone());
        verifier.trust(&key.jwks(clock.now()));

        let (bus, told) = (Bus::in_process(), Arc::new(Mutex::new(Vec::new())));
        let (hears, keeps) = (verifier.clone(), Arc::clone(&told));
        bus.subscribe(AUTH_REVOKED, "verifier", move |envelope| {
            hears.revoke(&serde_json::from_str::<Revocation>(&envelope.payload).unwrap());
            async { Ok(()) }
        });
        bus.subscribe("log.>", "journal", move |envelope| {
            let event: LogEvent = serde_json::from_str(&envelope.payload).unwrap();
            assert_eq!(envelope.subject, event.subject());
            keeps.lock().unwrap().push(event);
            async { Ok(()) }
        });
        if mailing.is_some() {
            let notices = Notices::new(store.clone(), Chance::system(), true);
            bus.subscribe_in_batches("log.>", "notices", move |envelopes| {
                let notices = notices.clone();
                let heard = envelopes.iter().filter_map(|envelope| Notices::read(&envelope.payload)).collect();
                async move { Ok(notices.take(heard).await?) }
            });
        }
        let relay = Arc::new(Relay::start(store.clone(), SERVICE, bus));
        let waits = Arc::clone(&relay);
        let delivered: Delivered = Arc::new(move |within| {
            let relay = Arc::clone(&waits);
            Box::pin(async move {
                assert!(relay.flushed(within.max(Duration::from_secs(20))).await);
            })
        });

        let directory = Directory::default();
        let hasher = Hasher::new(2, chance.clone()).unwrap();
        let identity =
            Identity::new(store.clone(), key, secret, hasher, directory.clone(), chance.clone(), delivered).unwrap();
        let identity = match mailing {
            Some(mailing) => identity.mailing(mailing),
            None => identity,
        };
        let gate = Gate::new(Credentials::new(ISSUER).bearer(verifier.clone()), Arc::new(()), clock.clone(), chance);
        let router = identity.clone().module(gate.clone()).unwrap().router;
        directory.set(SERVICE, Transport::in_process(router.clone()));
        let bank = managing::Bank::new(gate.clone());
        directory.set(contracts::bank::SERVICE, Transport::in_process(bank.router()));
        Self { identity, store, clock, directory, router, gate, verifier, relay, told, bank, database }
    }

    /// A caller without a token.
    fn anyone(&self) -> Caller {
        self.directory.caller()
    }

    /// Somebody who may sign in, created as the command line does.
    async fn person(&self, login: &str, role: Role) -> User {
        self.person_in(login, role, UserState::Active).await
    }

    async fn person_in(&self, login: &str, role: Role, state: UserState) -> User {
        // Identifiers sort by their time: everybody comes at another one.
        self.clock.advance(Duration::from_millis(1));
        let new = NewPerson {
            login: login.parse().unwrap(),
            password: password(PASSWORD),
            email: format!("{login}@example.org").parse().unwrap(),
            first_name: "Camille".parse().unwrap(),
            last_name: "Durand".parse().unwrap(),
            language: Language::En,
        };
        self.identity.create_person(new, role, state).await.unwrap()
    }

    async fn sign_in(&self, login: &str) -> Tokens {
        self.anyone().call(credential(login, PASSWORD)).await.unwrap()
    }

    /// Somebody who may sign in, and did.
    async fn signed_in(&self, login: &str, role: Role) -> (User, Caller) {
        let user = self.person(login, role).await;
        let tokens = self.sign_in(login).await;
        (user, self.as_holder(&tokens))
    }

    fn as_holder(&self, tokens: &Tokens) -> Caller {
        self.anyone().with_token(&tokens.access_token)
    }

    /// Everything told to the journal so far.
    async fn journal(&self) -> Vec<LogEvent> {
        assert!(self.relay.flushed(Duration::from_secs(20)).await);
        self.told.lock().unwrap().clone()
    }

    /// The last event of this kind.
    async fn last(&self, action: Action) -> LogEvent {
        self.journal().await.into_iter().rfind(|event| event.action == action).unwrap()
    }

    /// What the database holds, without the events that come and go and the failures that are counted. and the failures that are counted.
    async fn tables(&self) -> Vec<(String, Vec<String>)> {
        let dump = self.store.dump().await.unwrap();
        dump.into_iter().filter(|(table, _)| !table.starts_with("outbox") && table != "attempts").collect()
    }
}

fn password(text: &str) -> Password {
    text.to_owned().try_into().unwrap()
}

fn credential(login: &str, typed: &str) -> SignIn {
    SignIn::new(login, password(typed))
}

fn registration(login: &str) -> Register {
    Register {
        login: login.parse().unwrap(),
        password: password(PASSWORD),
        email: "camille@example.org".parse().unwrap(),
        first_name: "Camille".parse().unwrap(),
        last_name: "Durand".parse().unwrap(),
        language: None,
    }
}

/// The problem that the call is refused with.
async fn refusal<O: Operation>(caller: &Caller, operation: O) -> Problem {
    caller.call(operation).await.err().unwrap()
}

/// Status and code of the refusal.
async fn refused<O: Operation>(caller: &Caller, operation: O) -> (u16, String) {
    let problem = refusal(caller, operation).await;
    (problem.status().as_u16(), problem.code().to_owned())
}

fn is(refused: &(u16, String), status: u16, code: &str) -> bool {
    *refused == (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_valid_on_every_database() {
    for world in worlds().await {
        assert_eq!(store::check::prepare_all(&world.store, identity::QUERIES).await, Vec::<String>::new());
    }
}

#[test]
fn every_declared_operation_is_served() {
    let served: Vec<&str> = identity::operations().iter().map(|entry| entry.operation).collect();
    assert_eq!(served.len(), 54, "{served:?}");
}
