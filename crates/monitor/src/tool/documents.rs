//! The log as documents in MongoDB: a document for each record, written in the background.
//!
//! Promises: whoever writes a record never waits for MongoDB, nor fails because of it; records wait in a queue that has an end,
//! and each that is given up is counted; one that was written is not written twice, though its answer was lost. What went
//! wrong is told without the server's words.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mongodb::bson::{DateTime, Document, serialize_to_document};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, ServerAddress, Tls};
use mongodb::{Client, Collection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use vocabulary::Chance;

use super::ToolError;
use super::log::Record;
use super::secret::{Mask, Secret};
use super::settings::is_near;

/// Where records go if the address names no database, and in which collection.
const DATABASE: &str = "guichet";
const COLLECTION: &str = "monitor_log";
/// Most records that wait, and most of them that are written at once.
const MOST: usize = 10_000;
const AT_ONCE: usize = 500;
/// How long one attempt may take, and finding a server in it; how long the next is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
const SEARCHING: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(500);
/// How long the end waits for what is still on its way.
const FAREWELL: Duration = Duration::from_secs(5);
/// What MongoDB answers to a document that it has.
const DUPLICATE: i32 = 11_000;

/// Records on their way to MongoDB.
pub(crate) struct Documents {
    queue: mpsc::Sender<Document>,
    account: Arc<Account>,
    writer: JoinHandle<()>,
    chance: Chance,
}

/// What became of records, in numbers that only grow.
#[derive(Default)]
struct Account {
    offered: AtomicU64,
    written: AtomicU64,
    /// For good.
    dropped: AtomicU64,
    /// How many of those were said.
    said: AtomicU64,
    /// What is wrong now.
    why: Mutex<Option<&'static str>>,
    /// Why the last of those that were dropped was: it may go well again since.
    dropped_for: Mutex<&'static str>,
}

/// Records that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) records: u64,
    pub(crate) why: &'static str,
}

impl Documents {
    /// To `address`, which nobody asks yet; a file that it names is looked for in `folder`. Its password is masked from now
    /// on.
    pub(crate) async fn at(address: &Secret, folder: &Path, mask: &mut Mask) -> Result<Self, ToolError> {
        let options = options(address.reveal().trim(), folder, mask).await;
        let options = options.map_err(|why| ToolError::Setting(format!("LOGS_MONGODB_URL {why}")))?;
        let name = options.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
        let client = Client::with_options(options).map_err(|_| {
            ToolError::Setting("LOGS_MONGODB_URL: its options contradict, or its tlsCAFile cannot be used".to_owned())
        })?;
        let collection = client.database(&name).collection(COLLECTION);
        let (queue, queued) = mpsc::channel(MOST);
        let account = Arc::new(Account::default());
        let writer = tokio::spawn(write(collection, queued, account.clone()));
        Ok(Self { queue, account, writer, chance: Chance::system() })
    }

    /// Puts a record into the queue, or counts it as dropped where that is full.
    pub(crate) fn offer(&self, record: &Record) {
        self.account.offered.fetch_add(1, Ordering::SeqCst);
        let Ok(mut document) = serialize_to_document(&record.fields()) else {
            return self.account.drops(1, "a record is no document");
        };
        // Named here, so that a second attempt is known as one.
        document.insert("_id", format!("{:032x}", u128::from_be_bytes(self.chance.bytes())));
        document.insert("at", DateTime::from_millis(record.at().micros() / 1000));
        if self.queue.try_send(document).is_err() {
            self.account.drops(1, self.account.why().unwrap_or("MongoDB is slower than the log"));
        }
    }

    /// What was dropped since this was asked last.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        self.account.unsaid()
    }

    /// Waits a little for what is on its way; what is not known to have arrived then is dropped.
    pub(crate) async fn close(self) -> Option<Dropped> {
        let Self { queue, account, mut writer, .. } = self;
        drop(queue);
        if timeout(FAREWELL, &mut writer).await.is_err() {
            writer.abort();
            let _ = writer.await;
        }
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let left = of(&account.offered).saturating_sub(of(&account.written)).saturating_sub(of(&account.dropped));
        if left > 0 {
            account.drops(left, account.why().unwrap_or("MongoDB did not answer in time"));
        }
        account.unsaid()
    }
}

impl Account {
    fn drops(&self, records: u64, why: &'static str) {
        *self.dropped_for.lock().unwrap_or_else(PoisonError::into_inner) = why;
        self.dropped.fetch_add(records, Ordering::SeqCst);
    }

    fn is(&self, why: Option<&'static str>) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn why(&self) -> Option<&'static str> {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsaid(&self) -> Option<Dropped> {
        let dropped = self.dropped.load(Ordering::SeqCst);
        let records = dropped.saturating_sub(self.said.swap(dropped, Ordering::SeqCst));
        let why = *self.dropped_for.lock().unwrap_or_else(PoisonError::into_inner);
        (records > 0).then_some(Dropped { records, why })
    }
}

/// Writes what is queued, batch after batch, each until it is there.
async fn write(collection: Collection<Document>, mut queued: mpsc::Receiver<Document>, account: Arc<Account>) {
    let mut batch = Vec::new();
    while queued.recv_many(&mut batch, AT_ONCE).await > 0 {
        let all = batch.len();
        let refused = loop {
            let attempt = timeout(PATIENCE, collection.insert_many(&batch).ordered(false).into_future()).await;
            match attempt {
                Ok(Ok(_)) => break 0,
                Ok(Err(error)) => match judged(&error) {
                    Attempt::Done { refused } => break refused,
                    Attempt::Again(why) => account.is(Some(why)),
                },
                Err(_) => account.is(Some("MongoDB does not answer in time")),
            }
            sleep(AGAIN).await;
        };
        account.is(None);
        let (all, refused) = (all as u64, refused as u64);
        account.written.fetch_add(all.saturating_sub(refused), Ordering::SeqCst);
        if refused > 0 {
            account.drops(refused, "MongoDB refuses them");
        }
        batch.clear();
    }
}

/// What an error means for a batch.
enum Attempt {
    /// There is nothing to repeat; so many were refused.
    Done { refused: usize },
    /// Nothing of it may be there.
    Again(&'static str),
}

fn judged(error: &Error) -> Attempt {
    Attempt::Again(match error.kind.as_ref() {
        ErrorKind::InsertMany(errors) => {
            // One that is there already came with an attempt whose answer was lost.
            let refused = errors.write_errors.iter().flatten().filter(|it| it.code != DUPLICATE).count();
            return Attempt::Done { refused };
        }
        ErrorKind::Authentication { .. } => "MongoDB refuses the user or the password",
        ErrorKind::Command(_) => "MongoDB does not let this user write",
        ErrorKind::ServerSelection { .. } => "no MongoDB answers there",
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => "the connection to MongoDB breaks off",
        ErrorKind::IncompatibleServer { .. } => "MongoDB is of a version that is too old",
        _ => "MongoDB does not answer as it should",
    })
}

/// What an address says, as far as it may be said.
async fn options(address: &str, folder: &Path, mask: &mut Mask) -> Result<ClientOptions, &'static str> {
    mask.add_address(address);
    if !address.starts_with("mongodb://") {
        return Err("is no address such as mongodb://user:password@host:27017/database?tls=true&tlsCAFile=ca.pem");
    }
    let mut options =
        ClientOptions::parse(address).await.map_err(|_| "cannot be understood, or has an option that is not known")?;
    if let Some(password) = options.credential.as_ref().and_then(|it| it.password.as_ref()) {
        mask.add(Secret::new(password));
    }
    let near = options.hosts.iter().all(|host| match host {
        ServerAddress::Tcp { host, .. } => is_near(host),
        _ => true,
    });
    match &mut options.tls {
        Some(Tls::Enabled(tls)) if tls.allow_invalid_certificates == Some(true) => {
            return Err(
                "allows certificates that prove nothing: take that out, and name the server's authority with tlsCAFile",
            );
        }
        Some(Tls::Enabled(tls)) if tls.ca_file_path.is_none() => {
            return Err("needs tlsCAFile, the certificate of the server's authority");
        }
        Some(Tls::Enabled(tls)) => tls.ca_file_path = tls.ca_file_path.take().map(|file| folder.join(file)),
        // Nor to others that this one may know of, further away.
        _ if near && options.hosts.len() == 1 => options.direct_connection = Some(true),
        _ => {
            return Err(
                "leads to other machines without encryption: add tls=true and tlsCAFile, the certificate of the server's authority",
            );
        }
    }
    options.server_selection_timeout = Some(SEARCHING);
    options.connect_timeout = Some(SEARCHING);
    options.app_name = Some("guichet monitor".to_owned());
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_records_were_dropped_is_told_though_the_next_ones_arrive() {
        let account = Account::default();
        account.is(Some("the connection to MongoDB breaks off"));
        account.drops(2, "MongoDB refuses them");
        account.is(None);
        let (records, why) = (2, "MongoDB refuses them");
        assert_eq!(account.unsaid(), Some(Dropped { records, why }));
        assert_eq!(account.unsaid(), None);
    }
}
