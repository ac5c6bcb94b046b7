//! Personal tokens for programs, and what other verifiers ask.
//!
//! A personal token is signed like any other, so that every verifier checks it without a call; its row says that it is
//! there. Ending it takes the row away and tells every verifier. It never counts as a fresh proof of its owner.

use std::time::Duration;

use aaa::{Call, Created, Done, Principal, Revocation, Verifier};
use contracts::Page;
use contracts::events::AUTH_REVOKED;
use contracts::identity::{
    CreateToken, Introspect, Introspection, ListRevocations, ListTokens, NewPersonalToken, PersonalToken, Revocations,
    RevokeToken, UserState,
};
use contracts::roles::Role;
use contracts::scopes::TokenScope;
use store::Transaction;
use vocabulary::{SessionId, Timestamp, UserId};

use crate::ISSUER;
use crate::error::Error;
use crate::person::{Person, groups};
use crate::service::{Identity, tell};
use crate::session::hash_of;
use crate::store as rows;

/// Most personal tokens that one person has at a time.
const MOST: usize = 50;
/// How much longer than the token its revocation is remembered: clocks differ.
const LEEWAY: Duration = Duration::from_mins(1);

pub(crate) async fn create_token(
    identity: Identity,
    call: Call<CreateToken, Identity>,
) -> Result<Created<NewPersonalToken>, Error> {
    let by = call.by().id;
    let CreateToken { name, mut scopes, days, jkt } = call.request;
    scopes.sort_unstable();
    scopes.dedup();
    let now = identity.clock().now();
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(by)).await?.ok_or(Error::Unknown)?;
    if person.state != UserState::Active {
        return Err(Error::Unknown);
    }
    if person.role == Role::Member && scopes.contains(&TokenScope::Introspect) {
        return Err(Error::Fault { field: "scopes", words: "may hold introspect for staff only" });
    }
    if rows::living_tokens(&mut tx, by, now).await?.len() >= MOST {
        return Err(Error::TooManyTokens);
    }
    let expires_at = now.plus(Duration::from_hours(24 * u64::from(days)));
    let id = SessionId::new(identity.clock(), &identity.chance);
    let details = PersonalToken { id, name, scopes, jkt, created_at: now, expires_at };
    let (token, key) = identity.personal_token(&person, &details)?;
    rows::add_token(&mut tx, by, &details, hash_of(&token), key).await?;
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.token_made(&person.named(), details.name.as_str()))?;
    tx.commit().await?;
    Ok(Created(NewPersonalToken { token, details }))
}

pub(crate) async fn list_tokens(
    identity: Identity,
    call: Call<ListTokens, Identity>,
) -> Result<Page<PersonalToken>, Error> {
    let mut tx = identity.store.read().await?;
    let items = rows::living_tokens(&mut tx, call.by().id, identity.clock().now()).await?;
    Ok(Page { items, next: None })
}

pub(crate) async fn revoke_token(identity: Identity, call: Call<RevokeToken, Identity>) -> Result<Done, Error> {
    let (by, id) = (call.by().id, call.request.id);
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(by)).await?.ok_or(Error::Unknown)?;
    let ends = rows::drop_token(&mut tx, id, by).await?.ok_or(Error::NotFound)?;
    identity.revoke_tokens(&mut tx, &[(id, ends)]).await?;
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.token_revoked(&person.named(), &id.to_string()))?;
    identity.commit_and_deliver(tx).await?;
    Ok(Done)
}

pub(crate) async fn introspect(identity: Identity, call: Call<Introspect, Identity>) -> Result<Introspection, Error> {
    let token = &call.request.token;
    let verifier = Verifier::new(ISSUER, ISSUER, identity.clock().clone());
    verifier.trust(&identity.trusted_keys().await?);
    let Ok(who) = verifier.verify(token) else { return Ok(Introspection::default()) };
    if !identity.still_stands(&who, token).await? {
        return Ok(Introspection::default());
    }
    Ok(Introspection {
        active: true,
        sub: Some(who.id.to_string()),
        username: Some(who.login.clone()),
        scope: who.scopes.as_ref().map(|scopes| scopes.join(" ")),
        exp: Some(who.expires.seconds()),
        iat: Some(who.issued.seconds()),
        jti: who.token.clone(),
        token_type: Some(if who.bound_to.is_some() { "DPoP" } else { "Bearer" }.into()),
    })
}

pub(crate) async fn list_revocations(
    identity: Identity,
    _: Call<ListRevocations, Identity>,
) -> Result<Revocations, Error> {
    Ok(Revocations { at: identity.clock().now(), items: identity.recent_revocations().await? })
}

impl Identity {
    /// Ends every personal token of a person, everywhere.
    pub(crate) async fn end_tokens(&self, tx: &mut Transaction, person: UserId) -> Result<(), Error> {
        let ended = rows::drop_tokens(tx, person, self.clock().now()).await?;
        self.revoke_tokens(tx, &ended).await
    }

    async fn revoke_tokens(&self, tx: &mut Transaction, ended: &[(SessionId, Timestamp)]) -> Result<(), Error> {
        for (id, ends) in ended {
            let until = ends.plus(LEEWAY);
            rows::note_token(tx, *id, until).await?;
            tx.tell(AUTH_REVOKED, serde_json::to_string(&Revocation::Token { jti: id.to_string(), until })?);
        }
        Ok(())
    }

    /// The token, and the name of the key that signed it.
    fn personal_token(&self, person: &Person, token: &PersonalToken) -> Result<(String, Option<String>), Error> {
        let who = Principal {
            id: person.id,
            login: person.login.to_string(),
            name: person.name(),
            groups: groups(person.role),
            scopes: Some(token.scopes.iter().map(|scope| scope.name().to_owned()).collect()),
            // A sign-in of its own kind, which no session ends.
            session: token.id,
            issued: token.created_at,
            expires: token.expires_at,
            authenticated: Timestamp::from_micros(0),
            second_factor: false,
            token: Some(token.id.to_string()),
            bound_to: token.jkt.clone(),
        };
        let signer = self.signer();
        let key = signer.jwks().keys.into_iter().next().map(|key| key.kid);
        Ok((signer.sign(&signer.claims(&who)).map_err(Error::internal)?, key))
    }

    /// Whether what the token stands for is there still: the session, or the personal token itself.
    async fn still_stands(&self, who: &Principal, token: &str) -> Result<bool, Error> {
        let mut tx = self.store.read().await?;
        let person = rows::person(&mut tx, who.id).await?;
        if person.is_none_or(|person| person.state != UserState::Active) {
            return Ok(false);
        }
        if who.token == Some(who.session.to_string()) {
            return Ok(rows::has_token(&mut tx, who.session, who.id, hash_of(token)).await?);
        }
        let session = rows::session(&mut tx, who.session, who.id).await?;
        Ok(session.is_some_and(|session| session.lives(self.clock().now())))
    }
}
