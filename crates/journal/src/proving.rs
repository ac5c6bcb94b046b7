//! The log as others see it: its head signed every moment, proofs from it, and the walk over all of it.

use ::store::{Store, StoreError, Transaction};
use aaa::{Call, Done, Principal};
use contracts::journal::{GetLog, GetLogHead, GetLogProof, LogHead, LogProof, LoggedEntry};
use contracts::peers::{Extension, GetExtension, TakeCosignature};
use tlog::{
    Checkpoint, Document, Finding, Frontier, Hash, Head, KeyKind, NodeId, Note, NoteSignature, Opened, Plan, Row,
    SigningKey, Trust, Walker,
};
use vocabulary::EventId;
use zeroize::Zeroizing;

use crate::entry::Reader;
use crate::error::Error;
use crate::log::{ORIGIN, StoredBadly};
use crate::service::Journal;
use crate::store as entries;
use crate::store::log::{self as table, Logged, Sealed, bad};

/// Entries from before there was a log, and rows of a walk, at a time.
const AT_ONCE: u32 = 500;
/// Signed heads that a walk holds the log to, at a time.
const HEADS: u32 = 100_000;

/// The key of a journal's log, from its secret.
pub fn log_key(secret: Zeroizing<[u8; 32]>) -> Result<SigningKey, tlog::KeyError> {
    SigningKey::from_seed(ORIGIN, KeyKind::Log, secret)
}

/// The log cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ForeignKey {
    /// Another instance began it, with its own key.
    #[error(
        "the journal's log is signed by the key {key}, and this instance has {own}: copy journal.key from the instance that began \
         the log"
    )]
    Another {
        /// Of this instance.
        own: String,
        /// Of the log.
        key: String,
    },
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Journal {
    /// What checks the signatures on the log's heads.
    pub fn log_key(&self) -> &tlog::VerifierKey {
        self.key.verifier()
    }

    /// Makes this journal's key that of the log, and puts the entries from before there was a log into it. Refused where
    /// another key signs the log already.
    pub async fn begin_log(&self) -> Result<(), ForeignKey> {
        let own = self.log_key().to_string();
        let mut tx = self.store.begin().await?;
        table::hold(&mut tx).await?;
        match table::key(&mut tx).await? {
            Some(key) if key == own => {}
            Some(key) => return Err(ForeignKey::Another { own, key }),
            None => table::set_key(&mut tx, &own).await?,
        }
        tx.commit().await?;
        loop {
            let mut tx = self.store.begin().await?;
            let size = table::hold(&mut tx).await?;
            if table::is_complete(&mut tx).await? {
                break;
            }
            let missing = table::not_logged(&mut tx, AT_ONCE).await?;
            if missing.is_empty() {
                table::set_complete(&mut tx).await?;
                tx.commit().await?;
                break;
            }
            let leaves: Result<Vec<_>, StoredBadly> = missing.iter().map(|kept| self.leaf(kept)).collect();
            table::append(&mut tx, size, &leaves.map_err(bad)?).await?;
            entries::place(&mut tx, &missing, size).await?;
            tx.commit().await?;
        }
        Ok(self.find_older_by_words().await?)
    }

    /// Entries from before there was a search by words are found by them from now on.
    pub(crate) async fn find_older_by_words(&self) -> Result<(), StoreError> {
        loop {
            let mut tx = self.store.begin().await?;
            table::hold(&mut tx).await?;
            let (done, below) = entries::wordless(&mut tx).await?;
            if done >= below {
                return Ok(());
            }
            let until = below.min(done.saturating_add(AT_ONCE.into()));
            let logged = table::logged_between(&mut tx, done, until).await?;
            let older: Vec<_> = logged.iter().filter_map(|it| Some((it.place, &it.kept.as_ref()?.event))).collect();
            entries::find_by_words(&mut tx, &older, until).await?;
            tx.commit().await?;
        }
    }

    /// Signs the head of the log, where it has grown since it last was.
    pub async fn seal(&self) -> Result<(), StoreError> {
        let mut tx = self.store.read().await?;
        let (size, last) = (table::size(&mut tx).await?, table::last_checkpoint(&mut tx).await?);
        drop(tx);
        if last.is_some_and(|last| last.size >= size) {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let size = table::hold(&mut tx).await?;
        let head = Head { size, root: table::frontier(&mut tx, size).await?.root() };
        let note = Checkpoint { origin: ORIGIN.to_owned(), head }.sign(&self.key).map_err(bad)?;
        let now = tx.now();
        table::add_checkpoint(&mut tx, size, now, &note.to_string()).await?;
        tx.commit().await
    }

    /// The proof of an entry under the newest head that covers it, one that a witness cosigned if there is such a one.
    async fn prove(&self, id: EventId, reader: Reader) -> Result<Document, Error> {
        let mut tx = self.store.read().await?;
        let found = table::logged(&mut tx, id).await?;
        let Some(Logged { place, leaf, kept: Some(kept) }) = found else { return Err(Error::NoEntry) };
        let view = kept.seen_by(reader).ok_or(Error::NoEntry)?;
        let covers = |sealed: &Sealed| sealed.size > place;
        let sealed = match table::last_cosigned(&mut tx).await?.filter(covers) {
            Some(sealed) => Some(sealed),
            None => table::last_checkpoint(&mut tx).await?.filter(covers),
        };
        let Sealed { size, note } = sealed.ok_or(Error::NotYet)?;
        let plan = Plan::inclusion(place, size).map_err(bad)?;
        let path = table::path(&mut tx, &plan).await?;
        Ok(Document::new(leaf.open(&kept, view).map_err(bad)?, place, path, note))
    }

    /// The newest signed head, with what witnesses added to it.
    pub async fn head(&self) -> Result<Option<String>, StoreError> {
        let mut tx = self.store.read().await?;
        Ok(table::last_checkpoint(&mut tx).await?.map(|sealed| sealed.note))
    }

    /// The newest head, and the proof that it goes on from the `old` entries that somebody remembers.
    async fn extends(&self, old: u64) -> Result<Option<(String, Vec<Hash>)>, StoreError> {
        let mut tx = self.store.read().await?;
        let Some(Sealed { size, note }) = table::last_checkpoint(&mut tx).await? else { return Ok(None) };
        // A log that is shorter than it was has no proof, and whoever asked sees by the note that it is.
        let path = match Plan::consistency(old, size) {
            Ok(plan) => table::path(&mut tx, &plan).await?,
            Err(_) => Vec::new(),
        };
        Ok(Some((note, path)))
    }
}

impl Journal {
    /// Keeps what a witness signed of the head of `size` entries. That it is a signature of theirs on that head is for those
    /// to check who know the witness's key; here it only has to fit on the note.
    pub(crate) async fn cosigned(&self, size: u64, line: &str) -> Result<(), Error> {
        let signature: NoteSignature = line.parse().map_err(|_| Error::Signature)?;
        let mut tx = self.store.begin().await?;
        let head = table::checkpoints_from(&mut tx, size, 1).await?.pop().filter(|head| head.size == size);
        let mut note: Note = head.and_then(|head| head.note.parse().ok()).ok_or(Error::Signature)?;
        note.add(signature.clone()).map_err(|_| Error::Signature)?;
        table::add_cosignature(&mut tx, size, &signature.signer(), line).await?;
        Ok(tx.commit().await?)
    }
}

/// The newest head.
pub(crate) async fn get_log_head(journal: Journal, _: Call<GetLogHead, Journal>) -> Result<LogHead, Error> {
    let mut head = journal.head().await?;
    if head.is_none() {
        journal.seal().await?;
        head = journal.head().await?;
    }
    let checkpoint = head.ok_or(Error::NotYet)?;
    Ok(LogHead { checkpoint, key: journal.log_key().to_string() })
}

/// One entry, as far as the caller may see it, and its place. That staff read what concerns somebody else is told.
pub(crate) async fn get_log(journal: Journal, call: Call<GetLog, Journal>) -> Result<LoggedEntry, Error> {
    read_one(&journal, call.by(), call.request.id).await
}

async fn read_one(journal: &Journal, by: &Principal, id: EventId) -> Result<LoggedEntry, Error> {
    let mut tx = journal.store.read().await?;
    let found = table::logged(&mut tx, id).await?;
    drop(tx);
    let Some(Logged { place, kept: Some(kept), .. }) = found else { return Err(Error::NoEntry) };
    let reader = Reader::of(by);
    let about = kept.event.subject.clone();
    let entry = kept.shown_to(reader).ok_or(Error::NoEntry)?;
    if let Some(about) = about {
        journal.note_reading(by, reader, about).await?;
    }
    Ok(LoggedEntry { entry, index: place })
}

/// The proof of an entry, as far as the caller may see it.
pub(crate) async fn get_log_proof(journal: Journal, call: Call<GetLogProof, Journal>) -> Result<LogProof, Error> {
    let document = journal.prove(call.request.id, Reader::of(call.by())).await?;
    // The proof tells what the entry says.
    read_one(&journal, call.by(), call.request.id).await?;
    let written = serde_json::to_value(document).map_err(|error| bad(StoredBadly::from(error)))?;
    Ok(LogProof(written))
}

/// For the witness: the newest head, and that it goes on from what it remembers.
pub(crate) async fn get_extension(journal: Journal, call: Call<GetExtension, Journal>) -> Result<Extension, Error> {
    let key = journal.log_key().to_string();
    let Some((checkpoint, path)) = journal.extends(call.request.from).await? else {
        return Ok(Extension { checkpoint: None, path: Vec::new(), key });
    };
    Ok(Extension { checkpoint: Some(checkpoint), path: path.iter().map(Hash::to_string).collect(), key })
}

/// From the witness: what it signed.
pub(crate) async fn take_cosignature(journal: Journal, call: Call<TakeCosignature, Journal>) -> Result<Done, Error> {
    journal.cosigned(call.request.size, &call.request.signature).await?;
    Ok(Done)
}

/// What a walk over the log found wrong.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log is not what it was.
    #[error("{0}")]
    Finding(Finding),
    /// A head in the database is not to be believed.
    #[error("the head of {size} entries in the database does not hold: {why}")]
    Head {
        /// Of the head.
        size: u64,
        /// What is wrong with it.
        why: tlog::CheckpointError,
    },
    /// An entry that never went through the log.
    #[error("the entry {0} stands in the journal and was never appended to its log")]
    Unlogged(EventId),
    /// An entry whose columns cannot be read any more.
    #[error("entry {index} cannot be read: {why}")]
    Unreadable {
        /// Its place.
        index: u64,
        /// What is wrong.
        why: String,
    },
    /// An entry that says something although nothing holds it to that any more.
    #[error("the contents of entry {0} were erased, and yet it has some: somebody wrote them")]
    Written(u64),
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A log that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audited {
    /// The whole log.
    pub head: Head,
    /// How many entries of it the last signed head covers.
    pub sealed: u64,
    /// Of how many entries that were walked over the contents are erased.
    pub erased: u64,
}

/// Walks the whole log in an open database of the journal, or from the head `since` on, and holds it to every head that
/// `trust` believes and to `known`: heads that were kept elsewhere, at best by a witness.
pub async fn audit(
    store: &Store,
    trust: &Trust,
    since: Option<&Opened>,
    known: Vec<Opened>,
) -> Result<Audited, AuditError> {
    let from = since.map_or(0, |opened| opened.checkpoint.head.size);
    let mut tx = store.read().await?;
    let mut heads = known;
    heads.extend(opened(table::checkpoints_from(&mut tx, from, HEADS).await?, trust)?);
    heads.extend(since.cloned());
    let end = end(&mut tx).await?;
    let audited = walk(&mut tx, heads, from, end).await?;
    match table::not_logged(&mut tx, 1).await?.pop() {
        Some(kept) => Err(AuditError::Unlogged(kept.event.id)),
        None => Ok(audited),
    }
}

/// How far the log reaches, by whatever says most.
pub(crate) async fn end(tx: &mut Transaction) -> Result<u64, StoreError> {
    Ok(table::size(tx).await?.max(table::end(tx).await?))
}

/// Signed heads of the database, as `trust` believes them.
pub(crate) fn opened(sealed: Vec<Sealed>, trust: &Trust) -> Result<Vec<Opened>, AuditError> {
    let opened = |Sealed { size, note }| trust.open(&note).map_err(|why| AuditError::Head { size, why });
    sealed.into_iter().map(opened).collect()
}

/// Walks the entries from `from` up to `end`, and holds them to the stored tree and to `heads`.
pub(crate) async fn walk(tx: &mut Transaction, heads: Vec<Opened>, from: u64, end: u64) -> Result<Audited, AuditError> {
    let broken = |error: tlog::TreeError| AuditError::Store(bad(error));
    let start =
        if from == 0 { Frontier::load(0, |_| None).map_err(broken)? } else { table::frontier(tx, from).await? };
    let mut erased = 0_u64;
    let mut walker = Walker::new(start, heads).map_err(AuditError::Finding)?;
    while walker.next_index() < end {
        let (first, last) = (walker.next_index(), end.min(walker.next_index().saturating_add(AT_ONCE.into())));
        let entries = table::logged_between(tx, first, last).await?;
        let nodes = table::nodes_between(tx, first, last).await?;
        let mut entries = entries.into_iter().peekable();
        for index in first..last {
            let entry = entries.next_if(|logged| logged.place == index);
            if let Some(Logged { leaf, kept: Some(kept), .. }) = &entry
                && leaf.secret.is_none()
            {
                erased = erased.saturating_add(1);
                if !kept.says_nothing() {
                    return Err(AuditError::Written(index));
                }
            }
            let entry = entry.and_then(|logged| Some((logged.kept?, logged.leaf)));
            let entry = entry.map(|(kept, leaf)| leaf.hash(&kept)).transpose();
            let entry = entry.map_err(|why| AuditError::Unreadable { index, why: why.to_string() })?;
            let row = Row { entry, nodes: NodeId::completed_by(index).map(|id| nodes.get(id)).collect() };
            walker.push(&row).map_err(broken)?;
        }
    }
    let audited = walker.finish().map_err(AuditError::Finding)?;
    Ok(Audited { head: audited.head, sealed: audited.sealed, erased })
}

/// The newest head in an open database of the journal that `trust` believes: hand in one that requires a witness.
pub async fn cosigned(store: &Store, trust: &Trust) -> Result<Option<Opened>, StoreError> {
    let mut tx = store.read().await?;
    Ok(table::last_cosigned(&mut tx).await?.and_then(|sealed| trust.open(&sealed.note).ok()))
}
