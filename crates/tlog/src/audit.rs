//! Walks a whole log, entry by entry, and names the first that is not what was appended.
//!
//! Three things have to agree: the entries, the stored tree, and checkpoints that are believed (at best one from outside: the
//! witness's, or one that somebody kept). Where the first two differ, the rest of the walk tells what was done, since an entry
//! that was moved turns up elsewhere; where they agree and a checkpoint does not, both were rewritten. Memory does not grow
//! with the log.

use std::collections::VecDeque;
use std::ops::Range;

use crate::{Frontier, Hash, Head, NodeId, Opened, TreeError};

/// What is stored at one index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The leaf's hash, computed anew from the entry; nothing where there is no entry.
    pub entry: Option<Hash>,
    /// The tree's nodes that came with it, in the order of [`NodeId::completed_by`]; nothing for one that is not stored.
    pub nodes: Vec<Option<Hash>>,
}

/// The first thing that is wrong with a log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Finding {
    /// Another entry than the one that was appended.
    #[error("entry {index} was changed after it was appended")]
    Changed {
        /// The first bad entry.
        index: u64,
    },
    /// No longer there, though later ones are.
    #[error("entry {index} was removed")]
    Removed {
        /// Where it stood.
        index: u64,
    },
    /// Never appended.
    #[error("entry {index} was inserted: the log never appended it there")]
    Inserted {
        /// Where it stands.
        index: u64,
    },
    /// Entries that changed places.
    #[error("entry {index} was moved: what was appended there stands elsewhere now, and it belongs at {belongs}")]
    Reordered {
        /// The first bad entry.
        index: u64,
        /// Where it was appended.
        belongs: u64,
    },
    /// The end is missing.
    #[error("the log was cut off: it had {had} entries, and from entry {index} on they are missing")]
    Truncated {
        /// The first missing entry.
        index: u64,
        /// How many there were.
        had: u64,
    },
    /// Entries and tree agree with one another, and not with a checkpoint.
    #[error("the log was rewritten: entries {} to {last} and the tree over them are not those that the checkpoint of {size} entries was signed for", .entries.start, last = .entries.end.saturating_sub(1))]
    Rewritten {
        /// The first bad entry is among these.
        entries: Range<u64>,
        /// Of the checkpoint.
        size: u64,
    },
    /// The entries are good, as far as checkpoints tell; the stored tree is not.
    #[error("the stored tree was altered at its node {node} (level/index), above the entries {} to {last}; the tree can be made anew from the entries", .entries.start, last = .entries.end.saturating_sub(1))]
    Tree {
        /// The first bad node.
        node: NodeId,
        /// Those below it.
        entries: Range<u64>,
    },
    /// Two checkpoints, both believed, of one size and two roots.
    #[error(
        "the log signed two different histories of {size} entries: at least one entry was altered. Keep both checkpoints, they prove it"
    )]
    Forked {
        /// Of both.
        size: u64,
        /// Both notes.
        notes: Box<[String; 2]>,
    },
}

impl Finding {
    /// The first entry that is bad, or may be.
    pub fn first(&self) -> u64 {
        match self {
            Self::Changed { index }
            | Self::Removed { index }
            | Self::Inserted { index }
            | Self::Reordered { index, .. }
            | Self::Truncated { index, .. } => *index,
            Self::Rewritten { entries, .. } | Self::Tree { entries, .. } => entries.start,
            Self::Forked { .. } => 0,
        }
    }

    fn tree(node: NodeId) -> Self {
        Self::Tree { node, entries: node.leaves() }
    }
}

/// What a walk without findings saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audited {
    /// The whole log.
    pub head: Head,
    /// How many entries of it the last checkpoint covers. Those after are held together by the stored tree alone.
    pub sealed: u64,
}

/// Entry and tree differ here: what was seen of either since.
struct Suspect {
    index: u64,
    entry: Option<Hash>,
    node: Option<Hash>,
    /// The tree as the entries say.
    by_entries: Option<Frontier>,
    /// Where the tree holds what stands here.
    belongs: Option<u64>,
    /// Whether what the tree holds here stands elsewhere.
    elsewhere: bool,
    entries_follow: bool,
    /// A checkpoint said that the tree is right here.
    judged: bool,
}

/// Walks a log. Hand in every row in order, then [`Walker::finish`].
pub struct Walker {
    at: u64,
    /// The tree as its stored leaves say; nothing once one is missing.
    by_nodes: Option<Frontier>,
    checkpoints: VecDeque<Opened>,
    /// The last size at which all agreed.
    sealed: u64,
    suspect: Option<Suspect>,
    bad_node: Option<NodeId>,
    finding: Option<Finding>,
}

impl Walker {
    /// Begins after the entries of `start` (an empty one for the whole log; else hand in the checkpoint of that size as well,
    /// so that it is held to it). Checkpoints of smaller sizes are left out.
    pub fn new(start: Frontier, checkpoints: Vec<Opened>) -> Result<Self, Finding> {
        let mut checkpoints = checkpoints;
        checkpoints.retain(|opened| opened.checkpoint.head.size >= start.size());
        checkpoints.sort_by_key(|opened| opened.checkpoint.head.size);
        for (one, other) in checkpoints.iter().zip(checkpoints.iter().skip(1)) {
            let (head, next) = (one.checkpoint.head, other.checkpoint.head);
            if head.size == next.size && head.root != next.root {
                let notes = Box::new([one.note.to_string(), other.note.to_string()]);
                return Err(Finding::Forked { size: head.size, notes });
            }
        }
        let mut walker = Self {
            at: start.size(),
            by_nodes: Some(start),
            checkpoints: checkpoints.into(),
            sealed: 0,
            suspect: None,
            bad_node: None,
            finding: None,
        };
        walker.judge();
        Ok(walker)
    }

    /// The index of the next row.
    pub const fn next_index(&self) -> u64 {
        self.at
    }

    /// The next row.
    pub fn push(&mut self, row: &Row) -> Result<(), TreeError> {
        let index = self.at;
        self.at += 1;
        if self.finding.is_some() {
            return Ok(());
        }
        let node = row.nodes.first().copied().flatten();
        if let Some(suspect) = &mut self.suspect {
            suspect.entries_follow |= row.entry.is_some();
            suspect.elsewhere |= suspect.node.is_some() && row.entry == suspect.node;
            if suspect.entry.is_some() && node == suspect.entry {
                suspect.belongs = suspect.belongs.or(Some(index));
            }
            grow(&mut suspect.by_entries, row.entry)?;
        } else if row.entry.is_none() || row.entry != node {
            let mut by_entries = self.by_nodes.clone();
            grow(&mut by_entries, row.entry)?;
            let entry = row.entry;
            let (belongs, elsewhere, entries_follow, judged) = (None, false, false, false);
            self.suspect = Some(Suspect { index, entry, node, by_entries, belongs, elsewhere, entries_follow, judged });
        }
        for (n, new) in grow(&mut self.by_nodes, node)?.into_iter().enumerate() {
            let stored = row.nodes.get(n).copied().flatten();
            if stored != Some(new.hash) {
                self.bad_node = self.bad_node.or(Some(new.id));
            }
        }
        self.judge();
        Ok(())
    }

    /// Holds the tree to the checkpoints of this size.
    fn judge(&mut self) {
        while let Some(opened) = self.checkpoints.pop_front_if(|opened| opened.checkpoint.head.size == self.at) {
            let Head { size, root } = opened.checkpoint.head;
            let fits = |tree: &Option<Frontier>| tree.as_ref().is_some_and(|tree| tree.root() == root);
            let by_nodes = fits(&self.by_nodes);
            self.finding = match &mut self.suspect {
                Some(suspect) if suspect.judged => None,
                // The entries are those that were signed for: the tree beside them is not.
                Some(suspect) if fits(&suspect.by_entries) => Some(Finding::tree(NodeId::leaf(suspect.index))),
                // The tree is: what was done to the entries shows further on.
                Some(suspect) if by_nodes || self.by_nodes.is_none() => {
                    suspect.judged = by_nodes;
                    None
                }
                None if by_nodes => self.bad_node.map(Finding::tree),
                // Neither is: both were altered, at the latest where they begin to differ.
                suspect => {
                    let end = suspect.as_ref().map_or(size, |suspect| suspect.index + 1);
                    let below = self.bad_node.map(NodeId::leaves).filter(|leaves| leaves.start < end);
                    Some(Finding::Rewritten { entries: below.unwrap_or(self.sealed..end), size })
                }
            };
            if self.finding.is_some() {
                return;
            }
            if self.suspect.is_none() {
                self.sealed = size;
            }
        }
    }

    /// After the last row: what was seen, or the first thing that is wrong.
    pub fn finish(self) -> Result<Audited, Finding> {
        if let Some(finding) = self.finding {
            return Err(finding);
        }
        let had = self.checkpoints.back().map_or(self.at, |opened| opened.checkpoint.head.size);
        if let Some(suspect) = self.suspect {
            return Err(suspect.finding(had));
        }
        if had > self.at {
            return Err(Finding::Truncated { index: self.at, had });
        }
        match (self.bad_node, self.by_nodes) {
            (None, Some(tree)) => {
                Ok(Audited { head: Head { size: tree.size(), root: tree.root() }, sealed: self.sealed })
            }
            (bad, _) => Err(Finding::tree(bad.unwrap_or(NodeId::leaf(self.at)))),
        }
    }
}

impl Suspect {
    fn finding(&self, had: u64) -> Finding {
        let index = self.index;
        match (self.entry, self.node) {
            (None, _) if !self.entries_follow => Finding::Truncated { index, had },
            (None, _) => Finding::Removed { index },
            (Some(_), None) => Finding::Inserted { index },
            (Some(_), Some(_)) => match (self.belongs, self.elsewhere) {
                (Some(belongs), true) => Finding::Reordered { index, belongs },
                (Some(_), false) => Finding::Removed { index },
                (None, true) => Finding::Inserted { index },
                (None, false) => Finding::Changed { index },
            },
        }
    }
}

/// Appends a leaf, or gives the tree up where there is none.
fn grow(tree: &mut Option<Frontier>, leaf: Option<Hash>) -> Result<Vec<crate::Node>, TreeError> {
    if let (Some(tree), Some(leaf)) = (tree.as_mut(), leaf) {
        return tree.append([leaf]);
    }
    *tree = None;
    Ok(Vec::new())
}
