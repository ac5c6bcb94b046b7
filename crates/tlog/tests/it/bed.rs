//! A log in memory: entries, the stored tree, keys. What a database keeps for real.

use std::collections::BTreeMap;

use tlog::{
    Checkpoint, Document, Entry, Frontier, Hash, Head, KeyKind, NodeId, Opening, Plan, Row, Salt, SigningKey, Trust,
    Witness,
};
use vocabulary::{Chance, Timestamp};

pub(crate) const ORIGIN: &str = "bank.example/journal";
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) fn log_key(seed: u64) -> SigningKey {
    SigningKey::generate(ORIGIN, KeyKind::Log, &Chance::seeded(seed)).unwrap()
}

pub(crate) fn witness_key(n: u64) -> SigningKey {
    SigningKey::generate(&format!("witness.example/w{n}"), KeyKind::Witness, &Chance::seeded(1000 + n)).unwrap()
}

/// Believes the log of seed 1, with `required` of the witnesses 1 and 2.
pub(crate) fn trust(required: usize) -> Trust {
    let witnesses = [1, 2].map(|n| witness_key(n).verifier().clone()).to_vec();
    Trust::new(log_key(1).verifier().clone(), witnesses, required).unwrap()
}

pub(crate) fn entry(n: u64) -> Entry {
    let opening = Opening { salt: Salt(Hash::of_leaf(&n.to_be_bytes()).0), content: format!("Ada paid {n} EUR") };
    let entry = Entry::new().readable("source", "bank").unwrap().readable("seq", n.to_string()).unwrap();
    entry.committed("content", opening).unwrap()
}

#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Hash>,
    pub(crate) nodes: BTreeMap<NodeId, Hash>,
    pub(crate) frontier: Frontier,
}

impl Log {
    pub(crate) fn of(size: u64) -> Self {
        let mut log = Self::default();
        log.append((0..size).map(|n| entry(n).hash()));
        log
    }

    pub(crate) fn append(&mut self, leaves: impl IntoIterator<Item = Hash>) {
        for leaf in leaves {
            // From the store each time, as a process that restarts does.
            let mut frontier = Frontier::load(self.frontier.size(), |id| self.nodes.get(&id).copied()).unwrap();
            assert_eq!(frontier, self.frontier);
            for node in frontier.append([leaf]).unwrap() {
                assert_eq!(self.nodes.insert(node.id, node.hash), None, "a stored node never changes");
            }
            self.frontier = frontier;
            self.entries.push(leaf);
        }
    }

    pub(crate) fn head(&self, size: u64) -> Head {
        let frontier = Frontier::load(size, |id| self.nodes.get(&id).copied()).unwrap();
        Head { size, root: frontier.root() }
    }

    pub(crate) fn prove(&self, plan: &Plan) -> Vec<Hash> {
        plan.prove(|id| self.nodes.get(&id).copied()).unwrap()
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        self.prove(&Plan::consistency(old, new).unwrap())
    }

    /// The signed checkpoint at `size`, by the log's key of that seed.
    pub(crate) fn note_by(&self, seed: u64, size: u64) -> String {
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), head: self.head(size) };
        checkpoint.sign(&log_key(seed)).unwrap().to_string()
    }

    pub(crate) fn note(&self, size: u64) -> String {
        self.note_by(1, size)
    }

    /// The same, cosigned by witness 1.
    pub(crate) fn cosigned(&self, size: u64) -> String {
        let witness = Witness::new(witness_key(1), log_key(1).verifier().clone()).unwrap();
        witness.cosign(None, &self.note(size), &[], NOW).unwrap().note.to_string()
    }

    pub(crate) fn document(&self, index: u64, size: u64) -> Document {
        let path = self.prove(&Plan::inclusion(index, size).unwrap());
        Document::new(entry(index), index, path, self.cosigned(size))
    }

    /// What a database would give for each index.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let stored = self.nodes.keys().filter(|id| id.level == 0).count();
        let count = stored.max(self.entries.len()) as u64;
        let row = |index: u64| Row {
            entry: usize::try_from(index).ok().and_then(|n| self.entries.get(n).copied()),
            nodes: NodeId::completed_by(index).map(|id| self.nodes.get(&id).copied()).collect(),
        };
        (0..count).map(row).collect()
    }
}
