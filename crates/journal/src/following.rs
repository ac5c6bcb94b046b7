//! Following the journal: entries as they come, as server-sent events.
//!
//! Promises: in the order in which they came, each once, also for who comes back with the id of the last one; nothing is kept
//! for who takes them slowly, and who is far behind is let go; whoever may not see them any more gets no more within about a
//! second; nobody who follows holds up a stop. Instances of one database need not know of one another: each looks.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aaa::{Call, Gate, Principal, Problem, Streamed};
use chassis::Shutdown;
use contracts::journal::TailLogs;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use vocabulary::UserId;

use crate::entry::Found;
use crate::error::Error;
use crate::search::Asked;
use crate::service::Journal;
use crate::store::log::size;
use crate::store::search::entries_between;

/// Most that follow at a time, at one instance; and of these, of one person.
const SEATS: usize = 64;
const SEATS_EACH: usize = 4;
/// Most files that are taken at a time.
const FILES: usize = 8;
/// Most entries that somebody may be behind.
const BEHIND: u64 = 5_000;
/// Entries that are looked at together.
const AT_ONCE: u64 = 200;
/// How often it is looked for entries that another instance kept, and whether the reader may still see them.
const LOOKING: Duration = Duration::from_secs(1);
/// How often a sign of life is sent.
const BEAT: Duration = Duration::from_secs(15);
const EVENTS: &str = "text/event-stream";

/// Who follows, and what ends it. Clones share it.
#[derive(Clone)]
pub(crate) struct Following(Arc<Inner>);

struct Inner {
    seats: Arc<Semaphore>,
    files: Arc<Semaphore>,
    each: Mutex<HashMap<UserId, usize>>,
    grown: watch::Sender<()>,
    gate: OnceLock<Gate>,
    shutdown: OnceLock<Shutdown>,
}

impl Default for Following {
    fn default() -> Self {
        Self(Arc::new(Inner {
            seats: Arc::new(Semaphore::new(SEATS)),
            files: Arc::new(Semaphore::new(FILES)),
            each: Mutex::default(),
            grown: watch::Sender::new(()),
            gate: OnceLock::new(),
            shutdown: OnceLock::new(),
        }))
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Following")
    }
}

/// Somebody's seat, theirs until it is dropped.
struct Seat {
    of: UserId,
    following: Following,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut each = self.following.0.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = each.get_mut(&self.of) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                each.remove(&self.of);
            }
        }
    }
}

impl Following {
    /// Entries came.
    pub(crate) fn grown(&self) {
        self.0.grown.send_replace(());
    }

    /// By this gate readers were let in.
    pub(crate) fn admitted_by(&self, gate: &Gate) {
        let _ = self.0.gate.set(gate.clone());
    }

    /// Whether somebody may still see what they were let in for.
    pub(crate) fn still_admits(&self, by: &Principal) -> bool {
        self.0.gate.get().is_none_or(|gate| gate.still_admits(by))
    }

    /// Room for one more file.
    pub(crate) fn file(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.0.files).try_acquire_owned().map_err(|_| Error::Full)
    }

    fn seat(&self, of: UserId) -> Result<Seat, Error> {
        let permit = Arc::clone(&self.0.seats).try_acquire_owned().map_err(|_| Error::Full)?;
        let mut each = self.0.each.lock().unwrap_or_else(PoisonError::into_inner);
        let count = each.entry(of).or_default();
        if *count >= SEATS_EACH {
            return Err(Error::Full);
        }
        *count = count.saturating_add(1);
        Ok(Seat { of, following: self.clone(), _permit: permit })
    }

    fn has_ended(&self) -> bool {
        self.0.shutdown.get().is_some_and(Shutdown::has_begun)
    }

    /// Waits until it is time to stop; for ever where nobody said when that is.
    async fn ended(&self) {
        match self.0.shutdown.get() {
            Some(shutdown) => shutdown.begun().await,
            None => std::future::pending().await,
        }
    }
}

impl Journal {
    /// Who follows the journal is let go when this begins.
    pub fn ends_with(&self, shutdown: &Shutdown) {
        let _ = self.following.0.shutdown.set(shutdown.clone());
    }
}

/// Entries as they come, as far as the caller may see them.
pub(crate) async fn tail_logs(journal: Journal, call: Call<TailLogs, Journal>) -> Result<Streamed, Error> {
    if !call.context.accepts(EVENTS) {
        return Err(Error::NotEvents);
    }
    let (by, filter) = (call.by().clone(), call.request.filter());
    let mut tx = journal.store.read().await?;
    let asked = Asked::by(&by, &filter, &mut tx).await?;
    let now = size(&mut tx).await?;
    drop(tx);
    let seat = journal.following.seat(by.id)?;
    let after = call.context.last_event().and_then(|id| id.parse().ok()).or(call.request.after);
    // An id that no entry has yet is some other log's.
    let wanted = after.and_then(|after: u64| after.checked_add(1)).filter(|next| *next <= now).unwrap_or(now);
    let next = wanted.max(now.saturating_sub(BEHIND));
    journal.note_following(&by, &filter).await?;
    let mut grown = journal.following.0.grown.subscribe();
    grown.mark_changed();
    let greeting =
        if next > wanted { "retry: 2000\nevent: missed\ndata: {}\n\n" } else { "retry: 2000\n: follows\n\n" };
    let tail = Tail { journal, by, asked, next, grown, greeting: Some(greeting), sent: Instant::now(), _seat: seat };
    let parts = stream::unfold(tail, |mut tail| async move {
        let part = tail.part().await.transpose()?;
        Some((part, tail))
    });
    Ok(Streamed::of(EVENTS, None, parts))
}

/// What one reader follows.
struct Tail {
    journal: Journal,
    by: Principal,
    /// Nothing where nothing can ever be meant.
    asked: Option<Asked>,
    /// The place in the log that comes next.
    next: u64,
    grown: watch::Receiver<()>,
    greeting: Option<&'static str>,
    /// When something was last sent.
    sent: Instant,
    _seat: Seat,
}

impl Tail {
    /// What is sent next; nothing at the end.
    async fn part(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        if let Some(greeting) = self.greeting.take() {
            return Ok(Some(greeting.into()));
        }
        loop {
            if self.journal.following.has_ended() || !self.journal.following.still_admits(&self.by) {
                return Ok(None);
            }
            let (found, size) = self.look().await.map_err(|error| chassis::store_problem(&error))?;
            if size.saturating_sub(self.next) > BEHIND {
                tracing::info!(login = self.by.login, "somebody who follows the journal is too far behind");
                return Ok(None);
            }
            let written = self.written(found)?;
            if !written.is_empty() {
                self.sent = Instant::now();
                return Ok(Some(written.into_bytes()));
            }
            if self.next >= size {
                if self.sent.elapsed() >= BEAT {
                    self.sent = Instant::now();
                    return Ok(Some(self.sign_of_life()));
                }
                tokio::select! {
                    () = self.journal.following.ended() => return Ok(None),
                    _ = self.grown.changed() => {}
                    () = tokio::time::sleep(LOOKING) => {}
                }
            }
        }
    }

    /// It bears the id of what was looked at last, shown or not, so that a client comes back to there.
    fn sign_of_life(&self) -> Vec<u8> {
        match self.next.checked_sub(1) {
            Some(last) => format!(": goes on\nid: {last}\n\n").into(),
            None => b": goes on\n\n".to_vec(),
        }
    }

    /// The next entries, and how many the log has.
    async fn look(&mut self) -> Result<(Vec<Found>, u64), ::store::StoreError> {
        let mut tx = self.journal.store.read().await?;
        let size = size(&mut tx).await?;
        if size <= self.next || size.saturating_sub(self.next) > BEHIND {
            return Ok((Vec::new(), size));
        }
        let until = size.min(self.next.saturating_add(AT_ONCE));
        let found = entries_between(&mut tx, self.next, until).await?;
        self.next = until;
        Ok((found, size))
    }

    fn written(&self, found: Vec<Found>) -> Result<String, Problem> {
        let mut written = String::new();
        let Some(asked) = &self.asked else { return Ok(written) };
        for found in found.into_iter().filter(|found| asked.shows(found)) {
            let number = found.number;
            let data = serde_json::to_string(&found.shown_to(asked.reader)).map_err(Problem::internal)?;
            let _ = write!(written, "id: {number}\nevent: entry\ndata: {data}\n\n");
        }
        Ok(written)
    }
}
