//! The service itself: what it is made of, what it offers, who may see and manage whom, and how it does.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aaa::{
    Api, Call, Directory, Entry, Gate, Guard, Hasher, IdempotencyKey, Jwks, Misconfigured, Module, Principal, Problem,
    Revocation, Signer, Throttle, Verdict,
};
use chassis::{Further, Health, Measure, Truth};
use contracts::events::{AUTH_REVOKED, LogEvent};
use contracts::identity::{ManageUser, SeeUser, User};
use contracts::peers::{GetTrusted, Trusted};
use sha2::{Digest, Sha256};
use store::{Once, Store, StoreError, Transaction};
use vocabulary::{Chance, Clock, SessionId, Timestamp, UserId};

use crate::error::Error;
use crate::events::Events;
use crate::mails::{self, Mailing, Rest};
use crate::passkeys::Ceremonies;
use crate::person::{self, Person};
use crate::session::REMEMBERED;
use crate::shared_secret::SharedSecret;
use crate::signing_key::{SigningKey, SigningKeyError};
use crate::store as rows;
use crate::strength::RefusedPasswords;
use crate::totp::Vault;

/// Waits until everything told so far was delivered to this process's subscribers, at most so long.
pub type Delivered = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// For programs without a bus: nothing is waited for.
pub fn delivered_at_once() -> Delivered {
    Arc::new(|_| Box::pin(std::future::ready(())))
}

/// How long the key of an instance that is not heard of is believed: longer than access tokens live, and than a database
/// is away. Personal tokens keep theirs believed for as long as they live.
const BELIEVED: Duration = Duration::from_hours(1);
/// Verifiers ask for the keys each second; a key that was published for so long is known to all that can hear at all.
const HEARD: Duration = Duration::from_secs(3);

/// How long a mail may wait for its relay before that shows.
const WAITING: Duration = Duration::from_hours(1);
/// So many mails that were given up within a day are no mistyped addresses any more. The journal names each.
const FAILED: i64 = 20;
const DAY: Duration = Duration::from_hours(24);
/// How long an answer waits for a revocation to reach every verifier of the process.
const DELIVERY: Duration = Duration::from_secs(1);

/// People, how they sign in, and their sessions. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) store: Store,
    keys: Arc<RwLock<SigningKey>>,
    pub(crate) hasher: Hasher,
    pub(crate) directory: Directory,
    pub(crate) chance: Chance,
    delivered: Delivered,
    pepper: [u8; 32],
    pub(crate) attempts_pepper: [u8; 32],
    pub(crate) vault: Arc<Vault>,
    /// Slows down whoever fails often from one address.
    pub(crate) throttle: Throttle,
    pub(crate) ceremonies: Ceremonies,
    pub(crate) refused: RefusedPasswords,
    pub(crate) networks_pepper: [u8; 32],
    /// What makes the links in mails work.
    pub(crate) links_key: [u8; 32],
    /// How mails leave, if they do.
    pub(crate) mailing: Option<Arc<Mailing>>,
    pub(crate) rest: Arc<Rest>,
    further: Further,
}

impl Identity {
    /// On a store opened with [`crate::MIGRATIONS`]; `key` is this instance's own, `secret` that of all. `directory` reaches the bank; `delivered` waits for the relay that
    /// carries this store's events to the bus.
    pub fn new(
        store: Store,
        key: &SigningKey,
        secret: &SharedSecret,
        hasher: Hasher,
        directory: Directory,
        chance: Chance,
        delivered: Delivered,
    ) -> Result<Self, Error> {
        let (keys, pepper) = (Arc::new(RwLock::new(key.clone())), secret.derived("idempotency"));
        let throttle = Throttle::new(store.clock().clone());
        let (attempts_pepper, networks_pepper) = (secret.derived("attempts"), secret.derived("networks"));
        let vault = Arc::new(Vault::new(secret.vault())?);
        let ceremonies = Ceremonies::new(&secret.derived("challenges"));
        Ok(Self {
            store,
            keys,
            hasher,
            directory,
            chance,
            delivered,
            pepper,
            attempts_pepper,
            vault,
            throttle,
            refused: RefusedPasswords::default(),
            ceremonies,
            networks_pepper,
            links_key: secret.derived("links"),
            mailing: None,
            rest: Arc::default(),
            further: Further::default(),
        })
    }

    /// The same, refusing these passwords too when somebody chooses one.
    pub fn refusing(self, refused: RefusedPasswords) -> Self {
        Self { refused, ..self }
    }

    /// The same, sending mails.
    pub fn mailing(self, mailing: Mailing) -> Self {
        Self { mailing: Some(Arc::new(mailing)), ..self }
    }

    /// What somebody else checks about this service.
    pub const fn further(&self) -> &Further {
        &self.further
    }

    /// The service with its policies enforced, ready to be served.
    pub fn module(self, gate: Gate) -> Result<Module, Misconfigured> {
        // One throttle for all services: guessing at one counts at the others.
        let shared = Self { throttle: gate.throttle.clone(), ..self };
        mount(chassis::counted(chassis::common(Api::new(shared, gate)))).finish()
    }

    /// What other services alone may ask, each known by its certificate.
    pub fn inner(self, gate: Gate) -> Result<Module, Misconfigured> {
        Api::new(self, gate).serve(get_trusted).serve(mails::choices::take_happenings).finish()
    }

    /// The public keys of all instances: for verifiers. This instance's own come first, the one that signs before all.
    pub async fn trusted_keys(&self) -> Result<Jwks, Error> {
        let mut keys = self.own_keys();
        for key in rows::believed_keys(&mut self.store.read().await?, self.clock().now()).await? {
            if !keys.keys.contains(&key) {
                keys.keys.push(key);
            }
        }
        Ok(keys)
    }

    /// Makes the next signing key when the last one is old enough: then it is to be [published](Self::publish_keys).
    pub fn rotate_key_if_due(&self) -> Result<bool, SigningKeyError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.rotate_if_due(self.clock().now(), &self.chance)
    }

    /// Tells the other instances, and through them every verifier, which keys this one signs with. To be called before
    /// anything is signed, and again each few minutes. Gives how long to wait until every verifier knows the key that
    /// signs now.
    pub async fn publish_keys(&self) -> Result<Duration, Error> {
        let now = self.clock().now();
        let (instance, own) = (self.keys.read().unwrap_or_else(PoisonError::into_inner).instance(), self.own_keys());
        let mut tx = self.store.begin().await?;
        rows::lock_instances(&mut tx).await?;
        // Before the first key of all nobody has asked.
        let said = if rows::has_keys(&mut tx).await? { now } else { Timestamp::from_micros(0) };
        rows::publish_keys(&mut tx, instance, &own, said, now.plus(BELIEVED)).await?;
        let signing = own.keys.first().map_or("", |key| key.kid.as_str());
        let known = rows::published_at(&mut tx, signing).await?.unwrap_or(now).plus(HEARD);
        tx.commit().await?;
        Ok(if known > now { known.since(now) } else { Duration::ZERO })
    }

    /// Personal tokens and sessions that were ended and whose access tokens may not all have run out: for a verifier that starts.
    pub async fn recent_revocations(&self) -> Result<Vec<Revocation>, Error> {
        let mut tx = self.store.read().await?;
        Ok(rows::recent_revocations(&mut tx, self.clock().now()).await?)
    }

    /// Forgets sessions and revocations that ended by themselves. To be called from time to time.
    pub async fn forget_ended(&self) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        rows::forget(&mut tx, self.clock().now()).await?;
        rows::expire_resets(&mut tx, self.clock().now()).await?;
        Ok(tx.commit().await?)
    }
}

impl Identity {
    /// What signs access tokens now.
    pub(crate) fn signer(&self) -> Arc<Signer> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).signer(self.clock().now())
    }

    /// What this instance is called among the others.
    pub(crate) fn instance(&self) -> [u8; 32] {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).instance()
    }

    fn own_keys(&self) -> Jwks {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).jwks(self.clock().now())
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.store.clock()
    }

    pub(crate) fn events<'a>(&'a self, trace_id: Option<&'a str>) -> Events<'a> {
        Events { clock: self.clock(), chance: &self.chance, trace_id }
    }

    /// The caller, as they are now.
    pub(crate) async fn caller(&self, by: &Principal) -> Result<Person, Error> {
        rows::person(&mut self.store.read().await?, by.id).await?.ok_or(Error::Unknown)
    }

    /// Ends every session of a person but `spared`, and every personal token of theirs, and tells every verifier. Gives how many lived.
    pub(crate) async fn end_sessions(
        &self,
        tx: &mut Transaction,
        person: UserId,
        spared: Option<SessionId>,
    ) -> Result<usize, Error> {
        let mut ended = rows::living_ids(tx, person, self.clock().now()).await?;
        ended.retain(|id| Some(*id) != spared);
        rows::end_sessions(tx, person, spared).await?;
        self.revoke(tx, &ended).await?;
        self.end_tokens(tx, person).await?;
        Ok(ended.len())
    }

    /// Tells every verifier, and those that start soon, that the access tokens of these sessions hold no more.
    pub(crate) async fn revoke(&self, tx: &mut Transaction, sessions: &[SessionId]) -> Result<(), Error> {
        let until = self.clock().now().plus(REMEMBERED);
        rows::note_revocations(tx, sessions, until).await?;
        for id in sessions {
            tx.tell(AUTH_REVOKED, serde_json::to_string(&Revocation::Session { id: *id, until })?);
        }
        Ok(())
    }

    /// Commits, then waits until the revocations told have reached the verifiers of this process. Those of others hear
    /// of them within a second, whatever happens here.
    pub(crate) async fn commit_and_deliver(&self, tx: Transaction) -> Result<(), Error> {
        tx.commit().await?;
        (self.delivered)(DELIVERY).await;
        Ok(())
    }

    /// The reply that was given to this key before, if any.
    pub(crate) async fn replay(
        &self,
        tx: &mut Transaction,
        scope: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<User>, Error> {
        let Some(key) = key else { return Ok(None) };
        match tx.once(scope, &key.key, self.peppered(key)).await? {
            Once::Replay(reply) => Ok(Some(serde_json::from_str(&reply)?)),
            Once::Mismatch => Err(Error::KeyReused),
            Once::Fresh | Once::Twin => Ok(None),
        }
    }

    pub(crate) async fn remember(
        &self,
        tx: &mut Transaction,
        scope: &str,
        key: Option<&IdempotencyKey>,
        reply: &User,
    ) -> Result<(), Error> {
        let Some(key) = key else { return Ok(()) };
        Ok(tx.remember(scope, &key.key, self.peppered(key), &serde_json::to_string(reply)?).await?)
    }

    /// The content holds a password: a bare digest of it in the database would be a fast way to guess the password.
    fn peppered(&self, key: &IdempotencyKey) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.pepper);
        digest.update(key.digest);
        digest.finalize().into()
    }
}

/// Tells the journal, in the transaction of the change.
pub(crate) fn tell(tx: &mut Transaction, event: &LogEvent) -> Result<(), Error> {
    tx.tell(event.subject(), event.payload()?);
    Ok(())
}

/// What this service offers, without running it.
pub fn operations() -> Vec<Entry> {
    mount(Api::listing()).entries()
}

fn mount(api: Api<Identity>) -> Api<Identity> {
    use crate::links;
    use crate::mails::{choices, reading};
    use crate::{factor_reset, factors, management, passkeys, profile, proof, registration, sign_in, tokens};
    api.serve(registration::register)
        .serve(registration::create_agent)
        .serve(sign_in::sign_in)
        .serve(sign_in::refresh)
        .serve(sign_in::sign_out)
        .serve(sign_in::open_browser_session)
        .serve(sign_in::resume_browser_session)
        .serve(sign_in::list_sessions)
        .serve(sign_in::end_session)
        .serve(sign_in::get_jwks)
        .serve(tokens::create_token)
        .serve(tokens::list_tokens)
        .serve(tokens::revoke_token)
        .serve(tokens::introspect)
        .serve(tokens::list_revocations)
        .serve(profile::who_am_i)
        .serve(profile::get_profile)
        .serve(profile::edit_profile)
        .serve(profile::change_password)
        .serve(choices::get_mail_choices)
        .serve(choices::choose_mails)
        .serve(reading::list_notices)
        .serve(reading::read_notices)
        .serve(links::get_password_resets)
        .serve(links::ask_password_reset)
        .serve(links::reset_password)
        .serve(links::ask_email_change)
        .serve(links::confirm_email)
        .serve(proof::prove_again)
        .serve(factors::get_second_factor)
        .serve(factors::begin_totp)
        .serve(factors::confirm_totp)
        .serve(factors::remove_totp)
        .serve(factors::make_recovery_codes)
        .serve(passkeys::begin_passkey)
        .serve(passkeys::add_passkey)
        .serve(passkeys::list_passkeys)
        .serve(passkeys::rename_passkey)
        .serve(passkeys::remove_passkey)
        .serve(passkeys::ask_for_passkey)
        .serve(passkeys::sign_in_with_passkey)
        .serve(passkeys::prove_with_passkey)
        .serve(factor_reset::ask_factor_reset)
        .serve(factor_reset::propose_factor_reset)
        .serve(factor_reset::list_factor_resets)
        .serve(factor_reset::approve_factor_reset)
        .serve(factor_reset::reject_factor_reset)
        .serve(management::list_users)
        .serve(management::get_user)
        .serve(management::activate_user)
        .serve(management::disable_user)
        .serve(management::reject_user)
        .serve(management::unlock_user)
        .serve(management::delete_user)
}

async fn get_trusted(identity: Identity, _: Call<GetTrusted, Identity>) -> Result<Trusted, Error> {
    Ok(Trusted { revoked: identity.recent_revocations().await?, keys: identity.trusted_keys().await? })
}

impl Identity {
    async fn find(&self, id: UserId) -> Result<Option<Person>, Problem> {
        let found = async { rows::person(&mut self.store.read().await?, id).await };
        found.await.map_err(|error| chassis::store_problem(&error))
    }
}

impl Guard<SeeUser> for Identity {
    type Row = User;
    async fn check(&self, by: &Principal, id: UserId) -> Result<Verdict<User>, Problem> {
        Ok(match self.find(id).await? {
            Some(person) if person::sees(by, &person) => Verdict::Granted(person.user()),
            _ => Verdict::Unseen,
        })
    }
}

impl Guard<ManageUser> for Identity {
    type Row = ();
    async fn check(&self, by: &Principal, id: UserId) -> Result<Verdict<()>, Problem> {
        Ok(match self.find(id).await? {
            Some(person) => person::manages(by, &person),
            None => Verdict::Unseen,
        })
    }
}

impl Health for Identity {
    async fn ready(&self) -> Result<(), String> {
        self.store.ping().await.map_err(|error| error.to_string())
    }

    async fn truths(&self) -> Vec<Truth> {
        let counted = async {
            let mut tx = self.store.read().await?;
            let stray = rows::count_sessions_of_inactive(&mut tx).await?;
            let orphans = rows::count_tokens_of_inactive(&mut tx, self.clock().now()).await?;
            let superusers = rows::count_active_superusers(&mut tx).await?;
            let unwitnessed = rows::count_unwitnessed_resets(&mut tx).await?;
            let since = self.clock().now().minus(WAITING);
            let failed = rows::count_failed_mails(&mut tx, self.clock().now().minus(DAY)).await?;
            let late = rows::oldest_mail(&mut tx).await?.is_some_and(|oldest| oldest < since);
            Ok::<_, StoreError>((stray, orphans, superusers, unwitnessed, (late, failed)))
        };
        // What cannot be counted is not known to hold.
        let (stray, orphans, superusers, unwitnessed, (late, failed)) =
            counted.await.unwrap_or((1, 1, 0, 1, (true, FAILED)));
        let mut truths = vec![
            Truth::new("every session belongs to an active person", stray == 0),
            Truth::new("every personal token belongs to an active person", orphans == 0),
            Truth::new("at least one superuser can sign in", superusers > 0),
            Truth::new("nobody removed a second factor alone", unwitnessed == 0),
            Truth::new("no mail waits for longer than an hour", !late),
            Truth::new("few mails of the last day were given up", failed < FAILED),
        ];
        truths.extend(self.further.truths().await);
        truths
    }

    async fn measures(&self) -> Vec<Measure> {
        let oldest = async { rows::oldest_mail(&mut self.store.read().await?).await };
        let waits = |oldest: Option<Timestamp>| {
            let age = oldest.map_or(0.0, |since| self.clock().now().since(since).as_secs_f64());
            Measure::new("mail_oldest_seconds", "For how long the oldest mail has waited to leave", age)
        };
        let mut measures: Vec<_> = oldest.await.ok().map(waits).into_iter().collect();
        measures.extend(self.further.measures().await);
        measures
    }
}
