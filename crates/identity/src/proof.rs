//! Proving who one is: at a sign-in, and once more before something grave.
//!
//! A sign-in always does the same: one look for the person, their browser and their failures, one Argon2id verification,
//! one transaction that locks the person, counts and tells one event. Only then does the answer differ. Whoever has to
//! wait is told so before anything is hashed, whether somebody is called so or not.

use aaa::{Call, Context, Fit, Password, Principal};
use contracts::identity::{AccessToken, ProveAgain, UserState};
use store::Transaction;
use vocabulary::{Login, UserId};

use crate::attempts::{Attempts, Counter, MOST};
use crate::error::Error;
use crate::events::{Events, Refusal};
use crate::factors::Second;
use crate::person::Person;
use crate::service::{Identity, tell};
use crate::session::{Proof, hash_of};
use crate::store as rows;

/// What somebody gives to sign in.
pub(crate) struct Credential {
    pub(crate) login: String,
    pub(crate) password: Password,
    /// A code of an authenticator app, or a recovery code.
    pub(crate) otp: Option<String>,
    /// What their browser was given when they signed in with it before.
    pub(crate) device: Option<String>,
}

/// Somebody who proved who they are, locked in the transaction that goes on.
pub(crate) struct Proven {
    pub(crate) tx: Transaction,
    pub(crate) person: Person,
    pub(crate) proof: Proof,
    /// The hash of what their browser was given before, when it was this person's.
    pub(crate) device: Option<[u8; 32]>,
}

pub(crate) async fn prove_again(identity: Identity, call: Call<ProveAgain, Identity>) -> Result<AccessToken, Error> {
    let (by, trace_id) = (call.by().clone(), call.context.trace_id.clone());
    let ProveAgain { password, otp } = call.request;
    let Again { mut tx, person, fits } = identity.check_again(&by, password).await?;
    let events = identity.events(Some(&trace_id));
    let second =
        if fits { identity.second_factor(&mut tx, &person, otp.as_deref(), &events).await? } else { Second::Wrong };
    let proof = match second {
        Second::NotAsked => Proof::Password,
        Second::Given => Proof::Code,
        Second::Missing => return Err(Error::CodeMissing),
        Second::Wrong => {
            tell(&mut tx, &events.step_up_failed(&person.named()))?;
            identity.failed_again(tx, &by, &person, &events).await?;
            return Err(Error::ProofRefused);
        }
    };
    identity.renew_proof(tx, &by, &person, proof, &trace_id).await
}

/// A login and a password that were looked at. The person is locked in the transaction that goes on, and so is the
/// counter of their failures.
pub(crate) struct Checked {
    pub(crate) tx: Transaction,
    /// Whose login it is, whether the password is right or not.
    found: Option<Person>,
    fit: Fit,
    /// The person, when they may sign in as far as their password goes.
    pub(crate) verdict: Result<Person, Refusal>,
    counter: Counter,
    account: Counter,
    attempts: Attempts,
    device: Option<[u8; 32]>,
}

/// A signed-in person whose password was looked at once more, locked in the transaction that goes on.
pub(crate) struct Again {
    pub(crate) tx: Transaction,
    pub(crate) person: Person,
    pub(crate) fits: bool,
}

/// Whether the person may sign in, or the reason for the journal.
fn verdict(found: Option<&Person>, fits: bool, now: Option<&Person>) -> Result<Person, Refusal> {
    let found = found.ok_or("unknown-login")?;
    // A password that was changed in between does not fit any more.
    let now = now.filter(|now| fits && now.password == found.password).ok_or("wrong-password")?;
    match now.state {
        UserState::Active => Ok(now.clone()),
        state @ (UserState::Pending | UserState::Disabled | UserState::Rejected) => Err(rows::state_name(state)),
    }
}

impl Identity {
    /// Who signs in, or the one refusal.
    pub(crate) async fn prove(&self, credential: Credential, context: &Context) -> Result<Proven, Error> {
        let Credential { login, password, otp, device } = credential;
        let events = self.events(Some(&context.trace_id));
        let mut checked = self.check_password(&login, password, device.as_deref(), context).await?;
        let proven = match &checked.verdict {
            Ok(person) => match self.second_factor(&mut checked.tx, person, otp.as_deref(), &events).await? {
                Second::NotAsked => Ok((person.clone(), Proof::Password)),
                Second::Given => Ok((person.clone(), Proof::Code)),
                Second::Missing => return Err(Error::SecondFactorRequired),
                Second::Wrong => Err("wrong-code"),
            },
            Err(reason) => Err(*reason),
        };
        match proven {
            Ok((mut person, proof)) => {
                let Checked { mut tx, fit, counter, account, device, .. } = checked;
                if let Fit::Outdated(better) = fit {
                    rows::set_password(&mut tx, person.id, &better).await?;
                    person.password = better;
                }
                rows::clear_attempts(&mut tx, &counter, MOST).await?;
                rows::clear_attempts(&mut tx, &account, MOST).await?;
                Ok(Proven { tx, person, proof, device })
            }
            Err(reason) => {
                self.refuse(checked, reason, context).await?;
                Err(Error::SignInRefused(reason))
            }
        }
    }

    /// Counts and tells a refusal.
    pub(crate) async fn refuse(&self, checked: Checked, reason: Refusal, context: &Context) -> Result<(), Error> {
        self.throttle.count_address(context.client.as_deref());
        let events = self.events(Some(&context.trace_id));
        let Checked { mut tx, found, counter, attempts, .. } = checked;
        let named = found.as_ref().map(Person::named);
        tell(&mut tx, &events.login_failed(named.as_ref(), reason))?;
        self.count_failure(&mut tx, &counter, attempts, found.as_ref(), &events).await?;
        Ok(tx.commit().await?)
    }

    /// Looks at a login and a password, with the same work whatever is right.
    pub(crate) async fn check_password(
        &self,
        typed: &str,
        password: Password,
        device: Option<&str>,
        context: &Context,
    ) -> Result<Checked, Error> {
        let client = context.client.as_deref();
        self.throttle.admit_address(client).map_err(Error::Throttled)?;
        let device = hash_of(device.unwrap_or_default());
        let login: Option<Login> = typed.parse().ok();

        let mut tx = self.store.read().await?;
        let found = rows::person_by_login(&mut tx, login.as_ref()).await?;
        let owner = rows::owner_of_device(&mut tx, device).await?;
        let device = owner.filter(|owner| found.as_ref().is_some_and(|it| it.id == *owner)).map(|_| device);
        let account = Counter::login(&self.attempts_pepper, typed);
        let counter = device.map_or(account, |device| Counter::device(&self.attempts_pepper, &device));
        self.admit(&mut tx, &counter).await?;
        drop(tx);

        let stored = found.as_ref().map(|person| person.password.clone());
        let fit = self.hasher.verify(password, stored).await?;

        let mut tx = self.store.begin().await?;
        let locked = rows::lock(&mut tx, found.as_ref().map(|person| person.id)).await?;
        let attempts = self.admit_locked(&mut tx, &counter, locked.as_ref().map(|person| person.id)).await?;
        let verdict = verdict(found.as_ref(), fit.is_right(), locked.as_ref());
        Ok(Checked { tx, found, fit, verdict, counter, account, attempts, device })
    }

    /// Looks at the password of somebody who is signed in. Their session has a counter of its own.
    pub(crate) async fn check_again(&self, by: &Principal, password: Password) -> Result<Again, Error> {
        let counter = Counter::session(&self.attempts_pepper, by.session);
        let mut tx = self.store.read().await?;
        let before = rows::person(&mut tx, by.id).await?.ok_or(Error::Unknown)?;
        self.admit(&mut tx, &counter).await?;
        drop(tx);
        let fits = self.hasher.verify(password, Some(before.password.clone())).await?.is_right();
        let mut tx = self.store.begin().await?;
        let person = rows::lock(&mut tx, Some(by.id)).await?.ok_or(Error::Unknown)?;
        self.admit_locked(&mut tx, &counter, Some(by.id)).await?;
        let fits = fits && person.password == before.password;
        Ok(Again { tx, person, fits })
    }

    /// Renews the proof in the session of somebody who proved once more who they are, and is locked in `tx`.
    pub(crate) async fn renew_proof(
        &self,
        mut tx: Transaction,
        by: &Principal,
        person: &Person,
        proof: Proof,
        trace_id: &str,
    ) -> Result<AccessToken, Error> {
        let now = self.clock().now();
        let mut session = rows::session(&mut tx, by.session, by.id).await?.ok_or(Error::SessionEnded)?;
        (session.authenticated_at, session.proof) = (now, proof);
        rows::set_proof(&mut tx, &session).await?;
        rows::clear_attempts(&mut tx, &Counter::session(&self.attempts_pepper, by.session), MOST).await?;
        tell(&mut tx, &self.events(Some(trace_id)).stepped_up(&person.named(), proof.name()))?;
        tx.commit().await?;
        let access = self.access(person, &session)?;
        Ok(AccessToken {
            access_token: access.token,
            token_type: "Bearer".into(),
            expires_in: access.seconds,
            authenticated_at: now,
            second_factor: proof.has_second_factor(),
        })
    }

    /// Counts a failure of somebody who is signed in, and keeps what `tx` tells.
    pub(crate) async fn failed_again(
        &self,
        mut tx: Transaction,
        by: &Principal,
        person: &Person,
        events: &Events<'_>,
    ) -> Result<(), Error> {
        let counter = Counter::session(&self.attempts_pepper, by.session);
        let attempts = rows::lock_attempts(&mut tx, &counter, Some(by.id), self.clock().now()).await?;
        self.count_failure(&mut tx, &counter, attempts, Some(person), events).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses whoever has to wait. A look only, so that nothing is hashed in vain.
    async fn admit(&self, tx: &mut Transaction, counter: &Counter) -> Result<(), Error> {
        let wait = rows::attempts(tx, counter).await?.and_then(|attempts| attempts.wait(self.clock().now()));
        wait.map_or(Ok(()), |wait| Err(Error::TooManyTries(wait)))
    }

    /// The same under lock: of many who try at once, those who come after the last free failure learn nothing, were they
    /// right or wrong.
    async fn admit_locked(
        &self,
        tx: &mut Transaction,
        counter: &Counter,
        person: Option<UserId>,
    ) -> Result<Attempts, Error> {
        let now = self.clock().now();
        let attempts = rows::lock_attempts(tx, counter, person, now).await?;
        attempts.wait(now).map_or(Ok(attempts), |wait| Err(Error::TooManyTries(wait)))
    }

    async fn count_failure(
        &self,
        tx: &mut Transaction,
        counter: &Counter,
        attempts: Attempts,
        person: Option<&Person>,
        events: &Events<'_>,
    ) -> Result<(), Error> {
        let now = self.clock().now();
        let attempts = attempts.failed(now);
        rows::put_attempts(tx, counter, attempts, now).await?;
        if attempts.is_telling() {
            let named = person.map(Person::named);
            tell(tx, &events.blocked(named.as_ref(), attempts.failures, counter.kind))?;
        }
        Ok(())
    }
}
