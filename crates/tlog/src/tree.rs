//! The tree that grows to the right (RFC 6962 section 2.1), kept by somebody else.
//!
//! Stored are the nodes whose subtree is full: they never change again. What is between them and the root follows from
//! the right edge, one node for each bit of the size, so that appending needs no more than that edge.

use std::fmt;
use std::ops::Range;

use crate::Hash;

/// Most leaves of a tree: indexes stay within the signed 64-bit integers of databases.
pub const MAX_SIZE: u64 = 1 << 62;

/// The place of a stored node: the root of the full subtree over the leaves `index << level` to `(index + 1) << level`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId {
    /// 0 for leaves.
    pub level: u8,
    /// From the left, among those of the level.
    pub index: u64,
}

impl NodeId {
    /// The leaf at `index`.
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }

    /// The leaves below it.
    pub(crate) const fn leaves(self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }

    /// The nodes that come to be with the leaf at `index`, the leaf first.
    pub fn completed_by(index: u64) -> impl Iterator<Item = Self> {
        // `index` ends in as many ones as there are levels above it that it completes.
        (0u8..=63)
            .take_while(move |level| u32::from(*level) <= index.trailing_ones())
            .map(move |level| Self { level, index: index >> level })
    }

    /// The full subtrees that make up `range`, from left to right. `range.start` is a multiple of a power of two that is
    /// not smaller than the range.
    pub(crate) fn over(range: Range<u64>) -> impl Iterator<Item = Self> {
        let count = range.end.saturating_sub(range.start);
        let mut start = range.start;
        (0u8..63).rev().filter(move |level| count >> level & 1 == 1).map(move |level| {
            let node = Self { level, index: start >> level };
            start += 1 << level;
            node
        })
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.level, self.index)
    }
}

/// A stored node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    /// Where it stands.
    pub id: NodeId,
    /// What it holds.
    pub hash: Hash,
}

/// The tree as stored cannot give what is asked of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TreeError {
    /// Nothing of the kind in a tree of that size.
    #[error("the log has {size} entries: there is none at {index}; indexes begin at 0")]
    NoSuchEntry {
        /// Asked for.
        index: u64,
        /// Of the tree.
        size: u64,
    },
    /// A tree does not shrink.
    #[error("the log has {new} entries, so there is no proof that it extends one of {old}; ask for an older one")]
    Shrinking {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// Beyond [`MAX_SIZE`].
    #[error("a log holds at most {MAX_SIZE} entries")]
    TooLarge,
    /// A node that must be stored is not.
    #[error("the stored tree lacks its node {0} (level/index): verify the whole log")]
    Missing(NodeId),
}

/// The right edge of a tree: all that appending needs, and the root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// One for each bit of `size` that is set, from left (highest) to right.
    edge: Vec<Hash>,
}

impl Frontier {
    /// The stored nodes that [`Frontier::load`] needs, from left to right: at most 62.
    pub fn nodes(size: u64) -> Result<Vec<NodeId>, TreeError> {
        if size > MAX_SIZE { Err(TreeError::TooLarge) } else { Ok(NodeId::over(0..size).collect()) }
    }

    /// The edge of the tree of `size` leaves, from its stored nodes.
    pub fn load(size: u64, stored: impl Fn(NodeId) -> Option<Hash>) -> Result<Self, TreeError> {
        let edge = Self::nodes(size)?.into_iter().map(|id| stored(id).ok_or(TreeError::Missing(id)));
        Ok(Self { size, edge: edge.collect::<Result<_, _>>()? })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree (RFC 6962: the Merkle tree hash).
    pub fn root(&self) -> Hash {
        fold(&self.edge)
    }

    /// Appends leaves, and gives the nodes to store with them.
    pub fn append(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Result<Vec<Node>, TreeError> {
        let mut new = Vec::new();
        for leaf in leaves {
            if self.size >= MAX_SIZE {
                return Err(TreeError::TooLarge);
            }
            let mut hash = leaf;
            for id in NodeId::completed_by(self.size) {
                if id.level > 0 {
                    let left = self.edge.pop().ok_or(TreeError::Missing(id))?;
                    hash = Hash::of_pair(left, hash);
                }
                new.push(Node { id, hash });
            }
            self.edge.push(hash);
            self.size += 1;
        }
        Ok(new)
    }
}

/// The root over full subtrees that stand side by side, each smaller than the one on its left.
pub(crate) fn fold(subtrees: &[Hash]) -> Hash {
    subtrees.iter().rev().copied().reduce(|right, left| Hash::of_pair(left, right)).unwrap_or_else(Hash::of_nothing)
}
