//! `authority`: the service that certifies the others. It stands on the folder that `guichet pki` works on, and what is done
//! there by hand counts here within a second.
//!
//! Promises: strangers, who may only ask to join, hold up nobody who has a certificate; everything it signs or takes back reaches the journal, at least once and in order; its own certificate and
//! its lists never run out while it runs. It decides nothing: the rules are those of `pki::Folder`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aaa::{Api, Call, Gate, Misconfigured, Module, Problem};
use bus::Envelope;
use chassis::{Health, Shutdown, Truth};
use contracts::authority::{Certificates, GetLists, Join, Lists, Renew, SERVICE};
use contracts::events::{Action, Audience, Level, LogEvent};
use http::StatusCode;
use pki::{Deed, Event, Folder, Grant, Link, PkiError, SigningRequest, Trust, Wish};
use tokio::sync::Semaphore;
use vocabulary::{Chance, Clock};

use crate::Failure;
use crate::broker::sent_away;
use crate::rooms::rounds;
use crate::telling::Telling;

/// How often it looks what is to be done.
const LOOK: Duration = Duration::from_secs(1);
/// Most events told at a time.
const MOST: usize = 100;
/// How many may wait to join at a time: whoever asks has proved nothing yet.
const JOINING: usize = 4;
/// When those who found no place may ask again, in seconds.
const LATER: u32 = 1;

/// The authority of a bank whose services stand apart. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Authority {
    dir: Arc<PathBuf>,
    /// One at a time, in the order they came: the folder's own lock knows no order.
    turns: Arc<tokio::sync::Mutex<()>>,
    joining: Arc<Semaphore>,
    /// Why nothing could be signed at the last look.
    trouble: Arc<Mutex<Option<String>>>,
    clock: Clock,
    chance: Chance,
}

fn invited(api: Api<Authority>) -> Api<Authority> {
    api.serve(join)
}

fn certified(api: Api<Authority>) -> Api<Authority> {
    api.serve(renew).serve(get_lists)
}

impl Authority {
    pub(crate) fn new(dir: &Path, clock: Clock, chance: Chance) -> Self {
        Self {
            dir: Arc::new(dir.to_owned()),
            turns: Arc::default(),
            joining: Arc::new(Semaphore::new(JOINING)),
            trouble: Arc::default(),
            clock,
            chance,
        }
    }

    /// Its side of its links: a certificate made by itself, never written down.
    pub(crate) fn link(&self) -> Result<Link, Failure> {
        let mut folder = Folder::open(&self.dir)?;
        let identity = folder.own(SERVICE, &self.clock, &self.chance)?.identity()?;
        Ok(Link::new(identity, trust(&folder)?, &self.clock)?)
    }

    /// For those without a certificate, and for those with one.
    pub(crate) fn module(self, gate: Gate, inner: Gate) -> Result<Module, Misconfigured> {
        let open = invited(chassis::common(Api::new(self.clone(), gate))).finish()?;
        Ok(open.and(certified(Api::new(self, inner)).finish()?))
    }

    /// Renews what is due, takes up what was done by hand, and tells the journal.
    pub(crate) fn keep(&self, link: &Link, telling: Telling, shutdown: &Shutdown) {
        let (authority, link) = (self.clone(), link.clone());
        rounds(LOOK, shutdown, move || {
            let (authority, link) = (authority.clone(), link.clone());
            async move {
                let looked = authority.at_work(move |folder, clock, chance| look(folder, &link, clock, chance)).await;
                if let Err(problem) = &looked {
                    tracing::error!(%problem, "the authority's folder cannot be used");
                }
                *authority.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
                    looked.err().map(|problem| problem.to_string());
            }
        });
        let (authority, silent) = (self.clone(), Arc::new(AtomicBool::new(false)));
        rounds(LOOK, shutdown, move || {
            let (authority, telling, silent) = (authority.clone(), telling.clone(), Arc::clone(&silent));
            async move {
                let told = authority.tell(&telling).await;
                // Once for each time that it is away: nothing is lost meanwhile.
                if silent.swap(told.is_err(), Ordering::Relaxed) != told.is_err()
                    && let Err(failure) = told
                {
                    tracing::warn!(%failure, "the journal hears later what the authority did");
                }
            }
        });
    }

    /// Tells the journal everything that it was not told yet.
    async fn tell(&self, telling: &Telling) -> Result<(), bus::Failure> {
        loop {
            let events = self.at_work(|folder, _, _| Ok(folder.untold(MOST).to_vec())).await?;
            let Some(last) = events.last().map(|event| event.seq) else { return Ok(()) };
            let events = events.iter().map(told).collect::<Result<_, _>>()?;
            telling.tell(events).await?;
            self.at_work(move |folder, clock, _| folder.told(last, clock)).await?;
        }
    }

    /// Works on the folder, which one process at a time does.
    async fn at_work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Folder, &Clock, &Chance) -> Result<T, PkiError> + Send + 'static,
    ) -> Result<T, Problem> {
        let Self { dir, clock, chance, .. } = self.clone();
        let _turn = self.turns.lock().await;
        let done = tokio::task::spawn_blocking(move || work(&mut Folder::open(&dir)?, &clock, &chance));
        match done.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(PkiError::Refused(why))) => Err(Problem::new(StatusCode::FORBIDDEN, "not-signed").detail(&why)),
            Ok(Err(error)) => Err(Problem::internal(error)),
            Err(error) => Err(Problem::internal(error)),
        }
    }
}

impl Health for Authority {
    async fn ready(&self) -> Result<(), String> {
        // As it was at the last look: anybody may ask, and must not take the folder from those who work on it.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    async fn truths(&self) -> Vec<Truth> {
        vec![Truth::new("certificates can be signed", self.ready().await.is_ok())]
    }
}

fn look(folder: &mut Folder, link: &Link, clock: &Clock, chance: &Chance) -> Result<(), PkiError> {
    // What was taken back counts first, whatever else cannot be done.
    if link.may_believe(&trust(folder)?).is_err() {
        // The folder was restored from a backup, and its lists with it: a new one is newer for everybody.
        folder.list(None, clock)?;
    }
    link.replace_trust(trust(folder)?)?;
    let own = link.identity();
    if own.due(clock) || !own.comes_from(&folder.authority(clock)?) {
        let issued = folder.own(SERVICE, clock, chance)?;
        link.replace_identity(issued.identity()?)?;
    }
    folder.list_if_due(clock)?;
    link.replace_trust(trust(folder)?)
}

fn trust(folder: &Folder) -> Result<Trust, PkiError> {
    Trust::of(&folder.root_pem()?)?.with_lists(&folder.list_pem()?)
}

async fn join(authority: Authority, call: Call<Join, Authority>) -> Result<Certificates, Problem> {
    let Join { token, service, own, https } = call.request;
    let Ok(_place) = authority.joining.try_acquire() else {
        return Err(Problem::unavailable(LATER, "too many ask to join"));
    };
    let wish = wish(&own, https.as_deref())?;
    authority
        .at_work(move |folder, clock, chance| {
            let grant = folder.join(&token, &service, &wish, clock, chance)?;
            certificates(folder, grant)
        })
        .await
}

async fn renew(authority: Authority, call: Call<Renew, Authority>) -> Result<Certificates, Problem> {
    let (service, serial) = (call.by().login.clone(), call.context.certificate.clone().unwrap_or_default());
    let Renew { own, https } = call.request;
    let wish = wish(&own, https.as_deref())?;
    authority
        .at_work(move |folder, clock, chance| {
            let grant = folder.renew_member(&service, &serial, &wish, clock, chance)?;
            certificates(folder, grant)
        })
        .await
}

async fn get_lists(authority: Authority, _: Call<GetLists, Authority>) -> Result<Lists, Problem> {
    authority.at_work(|folder, _, _| Ok(Lists { lists: folder.list_pem()?, sent_away: sent_away(folder) })).await
}

fn certificates(folder: &Folder, grant: Grant) -> Result<Certificates, PkiError> {
    let Grant { own, https } = grant;
    Ok(Certificates { own, https, root: folder.root_pem()?, lists: folder.list_pem()? })
}

fn wish(own: &str, https: Option<&str>) -> Result<Wish, Problem> {
    let read =
        |field: &'static str, text: &str| SigningRequest::read(text).map_err(|error| Problem::fault(field, error));
    Ok(Wish { own: read("own", own)?, https: https.map(|text| read("https", text)).transpose()? })
}

/// As the journal takes it. What it is about is a service, not a person: so there is neither actor nor subject.
fn told(event: &Event) -> Result<Envelope, Problem> {
    let (level, action, words) = match event.deed {
        Deed::Invited => (Level::Info, Action::JoinTokenMade, "may join, once"),
        Deed::Issued => (Level::Info, Action::CertificateIssued, "has a new certificate"),
        Deed::Revoked => (Level::Warning, Action::CertificateRevoked, "lost a certificate"),
        Deed::Dismissed => (Level::Warning, Action::ServiceDismissed, "was sent away"),
        Deed::Refused => (Level::Warning, Action::JoinRefused, "could not join"),
    };
    let mut details = std::collections::BTreeMap::from([("service".to_owned(), event.name.clone())]);
    if let Some(serial) = &event.serial {
        details.insert("serial".into(), serial.clone());
    }
    if !event.detail.is_empty() {
        details.insert("detail".into(), event.detail.clone());
    }
    let log = LogEvent {
        id: event.id,
        at: event.at,
        audience: Audience::Agents,
        level,
        action,
        actor: None,
        subject: None,
        message: format!("{} {words}", event.name),
        details,
        trace_id: None,
    };
    let payload = log.payload().map_err(Problem::internal)?;
    let (id, source) = (event.id.0, SERVICE.to_owned());
    Ok(Envelope { id, source, seq: event.seq, subject: log.subject(), payload, at: event.at })
}
