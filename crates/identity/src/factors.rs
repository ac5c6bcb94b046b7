//! What people have besides their password: an authenticator app, passkeys, and recovery codes for the day when it is lost.

use aaa::{Call, Created, Done};
use contracts::identity::{
    BeginTotp, ConfirmTotp, GetSecondFactor, MakeRecoveryCodes, RecoveryCodes, RemoveTotp, SecondFactor, TotpSetup,
};
use store::Transaction;

use crate::error::Error;
use crate::events::Events;
use crate::person::Person;
use crate::service::{Identity, tell};
use crate::store as rows;
use crate::totp::{TotpSecret, Typed, qr_svg, recovery_codes};

/// What came of asking for a second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Second {
    /// The person has none.
    NotAsked,
    /// The right one was given, and works no more.
    Given,
    /// None was given.
    Missing,
    /// A wrong one was given, or one that was used before.
    Wrong,
}

pub(crate) async fn get_second_factor(
    identity: Identity,
    call: Call<GetSecondFactor, Identity>,
) -> Result<SecondFactor, Error> {
    let mut tx = identity.store.read().await?;
    let passkeys = rows::count_passkeys(&mut tx, call.by().id).await?;
    let totp_since = rows::totp(&mut tx, call.by().id).await?.and_then(|totp| totp.confirmed_at);
    Ok(SecondFactor {
        totp_since,
        passkeys,
        enrol_again: totp_since.is_none() && passkeys == 0 && rows::was_reset(&mut tx, call.by().id).await?,
        recovery_codes_left: rows::count_recovery_codes(&mut tx, call.by().id).await?,
    })
}

pub(crate) async fn begin_totp(
    identity: Identity,
    call: Call<BeginTotp, Identity>,
) -> Result<Created<TotpSetup>, Error> {
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    let secret = TotpSecret::new(&identity.chance);
    let sealed = identity.vault.seal(&secret, person.id, &identity.chance)?;
    if !rows::put_totp(&mut tx, person.id, sealed, identity.clock().now()).await? {
        return Err(Error::TotpOn);
    }
    let url = secret.url(&person.login);
    let setup = TotpSetup { secret: secret.base32(), qr_svg: qr_svg(&url)?, url };
    tx.commit().await?;
    Ok(Created(setup))
}

pub(crate) async fn confirm_totp(
    identity: Identity,
    call: Call<ConfirmTotp, Identity>,
) -> Result<RecoveryCodes, Error> {
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    let totp = rows::totp(&mut tx, person.id).await?.ok_or(Error::TotpNotBegun)?;
    if totp.confirmed_at.is_some() {
        return Err(Error::TotpOn);
    }
    let now = identity.clock().now();
    let step = match Typed::read(&call.request.code) {
        Typed::Code(code) => identity.vault.open(&totp.sealed, person.id)?.step_of(&code, now),
        Typed::Recovery(_) => None,
    };
    if !rows::take_step(&mut tx, person.id, step.ok_or(Error::WrongCode)?, now).await? {
        return Err(Error::WrongCode);
    }
    let events = identity.events(Some(&call.context.trace_id));
    tell(&mut tx, &events.totp_enabled(&person.named()))?;
    let codes = identity.new_recovery_codes(&mut tx, &person, &events).await?;
    tx.commit().await?;
    Ok(codes)
}

pub(crate) async fn remove_totp(identity: Identity, call: Call<RemoveTotp, Identity>) -> Result<Done, Error> {
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    let totp = rows::totp(&mut tx, person.id).await?.ok_or(Error::NotFound)?;
    rows::remove_totp(&mut tx, person.id).await?;
    if totp.confirmed_at.is_some() {
        if !Identity::has_second_factor(&mut tx, &person).await? {
            // They stand in for a second factor, and there is none any more.
            rows::drop_recovery_codes(&mut tx, person.id).await?;
        }
        tell(&mut tx, &identity.events(Some(&call.context.trace_id)).totp_disabled(&person.named()))?;
    }
    tx.commit().await?;
    Ok(Done)
}

pub(crate) async fn make_recovery_codes(
    identity: Identity,
    call: Call<MakeRecoveryCodes, Identity>,
) -> Result<RecoveryCodes, Error> {
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    if !Identity::has_second_factor(&mut tx, &person).await? {
        return Err(Error::NoSecondFactor);
    }
    let events = identity.events(Some(&call.context.trace_id));
    let codes = identity.new_recovery_codes(&mut tx, &person, &events).await?;
    tx.commit().await?;
    Ok(codes)
}

impl Identity {
    /// Whether a sign-in of this person asks for more than the password.
    pub(crate) async fn has_second_factor(tx: &mut Transaction, person: &Person) -> Result<bool, Error> {
        let totp = rows::totp(tx, person.id).await?;
        Ok(totp.is_some_and(|totp| totp.confirmed_at.is_some()) || rows::count_passkeys(tx, person.id).await? > 0)
    }

    /// Asks for the second factor of a person who is locked in `tx`. To be called once the password was right, and not
    /// before: how long it takes tells whether there is one.
    pub(crate) async fn second_factor(
        &self,
        tx: &mut Transaction,
        person: &Person,
        given: Option<&str>,
        events: &Events<'_>,
    ) -> Result<Second, Error> {
        let totp = rows::totp(tx, person.id).await?.filter(|totp| totp.confirmed_at.is_some());
        if totp.is_none() && !Self::has_second_factor(tx, person).await? {
            return Ok(Second::NotAsked);
        }
        let Some(given) = given.filter(|text| !text.trim().is_empty()) else { return Ok(Second::Missing) };
        let now = self.clock().now();
        let taken = match (Typed::read(given), totp) {
            (Typed::Code(code), Some(totp)) => match self.vault.open(&totp.sealed, person.id)?.step_of(&code, now) {
                Some(step) => rows::take_step(tx, person.id, step, now).await?,
                None => false,
            },
            (Typed::Code(_), None) => false,
            (Typed::Recovery(hash), _) => {
                let spent = rows::spend_recovery_code(tx, person.id, hash).await?;
                if spent {
                    let left = rows::count_recovery_codes(tx, person.id).await?;
                    tell(tx, &events.recovery_code_used(&person.named(), left))?;
                }
                spent
            }
        };
        Ok(if taken { Second::Given } else { Second::Wrong })
    }

    /// New recovery codes in place of the old ones: what the person is shown once.
    pub(crate) async fn new_recovery_codes(
        &self,
        tx: &mut Transaction,
        person: &Person,
        events: &Events<'_>,
    ) -> Result<RecoveryCodes, Error> {
        let (shown, stored): (Vec<_>, Vec<_>) = recovery_codes(&self.chance).into_iter().unzip();
        rows::replace_recovery_codes(tx, person.id, stored).await?;
        tell(tx, &events.recovery_codes_made(&person.named()))?;
        Ok(RecoveryCodes { recovery_codes: shown })
    }
}
