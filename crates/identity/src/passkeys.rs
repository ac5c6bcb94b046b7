//! Passkeys: adding, using and removing them. What one must show is for [`crate::webauthn`] to say.
//!
//! No login is asked before a passkey, so nothing is told about who has one. Nothing is kept between the halves of a
//! ceremony: its challenge says for whom and until when it holds, on every instance, and is noted when it was answered.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aaa::{Call, Context, Created, Done};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use contracts::Page;
use contracts::identity::{
    self as contract, AccessToken, AddPasskey, AddedPasskey, AskForPasskey, AuthenticatorSelection, BeginPasskey,
    BrowserSession, CreationOptions, CredentialDescriptor, CredentialParameter, CredentialParty, CredentialUser,
    ListPasskeys, ProveWithPasskey, RemovePasskey, RenamePasskey, RequestOptions, SignInWithPasskey, UserState,
};
use store::{Transaction, Uuid};
use vocabulary::{Label, Timestamp, UserId};

use crate::attempts::{Counter, MOST};
use crate::challenge::Challenger;
use crate::error::Error;
use crate::person::Person;
use crate::proof::Proven;
use crate::service::{Identity, tell};
use crate::session::{Kind, Proof, hash_of};
use crate::store as rows;
use crate::webauthn::{ALGORITHMS, Ceremony, Fault, NewCredential, RelyingParty, follows};

/// How long the second half of a ceremony is waited for.
const PATIENCE: Duration = Duration::from_mins(5);
/// Passkeys a person may have.
const MANY: u32 = 20;

/// A passkey as it is stored.
pub(crate) struct Passkey {
    pub(crate) id: Vec<u8>,
    pub(crate) person: UserId,
    pub(crate) name: Label,
    /// Public.
    pub(crate) key: Vec<u8>,
    pub(crate) counter: u32,
    pub(crate) synced: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
}

impl Passkey {
    fn shown(&self) -> contract::Passkey {
        contract::Passkey {
            id: written(&self.id),
            name: self.name.clone(),
            synced: self.synced,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
        }
    }
}

/// What is needed for ceremonies. Clones share it.
#[derive(Clone)]
pub(crate) struct Ceremonies {
    party: Arc<RwLock<RelyingParty>>,
    challenger: Arc<Challenger>,
    origin: Arc<RwLock<Option<String>>>,
}

impl Ceremonies {
    /// Under the origin of a bank on this machine, until another one is said. `key` is the same on every instance.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let party = RelyingParty::of("https://localhost:8443");
        Self { party: Arc::new(RwLock::new(party)), challenger: Arc::new(Challenger::new(key)), origin: Arc::default() }
    }

    pub(crate) fn at(&self, origin: &str) {
        *self.party.write().unwrap_or_else(PoisonError::into_inner) = RelyingParty::of(origin);
        *self.origin.write().unwrap_or_else(PoisonError::into_inner) = Some(origin.to_owned());
    }

    /// The origin that was said, if one was.
    pub(crate) fn origin(&self) -> Option<String> {
        self.origin.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn party(&self) -> RelyingParty {
        self.party.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a browser gives when a passkey was used.
struct Assertion {
    id: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
}

fn written(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes_of(text: &str) -> Result<Vec<u8>, Fault> {
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| "not base64url")
}

pub(crate) async fn begin_passkey(
    identity: Identity,
    call: Call<BeginPasskey, Identity>,
) -> Result<CreationOptions, Error> {
    let mut tx = identity.store.read().await?;
    let person = rows::person(&mut tx, call.by().id).await?.ok_or(Error::Unknown)?;
    let known = rows::passkeys(&mut tx, person.id).await?;
    let kind = || "public-key".to_owned();
    let party = identity.ceremonies.party();
    Ok(CreationOptions {
        rp: CredentialParty { id: party.id, name: "Guichet".into() },
        user: CredentialUser {
            id: written(Uuid::from(person.id).as_bytes()),
            name: person.login.to_string(),
            display_name: person.name(),
        },
        challenge: identity.new_challenge(Some(person.id)),
        pub_key_cred_params: ALGORITHMS.map(|alg| CredentialParameter { kind: kind(), alg }).to_vec(),
        timeout: u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX),
        exclude_credentials: known
            .iter()
            .map(|passkey| CredentialDescriptor { kind: kind(), id: written(&passkey.id) })
            .collect(),
        authenticator_selection: AuthenticatorSelection {
            resident_key: "required".into(),
            require_resident_key: true,
            user_verification: "required".into(),
        },
        attestation: "none".into(),
    })
}

pub(crate) async fn add_passkey(
    identity: Identity,
    call: Call<AddPasskey, Identity>,
) -> Result<Created<AddedPasskey>, Error> {
    let AddPasskey { name, client_data, attestation } = &call.request;
    let by = call.by().id;
    let made = identity.made(by, client_data, attestation).await?.map_err(Error::PasskeyRefused)?;
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(by)).await?.ok_or(Error::Unknown)?;
    if rows::count_passkeys(&mut tx, by).await? >= MANY {
        return Err(Error::TooManyPasskeys);
    }
    let first = !Identity::has_second_factor(&mut tx, &person).await?;
    let passkey = Passkey {
        id: made.id,
        person: by,
        name: name.clone(),
        key: made.key,
        counter: made.counter,
        synced: made.synced,
        created_at: identity.clock().now(),
        last_used_at: None,
    };
    if !rows::add_passkey(&mut tx, &passkey).await? {
        return Err(Error::PasskeyRefused("known already"));
    }
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.passkey_added(&person.named(), name.as_str()))?;
    let recovery_codes =
        if first { identity.new_recovery_codes(&mut tx, &person, &events).await?.recovery_codes } else { Vec::new() };
    tx.commit().await?;
    Ok(Created(AddedPasskey { passkey: passkey.shown(), recovery_codes }))
}

pub(crate) async fn list_passkeys(
    identity: Identity,
    call: Call<ListPasskeys, Identity>,
) -> Result<Page<contract::Passkey>, Error> {
    let found = rows::passkeys(&mut identity.store.read().await?, call.by().id).await?;
    Ok(Page { items: found.iter().map(Passkey::shown).collect(), next: None })
}

pub(crate) async fn rename_passkey(
    identity: Identity,
    call: Call<RenamePasskey, Identity>,
) -> Result<contract::Passkey, Error> {
    let id = bytes_of(&call.request.id).map_err(|_| Error::NotFound)?;
    let mut tx = identity.store.begin().await?;
    if !rows::rename_passkey(&mut tx, &id, call.by().id, &call.request.name).await? {
        return Err(Error::NotFound);
    }
    let passkey = rows::passkey(&mut tx, &id).await?.ok_or(Error::NotFound)?;
    tx.commit().await?;
    Ok(passkey.shown())
}

pub(crate) async fn remove_passkey(identity: Identity, call: Call<RemovePasskey, Identity>) -> Result<Done, Error> {
    let id = bytes_of(&call.request.id).map_err(|_| Error::NotFound)?;
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    let name = rows::passkey(&mut tx, &id).await?.map_or_else(String::new, |passkey| passkey.name.to_string());
    if !rows::remove_passkey(&mut tx, &id, person.id).await? {
        return Err(Error::NotFound);
    }
    if !Identity::has_second_factor(&mut tx, &person).await? {
        rows::drop_recovery_codes(&mut tx, person.id).await?;
    }
    tell(&mut tx, &identity.events(Some(&call.context.trace_id)).passkey_removed(&person.named(), &name))?;
    tx.commit().await?;
    Ok(Done)
}

pub(crate) async fn ask_for_passkey(
    identity: Identity,
    _: Call<AskForPasskey, Identity>,
) -> Result<RequestOptions, Error> {
    Ok(RequestOptions {
        challenge: identity.new_challenge(None),
        timeout: u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX),
        rp_id: identity.ceremonies.party().id,
        user_verification: "required".into(),
    })
}

pub(crate) async fn sign_in_with_passkey(
    identity: Identity,
    call: Call<SignInWithPasskey, Identity>,
) -> Result<Created<BrowserSession>, Error> {
    let SignInWithPasskey { id, client_data, authenticator_data, signature, device, agent } = call.request;
    let client = call.context.client.as_deref();
    identity.throttle.admit_address(client).map_err(Error::Throttled)?;
    let assertion = Assertion { id, client_data, authenticator_data, signature };
    let (mut tx, person) = match identity.used(&assertion).await? {
        Used::By(tx, person) if person.state == UserState::Active => (tx, *person),
        Used::By(tx, person) => {
            let reason = rows::state_name(person.state);
            return Err(identity.refuse_passkey(tx, Some(&person), reason, &call.context).await?);
        }
        Used::Refused(tx, person, reason) => {
            return Err(identity.refuse_passkey(tx, person.as_deref(), reason, &call.context).await?);
        }
    };
    let device = hash_of(device.as_deref().unwrap_or_default());
    let device = rows::owner_of_device(&mut tx, device).await?.filter(|owner| *owner == person.id).map(|_| device);
    let account = Counter::login(&identity.attempts_pepper, person.login.as_str());
    rows::clear_attempts(&mut tx, &account, MOST).await?;
    let proven = Proven { tx, person, proof: Proof::Passkey, device };
    let agent = agent.or_else(|| call.context.agent());
    let present = identity.begin_session(proven, Kind::Browser, agent, &call.context).await?;
    identity.browser_session(&present).map(Created)
}

pub(crate) async fn prove_with_passkey(
    identity: Identity,
    call: Call<ProveWithPasskey, Identity>,
) -> Result<AccessToken, Error> {
    let (by, trace_id) = (call.by().clone(), call.context.trace_id.clone());
    let ProveWithPasskey { id, client_data, authenticator_data, signature } = call.request;
    let assertion = Assertion { id, client_data, authenticator_data, signature };
    match identity.used(&assertion).await? {
        Used::By(tx, person) if person.id == by.id => {
            identity.renew_proof(tx, &by, &person, Proof::Passkey, &trace_id).await
        }
        Used::By(..) => Err(Error::PasskeyRefused("somebody else's passkey")),
        Used::Refused(_, _, reason) => Err(Error::PasskeyRefused(reason)),
    }
}

/// A challenge that was answered for the first time.
struct Spent {
    client_data: Vec<u8>,
    /// Who adds a passkey; nobody when one is used.
    adds: Option<UserId>,
}

/// What came of looking at a passkey that was used.
enum Used {
    /// It is this person's, locked in the transaction.
    By(Transaction, Box<Person>),
    /// Why not, and whose it seems to be.
    Refused(Transaction, Option<Box<Person>>, Fault),
}

impl Identity {
    /// Says under which origin browsers reach the bank, such as `https://bank.example.org`: passkeys are made for it.
    pub fn at_origin(&self, origin: &str) {
        self.ceremonies.at(origin);
    }

    /// Where browsers reach the bank, if that was said.
    pub(crate) fn origin(&self) -> Option<String> {
        self.ceremonies.origin()
    }

    fn new_challenge(&self, adds: Option<UserId>) -> String {
        let until = self.clock().now().plus(PATIENCE);
        written(&self.ceremonies.challenger.challenge(until, adds, &self.chance))
    }

    /// Who is behind the challenge that a browser answers; it works once, whatever comes of the answer. Not to be called
    /// within a transaction.
    async fn spend_challenge(&self, client_data: &str, ceremony: Ceremony) -> Result<Result<Spent, Fault>, Error> {
        let read = || {
            let client_data = bytes_of(client_data)?;
            let challenge = self.ceremonies.party().challenge(&client_data, ceremony)?;
            let challenge = self.ceremonies.challenger.read(&challenge).ok_or("no such ceremony")?;
            if self.clock().now() >= challenge.until { Err("too late") } else { Ok((client_data, challenge)) }
        };
        let (client_data, challenge) = match read() {
            Ok(read) => read,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut tx = self.store.begin().await?;
        let first = rows::spend_challenge(&mut tx, challenge.digest, challenge.until).await?;
        tx.commit().await?;
        Ok(if first { Ok(Spent { client_data, adds: challenge.adds }) } else { Err("no such ceremony") })
    }

    /// The passkey that somebody's browser made.
    async fn made(
        &self,
        by: UserId,
        client_data: &str,
        attestation: &str,
    ) -> Result<Result<NewCredential, Fault>, Error> {
        let spent = self.spend_challenge(client_data, Ceremony::Create).await?;
        Ok(spent.and_then(|spent| {
            if spent.adds != Some(by) {
                return Err("somebody else's ceremony");
            }
            self.ceremonies.party().created(&bytes_of(attestation)?)
        }))
    }

    /// Whose passkey was used just now.
    async fn used(&self, assertion: &Assertion) -> Result<Used, Error> {
        let id = bytes_of(&assertion.id).unwrap_or_default();
        let owner = rows::passkey(&mut self.store.read().await?, &id).await?.map(|passkey| passkey.person);
        let spent = self.spend_challenge(&assertion.client_data, Ceremony::Get).await?;
        let mut tx = self.store.begin().await?;
        let person = rows::lock(&mut tx, owner).await?;
        // Read again under the lock: the counter must not be taken twice.
        let passkey = rows::passkey(&mut tx, &id).await?;
        let (Some(person), Some(passkey)) = (person, passkey) else {
            return Ok(Used::Refused(tx, None, spent.err().unwrap_or("unknown-passkey")));
        };
        let person = Box::new(person);
        match spent.and_then(|spent| self.verified(assertion, &spent, &passkey)) {
            Ok(counter) => {
                rows::use_passkey(&mut tx, &id, counter, self.clock().now()).await?;
                Ok(Used::By(tx, person))
            }
            Err(fault) => Ok(Used::Refused(tx, Some(person), fault)),
        }
    }

    fn verified(&self, assertion: &Assertion, spent: &Spent, passkey: &Passkey) -> Result<u32, Fault> {
        if spent.adds.is_some() {
            return Err("another ceremony");
        }
        let (data, signature) = (bytes_of(&assertion.authenticator_data)?, bytes_of(&assertion.signature)?);
        let counter = self.ceremonies.party().signed(&passkey.key, &data, &spent.client_data, &signature)?;
        if follows(counter, passkey.counter) { Ok(counter) } else { Err("a copy of the passkey") }
    }

    /// The one refusal, told to the journal.
    async fn refuse_passkey(
        &self,
        mut tx: Transaction,
        person: Option<&Person>,
        reason: Fault,
        context: &Context,
    ) -> Result<Error, Error> {
        self.throttle.count_address(context.client.as_deref());
        let named = person.map(Person::named);
        tell(&mut tx, &self.events(Some(&context.trace_id)).login_failed(named.as_ref(), reason))?;
        tx.commit().await?;
        Ok(Error::SignInRefused(reason))
    }
}
