//! Sends what is due. Several instances of this service may do so at once: each mail is held by one of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::mail::{Carrier, Mailing, Undelivered};
use contracts::events::Action;
use sha2::{Digest, Sha256};
use store::Uuid;
use vocabulary::{Timestamp, UserId};

use super::{Letter, letter};
use crate::error::Error;
use crate::links::WORKS;
use crate::person::Person;
use crate::service::{Identity, tell};
use crate::store as rows;

/// Mails of one round.
const ROUND: usize = 200;
/// How long a mail is held by whoever sends it: longer than connecting and sending may take.
const HELD: Duration = Duration::from_secs(90);
/// The first wait of a mail that the relay wants later, and the longest.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_mins(30);
/// How long a mail that the relay answers "later" is tried.
const TRIED: Duration = Duration::from_hours(4 * 24);
/// The first rest after a relay that cannot be used, and the longest.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// A mail that this instance holds.
pub(crate) struct Mail {
    pub(crate) id: Uuid,
    pub(crate) event: Uuid,
    pub(crate) person: UserId,
    pub(crate) address: String,
    pub(crate) action: Action,
    pub(crate) detail: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) tries: u32,
}

impl Mail {
    /// The link that it carries.
    fn link(&self) -> Option<Uuid> {
        match self.action {
            Action::PasswordResetAsked | Action::EmailChangeAsked => self.detail.as_deref()?.parse().ok(),
            _ => None,
        }
    }

    /// The same for the same event, person and address, whoever sends it and however often.
    fn stable_id(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.event.as_bytes())
            .chain_update(Uuid::from(self.person).as_bytes())
            .chain_update(&self.address);
        hex::encode(digest.finalize()).chars().take(40).collect()
    }
}

/// How long nothing is tried, after a relay that could not be used.
#[derive(Default)]
pub(crate) struct Rest(Mutex<(u32, Option<Timestamp>)>);

impl Rest {
    fn lasts(&self, now: Timestamp) -> bool {
        let (_, until) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| now < until)
    }

    /// Gives whether it is the first failure in a row.
    fn begin(&self, now: Timestamp) -> bool {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = doubled(REST, rest.0, LONGEST_REST);
        *rest = (rest.0.saturating_add(1), Some(now.plus(wait)));
        rest.0 == 1
    }

    /// Gives whether there was one.
    fn end(&self) -> bool {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rest).0 > 0
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(longest)
}

impl Identity {
    /// Lets other instances, and this one, send at once what this one held when it ended. To be called at the start.
    pub async fn let_mails_go(&self) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        rows::let_go(&mut tx, self.instance()).await?;
        Ok(tx.commit().await?)
    }

    /// Sends the mails that are due; nothing without [`crate::Mailing`]. To be called every moment.
    pub async fn send_due_mails(&self) -> Result<(), Error> {
        let Some(mailing) = self.mailing.clone() else { return Ok(()) };
        self.send_asked_links().await?;
        if self.rest.lasts(self.clock().now()) {
            return Ok(());
        }
        let mut carrier = None;
        for _ in 0..ROUND {
            let Some((mail, person)) = self.next_mail().await? else { break };
            if let Some(link) = mail.link()
                && !self.still_leaves(link, &person, &mail.address).await?
            {
                self.drop_mail(&mail).await?;
                continue;
            }
            match self.send(&mailing, &mut carrier, &mail, &person).await {
                Ok(()) => {
                    if self.rest.end() {
                        tracing::info!(relay = mailing.relay(), "the mail relay can be used again");
                    }
                    self.settle(&mail, "sent", None).await?;
                }
                Err(Undelivered::Relay(why)) => {
                    let (now, relay) = (self.clock().now(), mailing.relay());
                    if self.rest.begin(now) {
                        tracing::error!(relay, why, "the mail relay cannot be used: mails wait");
                    }
                    // Behind the others when its turn comes again: it may be this very mail that the relay chokes on.
                    self.postpone(&mail, now.plus(Duration::from_secs(1)), &why).await?;
                    return Ok(());
                }
                Err(Undelivered::Later(why)) if self.clock().now() < mail.at.plus(TRIED) => {
                    let wait = doubled(FIRST, mail.tries.saturating_sub(1), LONGEST);
                    self.postpone(&mail, self.clock().now().plus(wait), &why).await?;
                }
                Err(Undelivered::Later(why) | Undelivered::Never(why)) => self.give_up(&mail, &person, &why).await?,
            }
        }
        if let Some(carrier) = carrier {
            carrier.leave().await;
        }
        Ok(())
    }

    /// The next mail and who gets it, held from now on.
    async fn next_mail(&self) -> Result<Option<(Mail, Person)>, Error> {
        loop {
            let now = self.clock().now();
            if !rows::has_due_mail(&mut self.store.read().await?, now).await? {
                return Ok(None);
            }
            let mut tx = self.store.begin().await?;
            let taken = rows::take_mail(&mut tx, now, now.plus(HELD), self.instance()).await?;
            let person = match &taken {
                Some(mail) => rows::person(&mut tx, mail.person).await?,
                None => return Ok(None),
            };
            tx.commit().await?;
            // A mail goes with its person, so one of the two is always there with the other.
            if let Some(found) = taken.zip(person) {
                return Ok(Some(found));
            }
        }
    }

    async fn send(
        &self,
        mailing: &Mailing,
        carrier: &mut Option<Carrier>,
        mail: &Mail,
        person: &Person,
    ) -> Result<(), Undelivered> {
        let origin = self.origin();
        let code = mail.link().map(|id| self.link_code(id));
        if code.is_some() && self.clock().now() >= mail.at.plus(WORKS) {
            return Err(Undelivered::Never("its link ran out before the relay could be used".to_owned()));
        }
        let known = letter::About {
            language: person.language,
            login: &person.login,
            bank: mailing.bank(),
            origin: origin.as_deref(),
            at: mail.at,
            code: code.as_deref(),
        };
        let letter = Letter::of(mail.action, mail.detail.as_deref(), &known)
            .ok_or_else(|| Undelivered::Never("there is nothing to be said about this".to_owned()))?;
        let message = mailing.message(&mail.address, &mail.stable_id(), mail.at, letter.written())?;
        let open = match carrier.take() {
            Some(open) => carrier.insert(open),
            None => carrier.insert(mailing.connect().await?),
        };
        let carried = open.carry(&message).await;
        if carried.is_err() {
            // In whatever state it is: the next mail gets another one.
            *carrier = None;
        }
        carried
    }

    async fn settle(&self, mail: &Mail, state: &str, why: Option<&str>) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        rows::settle_mail(&mut tx, mail.id, self.instance(), state, self.clock().now(), why).await?;
        Ok(tx.commit().await?)
    }

    /// It was never to leave.
    async fn drop_mail(&self, mail: &Mail) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        rows::drop_mail(&mut tx, mail.id, self.instance()).await?;
        Ok(tx.commit().await?)
    }

    async fn postpone(&self, mail: &Mail, until: Timestamp, why: &str) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        rows::postpone_mail(&mut tx, mail.id, self.instance(), until, why).await?;
        Ok(tx.commit().await?)
    }

    /// Never silently: the journal is told, and through it whoever looks.
    async fn give_up(&self, mail: &Mail, person: &Person, why: &str) -> Result<(), Error> {
        tracing::warn!(mail = %mail.id, why, "a mail was given up");
        let mut tx = self.store.begin().await?;
        if rows::settle_mail(&mut tx, mail.id, self.instance(), "failed", self.clock().now(), Some(why)).await? {
            tell(&mut tx, &self.events(None).mail_failed(&person.named(), mail.action, why))?;
        }
        Ok(tx.commit().await?)
    }
}
