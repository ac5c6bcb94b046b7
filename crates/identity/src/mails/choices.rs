//! What people choose of the mails they may do without, and what other services hand over for them.

use aaa::{Call, Done};
use contracts::identity::{ChooseMails, GetMailChoices, MailChoices};
use contracts::peers::TakeHappenings;

use super::Notices;
use crate::error::Error;
use crate::service::Identity;
use crate::store as rows;

pub(crate) async fn get_mail_choices(
    identity: Identity,
    call: Call<GetMailChoices, Identity>,
) -> Result<MailChoices, Error> {
    let mut tx = identity.store.read().await?;
    Ok(rows::mail_choices(&mut tx, call.by().id).await?.unwrap_or_default())
}

pub(crate) async fn choose_mails(identity: Identity, call: Call<ChooseMails, Identity>) -> Result<MailChoices, Error> {
    let ChooseMails { sign_ins, requests, transfers } = call.request;
    let choices = MailChoices { sign_ins, requests, transfers };
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    if rows::mail_choices(&mut tx, person.id).await?.unwrap_or_default() != choices {
        rows::choose_mails(&mut tx, person.id, choices).await?;
        let events = identity.events(Some(&call.context.trace_id));
        crate::service::tell(&mut tx, &events.profile_changed(&person.named(), "mails"))?;
        tx.commit().await?;
    }
    Ok(choices)
}

pub(crate) async fn take_happenings(identity: Identity, call: Call<TakeHappenings, Identity>) -> Result<Done, Error> {
    let notices = Notices::new(identity.store.clone(), identity.chance.clone(), identity.mailing.is_some());
    notices.take(call.request.happenings).await?;
    Ok(Done)
}
