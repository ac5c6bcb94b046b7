//! The log under the journal: what of an entry is hashed, and how a leaf is opened to those who may see it. Pure.
//!
//! Promises: what is hashed is exactly what is shown; who acted and everything else of a person are commitments, opened
//! apart from one another, so that a proof shows no more than its reader may see and holds when the contents are erased.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::events::Person;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tlog::{Entry, EntryError, Hash, NodeId, Opening, Salt};
use vocabulary::Chance;

use crate::entry::Kept;

/// The name of the log, which its key bears.
pub(crate) const ORIGIN: &str = "guichet/journal";
/// The committed fields of a leaf.
const ACTOR: &str = "actor";
const CONTENT: &str = "content";

/// A person, as leaves hold them. Not the type that travels: that may change, what was hashed may not.
#[derive(Serialize)]
struct Whom<'a> {
    id: String,
    login: &'a str,
}

impl<'a> Whom<'a> {
    fn of(person: &'a Person) -> Self {
        Self { id: person.id.to_string(), login: &person.login }
    }
}

#[derive(Serialize)]
struct Content<'a> {
    subject: Option<Whom<'a>>,
    message: &'a str,
    details: &'a BTreeMap<String, String>,
    trace_id: Option<&'a str>,
    raw: Option<&'a str>,
}

/// What opens the commitments of one entry. Each has a salt of its own that follows from it.
#[derive(Clone, Copy)]
pub(crate) struct Secret(pub(crate) [u8; 32]);

impl Secret {
    pub(crate) fn new(chance: &Chance) -> Self {
        Self(chance.bytes())
    }

    fn salt(self, field: &str) -> Salt {
        Salt(Sha256::new().chain_update(self.0).chain_update(field).finalize().into())
    }
}

/// A leaf as it is stored beside its entry.
pub(crate) struct Leaf {
    pub(crate) actor: Hash,
    pub(crate) content: Hash,
    /// Nothing once the contents are erased.
    pub(crate) secret: Option<Secret>,
}

/// Who may see what of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Everything.
    Whole,
    /// All but who acted.
    WithoutActor,
}

impl Leaf {
    /// For an entry that is appended, with what is appended to the tree.
    pub(crate) fn of(kept: &Kept, chance: &Chance) -> Result<(Self, Hash), StoredBadly> {
        let secret = Secret::new(chance);
        let (actor, content) = openings(kept, secret)?;
        let leaf = Self { actor: actor.commitment(ACTOR), content: content.commitment(CONTENT), secret: Some(secret) };
        // The bytes of a leaf are the same whether contents are shown or not.
        let hash = leaf.closed(kept)?.hash();
        Ok((leaf, hash))
    }

    /// The entry of the log with nothing opened.
    fn closed(&self, kept: &Kept) -> Result<Entry, EntryError> {
        readable(kept)?.erased(ACTOR, self.actor)?.erased(CONTENT, self.content)
    }

    /// The entry of the log: contents opened as far as `view` goes, or erased.
    pub(crate) fn open(&self, kept: &Kept, view: View) -> Result<Entry, StoredBadly> {
        let Some(secret) = self.secret else { return Ok(self.closed(kept)?) };
        let (actor, content) = openings(kept, secret)?;
        let entry = match view {
            View::Whole => readable(kept)?.committed(ACTOR, actor)?,
            View::WithoutActor => readable(kept)?.erased(ACTOR, self.actor)?,
        };
        Ok(entry.committed(CONTENT, content)?)
    }

    /// What the entry as it stands now would be in the tree: its contents are committed to anew, unless they are erased.
    pub(crate) fn hash(&self, kept: &Kept) -> Result<Hash, StoredBadly> {
        Ok(self.open(kept, View::Whole)?.hash())
    }
}

/// What stays readable for ever.
fn readable(kept: &Kept) -> Result<Entry, EntryError> {
    let event = &kept.event;
    Entry::new()
        .readable("id", event.id.to_string())?
        .readable("source", kept.source.as_str())?
        .readable("seq", kept.seq.to_string())?
        .readable("at", event.at.to_string())?
        .readable("audience", event.audience.name())?
        .readable("level", event.level.name())?
        .readable("action", event.action.name())
}

fn openings(kept: &Kept, secret: Secret) -> Result<(Opening, Opening), StoredBadly> {
    let event = &kept.event;
    let content = Content {
        subject: event.subject.as_ref().map(Whom::of),
        message: &event.message,
        details: &event.details,
        trace_id: event.trace_id.as_deref(),
        raw: kept.raw.as_deref(),
    };
    let opening = |field, content: String| Opening { salt: secret.salt(field), content };
    Ok((
        opening(ACTOR, serde_json::to_string(&event.actor.as_ref().map(Whom::of))?),
        opening(CONTENT, serde_json::to_string(&content)?),
    ))
}

/// An entry that cannot be a leaf, or a tree that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredBadly {
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Tree(#[from] tlog::TreeError),
    #[error("an entry cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the log cannot be signed: {0}")]
    Checkpoint(#[from] tlog::CheckpointError),
}

/// Nodes that were fetched, by their places.
pub(crate) struct Nodes(HashMap<NodeId, Hash>);

impl Nodes {
    /// From rows of a leaf with which a node came to be, its level, and its hash.
    pub(crate) fn from_rows(rows: impl IntoIterator<Item = (u64, u8, Hash)>) -> Self {
        let place = |leaf: u64, level: u8| NodeId { level, index: leaf >> level };
        Self(rows.into_iter().map(|(leaf, level, hash)| (place(leaf, level), hash)).collect())
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<Hash> {
        self.0.get(&id).copied()
    }
}

/// The leaves at which these nodes came to be.
pub(crate) fn leaves_of(nodes: &[NodeId]) -> Vec<i64> {
    let leaf = |id: &NodeId| (id.index.saturating_add(1) << id.level).saturating_sub(1);
    let leaves: BTreeSet<u64> = nodes.iter().map(leaf).collect();
    leaves.into_iter().filter_map(|leaf| leaf.try_into().ok()).collect()
}
