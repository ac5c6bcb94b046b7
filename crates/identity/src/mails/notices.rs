//! From an event to the rows that tell people of it.

use contracts::events::{Action, LogEvent};
use contracts::identity::{MailChoices, SignInMails};
use contracts::notices::{Happening, Topic, topic};
use store::{Store, StoreError, Transaction, Uuid};
use vocabulary::{Chance, new_uuid};

use crate::store as rows;

/// In the particulars of a sign-in: what about it is new to this person.
pub(crate) const NEW: &str = "new";

/// In the particulars of what became of a request: which.
const REQUEST: &str = "request";

/// Takes note of what people are to be told. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    store: Store,
    chance: Chance,
    mails: bool,
}

impl Notices {
    /// On identity's store. Mails are kept to be sent when `mails`; without, people are told in the pages only.
    pub fn new(store: Store, chance: Chance, mails: bool) -> Self {
        Self { store, chance, mails }
    }

    /// What an event as the bus carries it tells people, if anything.
    pub fn read(payload: &str) -> Option<Happening> {
        let event: LogEvent = serde_json::from_str(payload).ok()?;
        let detail = match topic(event.action)? {
            Topic::SignIns => event.details.get(NEW).map(|_| NEW.to_owned()),
            Topic::Requests => event.details.get(REQUEST).cloned(),
            _ => None,
        };
        Some(Happening { event: event.id, at: event.at, action: event.action, person: event.subject?.id, detail })
    }

    /// Notes all or nothing. What was noted before stays as it is.
    pub async fn take(&self, happenings: Vec<Happening>) -> Result<(), StoreError> {
        if happenings.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for happening in &happenings {
            self.note(&mut tx, happening).await?;
        }
        tx.commit().await
    }

    async fn note(&self, tx: &mut Transaction, happening: &Happening) -> Result<(), StoreError> {
        let Some(topic) = topic(happening.action) else { return Ok(()) };
        // An ordinary sign-in is nothing to read about; who wants to may have it mailed.
        let ordinary = topic == Topic::SignIns && happening.detail.is_none();
        if !ordinary {
            rows::add_notice(tx, self.id(), happening, is_seen(happening.action)).await?;
        }
        if self.mails {
            let choices = rows::mail_choices(tx, happening.person).await?.unwrap_or_default();
            if is_mailed(topic, ordinary, choices) {
                rows::add_mail(tx, self.id(), happening, self.store.clock().now()).await?;
            }
        }
        Ok(())
    }

    fn id(&self) -> Uuid {
        new_uuid(self.store.clock(), &self.chance)
    }
}

/// Whether its person saw it happen: the page that they were on told them that their request was received.
fn is_seen(action: Action) -> bool {
    topic(action) == Some(Topic::Requests) && action.name().ends_with("_REQUESTED")
}

/// Whether somebody who chose so gets a mail.
fn is_mailed(topic: Topic, ordinary: bool, choices: MailChoices) -> bool {
    match topic {
        Topic::Account | Topic::Security => true,
        Topic::SignIns => match choices.sign_ins {
            SignInMails::Every => true,
            SignInMails::New => !ordinary,
            SignInMails::Never => false,
        },
        Topic::Requests => choices.requests,
        Topic::Transfers => choices.transfers,
    }
}
