//! The way back for those who lost their second factor: they ask, an agent who made sure who they are proposes, and
//! another agent decides. The policy, this file under lock, and a constraint of the table each keep the two apart.

use std::time::Duration;

use aaa::{Call, Created, Done, Guard, Password, Principal, Problem, Verdict};
use contracts::Page;
use contracts::events::Action;
use contracts::identity::{
    ApproveFactorReset, AskFactorReset, DecideFactorReset, FactorReset, ListFactorResets, ProposeFactorReset,
    RejectFactorReset, ResetState, UserState,
};
use contracts::roles::Superuser;
use vocabulary::{Login, Reason, RequestId};

use crate::attempts::Counter;
use crate::error::Error;
use crate::management::actor;
use crate::person::{self, Person};
use crate::service::{Identity, tell};
use crate::store as rows;

/// How long a reset waits for the next hand.
const OPEN: Duration = Duration::from_hours(3 * 24);

const TWICE: &str = "Nobody decides what they proposed; ask a colleague.";

pub(crate) async fn ask_factor_reset(identity: Identity, call: Call<AskFactorReset, Identity>) -> Result<Done, Error> {
    let AskFactorReset { login, password } = call.request;
    let events = identity.events(Some(&call.context.trace_id));
    // Counted as a sign-in is, and never cleared here: whoever knows the password must not buy guesses at the code.
    identity.throttle.count_address(call.context.client.as_deref());
    let mut checked = identity.check_password(&login, password, None, &call.context).await?;
    let asks = match &checked.verdict {
        Ok(person) => Identity::has_second_factor(&mut checked.tx, person).await?.then(|| person.clone()),
        Err(reason) => {
            let reason = *reason;
            identity.refuse(checked, reason, &call.context).await?;
            return Ok(Done);
        }
    };
    let Some(person) = asks else { return Ok(Done) };
    let (id, now) = (RequestId::new(identity.clock(), &identity.chance), identity.clock().now());
    if rows::ask_reset(&mut checked.tx, id, person.id, now, now.plus(OPEN)).await? {
        tell(&mut checked.tx, &events.factor_reset_asked(&person.named()))?;
        checked.tx.commit().await?;
    }
    Ok(Done)
}

pub(crate) async fn propose_factor_reset(
    identity: Identity,
    call: Call<ProposeFactorReset, Identity>,
) -> Result<Created<FactorReset>, Error> {
    let (by, ProposeFactorReset { id, reason }) = (call.by(), &call.request);
    let mut tx = identity.store.begin().await?;
    let person = rows::lock(&mut tx, Some(*id)).await?.ok_or(Error::NotFound)?;
    if !Identity::has_second_factor(&mut tx, &person).await? {
        return Err(Error::NothingToReset);
    }
    let (reset, now) = (RequestId::new(identity.clock(), &identity.chance), identity.clock().now());
    let times = (now, now.plus(OPEN));
    rows::expire_resets(&mut tx, now).await?;
    if !rows::propose_reset(&mut tx, reset, person.id, (by.id, &by.login), reason, times).await? {
        return Err(Error::ResetOpen);
    }
    let reset = rows::open_reset(&mut tx, person.id).await?.ok_or(Error::NotFound)?;
    let events = identity.events(Some(&call.context.trace_id));
    let (action, verb) = (Action::FactorResetProposed, "proposed for a reset of their second factor");
    tell(&mut tx, &events.state_changed(action, &actor(by), &person.named(), verb, Some(reason.as_str())))?;
    tx.commit().await?;
    Ok(Created(reset))
}

pub(crate) async fn list_factor_resets(
    identity: Identity,
    call: Call<ListFactorResets, Identity>,
) -> Result<Page<FactorReset>, Error> {
    let mut tx = identity.store.read().await?;
    let open = rows::open_resets(&mut tx, call.by().is_in::<Superuser>(), identity.clock().now()).await?;
    Ok(Page { items: open, next: None })
}

pub(crate) async fn approve_factor_reset(
    identity: Identity,
    call: Call<ApproveFactorReset, Identity>,
) -> Result<FactorReset, Error> {
    identity.decide_reset(call.by(), call.request.id, ResetState::Approved, None, &call.context.trace_id).await
}

pub(crate) async fn reject_factor_reset(
    identity: Identity,
    call: Call<RejectFactorReset, Identity>,
) -> Result<FactorReset, Error> {
    let reason = Some(&call.request.reason);
    identity.decide_reset(call.by(), call.request.id, ResetState::Rejected, reason, &call.context.trace_id).await
}

/// What somebody lost, besides patience.
#[derive(Default, Debug)]
pub struct Lost {
    /// Their second factors: these are removed.
    pub factors: bool,
    /// Their password: this takes its place.
    pub password: Option<Password>,
}

impl Identity {
    async fn decide_reset(
        &self,
        by: &Principal,
        id: RequestId,
        state: ResetState,
        reason: Option<&Reason>,
        trace_id: &str,
    ) -> Result<FactorReset, Error> {
        let mut tx = self.store.begin().await?;
        let person = rows::reset(&mut tx, id).await?.ok_or(Error::NotFound)?.person;
        let person = rows::lock(&mut tx, Some(person)).await?.ok_or(Error::NotFound)?;
        // Every change to a reset locks its person first: what is read now stays.
        let mut reset = rows::reset(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let now = self.clock().now();
        if reset.proposer == Some(by.id) || reset.person == by.id {
            return Err(Error::NotYours(TWICE));
        }
        match reset.state {
            ResetState::Proposed if now < reset.expires_at => {}
            ResetState::Asked if now < reset.expires_at && state == ResetState::Rejected => {}
            ResetState::Asked if now < reset.expires_at => {
                return Err(Error::WrongState(
                    "Nobody has made sure who asks yet: propose it first; a colleague approves.",
                ));
            }
            _ => return Err(Error::WrongState("This was decided already, or not in time.")),
        }
        if !rows::decide_reset(&mut tx, id, state, by.id, reason, now).await? {
            return Err(Error::ChangedMeanwhile);
        }
        reset.state = state;
        let (action, verb) = if state == ResetState::Approved {
            self.remove_factors(&mut tx, &person).await?;
            (Action::FactorResetApproved, "freed of their lost second factor")
        } else {
            reset.reason = reason.map(ToString::to_string).or(reset.reason);
            (Action::FactorResetRejected, "refused a reset of their second factor")
        };
        let (events, why) = (self.events(Some(trace_id)), reason.map(Reason::as_str));
        tell(&mut tx, &events.state_changed(action, &actor(by), &person.named(), verb, why))?;
        self.commit_and_deliver(tx).await?;
        Ok(reset)
    }

    /// Lets somebody sign in at once who had to wait, and without what else keeps them out. From the command line, without a
    /// caller: whoever can write the database may. Nobody else helps the last superuser.
    pub async fn unlock_by_hand(&self, login: &Login, lost: Lost) -> Result<(), Error> {
        let found = rows::person_by_login(&mut self.store.read().await?, Some(login)).await?.ok_or(Error::NotFound)?;
        let hash = match lost.password {
            Some(new_password) => Some(self.hash_new(&found, new_password).await?),
            None => None,
        };
        let mut tx = self.store.begin().await?;
        let person = rows::lock(&mut tx, Some(found.id)).await?.ok_or(Error::NotFound)?;
        if person.state != UserState::Active {
            return Err(Error::WrongState(
                "They may not sign in at all: they were not activated yet, or not any more.",
            ));
        }
        rows::unlock(&mut tx, person.id, &Counter::login(&self.attempts_pepper, login.as_str())).await?;
        let mut ended = 0_usize;
        if lost.factors {
            ended = self.remove_factors(&mut tx, &person).await?;
        }
        let events = self.events(None);
        tell(&mut tx, &events.unlocked_by_hand(&person.named(), lost.factors))?;
        if let Some(hash) = hash {
            rows::void_links(&mut tx, person.id, self.clock().now()).await?;
            rows::set_password(&mut tx, person.id, &hash).await?;
            ended = ended.saturating_add(self.end_sessions(&mut tx, person.id, None).await?);
            tell(&mut tx, &events.password_set_by_hand(&person.named(), ended))?;
        }
        self.commit_and_deliver(tx).await
    }

    /// The person signs in by password alone from now on, everywhere anew. Says how many sessions ended.
    async fn remove_factors(&self, tx: &mut store::Transaction, person: &Person) -> Result<usize, Error> {
        rows::remove_totp(tx, person.id).await?;
        rows::drop_passkeys(tx, person.id).await?;
        rows::drop_recovery_codes(tx, person.id).await?;
        rows::drop_devices(tx, person.id).await?;
        self.end_sessions(tx, person.id, None).await
    }
}

impl Guard<DecideFactorReset> for Identity {
    type Row = FactorReset;
    async fn check(&self, by: &Principal, id: RequestId) -> Result<Verdict<FactorReset>, Problem> {
        let found = async {
            let mut tx = self.store.read().await?;
            let Some(reset) = rows::reset(&mut tx, id).await? else { return Ok(None) };
            let person = rows::person(&mut tx, reset.person).await?;
            Ok::<_, store::StoreError>(person.map(|person| (reset, person)))
        };
        let Some((reset, person)) = found.await.map_err(|error| chassis::store_problem(&error))? else {
            return Ok(Verdict::Unseen);
        };
        Ok(match person::manages(by, &person) {
            Verdict::Granted(()) if reset.proposer == Some(by.id) => Verdict::Refused(TWICE),
            Verdict::Granted(()) => Verdict::Granted(reset),
            Verdict::Refused(why) => Verdict::Refused(why),
            Verdict::Unseen => Verdict::Unseen,
            Verdict::Missing => Verdict::Missing,
        })
    }
}
