//! Links that are sent by mail and work once: for a new password, and for another address.
//!
//! Promises: asking for a new password is answered alike and with the same work whoever is meant, since who that is is
//! looked up later, by nobody who waits; a link works once, for half an hour, until a newer one is sent; its code stands in
//! no table, as it is made from the link's id by what all instances share. A link shows that somebody reads a mailbox, and
//! no more: it signs nobody in, and the second factor is asked for at the next sign-in.

use std::time::Duration;

use aaa::{Call, Context, Done};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use contracts::events::Action;
use contracts::identity::{
    AskEmailChange, AskPasswordReset, ConfirmEmail, GetPasswordResets, PasswordResets, ResetPassword, UserState,
};
use store::{Transaction, Uuid};
use vocabulary::{Email, Login, Timestamp, UserId, new_uuid};

use crate::error::{Error, LinkFault};
use crate::person::Person;
use crate::service::{Identity, tell};
use crate::session::hash_of;
use crate::store as rows;

/// How long a link works.
pub(crate) const WORKS: Duration = Duration::from_mins(30);
/// So many links are sent to a person within an hour.
const AT_MOST: i64 = 3;
const HOUR: Duration = Duration::from_hours(1);
/// Of those who were asked for, so many are looked up in one round.
const ROUND: usize = 50;

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Password,
    Address,
}

impl Purpose {
    pub(crate) const ALL: [Self; 2] = [Self::Password, Self::Address];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Address => "address",
        }
    }

    /// What its mail is about.
    const fn action(self) -> Action {
        match self {
            Self::Password => Action::PasswordResetAsked,
            Self::Address => Action::EmailChangeAsked,
        }
    }
}

/// A link, without its code.
pub(crate) struct Link {
    pub(crate) id: Uuid,
    pub(crate) person: UserId,
    pub(crate) address: String,
}

pub(crate) async fn get_password_resets(
    identity: Identity,
    _: Call<GetPasswordResets, Identity>,
) -> Result<PasswordResets, Error> {
    Ok(PasswordResets { by_mail: identity.sends_links(), minutes: WORKS.as_secs() / 60 })
}

/// Notes who is asked for, and no more: who that is, and whether anybody is, is looked up after the answer.
pub(crate) async fn ask_password_reset(
    identity: Identity,
    call: Call<AskPasswordReset, Identity>,
) -> Result<Done, Error> {
    identity.throttle.admit_address(call.context.client.as_deref()).map_err(Error::Throttled)?;
    identity.throttle.count_address(call.context.client.as_deref());
    if !identity.sends_links() {
        return Err(LinkFault::NoMails.into());
    }
    let who = call.request.who.trim();
    // What is neither is nobody; that it is told by its form alone.
    if who.parse::<Email>().is_ok() || who.parse::<Login>().is_ok() {
        let mut tx = identity.store.begin().await?;
        rows::note_asked(&mut tx, identity.uuid(), who, identity.clock().now()).await?;
        tx.commit().await?;
    }
    Ok(Done)
}

pub(crate) async fn reset_password(identity: Identity, call: Call<ResetPassword, Identity>) -> Result<Done, Error> {
    let ResetPassword { token, new_password } = call.request;
    let now = identity.clock().now();
    let link = identity.working_link(&call.context, &token, Purpose::Password, now).await?;
    let person = rows::person(&mut identity.store.read().await?, link.person).await?.ok_or(LinkFault::Ended)?;
    let hash = identity.hash_new(&person, new_password).await?;
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(link.person)).await?.ok_or(LinkFault::Ended)?;
    // Used by somebody else meanwhile, or void since the address changed.
    if person.state != UserState::Active || !rows::use_link(&mut tx, link.id, identity.clock().now()).await? {
        return Err(LinkFault::Ended.into());
    }
    rows::void_links(&mut tx, person.id, now).await?;
    rows::set_password(&mut tx, person.id, &hash).await?;
    let ended = identity.end_sessions(&mut tx, person.id, None).await?;
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.password_reset(&person.named(), ended))?;
    identity.commit_and_deliver(tx).await?;
    Ok(Done)
}

pub(crate) async fn ask_email_change(identity: Identity, call: Call<AskEmailChange, Identity>) -> Result<Done, Error> {
    if !identity.sends_links() {
        return Err(LinkFault::NoMails.into());
    }
    let email = &call.request.email;
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    if *email == person.email {
        return Ok(Done);
    }
    // Whether somebody else has it is looked up when the mail is to leave: here it would be told.
    if !identity.send_link(&mut tx, person.id, Purpose::Address, email.as_str(), identity.clock().now()).await? {
        return Err(LinkFault::TooMany.into());
    }
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.email_change_asked(&person.named()))?;
    tx.commit().await?;
    Ok(Done)
}

pub(crate) async fn confirm_email(identity: Identity, call: Call<ConfirmEmail, Identity>) -> Result<Done, Error> {
    let now = identity.clock().now();
    let link = identity.working_link(&call.context, &call.request.token, Purpose::Address, now).await?;
    let mut tx = identity.store.begin().await?;
    let mut person = rows::lock(&mut tx, Some(link.person)).await?.ok_or(LinkFault::Ended)?;
    if person.state != UserState::Active || !rows::use_link(&mut tx, link.id, now).await? {
        return Err(LinkFault::Ended.into());
    }
    // Only who reads that mailbox is told.
    if rows::is_taken(&mut tx, &link.address, person.id).await? {
        return Err(LinkFault::EmailTaken.into());
    }
    let before = std::mem::replace(&mut person.email, link.address.parse::<Email>().map_err(Error::internal)?);
    rows::set_profile(&mut tx, &person).await?;
    // Whoever reads the old mailbox must not get in by a link that was sent there before.
    rows::void_links(&mut tx, person.id, now).await?;
    let event = identity.events(Some(&call.context.trace_id)).email_changed(&person.named());
    if identity.mailing.is_some() {
        // To the old address: the new one knows.
        let (action, to) = (Action::EmailChanged, (person.id, before.as_str()));
        rows::add_mail_to(&mut tx, identity.uuid(), event.id.into(), to, action, None, now).await?;
    }
    tell(&mut tx, &event)?;
    tx.commit().await?;
    Ok(Done)
}

impl Identity {
    /// The link whose code this is, while it works; guessing is slowed down by address.
    async fn working_link(
        &self,
        context: &Context,
        code: &str,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Link, Error> {
        self.throttle.admit_address(context.client.as_deref()).map_err(Error::Throttled)?;
        let link = rows::link(&mut self.store.read().await?, hash_of(code), purpose, now).await?;
        link.ok_or_else(|| {
            self.throttle.count_address(context.client.as_deref());
            LinkFault::Ended.into()
        })
    }

    /// Sends links to those who were asked for. To be called every moment.
    pub(crate) async fn send_asked_links(&self) -> Result<(), Error> {
        for _ in 0..ROUND {
            if !rows::has_asked(&mut self.store.read().await?).await? {
                return Ok(());
            }
            let mut tx = self.store.begin().await?;
            let Some((who, at)) = rows::take_asked(&mut tx).await? else { return Ok(()) };
            for person in rows::people_asked_for(&mut tx, &who).await? {
                let Some(person) = rows::lock(&mut tx, Some(person)).await? else { continue };
                // To the address as the person wrote it, not as somebody typed it.
                if self.send_link(&mut tx, person.id, Purpose::Password, person.email.as_str(), at).await? {
                    tell(&mut tx, &self.events(None).password_reset_asked(&person.named()))?;
                }
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Makes a link and its mail, and ends the older ones; false when this person was sent enough of them.
    async fn send_link(
        &self,
        tx: &mut Transaction,
        person: UserId,
        purpose: Purpose,
        address: &str,
        at: Timestamp,
    ) -> Result<bool, Error> {
        if rows::count_links(tx, person, purpose, at.minus(HOUR)).await? >= AT_MOST {
            return Ok(false);
        }
        rows::void_older(tx, person, purpose, at).await?;
        let link = Link { id: self.uuid(), person, address: address.to_owned() };
        let digest = hash_of(&self.link_code(link.id));
        rows::add_link(tx, &link, purpose, digest, (at, at.plus(WORKS))).await?;
        let (to, detail) = ((person, address), Some(link.id.to_string()));
        rows::add_mail_to(tx, self.uuid(), link.id, to, purpose.action(), detail, at).await?;
        Ok(true)
    }

    /// Whether a link's mail is still to leave: not when the link was replaced, its person may not sign in any more, or
    /// somebody else has the address that it is for.
    pub(crate) async fn still_leaves(&self, link: Uuid, person: &Person, address: &str) -> Result<bool, Error> {
        let mut tx = self.store.read().await?;
        Ok(match rows::purpose_of_unused(&mut tx, link).await? {
            _ if person.state != UserState::Active => false,
            None => false,
            Some(Purpose::Password) => true,
            Some(Purpose::Address) => !rows::is_taken(&mut tx, address, person.id).await?,
        })
    }

    /// What makes a link work: 256 bits that only instances of this service can make.
    pub(crate) fn link_code(&self, id: Uuid) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.links_key);
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, id.as_bytes()).as_ref())
    }

    /// A link is nothing without a mail that carries it, and an address that it leads to.
    fn sends_links(&self) -> bool {
        self.mailing.is_some() && self.origin().is_some()
    }

    fn uuid(&self) -> Uuid {
        new_uuid(self.clock(), &self.chance)
    }
}
