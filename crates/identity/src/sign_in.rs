//! Signing in and out, and the sessions in between. Who signs in is for [`crate::proof`] to say.

use aaa::{Call, Claims, Context, Created, Done, Jwks, Principal};
use contracts::Page;
use contracts::identity::{
    self as contract, BrowserSession, EndSession, GetJwks, ListSessions, OpenBrowserSession, Refresh,
    ResumeBrowserSession, SignIn, SignOut, Tokens, UserState,
};
use store::Uuid;
use vocabulary::{SessionId, Timestamp, new_uuid};

use crate::error::Error;
use crate::person::{Person, groups};
use crate::proof::{Credential, Proven};
use crate::service::{Identity, tell};
use crate::session::{Kind, Secret, Session, hash_of};
use crate::store as rows;

/// Longest name of a client that is kept.
const MAX_AGENT: usize = 200;

/// Somebody who just proved to be the holder of a session.
pub(crate) struct Present {
    person: Person,
    session: Session,
    secret: Secret,
    /// What their browser is known by from now on, when it was not before.
    device: Option<Secret>,
}

/// An access token and the seconds it holds.
pub(crate) struct Access {
    pub(crate) token: String,
    pub(crate) seconds: u32,
}

pub(crate) async fn sign_in(identity: Identity, call: Call<SignIn, Identity>) -> Result<Tokens, Error> {
    let SignIn { login, password, otp, device } = call.request;
    let (agent, context) = (call.context.agent(), &call.context);
    let credential = Credential { login, password, otp, device };
    identity.open_session(credential, Kind::Tokens, agent, context).await.and_then(|it| identity.tokens(&it))
}

pub(crate) async fn open_browser_session(
    identity: Identity,
    call: Call<OpenBrowserSession, Identity>,
) -> Result<Created<BrowserSession>, Error> {
    let OpenBrowserSession { login, password, otp, device, agent } = call.request;
    let agent = agent.or_else(|| call.context.agent());
    let credential = Credential { login, password, otp, device };
    let present = identity.open_session(credential, Kind::Browser, agent, &call.context).await?;
    identity.browser_session(&present).map(Created)
}

pub(crate) async fn refresh(identity: Identity, call: Call<Refresh, Identity>) -> Result<Tokens, Error> {
    let hash = hash_of(&call.request.refresh_token);
    let (mut tx, person, mut session) = identity.resume(hash, Kind::Tokens).await?;
    let now = identity.clock().now();
    if !rows::spend_secret(&mut tx, hash, now).await? {
        // Used before: whoever holds the tokens that came of it may be a thief, or this caller is. Both are out.
        rows::end_session(&mut tx, session.id, person.id).await?;
        identity.revoke(&mut tx, &[session.id]).await?;
        let events = identity.events(Some(&call.context.trace_id));
        tell(&mut tx, &events.refresh_reused(&person.named(), &session.id.to_string()))?;
        identity.commit_and_deliver(tx).await?;
        return Err(Error::SessionEnded);
    }
    let secret = Secret::new(&identity.chance);
    session.seen(now);
    rows::touch_session(&mut tx, &session).await?;
    rows::add_secret(&mut tx, session.id, secret.hash()).await?;
    tx.commit().await?;
    identity.tokens(&Present { person, session, secret, device: None })
}

pub(crate) async fn resume_browser_session(
    identity: Identity,
    call: Call<ResumeBrowserSession, Identity>,
) -> Result<BrowserSession, Error> {
    let secret = Secret::given(call.request.secret);
    let (mut tx, person, mut session) = identity.resume(secret.hash(), Kind::Browser).await?;
    session.seen(identity.clock().now());
    rows::touch_session(&mut tx, &session).await?;
    tx.commit().await?;
    identity.browser_session(&Present { person, session, secret, device: None })
}

pub(crate) async fn sign_out(identity: Identity, call: Call<SignOut, Identity>) -> Result<Done, Error> {
    let by = call.by();
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(by.id)).await?.ok_or(Error::Unknown)?;
    if rows::end_session(&mut tx, by.session, by.id).await? {
        tell(&mut tx, &identity.events(Some(&call.context.trace_id)).logout(&person.named()))?;
    }
    // Told even when the session was gone already: this very token was still taken for good.
    identity.revoke(&mut tx, &[by.session]).await?;
    identity.commit_and_deliver(tx).await?;
    Ok(Done)
}

pub(crate) async fn list_sessions(
    identity: Identity,
    call: Call<ListSessions, Identity>,
) -> Result<Page<contract::Session>, Error> {
    let by = call.by();
    let living = rows::living_sessions(&mut identity.store.read().await?, by.id, identity.clock().now()).await?;
    let shown = living.into_iter().map(|session| contract::Session {
        id: session.id,
        current: session.id == by.session,
        agent: session.agent,
        created_at: session.created_at,
        seen_at: session.seen_at,
        ends_at: session.ends_at,
    });
    Ok(Page { items: shown.collect(), next: None })
}

pub(crate) async fn end_session(identity: Identity, call: Call<EndSession, Identity>) -> Result<Done, Error> {
    let (by, id) = (call.by(), call.request.id);
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(by.id)).await?.ok_or(Error::Unknown)?;
    if !rows::end_session(&mut tx, id, by.id).await? {
        return Err(Error::NotFound);
    }
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.session_ended(&person.named(), &id.to_string()))?;
    identity.revoke(&mut tx, &[id]).await?;
    identity.commit_and_deliver(tx).await?;
    Ok(Done)
}

pub(crate) async fn get_jwks(identity: Identity, _: Call<GetJwks, Identity>) -> Result<Jwks, Error> {
    identity.trusted_keys().await
}

impl Identity {
    async fn open_session(
        &self,
        credential: Credential,
        kind: Kind,
        agent: Option<String>,
        context: &Context,
    ) -> Result<Present, Error> {
        let proven = self.prove(credential, context).await?;
        self.begin_session(proven, kind, agent, context).await
    }

    /// A session of somebody who proved who they are.
    pub(crate) async fn begin_session(
        &self,
        proven: Proven,
        kind: Kind,
        agent: Option<String>,
        context: &Context,
    ) -> Result<Present, Error> {
        let Proven { mut tx, mut person, proof, device } = proven;
        let (now, secret) = (self.clock().now(), Secret::new(&self.chance));
        let agent = agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect());
        let id = SessionId::new(self.clock(), &self.chance);
        let session = Session::begin(id, person.id, kind, proof, agent, now, person.last_login_at);
        rows::add_session(&mut tx, &session, secret.hash()).await?;
        rows::set_last_login(&mut tx, person.id, now).await?;
        let network = self.is_new_network(&mut tx, person.id, context.client.as_deref(), now).await?;
        let new = match (device, kind) {
            (None, Kind::Browser) => Some("device"),
            _ => network.then_some("network"),
        };
        let device = match (device, kind) {
            (Some(known), _) => {
                rows::touch_device(&mut tx, known, now).await?;
                None
            }
            (None, Kind::Browser) => {
                let device = Secret::new(&self.chance);
                rows::add_device(&mut tx, device.hash(), person.id, now).await?;
                Some(device)
            }
            (None, Kind::Tokens) => None,
        };
        person.last_login_at = Some(now);
        tell(&mut tx, &self.events(Some(&context.trace_id)).login(&person.named(), kind.name(), new))?;
        tx.commit().await?;
        Ok(Present { person, session, secret, device })
    }

    /// The living session that a secret holds, with its person locked in the transaction that is given along.
    async fn resume(&self, hash: [u8; 32], kind: Kind) -> Result<(store::Transaction, Person, Session), Error> {
        // Looked up in a snapshot first: junk must not wait for, or hold up, those who write.
        let known = rows::session_of_secret(&mut self.store.read().await?, hash).await?;
        let (known, _) = known.ok_or(Error::SessionEnded)?;
        let mut tx = self.store.begin().await?;
        let person = rows::lock(&mut tx, Some(known.person)).await?;
        let session = rows::session_of_secret(&mut tx, hash).await?;
        match (person, session) {
            (Some(person), Some((session, _)))
                if session.kind == kind && session.lives(self.clock().now()) && person.state == UserState::Active =>
            {
                Ok((tx, person, session))
            }
            _ => Err(Error::SessionEnded),
        }
    }

    fn tokens(&self, present: &Present) -> Result<Tokens, Error> {
        let access = self.access(&present.person, &present.session)?;
        Ok(Tokens {
            access_token: access.token,
            token_type: "Bearer".into(),
            expires_in: access.seconds,
            refresh_token: present.secret.expose().to_owned(),
        })
    }

    pub(crate) fn browser_session(&self, present: &Present) -> Result<BrowserSession, Error> {
        let access = self.access(&present.person, &present.session)?;
        Ok(BrowserSession {
            secret: present.secret.expose().to_owned(),
            access_token: access.token,
            expires_in: access.seconds,
            ends_at: present.session.ends_at,
            user: present.person.user(),
            previous_login_at: present.session.previous_login_at,
            device: present.device.as_ref().map(|device| device.expose().to_owned()),
        })
    }

    pub(crate) fn access(&self, person: &Person, session: &Session) -> Result<Access, Error> {
        let now = self.clock().now();
        let until = session.access_until(now);
        let claims = self.claims(person, session, now, until);
        let seconds = u32::try_from(claims.exp.saturating_sub(claims.iat)).unwrap_or(0);
        Ok(Access { token: self.signer().sign(&claims).map_err(Error::internal)?, seconds })
    }

    fn claims(&self, person: &Person, session: &Session, now: Timestamp, until: Timestamp) -> Claims {
        let jti: Uuid = new_uuid(self.clock(), &self.chance);
        let who = Principal {
            id: person.id,
            login: person.login.to_string(),
            name: person.name(),
            groups: groups(person.role),
            scopes: None,
            session: session.id,
            issued: now,
            expires: until,
            authenticated: session.authenticated_at,
            second_factor: session.proof.has_second_factor(),
            token: Some(jti.to_string()),
            bound_to: None,
        };
        Claims { amr: session.proof.methods(), ..self.signer().claims(&who) }
    }
}
