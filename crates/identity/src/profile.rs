//! What people see and change of themselves.

use aaa::{Call, Done, Password, PasswordHash};
use contracts::identity::{ChangePassword, EditProfile, GetProfile, User, WhoAmI};

use crate::error::{Error, LinkFault};
use crate::person::Person;
use crate::proof::Again;
use crate::service::{Identity, tell};
use crate::store as rows;
use crate::strength::{self, About};

pub(crate) async fn who_am_i(identity: Identity, call: Call<WhoAmI, Identity>) -> Result<User, Error> {
    Ok(identity.caller(call.by()).await?.user())
}

pub(crate) async fn get_profile(identity: Identity, call: Call<GetProfile, Identity>) -> Result<User, Error> {
    Ok(identity.caller(call.by()).await?.user())
}

pub(crate) async fn edit_profile(identity: Identity, call: Call<EditProfile, Identity>) -> Result<User, Error> {
    let mut tx = identity.store.begin().await?;
    let mut person = rows::lock(&mut tx, Some(call.by().id)).await?.ok_or(Error::Unknown)?;
    let mut changed = Vec::new();
    let EditProfile { email, first_name, last_name, language } = call.request;
    if let Some(email) = email.filter(|email| *email != person.email) {
        if identity.mailing.is_some() {
            return Err(LinkFault::AddressByLink.into());
        }
        person.email = email;
        changed.push("email");
    }
    if let Some(name) = first_name.filter(|name| *name != person.first_name) {
        person.first_name = name;
        changed.push("first name");
    }
    if let Some(name) = last_name.filter(|name| *name != person.last_name) {
        person.last_name = name;
        changed.push("last name");
    }
    if let Some(language) = language.filter(|language| *language != person.language) {
        person.language = language;
        changed.push("language");
    }
    if !changed.is_empty() {
        rows::set_profile(&mut tx, &person).await?;
        let events = identity.events(Some(&call.context.trace_id));
        tell(&mut tx, &events.profile_changed(&person.named(), &changed.join(", ")))?;
        tx.commit().await?;
    }
    Ok(person.user())
}

pub(crate) async fn change_password(identity: Identity, call: Call<ChangePassword, Identity>) -> Result<Done, Error> {
    let (by, trace_id) = (call.by().clone(), call.context.trace_id.clone());
    let ChangePassword { old_password, new_password } = call.request;
    let same = old_password.expose() == new_password.expose();
    let events = identity.events(Some(&trace_id));
    let Again { mut tx, person, fits } = identity.check_again(&by, old_password).await?;
    if !fits {
        // The refusal changes nothing; that it happened is told and counted all the same.
        tell(&mut tx, &events.password_change_failed(&person.named()))?;
        identity.failed_again(tx, &by, &person, &events).await?;
        return Err(Error::WrongPassword);
    }
    // Hashing takes long: nobody is locked meanwhile.
    drop(tx);
    if same {
        let words = "is the one that is valid now. Choose another one.".to_owned();
        return Err(Error::WeakPassword { field: "new_password", words });
    }
    let hash = identity.hash_new(&person, new_password).await?;
    let mut tx = identity.store.begin().await?;
    let now = rows::lock(&mut tx, Some(by.id)).await?.ok_or(Error::Unknown)?;
    if now.password != person.password {
        return Err(Error::ChangedMeanwhile);
    }
    rows::set_password(&mut tx, by.id, &hash).await?;
    // A link that was asked for before must not undo the change.
    rows::void_links(&mut tx, by.id, identity.clock().now()).await?;
    let ended = identity.end_sessions(&mut tx, by.id, Some(by.session)).await?;
    tell(&mut tx, &events.password_changed(&person.named(), ended))?;
    identity.commit_and_deliver(tx).await?;
    Ok(Done)
}

impl Identity {
    /// The hash of a password that `person` chose anew, unless it is too weak for them.
    pub(crate) async fn hash_new(&self, person: &Person, new_password: Password) -> Result<PasswordHash, Error> {
        let about = About {
            login: &person.login,
            email: &person.email,
            first_name: &person.first_name,
            last_name: &person.last_name,
            refused: &self.refused,
        };
        strength::check("new_password", &new_password, &about)?;
        Ok(self.hasher.hash(new_password).await?)
    }
}
