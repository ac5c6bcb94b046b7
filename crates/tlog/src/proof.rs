//! Proofs that an entry stands in a tree, and that a tree extends an older one (RFC 6962 sections 2.1.1 and 2.1.2).
//!
//! Making one is in two steps, so that no store is known here: a [`Plan`] names all the stored nodes it needs, whoever keeps
//! them fetches them at once, and the plan makes the proof of them. Checking needs nothing but two heads (RFC 9162 sections
//! 2.1.3.2 and 2.1.4.2).

use std::ops::Range;

use crate::tree::fold;
use crate::{Hash, MAX_SIZE, NodeId, TreeError};

/// The stored nodes that a proof is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    nodes: Vec<NodeId>,
    /// How many of the nodes, in their order, make each hash of the proof.
    runs: Vec<usize>,
}

impl Plan {
    /// For the proof that the entry at `index` stands in the tree of `size` leaves.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, TreeError> {
        if index >= size {
            return Err(TreeError::NoSuchEntry { index, size });
        }
        let (subtrees, _) = descend(size, |middle| index < middle, |range| range.end - range.start == 1)?;
        Ok(Self::of(subtrees))
    }

    /// For the proof that the tree of `new` leaves begins with the `old` leaves of the older one. From nothing, and from
    /// the same size, it is empty.
    pub fn consistency(old: u64, new: u64) -> Result<Self, TreeError> {
        if old > new {
            return Err(TreeError::Shrinking { old, new });
        }
        if old == 0 || old == new {
            return Ok(Self::of(Vec::new()));
        }
        let (mut subtrees, last) = descend(new, |middle| old <= middle, |range| range.end == old)?;
        if last.start > 0 {
            subtrees.insert(0, last);
        }
        Ok(Self::of(subtrees))
    }

    fn of(subtrees: Vec<Range<u64>>) -> Self {
        let mut plan = Self { nodes: Vec::new(), runs: Vec::with_capacity(subtrees.len()) };
        for range in subtrees {
            let before = plan.nodes.len();
            plan.nodes.extend(NodeId::over(range));
            plan.runs.push(plan.nodes.len() - before);
        }
        plan
    }

    /// What to fetch, all at once.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The proof, from what was fetched.
    pub fn prove(&self, stored: impl Fn(NodeId) -> Option<Hash>) -> Result<Vec<Hash>, TreeError> {
        let hashes = self.nodes.iter().map(|id| stored(*id).ok_or(TreeError::Missing(*id)));
        let mut rest = &hashes.collect::<Result<Vec<_>, _>>()?[..];
        let mut path = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let (subtrees, after) = rest.split_at(*run);
            path.push(fold(subtrees));
            rest = after;
        }
        Ok(path)
    }
}

/// From the root down to the subtree that is `found`: the siblings on the way, lowest first, and that subtree.
fn descend(
    size: u64,
    left: impl Fn(u64) -> bool,
    found: impl Fn(&Range<u64>) -> bool,
) -> Result<(Vec<Range<u64>>, Range<u64>), TreeError> {
    if size > MAX_SIZE {
        return Err(TreeError::TooLarge);
    }
    let (mut at, mut siblings) = (0..size, Vec::new());
    while !found(&at) {
        // The left subtree is the largest full one that leaves something for the right.
        let middle = at.start + (at.end - at.start).next_power_of_two() / 2;
        let (lower, upper) = (at.start..middle, middle..at.end);
        let (next, sibling) = if left(middle) { (lower, upper) } else { (upper, lower) };
        siblings.push(sibling);
        at = next;
    }
    siblings.reverse();
    Ok((siblings, at))
}

/// A proof does not prove what it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unproven {
    /// The index is none of the tree's.
    #[error("the entry is said to stand at {index}, but the log has only {size} entries")]
    Outside {
        /// Said.
        index: u64,
        /// Of the tree.
        size: u64,
    },
    /// The newer tree is the smaller one.
    #[error("the log has {new} entries and had {old} before: entries were cut off")]
    Shrunk {
        /// Before.
        old: u64,
        /// Now.
        new: u64,
    },
    /// Not as many hashes as a proof between these sizes has.
    #[error("the proof is incomplete or has something too much")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root than the signed one")]
    Root,
}

/// The state of a log: how many entries, and the root over them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The Merkle tree hash.
    pub root: Hash,
}

impl Head {
    /// That `leaf` stands at `index` of this tree (RFC 9162 section 2.1.3.2).
    pub fn check_inclusion(&self, leaf: Hash, index: u64, path: &[Hash]) -> Result<(), Unproven> {
        if index >= self.size {
            return Err(Unproven::Outside { index, size: self.size });
        }
        let (mut place, mut last, mut root) = (index, self.size - 1, leaf);
        for &sibling in path {
            if last == 0 {
                return Err(Unproven::Length);
            }
            if place & 1 == 1 || place == last {
                root = Hash::of_pair(sibling, root);
                skip(&mut place, &mut last);
            } else {
                root = Hash::of_pair(root, sibling);
            }
            (place, last) = (place >> 1, last >> 1);
        }
        match last {
            0 if root == self.root => Ok(()),
            0 => Err(Unproven::Root),
            _ => Err(Unproven::Length),
        }
    }

    /// That this tree begins with all of the `older` one (RFC 9162 section 2.1.4.2).
    pub fn check_extends(&self, older: &Self, path: &[Hash]) -> Result<(), Unproven> {
        if older.size > self.size {
            return Err(Unproven::Shrunk { old: older.size, new: self.size });
        }
        if older.size == 0 || older.size == self.size {
            let start = if older.size == self.size { self.root } else { Hash::of_nothing() };
            return match path {
                [] if older.root == start => Ok(()),
                [] => Err(Unproven::Root),
                _ => Err(Unproven::Length),
            };
        }
        let (mut place, mut last) = (older.size - 1, self.size - 1);
        while place & 1 == 1 {
            (place, last) = (place >> 1, last >> 1);
        }
        // The subtree where both begin: the whole older tree where that is full, else the first hash of the path.
        let (start, path) = if older.size.is_power_of_two() {
            (older.root, path)
        } else {
            path.split_first().map(|(first, rest)| (*first, rest)).ok_or(Unproven::Length)?
        };
        let (mut before, mut now) = (start, start);
        for &sibling in path {
            if last == 0 {
                return Err(Unproven::Length);
            }
            if place & 1 == 1 || place == last {
                before = Hash::of_pair(sibling, before);
                now = Hash::of_pair(sibling, now);
                skip(&mut place, &mut last);
            } else {
                now = Hash::of_pair(now, sibling);
            }
            (place, last) = (place >> 1, last >> 1);
        }
        match last {
            0 if before == older.root && now == self.root => Ok(()),
            0 => Err(Unproven::Root),
            _ => Err(Unproven::Length),
        }
    }
}

/// Past the levels at which the right edge has no sibling.
fn skip(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        (*place, *last) = (*place >> 1, *last >> 1);
    }
}
